//! The report as Markdown, for a ticket or a wiki.

use std::fmt::Write as _;

use super::{Report, evidence};
use crate::{Brought, Node, Weight, mark, moment, timeline};

/// The report as Markdown (with tables, as most hosts render them).
pub fn markdown(report: &Report<'_>) -> String {
    let mut out = String::new();
    let run = report.run;
    let _ = writeln!(out, "# {}: {}\n", text(run.name()), crate::standing(&report.tree, report.now));
    if !run.outline.summary.is_empty() {
        let _ = writeln!(out, "{}\n", text(run.outline.summary.trim()));
    }
    let _ = writeln!(out, "**{}**\n", text(&report.headline()));
    table(&mut out, &["", ""], report.facts().into_iter().map(|(k, v)| vec![k.to_owned(), code(&v)]));
    pairs(&mut out, "Inputs", &report.inputs());
    required(&mut out, report);
    failures(&mut out, report);
    steps(&mut out, report);
    decisions(&mut out, report);
    rollback(&mut out, report);
    pairs(&mut out, report.outputs_title(), &report.outputs());
    timeline_section(&mut out, report);
    out
}

fn required(out: &mut String, report: &Report<'_>) {
    if report.required.is_empty() {
        return;
    }
    out.push_str("## Required outputs\n\n");
    let rows = report.required.iter().map(|r| {
        let mut said: Vec<String> =
            Some(r.why.clone()).filter(|w| !w.is_empty()).into_iter().map(|w| text(&w)).collect();
        for by in &r.by {
            said.push(format!("{} {}", code(&by.path), text(&by.text)));
            said.extend(by.details.iter().map(|d| format!("– {}", text(d))));
        }
        said.extend(r.evidence.iter().map(|(k, v)| format!("{}: {}", text(k), text(v))));
        vec![text(&r.title), r.produced.words().to_owned(), said.join("<br>")]
    });
    table(out, &["Output", "", "Evidence"], rows);
}

fn failures(out: &mut String, report: &Report<'_>) {
    if report.summary.failures.is_empty() {
        return;
    }
    out.push_str("## Failures\n\n");
    for failed in &report.summary.failures {
        let tolerated = if failed.tolerated { " (the run went on)" } else { "" };
        let _ = writeln!(
            out,
            "- {}{tolerated}: {}  \n  at {}",
            code(&failed.path),
            text(&failed.message),
            code(&failed.place)
        );
        if let Some(hint) = &failed.hint {
            let _ = writeln!(out, "  Hint: {}", text(hint));
        }
    }
    out.push('\n');
}

fn steps(out: &mut String, report: &Report<'_>) {
    out.push_str("## Steps\n\n");
    let rows = report.steps().into_iter().map(|(_, n)| step(report, n));
    table(out, &["", "Step", "Status", "Began", "Took", "Evidence"], rows);
    let undo = report.undo_steps();
    if !undo.is_empty() {
        out.push_str("### Undo steps\n\n");
        table(
            out,
            &["", "Step", "Status", "Began", "Took", "Evidence"],
            undo.into_iter().map(|n| step(report, n)),
        );
    }
}

fn step(report: &Report<'_>, node: &Node<'_>) -> Vec<String> {
    let (words, seen) = report.stands(node);
    let sign = mark(seen, node.tolerated(), false).0;
    let mut name = code(&node.path);
    let title = node.title().unwrap_or(&node.entry.what);
    if node.item.is_none() && !title.is_empty() {
        name.push_str(&format!("<br>{}", text(title)));
    }
    if node.entry.policy.claimed {
        name.push_str(&format!("<br>{}", node.entry.effect_words()));
    }
    let mut status = words.to_owned();
    if let Some(reason) = node.task.and_then(|t| t.skipped.as_deref()).filter(|r| !r.is_empty()) {
        status.push_str(&format!(": {}", text(reason)));
    }
    if node.task.is_some_and(|t| t.attempts.len() > 1) {
        status.push_str(&format!(" ({} attempts)", node.task.map_or(0, |t| t.attempts.len())));
    }
    let began = node.began.map_or_else(String::new, |b| moment::time_of_day(b.wall_ms, &report.zone));
    let took = node.ended.and_then(|e| node.took_ms(e.elapsed_ms)).map_or_else(String::new, moment::length);
    let evidence = evidence(report.run, node).iter().map(|e| text(e)).collect::<Vec<_>>().join("<br>");
    vec![sign.to_owned(), name, status, began, took, evidence]
}

