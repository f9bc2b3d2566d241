//! Why a run could not be made or taken.

use runbook_journal::{ClaimError, Holder, OpenError, ReadError, StoreError};

use crate::facts::Misfit;

/// Why a run could not be made or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionError {
    #[error("there is no run `{0}`")]
    NoSuchRun(String),
    #[error("run {run} is being executed by {holder}")]
    Held { run: String, holder: Holder },
    #[error(transparent)]
    Journal(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// Required inputs have no value.
    #[error("no value for {}", .0.join(", "))]
    MissingInputs(Vec<String>),
    /// It leaves open what it was not told.
    #[error("the plan is incomplete: it was made to be looked at, and cannot be run")]
    Incomplete,
    #[error("run {run} was begun by version {version} of runbook, whose runs this one does not continue")]
    OtherSemantics { run: String, version: String },
    #[error("run {run} cannot be planned again from what was stored: {reason}")]
    Plan { run: String, reason: String },
    #[error(
        "what an earlier attempt of run {run} left running could not be ended: process groups {groups:?}"
    )]
    Leftovers { run: String, groups: Vec<i32> },
    #[error("{}: {reason}", folder.display())]
    Root { folder: std::path::PathBuf, reason: String },
}

impl ExecutionError {
    /// The process's exit code.
    pub fn exit_code(&self) -> i32 {
        match self {
            ExecutionError::NoSuchRun(_)
            | ExecutionError::MissingInputs(_)
            | ExecutionError::Incomplete
            | ExecutionError::Root { .. } => 2,
            ExecutionError::Held { .. } => 30,
            ExecutionError::Journal(_)
            | ExecutionError::Store(_)
            | ExecutionError::Read(_)
            | ExecutionError::Misfit(_) => 31,
            ExecutionError::OtherSemantics { .. }
            | ExecutionError::Plan { .. }
            | ExecutionError::Leftovers { .. } => 1,
        }
    }

    /// What to do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            ExecutionError::NoSuchRun(_) => "runbook runs".into(),
            ExecutionError::Held { run, .. } => format!("runbook watch {run}"),
            ExecutionError::MissingInputs(names) => {
                names.iter().map(|name| format!("-i {name}=…")).collect::<Vec<_>>().join(" ")
            }
            ExecutionError::OtherSemantics { version, .. } => format!("use version {version}"),
            ExecutionError::Store(StoreError::ReadOnly)
            | ExecutionError::Journal(OpenError::Store { error: StoreError::ReadOnly, .. }) => {
                "the journal's folder and its files must be writable by everybody of the team; `runbook doctor` looks"
                    .into()
            }
            ExecutionError::Leftovers { run, .. } => format!("end them, then: runbook resume {run}"),
            _ => return None,
        })
    }
}

impl From<ClaimError> for ExecutionError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NoSuchRun(run) => ExecutionError::NoSuchRun(run),
            ClaimError::Held { run, holder } => ExecutionError::Held { run, holder },
            ClaimError::Exists(run) => {
                ExecutionError::Store(StoreError::Io(format!("there is already a run {run}")))
            }
            ClaimError::Store(error) => ExecutionError::Store(error),
        }
    }
}
