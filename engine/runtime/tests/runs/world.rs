//! A project in a temporary folder, and what runs in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use runbook_journal::Journal;
use runbook_plan::{Bundle, EnvironmentFile, Plan, Request};
use runbook_runtime::{Clock, Execution, Host, NewRun, Observer, Outcome};
use runbook_step::Registry;
use runbook_wire::{Person, Record};

/// A project, a journal, and a registry of step types.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) registry: Arc<Registry>,
    files: BTreeMap<String, Vec<u8>>,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) records: Vec<Record>,
    pub(crate) warnings: Vec<String>,
}

struct Watching<F> {
    records: Vec<Record>,
    warnings: Vec<String>,
    at: F,
}

impl<F: FnMut(&Record) + Send> Observer for Watching<F> {
    fn recorded(&mut self, record: &Record) {
        (self.at)(record);
        self.records.push(record.clone());
    }

    fn warning(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }
}

/// A temporary folder, in memory where there is such a place: a disk that is busy with something else is not what these
/// tests are about.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl World {
    pub(crate) fn new(registry: Registry) -> World {
        let folder = folder();
        std::fs::create_dir(folder.path().join("project")).unwrap();
        World { folder, registry: Arc::new(registry), files: BTreeMap::new() }
    }

    /// Writes a file of the project.
    pub(crate) fn file(mut self, path: &str, content: &str) -> World {
        let full = self.root().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, content).unwrap();
        self.files.insert(path.to_owned(), content.as_bytes().to_vec());
        self
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn host(&self) -> Host {
        Host {
            state: self.state(),
            root: self.root(),
            environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
            clock: Clock::starting_at(1_767_571_200_000),
            person: Person { name: "ana".into() },
            hostname: "here".into(),
            pid: std::process::id(),
            version: "0.0.0".into(),
            registry: Arc::clone(&self.registry),
            entropy: [7; 32],
            unattended: true,
        }
    }

    pub(crate) fn plan(&self, file: &str) -> Plan {
        self.plan_of(Request { file: file.to_owned(), ..Request::default() })
    }

    /// In an environment that has a file of its own.
    pub(crate) fn plan_in(&self, file: &str, environment: &str) -> Plan {
        let path = format!("environments/{environment}.yaml");
        let environment = Some(EnvironmentFile { name: environment.to_owned(), path });
        self.plan_of(Request { file: file.to_owned(), environment, ..Request::default() })
    }

    pub(crate) fn plan_of(&self, request: Request) -> Plan {
        let loader = Bundle { request: request.clone(), files: self.files.clone() };
        let planned = runbook_plan::plan(&request, &loader, &self.registry);
        planned.plan.unwrap_or_else(|| panic!("{:#?}", planned.diagnostics))
    }

    /// Makes a run of `main.yaml`.
    pub(crate) async fn create(&self, host: Host) -> Execution {
        let new = NewRun { file: "main.yaml".into(), ..NewRun::default() };
        Execution::create(host, self.plan("main.yaml"), new).await.unwrap()
    }

    /// Runs `main.yaml` to wherever it goes.
    pub(crate) async fn run(&self) -> Ran {
        self.run_as(self.host()).await
    }

    pub(crate) async fn run_as(&self, host: Host) -> Ran {
        drive(self.create(host).await).await
    }

    pub(crate) async fn open(&self, run: &str) -> Execution {
        Execution::open(self.host(), run).await.unwrap()
    }

    /// What the journal holds of a run.
    pub(crate) fn journal(&self, run: &str) -> Vec<Record> {
        let journal = Journal::open(&self.state()).unwrap();
        journal.events(run, 1).collect::<Result<_, _>>().unwrap()
    }
}

pub(crate) async fn drive(execution: Execution) -> Ran {
    drive_with(execution, |_| ()).await
}

/// Drives a run; `at` sees each record once it is on disk.
pub(crate) async fn drive_with(execution: Execution, at: impl FnMut(&Record) + Send) -> Ran {
    let mut watching = Watching { records: Vec::new(), warnings: Vec::new(), at };
    let outcome = execution.drive(&mut watching).await;
    Ran { outcome, records: watching.records, warnings: watching.warnings }
}

/// Records as lines for people: what happened, without times and numbers.
pub(crate) fn lines(records: &[Record]) -> String {
    use runbook_wire::Body;
    let mut out = String::new();
    for record in records {
        let line = match &record.body {
            Body::RunCreated { .. } | Body::Spawned { .. } => continue,
            Body::ExecutorStarted { resumed, .. } => format!("executor resumed={resumed}"),
            Body::ExecutorStopped { reason } => format!("stopped: {reason}"),
            Body::Started { task, .. } => format!("{} started", task.path),
            Body::Ended { task, result, failure, outputs, .. } => {
                let why =
                    failure.as_ref().map(|f| format!(" {}: {}", f.class, f.message)).unwrap_or_default();
                let outputs = if outputs.is_empty() {
                    String::new()
                } else {
                    format!(" {}", serde_json::to_string(outputs).unwrap())
                };
                format!("{} {result:?}{why}{outputs}", task.path).to_lowercase()
            }
            Body::Entered { task, .. } => format!("{} entered", task.path),
            Body::Skipped { task, reason, .. } => format!("{} skipped: {reason}", task.path),
            Body::Items { task, keys, .. } => format!("{} items {keys:?}", task.path),
            Body::Branch { task, label, .. } => format!("{} branch {label}", task.path),
            Body::Checked { task, probe, grade, message, .. } => {
                format!("{} {probe:?} {grade:?} {message}", task.path)
            }
            Body::Closed { task, outputs, failure, .. } => {
                format!("{} closed {} {failure:?}", task.path, serde_json::to_string(outputs).unwrap())
            }
            Body::Fired { task, timer } => format!("{} fired {timer:?}", task.path),
            Body::Asked { question, .. } => format!("asked: {question}"),
            Body::Answered { answer, by, .. } => format!("answered by {}: {answer:?}", by.name),
            Body::Finished { forward, rollback, exit_code, outputs, no_outputs } => {
                let lacks: Vec<String> =
                    no_outputs.iter().map(|(name, why)| format!(" no {name}: {why}")).collect();
                format!(
                    "finished {forward} {rollback} {exit_code} {}{}",
                    serde_json::to_string(outputs).unwrap(),
                    lacks.concat()
                )
            }
            Body::LockAwaited { name, holder, reason, until_wall_ms, .. } => {
                let left = until_wall_ms - record.wall_ms;
                format!("waits {left} ms for {name}, held by {holder} ({reason})")
            }
            Body::LockRefused { name, holder, reason, skip, .. } => {
                format!("refused {name}, held by {holder} ({reason}), skip={skip}")
            }
            other => format!("{other:?}"),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}
