//! The one thread of this process that writes: whatever gathers while one commit is on its way to the disk goes into the
//! next.

use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::bell;
use crate::chain::{self, Hash};
use crate::events::{MOST, key};
use crate::folder::{FileId, Folder};
use crate::inbox;
use crate::locks::{self, Locking, Wanted};
use crate::plans::{self, StoredPlan};
use crate::progress::{Fault, Progress};
use crate::schema;
use crate::store::StoreError;
use crate::summary::{self, Change, Cursor};

/// Something to write for a run.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) run: Arc<RunKey>,
    pub(crate) work: Work,
}

/// What to write.
#[derive(Debug)]
pub(crate) enum Work {
    Append(Batch),
    /// Named locks, all or none.
    Take(Wanted, LockingReply),
    /// An inbox entry that does not become an event, and why.
    Refuse(i64, String),
}

/// Where the outcome of a [`Work::Take`] goes.
pub(crate) type LockingReply = SyncSender<Result<Locking, Fault>>;

/// Events to append.
#[derive(Debug)]
pub(crate) struct Batch {
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
    tasks: Vec<Task>,
    closing: bool,
    fault: Option<Fault>,
    /// Everybody who has to hear of a fault, and has not.
    runs: Vec<Weak<Progress>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is accepted. Every executor is told before any task is refused (see [`Progress::fail`]): what
    /// they leave in between is never written.
    fn fail(&self, fault: &Fault) {
        loop {
            let mut state = self.lock();
            let untold = std::mem::take(&mut state.runs);
            if untold.is_empty() {
                state.fault = Some(fault.clone());
                state.tasks.clear();
                return;
            }
            drop(state);
            for run in untold.iter().filter_map(Weak::upgrade) {
                run.fail(fault);
            }
        }
    }

    /// A run whose executor has to hear of faults; of one that has happened, at once.
    fn enlist(&self, run: &Arc<Progress>) {
        let mut state = self.lock();
        if let Some(fault) = state.fault.clone() {
            drop(state);
            return run.fail(&fault);
        }
        state.runs.retain(|other| other.strong_count() > 0);
        state.runs.push(Arc::downgrade(run));
    }

    fn push(&self, task: Task) -> Result<(), Fault> {
        let mut state = self.lock();
        if let Some(fault) = &state.fault {
            return Err(fault.clone());
        }
        state.tasks.push(task);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }
}

impl Writer {
    /// Starts the thread. It opens its own connection while the caller goes on.
    pub(crate) fn start(folder: Folder) -> std::io::Result<Writer> {
        let queue = Arc::new(Queue::default());
        let theirs = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("journal-writer".to_owned()).spawn(move || {
            let _alarm = Alarm(&theirs);
            if let Err(fault) = write_all(&theirs, &folder) {
                theirs.fail(&fault);
            }
        })?;
        Ok(Writer { queue, thread: Mutex::new(Some(thread)) })
    }

    /// A run whose executor has to hear of faults; of one that has happened, at once.
    pub(crate) fn enlist(&self, run: &Arc<Progress>) {
        self.queue.enlist(run);
    }

