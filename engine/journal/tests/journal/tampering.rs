//! Somebody changes the journal behind our back: `verify` names the first place.

use std::path::Path;

use runbook_journal::{Anchor, Journal, Verification};

use crate::sample::{created, fact, finished, ignore, plan, record};

/// Three runs of six events, the second one unfinished.
fn three_runs(folder: &Path) -> Journal {
    let journal = Journal::open(folder).unwrap();
    for run in ["aaaaa", "bbbbb", "ccccc"] {
        let mut executor = journal.create(run, plan(), ignore).unwrap();
        let last = if run == "bbbbb" { fact(6) } else { finished() };
        executor.append(&[record(1, 1, created(run)), record(2, 1, fact(2)), record(3, 1, fact(3))]).unwrap();
        executor.append(&[record(4, 1, fact(4)), record(5, 1, fact(5)), record(6, 1, last)]).unwrap();
    }
    journal
}

fn after(statements: &str) -> Verification {
    let folder = tempfile::tempdir().unwrap();
    let journal = three_runs(folder.path());
    let connection = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    connection.execute_batch(statements).unwrap();
    journal.verify_all(None).unwrap()
}

fn named(statements: &str) -> String {
    after(statements).damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn an_untouched_record_is_consistent_and_an_anchor_fixes_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = three_runs(folder.path());
    let found = journal.verify_all(None).unwrap();
    assert_eq!((found.runs, found.events, found.damage.len()), (3, 18, 0));
    assert!(found.to_string().starts_with("consistent, unanchored: 3 runs, 18 events, head "), "{found}");
    let one = journal.verify("bbbbb", None).unwrap();
    assert_eq!((one.runs, one.events, one.damage.len()), (1, 6, 0));

    assert_eq!(journal.verify_all(Some(found.head)).unwrap().anchor, Anchor::Found);
    assert_eq!(journal.verify("bbbbb", Some(one.head)).unwrap().anchor, Anchor::Found);
    assert_eq!(journal.verify("aaaaa", Some(one.head)).unwrap().anchor, Anchor::NotFound);
    let mut executor = journal.claim("bbbbb", ignore).unwrap();
    executor.append(&[record(7, 2, finished())]).unwrap();
    drop(executor);
    assert_eq!(
        journal.verify_all(Some(found.head)).unwrap().anchor,
        Anchor::Found,
        "what came later does not matter"
    );
    assert!(journal.verify("nobody", None).is_err());
}

#[test]
fn a_changed_event_is_named() {
    insta::assert_snapshot!(
        named("UPDATE events SET record = replace(record, 'reason 4', 'reason 5') WHERE run = 2 AND seq = 4"),
        @"run bbbbb: event 4 was changed"
    );
    insta::assert_snapshot!(
        named("UPDATE events SET hash = zeroblob(32) WHERE run = 1 AND seq = 6"),
        @"run aaaaa: event 6 was changed"
    );
    insta::assert_snapshot!(
        named("UPDATE events SET record = 'no json' WHERE run = 1 AND seq = 1"),
        @"run aaaaa: event 1 was changed"
    );
}

#[test]
fn a_missing_event_is_named() {
    insta::assert_snapshot!(named("DELETE FROM events WHERE run = 1 AND seq = 3"), @"run aaaaa: event 3 is missing");
    insta::assert_snapshot!(named("DELETE FROM events WHERE run = 2 AND seq = 6"), @"run bbbbb: event 6 is missing");
    insta::assert_snapshot!(named("DELETE FROM events WHERE run = 1 AND seq = 1"), @"run aaaaa: event 1 is missing");
    // The row is made to fit: the ledger still knows how the run ended.
    insta::assert_snapshot!(
        named(
            "DELETE FROM events WHERE run = 1 AND seq > 4;
             UPDATE runs SET last_seq = 4, head = (SELECT hash FROM events WHERE run = 1 AND seq = 4), state = 'unfinished',
                    forward = NULL, rollback = NULL, exit_code = NULL,
                    updated_ms = created_ms + 3 WHERE ordinal = 1"
        ),
        @"run aaaaa: event 6 is missing"
    );
}

