//! Driving a run in this process: the executor, the screen, signals.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use runbook_plan::Plan;
use runbook_runtime::{Execution, ExecutionError, Host, LogLine, NewRun, Observer, Refusal};
use runbook_view::Held;
use runbook_wire::{Message, Record, Request, Task};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::terminal::{Acts, Mode, Queue, Screen, Setting, Shown};
use crate::{history, host, output, project};

impl From<ExecutionError> for CommandError {
    fn from(error: ExecutionError) -> Self {
        let exit = Exit(u8::try_from(error.exit_code()).unwrap_or(1));
        let hint = error.hint();
        let error = CommandError::unexpected(error.to_string()).exit(exit);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Why a run was not taken.
pub(crate) enum Untaken {
    /// Another process was quicker.
    Held(ExecutionError),
    Other(CommandError),
}

impl From<CommandError> for Untaken {
    fn from(error: CommandError) -> Self {
        Untaken::Other(error)
    }
}

impl From<Untaken> for CommandError {
    fn from(untaken: Untaken) -> Self {
        match untaken {
            Untaken::Held(error) => error.into(),
            Untaken::Other(error) => error,
        }
    }
}

/// Makes a run of a plan and drives it.
pub(crate) fn new(plan: Plan, new: NewRun, host: Host, global: &Global) -> Result<Exit, CommandError> {
    in_runtime(async {
        let outline = plan.outline.clone();
        let execution = Execution::create(host, plan, new).await?;
        drive(execution, outline, Vec::new(), global).await
    })
}

/// Makes a run of a plan, and leaves it to a process of its own.
pub(crate) fn new_detached(
    plan: Plan,
    new: NewRun,
    host: Host,
    global: &Global,
) -> Result<Exit, CommandError> {
    let create = async { Ok::<_, CommandError>(Execution::create(host, plan, new).await?.run().to_owned()) };
    let run = in_runtime(create)?;
    left_to_itself(&run, global)
}

/// Leaves a run that nobody executes to a process of its own, and says which it is.
pub(crate) fn left_to_itself(run: &str, global: &Global) -> Result<Exit, CommandError> {
    detach(run, global)?;
    match global.output {
        Format::Json => {
            let detached = serde_json::json!({"version": 1, "type": "detached", "run": run});
            output::data_line(&detached.to_string())?;
        }
        Format::Text => output::data_line(run)?,
    }
    say_detached(run, global);
    Ok(Exit::SUCCESS)
}

/// Says how a run that was detached is followed.
pub(crate) fn say_detached(run: &str, global: &Global) {
    output::next_to_stderr(&format!("detached; follow it with: runbook watch {run}"), global);
}

/// Starts a process that resumes the run in a session of its own, so that it outlives this terminal.
pub(crate) fn detach(run: &str, global: &Global) -> Result<(), CommandError> {
    let program = std::env::current_exe()
        .map_err(|error| CommandError::unexpected(format!("our own path: {error}")))?;
    let state = project::state_folder(global)?;
    let args = ["resume", run, "--in-new-session", "--no-input", "--state"].map(std::ffi::OsString::from);
    let args = args.into_iter().chain([state.into_os_string()]);
    runbook_runtime::detach(&program, args)
        .map_err(|error| CommandError::unexpected(format!("{}: {error}", program.display())))
}

/// Takes a run that nobody executes, acts on it, and drives it as far as it goes.
pub(crate) fn taken(run: &str, message: Option<Message>, global: &Global) -> Result<Exit, Untaken> {
    let (outline, records) = {
        let journal = history::reading(global)?;
        let summary = history::find(&journal, Some(run), |_| true)?;
        history::load(&journal, &summary)?
    };
    in_runtime(async {
        let execution = opened(run, message, global).await?;
        Ok(drive(execution, outline, records, global).await?)
    })
}

/// Whether a run that nobody executes accepts this, as it will stand for whoever takes it. Nothing is recorded.
pub(crate) fn accepts(run: &str, message: Message, global: &Global) -> Result<(), Untaken> {
    in_runtime(async { opened(run, Some(message), global).await.map(drop) })
}

async fn opened(run: &str, message: Option<Message>, global: &Global) -> Result<Execution, Untaken> {
    // A stored plan names its files relative to where it was made; scripts run there again.
    let host = host::host(global, PathBuf::from("."))?;
    let mut execution = match Execution::open(host, run).await {
        Err(held @ ExecutionError::Held { .. }) => return Err(Untaken::Held(held)),
        opened => opened.map_err(CommandError::from)?,
    };
    if let Some(message) = message {
        // Refused before anything is recorded: the run is as it was.
        execution.request(message).map_err(|refusal| refused(run, refusal))?;
    }
    Ok(execution)
}

/// One thread is enough: what takes time is children, sockets and the journal's own writer.
fn in_runtime<T, E: From<CommandError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::unexpected(error.to_string()))?;
    let result = runtime.block_on(work);
    // Not waited for: a read of a file on a server that is gone may never come back.
    runtime.shutdown_background();
    result
}

