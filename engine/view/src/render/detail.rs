//! What is said beside a step.

use runbook_wire::{Answer, EntryKind, Probe, Via};

use super::{
    Page,
    steps::{NEXT, is_next},
};
use crate::{
    Given, Key, Line, Node, Run, Status, TaskState, Tone, Undoing, choices, line, line::wrap, moment,
    run::subject, summary,
};

/// The mark of a status, and its tone.
pub fn mark(status: Status, tolerated: bool, ascii: bool) -> (&'static str, Tone) {
    let (sign, plain, tone) = match status {
        Status::Done => ("✓", "+", Tone::Ok),
        Status::DoneWithFailures => ("!", "!", Tone::Warn),
        Status::Failed | Status::NotDone if tolerated => ("!", "!", Tone::Warn),
        Status::Failed | Status::NotDone => ("✗", "x", Tone::Fail),
        Status::Running | Status::Retrying | Status::Verifying => ("◐", "*", Tone::Accent),
        Status::WaitingForPerson | Status::InDoubt => ("?", "?", Tone::Warn),
        Status::Waiting | Status::Preparing | Status::Skipped | Status::NotStarted => ("·", ".", Tone::Dim),
        Status::Cancelled => ("·", ".", Tone::Warn),
    };
    (if ascii { plain } else { sign }, tone)
}

/// What follows the name: pieces to be put on one line, most important first.
pub(crate) fn detail(page: &Page<'_>, node: &Node<'_>) -> Vec<Line> {
    let mut pieces = Vec::new();
    let task = node.task;
    let took = node.took_ms(page.elapsed_ms);
    let attempts = node.entry.policy.attempts;
    let attempt = task.map_or(0, TaskState::attempt);
    let plain = |text: String| Line::of(Tone::Plain, text);
    let dim = |text: String| Line::of(Tone::Dim, text);
    if (node.status.is_active() && node.began.is_some())
        || matches!(node.status, Status::Failed | Status::NotDone)
    {
        pieces.extend(node.title().map(|t| plain(t.to_owned())));
    }
    match node.status {
        Status::Running | Status::Verifying if page.interrupted() => {
            pieces.push(Line::of(Tone::Warn, "was under way"));
        }
        Status::Done | Status::DoneWithFailures => {
            pieces.extend(took.map(|ms| dim(moment::length(ms))));
            pieces.extend(task.and_then(|t| t.note.clone()).map(dim));
            pieces.extend(answered(page, node).map(dim));
            let hidden = task.and_then(|t| crate::value::masked(&t.masked));
            let warnings = task.and_then(|t| t.warning.clone()).into_iter().chain(hidden);
            pieces.extend(warnings.map(|warning| Line::of(Tone::Warn, format!("warning: {warning}"))));
            if attempt > 1 {
                pieces.push(dim(format!("attempt {attempt}")));
            }
        }
        Status::Failed | Status::NotDone => {
            let after = took.map_or_else(String::new, |ms| format!(" after {}", moment::length(ms)));
            pieces.push(Line::of(Tone::Fail, format!("failed{after}")));
            if attempt > 1 {
                pieces.push(plain(format!("{attempt} attempts")));
            }
            if node.status == Status::NotDone && node.entry.effect == "write" {
                pieces.push(plain("nothing was changed".into()));
            }
            if node.tolerated() {
                pieces.push(dim("the run goes on".into()));
            }
        }
        Status::Skipped => {
            let reason = task.and_then(|t| t.skipped.clone()).filter(|r| !r.is_empty());
            pieces.push(dim(reason.map_or_else(|| "skipped".into(), |r| format!("skipped: {r}"))));
        }
        Status::Cancelled => {
            let after = took.map_or_else(String::new, |ms| format!(" after {}", moment::length(ms)));
            pieces.push(dim(format!("cancelled{after}")));
        }
        Status::NotStarted => pieces.push(dim("not started".into())),
        Status::Waiting => {}
        Status::Preparing if node.held.is_some() => {
            pieces.extend(node.held.map(|held| Line::of(Tone::Warn, format!("waits: {}", held.why))));
        }
        Status::Preparing => match task.and_then(|t| t.gate.as_ref()) {
            Some((_, reason)) => pieces.push(Line::of(Tone::Warn, format!("gate closed: {reason}"))),
            None if is_next(node) => pieces.push(dim(NEXT.into())),
            None => pieces.push(dim("preparing".into())),
        },
        Status::InDoubt => {
            pieces.push(Line::of(Tone::Warn, "in doubt: nobody knows whether it happened"));
            pieces.extend(task.and_then(|t| t.failure.as_ref()).map(|f| plain(f.message.clone())));
        }
        Status::Retrying if task.is_some_and(|t| t.unsettled) => {
            let gate = task.and_then(|t| t.gate.as_ref());
            let text = match gate {
                Some((_, reason)) => format!("in doubt, and held back: {reason}"),
                None => "in doubt, another attempt is to settle it".to_owned(),
            };
            pieces.push(Line::of(Tone::Warn, text));
            pieces.extend(task.and_then(|t| t.failure.as_ref()).map(|f| plain(f.message.clone())));
        }
        Status::Retrying => {
            let of = if attempts > 1 { format!(" of {attempts}") } else { String::new() };
            pieces.push(Line::of(Tone::Warn, format!("attempt {attempt}{of} failed, another follows")));
            pieces.extend(task.and_then(|t| t.failure.as_ref()).map(|f| plain(f.message.clone())));
        }
        Status::WaitingForPerson => pieces.extend(person(page, node)),
        Status::Running | Status::Verifying => pieces.extend(running(page, node)),
    }
    if node.entry.policy.claimed && node.began.is_some() {
        pieces.push(dim(node.entry.effect_words()));
    }
    if matches!(node.undoing, Undoing::Undone | Undoing::Left | Undoing::Kept) && !node.is_scope() {
        pieces.push(Line::of(Tone::Warn, node.undoing.words()));
    }
    pieces
}

