//! What was put up with, and what the file merely claims.

use runbook_view::graph::{Graph, mermaid};
use runbook_wire::{Body, EntryKind, Result, Role};

use crate::scene::Scene;

/// A group that is put up with fails inside, then a step that is not.
fn put_up_with() -> Scene {
    let mut s = Scene::new("put_up_with");
    let group = s.step("sw", EntryKind::Group, "", "pure").policy(|p| p.tolerated = true).node;
    let inner = s.child(group, Role::Body, "inner", EntryKind::Action, "run", "read").node;
    let after = s.read("gd", "http.check");
    s.outline.entries[inner as usize].policy.claimed = true;
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, group);
    s.enter(&task);
    let task = s.task_at(0, inner, "sw.inner");
    s.start(&task).ended(&task, 1, Result::Failed, "exit:1", "exit code 1");
    let task = s.task(0, after);
    s.start(&task).at(5_000).ended(&task, 1, Result::Failed, "check", "status = 503");
    s.push(Body::Finished {
        forward: "failed".into(),
        rollback: "nothing_to_undo".into(),
        exit_code: 20,
        outputs: [].into(),
        no_outputs: Default::default(),
    });
    s
}

#[test]
fn what_was_put_up_with_is_not_why_the_run_failed() {
    insta::assert_snapshot!(put_up_with().screen(100, None), @"
    put_up_with  run k7f3q  production  by ana  00:00:05
      ! sw  0ms
        ✗ inner  failed after 0ms  read (claimed)
            run: exit code 1                                                         put_up_with.yaml:16
      ✗ gd  failed after 5.0s
          http.check: status = 503                                                   put_up_with.yaml:22
      FAILED at 02:10:30 in gd: status = 503.

    ROLLBACK  policy auto  nothing to undo

    FAILED, NOTHING TO UNDO in 00:00:05   0 of 2 done, 2 failed   exit 20
      its output: runbook logs k7f3q gd
      the record: runbook report k7f3q
    ");
}

#[test]
fn that_a_step_only_reads_is_shown_as_claimed_where_nothing_checks_it() {
    let picture = mermaid(&Graph::of(&put_up_with().outline));
    assert!(picture.contains("run<br>read (claimed)"), "{picture}");
    assert!(!picture.contains("http.check<br>read"), "{picture}");
}
