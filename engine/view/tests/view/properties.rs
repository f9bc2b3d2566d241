//! What holds for any records, sensible or not.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::{collection::vec, prelude::*};
use runbook_view::{
    Forward, Now, Rollback, Run, Status, Style, Timeline, Tree, graph, lines, render,
    report::{self, Report},
};
use runbook_wire::{
    About, Answer, Body, Entry, EntryKind, Grade, Outline, Place, Policy, Probe, Promise, Record, Result,
    Role, Task, Timer, Via,
};

use crate::scene::{failure, person};

const KINDS: [EntryKind; 10] = [
    EntryKind::Action,
    EntryKind::Wait,
    EntryKind::Approval,
    EntryKind::Checklist,
    EntryKind::Prompt,
    EntryKind::Window,
    EntryKind::Group,
    EntryKind::Switch,
    EntryKind::Call,
    EntryKind::ForEach,
];

const ROLES: [Role; 8] = [
    Role::Body,
    Role::Between,
    Role::Require,
    Role::Undo,
    Role::Finally,
    Role::First,
    Role::AfterPivot,
    Role::Revert,
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,12}",
        "[ -~]{0,90}",
        "\\PC{0,20}",
        Just("部署 新版本 を展開する 한국어".to_owned()),
        Just("</script><script>alert(1)</script>\u{0}]]>&amp;".to_owned())
    ]
}

/// A node: kind, role, owner (modulo the nodes before it; `None`: of the runbook), effect, name.
type Sketch = (usize, usize, Option<usize>, usize, String);

fn outline(sketches: Vec<Sketch>) -> Outline {
    let mut outline = Outline { name: "any".into(), rollback: "auto".into(), ..Outline::default() };
    for (n, (kind, role, owner, effect, segment)) in sketches.into_iter().enumerate() {
        let kind = KINDS[kind % KINDS.len()];
        let role = ROLES[role % ROLES.len()];
        let parent = owner.filter(|_| n > 0).map(|o| (o % n.max(1)) as u32);
        let effect = ["pure", "read", "write", "notify"][effect % 4];
        let node = n as u32;
        outline.entries.push(Entry {
            what: segment.chars().rev().collect(),
            segment,
            title: None,
            kind,
            effect: effect.into(),
            parent,
            children: Vec::new(),
            undo: Vec::new(),
            finally: Vec::new(),
            needs: node.checked_sub(1).into_iter().collect(),
            promise: if effect == "write" {
                Promise::Own("puts it back".into())
            } else {
                Promise::NothingToUndo
            },
            pivot: n % 7 == 6,
            place: Place { file: "any.yaml".into(), line: node, column: 1 },
            cases: Vec::new(),
            role,
            policy: Policy {
                attempts: node % 3,
                batches: vec!["1".into(), "50%".into()],
                count: 2,
                ..Policy::default()
            },
        });
        match (parent, role) {
            (Some(p), Role::Undo | Role::Require) => outline.entries[p as usize].undo.push(node),
            (Some(p), Role::Finally) => outline.entries[p as usize].finally.push(node),
            (Some(p), Role::Body) if outline.entries[p as usize].kind == EntryKind::Switch => {
                outline.entries[p as usize].cases.push(("x".into(), vec![node]));
            }
            (Some(p), Role::Body) => outline.entries[p as usize].children.push(node),
            (None, Role::Body) => outline.steps.push(node),
            (None, Role::Finally) => outline.finally.push(node),
            _ => {}
        }
    }
    outline
}

/// One event: what, node, frame, a number, words.
type Event = (u8, usize, u32, u32, String);