fn decisions(out: &mut String, report: &Report<'_>) {
    let decisions = report.decisions();
    if decisions.is_empty() {
        return;
    }
    out.push_str("## Decisions\n\n");
    for decision in decisions {
        let _ = writeln!(out, "- {}: {}", code(&decision.about), text(&decision.question.text));
        for (name, shown) in decision.question.shown(report.run) {
            let _ = writeln!(out, "  - shown: {} = {}", text(&name), text(&shown));
        }
        for next in report.commands(decision.question) {
            let _ = writeln!(out, "  - {}: {}", text(&next.what), code(&next.command));
        }
        for given in decision.answers {
            let at = moment::date_time(given.at.wall_ms, &report.zone);
            let comment = given.comment.as_ref().map_or_else(String::new, |c| format!(": {}", text(c)));
            let void = if given.void { " (no longer counts)" } else { "" };
            let _ = writeln!(out, "  - {at}: {}{comment}{void}", text(&timeline::answer(given)));
        }
    }
    out.push('\n');
}

fn rollback(out: &mut String, report: &Report<'_>) {
    let s = &report.summary;
    if !report.tells_of_undoing() {
        return;
    }
    let _ = writeln!(out, "## {}\n", crate::exit::capital(&crate::exit::rolled_back(&report.tree)));
    let mut list = |title: &str, all: &[Brought]| {
        if !all.is_empty() {
            let _ = writeln!(out, "{title}:\n");
            for b in all {
                let _ = writeln!(out, "- {}: {}", code(&b.path), text(&b.text));
            }
            out.push('\n');
        }
    };
    list("Undone", &s.undone);
    list("Not undone yet", &s.undoing);
    list("To be decided", &s.asked);
    list("Undo failed", &s.stuck);
    list("Blocked by that", &s.blocked);
    list("Left as it is", &s.left);
    if !s.needed_none.is_empty() {
        let paths: Vec<String> = s.needed_none.iter().map(|p| code(p)).collect();
        let _ = writeln!(out, "Needed no undo: {}.\n", paths.join(", "));
    }
}

fn timeline_section(out: &mut String, report: &Report<'_>) {
    out.push_str("## Timeline\n\n");
    let rows = report.timeline.said.iter().filter(|s| s.weight > Weight::Detail).map(|s| {
        let time = moment::time_of_day(s.at.wall_ms, &report.zone);
        let about = if s.about.is_empty() { String::new() } else { format!("{}: ", code(&s.about)) };
        vec![time, moment::clock(s.at.elapsed_ms), format!("{about}{}", text(&s.text))]
    });
    table(out, &["Time", "Elapsed", ""], rows);
}

fn pairs(out: &mut String, title: &str, pairs: &[(String, String)]) {
    if !pairs.is_empty() {
        let _ = writeln!(out, "## {title}\n");
        table(out, &["Name", "Value"], pairs.iter().map(|(k, v)| vec![code(k), text(v)]));
    }
}

fn table(out: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}

/// Text in a line: nothing in it is Markdown or HTML.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in crate::line::clean(raw.to_owned()).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Text as code; where it holds what would end it, as plain text.
fn code(raw: &str) -> String {
    let raw = crate::line::clean(raw.to_owned());
    if raw.is_empty() || raw.contains(['`', '|', '\\', '<', '&']) { text(&raw) } else { format!("`{raw}`") }
}
