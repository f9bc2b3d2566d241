//! The report as JUnit XML, for systems that show test results: a test per step, the undos as a suite of their own. A
//! group is a test where it failed by itself, and so is the run where nothing else says that it did not succeed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Report;
use crate::{Forward, Node, Rollback, Status, markup::escape, moment};

/// JUnit XML, as Jenkins (its schema `junit-10.xsd`) and GitLab read it.
pub fn junit(report: &Report<'_>) -> String {
    let run = report.run;
    let spared: BTreeSet<&str> =
        report.summary.failures.iter().filter(|f| f.tolerated).map(|f| f.path.as_str()).collect();
    let cases = |nodes: Vec<&Node<'_>>| -> Vec<Case> {
        let those = nodes.into_iter().filter(|n| !n.is_scope() || failed_itself(n));
        those.map(|node| case(report, node, spared.contains(node.path.as_str()))).collect()
    };
    let mut steps = cases(report.steps().into_iter().map(|(_, n)| n).collect());
    let undos = cases(report.undo_steps());
    let red = |c: &Case| matches!(c.outcome, Outcome::Failed { .. } | Outcome::Error { .. });
    if !steps.iter().chain(&undos).any(red) {
        steps.extend(whole_run(report));
    }
    let seconds = run.elapsed_ms(report.now) as f64 / 1000.0;
    let totals = Totals::of(steps.iter().chain(&undos));
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds:.3}\">",
        escape(run.name()),
        totals.all,
        totals.failed,
        totals.errors
    );
    suite(&mut out, report, run.name(), &steps, 0);
    if !undos.is_empty() {
        suite(&mut out, report, &format!("{}: undo", run.name()), &undos, 1);
    }
    out.push_str("</testsuites>\n");
    out
}

/// A test: of a step, of a group that failed, of the run.
struct Case {
    name: String,
    class: String,
    began: Option<crate::Stamp>,
    ended: Option<crate::Stamp>,
    took_ms: u64,
    outcome: Outcome,
    evidence: Vec<String>,
}

enum Outcome {
    Passed,
    Failed { message: String, class: String, place: String },
    Error { message: String, class: String, place: String },
    Skipped { message: String },
}

/// Whether a scope failed by what is its own: its `verify`, its time, a guard, its limit.
fn failed_itself(scope: &Node<'_>) -> bool {
    matches!(scope.status, Status::Failed | Status::NotDone | Status::InDoubt)
        && scope.task.is_some_and(|t| t.failure.is_some())
}

/// `spared`: the run went on without it, or without what is around it.
fn case(report: &Report<'_>, node: &Node<'_>, spared: bool) -> Case {
    let run = report.run.name();
    let parent = match node.whole {
        Some(key) => node.path.strip_suffix(&format!("[{key}]")),
        None => node.path.rsplit_once('.').map(|(parent, _)| parent),
    };
    let failure = node.task.and_then(|t| t.failure.as_ref());
    let message = match failure {
        Some(failure) => failure.message.clone(),
        None => match node.task.and_then(|t| t.skipped.clone()) {
            Some(reason) => reason,
            None => report.stands(node).0.to_owned(),
        },
    };
    let place = crate::place(node);
    let outcome = match node.status {
        Status::Done | Status::DoneWithFailures => Outcome::Passed,
        Status::Failed | Status::NotDone if !spared && !node.tolerated() => {
            let class = failure.map_or("failed", |f| f.class.as_str()).to_owned();
            Outcome::Failed { message, class, place }
        }
        Status::InDoubt => Outcome::Error { message, class: "in_doubt".into(), place },
        _ => Outcome::Skipped { message },
    };
    Case {
        name: node.label().to_owned(),
        class: parent.map_or_else(|| run.to_owned(), |parent| format!("{run}.{parent}")),
        began: node.began,
        ended: node.ended,
        took_ms: node.ended.and_then(|e| node.took_ms(e.elapsed_ms)).unwrap_or(0),
        outcome,
        evidence: super::evidence(report.run, node),
    }
}

