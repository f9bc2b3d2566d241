//! How far each effect was brought back, and what is said of it.

use runbook_view::{
    Now, Rollback, Run, Style, Summary, Timeline, Tree, Undoing, answers, next, render,
    report::{Report, html, junit, markdown},
    standing,
};
use runbook_wire::{About, Answer, Body, EntryKind, Promise, Result, Role, Task, Via};

use crate::scene::{Scene, person, text};

/// Steps `a`, `b` and `c`, each with an undo; the node of each, and that of its undo after it.
fn three() -> Scene {
    let mut s = Scene::new("three");
    for id in ["a", "b", "c"] {
        s.step(id, EntryKind::Action, "run", "write").own_undo("put back");
    }
    s.begin("r1", "production", "ana");
    s
}

fn write(s: &mut Scene, node: u32) {
    let task = s.task(0, node);
    s.ran(&task, 1000);
}

fn undo(s: &mut Scene, node: u32, result: Result) {
    let task = s.task_at(0, node + 1, &format!("{}.undo", s.outline.entries[node as usize].segment));
    s.start(&task);
    match result {
        Result::Done => s.done(&task, ""),
        other => s.ended(&task, 1, other, "exit:1", "it broke"),
    };
}

fn fail(s: &mut Scene, node: u32) {
    let task = s.task(0, node);
    s.start(&task).ended(&task, 1, Result::Failed, "exit:1", "no");
}

/// `path: state, why` of everything that has an effect.
fn undoing(run: &Run) -> Vec<String> {
    let tree = Tree::of(run);
    let mut all = Vec::new();
    tree.walk(&mut |n| {
        if n.undoing != Undoing::Nothing {
            let why = n.stays_because.as_ref().map_or_else(String::new, |why| format!(", {why}"));
            all.push(format!("{}: {}{why}", n.path, n.undoing.code()));
        }
    });
    all
}

/// A `for_each` over one step with an undo, as the plan outlines it: the undo is the step's, what is written is said of
/// both.
fn items(undo: &str) -> (Scene, u32, u32) {
    let mut s = Scene::new("items");
    s.step("before", EntryKind::Action, "run", "write").own_undo("put back");
    let each = s
        .step("each", EntryKind::ForEach, "3 items", "pure")
        .promise(Promise::Steps)
        .policy(|p| p.rollback = Some(undo.into()))
        .node;
    let only = s.child(each, Role::Body, "", EntryKind::Action, "run", "write").own_undo("rm").node();
    s.read("after", "run");
    s.begin("r1", "production", "ana");
    write(&mut s, 0);
    let task = s.task(0, each);
    let keys = ["x", "y"].map(str::to_owned).to_vec();
    s.push(Body::Items { task, attempt: 1, keys, items: vec![] });
    for (frame, key) in [(1, "x"), (2, "y")] {
        let task = s.task_at(frame, only, &format!("each[{key}]"));
        s.ran(&task, 1000);
    }
    let after = s.outline.steps[2];
    fail(&mut s, after);
    (s, each, only)
}

fn undo_item(s: &mut Scene, only: u32, frame: u32, result: Result) {
    let key = ["x", "y"][frame as usize - 1];
    let task = s.task_at(frame, only + 1, &format!("each[{key}].undo"));
    s.start(&task);
    match result {
        Result::Done => s.done(&task, ""),
        other => s.ended(&task, 1, other, "exit:1", "it broke"),
    };
}

#[test]
fn a_for_each_has_no_undo_of_its_own() {
    let (mut s, _, only) = items("all");
    undo_item(&mut s, only, 2, Result::Done);
    undo_item(&mut s, only, 1, Result::Done);
    undo(&mut s, 0, Result::Failed);
    s.finished("failed", "incomplete", 22);
    assert_eq!(undoing(&s.run()), ["before: failed", "each[x]: undone", "each[y]: undone"]);
}

#[test]
fn what_blocks_an_undo_is_named() {
    let (mut s, _, only) = items("all");
    undo_item(&mut s, only, 2, Result::Failed);
    let why = "the undo of `each[y]` did not complete";
    let wanted =
        [format!("before: blocked, {why}"), format!("each[x]: blocked, {why}"), "each[y]: failed".into()];
    assert_eq!(undoing(&s.run()), wanted);
    s.finished("failed", "incomplete", 22);
    assert_eq!(undoing(&s.run()), wanted);
}

