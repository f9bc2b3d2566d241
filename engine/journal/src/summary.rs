//! One row per run: what a list of runs shows.

use runbook_wire::{Body, Record};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::chain::Hash;
use crate::ownership::Holder;
use crate::store::StoreError;

/// A run, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    pub id: String,
    /// In order of creation, from 1.
    pub ordinal: u64,
    pub runbook: String,
    /// Path of the runbook as it was given.
    pub file: String,
    /// Digest of the plan.
    pub plan: String,
    pub environment: Option<String>,
    pub requester: String,
    /// Wall time of the first and the last event, milliseconds since the Unix epoch.
    pub created_ms: u64,
    pub updated_ms: u64,
    /// The last event.
    pub last_seq: u64,
    pub status: RunStatus,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// A process executes it.
    Running(Holder),
    /// Its executor stopped in an orderly way and said why; to be resumed.
    Stopped { reason: String },
    /// Its executor is gone without a word; to be resumed.
    Interrupted,
    /// As its last event says.
    Finished { forward: String, rollback: String, exit_code: i32 },
}

/// What an event changes in the row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    None,
    Created(Box<NewRun>),
    Unfinished,
    Stopped {
        reason: String,
    },
    Finished {
        forward: String,
        rollback: String,
        exit_code: i32,
    },
    /// A named lock was given back.
    Released {
        lock: String,
    },
}

/// What a row begins with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewRun {
    runbook: String,
    file: String,
    plan: String,
    environment: Option<String>,
    requester: String,
}

impl Change {
    pub(crate) fn of(record: &Record) -> Change {
        match &record.body {
            Body::RunCreated { runbook, file, plan, environment, requester, .. } => {
                Change::Created(Box::new(NewRun {
                    runbook: runbook.clone(),
                    file: file.clone(),
                    plan: plan.clone(),
                    environment: environment.clone(),
                    requester: requester.name.clone(),
                }))
            }
            Body::ExecutorStarted { .. } | Body::RollbackRequested { .. } => Change::Unfinished,
            Body::ExecutorStopped { reason } => Change::Stopped { reason: reason.clone() },
            Body::LockReleased { name } => Change::Released { lock: name.clone() },
            Body::Finished { forward, rollback, exit_code, .. } => Change::Finished {
                forward: forward.clone(),
                rollback: rollback.clone(),
                exit_code: *exit_code,
            },
            _ => Change::None,
        }
    }

    /// Whether the run's head belongs into the ledger after this event.
    pub(crate) fn marks(&self) -> bool {
        matches!(self, Change::Created(_) | Change::Stopped { .. } | Change::Finished { .. })
    }
}

/// What the row of a run must say after its events: for checking it.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) last_seq: u64,
    first: Option<(String, NewRun, u64)>,
    updated_ms: u64,
    state: Option<State>,
}

impl Fold {
    pub(crate) fn push(&mut self, record: &Record) {
        self.last_seq = record.seq;
        self.updated_ms = record.wall_ms;
        match (Change::of(record), &record.body) {
            (Change::Created(new), Body::RunCreated { run, .. }) => {
                self.first = Some((run.clone(), *new, record.wall_ms));
                self.state = Some(State::Unfinished);
            }
            (Change::Unfinished, _) => self.state = Some(State::Unfinished),
            (Change::Stopped { reason }, _) => self.state = Some(State::Stopped { reason }),
            (Change::Finished { forward, rollback, exit_code }, _) => {
                self.state = Some(State::Finished { forward, rollback, exit_code });
            }
            _ => {}
        }
    }

    /// Whether this is what the row says.
    pub(crate) fn agrees(&self, row: &RunSummary) -> bool {
        let Some((id, new, created_ms)) = &self.first else { return false };
        let expected = RunSummary {
            id: id.clone(),
            ordinal: row.ordinal,
            runbook: new.runbook.clone(),
            file: new.file.clone(),
            plan: new.plan.clone(),
            environment: new.environment.clone(),
            requester: new.requester.clone(),
            created_ms: *created_ms,
            updated_ms: self.updated_ms,
            last_seq: self.last_seq,
            status: self.state.clone().unwrap_or(State::Unfinished).without_executor(),
        };
        expected == *row
    }
}

/// The state of a run as its row says, without a look at its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Unfinished,
    Stopped { reason: String },
    Finished { forward: String, rollback: String, exit_code: i32 },
}

/// The part of a row that appending works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) ordinal: i64,
    pub(crate) epoch: u32,
    pub(crate) last_seq: u64,
    pub(crate) head: Hash,
}

