//! `runbook reject RUN [STEP]`.

use clap::Args;
use runbook_wire::Answer;

use super::answer;
use crate::args::{Global, Takeover};
use crate::error::{CommandError, Exit};

/// Reject what a run waits for; the run ends under its failure policy.
///
/// Where nobody executes the run, this command takes it over and brings it to its end, in the environment of this shell.
#[derive(Debug, Args)]
pub(crate) struct Reject {
    /// The run.
    #[arg(add = crate::complete::runs())]
    run: String,
    /// The approval step [default: the one that waits, if it is the only one].
    step: Option<String>,
    /// Why; it is recorded.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    takeover: Takeover,
}

pub(crate) fn run(reject: &Reject, global: &Global) -> Result<Exit, CommandError> {
    let Reject { run, step, reason, takeover } = reject;
    answer::send(run, step.as_deref(), Answer::Reject, Some(reason.clone()), *takeover, global)
}