fn running(page: &Page<'_>, node: &Node<'_>) -> Vec<Line> {
    let Some(task) = node.task else { return Vec::new() };
    let policy = &node.entry.policy;
    let mut pieces = Vec::new();
    let took = node.took_ms(page.elapsed_ms).unwrap_or(0);
    let plain = |text: String| Line::of(Tone::Plain, text);
    let waits_for = node.entry.kind == EntryKind::Wait && task.probe(Probe::Until).is_none();
    match policy.hold_ms.filter(|_| waits_for && policy.timeout_ms.is_none()) {
        Some(all) => pieces.push(plain(format!("{} of {}", moment::running(took), moment::length(all)))),
        None => pieces.push(plain(moment::running(took))),
    }
    if node.status == Status::Verifying {
        pieces.push(plain("verifying".into()));
    }
    if let Some(progress) = &task.progress {
        pieces.push(plain(progress.clone()));
    }
    if let Some(probe) = task.latest_probe() {
        let text = trend(&probe.first.message, &probe.last.message);
        let grade = match probe.last.grade {
            runbook_wire::Grade::Pass => Tone::Plain,
            _ => Tone::Warn,
        };
        let what = if matches!(probe.probe, Probe::Guard(_)) { "guard: " } else { "" };
        pieces.push(Line::of(grade, format!("{what}{text}")));
    }
    if task.attempt() > 1 {
        let of = if policy.attempts > 1 { format!(" of {}", policy.attempts) } else { String::new() };
        pieces.push(plain(format!("attempt {}{of}", task.attempt())));
    }
    if let Some(left) = time_left(page, node)
        && (node.entry.kind == EntryKind::Wait || took > 10_000)
        && !waits_for
    {
        pieces.push(Line::of(Tone::Dim, format!("gives up in {}", moment::running(left))));
    }
    pieces
}

/// Until the attempt's, the wait's or the question's time is over.
pub(crate) fn time_left(page: &Page<'_>, node: &Node<'_>) -> Option<u64> {
    let policy = &node.entry.policy;
    let began = node.task.and_then(|t| t.attempts.last().and_then(|a| a.began).or(t.began))?;
    let one = policy.timeout_ms.map(|ms| began.elapsed_ms + ms);
    let all = policy.deadline_ms.zip(node.began).map(|(ms, began)| began.elapsed_ms + ms);
    let due = one.into_iter().chain(all).min()?;
    Some(due.saturating_sub(page.elapsed_ms))
}

fn person(page: &Page<'_>, node: &Node<'_>) -> Vec<Line> {
    let run = page.tree.run;
    let asked = page.tree.open_questions().into_iter().any(|q| q.subject().map(Key::of) == Some(node.key));
    let policy = &node.entry.policy;
    let who = if asked { summary::roles(node.entry) } else { node.entry.what.clone() };
    let of = if node.entry.kind == EntryKind::Approval && policy.count > 1 && asked {
        format!("{} of ", policy.count)
    } else {
        String::new()
    };
    let mut pieces = vec![Line::of(Tone::Warn, format!("waits for {of}{who}"))];
    pieces.extend(given(run, node).into_iter().map(|g| Line::of(Tone::Plain, crate::timeline::answer(g))));
    pieces
}