async fn drive(
    execution: Execution,
    outline: runbook_wire::Outline,
    history: Vec<Record>,
    global: &Global,
) -> Result<Exit, CommandError> {
    let control = execution.control();
    let handle = tokio::runtime::Handle::current();
    let acts = Acts { person: host::person(), control: control.clone(), handle };
    let screen = Screen::start(Setting {
        outline,
        history,
        mode: Mode::of(global),
        style: output::style(global),
        colour: output::coloured_stderr(global),
        clock: runbook_runtime::Clock::system(),
        drives: true,
        state: project::state_folder(global)?,
        acts: host::attended(global).then_some(acts),
    });
    let mut signals = Signals::new(control, host::attended(global))
        .map_err(|error| CommandError::unexpected(format!("signals: {error}")))?;
    let mut observer = ToScreen(screen.sender());
    let outcome = {
        let driving = execution.drive(&mut observer);
        tokio::pin!(driving);
        loop {
            tokio::select! {
                outcome = &mut driving => break outcome,
                signal = signals.next() => signals.act(signal, &screen),
            }
        }
    };
    screen.finish(outcome.reason);
    Ok(Exit(u8::try_from(outcome.exit.code()).unwrap_or(1)))
}

/// A refusal as an error: what, why, and what to do instead.
pub(crate) fn refused(run: &str, refusal: Refusal) -> CommandError {
    let error = CommandError::usage(format!("run {run} does not accept that: {refusal}"));
    error.hint(refusal.hint.unwrap_or_else(|| format!("runbook show {run}")))
}

/// Passes on what the executor says. A screen that is gone is no reason to stop.
struct ToScreen(Queue);

impl Observer for ToScreen {
    fn recorded(&mut self, record: &Record) {
        let _ = self.0.send(Shown::Record(Box::new(record.clone())));
    }

    fn progress(&mut self, task: &Task, line: &str) {
        let _ = self.0.offer(Shown::Progress { task: task.clone(), text: line.to_owned() });
    }

    fn output(&mut self, task: &Task, line: &LogLine<'_>) {
        let _ = self.0.offer(Shown::Output { path: task.path.clone(), text: line.text.to_owned() });
    }

    fn held(&mut self, task: &Task, why: &str, digest: Option<&str>) {
        let held = Held { why: why.to_owned(), digest: digest.map(str::to_owned) };
        let _ = self.0.send(Shown::Held { task: task.clone(), held });
    }

    fn warning(&mut self, text: &str) {
        let _ = self.0.send(Shown::Warning(text.to_owned()));
    }
}

/// The signals that concern a run.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    control: runbook_runtime::Control,
    attended: bool,
    /// Without a terminal: it was said that the next INT stops the executor.
    warned: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caught {
    Interrupt,
    Terminate,
    Hangup,
}

impl Signals {
    fn new(control: runbook_runtime::Control, attended: bool) -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            control,
            attended,
            warned: Arc::default(),
        })
    }

    async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught::Interrupt,
            _ = self.terminate.recv() => Caught::Terminate,
            _ = self.hangup.recv() => Caught::Hangup,
        }
    }

    /// INT asks on a terminal and cancels without one. Where there is nothing to cancel, above all in a rollback, it warns
    /// that the next one stops the executor, and the run can be resumed. TERM stops at once. HUP is a terminal that went
    /// away: the run goes on, and waits where it would have to ask.
    fn act(&mut self, caught: Caught, screen: &Screen) {
        match caught {
            Caught::Hangup => {}
            Caught::Terminate => self.control.stop(Some(15)),
            Caught::Interrupt if self.attended => {
                if !screen.interrupt() {
                    self.control.stop(Some(2));
                }
            }
            Caught::Interrupt if self.warned.load(Ordering::SeqCst) => self.control.stop(Some(2)),
            Caught::Interrupt => {
                let request = Request::Cancel { reason: "interrupted".into() };
                let message = Message { by: host::person(), request };
                let (control, screen) = (self.control.clone(), screen.sender());
                let warned = Arc::clone(&self.warned);
                tokio::spawn(async move {
                    if let Err(refusal) = control.send(message).await {
                        warned.store(true, Ordering::SeqCst);
                        let text = format!("{refusal}; interrupt once more to stop here, unfinished");
                        let _ = screen.send(Shown::Warning(text));
                    }
                });
            }
        }
    }
}
