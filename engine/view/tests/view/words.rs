//! What is said, where a word that is not quite true sends somebody the wrong way.

use std::collections::BTreeMap;

use runbook_view::{Holder, Now, Style, Tree, ask, exit_code, next, report::Report, report::markdown};
use runbook_wire::{About, Answer, Body, EntryKind, Grade, Probe, Result, Role, Via};
use serde_json::{Value, json};

use crate::{
    record::timeline,
    scene::{START, Scene, text},
};

/// A run that found its lock held.
fn locked() -> Scene {
    let mut s = Scene::new("locked");
    s.read("c", "http.check");
    s.begin("k7f3q", "production", "ana");
    if let Body::RunCreated { file, request, max_parallel, .. } = &mut s.records[0].body {
        *file = "my runs/locked.yaml".into();
        *max_parallel = Some(2);
        *request = json!({"strict": true, "inputs": [
            {"name": "m", "value": {"text": "it's 2"}, "origin": "-i m"},
            {"name": "tags", "value": {"json": ["a", "b"]}, "origin": "-i tags"},
            {"name": "team", "value": {"json": "shop"}, "origin": "-i team"},
        ]});
    }
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

fn commands(s: &Scene, now: Now) -> Vec<String> {
    let run = s.run();
    next(&Tree::of(&run), now).into_iter().map(|n| n.command).collect()
}

#[test]
fn what_a_lock_stopped_is_run_again_with_what_it_was_given_in_the_words_of_a_shell() {
    let s = locked();
    let again = r#"runbook exec 'my runs/locked.yaml' -e production -i 'm=it'\''s 2' -i 'tags=["a","b"]' -i team=shop --strict --max-parallel 2"#;
    assert_eq!(commands(&s, s.now()), ["runbook show b7k2m", again, "runbook report k7f3q"]);
}

#[test]
fn a_command_that_is_longer_than_a_line_is_still_one_for_a_shell() {
    insta::assert_snapshot!(locked().screen(60, None), @r#"
    locked  run k7f3q  production  by ana  00:00:00
      · c  not started
      LOCKED at 02:10:25: lock deploy/shop is held by run b7k2m
      (golive by bo).

    LOCKED in 00:00:00   0 of 1 done, 1 not started   exit 30
      what holds the lock: runbook show b7k2m
      run it again:
          runbook exec 'my runs/locked.yaml' -e production -i \
          'm=it'\''s 2' -i 'tags=["a","b"]' -i team=shop \
          --strict --max-parallel 2
      the record: runbook report k7f3q
    "#);
}

#[test]
fn a_lock_whose_holder_nobody_executes_is_said_to_be_so_with_the_way_out_first() {
    let s = locked();
    let standing = |cancels, asks| Now { holder: Some(Holder { cancels, asks }), ..s.now() };
    for (cancels, asks, first) in [
        (true, false, &["runbook cancel b7k2m", "runbook resume b7k2m", "runbook show b7k2m"][..]),
        (true, true, &["runbook cancel b7k2m", "runbook show b7k2m"]),
        (false, true, &["runbook show b7k2m"]),
        (false, false, &["runbook resume b7k2m", "runbook show b7k2m"]),
    ] {
        let commands = commands(&s, standing(cancels, asks));
        assert_eq!(commands[..first.len()], *first, "{commands:?}");
        assert_eq!(commands.len(), first.len() + 2, "{commands:?}");
    }
    let screen = |now| text(&runbook_view::render(&s.run(), now, 200, &Style::default()));
    let unattended = screen(standing(true, false));
    assert!(unattended.contains("(golive by bo), unfinished: nobody executes it."), "{unattended}");
    let asks = screen(standing(false, true));
    assert!(asks.contains("(golive by bo), unfinished: it waits for a person."), "{asks}");
    assert!(!s.screen(200, None).contains("unfinished"));

    let mut s = Scene::new("waits");
    s.begin("k7f3q", "production", "ana").push(Body::LockAwaited {
        name: "deploy/shop".into(),
        holder: "b7k2m".into(),
        reason: "golive by bo".into(),
        since_wall_ms: START,
        until_wall_ms: START + 60_000,
    });
    let now = Now { holder: Some(Holder { cancels: true, asks: false }), ..s.now() };
    let waits = text(&runbook_view::render(&s.run(), now, 200, &Style::default()));
    let said = "is held by run b7k2m (golive by bo) since 02:10:25, waits until 02:11:25: nothing starts before; \
                run b7k2m is unfinished: nobody executes it";
    assert!(waits.contains(said), "the time is that of the lock: {waits}");
}

#[test]
fn a_checklist_says_that_anybody_may_tick_who_owns_its_items_and_which_are_done() {
    let mut s = Scene::new("ready");
    let list = s.step("ready", EntryKind::Checklist, "2 items", "pure").policy(|p| {
        p.who = vec!["ana".into()];
        p.items = vec!["page".into(), "dns".into()];
        p.shown = ["page", "mail", "dns"].map(str::to_owned).to_vec();
        p.owners = [("dns".to_owned(), "ana".to_owned())].into();
        p.wanted = [("page".to_owned(), "a link".to_owned())].into();
        p.evidence = vec!["page".into()];
    });
    let node = list.node;
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, node);
    let about = About::Human(task.clone());
    s.start(&task).asked(
        about.clone(),
        "Ready?",
        &[("dns", json!("DNS ok")), ("mail", json!("a mail")), ("page", json!("a page"))],
        None,
    );
    let item = Answer::Item { item: "dns".into(), done: true, evidence: None };
    s.answered(about.clone(), item, "root", Via::Command);
    let run = s.run();
    insta::assert_snapshot!(text(&ask(&run, &run.questions[0], s.now(), 100, &Style::default())), @"
    ? ready: Ready?
        page: a page (evidence: a link)
        mail: a mail (optional)
        dns: DNS ok (ana) (done)
        who: anybody (owner: ana)
        tick: runbook answer k7f3q ready --tick page --evidence TEXT
        tick: runbook answer k7f3q ready --tick mail
        refuse: runbook answer k7f3q ready --refuse ITEM
    ");
    assert!(s.screen(100, None).contains("waits for anybody (owner: ana)"), "{}", s.screen(100, None));
    let shown = runbook_view::json::show(&run, s.now());
    assert_eq!(shown["questions"][0]["shown"], json!(["page", "mail", "dns"]));
    let page = json!({"id": "page", "text": "a page", "owner": null, "required": true, "evidence": "a link"});
    assert_eq!(shown["questions"][0]["items"][0], page);
    assert_eq!(shown["questions"][0]["items"][1]["required"], false);
    let item = Answer::Item { item: "page".into(), done: true, evidence: Some("a link".into()) };
    s.answered(about, item, "root", Via::Command);
    let screen = s.screen(100, None);
    assert!(screen.contains("by root; left open: mail (optional)"), "{screen}");
    let mut timeline = runbook_view::Timeline::new(s.outline.clone(), jiff::tz::TimeZone::UTC);
    s.records.iter().for_each(|record| timeline.apply(record));
    let said = markdown(&Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC));
    assert!(said.contains("left open: mail (optional)"), "{said}");
}

#[test]
fn steps_that_could_start_share_a_line_and_push_out_nothing_that_runs() {
    let mut s = Scene::new("many");
    let nodes: Vec<u32> =
        (0..40).map(|n| s.step(&format!("s{n}"), EntryKind::Action, "run", "read").free().node).collect();
    s.begin("k7f3q", "production", "ana");
    for node in [3, 20] {
        let task = s.task(0, nodes[node]);
        s.start(&task);
    }
    let task = s.task(0, nodes[1]);
    s.ran(&task, 10);
    insta::assert_snapshot!(s.screen(80, Some(14)), @"
    many  run k7f3q  production  by ana  00:00:00
      · s0 not started yet
      ✓ s1
      · s2 not started yet
      ◐ s3   0s
      · s4 s5 s6 s7 s8 s9 s10 s11 s12 s13 s14 s15 s16 s17 s18 s19 not started yet
      ◐ s20  0s
      · s21 s22 s23 s24 s25 s26 s27 s28 s29 s30 s31 s32 s33 s34 s35 s36 s37 s38 s39
        not started yet
      waiting: s3 and 1 more    logs: runbook logs k7f3q s3
    ");
}

/// Not even whether it is a free place that is missing: a lock, or a program that was changed, may keep it too.
#[test]
fn why_a_step_that_could_start_has_not_is_not_claimed() {
    let mut s = Scene::new("asks");
    s.step("long", EntryKind::Action, "run", "read");
    s.step("next", EntryKind::Action, "run", "read").free();
    s.step("ok", EntryKind::Approval, "approval", "pure").free();
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, 0);
    s.start(&task);
    insta::assert_snapshot!(s.screen(80, None), @"
    asks  run k7f3q  production  by ana  00:00:00
      ◐ long  0s
      · next  not started yet
      · ok    not started yet
      waiting: long    logs: runbook logs k7f3q long
    ");
    s.ran(&task, 10).push(Body::ExecutorStopped { reason: "`next` waits: tool.sh".into() });
    let stopped = s.screen(80, None);
    assert!(stopped.contains("  · next  not started yet"), "nothing of it is in doubt: {stopped}");
}

#[test]
fn what_could_not_be_seen_and_is_not_waited_for_did_not_fail() {
    let mut s = Scene::new("unseen");
    let node = s.read("w", "http.check");
    s.outline.entries[node as usize].policy.on_inconclusive = Some("continue".into());
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, node);
    s.start(&task).at(11).ended(&task, 1, Result::Failed, "connect", "connection refused");
    let timeline = timeline(&s);
    let said: Vec<&str> = timeline.said.iter().filter(|l| l.about == "w").map(|l| l.text.as_str()).collect();
    assert!(said.iter().any(|t| t.starts_with("could not be seen")), "{said:?}");
    assert!(!said.iter().any(|t| t.contains("failed")), "{said:?}");
}

#[test]
fn an_item_that_is_put_up_with_and_cannot_be_undone_is_why_and_not_the_limit() {
    let mut s = Scene::new("items");
    let each = s.step("e", EntryKind::ForEach, "2 items", "pure").policy(|p| p.max_failures = 1).node;
    let only = s.child(each, Role::Body, "", EntryKind::Action, "run", "write").own_undo("it was").node;
    let undo = s.outline.entries[only as usize].undo[0];
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, each);
    let keys = ["a", "b"].map(str::to_owned).to_vec();
    let items = keys.iter().map(|k| json!(k)).collect();
    s.push(Body::Items { task, attempt: 1, keys, items });
    let a = s.task_at(1, only, "e[a]");
    s.ran(&a, 5);
    let b = s.task_at(2, only, "e[b]");
    s.start(&b).ended(&b, 1, Result::Failed, "exit:1", "exit code 1");
    let undo = s.task_at(2, undo, "e[b].undo");
    s.start(&undo).ended(&undo, 1, Result::Failed, "exit:1", "exit code 1");
    let screen = s.screen(100, None);
    assert!(screen.contains("the undo of e[b] did not complete"), "{screen}");
    assert!(!screen.contains("max_failures"), "{screen}");
}