fn body(outline: &Outline, (what, node, frame, n, words): Event) -> Body {
    let node = (node % outline.entries.len()) as u32;
    let mut path = outline.entries[node as usize].segment.clone();
    if frame > 0 {
        path = format!("{}[{}].{path}", outline.entries[0].segment, n % 3);
    }
    let task = Task { frame, node, path };
    let about = match n % 6 {
        0 => About::Human(task.clone()),
        1 => About::InDoubt(task.clone()),
        2 => About::Warning(task.clone()),
        3 => About::Rollback(Some(task.clone())),
        4 => About::AfterPivot,
        _ => About::Rollback(None),
    };
    let result = [Result::Done, Result::Failed, Result::NotDone, Result::Unknown][n as usize % 4];
    let failed = failure(["check", "timeout", "cancelled"][n as usize % 3], &words);
    let probe = [Probe::Until, Probe::Verify, Probe::NotDone, Probe::Guard(0)][n as usize % 4];
    let outputs = BTreeMap::from([("x".to_owned(), serde_json::json!({"$secret": [words.clone()]}))]);
    let attempt = n % 3 + 1;
    match what % 18 {
        0 => Body::ExecutorStarted { pid: 1, host: words, resumed: n % 2 == 0, gap_ms: 5 },
        1 => Body::ExecutorStopped { reason: words },
        2 => Body::LockTaken { name: words },
        3 => Body::Skipped { task, attempt, reason: words },
        4 => Body::Entered { task, attempt, title: None, inputs: outputs },
        5 => Body::Items {
            task,
            attempt,
            keys: (0..n % 5).map(|k| k.to_string()).collect(),
            items: Vec::new(),
        },
        6 => Body::Branch { task, attempt, case: n % 3, label: words },
        7..=9 => Body::Started {
            task,
            attempt,
            incarnation: n % 2,
            title: Some(words),
            params: outputs,
            prepared: serde_json::Value::Null,
            key: String::new(),
        },
        10 | 11 => Body::Ended {
            task,
            attempt,
            result,
            masked: outputs.keys().take(1).cloned().collect(),
            outputs,
            note: Some(words.clone()),
            warning: (n % 5 == 0).then_some(words),
            failure: (result != Result::Done).then_some(failed),
            log: None,
        },
        12 => Body::GateClosed { gate: task.clone(), task, attempt, reason: words },
        13 => Body::Checked {
            task,
            probe,
            round: n,
            grade: [Grade::Pass, Grade::Fail, Grade::Inconclusive][n as usize % 3],
            message: words,
            outputs: BTreeMap::new(),
            masked: Vec::new(),
        },
        14 => Body::Closed {
            task,
            attempt,
            outputs,
            masked: Vec::new(),
            failure: (n % 2 == 0).then_some(failed),
        },
        15 => Body::Fired {
            task,
            timer: [Timer::Wait, Timer::GiveUp(Some(probe)), Timer::Deadline][n as usize % 3],
        },
        16 => Body::Asked { about, question: words, show: outputs, deadline_wall_ms: Some(u64::from(n)) },
        _ => Body::Answered {
            about,
            answer: [Answer::Approve, Answer::Reject, Answer::Keep, Answer::Undo][n as usize % 4].clone(),
            by: person(&words),
            via: Via::AnswersFile,
            comment: None,
        },
    }
}

