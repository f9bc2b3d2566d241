//! How a run that did not succeed is told: what stays in the world, when it failed, and that CI sees it.

use runbook_view::{
    Now, Run, Summary, Tree,
    report::{Report, junit, markdown},
    standing,
};
use runbook_wire::{About, Answer, Body, EntryKind, Grade, Probe, Promise, Result, Role, Timer, Via};

use crate::{
    record::timeline,
    scene::{START, Scene, person},
};

/// Writes with these promises are done, then a check fails, and the rollback ends so.
fn writes(promises: &[(&str, Promise)], rollback: &str) -> Scene {
    let mut s = Scene::new("writes");
    let mut nodes = Vec::new();
    for (name, promise) in promises {
        let adding = s.step(name, EntryKind::Action, "run", "write");
        nodes.push(match promise {
            Promise::Own(text) => adding.own_undo(text).node,
            other => adding.promise(other.clone()).node,
        });
    }
    let check = s.read("c", "http.check");
    s.begin("k7f3q", "production", "ana");
    for node in &nodes {
        let task = s.task(0, *node);
        s.ran(&task, 10);
    }
    let task = s.task(0, check);
    s.start(&task).ended(&task, 1, Result::Failed, "check", "status = 503");
    for node in nodes.iter().rev().filter(|_| rollback != "declined") {
        let entry = &s.outline.entries[*node as usize];
        if let Some(undo) = entry.undo.first().copied() {
            let path = format!("{}.undo", entry.segment);
            let task = s.task_at(0, undo, &path);
            s.ran(&task, 5);
        }
    }
    s.finished("failed", rollback, 20);
    s
}

fn own() -> Promise {
    Promise::Own("the file as it was".into())
}

fn gone() -> Promise {
    Promise::Irreversible("it is gone".into())
}

fn headline(s: &Scene) -> String {
    let timeline = timeline(s);
    Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC).headline()
}

fn standing_of(s: &Scene) -> String {
    standing(&Tree::of(&s.run()), s.now())
}