#[test]
fn who_watches_ends_as_the_executor_did() {
    let code = |reason: &str, asks: Option<fn(runbook_wire::Task) -> About>| {
        let mut s = Scene::new("watched");
        let node = s.step("w", EntryKind::Action, "run", "write").node;
        s.begin("k7f3q", "production", "ana");
        let task = s.task(0, node);
        s.start(&task);
        if let Some(about) = asks {
            s.ended(&task, 1, Result::Unknown, "lost", "it was lost");
            s.asked(about(task), "Did it happen?", &[], None);
        }
        s.push(Body::ExecutorStopped { reason: reason.into() });
        exit_code(&s.run())
    };
    assert_eq!(code("stopped by signal 15", None), Some(143));
    assert_eq!(code("stopped here", None), Some(1));
    assert_eq!(code("waiting for a decision about `w`", Some(About::InDoubt)), Some(23));
    assert_eq!(code("waiting for a decision about `w`", Some(About::Warning)), Some(24));
    assert_eq!(exit_code(&locked().run()), Some(30));
}

#[test]
fn evidence_of_an_answer_is_what_was_expected_of_it_and_a_cell_is_short() {
    let mut s = Scene::new("evidence");
    let node = s.read("front", "http.check");
    let long = s.read("long", "set");
    s.begin("k7f3q", "production", "ana");
    let task = s.task(0, node);
    s.start(&task);
    if let Some(Body::Started { params, .. }) = s.records.last_mut().map(|r| &mut r.body) {
        params.insert("expect".into(), json!({"status": 200, "json": {"status": "healthy"}}));
    }
    s.saw(&task, Probe::Verify, Grade::Pass, "version = v1.1.0");
    let body = format!("{{\"status\":\"healthy\",\"padding\":\"{}\"}}", "x".repeat(3000));
    let outputs = json!({
        "status": 200, "latency": 0.52, "body": body, "json": serde_json::from_str::<Value>(&body).unwrap(),
        "headers": {"date": "Wed, 25 Nov 2026"},
    });
    let map = |value: Value| -> BTreeMap<String, Value> { serde_json::from_value(value).unwrap() };
    s.done_with(&task, "200 in 0.52 ms", map(outputs));
    let task = s.task(0, long);
    s.start(&task);
    let many: BTreeMap<String, Value> = (0..50).map(|n| (format!("n{n}"), json!("y".repeat(150)))).collect();
    s.done_with(&task, "", many);
    s.outline.outputs = map(json!({"checked": {"title": "Checked", "by": ["front", "long"]}}));
    s.finished("succeeded", "none", 0);
    let timeline = timeline(&s);
    let report = markdown(&Report::of(&timeline, s.now(), jiff::tz::TimeZone::UTC));
    let row = report.lines().find(|l| l.contains("`front`") && l.starts_with("| ✓")).unwrap();
    insta::assert_snapshot!(row, @r#"| ✓ | `front`<br>http.check | done | 02:10:25 | 0ms | 200 in 0.52 ms<br>verified (1 look), held: version = v1.1.0<br>expected {"status":200,"json":{"status":"healthy"}} |"#);
    let longest = report.lines().map(|l| l.chars().count()).max();
    assert!(longest < Some(900), "{longest:?}: {report}");
    assert!(report.contains("more, in the JSON report"), "{report}");
}
