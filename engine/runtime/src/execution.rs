//! One process's hold on a run, from taking it to letting it go.

mod create;
mod error;
mod open;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use runbook_journal::Wake;
use runbook_kernel::{Command, Event, Fact, Kernel};
use runbook_wire::{Body, Message};
use tokio::sync::mpsc;

pub use create::NewRun;
pub use error::ExecutionError;

use crate::attempt::Attempts;
use crate::clock::RunClock;
use crate::context::Shared;
use crate::control::{Controlled, Refusal};
use crate::dispatcher::{Beginning, Dispatcher, Sheet, Sources};
use crate::http::HttpClients;
use crate::mask::Mask;
use crate::pinned::Pinned;
use crate::process::Patience;
use crate::process::environment::passed;
use crate::resolve::View;
use crate::secrets::Secrets;
use crate::{Control, Host, Observer, logs, people};

/// A run that this process owns: the operating system's lock on it is held until this is dropped.
pub struct Execution {
    inner: Option<Inner>,
    run: String,
    control: Control,
}

/// What is handed to the dispatcher.
struct Inner {
    host: Host,
    plan: Arc<runbook_plan::Plan>,
    journal: Arc<runbook_journal::Journal>,
    executor: runbook_journal::Executor,
    wakes: mpsc::UnboundedReceiver<Wake>,
    kernel: Kernel,
    facts: crate::facts::Facts,
    /// Run-elapsed milliseconds at `since`, a moment on the host's clock.
    elapsed_ms: u64,
    since: u64,
    /// What is recorded first.
    begin: Vec<Body>,
    requests: Vec<Message>,
    /// What whoever drives it has to know.
    warnings: Vec<String>,
    /// Those of the command line that made the run.
    answers: Option<String>,
    controlled: mpsc::UnboundedReceiver<Controlled>,
}

/// How a stretch of execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub run: String,
    pub exit: Exit,
    /// One sentence where the exit alone does not say enough: the journal's fault, whom it waits for.
    pub reason: Option<String>,
}

/// How a stretch of execution can end: over, waiting for somebody, or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    Succeeded,
    SucceededWithFailures,
    /// Failed or cancelled, and rolled back, or there was nothing to undo.
    RolledBack,
    /// Failed or cancelled, and not rolled back.
    NotRolledBack,
    RollbackIncomplete,
    InDoubt,
    WaitingForPerson,
    /// Rejected by a person, or nobody answered in time.
    Rejected,
    /// A named lock is held by another run.
    Locked,
    JournalFault,
    /// The executor stopped on a signal with the run unfinished.
    Stopped {
        signal: i32,
    },
    /// The executor let go of the unfinished run because it was told to.
    Released,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> i32 {
        match self {
            Exit::Succeeded => 0,
            Exit::Released => 1,
            Exit::SucceededWithFailures => 3,
            Exit::RolledBack => 20,
            Exit::NotRolledBack => 21,
            Exit::RollbackIncomplete => 22,
            Exit::InDoubt => 23,
            Exit::WaitingForPerson => 24,
            Exit::Rejected => 25,
            Exit::Locked => 30,
            Exit::JournalFault => 31,
            Exit::Stopped { signal } => 128 + signal,
        }
    }
}

