//! `runbook rollback RUN`.

use clap::Args;
use inquire::Text;
use runbook_journal::RunSummary;
use runbook_view::{Forward, Run, Tree};
use runbook_wire::Request;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::{act, history, host, output};

const EXAMPLES: &str = "\
Examples:
  runbook rollback k7f3q
  runbook rollback k7f3q --to deploy
  runbook rollback k7f3q --confirm golive      across its point of no return, by its `revert:`";

/// Bring back what an ended run changed.
///
/// A run that failed and was not rolled back, or whose rollback is incomplete: what is left is undone. A run that
/// succeeded: its `revert:` if it has one, else the undos of its steps, after a check that their effects are still there.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rollback {
    /// The run.
    #[arg(add = crate::complete::runs())]
    run: String,
    /// Undo only what came after this step.
    #[arg(long, value_name = "STEP")]
    to: Option<String>,
    /// Across a pivot: the runbook's name, which says that you mean it. Asked for on a terminal.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

pub(crate) fn run(rollback: &Rollback, global: &Global) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let run = history::find(&journal, Some(&rollback.run), |_| true)?;
    if let Some(pivot) = crossed(&history::replay(&journal, &run)?, rollback.to.as_deref()) {
        confirmed(rollback, &run, &pivot, global)?;
    }
    act::on(&run, Request::Rollback { to: rollback.to.clone() }, "rolling back", global)
}

/// The point of no return that this goes back across, by the `revert:` of a run that succeeded. Without a `revert:` the
/// run itself refuses to.
fn crossed(run: &Run, to: Option<&str>) -> Option<String> {
    let tree = Tree::of(run);
    let reverts = to.is_none()
        && !tree.revert.is_empty()
        && matches!(tree.forward, Forward::Succeeded | Forward::SucceededWithFailures);
    let mut pivot = None;
    tree.walk(&mut |node| {
        if node.entry.pivot && node.began.is_some() {
            pivot = Some(node.path.clone());
        }
    });
    pivot.filter(|_| reverts)
}

/// Typed, never a default.
fn confirmed(
    rollback: &Rollback,
    run: &RunSummary,
    pivot: &str,
    global: &Global,
) -> Result<(), CommandError> {
    let what = format!("run {} went past its point of no return at {pivot}", run.id);
    let typed = match &rollback.confirm {
        Some(name) => name.clone(),
        None if host::attended(global) => {
            output::line_to_stderr(&format!("{what}; its `revert:` is what brings it back."));
            Text::new("The runbook's name, to go on:")
                .prompt()
                .map_err(|_| CommandError::usage("nothing was confirmed, nothing was rolled back"))?
        }
        None => {
            return Err(CommandError::usage(format!("{what}; rolling it back needs the runbook's name"))
                .hint(confirming(run)));
        }
    };
    if typed.trim() == run.runbook {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "`{}` is not this runbook's name; nothing was rolled back",
        typed.trim()
    ))
    .hint(confirming(run)))
}

fn confirming(run: &RunSummary) -> String {
    format!("runbook rollback {} --confirm {}", run.id, runbook_view::quote(&run.runbook))
}
