//! Runs to write and read.

use std::collections::BTreeMap;

use runbook_journal::{Executor, Journal, PlanFile, PlanFileKind, StoredPlan, Wake};
use runbook_wire::{Body, Outline, Person, Record, Task};

pub(crate) fn ignore(_: Wake) {}

pub(crate) fn record(seq: u64, epoch: u32, body: Body) -> Record {
    Record { seq, wall_ms: 1_700_000_000_000 + seq, elapsed_ms: seq, epoch, body }
}

pub(crate) fn created(run: &str) -> Body {
    Body::RunCreated {
        run: run.to_owned(),
        runbook: "golive".to_owned(),
        file: "golive.yaml".to_owned(),
        plan: "p1".to_owned(),
        environment: Some("production".to_owned()),
        inputs: BTreeMap::new(),
        requester: Person { name: "ana".to_owned() },
        seed: u64::MAX,
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

pub(crate) fn fact(n: u64) -> Body {
    let task = Task { frame: 0, node: 1, path: format!("step_{n}") };
    Body::Skipped { task, attempt: 1, reason: format!("reason {n}") }
}

pub(crate) fn finished() -> Body {
    Body::Finished {
        forward: "succeeded".to_owned(),
        rollback: "none".to_owned(),
        exit_code: 0,
        outputs: BTreeMap::new(),
        no_outputs: BTreeMap::new(),
    }
}

pub(crate) fn plan() -> StoredPlan {
    let file = |kind, name: &str, content: &[u8]| PlanFile {
        kind,
        name: name.to_owned(),
        content: content.to_vec(),
    };
    StoredPlan {
        digest: "p1".to_owned(),
        outline: Outline { name: "golive".to_owned(), ..Outline::default() },
        files: vec![
            file(PlanFileKind::Source, "golive.yaml", b"name: golive\n"),
            file(PlanFileKind::Pinned, "check.sh", b"\xff\x00not text"),
        ],
    }
}

/// Makes a run, with its first record on the disk.
pub(crate) fn begin(journal: &Journal, run: &str, waker: impl Fn(Wake) + Send + Sync + 'static) -> Executor {
    let mut executor = journal.create(run, plan(), waker).unwrap();
    executor.append(&[record(1, 1, created(run))]).unwrap();
    executor.wait_durable(1).unwrap();
    executor
}