fn case() -> impl Strategy<Value = (Outline, Vec<Record>)> {
    let sketch =
        (0..10usize, 0..20usize, prop::option::of(0..50usize), 0..4usize, "[a-z][a-z0-9_]{0,20}|部署");
    let sketch = sketch.prop_map(|(k, r, o, e, s)| (k, if r < 8 { r } else { 0 }, o, e, s));
    let event = (0..18u8, 0..30usize, 0..4u32, 0..60u32, text());
    let over = prop::option::of((0..4usize, 0..5usize));
    (vec(sketch, 1..14), vec((event, 0..100_000u64), 0..60), over).prop_map(|(sketches, events, over)| {
        let outline = outline(sketches);
        let mut bodies: Vec<(Body, u64)> =
            events.into_iter().map(|(e, ms)| (body(&outline, e), ms)).collect();
        if let Some((forward, rollback)) = over {
            let forward = ["succeeded", "succeeded_with_failures", "failed", "cancelled"][forward].to_owned();
            let rollback =
                ["none", "nothing_to_undo", "complete", "incomplete", "declined"][rollback].to_owned();
            bodies.push((
                Body::Finished {
                    forward,
                    rollback,
                    exit_code: 20,
                    outputs: BTreeMap::new(),
                    no_outputs: BTreeMap::new(),
                },
                1,
            ));
        }
        let mut at = 0;
        let records = bodies.into_iter().enumerate().map(|(n, (body, ms))| {
            at += ms;
            Record { seq: n as u64 + 1, wall_ms: 1_795_313_425_000 + at, elapsed_ms: at, epoch: 1, body }
        });
        let records = records.collect();
        (outline, records)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_seen_before_is_absorbed((outline, records) in case(), again in 0..60usize) {
        let once = Run::replay(outline.clone(), &records);
        let mut twice = Run::new(outline);
        for (n, record) in records.iter().enumerate() {
            twice.apply(record);
            // A watcher that reconnects reads from further back.
            for old in &records[n.saturating_sub(again)..=n] {
                twice.apply(old);
            }
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn any_run_renders_within_its_width(
        (outline, records) in case(),
        width in 20..140usize,
        max in prop::option::of(3..40usize),
        ascii: bool,
        alive in prop::option::of(any::<bool>()),
    ) {
        let style = Style { ascii, max_lines: max, ..Style::default() };
        let mut run = Run::new(outline);
        for record in &records {
            run.apply(record);
            for line in lines(&run, record, &style) {
                prop_assert!(!line.text().contains(char::is_control));
            }
        }
        let now = Now { executor_alive: alive, ..Now::at(1_795_313_425_000) };
        let screen = render(&run, now, width, &style);
        for line in &screen {
            prop_assert!(line.width() <= width, "{} columns of {width}: {:?}", line.width(), line.text());
            prop_assert!(!line.spans.iter().any(|s| s.text.contains(char::is_control)));
        }
        if let Some(max) = max {
            prop_assert!(screen.len() <= max, "{} lines of {max}", screen.len());
        }
    }

    #[test]
    fn reports_of_any_run_are_well_formed((outline, records) in case()) {
        let mut timeline = Timeline::new(outline.clone(), TimeZone::UTC);
        records.iter().for_each(|r| timeline.apply(r));
        let report = Report::of(&timeline, Now::at(1_795_313_425_000), TimeZone::UTC);
        let page = report::html(&report);
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let parsed = roxmltree::Document::parse_with_options(&page, options);
        let elements = parsed.map_err(|e| TestCaseError::fail(format!("{e}")))?;
        prop_assert!(!elements.descendants().any(|n| n.has_tag_name("script")));
        let junit = report::junit(&report);
        let parsed = roxmltree::Document::parse(&junit);
        let tests = parsed.map_err(|e| TestCaseError::fail(format!("{e}: {junit}")))?;
        let red = |n: roxmltree::Node<'_, '_>| n.has_tag_name("failure") || n.has_tag_name("error");
        let (forward, rollback) = (report.tree.forward, report.tree.rollback);
        let green = matches!(forward, Forward::Succeeded | Forward::SucceededWithFailures | Forward::Skipped);
        if !green || rollback == Rollback::Incomplete {
            prop_assert!(tests.descendants().any(red), "{forward:?}, {rollback:?}: {junit}");
        }
        let markdown = report::markdown(&report);
        prop_assert!(!markdown.contains("<script"));
        prop_assert_eq!(&report::json(&report)["version"], &serde_json::json!(1));
        let picture = graph::svg(&graph::Graph::of(&outline), true);
        prop_assert!(roxmltree::Document::parse(&picture).is_ok(), "{picture}");
    }

    #[test]
    fn every_step_is_counted_once((outline, records) in case()) {
        let run = Run::replay(outline, &records);
        let tree = Tree::of(&run);
        let (mut leaves, mut over) = (0, true);
        tree.walk(&mut |node| {
            leaves += u32::from(!node.is_scope());
            over &= !node.status.is_active() || node.status == Status::InDoubt;
        });
        let counts = runbook_view::Summary::of(&tree).steps;
        let sum = counts.done + counts.failed + counts.skipped + counts.active + counts.waiting + counts.cancelled + counts.not_started;
        prop_assert_eq!((counts.all, sum), (leaves, leaves));
        prop_assert!(run.finished.is_none() || over, "something goes on in a run that is finished");
    }
}