    /// Leaves something for the next commit.
    pub(crate) fn push(&self, task: Task) -> Result<(), Fault> {
        self.queue.push(task)
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

fn write_all(queue: &Queue, folder: &Folder) -> Result<(), Fault> {
    let mut connection = schema::connect(&folder.database(), true)?;
    let mut files = [folder.database(), folder.wal()].map(|path| (path, None));
    loop {
        let tasks = {
            let mut state = queue.lock();
            while state.tasks.is_empty() {
                if state.closing {
                    return Ok(());
                }
                state = queue.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::take(&mut state.tasks)
        };
        let group = commit(&mut connection, tasks)?;
        still_there(&mut files)?;
        group.tell(folder);
    }
}

/// SQLite goes on writing to files that have no name any more (somebody cleared the folder, or restored an older one):
/// nothing of that is a record. Each file is known by what it was after the first commit.
fn still_there(files: &mut [(PathBuf, Option<FileId>)]) -> Result<(), StoreError> {
    for (path, known) in files {
        let found = FileId::at(path).ok();
        if found.is_none() || known.is_some_and(|known| Some(known) != found) {
            return Err(StoreError::Replaced(path.clone()));
        }
        *known = found;
    }
    Ok(())
}

/// What a transaction did, to be told once it is on disk.
#[derive(Debug, Default)]
struct Group {
    appended: Vec<(Arc<RunKey>, u64)>,
    refused: Vec<(Arc<RunKey>, Fault)>,
    locking: Vec<(LockingReply, Result<Locking, Fault>)>,
    /// Runs whose followers have news other than events.
    ring: Vec<Arc<RunKey>>,
    /// Runs that waited for a lock that is free now.
    nudge: Vec<String>,
}

impl Group {
    fn is_refused(&self, run: &Arc<RunKey>) -> Option<&Fault> {
        self.refused.iter().find(|(other, _)| Arc::ptr_eq(other, run)).map(|(_, fault)| fault)
    }

    fn refuse(&mut self, run: Arc<RunKey>, fault: Fault) {
        self.refused.push((run, fault));
    }

    fn tell(self, folder: &Folder) {
        for (run, seq) in self.appended {
            run.progress.reached(seq);
        }
        for (run, fault) in self.refused {
            run.progress.fail(&fault);
        }
        for (reply, outcome) in self.locking {
            // Whoever asked may have gone.
            let _ = reply.send(outcome);
        }
        for run in self.ring {
            run.progress.subscribers.ring();
        }
        for run in self.nudge {
            // A run that cannot be reached sees that the lock is free when it asks again.
            let _ = bell::nudge(folder, &run);
        }
    }
}

/// One transaction for everything that has gathered. What is refused (its executor was fenced) changes nothing and leaves
/// the others alone; after that nothing more of its run is written, in this transaction or a later one.
fn commit(connection: &mut Connection, tasks: Vec<Task>) -> Result<Group, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut group = Group::default();
    for Task { run, work } in tasks {
        let refused = match (group.is_refused(&run), run.progress.durable()) {
            (Some(fault), _) => Err(fault.clone()),
            // Left before its executor was told.
            (None, Err(fault)) => Err(fault),
            (None, Ok(_)) => position(&transaction, &run, &work)?,
        };
        match (refused, work) {
            (Ok(cursor), Work::Append(batch)) => {
                let seq = append(&transaction, &run, &batch, cursor, &mut group.nudge)?;
                group.appended.retain(|(other, _)| !Arc::ptr_eq(other, &run));
                group.appended.push((run, seq));
            }
            (Ok(cursor), Work::Take(wanted, reply)) => {
                group.locking.push((reply, Ok(locks::take(&transaction, cursor.ordinal, &wanted)?)));
            }
            (Ok(cursor), Work::Refuse(id, reason)) => {
                inbox::refuse(&transaction, cursor.ordinal, id, &reason)?;
                group.ring.push(run);
            }
            (Err(fault), Work::Take(_, reply)) => {
                group.locking.push((reply, Err(fault.clone())));
                group.refuse(run, fault);
            }
            (Err(fault), Work::Append(_) | Work::Refuse(..)) => group.refuse(run, fault),
        }
    }
    transaction.commit()?;
    Ok(group)
}

/// Where the run stands, if its executor may write there.
fn position(connection: &Connection, run: &RunKey, work: &Work) -> Result<Result<Cursor, Fault>, StoreError> {
    let first = match work {
        Work::Append(batch) => batch.events.first(),
        Work::Take(..) | Work::Refuse(..) => None,
    };
    let cursor = match (summary::cursor(connection, &run.id)?, first.map(|event| (event, &event.change))) {
        (Some(cursor), _) => cursor,
        (None, Some((first, Change::Created(new)))) => {
            summary::insert(connection, &run.id, new, first.wall_ms, run.epoch, chain::run_origin(&run.id))?
        }
        (None, first) => {
            let expected = first.map_or(1, |(first, _)| first.seq - 1);
            return Ok(Err(Fault::Displaced { run: run.id.clone(), expected, found: 0 }));
        }
    };
    if cursor.epoch != run.epoch {
        return Ok(Err(Fault::Fenced { run: run.id.clone(), ours: run.epoch, now: cursor.epoch }));
    }
    match first {
        Some(first) if cursor.last_seq + 1 != first.seq => {
            let (expected, found) = (first.seq - 1, cursor.last_seq);
            Ok(Err(Fault::Displaced { run: run.id.clone(), expected, found }))
        }
        _ => Ok(Ok(cursor)),
    }
}

/// Appends; returns the last event's number.
fn append(
    connection: &Connection,
    run: &RunKey,
    batch: &Batch,
    mut cursor: Cursor,
    nudge: &mut Vec<String>,
) -> Result<u64, StoreError> {
    if let Some(plan) = &batch.plan {
        plans::store(connection, plan)?;
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO events (key, record, hash) VALUES (?1, ?2, ?3)")?;
    let mut wall_ms = 0;
    for event in &batch.events {
        if event.seq > MOST {
            return Err(StoreError::Io(format!("run {} has more events than a run can have", run.id)));
        }
        cursor.head = chain::event(&cursor.head, event.text.as_bytes());
        cursor.last_seq = event.seq;
        insert.execute((key(cursor.ordinal, event.seq), &event.text, cursor.head.0))?;
        summary::apply(connection, cursor.ordinal, &event.change)?;
        match &event.change {
            Change::Released { lock } => locks::release(connection, cursor.ordinal, Some(lock), nudge)?,
            Change::Finished { .. } => locks::release(connection, cursor.ordinal, None, nudge)?,
            _ => {}
        }
        if event.change.marks() {
            mark(connection, &run.id, &cursor)?;
        }
        wall_ms = event.wall_ms;
    }
    summary::advance(connection, &cursor, wall_ms)?;
    for id in &batch.taken {
        inbox::take(connection, cursor.ordinal, *id, cursor.last_seq)?;
    }
    Ok(cursor.last_seq)
}

/// Writes the run's head into the ledger.
fn mark(connection: &Connection, run: &str, cursor: &Cursor) -> Result<(), StoreError> {
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

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use runbook_wire::{Body, Record};

    use super::*;
    use crate::journal::Journal;
    use crate::progress::Wake;

    fn lost() -> Fault {
        Fault::Store(StoreError::Io("the disk is gone".to_owned()))
    }

    fn ignoring() -> Arc<Progress> {
        Arc::new(Progress::new(0, Box::new(|_| {})))
    }

    fn appending(run: &Arc<RunKey>, record: &Record) -> Task {
        let event = Encoded {
            seq: record.seq,
            wall_ms: record.wall_ms,
            text: record.encode().unwrap(),
            change: Change::of(record),
        };
        let batch = Batch { plan: None, events: vec![event], taken: Vec::new() };
        Task { run: Arc::clone(run), work: Work::Append(batch) }
    }

    fn stopped(seq: u64) -> Record {
        Record {
            seq,
            wall_ms: seq,
            elapsed_ms: seq,
            epoch: 1,
            body: Body::ExecutorStopped { reason: "a test".to_owned() },
        }
    }

    #[test]
    fn every_executor_has_been_told_before_anything_is_refused() {
        static QUEUE: OnceLock<Queue> = OnceLock::new();
        let queue = QUEUE.get_or_init(Queue::default);
        let refused_when_told = Arc::new(Mutex::new(Vec::new()));
        let late = ignoring();
        let runs: Vec<_> = (0..2)
            .map(|_| {
                let (seen, late) = (Arc::clone(&refused_when_told), Arc::clone(&late));
                Arc::new(Progress::new(
                    0,
                    Box::new(move |_| {
                        seen.lock().unwrap().push(queue.lock().fault.is_some());
                        // Taken while the others are being told.
                        queue.enlist(&late);
                    }),
                ))
            })
            .collect();
        runs.iter().for_each(|run| queue.enlist(run));
        queue.fail(&lost());
        assert_eq!(*refused_when_told.lock().unwrap(), [false, false]);
        for run in runs.iter().chain([&late]) {
            assert_eq!(run.durable(), Err(lost()));
        }
        let run = Arc::new(RunKey { id: "k7f3q".to_owned(), epoch: 1, progress: ignoring() });
        assert_eq!(queue.push(appending(&run, &stopped(1))), Err(lost()));
    }

    #[test]
    fn a_run_that_is_taken_after_a_fault_hears_of_it() {
        let queue = Queue::default();
        queue.fail(&lost());
        let told = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&told);
        let run = Arc::new(Progress::new(0, Box::new(move |wake| theirs.lock().unwrap().push(wake))));
        queue.enlist(&run);
        assert_eq!(run.durable(), Err(lost()));
        assert_eq!(*told.lock().unwrap(), [Wake::Fault(lost())]);
    }

    /// What an executor left before it heard that it was refused must not be written because it happens to fit again.
    #[test]
    fn nothing_of_a_run_is_written_after_its_executor_was_refused() {
        let place = tempfile::tempdir().unwrap();
        drop(Journal::open(place.path()).unwrap());
        let folder = Folder::new(place.path()).unwrap();
        let mut connection = schema::connect(&folder.database(), true).unwrap();
        let run = Arc::new(RunKey { id: "k7f3q".to_owned(), epoch: 1, progress: ignoring() });
        let created = r#"{"seq":1,"wall_ms":1,"elapsed_ms":1,"epoch":1,"type":"run_created","run":"k7f3q",
            "runbook":"golive","file":"golive.yaml","plan":"p1","environment":null,"inputs":{},
            "requester":{"name":"ana"},"seed":7,"semantics":1,"version":"0.1.0"}"#;
        let created = Record::decode(created.as_bytes()).unwrap();
        commit(&mut connection, vec![appending(&run, &created)]).unwrap().tell(&folder);
        assert_eq!(run.progress.durable(), Ok(1));
        commit(&mut connection, vec![appending(&run, &stopped(3))]).unwrap().tell(&folder);
        let displaced = Err(Fault::Displaced { run: "k7f3q".to_owned(), expected: 2, found: 1 });
        assert_eq!(run.progress.durable(), displaced);
        commit(&mut connection, vec![appending(&run, &stopped(2))]).unwrap().tell(&folder);
        assert_eq!(run.progress.durable(), displaced);
        let written: i64 = connection.query_row("SELECT last_seq FROM runs", [], |row| row.get(0)).unwrap();
        assert_eq!(written, 1);
    }
}
