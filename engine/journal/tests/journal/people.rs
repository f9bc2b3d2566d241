//! Inbox, locks, following: what goes on between runs and commands.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use runbook_journal::{Fate, Journal, LockHolder, Locking, News, Nudge, RunStatus, Wake, Wanted};
use runbook_wire::{Body, Message, Person, Request};

use crate::sample::{begin, fact, finished, ignore, record};

/// Long enough for the slowest machine; a test that works never waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn wanted(names: &[&str], wait: bool) -> Wanted {
    let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Wanted { names, reason: "go-live".to_owned(), wall_ms: 5, wait }
}

fn message(reason: &str) -> Message {
    Message { by: Person { name: "ben".into() }, request: Request::Cancel { reason: reason.into() } }
}

#[test]
fn a_message_wakes_the_executor_and_its_sender_sees_what_became_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let sender = Journal::open(folder.path()).unwrap();
    let (told, hears) = mpsc::channel();
    let mut executor = begin(&journal, "k7f3q", move |wake| {
        if wake == Wake::Nudged {
            // The receiver is gone once the test is over.
            let _ = told.send(());
        }
    });
    let (first, nudge) = sender.leave("k7f3q", &message("one"), 7).unwrap();
    assert_eq!(nudge, Nudge::Heard);
    hears.recv_timeout(PATIENCE).unwrap();
    let (second, _) = sender.leave("k7f3q", &message("two"), 8).unwrap();
    let inbox = journal.inbox("k7f3q").unwrap();
    let seen: Vec<_> =
        inbox.iter().map(|entry| (entry.id, entry.message.clone().unwrap(), entry.wall_ms)).collect();
    assert_eq!(seen, [(first, message("one"), 7), (second, message("two"), 8)]);
    assert_eq!(sender.fate("k7f3q", first, Duration::ZERO).unwrap(), Fate::Waiting);

    let waits = std::thread::spawn(move || {
        let fates = [first, second].map(|entry| sender.fate("k7f3q", entry, PATIENCE).unwrap());
        (sender, fates)
    });
    // To leave something rings, and so does each look at what became of it: once, however often there is news.
    for _ in ["left", "looked", "waits"] {
        hears.recv_timeout(PATIENCE).unwrap();
    }
    executor.append_taking(&[record(2, 1, fact(2)), record(3, 1, fact(3))], &[first]).unwrap();
    executor.refuse(second, "the run is over").unwrap();
    let (sender, fates) = waits.join().unwrap();
    assert_eq!(fates, [Fate::Taken { seq: 3 }, Fate::Refused { reason: "the run is over".into() }]);
    assert_eq!(journal.inbox("k7f3q").unwrap(), []);
    assert!(hears.try_iter().count() <= 1, "the second wait");

    drop(executor);
    let (third, nudge) = sender.leave("k7f3q", &message("three"), 9).unwrap();
    assert_eq!(nudge, Nudge::NoExecutor);
    assert_eq!(sender.fate("k7f3q", third, PATIENCE).unwrap(), Fate::Waiting, "nobody to wait for");
    assert_eq!(sender.inbox("k7f3q").unwrap().len(), 1);
    assert!(sender.leave("nobody", &message("four"), 9).is_err());
}

#[test]
fn named_locks_are_taken_together_and_survive_their_executor() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut one = begin(&journal, "aaaaa", ignore);
    let (told, hears) = mpsc::channel();
    let mut two = begin(&journal, "bbbbb", move |wake| {
        if wake == Wake::Nudged {
            let _ = told.send(());
        }
    });
    assert_eq!(one.try_take(wanted(&["db", "web"], false)).unwrap(), Locking::Taken);
    assert_eq!(one.try_take(wanted(&["db", "web"], false)).unwrap(), Locking::Taken, "its own still");
    let held = |name: &str| LockHolder {
        name: name.into(),
        run: "aaaaa".into(),
        reason: "go-live".into(),
        since_ms: 5,
    };
    let refused = two.try_take(wanted(&["cache", "web"], true)).unwrap();
    assert_eq!(refused, Locking::Held(vec![held("web")]));
    assert_eq!(journal.locks().unwrap(), [held("db"), held("web")], "all or none");

    // The executor of the first dies: the run keeps its locks.
    drop(one);
    assert_eq!(two.try_take(wanted(&["cache", "web"], true)).unwrap(), Locking::Held(vec![held("web")]));
    one = journal.claim("aaaaa", ignore).unwrap();
    while hears.try_recv().is_ok() {}
    one.append(&[record(2, 2, Body::LockReleased { name: "web".into() })]).unwrap();
    hears.recv_timeout(PATIENCE).unwrap();
    assert_eq!(two.try_take(wanted(&["cache", "web"], true)).unwrap(), Locking::Taken);

    let refused = two.try_take(wanted(&["cache", "db", "web"], true)).unwrap();
    assert_eq!(refused, Locking::Held(vec![held("db")]));
    one.append(&[record(3, 2, finished())]).unwrap();
    hears.recv_timeout(PATIENCE).unwrap();
    assert_eq!(two.try_take(wanted(&["db"], true)).unwrap(), Locking::Taken, "a finished run holds nothing");
    two.append(&[record(2, 1, finished())]).unwrap();
    drop(two);
    assert_eq!(journal.locks().unwrap(), []);
}

#[test]
fn a_follower_hears_of_each_commit_and_of_the_executors_end() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let mut executor = begin(&journal, "k7f3q", ignore);
    let (told, hears) = mpsc::channel();
    let place = folder.path().to_owned();
    let follower = std::thread::spawn(move || {
        let journal = Journal::open_read_only(&place).unwrap();
        let mut follow = journal.follow("k7f3q", 1);
        let mut seen = Vec::new();
        loop {
            match follow.next(PATIENCE).unwrap() {
                News::Events(records) => {
                    seen.extend(records.iter().map(|record| record.seq));
                    told.send(seen.len()).unwrap();
                }
                News::Attended => {}
                News::Unattended => return seen,
                News::Nothing => panic!("nothing came"),
            }
        }
    });
    for seq in 2..=20 {
        executor.append(&[record(seq, 1, fact(seq))]).unwrap();
        if seq % 5 == 0 {
            // It is told without asking.
            while hears.recv_timeout(PATIENCE).unwrap() < seq as usize {}
        }
    }
    drop(executor);
    assert_eq!(follower.join().unwrap(), (1..=20).collect::<Vec<u64>>());
    assert_eq!(journal.follow("k7f3q", 21).next(Duration::ZERO).unwrap(), News::Unattended);
    assert_eq!(journal.run("k7f3q").unwrap().unwrap().status, RunStatus::Interrupted);
}

#[test]
fn a_path_too_long_for_a_socket_and_a_stale_socket_are_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a-folder-with-a-long-name".repeat(5));
    let journal = Journal::open(&deep).unwrap();
    let executor = begin(&journal, "k7f3q", ignore);
    assert_eq!(journal.nudge("k7f3q").unwrap(), Nudge::Heard);
    drop(executor);
    assert_eq!(journal.nudge("k7f3q").unwrap(), Nudge::NoExecutor);

    // As a killed executor leaves it: a socket that nobody listens on.
    let journal = Journal::open(folder.path()).unwrap();
    drop(begin(&journal, "k7f3q", ignore));
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("runs/k7f3q.sock")).unwrap());
    let executor = journal.claim("k7f3q", ignore).unwrap();
    assert_eq!(journal.nudge("k7f3q").unwrap(), Nudge::Heard);
    drop(executor);
}
