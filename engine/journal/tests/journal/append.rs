//! Create, append, read, claim.

use std::sync::mpsc;

use runbook_journal::{
    AppendError, ClaimError, Fault, Journal, Nudge, OpenError, RunStatus, StoreError, Wake,
};

use crate::sample::{begin, created, fact, finished, ignore, plan, record};

#[test]
fn what_was_appended_is_read_back_by_another_connection() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let (told, hears) = mpsc::channel();
    let mut executor = journal.create("k7f3q", plan(), move |wake| told.send(wake).unwrap()).unwrap();
    let first: Vec<_> = vec![record(1, 1, created("k7f3q")), record(2, 1, fact(2))];
    let second = vec![record(3, 1, fact(3)), record(4, 1, finished())];
    assert_eq!(executor.append(&first).unwrap(), 2);
    assert_eq!(executor.append(&second).unwrap(), 4);
    executor.wait_durable(4).unwrap();

    let reader = Journal::open_read_only(folder.path()).unwrap();
    let read: Vec<_> = reader.events("k7f3q", 1).map(Result::unwrap).collect();
    assert_eq!(read, [first, second].concat());
    assert_eq!(reader.events("k7f3q", 4).map(|r| r.unwrap().seq).collect::<Vec<_>>(), [4]);
    assert_eq!(reader.events("k7f3q", 5).count(), 0);
    assert_eq!(reader.plan("p1").unwrap().unwrap(), plan());
    assert_eq!(reader.plan("p2").unwrap(), None);

    drop(executor);
    let heard: Vec<_> = hears.iter().collect();
    assert_eq!(heard.last(), Some(&Wake::Durable(4)), "{heard:?}");
}

#[test]
fn a_run_has_one_executor_and_shows_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let other = Journal::open(folder.path()).unwrap();
    let status = |id: &str| other.run(id).unwrap().unwrap().status;

    let mut executor = journal.create("k7f3q", plan(), ignore).unwrap();
    assert_eq!(other.run("k7f3q").unwrap(), None, "nothing is stored before the first event");
    assert!(matches!(other.create("k7f3q", plan(), ignore), Err(ClaimError::Held { .. })));
    executor.append(&[record(1, 1, created("k7f3q"))]).unwrap();
    executor.wait_durable(1).unwrap();
    let Err(ClaimError::Held { holder, .. }) = other.claim("k7f3q", ignore) else { panic!("not held") };
    assert_eq!(holder.pid, std::process::id());
    assert_eq!(status("k7f3q"), RunStatus::Running(holder));

    drop(executor);
    assert_eq!(status("k7f3q"), RunStatus::Interrupted);
    assert!(matches!(other.create("k7f3q", plan(), ignore), Err(ClaimError::Exists(_))));

    let mut executor = other.claim("k7f3q", ignore).unwrap();
    assert_eq!((executor.epoch(), executor.next_seq()), (2, 2));
    executor.append(&[record(2, 2, finished())]).unwrap();
    drop(executor);
    let ended = RunStatus::Finished { forward: "succeeded".into(), rollback: "none".into(), exit_code: 0 };
    assert_eq!(status("k7f3q"), ended);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("runs")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn records_must_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut executor = journal.create("k7f3q", plan(), ignore).unwrap();
    let gap = executor.append(&[record(1, 1, created("k7f3q")), record(3, 1, fact(3))]);
    assert!(matches!(gap, Err(AppendError::OutOfOrder { expected: 2, found: 3, .. })), "{gap:?}");
    let epoch = executor.append(&[record(1, 2, created("k7f3q"))]);
    assert!(matches!(epoch, Err(AppendError::OutOfOrder { ours: 1, epoch: 2, .. })), "{epoch:?}");
    assert_eq!(executor.append(&[record(1, 1, created("k7f3q"))]).unwrap(), 1);
}

#[test]
fn an_executor_whose_lock_file_was_taken_away_is_fenced() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut old = begin(&journal, "k7f3q", ignore);
    std::fs::remove_file(folder.path().join("runs/k7f3q.lock")).unwrap();

    let other = Journal::open(folder.path()).unwrap();
    let mut new = other.claim("k7f3q", ignore).unwrap();
    old.append(&[record(2, 1, fact(2))]).unwrap();
    let fenced = Fault::Fenced { run: "k7f3q".into(), ours: 1, now: 2 };
    assert_eq!(old.wait_durable(2), Err(fenced.clone()));
    assert_eq!(old.durable(), Err(fenced));
    new.append(&[record(2, 2, finished())]).unwrap();
    new.wait_durable(2).unwrap();
    assert_eq!(other.events("k7f3q", 2).map(|r| r.unwrap().epoch).collect::<Vec<_>>(), [2]);
}

/// SQLite would go on writing to files that have no name any more.
#[test]
fn a_record_that_is_removed_or_replaced_while_it_is_written_is_a_fault() {
    for (name, replaced) in
        [("journal.db", false), ("journal.db", true), ("journal.db-wal", false), ("", false)]
    {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        let journal = Journal::open(&folder).unwrap();
        let mut executor = begin(&journal, "k7f3q", ignore);
        let path = folder.join(name);
        match (name, replaced) {
            ("", _) => std::fs::remove_dir_all(&folder).unwrap(),
            (_, false) => std::fs::remove_file(&path).unwrap(),
            (_, true) => {
                let content = std::fs::read(&path).unwrap();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, content).unwrap();
            }
        }
        executor.append(&[record(2, 1, fact(2))]).unwrap();
        let gone = if name.is_empty() { folder.join("journal.db") } else { path };
        assert_eq!(executor.wait_durable(2), Err(Fault::Store(StoreError::Replaced(gone))));
    }
}

/// It has an end, and takes nothing of the other's with it.
#[test]
fn a_fenced_executor_goes_and_the_other_can_still_be_woken() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let old = begin(&journal, "k7f3q", ignore);
    std::fs::remove_file(folder.path().join("runs/k7f3q.lock")).unwrap();
    let other = Journal::open(folder.path()).unwrap();
    let (told, hears) = std::sync::mpsc::channel();
    let _new = other
        .claim("k7f3q", move |wake| {
            if wake == Wake::Nudged {
                told.send(()).unwrap();
            }
        })
        .unwrap();
    drop(old);
    assert_eq!(journal.nudge("k7f3q").unwrap(), Nudge::Heard);
    hears.recv().unwrap();
}

#[test]
fn reading_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("not there");
    assert_eq!(Journal::open_read_only(&missing).unwrap_err(), OpenError::Missing(missing.clone()));
    assert!(!missing.exists());
}
