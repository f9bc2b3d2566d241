//! The report as JUnit XML, for systems that show test results: a test per step, the undos as a suite of their own.

use std::fmt::Write as _;

use super::Report;
use crate::{Node, Status, markup::escape, moment};

/// JUnit XML, as Jenkins (its schema `junit-10.xsd`) and GitLab read it.
pub fn junit(report: &Report<'_>) -> String {
    let run = report.run;
    let leaf = |n: &&Node<'_>| !n.is_scope();
    let steps: Vec<&Node<'_>> = report.steps().into_iter().map(|(_, n)| n).filter(leaf).collect();
    let undos: Vec<&Node<'_>> = report.undo_steps().into_iter().filter(leaf).collect();
    let seconds = run.elapsed_ms(report.now) as f64 / 1000.0;
    let (all, failed, errors, _) = totals(steps.iter().chain(&undos).copied());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{all}\" failures=\"{failed}\" errors=\"{errors}\" time=\"{seconds:.3}\">",
        escape(run.name())
    );
    suite(&mut out, report, run.name(), &steps, 0);
    if !undos.is_empty() {
        suite(&mut out, report, &format!("{}: undo", run.name()), &undos, 1);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, report: &Report<'_>, name: &str, nodes: &[&Node<'_>], id: usize) {
    let (all, failed, errors, skipped) = totals(nodes.iter().copied());
    let began = nodes.iter().filter_map(|n| n.began).min();
    let ended = nodes.iter().filter_map(|n| n.ended).max();
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
        "  <testsuite name=\"{}\" tests=\"{all}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\" \
         time=\"{:.3}\" timestamp=\"{time}\" hostname=\"{}\" id=\"{id}\">",
        escape(name),
        took as f64 / 1000.0,
        escape(host)
    );
    out.push_str("    <properties>\n");
    for (key, value) in report.facts() {
        let key = key.to_lowercase().replace(' ', "_");
        let _ = writeln!(out, "      <property name=\"{key}\" value=\"{}\"/>", escape(&value));
    }
    out.push_str("    </properties>\n");
    nodes.iter().for_each(|node| case(out, report, node));
    out.push_str("  </testsuite>\n");
}

fn case(out: &mut String, report: &Report<'_>, node: &Node<'_>) {
    let run = report.run.name();
    let parent = match node.whole {
        Some(key) => node.path.strip_suffix(&format!("[{key}]")),
        None => node.path.rsplit_once('.').map(|(parent, _)| parent),
    };
    let class = parent.map_or_else(|| run.to_owned(), |parent| format!("{run}.{parent}"));
    let took = node.ended.and_then(|e| node.took_ms(e.elapsed_ms)).unwrap_or(0);
    let _ = write!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
        escape(node.label()),
        escape(&class),
        took as f64 / 1000.0
    );
    let evidence = super::evidence(report.run, node);
    let failure = node.task.and_then(|t| t.failure.as_ref());
    let (element, class) = match outcome(node) {
        Outcome::Passed if evidence.is_empty() => {
            out.push_str("/>\n");
            return;
        }
        Outcome::Passed => ("", ""),
        Outcome::Failed => ("failure", failure.map_or("failed", |f| f.class.as_str())),
        Outcome::Error => ("error", "in_doubt"),
        Outcome::Skipped => ("skipped", ""),
    };
    out.push_str(">\n");
    let message = match failure {
        Some(failure) => failure.message.clone(),
        None => match node.task.and_then(|t| t.skipped.clone()) {
            Some(reason) => reason,
            None => report.stands(node).0.to_owned(),
        },
    };
    match element {
        "" => {}
        "skipped" => {
            let _ = writeln!(out, "      <skipped message=\"{}\"/>", escape(&message));
        }
        element => {
            let place = crate::place(node);
            let _ = writeln!(
                out,
                "      <{element} message=\"{}\" type=\"{}\">{}</{element}>",
                escape(&message),
                escape(class),
                escape(&format!("{message}\nat {place}"))
            );
        }
    }
    if !evidence.is_empty() {
        let _ = writeln!(out, "      <system-out>{}</system-out>", escape(&evidence.join("\n")));
    }
    out.push_str("    </testcase>\n");
}

enum Outcome {
    Passed,
    Failed,
    Error,
    Skipped,
}

fn outcome(node: &Node<'_>) -> Outcome {
    match node.status {
        Status::Done | Status::DoneWithFailures => Outcome::Passed,
        Status::Failed | Status::NotDone if !node.tolerated() => Outcome::Failed,
        // The run went on without it.
        Status::Failed | Status::NotDone => Outcome::Skipped,
        Status::InDoubt => Outcome::Error,
        _ => Outcome::Skipped,
    }
}

fn totals<'t, 'a: 't>(nodes: impl Iterator<Item = &'t Node<'a>>) -> (usize, usize, usize, usize) {
    let (mut all, mut failed, mut errors, mut skipped) = (0, 0, 0, 0);
    for node in nodes {
        all += 1;
        match outcome(node) {
            Outcome::Passed => {}
            Outcome::Failed => failed += 1,
            Outcome::Error => errors += 1,
            Outcome::Skipped => skipped += 1,
        }
    }
    (all, failed, errors, skipped)
}
