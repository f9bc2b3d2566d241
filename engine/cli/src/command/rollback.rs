//! `runbook rollback RUN`.

use clap::Args;
use runbook_wire::Request;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::{act, history};

/// Bring back what an ended run changed.
///
/// A run that failed and was not rolled back, or whose rollback is incomplete: what is left is undone. A run that
/// succeeded: its `revert:` if it has one, else the undos of its steps, after a check that their effects are still there.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The run.
    run: String,
    /// Undo only what came after this step.
    #[arg(long, value_name = "STEP")]
    to: Option<String>,
}

pub(crate) fn run(rollback: &Rollback, global: &Global) -> Result<Exit, CommandError> {
    let run = history::find(&history::reading(global)?, Some(&rollback.run), |_| true)?;
    act::on(&run, Request::Rollback { to: rollback.to.clone() }, "rolling back", global)
}
