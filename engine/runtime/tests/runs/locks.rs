//! Named locks between runs.

use runbook_runtime::{Execution, Exit};
use runbook_wire::{Body, Message, Person, Request};

use crate::stage::Stage;
use crate::world::{World, drive, drive_with, lines};

fn world(stage: &Stage, policy: &str) -> World {
    let text = format!(
        "
apiVersion: runbook/v1
name: locked
locks: [{{name: deploy/shop, {policy}}}]
steps:
  - {{id: a, uses: stage.put, with: {{name: a}}}}
  - {{id: rest, wait: {{for: 1h}}}}
finally:
  - {{uses: stage.tell, with: {{name: told}}}}
"
    );
    World::new(stage.registry()).file("main.yaml", &text)
}

/// A run that has the lock and is stopped in the middle, and a second one.
async fn second(policy: &str) -> (World, String, Execution) {
    let world = world(&Stage::default(), policy);
    let first = world.create(world.host()).await;
    let control = first.control();
    let first = drive_with(first, move |record| {
        if matches!(&record.body, Body::Started { task, .. } if task.path == "rest") {
            control.stop(Some(15));
        }
    })
    .await;
    let mut host = world.host();
    host.entropy = [9; 32];
    let second = world.create(host).await;
    (world, first.outcome.run, second)
}

#[tokio::test(start_paused = true)]
async fn one_that_will_not_wait_fails() {
    let (_world, _, second) = second("if_held: fail").await;
    let ran = drive(second).await;
    assert_eq!(ran.outcome.exit, Exit::Locked);
    insta::assert_snapshot!(lines(&ran.records), @"
    executor resumed=false
    refused deploy/shop, held by h7777 (locked by ana), skip=false
    finished locked none 30 {}
    ");
    assert_eq!(ran.outcome.reason.unwrap(), "lock `deploy/shop` is held by run h7777 (locked by ana)");
}

#[tokio::test(start_paused = true)]
async fn one_that_skips_does_nothing_and_is_content() {
    let (_world, _, second) = second("if_held: skip").await;
    let ran = drive(second).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
    insta::assert_snapshot!(lines(&ran.records), @"
    executor resumed=false
    refused deploy/shop, held by h7777 (locked by ana), skip=true
    finished skipped none 0 {}
    ");
}

#[tokio::test(start_paused = true)]
async fn one_that_has_waited_long_enough_fails() {
    let (_world, _, second) = second("if_held: wait, timeout: 10m").await;
    let ran = drive(second).await;
    assert_eq!(ran.outcome.exit, Exit::Locked);
    assert_eq!(ran.records.last().unwrap().elapsed_ms, 600_000);
    insta::assert_snapshot!(lines(&ran.records), @"
    executor resumed=false
    waits 600000 ms for deploy/shop, held by h7777 (locked by ana)
    refused deploy/shop, held by h7777 (locked by ana), skip=false
    finished locked none 30 {}
    ");
    assert!(ran.outcome.reason.unwrap().ends_with("and was not freed in time"));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_waits_no_more() {
    let (_world, _, second) = second("if_held: wait, timeout: 10m").await;
    let control = second.control();
    let ran = drive_with(second, move |record| {
        if matches!(&record.body, Body::LockAwaited { .. }) {
            let control = control.clone();
            let request = Request::Cancel { reason: "enough".into() };
            let message = Message { by: Person { name: "ben".into() }, request };
            tokio::spawn(async move { control.send(message).await });
        }
    })
    .await;
    assert_eq!(ran.outcome.exit, Exit::RolledBack);
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    waits 600000 ms for deploy/shop, held by h7777 (locked by ana)
    CancelRequested { by: Person { name: "ben" }, reason: "enough" }
    finished cancelled nothing_to_undo 20 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_stopped_while_it_waited_goes_on_waiting_no_longer_than_it_would_have() {
    let (world, _, second) = second("if_held: wait, timeout: 10m").await;
    let control = second.control();
    let ran = drive_with(second, move |record| {
        if matches!(&record.body, Body::LockAwaited { .. }) {
            control.stop(Some(15));
        }
    })
    .await;
    let ran = drive(world.open(&ran.outcome.run).await).await;
    assert_eq!(ran.outcome.exit, Exit::Locked);
    assert_eq!(ran.records.last().unwrap().elapsed_ms, 600_000);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_has_ended_is_rolled_back_only_with_its_locks() {
    let stage = Stage::default();
    let world = world(&stage, "if_held: skip");
    let first = world.run().await.outcome.run;
    assert_eq!(stage.done(), ["do a", "do told"]);
    let mut host = world.host();
    host.entropy = [9; 32];
    let other = world.create(host).await;
    let control = other.control();
    let other = drive_with(other, move |record| {
        if matches!(&record.body, Body::Started { task, .. } if task.path == "rest") {
            control.stop(Some(15));
        }
    })
    .await;

    let before = world.journal(&first);
    let rollback = || Message { by: Person { name: "ana".into() }, request: Request::Rollback { to: None } };
    let mut execution = world.open(&first).await;
    execution.request(rollback()).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Locked);
    assert!(ran.outcome.reason.unwrap().contains(&format!("held by run {}", other.outcome.run)));
    assert_eq!(world.journal(&first), before);

    let mut execution = world.open(&other.outcome.run).await;
    let request = Request::Cancel { reason: "make way".into() };
    execution.request(Message { by: Person { name: "ana".into() }, request }).unwrap();
    drive(execution).await;
    // Both put the same thing.
    stage.things().there.insert("a".to_owned());
    let mut execution = world.open(&first).await;
    execution.request(rollback()).unwrap();
    let ran = drive(execution).await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=true
    LockTaken { name: "deploy/shop" }
    RollbackRequested { by: Person { name: "ana" }, to: None }
    a Verify Pass the effect is there
    a.undo started
    a.undo done
    finished succeeded complete 0 {}
    "#);
}

#[tokio::test]
async fn one_that_waits_gets_it_when_it_is_freed() {
    let (world, first, second) = second("if_held: wait, timeout: 3h").await;
    let mut first = world.open(&first).await;
    let request = Request::Cancel { reason: "make way".into() };
    first.request(Message { by: Person { name: "ana".into() }, request }).unwrap();
    let control = second.control();
    let (first, second) = tokio::join!(
        drive(first),
        drive_with(second, move |record| {
            // It has the lock and goes on; nobody wants to wait for its rest.
            if matches!(&record.body, Body::Started { task, .. } if task.path == "rest") {
                control.stop(Some(15));
            }
        })
    );
    assert_eq!(first.outcome.exit, Exit::RolledBack);
    let told = lines(&second.records);
    assert!(told.contains("LockTaken { name: \"deploy/shop\" }\na started\n"), "{told}");
}
