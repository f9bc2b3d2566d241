//! Reading the events of a run, each checked against the chain.

use std::collections::VecDeque;

use runbook_wire::{DecodeError, Record};
use rusqlite::{Connection, OptionalExtension};
use thiserror::Error;

use crate::chain::{self, Hash};
use crate::journal::Journal;
use crate::store::StoreError;
use crate::summary;

/// Why the record of a run could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no run {0}")]
    NoSuchRun(String),
    /// The record is not what was written.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// Of a newer version (a changed event is found by its hash before it is decoded).
    #[error("run {run}: {error}")]
    Record { run: String, error: DecodeError },
    #[error("the stored plan {digest} cannot be used: {reason}")]
    Plan { digest: String, reason: String },
}

/// A place where the record differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Damage {
    #[error("run {run}: event {seq} was changed")]
    Changed { run: String, seq: u64 },
    #[error("run {run}: event {seq} is missing")]
    Missing { run: String, seq: u64 },
    /// Events were reordered, or another one was put in its place.
    #[error("run {run}: in the place of event {seq} stands event {found}")]
    OutOfPlace { run: String, seq: u64, found: u64 },
    #[error("run {run}: event {seq} was inserted after the last one")]
    Inserted { run: String, seq: u64 },
    /// The row of the run does not fit its last event.
    #[error("run {run}: its recorded head is not the hash of its last event {seq}")]
    Head { run: String, seq: u64 },
    /// The row of the run, which lists show, does not say what its events say.
    #[error("run {run}: its entry in the list of runs does not say what its events say")]
    Row { run: String },
    /// The ledger knows the run, and it is not there.
    #[error("run {run} was deleted")]
    RunDeleted { run: String },
    /// The run is there, and the ledger does not know it.
    #[error("run {run} is not in the ledger of runs: it was inserted, or the ledger was cut")]
    RunInserted { run: String },
    /// An event is not the one that the ledger has recorded as the run's head.
    #[error("run {run}: event {seq} is not the one that the ledger of runs has recorded")]
    NotAsRecorded { run: String, seq: u64 },
    #[error("entry {n} of the ledger of runs was changed")]
    LedgerChanged { n: u64 },
    #[error("entry {n} of the ledger of runs is missing")]
    LedgerMissing { n: u64 },
    /// What a run executes is not what was stored.
    #[error("the stored plan {digest} cannot be used: {reason}")]
    Plan { digest: String, reason: String },
    /// The database itself is not sound; in its own words.
    #[error("the journal's file is damaged: {reason}")]
    File { reason: String },
}

impl Damage {
    /// The run that it is in; `None` for the ledger's own.
    pub(crate) fn run(&self) -> Option<&str> {
        match self {
            Damage::Changed { run, .. }
            | Damage::Missing { run, .. }
            | Damage::OutOfPlace { run, .. }
            | Damage::Inserted { run, .. }
            | Damage::Head { run, .. }
            | Damage::Row { run }
            | Damage::RunDeleted { run }
            | Damage::RunInserted { run }
            | Damage::NotAsRecorded { run, .. } => Some(run),
            Damage::LedgerChanged { .. }
            | Damage::LedgerMissing { .. }
            | Damage::Plan { .. }
            | Damage::File { .. } => None,
        }
    }
}

/// The key of an event.
pub(crate) fn key(ordinal: i64, seq: u64) -> i64 {
    (ordinal << 32) | (seq as i64)
}

/// The most events that a run can have, by the key.
pub(crate) const MOST: u64 = u32::MAX as u64;

/// How many rows are read at once; between two pages no transaction is open, so that a slow reader does not keep the
/// WAL from being reset.
const PAGE: usize = 512;

/// The events of a run in order; ends with the last one that was there when it got there. After an error it ends.
#[derive(Debug)]
pub struct Events<'a> {
    journal: &'a Journal,
    run: String,
    next: u64,
    /// Hash of the event before `next`.
    previous: Option<Hash>,
    page: VecDeque<(Record, Hash)>,
    ended: bool,
}

