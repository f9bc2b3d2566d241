//! Checking the record: every event against its run's chain, every run's head against the ledger.
//!
//! Whoever can write the journal can also compute its hashes anew, or cut off its end. Only a head that was recorded
//! elsewhere (an anchor) rules that out; without one, a journal is *consistent, unanchored*.

use std::collections::BTreeSet;
use std::fmt;

use crate::chain::{self, Hash};
use crate::events::{self, Damage, ReadError};
use crate::journal::Journal;
use crate::store::StoreError;
use crate::summary::{self, Fold};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    pub runs: u64,
    pub events: u64,
    /// The head of what was checked: to be recorded elsewhere.
    pub head: Hash,
    pub anchor: Anchor,
    /// The first fault of each run and of the ledger; empty if the record is consistent.
    pub damage: Vec<Damage>,
    sought: Option<Hash>,
}

/// Whether a recorded head was found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// None was given.
    None,
    /// Everything up to it is what it was when it was recorded.
    Found,
    /// The record is not the one that it was taken from, or was cut before it.
    NotFound,
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for damage in &self.damage {
            writeln!(f, "{damage}")?;
        }
        let verdict = match (self.damage.is_empty(), self.anchor) {
            (false, _) => "damaged",
            (true, Anchor::None) => "consistent, unanchored",
            (true, Anchor::Found) => "consistent, anchored",
            (true, Anchor::NotFound) => {
                "consistent in itself, but not the record that the given head was taken from"
            }
        };
        write!(f, "{verdict}: {} runs, {} events, head {}", self.runs, self.events, self.head)
    }
}

impl Journal {
    /// Checks one run. Its anchor is a hash of one of its events.
    ///
    /// # Errors
    /// If the journal cannot be read, or there is no such run.
    pub fn verify(&self, run: &str, anchor: Option<Hash>) -> Result<Verification, ReadError> {
        if summary::cursor(&self.reader(), run)?.is_none() {
            return Err(ReadError::NoSuchRun(run.to_owned()));
        }
        let mut result = Verification::new(chain::run_origin(run), anchor);
        let ledger = self.ledger()?;
        self.check_run(run, &mut result)?;
        let entries = ledger.iter().filter(|entry| entry.run == run);
        self.check_heads(entries, &mut result)?;
        Ok(result)
    }

