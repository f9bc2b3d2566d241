//! Runs that the journal holds, for the commands that name one.

use runbook_journal::{
    FindError, Journal, OpenError, ReadError, RunFilter, RunStatus, RunSummary, StoreError,
};
use runbook_view::{Holder, Now, Run};
use runbook_wire::{Outline, Record};

use crate::args::Global;
use crate::error::{CommandError, Exit};
use crate::{output, project};

/// What to do about a journal that cannot be written.
const NOT_OURS: &str =
    "the journal's folder and its files must be writable by everybody of the team; `runbook doctor` looks";

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store { error: StoreError::ReadOnly, .. } => {
                CommandError::unexpected(error.to_string()).exit(Exit::JOURNAL).hint(NOT_OURS)
            }
            OpenError::Missing(folder) => {
                CommandError::usage(format!("there are no runs yet in {}", folder.display()))
                    .hint("runbook exec FILE makes one")
            }
            other => CommandError::unexpected(other.to_string()).exit(Exit::JOURNAL),
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let read_only = error == StoreError::ReadOnly;
        let error = CommandError::unexpected(error.to_string()).exit(Exit::JOURNAL);
        if read_only { error.hint(NOT_OURS) } else { error }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        CommandError::unexpected(error.to_string()).exit(Exit::JOURNAL)
    }
}

impl From<FindError> for CommandError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Store(error) => error.into(),
            other => CommandError::usage(other.to_string()).hint("`runbook runs` lists all runs"),
        }
    }
}

/// Which runs to list.
pub(crate) fn filter(limit: usize) -> RunFilter {
    RunFilter { status: None, runbook: None, before: None, limit }
}

/// The journal, to be read; without one there are no runs.
pub(crate) fn reading(global: &Global) -> Result<Journal, CommandError> {
    Ok(Journal::open_read_only(&project::state_folder(global)?)?)
}

/// The journal, to be written.
pub(crate) fn writing(global: &Global) -> Result<Journal, CommandError> {
    Ok(Journal::open(&project::state_folder(global)?)?)
}

/// The run that was named, by any unique beginning of its id; without a name, the newest that `wanted` accepts.
pub(crate) fn find(
    journal: &Journal,
    name: Option<&str>,
    wanted: impl Fn(&RunSummary) -> bool,
) -> Result<RunSummary, CommandError> {
    match name {
        Some(name) => Ok(journal.find(name)?),
        None => {
            let newest = journal.runs(&filter(1000))?;
            newest.into_iter().find(wanted).ok_or_else(|| {
                CommandError::usage("there is no such run").hint("`runbook runs` lists all runs")
            })
        }
    }
}

/// Whether a run can go on.
pub(crate) fn unfinished(run: &RunSummary) -> bool {
    !matches!(run.status, RunStatus::Finished { .. })
}

/// A run's plan in outline.
pub(crate) fn outline(journal: &Journal, run: &RunSummary) -> Result<Outline, CommandError> {
    journal.outline(&run.plan)?.ok_or_else(|| {
        CommandError::unexpected(format!("the plan of run {} is not in the journal", run.id))
            .exit(Exit::JOURNAL)
    })
}

/// A run's plan in outline, and all its records.
pub(crate) fn load(journal: &Journal, run: &RunSummary) -> Result<(Outline, Vec<Record>), CommandError> {
    let outline = outline(journal, run)?;
    let records = journal.events(&run.id, 1).collect::<Result<Vec<Record>, ReadError>>()?;
    Ok((outline, records))
}

/// The reader's moment: whether anybody executes this run, and the one that holds a lock which it wants.
pub(crate) fn now(journal: &Journal, run: &Run) -> Result<Now, CommandError> {
    let executor_alive = Some(journal.holder(run.id())?.is_some());
    let holder = holder(journal, run).and_then(|found| left(journal, &found));
    let now = output::now();
    Ok(Now { executor_alive, holder: holder.map(|holder| Holder::of(&holder, now)), ..now })
}

/// The run that holds a lock which this one wants.
pub(crate) fn holder(journal: &Journal, run: &Run) -> Option<RunSummary> {
    journal.find(&run.lock_held.as_ref()?.holder).ok()
}

/// All that is recorded of a run, if it is unfinished and nobody executes it.
pub(crate) fn left(journal: &Journal, run: &RunSummary) -> Option<Run> {
    let left = matches!(run.status, RunStatus::Stopped { .. } | RunStatus::Interrupted);
    left.then(|| replay(journal, run).ok()).flatten()
}

/// A run as its records tell it.
pub(crate) fn replay(journal: &Journal, run: &RunSummary) -> Result<Run, CommandError> {
    let (outline, records) = load(journal, run)?;
    Ok(Run::replay(outline, &records))
}