impl<'a> Events<'a> {
    pub(crate) fn new(journal: &'a Journal, run: &str, from: u64) -> Events<'a> {
        Events {
            journal,
            run: run.to_owned(),
            next: from.max(1),
            previous: None,
            page: VecDeque::new(),
            ended: false,
        }
    }

    /// The next event and its hash.
    pub(crate) fn next_hashed(&mut self) -> Option<Result<(Record, Hash), ReadError>> {
        if self.page.is_empty()
            && !self.ended
            && let Err(error) = self.fill()
        {
            self.ended = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }

    /// Goes on after the end, if events have come since.
    pub(crate) fn go_on(&mut self) {
        self.ended = false;
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let connection = self.journal.reader();
        let page = read_page(&connection, &self.run, self.next, self.previous, PAGE)?;
        self.previous = Some(page.head);
        self.next += page.records.len() as u64;
        self.ended = page.records.len() < PAGE;
        self.page = page.records.into();
        Ok(())
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_hashed().map(|next| next.map(|(record, _)| record))
    }
}

/// Some events in a row.
pub(crate) struct Page {
    /// With their hashes.
    pub(crate) records: Vec<(Record, Hash)>,
    /// Hash of the last one (of the one before the first, if there are none).
    pub(crate) head: Hash,
}

/// Reads up to `most` events from `from` on, which follow the event of the hash `previous` (looked up if not given).
pub(crate) fn read_page(
    connection: &Connection,
    run: &str,
    from: u64,
    previous: Option<Hash>,
    most: usize,
) -> Result<Page, ReadError> {
    // One snapshot for the run's row and its events.
    let transaction = connection.unchecked_transaction().map_err(StoreError::from)?;
    let cursor = summary::cursor(&transaction, run)?.ok_or_else(|| ReadError::NoSuchRun(run.to_owned()))?;
    let mut head = match previous {
        Some(hash) => hash,
        None if from == 1 => chain::run_origin(run),
        // Whoever asks for what is to come gets nothing yet.
        None if from > cursor.last_seq + 1 => return Ok(Page { records: Vec::new(), head: cursor.head }),
        None => stored_hash(&transaction, run, cursor.ordinal, from - 1)?,
    };
    let mut records = Vec::new();
    let mut statement = transaction
        .prepare_cached(
            "SELECT key, record, hash FROM events WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3",
        )
        .map_err(StoreError::from)?;
    let mut rows = statement
        .query((key(cursor.ordinal, from), key(cursor.ordinal, MOST), most as i64))
        .map_err(StoreError::from)?;
    let mut expected = from;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let found = (row.get::<_, i64>(0).map_err(StoreError::from)? as u64) & MOST;
        let damage = |damage: fn(String, u64) -> Damage| ReadError::Damage(damage(run.to_owned(), expected));
        if found != expected {
            return Err(damage(|run, seq| Damage::Missing { run, seq }));
        }
        if expected > cursor.last_seq {
            return Err(damage(|run, seq| Damage::Inserted { run, seq }));
        }
        let bytes = row.get_ref(1).map_err(StoreError::from)?.as_bytes().map_err(|_| damage(changed))?;
        let stored = row.get_ref(2).map_err(StoreError::from)?.as_bytes().ok().and_then(Hash::from_slice);
        let record = Record::decode(bytes);
        let hash = chain::event(&head, bytes);
        if stored != Some(hash) {
            // Say where it comes from, if it says so itself.
            return Err(match record {
                Ok(record) if record.seq != expected => {
                    Damage::OutOfPlace { run: run.to_owned(), seq: expected, found: record.seq }.into()
                }
                _ => damage(changed),
            });
        }
        let record = record.map_err(|error| ReadError::Record { run: run.to_owned(), error })?;
        if record.seq != expected {
            return Err(Damage::OutOfPlace { run: run.to_owned(), seq: expected, found: record.seq }.into());
        }
        records.push((record, hash));
        head = hash;
        expected += 1;
    }
    if records.len() < most {
        let read = expected - 1;
        if read < cursor.last_seq {
            return Err(Damage::Missing { run: run.to_owned(), seq: expected }.into());
        }
        if head != cursor.head && read == cursor.last_seq {
            return Err(Damage::Head { run: run.to_owned(), seq: read }.into());
        }
    }
    Ok(Page { records, head })
}

fn changed(run: String, seq: u64) -> Damage {
    Damage::Changed { run, seq }
}

pub(crate) fn stored_hash(
    connection: &Connection,
    run: &str,
    ordinal: i64,
    seq: u64,
) -> Result<Hash, ReadError> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM events WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key(ordinal, seq)], |row| row.get(0)).optional())
        .map_err(StoreError::from)?;
    bytes
        .and_then(|bytes| Hash::from_slice(&bytes))
        .ok_or_else(|| Damage::Missing { run: run.to_owned(), seq }.into())
}
