//! The last lines: what failed, what it waits for, how it ended, and the next command.

use super::{Page, detail::time_left};
use crate::{
    Forward, Line, Node, Question, Status, Tone, answers, choices, exit,
    line::{message, wrap},
    moment,
    required::{Produced, Required, is_required, required},
    summary::{self, Summary},
};

pub(super) fn foot(page: &Page<'_>) -> Vec<Line> {
    let run = page.tree.run;
    let mut lines = Vec::new();
    for question in page.tree.open_questions() {
        lines.extend(ask(page, question));
    }
    if run.finished.is_some() {
        lines.extend(ended(page));
    } else if !run.interrupted(page.now) {
        lines.extend(waiting(page));
    }
    let asked: Vec<String> = page
        .tree
        .open_questions()
        .into_iter()
        .flat_map(|q| answers(&page.tree, q))
        .map(|n| n.command)
        .collect();
    let next: Vec<_> =
        summary::next(&page.tree, page.now).into_iter().filter(|n| !asked.contains(&n.command)).collect();
    for next in next {
        let command = page.command(&next.command);
        let line = Line::of(Tone::Dim, format!("  {}: ", next.what)).with(Tone::Accent, &command);
        if line.width() <= page.width && !command.contains('\n') {
            lines.push(line);
        } else {
            lines.extend(page.below(&next.what, &command, 2));
        }
    }
    lines
}

/// `FAILED at 02:51:37: …`, at once and at the end.
pub(super) fn failed(page: &Page<'_>) -> Vec<Line> {
    let tree = &page.tree;
    let run = tree.run;
    let zone = &page.style.zone;
    let refused =
        run.lock_held.as_ref().filter(|_| matches!(tree.forward, Forward::Locked | Forward::Skipped));
    let text = if let Some(held) = refused {
        let word = exit::standing(tree, page.now).to_uppercase();
        format!("{word} at {}: {}.", moment::time_of_day(held.at.wall_ms, zone), held.words_at(page.now))
    } else if let Some((by, reason, at)) = &run.cancel {
        let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        format!("CANCELLED at {} by {}{why}.", moment::time_of_day(at.wall_ms, zone), by.name)
    } else if tree.forward == Forward::Failed {
        let Some(node) = tree.steps.iter().find(|n| n.failing) else { return Vec::new() };
        let at = summary::first_failure(tree).and_then(|f| f.at).or(node.ended).or(run.last);
        let at = at.map_or_else(String::new, |at| format!(" at {}", moment::time_of_day(at.wall_ms, zone)));
        let stops = if run.finished.is_some() { "" } else { " Nothing new starts." };
        let each = each_failed(node);
        let stuck = each.and_then(|each| each.children.iter().find(|n| n.failing && n.stuck));
        match (each, stuck) {
            (Some(each), Some(item)) if !each.exceeds_limit() => {
                format!("FAILED{at}: the undo of {} did not complete.{stops}", item.path)
            }
            (Some(each), _) if each.exceeds_limit() => {
                let policy = &each.entry.policy;
                let stops = if run.finished.is_some() {
                    String::new()
                } else {
                    format!(" No new {} will start.", each.label())
                };
                format!("FAILED{at}: max_failures {} reached.{stops}", policy.max_failures)
            }
            _ => {
                let what = summary::first_failure(tree)
                    .map_or_else(|| format!(": {}", node.path), |f| format!(" in {}: {}", f.path, f.message));
                format!("FAILED{at}{what}.{stops}")
            }
        }
    } else {
        return Vec::new();
    };
    let lines = message(&text, page.width - 2);
    lines.into_iter().map(|t| Line::of(Tone::Plain, "  ").with(Tone::Fail, t)).collect()
}

/// The `for_each` whose limit was reached, if that is what failed here.
fn each_failed<'n, 'a>(node: &'n Node<'a>) -> Option<&'n Node<'a>> {
    if node.is_each() {
        return node.failing.then_some(node);
    }
    node.children.iter().filter(|n| n.failing).find_map(each_failed)
}

/// A question, who can answer, until when, and how.
pub(super) fn ask(page: &Page<'_>, question: &Question) -> Vec<Line> {
    let mut pieces = vec![Line::of(Tone::Warn, "  ?")];
    let what = crate::timeline::about(&question.about);
    pieces.push(Line::of(Tone::Warn, format!("{what}:")));
    pieces.extend(question.text.split_whitespace().map(|w| Line::of(Tone::Plain, w)));
    let mut lines = page.flow(pieces, 1, 4);
    let ticked = choices::ticked(page.tree.run, question);
    for (name, shown) in question.shown(page.tree.run) {
        let done = if ticked.contains(&&name) { "  (done)" } else { "" };
        let text = format!("{name}: {shown}{done}");
        lines.extend(
            wrap(&text, page.width - 6).into_iter().map(|t| Line::of(Tone::Plain, format!("      {t}"))),
        );
    }
    let expired = question.expired(page.tree.run, page.now);
    let mut pieces = vec![Line::of(Tone::Dim, format!("      who: {}", summary::who(&page.tree, question)))];
    if let Some(deadline) = question.deadline_ms {
        let at = moment::time_of_day(deadline, &page.style.zone);
        let left = moment::relative(deadline, page.now.wall_ms);
        pieces.push(match expired {
            true => Line::of(
                Tone::Fail,
                format!("expired at {at} ({left}): whoever goes on with the run ends it so"),
            ),
            false => Line::of(Tone::Dim, format!("until {at} ({left})")),
        });
    }
    lines.extend(page.flow(pieces, 2, 6));
    // As many on a line as fit; one that is longer than a line stands alone.
    let mut beside: Vec<Line> = Vec::new();
    let flow = |beside: &mut Vec<Line>| {
        let mut pieces = std::mem::take(beside);
        if let Some(first) = pieces.first_mut() {
            first.spans.insert(0, crate::Span { text: "      ".into(), tone: Tone::Plain });
        }
        page.flow(pieces, 3, 6)
    };
    let commands = if expired { Vec::new() } else { answers(&page.tree, question) };
    for next in commands {
        let command = page.command(&next.command);
        let line = Line::of(Tone::Dim, format!("{}: ", next.what)).with(Tone::Accent, &command);
        if 6 + line.width() <= page.width && !command.contains('\n') {
            beside.push(line);
        } else {
            lines.extend(flow(&mut beside));
            lines.extend(page.below(&next.what, &command, 6));
        }
    }
    lines.extend(flow(&mut beside));
    lines
}

