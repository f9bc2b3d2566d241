//! The one process that may append to a run.

use std::sync::Arc;

use runbook_wire::{EncodeError, Record};
use thiserror::Error;

use crate::bell::Bell;
use crate::locks::{Locking, Wanted};
use crate::ownership::Ownership;
use crate::plans::StoredPlan;
use crate::progress::Fault;
use crate::summary::Change;
use crate::writer::{Batch, Encoded, RunKey, Task, Work, Writer};

/// Holds a run: its lock, its socket and the right to append. Dropping it waits until everything is on disk and frees the
/// run.
#[derive(Debug)]
pub struct Executor {
    run: Arc<RunKey>,
    writer: Arc<Writer>,
    next_seq: u64,
    plan: Option<Arc<StoredPlan>>,
    finished: bool,
    // Dropped in this order: nobody rings any more, then the run is free.
    _bell: Bell,
    ownership: Ownership,
}

/// Why events were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// Nothing is accepted any more.
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The caller numbered them wrongly: a fault of ours.
    #[error(
        "event {found} of epoch {epoch} was to be appended in the place of event {expected} of epoch {ours}"
    )]
    OutOfOrder { expected: u64, found: u64, ours: u32, epoch: u32 },
}

impl Executor {
    pub(crate) fn new(
        run: Arc<RunKey>,
        writer: Arc<Writer>,
        last_seq: u64,
        plan: Option<Arc<StoredPlan>>,
        bell: Bell,
        ownership: Ownership,
    ) -> Executor {
        writer.enlist(&run.progress);
        Executor { run, writer, next_seq: last_seq + 1, plan, finished: false, _bell: bell, ownership }
    }

    pub fn run(&self) -> &str {
        &self.run.id
    }

    /// Belongs into every record.
    pub fn epoch(&self) -> u32 {
        self.run.epoch
    }

    /// The number that the next record must have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Appends events, which are on disk (all of them or none) once [`Executor::durable`] has reached the number
    /// returned: the last one's. Does not wait.
    ///
    /// # Errors
    /// If the journal has stopped accepting, or a record cannot be written.
    pub fn append(&mut self, records: &[Record]) -> Result<u64, AppendError> {
        self.append_taking(records, &[])
    }

    /// Appends events that come from these inbox entries: in the same transaction the entries go.
    ///
    /// # Errors
    /// As [`Executor::append`].
    pub fn append_taking(&mut self, records: &[Record], taken: &[i64]) -> Result<u64, AppendError> {
        let mut events = Vec::with_capacity(records.len());
        let mut next = self.next_seq;
        for record in records {
            if record.seq != next || record.epoch != self.run.epoch {
                return Err(AppendError::OutOfOrder {
                    expected: next,
                    found: record.seq,
                    ours: self.run.epoch,
                    epoch: record.epoch,
                });
            }
            let (text, change) = (record.encode()?, Change::of(record));
            events.push(Encoded { seq: record.seq, wall_ms: record.wall_ms, text, change });
            next += 1;
        }
        let Some(last) = events.last() else { return Ok(self.next_seq - 1) };
        let finished = matches!(last.change, Change::Finished { .. });
        let batch = Batch { plan: self.plan.take(), events, taken: taken.to_vec() };
        self.write(Work::Append(batch))?;
        self.next_seq = next;
        self.finished = finished;
        Ok(next - 1)
    }

    /// Takes these named locks for the run, all of them or none, in one transaction after everything appended so far;
    /// those that the run has already are its own still. If others hold some and `wait` is given, [`Wake::Nudged`] comes
    /// when one of them is freed. Locks are given back by the `LockReleased` and `Finished` events.
    ///
    /// Waits for the disk.
    ///
    /// # Errors
    /// If the journal has stopped accepting.
    ///
    /// [`Wake::Nudged`]: crate::Wake::Nudged
    pub fn try_take(&self, wanted: Wanted) -> Result<Locking, Fault> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.write(Work::Take(wanted, reply))?;
        answer.recv().unwrap_or_else(|_| {
            // The writer dropped the question because of a fault, which it is about to tell.
            self.run.progress.wait(u64::MAX).and(Err(Fault::WriterGone))
        })
    }

    /// Says of an inbox entry that it will not become an event, and why, in one sentence for the person who left it.
    ///
    /// # Errors
    /// If the journal has stopped accepting.
    pub fn refuse(&self, entry: i64, reason: &str) -> Result<(), Fault> {
        self.write(Work::Refuse(entry, reason.to_owned()))
    }

    fn write(&self, work: Work) -> Result<(), Fault> {
        // A fault of this run alone stops it too, and what is accepted after one would never be written.
        self.durable()?;
        self.writer.push(Task { run: Arc::clone(&self.run), work })
    }

    /// The last event that is on disk; with all before it.
    ///
    /// # Errors
    /// If the journal has stopped accepting: what is not on disk by then never will be.
    pub fn durable(&self) -> Result<u64, Fault> {
        self.run.progress.durable()
    }

    /// Waits until everything up to this event is on disk.
    ///
    /// # Errors
    /// If the journal stops accepting before that.
    pub fn wait_durable(&self, seq: u64) -> Result<(), Fault> {
        self.run.progress.wait(seq)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        let written = self.wait_durable(self.next_seq - 1).is_ok();
        let never_began = self.next_seq == 1;
        if written && (self.finished || never_began) {
            self.ownership.remove_file();
        }
    }
}