/// Where the run stands; `None` if there is none of this id.
pub(crate) fn cursor(connection: &Connection, run: &str) -> Result<Option<Cursor>, StoreError> {
    let row = connection
        .prepare_cached("SELECT ordinal, epoch, last_seq, head FROM runs WHERE id = ?1")?
        .query_row([run], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get::<_, Vec<u8>>(3)?))
        })
        .optional()?;
    row.map(|(ordinal, epoch, last_seq, head)| {
        let head = Hash::from_slice(&head)
            .ok_or_else(|| StoreError::Damaged(format!("the head of run {run} is not a hash")))?;
        Ok(Cursor { ordinal, epoch, last_seq: last_seq as u64, head })
    })
    .transpose()
}

/// Makes the row of a new run, with nothing appended yet.
pub(crate) fn insert(
    connection: &Connection,
    run: &str,
    new: &NewRun,
    wall_ms: u64,
    epoch: u32,
    origin: Hash,
) -> Result<Cursor, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO runs (id, runbook, file, plan, environment, requester, created_ms, updated_ms, epoch,
                               last_seq, head, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, 0, ?9, 'unfinished')",
        )?
        .execute((
            run,
            &new.runbook,
            &new.file,
            &new.plan,
            &new.environment,
            &new.requester,
            wall_ms as i64,
            epoch,
            origin.0,
        ))?;
    Ok(Cursor { ordinal: connection.last_insert_rowid(), epoch, last_seq: 0, head: origin })
}

/// Brings the row up to date after a batch.
pub(crate) fn advance(connection: &Connection, cursor: &Cursor, wall_ms: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE runs SET last_seq = ?2, head = ?3, updated_ms = ?4 WHERE ordinal = ?1")?
        .execute((cursor.ordinal, cursor.last_seq as i64, cursor.head.0, wall_ms as i64))?;
    Ok(())
}

/// Applies what an event changes, beyond position and time.
pub(crate) fn apply(connection: &Connection, ordinal: i64, change: &Change) -> Result<(), StoreError> {
    let (state, reason, forward, rollback, exit_code) = match change {
        Change::None | Change::Created(_) | Change::Released { .. } => return Ok(()),
        Change::Unfinished => ("unfinished", None, None, None, None),
        Change::Stopped { reason } => ("stopped", Some(reason), None, None, None),
        Change::Finished { forward, rollback, exit_code } => {
            ("finished", None, Some(forward), Some(rollback), Some(exit_code))
        }
    };
    connection
        .prepare_cached(
            "UPDATE runs SET state = ?2, reason = ?3, forward = ?4, rollback = ?5, exit_code = ?6 WHERE ordinal = ?1",
        )?
        .execute((ordinal, state, reason, forward, rollback, exit_code))?;
    Ok(())
}

/// The columns that [`read`] takes.
pub(crate) const COLUMNS: &str = "id, ordinal, runbook, file, plan, environment, requester, created_ms, updated_ms, \
                                  last_seq, state, reason, forward, rollback, exit_code";

/// A row, and the state that it tells.
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<(RunSummary, State)> {
    let state: String = row.get(10)?;
    let state = match state.as_str() {
        "finished" => State::Finished {
            forward: row.get::<_, Option<String>>(12)?.unwrap_or_default(),
            rollback: row.get::<_, Option<String>>(13)?.unwrap_or_default(),
            exit_code: row.get::<_, Option<i32>>(14)?.unwrap_or(1),
        },
        "stopped" => State::Stopped { reason: row.get::<_, Option<String>>(11)?.unwrap_or_default() },
        _ => State::Unfinished,
    };
    let summary = RunSummary {
        id: row.get(0)?,
        ordinal: row.get::<_, i64>(1)? as u64,
        runbook: row.get(2)?,
        file: row.get(3)?,
        plan: row.get(4)?,
        environment: row.get(5)?,
        requester: row.get(6)?,
        created_ms: row.get::<_, i64>(7)? as u64,
        updated_ms: row.get::<_, i64>(8)? as u64,
        last_seq: row.get::<_, i64>(9)? as u64,
        status: state.clone().without_executor(),
    };
    Ok((summary, state))
}

impl State {
    /// How the run stands if nobody executes it.
    pub(crate) fn without_executor(self) -> RunStatus {
        match self {
            State::Unfinished => RunStatus::Interrupted,
            State::Stopped { reason } => RunStatus::Stopped { reason },
            State::Finished { forward, rollback, exit_code } => {
                RunStatus::Finished { forward, rollback, exit_code }
            }
        }
    }
}
