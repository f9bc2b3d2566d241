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

#[tokio::test(start_paused = true)]
async fn a_rollback_that_only_looks_yet_is_called_off() {
    let stage = Stage::default();
    let world = steps(&stage);
    let run = world.run().await.outcome.run;
    stage.things().there.remove("c");
    let mut execution = world.open(&run).await;
    execution.request(ana(Request::Rollback { to: None })).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::WaitingForPerson);
    let told = lines(&ran.records);
    assert!(
        told.contains("asked: The effect of `c` is not there any more: c is not there. Undo it all"),
        "{told}"
    );
    let mut execution = world.open(&run).await;
    execution.request(ana(Request::Cancel { reason: "not that".into() })).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded, "{}", lines(&ran.records));
    assert_eq!(stage.done(), ["do a", "do b", "do c"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_undone_as_a_whole_is_looked_at_by_its_own_verify() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: whole
steps:
  - id: g
    steps: [{id: a, uses: stage.put, with: {name: a}}]
    verify: {uses: stage.seen, with: {name: a}, within: 0s}
    rollback: {uses: stage.blind, with: {name: gone}}
",
    );
    let run = world.run().await.outcome.run;
    let mut execution = world.open(&run).await;
    execution.request(ana(Request::Rollback { to: None })).unwrap();
    let ran = drive(execution).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded, "{}", lines(&ran.records));
    assert_eq!(stage.done(), ["do a", "do gone"]);
}

#[tokio::test(start_paused = true)]
async fn an_output_of_the_run_that_cannot_be_computed_is_named_with_the_reason() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: outputs
steps:
  - {id: a, uses: stage.put, with: {name: a}}
outputs: {put: '${{ steps.a.outputs.put }}', per: '${{ 1 // steps.a.outputs.before }}'}
",
    );
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::SucceededWithFailures);
    let told = lines(&ran.records);
    assert!(
        told.contains("finished succeeded_with_failures none 3 {\"per\":null,\"put\":\"a\"} no per: "),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_leaves_something_open_is_not_run() {
    let world = steps(&Stage::default());
    let plan = world.plan_of(runbook_plan::Request {
        file: "main.yaml".into(),
        incomplete: true,
        ..Default::default()
    });
    let refused = runbook_runtime::Execution::create(world.host(), plan, Default::default()).await;
    assert!(matches!(refused.err().unwrap(), runbook_runtime::ExecutionError::Incomplete));
}

#[tokio::test]
async fn what_is_nested_too_deep_to_be_recorded_fails_its_step() {
    let stage = Stage::default();
    let deep = format!("{}1{}", "[".repeat(101), "]".repeat(101));
    let text = format!(
        "
apiVersion: runbook/v1
name: deep
steps:
  - {{id: a, uses: stage.put, with: {{name: a}}}}
  - id: deep
    env: {{DEEP: '{{\"x\": {deep}}}'}}
    run: printf %s \"$DEEP\"
    stdout: json
    effect: read
    outputs: {{x: list}}
"
    );
    let world = World::new(stage.registry()).file("main.yaml", &text);
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::RolledBack, "{:?}", ran.outcome);
    let told = lines(&ran.records);
    assert!(told.contains("its outputs hold `x`, which is nested deeper than 100 levels"), "{told}");
}