#[test]
fn items_that_somebody_decides_about_are_not_kept_yet() {
    let (mut s, each, _) = items("failed");
    assert_eq!(undoing(&s.run()), ["before: pending", "each[x]: asked", "each[y]: asked"]);
    let about = About::Rollback(Some(s.task(0, each)));
    s.asked(about.clone(), "Not undone in `each`: x, y. Undo it, or keep it?", &[], None);
    s.answered(about, Answer::Keep, "eve", Via::Terminal);
    assert_eq!(
        undoing(&s.run()),
        ["before: pending", "each[x]: kept, decided by eve", "each[y]: kept, decided by eve"]
    );
}

#[test]
fn a_check_between_batches_on_the_way_back_blocks_what_is_before_it() {
    let (mut s, each, only) = items("all");
    let between = s.child(each, Role::Between, "calm", EntryKind::Action, "run", "read").node();
    for (frame, result) in [(3, Result::Done), (4, Result::Failed)] {
        if frame == 4 {
            undo_item(&mut s, only, 2, Result::Done);
        }
        let task = s.task_at(frame, between, "each[between 0].calm");
        s.start(&task).ended(&task, 1, result, "exit:1", "not calm");
    }
    s.finished("failed", "incomplete", 22);
    let why = "`each[between 0].calm` failed";
    let wanted =
        [format!("before: blocked, {why}"), format!("each[x]: blocked, {why}"), "each[y]: undone".into()];
    assert_eq!(undoing(&s.run()), wanted);
}

#[test]
fn down_to_a_step_only_what_came_after_it_is_undone() {
    let mut s = three();
    [0, 2, 4].iter().for_each(|node| write(&mut s, *node));
    s.finished("succeeded", "none", 0);
    let to = Some(s.task(0, 0));
    s.push(Body::RollbackRequested { by: person("ana"), to });
    let why = "only what came after `a` is undone";
    assert_eq!(undoing(&s.run()), [format!("a: kept, {why}"), "b: pending".into(), "c: pending".into()]);
    assert!(s.screen(100, None).contains("0 of 2 undone"), "{}", s.screen(100, None));
}

#[test]
fn what_a_rollback_was_not_to_reach_stays_and_is_counted() {
    let mut s = three();
    let d = s.step("d", EntryKind::Action, "run", "write").node();
    [0, 2, 4].iter().for_each(|node| write(&mut s, *node));
    fail(&mut s, d);
    s.finished("failed", "declined", 21);
    let to = Some(s.task(0, 2));
    s.push(Body::RollbackRequested { by: person("ana"), to });
    undo(&mut s, 4, Result::Done);
    s.finished("failed", "partial", 20);
    let run = s.run();
    assert_eq!(standing(&Tree::of(&run), s.now()), "failed, partly rolled back, 2 writes stay");
    assert_eq!(runbook_view::json::show(&run, s.now())["counts"]["writes_stay"], 2);
    // The step that failed is no write that stays, in either line.
    let screen = s.screen(200, None);
    let why = "only what came after `b` is undone";
    assert!(
        screen.contains(&format!("1 undone, 2 left: a ({why}), b ({why}); not undone: d (it failed; ")),
        "{screen}"
    );
}

#[test]
fn after_a_pivot_nothing_is_to_be_undone_and_the_way_back_is_one_that_is_taken() {
    let mut s = three();
    s.outline.entries[2].pivot = true;
    s.outline.entries[2].promise = Promise::Irreversible("gone".into());
    s.outline.entries[2].undo.clear();
    let d = s.step("d", EntryKind::Action, "run", "read").node();
    [0, 2, 4].iter().for_each(|node| write(&mut s, *node));
    fail(&mut s, d);
    s.asked(About::AfterPivot, "Keep it, or try again?", &[], None);
    let why = "a failed run is not undone by itself after its point of no return, `b`";
    let wanted = [format!("a: kept, {why}"), "b: left".into(), format!("c: kept, {why}")];
    assert_eq!(undoing(&s.run()), wanted);
    s.answered(About::AfterPivot, Answer::Keep, "ana", Via::Terminal).finished("failed", "declined", 21);
    assert_eq!(undoing(&s.run()), wanted);
    let commands = |s: &Scene| -> Vec<String> {
        next(&Tree::of(&s.run()), s.now()).into_iter().map(|n| n.command).collect()
    };
    assert!(commands(&s).contains(&"runbook rollback r1 --to b".to_owned()), "{:?}", commands(&s));

    // Nothing that came after it has an undo: no way back is offered.
    s.outline.entries[4].promise = Promise::Missing;
    s.outline.entries[4].undo.clear();
    assert!(!commands(&s).iter().any(|c| c.contains("rollback")), "{:?}", commands(&s));
}