/// What goes on now: `waiting: kafka4 in sync    gives up in …    logs: …`.
fn waiting(page: &Page<'_>) -> Vec<Line> {
    let tree = &page.tree;
    let mut all: Vec<&Node<'_>> = Vec::new();
    tree.walk(&mut |node| {
        all.push(node);
        node.undo.iter().for_each(|n| n.walk(&mut |n| all.push(n)));
    });
    tree.revert.iter().for_each(|n| n.walk(&mut |n| all.push(n)));
    let goes_on = |n: &&Node<'_>| {
        !n.is_scope() && matches!(n.status, Status::Running | Status::Verifying | Status::Retrying)
    };
    let active: Vec<&Node<'_>> = all.into_iter().filter(goes_on).collect();
    let Some(first) = active.iter().min_by_key(|n| time_left(page, n).unwrap_or(u64::MAX)) else {
        return Vec::new();
    };
    let others = if active.len() > 1 { format!(" and {} more", active.len() - 1) } else { String::new() };
    let mut pieces =
        vec![Line::of(Tone::Dim, "  waiting: ").with(Tone::Plain, format!("{}{others}", first.path))];
    if let Some(left) = time_left(page, first) {
        pieces.push(Line::of(Tone::Dim, format!("at most {} more", moment::running(left))));
    }
    let logs = page.command(&summary::logs(tree.run.id(), &first.path));
    let line = Line::of(Tone::Dim, "logs: ").with(Tone::Accent, &logs);
    if 4 + line.width() <= page.width && !logs.contains('\n') {
        pieces.push(line);
        return page.flow(pieces, 4, 4);
    }
    let mut lines = page.flow(pieces, 4, 4);
    lines.extend(page.below("logs", &logs, 4));
    lines
}

/// How it ended.
fn ended(page: &Page<'_>) -> Vec<Line> {
    let tree = &page.tree;
    let Some(finished) = &tree.run.finished else { return Vec::new() };
    let summary = Summary::of(tree);
    let standing = exit::standing(tree, page.now);
    let tone = match finished.exit_code {
        0 => Tone::Ok,
        3 | 20 => Tone::Warn,
        _ => Tone::Fail,
    };
    let mut line = Line::new().with(tone, standing.to_uppercase());
    line.push(Tone::Plain, format!(" in {}", moment::clock(page.elapsed_ms)));
    let mut lines = vec![Line::new()];
    let counts = Line::of(Tone::Dim, summary.steps.words());
    let exit = Line::of(Tone::Dim, format!("exit {}", finished.exit_code));
    lines.extend(page.flow(vec![line, counts, exit], 3, 2));
    // What failed without an undo stands above, and is no reason for alarm by itself.
    if let (certain, failed) = summary::left_for_good(tree)
        && !certain.is_empty()
    {
        let undone = match summary.undone.len() {
            0 => String::new(),
            n => format!("{n} undone, "),
        };
        // Of what failed nobody knows whether it stays: it is not counted above either.
        let failed = match failed.is_empty() {
            true => String::new(),
            false => format!("; not undone: {}", summary::few(&failed)),
        };
        let text = format!("  {undone}{} left: {}{failed}", certain.len(), summary::few(&certain));
        lines.extend(Line::of(Tone::Warn, text).broken(page.width, 4));
    }
    if summary.answers_from_file > 0 {
        let n = summary.answers_from_file;
        let answers = if n == 1 { "answer" } else { "answers" };
        lines.push(Line::of(
            Tone::Warn,
            format!("  {n} {answers} came from an answers file, not from a person"),
        ));
    }
    let required = required(tree);
    if !required.is_empty() {
        let made = |r: &&Required| matches!(r.produced, Produced::Yes | Produced::NotNeeded);
        let count = required.iter().filter(made).count();
        let all = required.len();
        let tone = if count == all { Tone::Ok } else { Tone::Warn };
        lines.push(Line::of(tone, format!("  required outputs: {count} of {all}")));
        for r in required.iter().filter(|r| !made(r)) {
            let line = Line::of(Tone::Plain, format!("    {} {}: ", r.title, r.produced.words()));
            lines.extend(line.with(Tone::Dim, &r.why).broken(page.width, 6));
        }
    }
    // Outputs of a run that failed are null as far as they were not computed.
    let shown = finished.outputs.iter().filter(|(_, value)| !value.is_null() && !is_required(value));
    for (name, value) in shown {
        let then = if summary.undone.is_empty() { "" } else { "  (before the rollback)" };
        let text = format!("  {name} = {}{then}", crate::value::short(value));
        lines.extend(Line::of(Tone::Plain, text).broken(page.width, 6));
    }
    for (name, why) in &finished.no_outputs {
        let text = format!("  outputs: {name} could not be computed: {why}");
        lines.extend(Line::of(Tone::Warn, text).broken(page.width, 6));
    }
    lines
}
