//! Finding runs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use runbook_journal::{FindError, Journal, RunFilter, RunStatus, StatusFilter, run_id};
use runbook_wire::Body;

use crate::sample::{created, fact, finished, ignore, plan, record};

fn named(run: &str, name: &str) -> Body {
    let mut body = created(run);
    if let Body::RunCreated { runbook, .. } = &mut body {
        *runbook = name.to_owned();
    }
    body
}

/// a: finished; b: interrupted; c: stopped; d: running; e: finished, and then rolled back up to a point.
fn some_runs(journal: &Journal) -> runbook_journal::Executor {
    let begin = |run: &str, runbook: &str, rest: Vec<Body>| {
        let mut executor = journal.create(run, plan(), ignore).unwrap();
        let bodies = [vec![named(run, runbook)], rest].concat();
        let records: Vec<_> =
            bodies.into_iter().enumerate().map(|(n, body)| record(n as u64 + 1, 1, body)).collect();
        executor.append(&records).unwrap();
        executor.wait_durable(records.len() as u64).unwrap();
        executor
    };
    let started = Body::ExecutorStarted { pid: 1, host: "h".into(), resumed: true, gap_ms: 0 };
    drop(begin("a1111", "golive", vec![fact(2), finished()]));
    drop(begin("b2222", "golive", vec![fact(2)]));
    drop(begin("c3333", "other", vec![Body::ExecutorStopped { reason: "SIGTERM".into() }]));
    let running = begin("d4444", "golive", vec![]);
    drop(begin("e5555", "other", vec![finished(), started]));
    running
}

#[test]
fn runs_are_listed_newest_first_and_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let _running = some_runs(&journal);
    let list = |status, runbook: Option<&str>, limit| {
        let filter = RunFilter { status, runbook: runbook.map(str::to_owned), before: None, limit };
        journal.runs(&filter).unwrap().into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let all = ["e5555", "d4444", "c3333", "b2222", "a1111"];
    assert_eq!(list(None, None, 10), all);
    assert_eq!(list(None, None, 2), all[..2]);
    assert_eq!(list(None, Some("golive"), 10), ["d4444", "b2222", "a1111"]);
    assert_eq!(list(Some(StatusFilter::Unfinished), None, 10), all[..4]);
    assert_eq!(list(Some(StatusFilter::Running), None, 10), ["d4444"]);
    assert_eq!(list(Some(StatusFilter::Stopped), None, 10), ["c3333"]);
    assert_eq!(list(Some(StatusFilter::Interrupted), None, 10), ["e5555", "b2222"]);
    assert_eq!(list(Some(StatusFilter::Interrupted), None, 1), ["e5555"]);
    assert_eq!(list(Some(StatusFilter::Interrupted), Some("golive"), 1), ["b2222"], "beyond the first page");
    assert_eq!(list(Some(StatusFilter::Finished), None, 10), ["a1111"]);
    assert_eq!(list(Some(StatusFilter::FinishedAs("succeeded".into())), None, 10), ["a1111"]);
    assert_eq!(list(Some(StatusFilter::FinishedAs("failed".into())), None, 10), [""; 0]);
    let third = journal.run("c3333").unwrap().unwrap().ordinal;
    let filter = RunFilter { status: None, runbook: None, before: Some(third), limit: 10 };
    assert_eq!(journal.runs(&filter).unwrap().len(), 2);
}

#[test]
fn a_run_that_ends_while_it_is_looked_at_never_looks_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let reader = Journal::open_read_only(folder.path()).unwrap();
            let all = RunFilter { status: None, runbook: None, before: None, limit: 5 };
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::SeqCst) {
                for run in reader.runs(&all).unwrap() {
                    assert_ne!(run.status, RunStatus::Interrupted, "{}", run.id);
                    seen.insert(matches!(run.status, RunStatus::Running(_)));
                }
            }
            assert_eq!(seen.len(), 2, "some were running, some had ended");
        });
        for n in 0..60 {
            let run = format!("a{n:04}");
            let mut executor = journal.create(&run, plan(), ignore).unwrap();
            executor.append(&[record(1, 1, created(&run))]).unwrap();
            executor.wait_durable(1).unwrap();
            executor.append(&[record(2, 1, finished())]).unwrap();
        }
        over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_run_is_found_by_what_somebody_types() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for run in ["k7f3q", "k7f4q", "k7", "m0111"] {
        let mut executor = journal.create(run, plan(), ignore).unwrap();
        executor.append(&[record(1, 1, created(run))]).unwrap();
    }
    let find = |typed: &str| journal.find(typed).map(|run| run.id).map_err(|error| error.to_string());
    assert_eq!(find("k7f3q").unwrap(), "k7f3q");
    assert_eq!(find("K7F3").unwrap(), "k7f3q");
    assert_eq!(find("k7").unwrap(), "k7", "a whole id wins");
    assert_eq!(find("moli").unwrap(), "m0111");
    insta::assert_snapshot!(find("k7f").unwrap_err(), @"`k7f` could be any of the runs k7f4q, k7f3q");
    insta::assert_snapshot!(find("k7f3x").unwrap_err(), @"there is no run `k7f3x`; did you mean `k7f3q`?");
    insta::assert_snapshot!(find("zzzzz").unwrap_err(), @"there is no run `zzzzz`");
    insta::assert_snapshot!(find("../x").unwrap_err(), @"there is no run `../x`");
    insta::assert_snapshot!(find("").unwrap_err(), @"there is no run ``");
    assert!(
        matches!(journal.find("k7f"), Err(FindError::Ambiguous { candidates, .. }) if candidates.len() == 2)
    );
}

#[test]
fn ids_are_unmistakable() {
    for byte in 0..=u8::MAX {
        let id = run_id(&[byte; 7]);
        assert_eq!(id.len(), 7);
        assert!(id.starts_with(|c: char| c.is_ascii_lowercase()), "{id} must not read as a number");
        assert!(!id.contains(['i', 'l', 'o', 'u']), "{id}");
    }
    assert_eq!(run_id(b"\x09\x07\x0f\x03\x17"), "k7f3q");
}
