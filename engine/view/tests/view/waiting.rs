//! Runs that nobody executes: they wait for a person, or their time is over, or they were cut short.

use runbook_view::{Holder, Now, Tree, json, next, report::Report, report::html, report::markdown, standing};
use runbook_wire::{About, Answer, Body, EntryKind, Result, Via};

use crate::{
    record::timeline,
    scene::{START, Scene},
};

const DAY: u64 = 86_400_000;

fn later() -> Now {
    Now { executor_alive: Some(false), ..Now::at(START + DAY) }
}

fn stopped(s: &mut Scene, reason: &str) {
    s.push(Body::ExecutorStopped { reason: reason.into() });
}

/// Something failed, and somebody has to decide whether a step is undone.
fn undecided() -> Scene {
    let mut s = Scene::new("undecided");
    let write = s.step("u", EntryKind::Action, "run", "write").own_undo("the file as it was").node;
    let check = s.read("c", "http.check");
    s.begin("k7f3q", "production", "ana");
    let (write, check) = (s.task(0, write), s.task(0, check));
    s.ran(&write, 10).start(&check).ended(&check, 1, Result::Failed, "check", "status = 503");
    s.asked(About::Rollback(Some(write)), "Undo it, or keep it?", &[], None);
    stopped(&mut s, "waiting for a decision about `u`");
    s
}

#[test]
fn a_run_that_waits_for_a_decision_says_so_with_the_commands_and_not_that_it_was_interrupted() {
    let s = undecided();
    let timeline = timeline(&s);
    let report = Report::of(&timeline, later(), jiff::tz::TimeZone::UTC);
    assert_eq!(standing(&Tree::of(&s.run()), later()), "failed, rollback waiting for a person");
    let keep = "runbook answer k7f3q u --keep";
    for said in [report.headline(), markdown(&report), html(&report)] {
        assert!(said.contains(keep) && !said.contains("was interrupted"), "{said}");
    }
    assert!(!report.headline().contains("runbook resume"), "{}", report.headline());
    assert!(!html(&report).contains("Nobody answered."));
    let answered = markdown(&report).matches(keep).count();
    assert_eq!(answered, 2, "in the headline and beside the question");
}

#[test]
fn a_question_whose_time_is_over_is_not_to_be_answered_any_more() {
    let mut s = Scene::new("expired");
    let gate = s.step("ok", EntryKind::Approval, "approval", "pure").node;
    s.begin("k7f3q", "production", "ana");
    let gate = s.task(0, gate);
    s.start(&gate).asked(About::Human(gate.clone()), "Go?", &[], Some(START + 1_000));
    stopped(&mut s, "waiting for a person");
    let run = s.run();
    let before = Now { executor_alive: Some(false), ..s.now() };
    let commands = |now: Now| next(&Tree::of(&run), now).into_iter().map(|n| n.command).collect::<Vec<_>>();
    assert!(commands(before).contains(&"runbook approve k7f3q ok".to_owned()), "{:?}", commands(before));
    assert_eq!(commands(later()), ["runbook resume k7f3q"]);
    assert_eq!(standing(&Tree::of(&run), before), "waiting for a person");
    assert_eq!(standing(&Tree::of(&run), later()), "expired");
    let lines = runbook_view::render(&run, later(), 100, &runbook_view::Style::default());
    let screen = crate::scene::text(&lines);
    assert!(screen.contains("expired at 02:10:26") && !screen.contains("runbook approve"), "{screen}");
    let timeline = timeline(&s);
    let report = markdown(&Report::of(&timeline, later(), jiff::tz::TimeZone::UTC));
    assert!(report.contains("waited for an answer until its time was over"), "{report}");
    assert!(report.contains("| expired |") && !report.contains("| waiting for a person |"), "{report}");
    let shown = json::show(&run, later());
    assert_eq!(shown["questions"][0]["expired"], true);
    assert_eq!(shown["questions"][0]["answers"], serde_json::json!([]));
}

#[test]
fn what_ran_when_ends_where_the_record_does() {
    let s = undecided();
    let timeline = timeline(&s);
    let drawn = |now| {
        let page = html(&Report::of(&timeline, now, jiff::tz::TimeZone::UTC));
        let from = page.find("<svg").unwrap();
        page[from..page.find("</svg>").unwrap()].to_owned()
    };
    assert_eq!(drawn(later()), drawn(Now { executor_alive: Some(false), ..s.now() }));
}

#[test]
fn no_log_is_named_of_what_writes_none() {
    let mut s = Scene::new("rejected");
    let gate = s.step("ok", EntryKind::Approval, "approval", "pure").policy(|p| p.count = 1).node;
    s.begin("k7f3q", "production", "ana");
    let gate = s.task(0, gate);
    let about = About::Human(gate.clone());
    s.start(&gate).asked(about.clone(), "Go?", &[], None);
    s.answered(about, Answer::Reject, "bo", Via::Command).finished("failed", "nothing_to_undo", 25);
    let commands: Vec<String> = next(&Tree::of(&s.run()), s.now()).into_iter().map(|n| n.command).collect();
    assert_eq!(commands, ["runbook report k7f3q"]);
}

#[test]
fn a_run_that_was_stopped_from_outside_beside_a_question_was_interrupted() {
    let mut s = Scene::new("stopped");
    let gate = s.step("ok", EntryKind::Approval, "approval", "pure").free().node;
    let long = s.step("long", EntryKind::Action, "run", "read").free().node;
    s.begin("k7f3q", "production", "ana");
    let (gate, long) = (s.task(0, gate), s.task(0, long));
    s.start(&long).start(&gate).asked(About::Human(gate.clone()), "Go?", &[], None);
    stopped(&mut s, "stopped by signal 15");
    assert_eq!(standing(&Tree::of(&s.run()), later()), "interrupted");
    let timeline = timeline(&s);
    let headline = Report::of(&timeline, later(), jiff::tz::TimeZone::UTC).headline();
    assert!(headline.contains("was interrupted") && headline.contains("runbook resume k7f3q"), "{headline}");
}

#[test]
fn what_holds_a_lock_waits_for_a_person_only_where_an_answer_would_bring_it_further() {
    let asks = |ends: Option<&str>, deadline| {
        let mut s = Scene::new("holds");
        let gate = s.step("ok", EntryKind::Approval, "approval", "pure").node;
        s.begin("k7f3q", "production", "ana");
        let gate = s.task(0, gate);
        s.start(&gate).asked(About::Human(gate.clone()), "Go?", &[], deadline);
        if let Some(reason) = ends {
            stopped(&mut s, reason);
        }
        Holder::of(&s.run(), later()).asks
    };
    assert!(asks(Some("waiting for a person"), None));
    assert!(!asks(Some("waiting for a person"), Some(START + 1_000)), "its time is over");
    assert!(!asks(Some("stopped by signal 15"), None));
    assert!(!asks(None, None), "its process is gone");
}
