//! Acting on a run: cancel, stop, pause, roll back; from this process and through the inbox.

use std::time::Duration;

use runbook_journal::{Fate, Journal};
use runbook_runtime::Exit;
use runbook_wire::{Body, Message, Person, Request};

use crate::stage::{Stage, Way};
use crate::world::{World, drive, drive_with, lines};

fn ana(request: Request) -> Message {
    Message { by: Person { name: "ana".into() }, request }
}

const STEPS: &str = "
apiVersion: runbook/v1
name: steps
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - {id: b, uses: stage.put, with: {name: b}}
  - {id: rest, wait: {for: 1h}}
  - {id: c, uses: stage.put, with: {name: c}}
";

fn steps(stage: &Stage) -> World {
    World::new(stage.registry()).file("main.yaml", STEPS)
}

fn started(record: &runbook_wire::Record, path: &str) -> bool {
    matches!(&record.body, Body::Started { task, .. } if task.path == path)
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_wait_and_rolls_back() {
    let stage = Stage::default();
    let world = steps(&stage);
    let execution = world.create(world.host()).await;
    let control = execution.control();
    let ran = drive_with(execution, move |record| {
        if started(record, "rest") {
            let control = control.clone();
            tokio::spawn(async move {
                control.send(ana(Request::Cancel { reason: "enough".into() })).await.unwrap();
                let again = control.send(ana(Request::Cancel { reason: "enough".into() })).await;
                assert!(again.is_err(), "it is being rolled back, or over");
            });
        }
    })
    .await;
    assert_eq!(ran.outcome.exit, Exit::RolledBack);
    assert_eq!(stage.done(), ["do a", "do b", "undo b", "undo a"]);
    assert!(ran.records.iter().any(|record| matches!(&record.body,
        Body::Finished { forward, .. } if forward == "cancelled")));
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_the_run_to_be_resumed() {
    let stage = Stage::default();
    let world = steps(&stage);
    let execution = world.create(world.host()).await;
    let control = execution.control();
    let ran = drive_with(execution, move |record| {
        if started(record, "rest") {
            control.stop(Some(15));
        }
    })
    .await;
    assert_eq!(ran.outcome.exit.code(), 143);
    assert!(lines(&ran.records).ends_with("stopped: stopped by signal 15\n"));
    let ran = drive(world.open(&ran.outcome.run).await).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
    assert_eq!(stage.done(), ["do a", "do b", "do c"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_a_stop_cuts_short_is_looked_for_on_resume() {
    let stage = Stage::default();
    stage.next("b", &[Way::Hangs]);
    let world = steps(&stage);
    let execution = world.create(world.host()).await;
    let control = execution.control();
    let ran = drive_with(execution, move |record| {
        if started(record, "b") {
            control.stop(Some(2));
        }
    })
    .await;
    assert_eq!(ran.outcome.exit.code(), 130);
    let ran = drive(world.open(&ran.outcome.run).await).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded, "{}", lines(&ran.records));
    assert_eq!(stage.done(), ["do a", "do b", "do c"]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_starts_nothing_until_it_goes_on() {
    let stage = Stage::default();
    let world = steps(&stage);
    let execution = world.create(world.host()).await;
    let control = execution.control();
    let ran = drive_with(execution, move |record| {
        let request = match &record.body {
            Body::Started { task, .. } if task.path == "rest" => Request::Pause,
            Body::Fired { .. } => Request::Unpause,
            _ => return,
        };
        let control = control.clone();
        tokio::spawn(async move { control.send(ana(request)).await });
    })
    .await;
    let told = lines(&ran.records);
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("no `{text}` in\n{told}"));
    assert!(
        at("Paused") < at("rest fired")
            && at("rest fired") < at("Unpaused")
            && at("Unpaused") < at("c started")
    );
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_succeeded_can_be_rolled_back_later() {
    let stage = Stage::default();
    let world = steps(&stage);
    let run = world.run().await.outcome.run;
    let ended = world.journal(&run);
    // Looking at it does not begin it again.
    assert_eq!(drive(world.open(&run).await).await.outcome.exit, Exit::Succeeded);
    assert_eq!(world.journal(&run), ended);

    let mut execution = world.open(&run).await;
    assert!(execution.request(ana(Request::Rollback { to: Some("no".into()) })).is_err());
    execution.request(ana(Request::Rollback { to: Some("a".into()) })).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded, "{}", lines(&ran.records));
    assert_eq!(stage.there(), ["a"]);
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=true
    RollbackRequested { by: Person { name: "ana" }, to: Some(Task { frame: 0, node: 0, path: "a" }) }
    b Verify Pass the effect is there
    c Verify Pass the effect is there
    c.undo started
    c.undo done
    b.undo started
    b.undo done
    finished succeeded partial 0 {}
    "#);

    let mut execution = world.open(&run).await;
    execution.request(ana(Request::Rollback { to: None })).unwrap();
    assert_eq!(drive(execution).await.outcome.exit, Exit::Succeeded);
    assert_eq!(stage.done(), ["do a", "do b", "do c", "undo c", "undo b", "undo a"]);

    let mut execution = world.open(&run).await;
    let refusal = execution.request(ana(Request::Rollback { to: None })).unwrap_err();
    assert_eq!(refusal.message, "there is nothing left to undo");
}

#[tokio::test]
async fn the_inbox_is_read_when_somebody_rings() {
    let stage = Stage::default();
    let world = steps(&stage);
    let execution = world.create(world.host()).await;
    let run = execution.run().to_owned();
    let other = Journal::open(&world.state()).unwrap();
    let (fates, received) = std::sync::mpsc::channel();
    let ran = drive_with(execution, {
        let run = run.clone();
        let mut left = Vec::new();
        move |record| match &record.body {
            Body::Started { task, .. } if task.path == "b" => {
                for request in [Request::Unpause, Request::Cancel { reason: "no".into() }] {
                    left.push(other.leave(&run, &ana(request), 1).unwrap().0);
                }
            }
            Body::Finished { .. } => {
                for entry in left.drain(..) {
                    fates.send(other.fate(&run, entry, Duration::ZERO).unwrap()).unwrap();
                }
            }
            _ => {}
        }
    })
    .await;
    assert_eq!(ran.outcome.exit, Exit::RolledBack, "{}", lines(&ran.records));
    let fates: Vec<Fate> = received.iter().collect();
    assert_eq!(fates[0], Fate::Refused { reason: "the run is not paused".into() });
    let Fate::Taken { seq } = fates[1] else { panic!("{fates:?}") };
    assert!(matches!(ran.records[seq as usize - 1].body, Body::CancelRequested { .. }));
}
