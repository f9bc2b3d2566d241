//! `runbook cancel RUN`.

use clap::Args;
use runbook_wire::Request;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::{act, history};

/// End a run under its failure policy: nothing new starts, what runs finishes, then it is rolled back.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The run [default: the newest unfinished one].
    run: Option<String>,
    /// Why; it is recorded.
    #[arg(long, default_value = "cancelled by hand")]
    reason: String,
}

pub(crate) fn run(cancel: &Cancel, global: &Global) -> Result<Exit, CommandError> {
    let run = history::find(&history::reading(global)?, cancel.run.as_deref(), history::unfinished)?;
    act::on(&run, Request::Cancel { reason: cancel.reason.clone() }, "cancelling", global)
}
