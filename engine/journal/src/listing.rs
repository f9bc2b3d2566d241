//! Finding runs.

use rusqlite::{OptionalExtension, params};
use thiserror::Error;

use crate::journal::Journal;
use crate::run_id;
use crate::store::StoreError;
use crate::summary::{self, RunStatus, RunSummary, State};

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilter {
    pub status: Option<StatusFilter>,
    /// The runbook's name.
    pub runbook: Option<String>,
    /// Only runs created before the one of this ordinal: where the page before ended.
    pub before: Option<u64>,
    pub limit: usize,
}

/// A kind of status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusFilter {
    /// Running, stopped or interrupted.
    Unfinished,
    Running,
    Stopped,
    Interrupted,
    Finished,
    /// Finished with this forward status: `succeeded`, `failed`, ….
    FinishedAs(String),
}

/// Why no run was found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FindError {
    #[error("there is no run `{typed}`{}", .did_you_mean.as_ref().map_or(String::new(), |id| format!("; did you mean `{id}`?")))]
    NotFound { typed: String, did_you_mean: Option<String> },
    #[error("`{typed}` could be any of the runs {}", .candidates.join(", "))]
    Ambiguous {
        typed: String,
        /// The newest ones.
        candidates: Vec<String>,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many candidates an ambiguous beginning names.
const CANDIDATES: usize = 8;

/// Among how many of the newest runs a similar id is looked for.
const SIMILAR_AMONG: usize = 1000;

impl StatusFilter {
    fn admits(&self, status: &RunStatus) -> bool {
        match (self, status) {
            (StatusFilter::Unfinished, status) => !matches!(status, RunStatus::Finished { .. }),
            (StatusFilter::Running, RunStatus::Running(_))
            | (StatusFilter::Stopped, RunStatus::Stopped { .. })
            | (StatusFilter::Interrupted, RunStatus::Interrupted)
            | (StatusFilter::Finished, RunStatus::Finished { .. }) => true,
            (StatusFilter::FinishedAs(wanted), RunStatus::Finished { forward, .. }) => wanted == forward,
            _ => false,
        }
    }

    /// The part of it that the row alone tells, in the words of the partial index.
    fn clause(&self) -> &'static str {
        match self {
            StatusFilter::Finished | StatusFilter::FinishedAs(_) => "state = 'finished'",
            _ => "state <> 'finished'",
        }
    }
}

impl Journal {
    /// Runs, the newest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let state = filter.status.as_ref().map_or("true", StatusFilter::clause);
        let runbook = if filter.runbook.is_some() { "runbook = ?1" } else { "?1 IS NULL" };
        let forward = match &filter.status {
            Some(StatusFilter::FinishedAs(forward)) => Some(forward),
            _ => None,
        };
        let sql = format!(
            "SELECT {} FROM runs WHERE {state} AND {runbook} AND ordinal < ?2 AND (?3 IS NULL OR forward = ?3)
             ORDER BY ordinal DESC LIMIT ?4",
            summary::COLUMNS
        );
        let mut before = filter.before.map_or(i64::MAX, |ordinal| ordinal as i64);
        let mut found = Vec::new();
        while found.len() < filter.limit {
            let wanted = filter.limit - found.len();
            let rows: Vec<(RunSummary, State)> = self
                .reader()
                .prepare_cached(&sql)?
                .query_map(params![filter.runbook, before, forward, wanted as i64], summary::read)?
                .collect::<Result<_, _>>()?;
            let (last, full) = (rows.last().map(|(run, _)| run.ordinal as i64), rows.len() == wanted);
            for (run, _) in rows {
                let Some(run) = self.with_executor(run)? else { continue };
                if filter.status.as_ref().is_none_or(|wanted| wanted.admits(&run.status)) {
                    found.push(run);
                }
            }
            match last {
                Some(last) if full => before = last,
                _ => break,
            }
        }
        Ok(found)
    }

    /// One run; `None` if there is none of exactly this id.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn run(&self, id: &str) -> Result<Option<RunSummary>, StoreError> {
        match self.row(id)? {
            Some(run) => self.with_executor(run),
            None => Ok(None),
        }
    }

    /// The run that somebody means by its id or the beginning of it, typed in either case and with `o` for `0` or `l`
    /// for `1`.
    ///
    /// # Errors
    /// If there is none, or several.
    pub fn find(&self, typed: &str) -> Result<RunSummary, FindError> {
        let not_found = |did_you_mean| FindError::NotFound { typed: typed.to_owned(), did_you_mean };
        let Some(beginning) = run_id::normalize(typed).filter(|text| !text.is_empty()) else {
            return Err(not_found(self.similar(typed)?));
        };
        if let Some(run) = self.run(&beginning)? {
            return Ok(run);
        }
        // `~` sorts behind every symbol of an id.
        let mut candidates: Vec<String> = self
            .reader()
            .prepare_cached("SELECT id FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY ordinal DESC LIMIT ?3")
            .and_then(|mut statement| {
                statement
                    .query_map((&beginning, format!("{beginning}~"), CANDIDATES as i64), |row| row.get(0))?
                    .collect()
            })
            .map_err(StoreError::from)?;
        match (candidates.pop(), candidates.is_empty()) {
            (None, _) => Err(not_found(self.similar(&beginning)?)),
            (Some(only), true) => self.run(&only)?.ok_or_else(|| not_found(None)),
            (Some(last), false) => {
                candidates.push(last);
                Err(FindError::Ambiguous { typed: typed.to_owned(), candidates })
            }
        }
    }

    /// The row of a run, which knows nothing of its executor.
    pub(crate) fn row(&self, id: &str) -> Result<Option<RunSummary>, StoreError> {
        let row = self
            .reader()
            .prepare_cached(&format!("SELECT {} FROM runs WHERE id = ?1", summary::COLUMNS))?
            .query_row([id], summary::read)
            .optional()?;
        Ok(row.map(|(run, _)| run))
    }

    /// The run with its executor, if it has one.
    fn with_executor(&self, mut run: RunSummary) -> Result<Option<RunSummary>, StoreError> {
        if matches!(run.status, RunStatus::Finished { .. }) {
            return Ok(Some(run));
        }
        if let Some(holder) = self.holder(&run.id)? {
            run.status = RunStatus::Running(holder);
            return Ok(Some(run));
        }
        // It may have ended between the look at its row and the look at its lock.
        self.row(&run.id)
    }

    /// The newest run whose id differs least, if that is little: less than half of what was typed.
    fn similar(&self, typed: &str) -> Result<Option<String>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT id FROM runs ORDER BY ordinal DESC LIMIT ?1")?;
        let ids: Vec<String> =
            statement.query_map([SIMILAR_AMONG as i64], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let distance = |id: &String| strsim::damerau_levenshtein(id, typed);
        Ok(ids
            .into_iter()
            .min_by_key(distance)
            .filter(|id| distance(id) <= 2 && 2 * distance(id) < typed.len()))
    }
}