#[test]
fn an_undo_in_doubt_blocks_nothing_yet_and_is_not_what_failed_the_run() {
    let mut s = three();
    let d = s.step("d", EntryKind::Action, "run", "read").node();
    [0, 2, 4].iter().for_each(|node| write(&mut s, *node));
    fail(&mut s, d);
    undo(&mut s, 4, Result::Unknown);
    assert_eq!(undoing(&s.run()), ["a: pending", "b: pending", "c: in_doubt"]);
    assert!(s.screen(100, None).contains(" in d: no."), "{}", s.screen(100, None));
}

#[test]
fn what_was_kept_and_is_undone_on_request_is_undone() {
    let mut s = Scene::new("kept");
    let group = s.step("g", EntryKind::Group, "", "pure").promise(Promise::Children).node();
    let x = s.child(group, Role::Body, "x", EntryKind::Action, "run", "write").own_undo("rm").node();
    let y = s.child(group, Role::Body, "y", EntryKind::Action, "run", "read").node();
    s.begin("r1", "production", "ana");
    let (g, x_task, y) = (s.task(0, group), s.task_at(0, x, "g.x"), s.task_at(0, y, "g.y"));
    s.enter(&g).ran(&x_task, 10).start(&y).ended(&y, 1, Result::Failed, "exit:1", "no");
    let about = About::Rollback(Some(g));
    s.asked(about.clone(), "Roll back?", &[], None);
    assert_eq!(undoing(&s.run()), ["g.x: asked"]);
    s.answered(about, Answer::Keep, "ana", Via::Terminal).finished("failed", "declined", 21);
    s.push(Body::RollbackRequested { by: person("ana"), to: None });
    let task = s.task_at(0, x + 1, "g.x.undo");
    s.ran(&task, 10).finished("failed", "complete", 20);
    assert_eq!(undoing(&s.run()), ["g.x: undone"]);
}

