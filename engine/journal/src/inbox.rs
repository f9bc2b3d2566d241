//! What other commands leave for the executor of a run.

use std::time::{Duration, Instant};

use runbook_wire::Message;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::bell::{Heard, Nudge};
use crate::journal::Journal;
use crate::store::StoreError;

/// Something that was left for a run and is neither taken nor refused.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxEntry {
    /// Rises; never used twice.
    pub id: i64,
    /// `Err`: what does not read, so that it can be refused.
    pub message: Result<Message, String>,
    /// Wall time, milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// What became of an inbox entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The executor has not come to it.
    Waiting,
    /// It became events, of which this is the last.
    Taken { seq: u64 },
    /// The executor refused it, for this reason; a second line, where there is one, says what to do instead.
    Refused { reason: String },
}

impl Journal {
    /// Leaves a message for the run, which is on disk when this returns, and wakes its executor.
    ///
    /// # Errors
    /// If the journal cannot be written, or there is no such run.
    pub fn leave(&self, run: &str, message: &Message, wall_ms: u64) -> Result<(i64, Nudge), StoreError> {
        let text = serde_json::to_string(message).map_err(|e| StoreError::Io(e.to_string()))?;
        let id = {
            let mut connection = self.reader();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let added = transaction
                .prepare_cached(
                    "INSERT INTO inbox (run, message, wall_ms) SELECT ordinal, ?2, ?3 FROM runs WHERE id = ?1",
                )?
                .execute((run, text, wall_ms as i64))?;
            if added == 0 {
                return Err(StoreError::NoSuchRun(run.to_owned()));
            }
            let id = transaction.last_insert_rowid();
            transaction.commit()?;
            id
        };
        Ok((id, self.nudge(run)?))
    }

    /// What was left for the run and is neither taken nor refused, in the order it came.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn inbox(&self, run: &str) -> Result<Vec<InboxEntry>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT id, message, wall_ms FROM inbox
             WHERE run = (SELECT ordinal FROM runs WHERE id = ?1) AND seq IS NULL AND refusal IS NULL ORDER BY id",
        )?;
        let entries = statement
            .query_map([run], |row| {
                let text: String = row.get(1)?;
                Ok(InboxEntry {
                    id: row.get(0)?,
                    message: serde_json::from_str(&text).map_err(|e| e.to_string()),
                    wall_ms: row.get::<_, i64>(2)? as u64,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(entries)
    }

    /// What became of an entry of this run's inbox; waits for it at most this long, or until the run has no executor.
    ///
    /// # Errors
    /// If the journal cannot be read, or there is no such entry.
    pub fn fate(&self, run: &str, entry: i64, timeout: Duration) -> Result<Fate, StoreError> {
        let begun = Instant::now();
        // Subscribe before looking, so that nothing is decided unheard between the two; and once, because each time rings.
        let mut subscription = self.subscribe(run)?;
        loop {
            let fate = self.fate_now(entry)?;
            let left = timeout.saturating_sub(begun.elapsed());
            match &mut subscription {
                Some(open) if fate == Fate::Waiting && !left.is_zero() => {
                    if open.wait(left)? == Heard::Gone {
                        subscription = self.subscribe(run)?;
                    }
                }
                _ => return Ok(fate),
            }
        }
    }

    fn fate_now(&self, entry: i64) -> Result<Fate, StoreError> {
        let row: Option<(Option<i64>, Option<String>)> = self
            .reader()
            .prepare_cached("SELECT seq, refusal FROM inbox WHERE id = ?1")?
            .query_row([entry], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match row {
            Some((Some(seq), _)) => Ok(Fate::Taken { seq: seq as u64 }),
            Some((None, Some(reason))) => Ok(Fate::Refused { reason }),
            Some((None, None)) => Ok(Fate::Waiting),
            None => Err(StoreError::Damaged(format!("inbox entry {entry} is gone"))),
        }
    }
}

/// Says which event an entry became.
pub(crate) fn take(connection: &Connection, ordinal: i64, entry: i64, seq: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE inbox SET seq = ?3 WHERE id = ?2 AND run = ?1")?
        .execute((ordinal, entry, seq as i64))?;
    Ok(())
}

/// Says why an entry does not become an event.
pub(crate) fn refuse(
    connection: &Connection,
    ordinal: i64,
    entry: i64,
    reason: &str,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE inbox SET refusal = ?3 WHERE id = ?2 AND run = ?1 AND seq IS NULL")?
        .execute((ordinal, entry, reason))?;
    Ok(())
}
