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
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    CancelRequested { by: Person { name: "ana" }, reason: "lock `deploy/shop` is held by run h7777 (locked by ana)" }
    finished cancelled nothing_to_undo 30 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn one_that_skips_does_nothing_and_is_content() {
    let (_world, _, second) = second("if_held: skip").await;
    let ran = drive(second).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
    assert!(!lines(&ran.records).contains("started\n"), "{}", lines(&ran.records));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_waited_long_enough_fails() {
    let (_world, _, second) = second("if_held: wait, timeout: 10m").await;
    let ran = drive(second).await;
    assert_eq!(ran.outcome.exit, Exit::Locked);
    assert_eq!(ran.records.last().unwrap().elapsed_ms, 600_000);
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
