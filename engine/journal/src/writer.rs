//! The one thread of this process that writes: whatever gathers while one commit is on its way to the disk goes into the
//! next.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};

use crate::chain::{self, Hash};
use crate::events::{MOST, key};
use crate::plans::{self, StoredPlan};
use crate::progress::{Fault, Progress};
use crate::schema;
use crate::store::StoreError;
use crate::summary::{self, Change, Cursor};

/// Events to append.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) run: Arc<RunKey>,
    /// Of a new run.
    pub(crate) plan: Option<Arc<StoredPlan>>,
    pub(crate) events: Vec<Encoded>,
    /// Inbox entries that these events come from.
    pub(crate) taken: Vec<i64>,
}

/// Whose events they are.
#[derive(Debug)]
pub(crate) struct RunKey {
    pub(crate) id: String,
    pub(crate) epoch: u32,
    pub(crate) progress: Arc<Progress>,
}

/// An event, ready to be stored.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) seq: u64,
    pub(crate) wall_ms: u64,
    pub(crate) text: String,
    pub(crate) change: Change,
}

/// The way to the writing thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batches: Vec<Batch>,
    closing: bool,
    fault: Option<Fault>,
    /// Everybody who has to hear of a fault.
    runs: Vec<Weak<Progress>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is accepted.
    fn fail(&self, fault: &Fault) {
        let mut state = self.lock();
        state.fault.get_or_insert_with(|| fault.clone());
        state.batches.clear();
        let runs = std::mem::take(&mut state.runs);
        drop(state);
        for run in runs.iter().filter_map(Weak::upgrade) {
            run.fail(fault);
        }
    }
}

impl Writer {
    /// Starts the thread. It opens its own connection while the caller goes on.
    pub(crate) fn start(database: PathBuf) -> std::io::Result<Writer> {
        let queue = Arc::new(Queue::default());
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("journal-writer".to_owned()).spawn(move || {
            let _alarm = Alarm(&theirs);
            if let Err(fault) = write_all(&theirs, database) {
                theirs.fail(&fault);
            }
        })?;
        Ok(Writer { queue, thread: Mutex::new(Some(thread)) })
    }

    /// A run whose executor has to hear of faults.
    pub(crate) fn enlist(&self, run: &Arc<Progress>) {
        let mut state = self.queue.lock();
        state.runs.retain(|other| other.strong_count() > 0);
        state.runs.push(Arc::downgrade(run));
    }

    /// Leaves a batch for the next commit.
    pub(crate) fn push(&self, batch: Batch) -> Result<(), Fault> {
        let mut state = self.queue.lock();
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        state.batches.push(batch);
        drop(state);
        self.queue.filled.notify_one();
        Ok(())
    }
}

impl Drop for Writer {
    /// Writes what is left, and ends.
    fn drop(&mut self) {
        self.queue.lock().closing = true;
        self.queue.filled.notify_one();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in there has been reported as a fault.
            let _ = thread.join();
        }
    }
}

/// Reports a panic of the writing thread as a fault, so that nobody waits for ever.
struct Alarm<'a>(&'a Queue);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&Fault::WriterGone);
        }
    }
}

fn write_all(queue: &Queue, database: PathBuf) -> Result<(), Fault> {
    let mut connection = schema::connect(&database, true)?;
    loop {
        let batches = {
            let mut state = queue.lock();
            while state.batches.is_empty() {
                if state.closing {
                    return Ok(());
                }
                state = queue.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::take(&mut state.batches)
        };
        for outcome in commit(&mut connection, batches)? {
            match outcome {
                Ok((run, seq)) => run.progress.reached(seq),
                Err((run, fault)) => run.progress.fail(&fault),
            }
        }
    }
}

type Outcome = Result<(Arc<RunKey>, u64), (Arc<RunKey>, Fault)>;

/// One transaction for everything that has gathered. A batch that is refused (its executor was fenced) changes nothing
/// and leaves the others alone.
fn commit(connection: &mut Connection, batches: Vec<Batch>) -> Result<Vec<Outcome>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(batches.len());
    for batch in batches {
        let refused =
            outcomes.iter().any(|outcome| matches!(outcome, Err((run, _)) if Arc::ptr_eq(run, &batch.run)));
        if refused {
            continue;
        }
        match position(&transaction, &batch)? {
            Ok(cursor) => {
                let seq = append(&transaction, &batch, cursor)?;
                outcomes.retain(|outcome| !matches!(outcome, Ok((run, _)) if Arc::ptr_eq(run, &batch.run)));
                outcomes.push(Ok((batch.run, seq)));
            }
            Err(fault) => outcomes.push(Err((batch.run, fault))),
        }
    }
    transaction.commit()?;
    Ok(outcomes)
}

