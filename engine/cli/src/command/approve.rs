//! `runbook approve RUN [STEP]`.

use clap::Args;
use runbook_wire::Answer;

use super::answer;
use crate::args::{Global, Takeover};
use crate::error::{CommandError, Exit};

/// Approve what a run waits for, as yourself.
///
/// Where nobody executes the run, this command takes it over and goes on with it, in the environment of this shell: scripts
/// and secrets find what you have, not what its first executor had.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The run.
    #[arg(add = crate::complete::runs())]
    run: String,
    /// The approval step [default: the one that waits, if it is the only one].
    step: Option<String>,
    /// Said with it; it is recorded.
    #[arg(long)]
    comment: Option<String>,
    #[command(flatten)]
    takeover: Takeover,
}

pub(crate) fn run(approve: &Approve, global: &Global) -> Result<Exit, CommandError> {
    let Approve { run, step, comment, takeover } = approve;
    answer::send(run, step.as_deref(), Answer::Approve, comment.clone(), *takeover, global)
}
