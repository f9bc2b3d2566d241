//! When the journal fails, everything stops.

use std::sync::{Arc, Mutex};

use runbook_runtime::Exit;

use crate::stage::{Stage, Way};
use crate::world::{World, drive};

#[tokio::test(start_paused = true)]
async fn nothing_new_starts_after_a_fault() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: fault
steps:
  - id: both
    parallel: true
    steps:
      - {id: a, uses: stage.put, with: {name: a}}
      - {id: hangs, uses: stage.put, with: {name: hangs}}
  - {id: b, uses: stage.put, with: {name: b}}
",
    );
    stage.next("hangs", &[Way::Hangs]);
    let database = world.state().join("journal.db");
    stage.when_put("a", move || {
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection.execute_batch("ALTER TABLE events RENAME TO elsewhere").unwrap();
    });
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::JournalFault);
    assert_eq!(ran.outcome.exit.code(), 31);
    assert!(ran.outcome.reason.unwrap().contains("events"), "the reason is the store's");
    let mut done = stage.done();
    done.sort();
    assert_eq!(done, ["do a", "do hangs"], "what hung was ended, and nothing came after it");
}

/// While the journal cannot be written, nothing is changed; what reads goes on.
#[tokio::test(start_paused = true)]
async fn a_write_waits_for_its_intent_to_be_on_disk() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: barrier
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - id: both
    parallel: true
    steps:
      - {id: b, uses: stage.put, with: {name: b}}
      - id: reads
        steps:
          - {id: first, uses: stage.look, with: {name: nothing}}
          - {id: second, uses: stage.look, with: {name: a}}
  - {id: told, uses: stage.tell, with: {name: told}}
",
    );
    // At the moment of each effect: does the journal, as another process would find it after a crash, know of it?
    let execution = world.create(world.host()).await;
    let (run, state) = (execution.run().to_owned(), world.state());
    let is_known = move |name: &str| {
        let journal = runbook_journal::Journal::open_read_only(&state).unwrap();
        let known = journal.events(&run, 1).any(|record| {
            matches!(record.unwrap().body, runbook_wire::Body::Started { task, .. } if task.path.ends_with(name))
        });
        format!("{name} {known}")
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let busy = Arc::new(Mutex::new(None));
    for name in ["a", "b", "told"] {
        let (seen, is_known) = (Arc::clone(&seen), is_known.clone());
        let (busy, database) = (Arc::clone(&busy), world.state().join("journal.db"));
        stage.when_put(name, move || {
            seen.lock().unwrap().push(is_known(name));
            if name == "a" {
                // From now on the executor's commits wait for us.
                let connection = rusqlite::Connection::open(&database).unwrap();
                connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                *busy.lock().unwrap() = Some(connection);
            }
        });
    }
    let told = Arc::clone(&seen);
    stage.when_looked_at("a", move || {
        told.lock().unwrap().push("free".to_owned());
        drop(busy.lock().unwrap().take());
    });
    assert_eq!(drive(execution).await.outcome.exit, Exit::Succeeded);
    assert_eq!(*seen.lock().unwrap(), ["a true", "free", "b true", "told true"]);
}
