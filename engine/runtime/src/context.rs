//! What a step type gets to touch, for real.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runbook_plan::Invocation;
use runbook_step::{
    BoxFuture, Cancelled, Context, Files, Http, LogStream, Net, ProcessError, ProcessExit, ProcessRequest,
    Processes, Secret, Value,
};
use runbook_wire::Task;
use rustix::process::Pid;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use crate::cancel::Cancel;
use crate::clock::RunClock;
use crate::http::HttpClients;
use crate::leftovers::Group;
use crate::logs::{LogFile, format_line};
use crate::mask::Mask;
use crate::pinned::{Changed, Pinned, plain};
use crate::process::environment::{Environment, IDEMPOTENCY_KEY, program};
use crate::process::{self, Launch, Patience, Watch, output_file};
use crate::secrets::{Asker, Secrets, Unrevealed};
use crate::stream::OutputStream;

/// What of stdout is kept where a step wants all of it, in bytes.
const KEPT_STDOUT: usize = 4 << 20;

/// What all attempts of an execution share.
pub(crate) struct Shared {
    pub(crate) clock: RunClock,
    pub(crate) mask: Mask,
    pub(crate) secrets: Secrets,
    pub(crate) http: HttpClients,
    /// The root of the project.
    pub(crate) root: PathBuf,
    /// What processes get of our own environment.
    pub(crate) environment: Environment,
    pub(crate) pinned: Pinned,
    /// Where logs go.
    pub(crate) logs: PathBuf,
    /// Where for moments the files are that scripts return outputs through.
    pub(crate) outputs: PathBuf,
    pub(crate) patience: Patience,
    /// How many processes were started.
    pub(crate) processes: AtomicU64,
    pub(crate) live: mpsc::Sender<Live>,
    pub(crate) spawned: mpsc::UnboundedSender<Spawned>,
}

/// What is shown while a step runs, and not recorded. Dropped if nobody takes it in time: a terminal that stands still
/// must not hold up a run.
#[derive(Debug)]
pub(crate) enum Live {
    Progress(Task, String),
    Output(Task, u32, LogStream, String),
    Warning(String),
}

/// A process group that an attempt started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) task: Task,
    pub(crate) attempt: u32,
    pub(crate) group: Group,
}

/// The world of one attempt.
pub(crate) struct AttemptContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) mask: Mask,
    pub(crate) task: Task,
    pub(crate) attempt: u32,
    /// The folder that relative paths start from.
    pub(crate) folder: PathBuf,
    /// Pinned programs that its call runs, by their path from the root.
    pub(crate) programs: Vec<String>,
    pub(crate) key: String,
    pub(crate) cancel: Cancel,
    pub(crate) log: LogFile,
}

impl AttemptContext {
    /// A file of the plan, by its path from the step's folder.
    pub(crate) fn pinned_content(&self, path: &str) -> Option<&[u8]> {
        let full = plain(&self.folder.join(path));
        let inside = full.strip_prefix(&self.shared.root).ok()?;
        self.shared.pinned.content(inside.to_str()?)
    }

    /// The same context, for a call.
    pub(crate) fn of(self, invocation: &Invocation) -> AttemptContext {
        AttemptContext { programs: invocation.programs.clone(), ..self }
    }

    /// The first program that is not what was planned any more: of those that the plan found in the call, and
    /// the one that is to be launched.
    pub(crate) fn changed_program(&self, launched: Option<&Path>) -> Option<Changed> {
        let launched = launched.map(plain);
        let launched =
            launched.as_deref().and_then(|path| path.strip_prefix(&self.shared.root).ok()?.to_str());
        let programs = self.programs.iter().map(String::as_str).chain(launched);
        self.shared.pinned.first_changed(programs)
    }

    fn say(&self, live: Live) {
        // Full or gone: it is in the log.
        let _ = self.shared.live.try_send(live);
    }

    fn write_log(&self, bytes: &[u8]) {
        if let Err(error) = self.log.write(bytes) {
            self.say(Live::Warning(format!("{}: its log cannot be written: {error}", self.task.path)));
        }
    }

    /// The file through which a process returns outputs. Its own: the guards and probes of a step run beside it.
    fn output_path(&self) -> PathBuf {
        let number = self.shared.processes.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{}-{number}.out", self.task.frame, self.task.node, self.attempt);
        self.shared.outputs.join(name)
    }

    async fn launch(&self, request: &ProcessRequest, output: &Path) -> Result<Launch, ProcessError> {
        let fault = |message: String| ProcessError::new(message);
        let Some((name, args)) = request.argv.split_first() else {
            return Err(fault("there is no program to run".into()));
        };
        let mut environment = self.shared.environment.clone();
        for (name, value) in &request.env {
            let text = match value {
                Value::Secret(secret) => match self.shared.secrets.reveal(secret, self).await {
                    Ok(text) => text.expose_secret().to_owned(),
                    Err(Unrevealed::Fault(message)) => return Err(fault(message)),
                    Err(stopped @ Unrevealed::Cancelled(why)) => {
                        return Err(ProcessError { cancelled: Some(why), ..fault(stopped.to_string()) });
                    }
                },
                plain => plain.to_string(),
            };
            if name.is_empty() || name.contains(['=', '\0']) || text.contains('\0') {
                return Err(fault(format!("environment variable `{name}`: not a possible name or value")));
            }
            environment.insert(name.into(), text.into());
        }
        environment.insert("RUNBOOK_OUTPUT".into(), output.into());
        environment.insert(IDEMPOTENCY_KEY.into(), self.key.clone().into());
        if let Some(argument) = request.argv.iter().find(|argument| argument.contains('\0')) {
            return Err(fault(format!("an argument holds a zero byte: {argument:?}")));
        }
        let cwd = request.cwd.as_ref().map_or_else(|| self.folder.clone(), |cwd| self.folder.join(cwd));
        let program = program(name, &environment, &cwd)?;
        if let Some(changed) = self.changed_program(Some(&program)) {
            return Err(fault(changed.to_string()));
        }
        Ok(Launch {
            name: name.into(),
            program,
            args: args.iter().map(OsString::from).collect(),
            environment,
            cwd,
            stdin: request.stdin.as_ref().map(|text| text.clone().into_bytes()),
        })
    }
}

