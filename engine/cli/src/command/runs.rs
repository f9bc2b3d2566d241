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
    if global.output == Format::Text && !runs.is_empty() {
        let (run, runbook, environment) = ("RUN", "RUNBOOK", "ENVIRONMENT");
        output::data_line(&format!(
            "{run:<6} {:<26}  {runbook:<24} {environment:<12} {:<10} STATUS",
            "STARTED", "BY"
        ))?;
    }
    for run in runs {
        match global.output {
            Format::Text => output::data_line(&row(&run))?,
            Format::Json => output::data_line(&json(&run).to_string())?,
        }
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
            // Whether a write stays that nothing undoes is not known without the run's records: `show` says it.
            "nothing_to_undo" => format!("{}, nothing undone", forward.replace('_', " ")),
            code => {
                let rollback = Rollback::of_code(code);
                let words = rollback.map_or_else(|| format!("rollback {code}"), |r| r.words().to_owned());
                format!("{}, {words}", forward.replace('_', " "))
            }
        },
    }
}

fn row(run: &RunSummary) -> String {
    let at = runbook_view::date_time(run.created_ms, &host::zone());
    let environment = run.environment.as_deref().unwrap_or("-");
    let mut line = Line::of(Tone::Plain, format!("{:<6} {at}  ", run.id));
    // What is longer than its column is cut, so that those after it stand where their titles do.
    for (text, columns) in [(run.runbook.as_str(), 24), (environment, 12), (&run.requester, 10)] {
        let end = line.width() + columns + 1;
        line.spans.extend(Line::of(Tone::Plain, text).cut(columns, false).spans);
        line.pad_to(end);
    }
    line.push(Tone::Plain, words(&run.status));
    line.text()
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
