//! `runbook cancel RUN`.

use clap::Args;
use inquire::Confirm;
use runbook_journal::{Journal, RunSummary};
use runbook_wire::Request;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::{act, history, host};

/// End a run under its failure policy: nothing new starts, what runs finishes, then it is rolled back.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The run; without one it is asked about the only unfinished one.
    #[arg(add = crate::complete::runs())]
    run: Option<String>,
    /// Why; it is recorded.
    #[arg(long, default_value = "cancelled by hand")]
    reason: String,
}

pub(crate) fn run(cancel: &Cancel, global: &Global) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let run = match &cancel.run {
        Some(name) => history::find(&journal, Some(name), |_| true)?,
        None => only_unfinished(&journal, global)?,
    };
    act::on(&run, Request::Cancel { reason: cancel.reason.clone() }, "cancelling", global)
}

/// The only unfinished run of the journal, which a whole team shares: taken only once somebody has seen which it is.
fn only_unfinished(journal: &Journal, global: &Global) -> Result<RunSummary, CommandError> {
    let mut open = journal.runs(&history::filter(usize::MAX))?;
    open.retain(history::unfinished);
    let called = |run: &RunSummary| format!("{} ({} by {})", run.id, run.runbook, run.requester);
    match &open[..] {
        [] => Err(CommandError::usage("no run is unfinished").hint("`runbook runs` lists all runs")),
        [run] if host::attended(global) => {
            let asked = Confirm::new(&format!("Cancel run {}?", called(run))).prompt();
            match asked {
                Ok(true) => Ok(run.clone()),
                _ => Err(CommandError::usage(format!("run {} was not cancelled", run.id))),
            }
        }
        [run] => Err(CommandError::usage(format!("which run? {} is unfinished", called(run)))
            .hint(format!("runbook cancel {}", run.id))),
        many => {
            let names: Vec<String> = many.iter().map(called).collect();
            Err(CommandError::usage(format!(
                "which run? {} are unfinished: {}",
                many.len(),
                names.join(", ")
            ))
            .hint("runbook cancel RUN"))
        }
    }
}
