//! `runbook show RUN`.

use clap::Args;
use runbook_view::Run;

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::terminal::styled;
use crate::{history, host, output};

/// Show a run: its steps, how each ended, what was undone, what it waits for.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The run [default: the newest].
    #[arg(add = crate::complete::runs())]
    run: Option<String>,
    /// The recorded events instead.
    #[arg(long)]
    events: bool,
}

pub(crate) fn run(show: &Show, global: &Global) -> Result<Exit, CommandError> {
    let journal = history::reading(global)?;
    let summary = history::find(&journal, show.run.as_deref(), |_| true)?;
    let (outline, records) = history::load(&journal, &summary)?;
    if show.events {
        for record in &records {
            match global.output {
                Format::Json => {
                    output::data_line(&runbook_view::json::event(&summary.id, record).to_string())?
                }
                Format::Text => {
                    let at = runbook_view::date_time(record.wall_ms, &host::zone());
                    let body = serde_json::to_string(&record.body)
                        .map_err(|e| CommandError::unexpected(e.to_string()))?;
                    output::data_line(&format!("{:>5} {at} {body}", record.seq))?;
                }
            }
        }
        return Ok(Exit::SUCCESS);
    }
    let run = Run::replay(outline, &records);
    let now = history::now(&journal, &run)?;
    match global.output {
        Format::Json => output::data_line(&runbook_view::json::show(&run, now).to_string())?,
        Format::Text => {
            let colour = output::coloured_stdout(global);
            let style = output::style(global);
            for line in runbook_view::render(&run, now, output::width(), &style) {
                output::data_line(&styled(&line, colour))?;
            }
        }
    }
    Ok(Exit::SUCCESS)
}
