//! `runbook runs`.

use clap::{Args, ValueEnum};
use runbook_journal::{Journal, OpenError, RunFilter, RunStatus, RunSummary, StatusFilter};
use runbook_view::{Line, Rollback, Tone};

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::{history, host, output, project};

/// List runs, the newest first.
#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// At most this many.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Only these.
    #[arg(long, value_enum, value_name = "STATUS")]
    status: Option<Status>,
    /// Only runs of this runbook.
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Status {
    /// Running, stopped or interrupted.
    Unfinished,
    Running,
    /// Ended in good order with something left to do: a person to ask, `stop here`.
    Stopped,
    /// The process is gone: to be resumed.
    Interrupted,
    Finished,
    Succeeded,
    Failed,
}

pub(crate) fn run(runs: &Runs, global: &Global) -> Result<Exit, CommandError> {
    let journal = match Journal::open_read_only(&project::state_folder(global)?) {
        Ok(journal) => journal,
        Err(OpenError::Missing(folder)) => {
            output::line_to_stderr(&format!("there are no runs yet in {}", folder.display()));
            return Ok(Exit::SUCCESS);
        }
        Err(error) => return Err(error.into()),
    };
    let status = runs.status.map(Status::filter);
    let filter = RunFilter { runbook: runs.runbook.clone(), status, ..history::filter(runs.limit) };
    let runs = journal.runs(&filter)?;
    match global.output {
        Format::Text if runs.is_empty() => {}
        Format::Text => output::data(&table(&runs))?,
        Format::Json => runs.iter().try_for_each(|run| output::data_line(&json(run).to_string()))?,
    }
    Ok(Exit::SUCCESS)
}

/// How many runs could be resumed.
pub(super) fn unfinished(journal: &Journal) -> Result<usize, CommandError> {
    let filter = RunFilter { status: Some(StatusFilter::Unfinished), ..history::filter(usize::MAX) };
    Ok(journal.runs(&filter)?.iter().filter(|run| !matches!(run.status, RunStatus::Running(_))).count())
}

impl Status {
    fn filter(self) -> StatusFilter {
        match self {
            Status::Unfinished => StatusFilter::Unfinished,
            Status::Running => StatusFilter::Running,
            Status::Stopped => StatusFilter::Stopped,
            Status::Interrupted => StatusFilter::Interrupted,
            Status::Finished => StatusFilter::Finished,
            Status::Succeeded => StatusFilter::FinishedAs("succeeded".into()),
            Status::Failed => StatusFilter::FinishedAs("failed".into()),
        }
    }
}

/// How a run stands, in words.
pub(crate) fn words(status: &RunStatus) -> String {
    match status {
        RunStatus::Running(_) => "running".into(),
        RunStatus::Stopped { reason } => format!("stopped: {reason}"),
        RunStatus::Interrupted => "interrupted".into(),
        RunStatus::Finished { forward, rollback, .. } => match rollback.as_str() {
            "none" => forward.replace('_', " "),
            // Whether a write stays that nothing undoes, and whether anything was undone, is not known without the run's
            // records: `show` says it.
            "nothing_to_undo" => format!("{}, nothing undone", forward.replace('_', " ")),
            "partial" => format!("{}, not everything undone", forward.replace('_', " ")),
            code => {
                let rollback = Rollback::of_code(code);
                let words = rollback.map_or_else(|| format!("rollback {code}"), |r| r.words().to_owned());
                format!("{}, {words}", forward.replace('_', " "))
            }
        },
    }
}

/// A line for each run under their titles, every column as wide as what stands in it, up to a limit.
fn table(runs: &[RunSummary]) -> String {
    let zone = host::zone();
    let titles = ["RUN", "STARTED", "RUNBOOK", "ENVIRONMENT", "BY", "STATUS"].map(str::to_owned);
    let rows = runs.iter().map(|run| {
        let environment = run.environment.clone().unwrap_or_else(|| "-".to_owned());
        let started = runbook_view::date_time(run.created_ms, &zone);
        [run.id.clone(), started, run.runbook.clone(), environment, run.requester.clone(), words(&run.status)]
    });
    let rows: Vec<[Line; 6]> =
        std::iter::once(titles).chain(rows).map(|row| row.map(|text| Line::of(Tone::Plain, text))).collect();
    let widths: Vec<usize> = [usize::MAX, usize::MAX, 24, 12, 10]
        .into_iter()
        .enumerate()
        .map(|(column, most)| rows.iter().map(|row| row[column].width()).max().unwrap_or(0).min(most))
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = Line::new();
        for (column, cell) in row.into_iter().enumerate() {
            let Some(width) = widths.get(column) else {
                line.spans.extend(cell.spans);
                continue;
            };
            // What is longer than its column is cut, so that those after it stand where their titles do.
            let end = line.width() + width + 2;
            line.spans.extend(cell.cut(*width, false).spans);
            line.pad_to(end);
        }
        out.push_str(&line.text());
        out.push('\n');
    }
    out
}

/// Of what `show` says, what is known without the run's records, in the same words; and `state`.
fn json(run: &RunSummary) -> serde_json::Value {
    let (state, ended) = match &run.status {
        RunStatus::Running(_) => ("running", None),
        RunStatus::Stopped { .. } => ("stopped", None),
        RunStatus::Interrupted => ("interrupted", None),
        RunStatus::Finished { forward, rollback, exit_code } => {
            ("finished", Some((forward, rollback, exit_code)))
        }
    };
    serde_json::json!({
        "version": 1, "type": "run", "run": run.id, "runbook": run.runbook, "file": run.file, "plan": run.plan,
        "environment": run.environment, "requester": run.requester,
        "began": runbook_view::rfc3339(run.created_ms), "updated": runbook_view::rfc3339(run.updated_ms),
        "state": state, "status": words(&run.status), "finished": ended.is_some(),
        "interrupted": matches!(run.status, RunStatus::Stopped { .. } | RunStatus::Interrupted),
        "forward": ended.map(|(forward, _, _)| forward), "rollback": ended.map(|(_, rollback, _)| rollback),
        "exit_code": ended.map(|(_, _, code)| code),
    })
}
