//! `runbook watch RUN`.

use std::time::Duration;

use clap::Args;
use runbook_journal::{Journal, News, RunStatus, RunSummary};
use runbook_view::Executor;

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::terminal::{Mode, Screen, Setting, Shown};
use crate::{history, output};

/// Follow a run from anywhere, as if it ran here. Ends with the run, and with its exit code.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The run [default: the newest].
    #[arg(add = crate::complete::runs())]
    run: Option<String>,
}

/// How long a detached run may take to find its executor before we say that it has none.
pub(super) const ARRIVAL: Duration = Duration::from_secs(5);

pub(crate) fn run(watch: &Watch, global: &Global) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let run = history::find(&journal, watch.run.as_deref(), |_| true)?;
    let outline = history::outline(&journal, &run)?;
    let screen = Screen::start(Setting {
        outline,
        history: Vec::new(),
        mode: Mode::of(global),
        style: output::style(global),
        colour: output::coloured_stderr(global),
        clock: runbook_runtime::Clock::system(),
        drives: false,
        state: crate::project::state_folder(global)?,
        acts: None,
    });
    let followed = follow(&journal, &run, &screen, global);
    screen.finish(None);
    followed?;
    ending(&journal, &run.id)
}

/// Passes events on until the run is finished or nobody executes it.
fn follow(journal: &Journal, run: &RunSummary, screen: &Screen, global: &Global) -> Result<(), CommandError> {
    let mut follow = journal.follow(&run.id, 1);
    let mut arrived = false;
    loop {
        let news = follow.next(ARRIVAL)?;
        if global.output == Format::Json {
            output::still_read()?;
        }
        match news {
            News::Attended => arrived = true,
            News::Events(records) => {
                // A detached run's first event is that it was made; whatever follows is its executor's.
                arrived |= records.iter().any(|record| record.seq > 1);
                for record in records {
                    // A screen that is gone has found that nobody reads it.
                    if !screen.sender().send(Shown::Record(Box::new(record))) {
                        return Err(CommandError::reader_gone());
                    }
                }
            }
            News::Unattended if arrived => return Ok(()),
            News::Unattended => {}
            News::Nothing if !arrived => return Ok(()),
            News::Nothing => {}
        }
    }
}

fn ending(journal: &Journal, run: &str) -> Result<Exit, CommandError> {
    let run = history::find(journal, Some(run), |_| true)?;
    match run.status {
        RunStatus::Finished { exit_code, .. } => Ok(Exit(u8::try_from(exit_code).unwrap_or(1))),
        // Its executor may hold the run for a moment after it has recorded that it stops.
        RunStatus::Running(_) | RunStatus::Stopped { .. } => {
            let replayed = history::replay(journal, &run)?;
            let Executor::Stopped { reason, .. } = &replayed.executor else { return Ok(Exit::SUCCESS) };
            let code = runbook_view::exit_code(&replayed).and_then(|code| u8::try_from(code).ok());
            Err(CommandError::unexpected(format!("run {} is stopped: {reason}", run.id))
                .exit(code.map_or(Exit::UNEXPECTED, Exit))
                .hint(format!("runbook show {}", run.id)))
        }
        RunStatus::Interrupted => {
            Err(CommandError::unexpected(format!("run {} is interrupted: its process is gone", run.id))
                .hint(format!("runbook resume {}", run.id)))
        }
    }
}
