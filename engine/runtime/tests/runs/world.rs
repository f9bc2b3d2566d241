//! A project in a temporary folder, and what runs in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use runbook_journal::Journal;
use runbook_plan::{Bundle, Plan, Request};
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

#[derive(Default)]
struct Watching(Arc<Mutex<(Vec<Record>, Vec<String>)>>);

impl Observer for Watching {
    fn recorded(&mut self, record: &Record) {
        self.0.lock().unwrap().0.push(record.clone());
    }

    fn warning(&mut self, text: &str) {
        self.0.lock().unwrap().1.push(text.to_owned());
    }
}

impl World {
    pub(crate) fn new(registry: Registry) -> World {
        let folder = tempfile::tempdir().unwrap();
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
            answers: None,
        }
    }

    pub(crate) fn plan(&self, file: &str) -> Plan {
        let request = Request { file: file.to_owned(), ..Request::default() };
        let loader = Bundle { request: request.clone(), files: self.files.clone() };
        let planned = runbook_plan::plan(&request, &loader, &self.registry);
        planned.plan.unwrap_or_else(|| panic!("{:#?}", planned.diagnostics))
    }

    /// Runs `main.yaml` to wherever it goes.
    pub(crate) async fn run(&self) -> Ran {
        let new = NewRun { file: "main.yaml".into(), ..NewRun::default() };
        let execution = Execution::create(self.host(), self.plan("main.yaml"), new).await.unwrap();
        drive(execution).await
    }

    pub(crate) async fn resume(&self, run: &str) -> Ran {
        drive(Execution::open(self.host(), run).await.unwrap()).await
    }

    /// What the journal holds of a run.
    pub(crate) fn journal(&self, run: &str) -> Vec<Record> {
        let journal = Journal::open(&self.state()).unwrap();
        journal.events(run, 1).collect::<Result<_, _>>().unwrap()
    }
}

pub(crate) async fn drive(execution: Execution) -> Ran {
    let seen = Watching::default();
    let mut observer = Watching(Arc::clone(&seen.0));
    let outcome = execution.drive(&mut observer).await;
    let (records, warnings) = std::mem::take(&mut *seen.0.lock().unwrap());
    Ran { outcome, records, warnings }
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
            Body::Finished { forward, rollback, exit_code, outputs } => {
                format!(
                    "finished {forward} {rollback} {exit_code} {}",
                    serde_json::to_string(outputs).unwrap()
                )
            }
            other => format!("{other:?}"),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}