#[test]
fn what_stays_is_counted_apart_from_what_was_undone() {
    let s = writes(&[("u", own()), ("v", Promise::Missing)], "complete");
    insta::assert_snapshot!(s.screen(100, None), @"
    writes  run k7f3q  production  by ana  00:00:00
      ✓ u  10ms  undone
      ✓ v  10ms  left as it is
      ✗ c  failed after 0ms
          http.check: status = 503                                                        writes.yaml:28
      FAILED at 02:10:25 in c: status = 503.

    ROLLBACK  policy auto  1 of 1 undone, 1 left
      ! v  left as it is  says nothing of how it is undone
      ✓ u  undone in 5ms  the file as it was

    FAILED, ROLLED BACK, 1 WRITE STAYS in 00:00:00   2 of 3 done, 1 failed   exit 20
      1 undone, 1 left: v (says nothing of how it is undone)
      its output: runbook logs k7f3q c
      the record: runbook report k7f3q
    ");
    assert_eq!(standing_of(&s), "failed, rolled back, 1 write stays");
    assert_eq!(
        headline(&s),
        "The run failed in c and was rolled back, after 25ms. 2 of 3 steps done, 1 failed. 1 write stays: v (says \
         nothing of how it is undone)."
    );
}

#[test]
fn where_nothing_was_undone_and_something_stays_it_is_not_said_that_there_was_nothing_to_undo() {
    let none = Promise::None("kept for the auditors".into());
    let s = writes(&[("u", none), ("v", Promise::Missing), ("w", gone())], "nothing_to_undo");
    insta::assert_snapshot!(s.screen(100, None), @"
    writes  run k7f3q  production  by ana  00:00:00
      ✓ u  10ms  left as it is
      ✓ v  10ms  left as it is
      ✓ w  10ms  left as it is
      ✗ c  failed after 0ms
          http.check: status = 503                                                        writes.yaml:28
      FAILED at 02:10:25 in c: status = 503.

    ROLLBACK  policy auto  nothing undone, 3 left
      ! w  left as it is  irreversible: it is gone
      ! v  left as it is  says nothing of how it is undone
      ! u  left as it is  kept for the auditors

    FAILED, 3 WRITES STAY in 00:00:00   3 of 4 done, 1 failed   exit 20
      3 left: u (kept for the auditors), v (says nothing of how it is undone), w (irreversible: it is
        gone)
      its output: runbook logs k7f3q c
      the record: runbook report k7f3q
    ");
    assert_eq!(standing_of(&s), "failed, 3 writes stay");
    let timeline = timeline(&s);
    let report = markdown(&Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC));
    assert!(report.contains("## 3 writes stay"), "{report}");
    assert!(!report.to_lowercase().contains("nothing to undo"), "{report}");
    assert!(!runbook_view::exit_meaning(20).contains("nothing to undo"));
}

#[test]
fn a_single_script_that_fails_is_no_write_that_stays() {
    let mut s = Scene::new("single");
    let node = s.step("v", EntryKind::Action, "run", "write").node;
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, node);
    s.start(&task).at(9).ended(&task, 1, Result::Failed, "exit:3", "exit code 3");
    s.finished("failed", "nothing_to_undo", 20);
    insta::assert_snapshot!(s.screen(100, None), @"
    single  run k7f3q  production  by ana  00:00:00
      ✗ v  failed after 9ms  left as it is
          run: exit code 3                                                                single.yaml:10
      FAILED at 02:10:25 in v: exit code 3.

    ROLLBACK  policy auto  nothing undone, 1 left
      ! v  left as it is  it failed; says nothing of how it is undone

    FAILED, NOTHING UNDONE in 00:00:00   0 of 1 done, 1 failed   exit 20
      its output: runbook logs k7f3q v
      the record: runbook report k7f3q
    ");
}

#[test]
fn the_way_back_is_missing_where_a_write_says_nothing_of_it_and_not_where_it_stays_by_declaration() {
    for (promise, produced) in [(Promise::Missing, "not produced"), (gone(), "not needed")] {
        let mut s = writes(&[("v", promise)], "nothing_to_undo");
        let output = serde_json::json!({"title": "Rollback", "by": ["rollback"]});
        s.outline.outputs.insert("back".into(), output);
        let run = s.run();
        let found = runbook_view::required::required(&Tree::of(&run));
        assert_eq!(found[0].produced.words(), produced);
        assert!(found[0].why.starts_with("Nothing was undone; 1 write stays: v ("), "{}", found[0].why);
    }
}

#[test]
fn of_a_write_in_doubt_that_stays_nobody_says_that_it_failed_and_no_more() {
    let mut s = Scene::new("doubt");
    let adding = s.step("v", EntryKind::Action, "run", "write").promise(Promise::None("it stays".into()));
    let node = adding.policy(|p| p.on_in_doubt = Some("compensate".into())).node;
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, node);
    s.start(&task).ended(&task, 1, Result::Unknown, "timeout", "its time was over");
    s.finished("failed", "nothing_to_undo", 20);
    let screen = s.screen(100, None);
    assert!(screen.contains("! v  left as it is  nobody knows what it did; it stays"), "{screen}");
}

/// A group that ends so by itself; what is in it went well, or is cut off.
fn group(policy: impl FnOnce(&mut runbook_wire::Policy)) -> (Scene, u32, u32) {
    let mut s = Scene::new("groups");
    let group = s.step("g", EntryKind::Group, "", "pure").policy(policy).node;
    let inner = s.child(group, Role::Body, "x", EntryKind::Wait, "for 5s", "pure").node;
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, group);
    s.enter(&task);
    let task = s.task_at(0, inner, "g.x");
    s.start(&task);
    (s, group, inner)
}

fn verify_fails() -> Scene {
    let (mut s, group, inner) = group(|p| {
        p.verify = true;
        p.within_ms = Some(30_000);
    });
    let inner = s.task_at(0, inner, "g.x");
    let group = s.task(0, group);
    s.at(5_000).fired(&inner, Timer::Wait);
    s.at(5_010).saw(&group, Probe::Verify, Grade::Fail, "exit code 1");
    s.at(35_010).saw(&group, Probe::Verify, Grade::Fail, "exit code 1");
    s.at(35_020).finished("failed", "nothing_to_undo", 20);
    s
}

fn guard_trips() -> Scene {
    let (mut s, group, _) = group(|p| p.guards = vec![1]);
    let group = s.task(0, group);
    s.at(2_000).saw(&group, Probe::Guard(0), Grade::Fail, "share = 0.4");
    s.at(2_010).finished("failed", "nothing_to_undo", 20);
    s
}

fn time_is_over() -> Scene {
    let (mut s, group, _) = group(|p| p.timeout_ms = Some(1_000));
    let group = s.task(0, group);
    s.at(1_000).fired(&group, Timer::Timeout);
    s.at(1_010).finished("failed", "nothing_to_undo", 20);
    s
}