impl Context for AttemptContext {
    fn processes(&self) -> &dyn Processes {
        self
    }

    fn http(&self) -> &dyn Http {
        self
    }

    fn net(&self) -> &dyn Net {
        self
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn now_ms(&self) -> u64 {
        self.shared.clock.wall_ms()
    }

    fn monotonic_ns(&self) -> u64 {
        self.shared.clock.ns()
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(std::time::Duration::from_millis(ms)))
    }

    fn cancelled(&self) -> BoxFuture<'_, Cancelled> {
        Box::pin(self.cancel.cancelled())
    }

    fn log(&self, stream: LogStream, line: &str) {
        let mut bytes = Vec::new();
        for line in line.lines() {
            let line = self.shared.mask.text(line);
            format_line(&mut bytes, self.shared.clock.elapsed_ms(), stream, &line, true);
            self.say(Live::Output(self.task.clone(), self.attempt, stream, line.into_owned()));
        }
        self.write_log(&bytes);
    }

    fn progress(&self, line: &str) {
        self.say(Live::Progress(self.task.clone(), self.shared.mask.text(line).into_owned()));
    }

    fn hide(&self, text: &str) -> String {
        self.mask.text(text).into_owned()
    }

    fn reveal<'a>(&'a self, secret: &'a Secret) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let revealed = self.shared.secrets.reveal(secret, self).await;
            revealed.map(|text| text.expose_secret().to_owned()).map_err(|error| error.to_string())
        })
    }
}

impl Processes for AttemptContext {
    fn run<'a>(&'a self, request: &'a ProcessRequest) -> BoxFuture<'a, Result<ProcessExit, ProcessError>> {
        Box::pin(async move {
            let output = self.output_path();
            let launch = self.launch(request, &output).await?;
            // Of the attempt's own mask it is known whether it hid something in what the step was given.
            let mask = &self.shared.mask;
            let mut watch = Watched {
                context: self,
                stdout: OutputStream::new(
                    LogStream::Stdout,
                    mask.clone(),
                    request.capture_stdout.then_some(KEPT_STDOUT),
                ),
                stderr: OutputStream::new(LogStream::Stderr, mask.clone(), None),
                bytes: Vec::new(),
            };
            let exit = process::run(launch, &self.cancel, self.shared.patience, &mut watch).await?;
            let whole = watch.stdout.whole();
            // Whatever the script has put there: the loop must not wait for it.
            let outputs = tokio::task::spawn_blocking(move || output_file::take(&output)).await;
            Ok(ProcessExit {
                code: exit.code(),
                signal: exit.signal(),
                cancelled: exit.cancelled,
                stdout_cut: request.capture_stdout && whole.is_none(),
                stdout: whole.unwrap_or_else(|| watch.stdout.tail()),
                stderr_tail: watch.stderr.tail(),
                outputs: outputs.unwrap_or_else(|error| Err(format!("$RUNBOOK_OUTPUT: {error}"))),
            })
        })
    }
}

impl Asker for AttemptContext {
    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn patience(&self) -> Patience {
        self.shared.patience
    }

    fn spawned(&self, group: Pid) {
        let spawned = Spawned { task: self.task.clone(), attempt: self.attempt, group: Group::led_by(group) };
        // Nobody is there to record it only when the execution is over, and then the attempt ends too.
        let _ = self.shared.spawned.send(spawned);
    }

    fn warn(&self, text: &str) {
        self.say(Live::Warning(text.to_owned()));
    }
}

/// Takes a process's output into the log, and shows it.
struct Watched<'a> {
    context: &'a AttemptContext,
    stdout: OutputStream,
    stderr: OutputStream,
    /// Lines for the log file, written once per chunk.
    bytes: Vec<u8>,
}

impl Watch for Watched<'_> {
    fn spawned(&mut self, group: Pid) {
        Asker::spawned(self.context, group);
    }

    fn output(&mut self, name: LogStream, chunk: Option<&[u8]>) {
        let context = self.context;
        let at = context.shared.clock.elapsed_ms();
        let stream = if name == LogStream::Stderr { &mut self.stderr } else { &mut self.stdout };
        let mut seen = |line: &str| {
            // Cheaper than making a line that nobody takes.
            if context.shared.live.capacity() > 0 {
                context.say(Live::Output(context.task.clone(), context.attempt, name, line.to_owned()));
            }
        };
        self.bytes.clear();
        match chunk {
            Some(chunk) => stream.push(chunk, at, &mut self.bytes, &mut seen),
            None => stream.finish(at, &mut self.bytes, &mut seen),
        }
        context.write_log(&self.bytes);
    }

    fn note(&mut self, line: &str) {
        self.context.log(LogStream::Note, line);
    }
}

#[cfg(test)]
mod tests;
