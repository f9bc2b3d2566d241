//! Stored journals of every format that was released: opened, brought up to date, checked, and gone on with.

use std::time::Duration;

use runbook_journal::{Fate, Journal, LockHolder, RunStatus};
use runbook_wire::{Body, Record};

const FORMATS: [&str; 1] = [include_str!("../journals/1.sql")];

#[test]
fn an_unfinished_run_of_every_format_can_be_finished() {
    for (at, dump) in FORMATS.iter().enumerate() {
        let format = at + 1;
        let folder = tempfile::tempdir().unwrap();
        let connection = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.execute_batch(dump).unwrap();
        drop(connection);

        let journal = Journal::open(folder.path()).unwrap();
        let found = journal.verify_all(None).unwrap();
        assert_eq!((found.runs, found.events, found.damage), (2, 7, vec![]), "format {format}");
        let status = |run: &str| journal.run(run).unwrap().unwrap().status;
        let succeeded =
            RunStatus::Finished { forward: "succeeded".into(), rollback: "none".into(), exit_code: 0 };
        assert_eq!(
            (status("k7f3q"), status("m2x9a")),
            (succeeded, RunStatus::Interrupted),
            "format {format}"
        );
        let plan = journal.plan("9f2c0a61d7").unwrap().unwrap();
        let files: Vec<_> = plan.files.iter().map(|file| (file.name.as_str(), file.content.len())).collect();
        assert_eq!(
            (plan.outline.name.as_str(), files),
            ("blue_green", vec![("blue_green.yaml", 17), ("check.sh", 17)])
        );
        let lock = LockHolder {
            name: "deploy/production/shop".into(),
            run: "m2x9a".into(),
            reason: "blue_green v1.4.2".into(),
            since_ms: 1_793_900_002_000,
        };
        assert_eq!(journal.locks().unwrap(), [lock]);
        let inbox = journal.inbox("m2x9a").unwrap();
        assert_eq!(inbox.len(), 1);

        let mut executor = journal.claim("m2x9a", |_| {}).unwrap();
        assert_eq!((executor.epoch(), executor.next_seq()), (2, 5));
        let last = Record {
            seq: 5,
            wall_ms: 1_793_900_010_000,
            elapsed_ms: 10_000,
            epoch: 2,
            body: Body::Finished {
                forward: "failed".into(),
                rollback: "complete".into(),
                exit_code: 20,
                outputs: [].into(),
                no_outputs: [].into(),
            },
        };
        executor.append_taking(&[last], &[inbox[0].id]).unwrap();
        drop(executor);
        assert_eq!(journal.fate("m2x9a", inbox[0].id, Duration::ZERO).unwrap(), Fate::Taken { seq: 5 });
        assert_eq!(journal.locks().unwrap(), []);
        assert_eq!(journal.verify_all(None).unwrap().damage, [], "format {format}");
    }
}