    /// Checks every run, every plan and the ledger. The anchor is a hash of one of the ledger's entries.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn verify_all(&self, anchor: Option<Hash>) -> Result<Verification, ReadError> {
        let mut result = Verification::new(chain::ledger_origin(), anchor);
        self.check_file(&mut result)?;
        self.check_runs(usize::MAX, &mut result)?;
        self.check_plans(&mut result)?;
        Ok(result)
    }

    /// Checks the ledger, that its runs are there, and the newest runs, as many as this: what a look at the journal's
    /// health can afford.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn verify_newest(&self, most: usize) -> Result<Verification, ReadError> {
        let mut result = Verification::new(chain::ledger_origin(), None);
        self.check_runs(most, &mut result)?;
        Ok(result)
    }

    /// Checks the ledger, and of the runs the newest.
    fn check_runs(&self, most: usize, result: &mut Verification) -> Result<(), ReadError> {
        // The runs before the ledger: a run that is created in between is in neither, or in the ledger alone.
        let runs = self.texts("SELECT id FROM runs ORDER BY ordinal")?;
        let ledger = self.ledger()?;
        result.check_ledger(&ledger);
        let newest: BTreeSet<&str> = runs.iter().rev().take(most).map(String::as_str).collect();
        let mut known: BTreeSet<&str> = ledger.iter().map(|entry| entry.run.as_str()).collect();
        for run in &runs {
            if !known.remove(run.as_str()) {
                result.damage.push(Damage::RunInserted { run: run.clone() });
            }
            if newest.contains(run.as_str()) {
                let head = result.head;
                self.check_run(run, result)?;
                result.head = head;
            }
        }
        for run in known {
            if summary::cursor(&self.reader(), run)?.is_none() {
                result.damage.push(Damage::RunDeleted { run: run.to_owned() });
            }
        }
        self.check_heads(ledger.iter().filter(|entry| newest.contains(entry.run.as_str())), result)
    }

    /// Checks what runs execute against its digests.
    fn check_plans(&self, result: &mut Verification) -> Result<(), ReadError> {
        for digest in self.texts("SELECT DISTINCT plan FROM runs ORDER BY plan")? {
            match self.plan(&digest) {
                Ok(Some(_)) => {}
                Ok(None) => result.damage.push(Damage::Plan { digest, reason: "it is missing".to_owned() }),
                Err(ReadError::Plan { digest, reason }) => {
                    result.damage.push(Damage::Plan { digest, reason })
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Checks the events of a run, and what its row makes of them.
    fn check_run(&self, run: &str, result: &mut Verification) -> Result<(), ReadError> {
        result.runs += 1;
        let mut events = self.events(run, 1);
        let mut fold = Fold::default();
        loop {
            match events.next_hashed() {
                Some(Ok((record, hash))) => {
                    result.events += 1;
                    result.saw(hash);
                    fold.push(&record);
                }
                Some(Err(ReadError::Damage(damage))) => {
                    result.damage.push(damage);
                    return Ok(());
                }
                Some(Err(error)) => return Err(error),
                None => match self.row(run)? {
                    // Its executor has appended more since.
                    Some(row) if row.last_seq > fold.last_seq => events.go_on(),
                    Some(row) if fold.agrees(&row) => return Ok(()),
                    _ => {
                        result.damage.push(Damage::Row { run: run.to_owned() });
                        return Ok(());
                    }
                },
            }
        }
    }

    /// Asks SQLite whether tables and indexes are whole and fit each other.
    fn check_file(&self, result: &mut Verification) -> Result<(), StoreError> {
        let connection = self.reader();
        let reason: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if reason != "ok" {
            result.damage.push(Damage::File { reason });
        }
        Ok(())
    }

    /// Whether the recorded heads are the hashes of those events (in runs that are otherwise whole: one fault of each).
    fn check_heads<'a>(
        &self,
        entries: impl Iterator<Item = &'a Entry>,
        result: &mut Verification,
    ) -> Result<(), ReadError> {
        let mut damaged: BTreeSet<String> =
            result.damage.iter().filter_map(|d| d.run().map(str::to_owned)).collect();
        for entry in entries {
            if damaged.contains(&entry.run) {
                continue;
            }
            let connection = self.reader();
            let Some(cursor) = summary::cursor(&connection, &entry.run)? else { continue };
            let fault = match events::stored_hash(&connection, &entry.run, cursor.ordinal, entry.seq) {
                Ok(hash) if hash == entry.head => continue,
                Ok(_) => Damage::NotAsRecorded { run: entry.run.clone(), seq: entry.seq },
                Err(ReadError::Damage(damage)) => damage,
                Err(error) => return Err(error),
            };
            damaged.insert(entry.run.clone());
            result.damage.push(fault);
        }
        Ok(())
    }

    fn texts(&self, sql: &str) -> Result<Vec<String>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    fn ledger(&self) -> Result<Vec<Entry>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT n, run, seq, head, hash FROM ledger ORDER BY n")?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, Vec<u8>>(3)?,
                row.get(4)?,
            ))
        })?;
        rows.map(|row| {
            let (n, run, seq, head, hash): (i64, String, i64, Vec<u8>, Vec<u8>) = row?;
            // What is not a hash fits no chain.
            let hash_of = |bytes: &[u8]| Hash::from_slice(bytes).unwrap_or(Hash([0; 32]));
            Ok(Entry { n: n as u64, run, seq: seq as u64, head: hash_of(&head), hash: hash_of(&hash) })
        })
        .collect()
    }
}

impl Verification {
    fn new(origin: Hash, anchor: Option<Hash>) -> Verification {
        let anchor_state = if anchor.is_some() { Anchor::NotFound } else { Anchor::None };
        Verification {
            runs: 0,
            events: 0,
            head: origin,
            anchor: anchor_state,
            damage: Vec::new(),
            sought: anchor,
        }
    }

    fn saw(&mut self, hash: Hash) {
        self.head = hash;
        if self.sought == Some(hash) {
            self.anchor = Anchor::Found;
        }
    }

    /// Checks the ledger's own chain, up to its first fault.
    fn check_ledger(&mut self, ledger: &[Entry]) {
        for (at, entry) in ledger.iter().enumerate() {
            let n = at as u64 + 1;
            if entry.n != n {
                self.damage.push(Damage::LedgerMissing { n });
                return;
            }
            if chain::ledger(&self.head, &entry.run, entry.seq, &entry.head) != entry.hash {
                self.damage.push(Damage::LedgerChanged { n });
                return;
            }
            self.saw(entry.hash);
        }
    }
}

/// An entry of the ledger.
struct Entry {
    n: u64,
    run: String,
    seq: u64,
    head: Hash,
    hash: Hash,
}
