//! Named locks across the runs of a journal. A lock belongs to its run, not to a process: it is held until the run
//! releases it or is finished, also while nobody executes the run.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};

use crate::journal::Journal;
use crate::store::StoreError;

/// Locks to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub names: BTreeSet<String>,
    /// Shown to those who find them held.
    pub reason: String,
    /// The wall time, milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Whether the run wants to hear when one that is held is freed.
    pub wait: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locking {
    /// The run has all of them.
    Taken,
    /// The run has got none; others hold these.
    Held(Vec<LockHolder>),
}

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    pub name: String,
    /// Id of the run.
    pub run: String,
    pub reason: String,
    /// Wall time, milliseconds since the Unix epoch.
    pub since_ms: u64,
}

impl Journal {
    /// All named locks that are held, by name.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn locks(&self) -> Result<Vec<LockHolder>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT name, runs.id, locks.reason, since_ms FROM locks JOIN runs ON runs.ordinal = locks.run ORDER BY name",
        )?;
        let holders = statement.query_map([], holder)?.collect::<Result<_, _>>()?;
        Ok(holders)
    }
}

/// Takes all or none.
pub(crate) fn take(connection: &Connection, ordinal: i64, wanted: &Wanted) -> Result<Locking, StoreError> {
    let mut who = connection.prepare_cached(
        "SELECT name, runs.id, locks.reason, since_ms FROM locks JOIN runs ON runs.ordinal = locks.run
         WHERE name = ?1 AND locks.run <> ?2",
    )?;
    let mut held = Vec::new();
    for name in &wanted.names {
        for found in who.query_map((name, ordinal), holder)? {
            held.push(found?);
        }
    }
    connection.prepare_cached("DELETE FROM lock_waits WHERE run = ?1")?.execute([ordinal])?;
    if held.is_empty() {
        let mut insert = connection.prepare_cached(
            "INSERT INTO locks (name, run, reason, since_ms) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET run = ?2, reason = ?3, since_ms = ?4 WHERE run <> ?2",
        )?;
        for name in &wanted.names {
            insert.execute((name, ordinal, &wanted.reason, wanted.wall_ms as i64))?;
        }
        return Ok(Locking::Taken);
    }
    if wanted.wait {
        let mut insert = connection.prepare_cached("INSERT INTO lock_waits (name, run) VALUES (?1, ?2)")?;
        for found in &held {
            insert.execute((&found.name, ordinal))?;
        }
    }
    Ok(Locking::Held(held))
}

/// Gives one lock back, or (`None`) all of the run, which then waits for none either. Adds the runs that waited for them
/// to `nudge`.
pub(crate) fn release(
    connection: &Connection,
    ordinal: i64,
    name: Option<&str>,
    nudge: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut waiting = connection.prepare_cached(
        "SELECT runs.id FROM lock_waits JOIN locks USING (name) JOIN runs ON runs.ordinal = lock_waits.run
         WHERE locks.run = ?1 AND locks.name = coalesce(?2, locks.name)",
    )?;
    for run in waiting.query_map((ordinal, name), |row| row.get(0))? {
        nudge.push(run?);
    }
    connection
        .prepare_cached("DELETE FROM locks WHERE run = ?1 AND name = coalesce(?2, name)")?
        .execute((ordinal, name))?;
    if name.is_none() {
        connection.prepare_cached("DELETE FROM lock_waits WHERE run = ?1")?.execute([ordinal])?;
    }
    Ok(())
}

fn holder(row: &Row<'_>) -> rusqlite::Result<LockHolder> {
    Ok(LockHolder {
        name: row.get(0)?,
        run: row.get(1)?,
        reason: row.get(2)?,
        since_ms: row.get::<_, i64>(3)? as u64,
    })
}