fn locked() -> Scene {
    let mut s = Scene::new("locked");
    s.read("c", "http.check");
    s.begin("k7f3q", "production", "ana");
    s.push(Body::LockRefused {
        name: "deploy/shop".into(),
        holder: "b7k2m".into(),
        reason: "golive by bo".into(),
        since_wall_ms: START,
        skip: false,
    });
    s.finished("locked", "none", 30);
    s
}

fn cancelled() -> Scene {
    let (mut s, ..) = group(|_| {});
    s.push(Body::CancelRequested { by: person("bo"), reason: "not today".into() });
    s.finished("cancelled", "nothing_to_undo", 20);
    s
}

fn unfinished() -> Scene {
    let (mut s, ..) = group(|_| {});
    s.push(Body::ExecutorStopped { reason: "stopped here".into() });
    s
}

#[test]
fn junit_of_whatever_did_not_succeed_is_red() {
    for (s, red) in [
        (verify_fails(), "<failure message=\"verify did not hold: exit code 1\" type=\"check\">"),
        (guard_trips(), "<failure message=\"guard tripped: share = 0.4\" type=\"check\">"),
        (time_is_over(), "<failure message=\"stopped after 1.0s: its time was over\" type=\"timeout\">"),
        (locked(), "<error message=\"The run did not start: lock deploy/shop is held by run b7k2m"),
        (cancelled(), "<failure message=\"The run was cancelled"),
        (unfinished(), "<error message=\"The run was interrupted"),
    ] {
        let timeline = timeline(&s);
        let xml = junit(&Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC));
        assert!(xml.contains(red), "{xml}");
        let parsed = roxmltree::Document::parse(&xml).unwrap();
        let count = |name: &str| {
            let stated = parsed.root_element().attribute(name).unwrap();
            stated.parse::<usize>().unwrap()
        };
        assert_eq!(count("failures") + count("errors"), 1, "{xml}");
        let cases = parsed.descendants().filter(|n| n.has_tag_name("testcase")).count();
        assert_eq!(count("tests"), cases, "{xml}");
    }
}

#[test]
fn a_group_fails_when_it_does_and_not_when_its_last_step_ended() {
    for (s, ms, said) in [
        (verify_fails(), 35_010, "failed after 35s: verify did not hold: exit code 1"),
        (guard_trips(), 2_000, "failed after 2.0s: guard tripped: share = 0.4"),
        (time_is_over(), 1_000, "failed after 1.0s: stopped after 1.0s: its time was over"),
    ] {
        let run = s.run();
        let failures = Summary::of(&Tree::of(&run)).failures;
        assert_eq!(failures[0].at.map(|at| at.elapsed_ms), Some(ms), "{failures:?}");
        let tree = Tree::of(&run);
        assert!(tree.steps[0].took_ms(0) >= Some(ms), "{:?}", tree.steps[0].ended);
        let timeline = timeline(&s);
        let line = timeline.said.iter().find(|l| l.about == "g" && l.text == said);
        assert_eq!(line.map(|l| l.at.elapsed_ms), Some(ms), "{:#?}", timeline.said);
    }
}

#[test]
fn time_that_passes_after_everything_inside_is_over_failed_nothing() {
    let (mut s, group, inner) = group(|p| p.timeout_ms = Some(1_000));
    let (group, inner) = (s.task(0, group), s.task_at(0, inner, "g.x"));
    s.at(900).fired(&inner, Timer::Wait);
    s.at(1_000).fired(&group, Timer::Timeout);
    let timeline = timeline(&s);
    assert!(!timeline.said.iter().any(|l| l.text.contains("failed")), "{:#?}", timeline.said);
    assert_eq!(Run::replay(s.outline.clone(), &s.records).elapsed_ms(Now::at(START)), 1_000);
}

fn all_reports(s: &Scene) -> [String; 3] {
    let timeline = timeline(s);
    let report = Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC);
    [markdown(&report), runbook_view::report::html(&report), runbook_view::report::json(&report).to_string()]
}

#[test]
fn what_the_runbook_or_somebody_kept_stays_too_and_says_why() {
    let kept = || {
        let mut s = writes(&[("v", Promise::Missing), ("u", own())], "declined");
        s.records.pop();
        s
    };
    let (mut by_policy, mut by_person) = (kept(), kept());
    by_policy.outline.rollback = "none".into();
    let about = About::Rollback(None);
    by_person.asked(about.clone(), "Roll back?", &[], None).answered(
        about,
        Answer::Keep,
        "ana",
        Via::Command,
    );
    let policy = "the runbook says `on_failure.rollback: none`";
    for (mut s, why) in [(by_policy, policy), (by_person, "decided by ana")] {
        s.finished("failed", "declined", 21);
        assert_eq!(standing_of(&s), "failed, not rolled back, 2 writes stay");
        let screen = s.screen(200, None);
        assert!(
            screen.contains(&format!("2 left: v (says nothing of how it is undone), u ({why})")),
            "{screen}"
        );
        let [markdown, html, json] = all_reports(&s);
        assert!(markdown.contains("## Not rolled back, 2 writes stay"), "{markdown}");
        assert!(html.contains("Not rolled back, 2 writes stay"), "{html}");
        assert!(json.contains("\"writes_stay\":2"), "{json}");
    }
}