/// Who passed a gate.
fn answered(page: &Page<'_>, node: &Node<'_>) -> Option<String> {
    if !node.is_human() {
        return None;
    }
    let names = given(page.tree.run, node).into_iter().map(|g| {
        let file = if g.via == Via::AnswersFile { " (answers file)" } else { "" };
        format!("{}{file}", g.by.name)
    });
    let mut names: Vec<String> = names.collect();
    names.dedup();
    let open = choices::left_open(page.tree.run, node);
    let open =
        if open.is_empty() { String::new() } else { format!("; left open: {} (optional)", open.join(", ")) };
    (!names.is_empty()).then(|| format!("by {}{open}", names.join(", ")))
}

/// Answers to this node's question that count.
pub(crate) fn given<'r>(run: &'r Run, node: &Node<'_>) -> Vec<&'r Given> {
    let requester = run.created.as_ref().map(|c| &c.requester);
    let own = |g: &Given| {
        node.entry.policy.exclude_requester && g.answer == Answer::Approve && Some(&g.by) == requester
    };
    let about = |g: &Given| subject(&g.about).map(Key::of) == Some(node.key);
    run.answers.iter().filter(|g| !g.void && about(g) && !own(g)).collect()
}

/// The lines below a step that failed: the failure in the system's own words, where the step stands, what helps.
pub(crate) fn failure_lines(page: &Page<'_>, node: &Node<'_>, indent: usize) -> Vec<Line> {
    let Some(failure) = node.task.and_then(|t| t.failure.as_ref()) else { return Vec::new() };
    let (what, place) = (&node.entry.what, summary::place(node));
    let message = if node.entry.kind == EntryKind::Action && !failure.message.starts_with(what.as_str()) {
        format!("{what}: {}", failure.message)
    } else {
        failure.message.clone()
    };
    let room = page.width.saturating_sub(indent).max(8);
    let pad = " ".repeat(indent);
    let mut lines: Vec<Line> = line::message(&message, room)
        .into_iter()
        .map(|t| Line::of(Tone::Plain, &pad).with(Tone::Fail, t))
        .collect();
    // Beside the message where there is room, else below it.
    let beside = lines.last().is_some_and(|l| lines.len() == 1 && l.width() + 4 + place.len() <= page.width);
    match lines.last_mut() {
        Some(line) if beside => {
            let column = (page.width.min(100) - place.len().min(page.width.min(100))).max(line.width() + 4);
            line.pad_to(column.min(page.width - place.len()));
            line.push(Tone::Dim, place);
        }
        _ => lines.push(Line::of(Tone::Plain, &pad).with(Tone::Dim, place)),
    }
    for hint in failure.hint.iter().flat_map(|h| wrap(&format!("hint: {h}"), room)) {
        lines.push(Line::of(Tone::Plain, &pad).with(Tone::Accent, hint));
    }
    lines
}

/// A message with what became of its number, where it is the only thing that changed: `under-replicated = 41
/// (falling, 112 at start)`.
pub fn trend(first: &str, last: &str) -> String {
    let (a, b) = (split_numbers(first), split_numbers(last));
    let changed: Vec<usize> =
        if a.len() == b.len() { (0..a.len()).filter(|&i| a[i] != b[i]).collect() } else { Vec::new() };
    let [at] = changed[..] else { return last.to_owned() };
    match (a[at].parse::<f64>(), b[at].parse::<f64>()) {
        (Ok(from), Ok(to)) if to < from => format!("{last} (falling, {} at start)", a[at]),
        (Ok(from), Ok(to)) if to > from => format!("{last} (rising, {} at start)", a[at]),
        _ => last.to_owned(),
    }
}

/// Text cut into numbers and what is between them.
fn split_numbers(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut in_number) = (0, false);
    for (at, c) in text.char_indices() {
        let number = c.is_ascii_digit() || (c == '.' && in_number);
        if number != in_number {
            pieces.push(&text[start..at]);
            (start, in_number) = (at, number);
        }
    }
    pieces.push(&text[start..]);
    pieces
}
