//! What fails: rollback, doubt, time that is over, guards.

use runbook_runtime::Exit;

use crate::stage::{Stage, Way};
use crate::world::{World, lines};

/// Three things, one after the other, with a word at the end.
const THREE: &str = "
apiVersion: runbook/v1
name: three
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - {id: b, uses: stage.put, with: {name: b}}
  - {id: c, uses: stage.put, with: {name: c}}
finally:
  - {uses: stage.tell, with: {name: 'told ${{ run.status }} ${{ rollback.status }}'}}
";

fn three(stage: &Stage) -> World {
    World::new(stage.registry()).file("main.yaml", THREE)
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_undone_in_reverse() {
    let stage = Stage::default();
    stage.next("c", &[Way::Failed]);
    let ran = three(&stage).run().await;
    assert_eq!(ran.outcome.exit, Exit::RolledBack);
    assert_eq!(
        stage.done(),
        ["do a", "do b", "do c", "undo c", "undo b", "undo a", "do told failed complete"]
    );
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    a started
    a done {"before":0,"put":"a"}
    b started
    b done {"before":1,"put":"b"}
    c started
    c failed error: it broke half-way
    c.undo started
    c.undo done
    b.undo started
    b.undo done
    a.undo started
    a.undo done
    finally[0] started
    finally[0] done
    finished failed complete 20 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn finally_is_told_that_something_stays_which_was_not_declared_to() {
    let irreversible = "irreversible: it is gone";
    let declared = "rollback: none, reason: it may stay";
    for (undo, status) in [(irreversible, "partial"), (declared, "complete")] {
        let stage = Stage::default();
        stage.next("c", &[Way::NotDone]);
        let put = "  - {id: b, uses: stage.put, with: {name: b}";
        let text = THREE.replace(&format!("{put}}}"), &format!("{put}, {undo}}}"));
        let ran = World::new(stage.registry()).file("main.yaml", &text).run().await;
        assert_eq!(ran.outcome.exit, Exit::RolledBack);
        assert_eq!(stage.done(), ["do a", "do b", "undo a", &format!("do told failed {status}")]);
        assert!(lines(&ran.records).ends_with(&format!("finished failed {status} 20 {{}}\n")));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_makes_a_rollback_partial_and_is_21() {
    let stage = Stage::default();
    stage.next("c", &[Way::NotDone]);
    let text = "
apiVersion: runbook/v1
name: kept
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - id: g
    on_failure: {rollback: none}
    steps:
      - {id: b, uses: stage.put, with: {name: b}}
      - {id: c, uses: stage.put, with: {name: c}}
";
    let ran = World::new(stage.registry()).file("main.yaml", text).run().await;
    assert_eq!(ran.outcome.exit, Exit::NotRolledBack);
    assert_eq!(stage.done(), ["do a", "do b", "undo a"]);
    assert!(lines(&ran.records).ends_with("finished failed partial 21 {}\n"), "{}", lines(&ran.records));
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_blocks_what_came_before_it() {
    let stage = Stage::default();
    stage.next("c", &[Way::NotDone]);
    stage.next("undo b", &[Way::Failed]);
    let ran = three(&stage).run().await;
    assert_eq!(ran.outcome.exit, Exit::RollbackIncomplete);
    assert_eq!(stage.done(), ["do a", "do b", "do told failed incomplete"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_for_before_anything_else() {
    for (way, wanted) in [
        (Way::LostAfter, vec!["do a", "do b", "do c", "do told succeeded none"]),
        (Way::LostBefore, vec!["do a", "undo a", "do told failed complete"]),
    ] {
        let stage = Stage::default();
        stage.next("b", &[way]);
        let ran = three(&stage).run().await;
        assert_eq!(stage.done(), wanted, "{way:?}\n{}", lines(&ran.records));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_is_in_doubt_when_its_time_is_over() {
    let stage = Stage::default();
    stage.next("a", &[Way::Hangs]);
    stage.next("b", &[Way::Deaf]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: hang
steps:
  - {id: a, uses: stage.put, with: {name: a}, timeout: 1m}
  - {id: b, uses: stage.put, with: {name: b}, timeout: 1m}
",
    );
    let ran = world.run().await;
    // It looks for as long as `verify` may take; what it sees does not change.
    let told = lines(&ran.records);
    let told: Vec<&str> = told.lines().filter(|line| !line.contains("fired Poll")).collect();
    let mut told: Vec<&str> = told;
    told.dedup();
    insta::assert_snapshot!(told.join("\n"), @"
    executor resumed=false
    a started
    a unknown timeout: cut short
    a Verify Pass the effect is there
    b started
    b unknown timeout: it did not stop when it was told to, and was abandoned
    b Verify Fail b is not there
    a.undo started
    a.undo done
    finished failed complete 20 {}
    ");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_tell_is_asked_and_then_waits() {
    let stage = Stage::default();
    stage.next("a", &[Way::LostBefore]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: doubt
steps:
  - {id: a, uses: stage.blind, with: {name: a}, verify: {uses: stage.seen, with: {name: a}, within: 10s, every: 2s}}
",
    );
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::InDoubt);
    insta::assert_snapshot!(lines(&ran.records), @"
    executor resumed=false
    a started
    a unknown lost: the answer was lost
    a Verify Fail a: false
    a fired Poll(Verify)
    a Verify Fail a: false
    a fired Poll(Verify)
    a Verify Fail a: false
    a fired Poll(Verify)
    a Verify Fail a: false
    a fired Poll(Verify)
    a Verify Fail a: false
    a fired Poll(Verify)
    a Verify Fail a: false
    asked: Nobody knows whether `a` has had its effect (the answer was lost). Is it there?
    stopped: waiting for a decision about `a`
    ");
    insta::assert_snapshot!(ran.outcome.reason.unwrap(), @"waiting for a decision about `a`");
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_trips_fails_what_it_watches() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: guarded
steps:
  - {id: a, uses: stage.put, with: {name: a}}
  - id: soak
    guard: [{uses: stage.seen, with: {name: b}, every: 15s, failures: 3}]
    wait: {for: 5m}
",
    );
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::RolledBack);
    assert_eq!(stage.done(), ["do a", "undo a"]);
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    a started
    a done {"before":0,"put":"a"}
    soak started
    soak Guard(0) Fail b: false
    soak fired Poll(Guard(0))
    soak Guard(0) Fail b: false
    soak fired Poll(Guard(0))
    soak Guard(0) Fail b: false
    a.undo started
    a.undo done
    finished failed complete 20 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_it_has_held_long_enough() {
    let stage = Stage::default();
    stage.next("look b", &[Way::NotDone, Way::NotDone]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: waiting
steps:
  - {id: b, uses: stage.put, with: {name: b}}
  - id: healthy
    wait: {until: {uses: stage.seen, with: {name: b}}, every: 2s, hold: 4s, timeout: 1m}
",
    );
    let ran = world.run().await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    b started
    b done {"before":0,"put":"b"}
    healthy started
    healthy Until Inconclusive nobody answers
    healthy fired Poll(Until)
    healthy Until Inconclusive nobody answers
    healthy fired Poll(Until)
    healthy Until Pass 
    healthy fired Poll(Until)
    healthy Until Pass 
    healthy fired Poll(Until)
    healthy Until Pass 
    finished succeeded none 0 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_not_the_right_one_is_not_touched() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: target
assert_target: [{uses: stage.seen, with: {name: right}}]
steps:
  - {id: a, uses: stage.put, with: {name: a}}
",
    );
    let ran = world.run().await;
    assert_eq!(stage.done(), [""; 0]);
    insta::assert_snapshot!(lines(&ran.records), @"
    executor resumed=false
    a notdone check: assert_target: right: false
    finished failed nothing_to_undo 20 {}
    ");
    stage.things().there.insert("right".into());
    let mut host = world.host();
    host.entropy = [8; 32];
    let ran = world.run_as(host).await;
    assert_eq!(ran.outcome.exit, Exit::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rendered_fails_with_its_place() {
    let stage = Stage::default();
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: render
steps:
  - {id: a, uses: set, with: {list: [1]}}
  - {id: b, uses: stage.put, with: {name: '${{ steps.a.outputs.list[3] }}'}}
",
    );
    let ran = world.run().await;
    insta::assert_snapshot!(lines(&ran.records), @r#"
    executor resumed=false
    a started
    a done {"list":[1]}
    b notdone invalid: `steps.a.outputs.list` has 1 items, and no [3] (main.yaml:6:48)
    finished failed nothing_to_undo 20 {}
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_put_to_a_person_where_the_file_says_so() {
    let stage = Stage::default();
    stage.next("look a", &[Way::Warning]);
    let world = World::new(stage.registry()).file(
        "main.yaml",
        "
apiVersion: runbook/v1
name: warning
steps:
  - {id: a, uses: stage.seen, with: {name: a}, on_warning: ask}
",
    );
    let ran = world.run().await;
    assert_eq!(ran.outcome.exit, Exit::WaitingForPerson);
    assert!(lines(&ran.records).contains("asked: `a` went through with a warning: not quite. Go on?"));
}