#[test]
fn undoing_a_doubt_is_offered_where_something_is_undone() {
    let asked = |s: &mut Scene, task: Task| {
        s.start(&task).ended(&task, 1, Result::Unknown, "timeout", "gone");
        s.asked(About::InDoubt(task), "Is it there?", &[], None);
        let run = s.run();
        let tree = Tree::of(&run);
        let all = answers(&tree, tree.open_questions()[0]);
        all.into_iter().map(|n| n.command.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut s = three();
    let task = s.task(0, 0);
    assert_eq!(asked(&mut s, task.clone()), ["--done", "--not-done", "--undo", "--retry"]);
    s.answered(About::InDoubt(task), Answer::Undo, "eve", Via::Terminal);
    let run = s.run();
    assert_eq!(Summary::of(&Tree::of(&run)).failures[0].message, "decided by eve: it is undone");

    let mut s = Scene::new("left");
    s.step("a", EntryKind::Action, "run", "write").promise(Promise::None("x".into()));
    s.begin("r1", "production", "ana");
    let task = s.task(0, 0);
    assert_eq!(asked(&mut s, task), ["--done", "--not-done", "--retry"]);
}

/// Wider than the screen: a shell that is given these lines reads one command.
#[test]
fn a_command_in_the_head_is_broken_as_a_shell_puts_it_together() {
    let mut s = three();
    let task = s.task(0, 0);
    s.start(&task);
    let now = Now { executor_alive: Some(false), ..s.now() };
    let state = "/srv/teams/platform and others/runbook-state/production";
    let style = Style { state: Some(state.into()), ..Style::default() };
    let shown = text(&render(&s.run(), now, 60, &style));
    let command = shown.split("runbook ").nth(1).unwrap();
    let command = command.replace("\\\n", "").replace("'\"'\"'", "").replace("''", "");
    let command = command.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(command, format!("--state '{state}' resume r1"), "{shown}");
}

#[test]
fn an_interrupted_run_is_not_said_to_run() {
    let mut s = three();
    let task = s.task(0, 0);
    s.start(&task);
    let mut timeline = Timeline::new(s.outline.clone(), jiff::tz::TimeZone::UTC);
    s.records.iter().for_each(|r| timeline.apply(r));
    let now = Now { executor_alive: Some(false), ..s.now() };
    let report = Report::of(&timeline, now, jiff::tz::TimeZone::UTC);
    for text in [markdown(&report), junit(&report), html(&report)] {
        assert!(text.contains("interrupted") && text.contains("was under way"), "{text}");
        assert!(text.contains("runbook resume r1") || text.starts_with("<?xml"), "{text}");
        assert!(!text.contains("goes on,") && !text.contains(">running"), "{text}");
    }
    let json = runbook_view::json::show(&s.run(), now);
    assert_eq!((json["status"].as_str(), json["forward"].as_str()), (Some("interrupted"), Some("running")));
}

#[test]
fn what_a_cancel_cut_off_took_no_longer_than_that() {
    let mut s = Scene::new("cut");
    let slow = s.read("slow", "run");
    s.begin("r1", "production", "ana");
    let task = s.task(0, slow);
    s.start(&task).at(6000).push(Body::CancelRequested { by: person("ana"), reason: String::new() });
    assert!(s.at(17_000).screen(100, None).contains("cancelled after 6.0s"), "{}", s.screen(100, None));
    s.at(21_000).finished("cancelled", "nothing_to_undo", 20);
    assert!(s.screen(100, None).contains("cancelled after 6.0s"), "{}", s.screen(100, None));
    assert_eq!(Tree::of(&s.run()).rollback, Rollback::NothingToUndo);
}

#[test]
fn an_item_is_one_row_whatever_it_does() {
    let (s, ..) = items("all");
    let mut timeline = Timeline::new(s.outline.clone(), jiff::tz::TimeZone::UTC);
    s.records.iter().for_each(|r| timeline.apply(r));
    let report = Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC);
    assert!(junit(&report).contains("<testcase name=\"x\" classname=\"items.each\""), "{}", junit(&report));
    assert!(!junit(&report).contains("name=\"\""));
    let row = "| ✓ | `each[x]`";
    assert_eq!(markdown(&report).matches(row).count(), 1, "{}", markdown(&report));
}

#[test]
fn the_group_of_an_items_steps_is_not_shown() {
    let mut s = Scene::new("big");
    let each = s.step("broker", EntryKind::ForEach, "2 items", "pure").promise(Promise::Children).node();
    let group = s.child(each, Role::Body, "", EntryKind::Group, "", "pure").promise(Promise::Children).node();
    let restart =
        s.child(group, Role::Body, "restart", EntryKind::Action, "run", "write").own_undo("rm").node();
    let joined = s.child(group, Role::Body, "joined", EntryKind::Action, "run", "read").node();
    s.begin("r1", "production", "ana");
    let task = s.task(0, each);
    let keys = ["k1", "k2"].map(str::to_owned).to_vec();
    s.push(Body::Items { task, attempt: 1, keys, items: vec![] });
    let task = s.task_at(1, group, "broker[k1]");
    s.enter(&task);
    let task = s.task_at(1, restart, "broker[k1].restart");
    s.ran(&task, 1000);
    let task = s.task_at(1, joined, "broker[k1].joined");
    s.start(&task).at(301_000).ended(&task, 1, Result::Failed, "exit:1", "not there");
    insta::assert_snapshot!(s.screen(100, None), @r#"
    big  run r1  production  by ana  00:05:01
      ✗ broker  0 of 2 done, 1 failed, 1 not started  5m01s
        ✗ k1  joined  failed after 5m00s  (restart had succeeded)
            run: not there                                                                   big.yaml:34
        · k2 not started, unchanged
      FAILED at 02:15:26: max_failures 0 reached. No new broker will start.

    ROLLBACK  policy auto  0 of 1 undone
      · broker[k1].restart  to be undone  rm
    "#);
}