#[test]
fn reordered_and_inserted_events_are_named() {
    insta::assert_snapshot!(
        named(
            "UPDATE events SET key = -key WHERE run = 2 AND seq = 3;
             UPDATE events SET key = key - 1 WHERE run = 2 AND seq = 4;
             UPDATE events SET key = 1 - key WHERE key < 0"
        ),
        @"run bbbbb: in the place of event 3 stands event 4"
    );
    insta::assert_snapshot!(
        named("INSERT INTO events (key, record, hash) SELECT key + 1, record, hash FROM events WHERE run = 2 AND seq = 6"),
        @"run bbbbb: event 7 was inserted after the last one"
    );
    // An event of another run, in its own place.
    insta::assert_snapshot!(
        named("UPDATE events SET (record, hash) = (SELECT record, hash FROM events WHERE run = 1 AND seq = 3)
               WHERE run = 2 AND seq = 3"),
        @"run bbbbb: event 3 was changed"
    );
}

#[test]
fn deleted_and_inserted_runs_are_named() {
    insta::assert_snapshot!(
        named("DELETE FROM events WHERE run = 2; DELETE FROM runs WHERE ordinal = 2"),
        @"run bbbbb was deleted"
    );
    insta::assert_snapshot!(
        named("DELETE FROM events WHERE run = 2; DELETE FROM runs WHERE ordinal = 2; DELETE FROM ledger WHERE run = 'bbbbb'"),
        @"entry 3 of the ledger of runs is missing"
    );
    insta::assert_snapshot!(
        named("UPDATE ledger SET head = zeroblob(32) WHERE n = 2"),
        @"entry 2 of the ledger of runs was changed; run aaaaa: event 6 is not the one that the ledger of runs has recorded"
    );
    insta::assert_snapshot!(
        named("DELETE FROM ledger WHERE n > 3"),
        @"run ccccc is not in the ledger of runs: it was inserted, or the ledger was cut"
    );
}

#[test]
fn a_quick_look_sees_a_deleted_run_and_whatever_the_newest_runs_have_suffered() {
    let folder = tempfile::tempdir().unwrap();
    let journal = three_runs(folder.path());
    let connection = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    assert_eq!(
        journal.verify_newest(2).unwrap().to_string().split(", head").next(),
        Some("consistent, unanchored: 2 runs, 12 events")
    );
    let look_after = |statements: &str| {
        connection.execute_batch(statements).unwrap();
        journal.verify_newest(1).unwrap().damage.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(look_after("UPDATE runs SET requester = 'eve' WHERE ordinal = 2"), [""; 0]);
    assert_eq!(
        look_after("UPDATE runs SET requester = 'eve' WHERE ordinal = 3"),
        ["run ccccc: its entry in the list of runs does not say what its events say"]
    );
    assert_eq!(
        look_after("DELETE FROM events WHERE run = 1; DELETE FROM runs WHERE ordinal = 1")[1],
        "run aaaaa was deleted"
    );
}

#[test]
fn a_list_that_says_something_else_and_a_changed_plan_are_named() {
    insta::assert_snapshot!(
        named("UPDATE runs SET requester = 'eve' WHERE ordinal = 1"),
        @"run aaaaa: its entry in the list of runs does not say what its events say"
    );
    insta::assert_snapshot!(
        named("UPDATE runs SET state = 'finished', forward = 'succeeded' WHERE ordinal = 2"),
        @"run bbbbb: its entry in the list of runs does not say what its events say"
    );
    insta::assert_snapshot!(
        named("UPDATE blobs SET content = CAST('rm -rf /' AS BLOB) WHERE content = CAST('name: golive' || char(10) AS BLOB)"),
        @"the stored plan p1 cannot be used: `golive.yaml` was changed"
    );
    insta::assert_snapshot!(named("DELETE FROM plans"), @"the stored plan p1 cannot be used: it is missing");
}

#[test]
fn whoever_reads_the_events_sees_no_changed_one() {
    let folder = tempfile::tempdir().unwrap();
    let journal = three_runs(folder.path());
    let connection = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    connection
        .execute_batch(
            "UPDATE events SET record = replace(record, 'reason 4', 'x') WHERE run = 2 AND seq = 4",
        )
        .unwrap();
    let read: Vec<_> = journal.events("bbbbb", 1).collect();
    assert!(read.last().unwrap().is_err(), "{read:?}");
    assert!(read.iter().filter_map(|r| r.as_ref().ok()).all(|record| record.seq < 4));
}
