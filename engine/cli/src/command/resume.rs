//! `runbook resume [RUN]`.

use clap::Args;

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::{drive, history};

/// Go on with a run whose process is gone, from its journal.
///
/// What is recorded as done is not done again. A write that was under way is in doubt: it is probed, or asked about. The
/// run executes the plan it began with, whatever happened to the files since.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The run [default: the newest unfinished one].
    #[arg(add = crate::complete::runs())]
    run: Option<String>,
    /// Leave the terminal at once; follow it with `runbook watch`.
    #[arg(long)]
    detach: bool,
    /// In a process of our own making: leave the terminal's session first.
    #[arg(long, hide = true)]
    in_new_session: bool,
}

pub(crate) fn run(resume: &Resume, global: &Global) -> Result<Exit, CommandError> {
    if resume.in_new_session {
        // Fails only if we lead a group already, which our own parent sees to that we do not.
        let _ = rustix::process::setsid();
    }
    let run = history::find(&history::reading(global)?, resume.run.as_deref(), history::unfinished)?;
    if !history::unfinished(&run) {
        return Err(CommandError::usage(format!("run {} is finished", run.id))
            .hint(format!("runbook show {}", run.id)));
    }
    if resume.detach {
        return drive::left_to_itself(&run.id, global);
    }
    Ok(drive::taken(&run.id, None, global)?)
}