impl Execution {
    fn of(inner: Inner, control: Control) -> Execution {
        Execution { run: inner.executor.run().to_owned(), inner: Some(inner), control }
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// A handle to act on it with while it is driven.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Has it do something as soon as it is driven: an answer, a cancel, a rollback.
    ///
    /// # Errors
    /// If the run, as it will stand then, does not accept that. Nothing has been recorded; let go of it, and it is as
    /// it was.
    pub fn request(&mut self, message: Message) -> Result<(), Refusal> {
        let Some(inner) = &mut self.inner else {
            return Err(Refusal { message: "the execution is over".into(), hint: None });
        };
        let [before, now] = inner.as_it_will_be();
        if let Err(refusal) = inner.accepts(&now, &message) {
            // It comes too late for something whose time is over. That takes effect at the next command, and this is
            // one: the run goes on from there, and says why it did not do what it was asked.
            if inner.accepts(&before, &message).is_err() {
                return Err(refusal);
            }
        }
        inner.requests.push(message);
        Ok(())
    }

    /// Runs it until it is finished, stopped, or can only go on with a person.
    pub async fn drive(mut self, observer: &mut dyn Observer) -> Outcome {
        let inner = self.inner.take().expect("only dropping takes it besides, and that comes later");
        let Inner { host, plan, journal, executor, wakes, kernel, facts, .. } = inner;
        let clock = RunClock::new(host.clock, inner.elapsed_ms, inner.since);
        let (live_to, live) = mpsc::channel(1024);
        let (spawned_to, spawned) = mpsc::unbounded_channel();
        let logs = journal.log_folder(executor.run());
        let outputs = logs::output_folder(&logs);
        let made = journal.make_log_folder(executor.run()).and_then(|()| logs::make_output_folder(&outputs));
        if let Err(error) = made {
            observer.warning(&format!("{}: {error}", logs.display()));
        }
        let environment = passed(&host.environment, &plan.env_pass);
        let mask = Mask::default();
        let secrets = Secrets::new(
            &plan.modules,
            &host.root,
            host.environment.clone(),
            environment.clone(),
            mask.clone(),
        );
        for warning in inner.warnings.into_iter().chain(secrets.learn().await) {
            observer.warning(&warning);
        }
        let shared = Arc::new(Shared {
            clock,
            mask,
            secrets,
            http: HttpClients::new(&host.environment, &host.version),
            root: host.root.clone(),
            environment,
            pinned: Pinned::new(host.root.clone(), Arc::clone(&plan.pinned), facts.meant.clone()),
            outputs: outputs.clone(),
            logs,
            patience: Patience::default(),
            processes: AtomicU64::new(0),
            live: live_to,
            spawned: spawned_to,
        });
        let answers = match inner.answers {
            Some(given) => Some(Sheet::Run(given)),
            None => answers_of(&plan, &host.root).map(Sheet::Environment),
        };
        let beginning = Beginning {
            registry: Arc::clone(&host.registry),
            attempts: Attempts { shared },
            sources: Sources { journal: wakes, spawned, live, controlled: inner.controlled },
            answers,
            person: host.person.clone(),
            unattended: host.unattended,
            plan,
            journal,
            executor,
            kernel,
            facts,
            clock,
        };
        let outcome = Dispatcher::new(beginning, observer).run(inner.begin, inner.requests).await;
        logs::remove_output_folder(&outputs);
        outcome
    }
}

impl Inner {
    /// The run as this executor finds it: what was under way is in doubt by then; and once what is overdue has happened.
    fn as_it_will_be(&self) -> [Kernel; 2] {
        let mut kernel = self.kernel.clone();
        if self.facts.last_seq == 0 || self.facts.finished.is_some() {
            return [kernel.clone(), kernel];
        }
        let clock = RunClock::new(self.host.clock, self.elapsed_ms, self.since);
        let at = clock.elapsed_ms();
        let gap = self.elapsed_ms.saturating_sub(self.facts.last_elapsed_ms);
        let step = |kernel: &mut Kernel, fact: Fact| kernel.step(Event { at, fact }, &mut Vec::new());
        step(&mut kernel, Fact::Resumed { gap });
        let before = kernel.clone();
        let overdue = |command| match command {
            Command::Arm { timer, due } if due <= at => Some(timer),
            _ => None,
        };
        while let Some(timer) = kernel.outstanding().into_iter().find_map(overdue) {
            step(&mut kernel, Fact::Fired { timer });
        }
        [before, kernel]
    }

    fn accepts(&self, kernel: &Kernel, message: &Message) -> Result<(), Refusal> {
        let view = View { plan: &self.plan, registry: &self.host.registry, kernel, facts: &self.facts };
        let (root, planned) = (self.host.root.clone(), Arc::clone(&self.plan.pinned));
        let pinned = Pinned::new(root, planned, self.facts.meant.clone());
        people::accept(view, &pinned, message).map(drop)
    }
}

impl Drop for Execution {
    /// A run that was made and not driven (because another process is to drive it) is in the journal all the same.
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && inner.facts.last_seq == 0
        {
            create::leave(inner);
        }
    }
}

/// The environment's answers file: as it was planned, else as it is.
fn answers_of(plan: &runbook_plan::Plan, root: &std::path::Path) -> Option<String> {
    let path = plan.answers.as_ref()?;
    let planned = plan.bundle.files.get(path).or_else(|| plan.pinned.get(path));
    match planned {
        Some(bytes) => String::from_utf8(bytes.clone()).ok(),
        None => std::fs::read_to_string(root.join(path)).ok(),
    }
}
