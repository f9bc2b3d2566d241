//! What the journal costs, on the disk it is given: `cargo run --release -p runbook-journal --example cost [FOLDER]`.
//!
//! `docs/design/journal.md` quotes its output.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not a part of the program")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runbook_journal::{Executor, Journal, RunFilter, StoredPlan, Wake};
use runbook_wire::{Body, Outline, Person, Record, Result, Task};
use serde_json::json;

fn record(seq: u64, epoch: u32, body: Body) -> Record {
    Record { seq, wall_ms: 1_790_000_000_000 + seq, elapsed_ms: seq, epoch, body }
}

fn created(run: &str) -> Body {
    Body::RunCreated {
        run: run.to_owned(),
        runbook: "golive".to_owned(),
        file: "runbooks/golive.yaml".to_owned(),
        plan: "p".to_owned(),
        environment: Some("production".to_owned()),
        inputs: BTreeMap::from([("version".to_owned(), json!("v1.2.3"))]),
        requester: Person { name: "ana".to_owned() },
        seed: 7,
        semantics: 1,
        version: "0.1.0".to_owned(),
        unattended: false,
        root: String::new(),
        request: serde_json::Value::Null,
        max_parallel: None,
        answers: None,
        answers_file: None,
    }
}

fn ended(seq: u64) -> Body {
    Body::Ended {
        task: Task { frame: 0, node: seq as u32, path: format!("group.step_{seq}") },
        attempt: 1,
        result: Result::Done,
        outputs: BTreeMap::from([("status".to_owned(), json!(200)), ("body".to_owned(), json!("healthy"))]),
        masked: Vec::new(),
        note: Some("200 in 12 ms".to_owned()),
        warning: None,
        failure: None,
        log: None,
    }
}

fn plan() -> StoredPlan {
    let outline = Outline { name: "golive".to_owned(), ..Outline::default() };
    StoredPlan { digest: "p".to_owned(), outline, files: Vec::new() }
}

fn ignore(_: Wake) {}

fn row(what: &str, each: Duration) {
    println!("{what:<60} {:>9.1} µs", each.as_secs_f64() * 1e6);
}

/// The median of several measurements.
fn median(count: usize, mut one: impl FnMut(usize) -> Duration) -> Duration {
    let mut times: Vec<_> = (0..count).map(&mut one).collect();
    times.sort();
    times[count / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let result = work();
    (begun.elapsed(), result)
}

/// Appends `count` events in batches, waiting for the disk with at most `ahead` batches under way; per event.
fn append(executor: &mut Executor, count: u64, batch: u64, ahead: u64) -> Duration {
    let (time, ()) = timed(|| {
        for _ in 0..count / batch {
            let next = executor.next_seq();
            let events: Vec<_> =
                (next..next + batch).map(|seq| record(seq, executor.epoch(), ended(seq))).collect();
            executor.append(&events).unwrap();
            executor.wait_durable((next + batch - 1).saturating_sub(ahead * batch)).unwrap();
        }
        executor.wait_durable(executor.next_seq() - 1).unwrap();
    });
    time / count as u32
}

fn main() {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("target/journal-cost"), PathBuf::from);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    row("yardstick: append 400 bytes to a file, fdatasync", yardstick(&folder.join("yardstick")));
    row("make a new journal", timed(|| drop(Journal::open(&folder).unwrap())).0);
    processes(&folder);

    let journal = Journal::open(&folder).unwrap();
    let mut executor = journal.create("bench", plan(), ignore).unwrap();
    executor.append(&[record(1, 1, created("bench"))]).unwrap();
    row("an event, each waited for", append(&mut executor, 2_000, 1, 0));
    row("an event, in batches of 50, each waited for", append(&mut executor, 20_000, 50, 0));
    row("an event, one by one, up to 50 ahead of the disk", append(&mut executor, 20_000, 1, 50));
    let events = executor.next_seq() - 1;
    drop(executor);
    let (time, read) = timed(|| journal.events("bench", 1).filter(|event| event.is_ok()).count() as u64);
    assert_eq!(read, events);
    row("read an event, with its hash", time / events as u32);

    many_runs(&folder, 100_000);
    let newest = RunFilter { status: None, runbook: None, before: None, limit: 20 };
    let reader = || Journal::open_read_only(&folder).unwrap();
    row(
        "open, and list the newest 20 of 100,000 runs",
        median(21, |_| timed(|| reader().runs(&newest).unwrap()).0),
    );
    row("open, and find a run among them by 4 characters", median(21, |_| timed(|| reader().find("k7f3")).0));
}

fn yardstick(path: &Path) -> Duration {
    let mut file = std::fs::File::create(path).unwrap();
    median(501, |_| {
        timed(|| {
            file.write_all(&[b'x'; 400]).unwrap();
            file.sync_data().unwrap();
        })
        .0
    })
}

/// What one short process pays: opening, a run of six events in three commits, closing.
fn processes(folder: &Path) {
    let mut parts: [Vec<Duration>; 4] = Default::default();
    for n in 0..201 {
        let (open, journal) = timed(|| Journal::open(folder).unwrap());
        let run = format!("p{n:04}");
        let (create, mut executor) = timed(|| {
            let mut executor = journal.create(&run, plan(), ignore).unwrap();
            executor.append(&[record(1, 1, created(&run)), record(2, 1, ended(2))]).unwrap();
            executor.wait_durable(2).unwrap();
            executor
        });
        let (work, ()) = timed(|| {
            for seq in [3, 5] {
                executor.append(&[record(seq, 1, ended(seq)), record(seq + 1, 1, ended(seq))]).unwrap();
                executor.wait_durable(seq + 1).unwrap();
            }
        });
        let (close, ()) = timed(|| {
            drop(executor);
            drop(journal);
        });
        for (part, time) in parts.iter_mut().zip([open, create, work, close]) {
            part.push(time);
        }
    }
    let names = ["open a journal that is there", "create a run, first commit", "two more commits", "close"];
    for (name, part) in names.iter().zip(&mut parts) {
        part.sort();
        row(name, part[part.len() / 2]);
    }
}

/// Copies the last run's row many times.
fn many_runs(folder: &Path, count: u32) {
    let connection = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
    connection
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
             INSERT INTO runs (id, runbook, file, plan, environment, requester, created_ms, updated_ms, epoch, last_seq,
                               head, state, forward, rollback, exit_code)
             SELECT printf('%s%06d', substr('abcdefghjkmnpqrs', 1 + i % 16, 1), i), runbook, file, plan, environment,
                    requester, created_ms, updated_ms, 1, 1, head, 'finished', 'succeeded', 'none', 0
             FROM n, runs WHERE runs.id = 'bench';
             INSERT INTO runs SELECT NULL, 'k7f3q', runbook, file, plan, environment, requester, created_ms, updated_ms,
                    1, 1, head, 'finished', NULL, 'succeeded', 'none', 0 FROM runs WHERE id = 'bench'"
        ))
        .unwrap();
}