#[test]
fn of_a_group_that_is_not_undone_every_write_is_counted_and_what_only_reads_is_not() {
    let mut s = Scene::new("groups");
    let group = s.step("g", EntryKind::Group, "", "pure").promise(Promise::None("they stay".into())).node;
    let inner: Vec<u32> = [("x", "write"), ("y", "write"), ("r", "read")]
        .into_iter()
        .map(|(name, effect)| s.child(group, Role::Body, name, EntryKind::Action, "run", effect).node)
        .collect();
    for node in &inner[..2] {
        s.outline.entries[*node as usize].promise = Promise::Missing;
    }
    let check = s.read("c", "http.check");
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, group);
    s.enter(&task);
    for (node, path) in inner.iter().zip(["g.x", "g.y", "g.r"]) {
        let task = s.task_at(0, *node, path);
        s.ran(&task, 5);
    }
    let task = s.task(0, check);
    s.start(&task).ended(&task, 1, Result::Failed, "check", "status = 503");
    s.finished("failed", "nothing_to_undo", 20);
    assert_eq!(standing_of(&s), "failed, 2 writes stay");
    assert!(
        s.screen(200, None).contains("2 left: g.x (they stay), g.y (they stay)"),
        "{}",
        s.screen(200, None)
    );
}

#[test]
fn what_an_item_that_is_put_up_with_has_written_and_nothing_undoes_is_named() {
    let mut s = Scene::new("items");
    let each = s.step("e", EntryKind::ForEach, "2 items", "pure").policy(|p| p.max_failures = 1).node;
    let body = s.child(each, Role::Body, "", EntryKind::Group, "", "pure").node;
    let w = s.child(body, Role::Body, "w", EntryKind::Action, "run", "write");
    let w = w.promise(Promise::None("it stays".into())).node;
    let f = s.child(body, Role::Body, "f", EntryKind::Action, "run", "read").node;
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, each);
    s.push(Body::Items { task, attempt: 1, keys: vec!["x".into(), "y".into()], items: vec![] });
    for (frame, item) in [(1, "x"), (2, "y")] {
        let task = s.task_at(frame, body, &format!("e[{item}]"));
        s.enter(&task);
        let task = s.task_at(frame, w, &format!("e[{item}].w"));
        s.ran(&task, 5);
        let task = s.task_at(frame, f, &format!("e[{item}].f"));
        match item {
            "x" => s.ran(&task, 5),
            _ => s.start(&task).ended(&task, 1, Result::Failed, "exit:1", "exit code 1"),
        };
    }
    s.finished("succeeded_with_failures", "none", 3);
    assert_eq!(standing_of(&s), "succeeded with failures, 1 write stays");
    let screen = s.screen(200, None);
    assert!(screen.contains("1 left: e[y].w (it stays)"), "{screen}");
    assert!(screen.contains("ITEMS THAT FAILED  1 left\n") && !screen.contains("ROLLBACK"), "{screen}");
    let [markdown, html, json] = all_reports(&s);
    assert!(markdown.contains("- `e[y].w`: it stays") && !markdown.contains("`e[x].w`: it"), "{markdown}");
    assert!(html.contains("<code>e[y].w</code></th><td>it stays"), "{html}");
    assert!(json.contains("\"writes_stay\":1"), "{json}");
}

#[test]
fn a_run_whose_way_on_is_to_be_decided_is_not_over() {
    let mut s = writes(&[("u", own()), ("p", gone())], "declined");
    s.records.pop();
    s.outline.entries.iter_mut().filter(|e| e.segment == "p").for_each(|e| e.pivot = true);
    s.asked(About::AfterPivot, "How does it go on?", &[], None);
    s.push(Body::ExecutorStopped { reason: "waiting for a decision about the run".into() });
    assert_eq!(standing_of(&s), "failed, to be decided how it goes on");
    s.answered(About::AfterPivot, Answer::Keep, "ana", Via::Command).finished("failed", "declined", 21);
    assert_eq!(standing_of(&s), "failed, not rolled back, 2 writes stay");
}
