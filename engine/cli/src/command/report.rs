//! `runbook report RUN`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use runbook_view::{Timeline, report};

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::{history, host, output};

const EXAMPLES: &str = "\
Examples:
  runbook report                               the newest run, as Markdown
  runbook report k7f3q -f html --to golive.html
  runbook report k7f3q -f junit --to report.xml";

/// Write the record of a run: what was done, by whom, with what evidence, what was undone.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Report {
    /// The run [default: the newest].
    #[arg(add = crate::complete::runs())]
    run: Option<String>,
    /// The format [default: markdown; with `-o json`, json].
    #[arg(short, long, value_enum)]
    format: Option<Kind>,
    /// Write to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Markdown,
    /// One self-contained page.
    Html,
    Json,
    /// For continuous integration: a test case per step.
    Junit,
}

pub(crate) fn run(command: &Report, global: &Global) -> Result<Exit, CommandError> {
    let format = match (command.format, global.output) {
        (None, Format::Text) => Kind::Markdown,
        (None | Some(Kind::Json), Format::Json) => Kind::Json,
        (Some(format), Format::Text) => format,
        (Some(_), Format::Json) => {
            return Err(CommandError::usage("`--format` and `-o json` ask for different things")
                .hint("leave out one of them"));
        }
    };
    let journal = history::reading(global)?;
    let summary = history::find(&journal, command.run.as_deref(), |_| true)?;
    let (outline, records) = history::load(&journal, &summary)?;
    let zone = host::zone();
    let mut timeline = Timeline::new(outline, zone.clone());
    records.iter().for_each(|record| timeline.apply(record));
    let now = history::now(&journal, &timeline.run)?;
    let report = report::Report::of(&timeline, now, zone);
    let text = match format {
        Kind::Markdown => report::markdown(&report),
        Kind::Html => report::html(&report),
        Kind::Json => format!("{}\n", report::json(&report)),
        Kind::Junit => report::junit(&report),
    };
    match &command.to {
        None => output::data(&text)?,
        Some(file) => {
            std::fs::write(file, text)
                .map_err(|error| CommandError::unexpected(format!("{}: {error}", file.display())))?;
            output::line_to_stderr(&format!("wrote {}", file.display()));
        }
    }
    Ok(Exit::SUCCESS)
}
