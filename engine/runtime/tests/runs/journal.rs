//! When the journal fails, everything stops.

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
  - {id: b, uses: stage.put, with: {name: b}}
  - {id: told, uses: stage.tell, with: {name: told}}
",
    );
    // At the moment of each effect, the journal as another process would find it after a crash.
    let execution = world.create(world.host()).await;
    let run = execution.run().to_owned();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    for name in ["a", "b", "told"] {
        let (seen, run, state) = (std::sync::Arc::clone(&seen), run.clone(), world.state());
        stage.when_put(name, move || {
            let journal = runbook_journal::Journal::open_read_only(&state).unwrap();
            let last = journal.events(&run, 1).last().unwrap().unwrap();
            seen.lock().unwrap().push(match last.body {
                runbook_wire::Body::Started { task, .. } => task.path,
                other => format!("{other:?}"),
            });
        });
    }
    assert_eq!(drive(execution).await.outcome.exit, Exit::Succeeded);
    assert_eq!(*seen.lock().unwrap(), ["a", "b", "told"]);
}