/// Where the batch goes, if its executor may append it.
fn position(connection: &Connection, batch: &Batch) -> Result<Result<Cursor, Fault>, StoreError> {
    let run = &batch.run;
    let Some(first) = batch.events.first() else {
        return Err(StoreError::Io("an empty batch".to_owned()));
    };
    let cursor = match (&first.change, summary::cursor(connection, &run.id)?) {
        (Change::Created(new), None) => {
            if let Some(plan) = &batch.plan {
                plans::store(connection, plan)?;
            }
            summary::insert(connection, &run.id, new, first.wall_ms, run.epoch, chain::run_origin(&run.id))?
        }
        (_, Some(cursor)) => cursor,
        (_, None) => {
            return Ok(Err(Fault::Displaced { run: run.id.clone(), expected: first.seq - 1, found: 0 }));
        }
    };
    if cursor.epoch != run.epoch {
        return Ok(Err(Fault::Fenced { run: run.id.clone(), ours: run.epoch, now: cursor.epoch }));
    }
    if cursor.last_seq + 1 != first.seq {
        let fault = Fault::Displaced { run: run.id.clone(), expected: first.seq - 1, found: cursor.last_seq };
        return Ok(Err(fault));
    }
    Ok(Ok(cursor))
}

/// Appends; returns the last event's number.
fn append(connection: &Connection, batch: &Batch, mut cursor: Cursor) -> Result<u64, StoreError> {
    let mut insert =
        connection.prepare_cached("INSERT INTO events (key, record, hash) VALUES (?1, ?2, ?3)")?;
    let mut wall_ms = 0;
    for event in &batch.events {
        if event.seq > MOST {
            return Err(StoreError::Io(format!("run {} has more events than a run can have", batch.run.id)));
        }
        cursor.head = chain::event(&cursor.head, event.text.as_bytes());
        cursor.last_seq = event.seq;
        insert.execute((key(cursor.ordinal, event.seq), &event.text, cursor.head.0))?;
        summary::apply(connection, cursor.ordinal, &event.change)?;
        if event.change.marks() {
            mark(connection, &batch.run.id, &cursor)?;
        }
        wall_ms = event.wall_ms;
    }
    summary::advance(connection, &cursor, wall_ms)?;
    if !batch.taken.is_empty() {
        let mut delete = connection.prepare_cached("DELETE FROM inbox WHERE id = ?1 AND run = ?2")?;
        for id in &batch.taken {
            delete.execute((id, cursor.ordinal))?;
        }
    }
    Ok(cursor.last_seq)
}

/// Writes the run's head into the ledger.
fn mark(connection: &Connection, run: &str, cursor: &Cursor) -> Result<(), StoreError> {
    use rusqlite::OptionalExtension;
    let last: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM ledger ORDER BY n DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let previous = match last {
        None => chain::ledger_origin(),
        Some(bytes) => Hash::from_slice(&bytes)
            .ok_or_else(|| StoreError::Damaged("the last entry of the ledger has no hash".to_owned()))?,
    };
    let hash = chain::ledger(&previous, run, cursor.last_seq, &cursor.head);
    connection
        .prepare_cached("INSERT INTO ledger (run, seq, head, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute((run, cursor.last_seq as i64, cursor.head.0, hash.0))?;
    Ok(())
}