/// The run as a test of its own, unless it succeeded: a lock, a cancel, an end that nobody has seen yet.
fn whole_run(report: &Report<'_>) -> Option<Case> {
    let run = report.run;
    let went_well =
        matches!(report.tree.forward, Forward::Succeeded | Forward::SucceededWithFailures | Forward::Skipped);
    let stuck = report.tree.rollback == Rollback::Incomplete;
    if went_well && !stuck {
        return None;
    }
    let message = report.headline();
    let place = run.created.as_ref().map_or_else(String::new, |c| c.file.clone());
    let outcome = match report.tree.forward {
        Forward::Failed => Outcome::Failed { message, class: "failed".into(), place },
        Forward::Cancelled => Outcome::Failed { message, class: "cancelled".into(), place },
        forward => {
            let class = if stuck { report.tree.rollback.code() } else { forward.code() };
            Outcome::Error { message, class: class.into(), place }
        }
    };
    Some(Case {
        name: "run".into(),
        class: run.name().to_owned(),
        began: run.first,
        ended: run.last,
        took_ms: run.elapsed_ms(report.now),
        outcome,
        evidence: Vec::new(),
    })
}

fn suite(out: &mut String, report: &Report<'_>, name: &str, cases: &[Case], id: usize) {
    let totals = Totals::of(cases.iter());
    let began = cases.iter().filter_map(|c| c.began).min();
    let ended = cases.iter().filter_map(|c| c.ended).max();
    let took = began.zip(ended).map_or(0, |(b, e)| e.elapsed_ms.saturating_sub(b.elapsed_ms));
    let time = moment::rfc3339(began.or(report.run.first).map_or(0, |s| s.wall_ms));
    // The schema's time has no zone; it is UTC.
    let time = time.split('.').next().unwrap_or_default();
    let host = match &report.run.executor {
        crate::Executor::Running { host, .. } => host.as_str(),
        _ => "unknown",
    };
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" \
         time=\"{:.3}\" timestamp=\"{time}\" hostname=\"{}\" id=\"{id}\">",
        escape(name),
        totals.all,
        totals.failed,
        totals.errors,
        totals.skipped,
        took as f64 / 1000.0,
        escape(host)
    );
    out.push_str("    <properties>\n");
    for (key, value) in report.facts() {
        let key = key.to_lowercase().replace(' ', "_");
        let _ = writeln!(out, "      <property name=\"{key}\" value=\"{}\"/>", escape(&value));
    }
    out.push_str("    </properties>\n");
    cases.iter().for_each(|case| case.write(out));
    out.push_str("  </testsuite>\n");
}

impl Case {
    fn write(&self, out: &mut String) {
        let _ = write!(
            out,
            "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
            escape(&self.name),
            escape(&self.class),
            self.took_ms as f64 / 1000.0
        );
        if matches!(self.outcome, Outcome::Passed) && self.evidence.is_empty() {
            out.push_str("/>\n");
            return;
        }
        out.push_str(">\n");
        let mut fault = |element: &str, message: &str, class: &str, place: &str| {
            let _ = writeln!(
                out,
                "      <{element} message=\"{}\" type=\"{}\">{}</{element}>",
                escape(message),
                escape(class),
                escape(&format!("{message}\nat {place}"))
            );
        };
        match &self.outcome {
            Outcome::Passed => {}
            Outcome::Failed { message, class, place } => fault("failure", message, class, place),
            Outcome::Error { message, class, place } => fault("error", message, class, place),
            Outcome::Skipped { message } => {
                let _ = writeln!(out, "      <skipped message=\"{}\"/>", escape(message));
            }
        }
        if !self.evidence.is_empty() {
            let _ = writeln!(out, "      <system-out>{}</system-out>", escape(&self.evidence.join("\n")));
        }
        out.push_str("    </testcase>\n");
    }
}

#[derive(Default)]
struct Totals {
    all: usize,
    failed: usize,
    errors: usize,
    skipped: usize,
}

impl Totals {
    fn of<'c>(cases: impl Iterator<Item = &'c Case>) -> Totals {
        let mut totals = Totals::default();
        for case in cases {
            totals.all += 1;
            match case.outcome {
                Outcome::Passed => {}
                Outcome::Failed { .. } => totals.failed += 1,
                Outcome::Error { .. } => totals.errors += 1,
                Outcome::Skipped { .. } => totals.skipped += 1,
            }
        }
        totals
    }
}
