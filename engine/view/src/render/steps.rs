//! The tree of steps.

use unicode_width::UnicodeWidthStr;

use super::{Page, detail, failure_lines, fold::Level, mark};
use crate::{Line, Node, Status, Tone, Undoing, moment, summary::Counts, tree::batch_sizes};

/// A line of the tree, and how much it matters when there is no room.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) line: Line,
    /// 0: done or to come; 1: a scope around something that matters; 2: goes on, failed, waits for a person.
    pub(super) weight: u8,
}

/// Names are aligned up to this column; longer ones push what follows.
const MAX_NAME: usize = 28;

pub(super) fn steps(page: &Page<'_>, level: Level) -> Vec<Row> {
    let tree = &page.tree;
    let mut rows = Vec::new();
    scope(page, &tree.steps, 2, level, &mut rows);
    titled(page, "on failure, first:", &tree.first, 2, level, &mut rows);
    titled(page, "after the pivot:", &tree.after_pivot, 2, level, &mut rows);
    titled(page, "revert:", &tree.revert, 2, level, &mut rows);
    titled(page, "finally:", &tree.finally, 2, level, &mut rows);
    rows
}

/// A list that only shows once it has begun.
fn titled(
    page: &Page<'_>,
    title: &str,
    nodes: &[Node<'_>],
    indent: usize,
    level: Level,
    rows: &mut Vec<Row>,
) {
    if nodes.iter().any(|n| n.task.is_some()) {
        rows.push(Row { line: Line::of(Tone::Dim, format!("{}{title}", " ".repeat(indent))), weight: 0 });
        scope(page, nodes, indent + 2, level, rows);
    }
}

fn scope(page: &Page<'_>, nodes: &[Node<'_>], indent: usize, level: Level, rows: &mut Vec<Row>) {
    let names = nodes.iter().map(|n| n.label().width()).max().unwrap_or(0).min(MAX_NAME);
    let mut at = 0;
    while at < nodes.len() {
        let class = packs(&nodes[at], level);
        let end = at + nodes[at..].iter().take_while(|n| class.is_some() && packs(n, level) == class).count();
        if let Some(class) = class {
            rows.extend(
                pack(page, &nodes[at..end], class, indent).into_iter().map(|line| Row { line, weight: 0 }),
            );
            at = end;
        } else {
            one(page, &nodes[at], names, indent, level, rows);
            at += 1;
        }
    }
}

/// Nodes that may share a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Done,
    /// Everything that they need is there, and their turn has not come.
    Next,
    Waiting,
    NotStarted,
    Skipped,
}

fn packs(node: &Node<'_>, level: Level) -> Option<Class> {
    let item = node.item.is_some();
    let quiet = node.task.is_none_or(|t| t.warning.is_none() && t.masked.is_empty() && t.gate.is_none());
    let brought =
        matches!(node.undoing, Undoing::Nothing | Undoing::Pending | Undoing::Undone | Undoing::ByGroup);
    match node.status {
        Status::Done if (level == Level::Packed || item) && quiet && brought => Some(Class::Done),
        Status::Preparing if level == Level::Packed && is_next(node) => Some(Class::Next),
        Status::Waiting if level == Level::Packed || item => Some(Class::Waiting),
        Status::NotStarted if level == Level::Packed || item => Some(Class::NotStarted),
        Status::Skipped if level == Level::Packed => Some(Class::Skipped),
        _ => None,
    }
}

/// What is said of steps that could start and have not. Why not is not recorded: there may be no free place, the run may
/// wait for a lock, a program may have changed.
pub(super) const NEXT: &str = "not started yet";

/// Whether a step could start, and has not: no gate stands against it.
pub(super) fn is_next(node: &Node<'_>) -> bool {
    node.status == Status::Preparing
        && node.began.is_none()
        && node.held.is_none()
        && node.task.is_none_or(|t| t.gate.is_none() && t.attempts.is_empty())
}

fn pack(page: &Page<'_>, nodes: &[Node<'_>], class: Class, indent: usize) -> Vec<Line> {
    let pad = " ".repeat(indent);
    let (sign, tone) = mark(nodes[0].status, false, page.style.ascii);
    let items = nodes[0].item.is_some();
    let after = match class {
        Class::Done => "",
        Class::Next => NEXT,
        Class::Waiting => "to come",
        Class::NotStarted if items => "not started, unchanged",
        Class::NotStarted => "not started",
        Class::Skipped => "skipped",
    };
    // Steps that are done each carry their mark; the others share one.
    let each = class == Class::Done && !items;
    let name = |node: &Node<'_>| {
        let name_tone = if class == Class::Done { Tone::Plain } else { Tone::Dim };
        if each {
            Line::of(tone, sign).with(Tone::Plain, " ").with(name_tone, node.label())
        } else {
            Line::of(name_tone, node.label())
        }
    };
    let mut pieces: Vec<Line> = Vec::new();
    // As many as fit into two lines; the rest is counted.
    let room = (page.width.saturating_sub(indent + 2) * 2).saturating_sub(after.len() + 16);
    let mut used = 0;
    for (n, node) in nodes.iter().enumerate() {
        let piece = name(node);
        used += piece.width() + 1;
        if used > room && n > 0 && n + 1 < nodes.len() {
            pieces.push(Line::of(Tone::Dim, format!("and {} more", nodes.len() - n)));
            break;
        }
        pieces.push(piece);
    }
    let mut first = Line::of(Tone::Plain, &pad);
    let hang = if each { indent } else { indent + 2 };
    if !each {
        first.push(tone, sign);
        first.push(Tone::Plain, " ");
    }
    first.spans.extend(pieces.remove(0).spans);
    pieces.insert(0, first);
    pieces.extend((!after.is_empty()).then(|| Line::of(Tone::Dim, after)));
    page.flow(pieces, 1, hang)
}

fn one(page: &Page<'_>, node: &Node<'_>, names: usize, indent: usize, level: Level, rows: &mut Vec<Row>) {
    let seen = if page.interrupted() && node.status.is_active() && !node.is_scope() && !is_next(node) {
        // Nobody sees how it goes on: as good as in doubt until the run is resumed.
        Status::InDoubt
    } else {
        node.status
    };
    let (sign, tone) = mark(seen, node.tolerated(), page.style.ascii);
    let mut start = Line::of(Tone::Plain, " ".repeat(indent)).with(tone, sign).with(Tone::Plain, " ");
    let quiet = matches!(node.status, Status::Waiting | Status::NotStarted | Status::Skipped);
    start.push(if quiet { Tone::Dim } else { Tone::Plain }, node.label());
    let inline = inline_step(node);
    let mut pieces = match inline {
        Some(step) => {
            let named = step.whole.is_none();
            let mut pieces: Vec<Line> =
                named.then(|| Line::of(Tone::Plain, step.label())).into_iter().collect();
            pieces.extend(detail(page, step));
            pieces.extend(had_succeeded(node, step));
            pieces
        }
        None if node.is_scope() => scope_detail(page, node),
        None => detail(page, node),
    };
    if node.entry.pivot && node.item.is_none() && !node.is_scope() {
        pieces.push(Line::of(Tone::Warn, "point of no return"));
    }
    if !pieces.is_empty() {
        start.pad_to(indent + 2 + names);
    }
    let weight = weight(node);
    let mut all = vec![start];
    all.extend(pieces);
    let hang = (indent + 4).min(page.width / 2);
    for line in page.flow(all, 2, hang) {
        rows.push(Row { line, weight });
    }
    let leaf = inline.unwrap_or(node);
    if matches!(leaf.status, Status::Failed | Status::NotDone) && (!leaf.is_scope() || leaf.task.is_some()) {
        rows.extend(failure_lines(page, leaf, hang).into_iter().map(|line| Row { line, weight }));
    }
    let folded = match node.status {
        Status::Done | Status::Skipped => level != Level::Open && weight == 0,
        Status::Waiting | Status::NotStarted | Status::Preparing => node.is_each() || level != Level::Open,
        _ => false,
    };
    if inline.is_none() && !folded {
        let body = node.whole_of_item().unwrap_or(node);
        scope(page, &body.first, indent + 2, level, rows);
        scope(page, &body.children, indent + 2, level, rows);
        scope(page, &body.between, indent + 2, level, rows);
        titled(page, "finally:", &body.finally, indent + 2, level, rows);
    }
}

/// How much it matters that a node is seen.
fn weight(node: &Node<'_>) -> u8 {
    let mut weight = 0;
    node.walk(&mut |n| {
        let matters = n.status.is_active() && !is_next(n)
            || n.failing
            || matches!(n.status, Status::Failed | Status::NotDone);
        let own = n.key == node.key && n.item == node.item;
        if matters {
            weight = weight.max(if own && !n.is_scope() { 2 } else { 1 });
        }
    });
    if node.item.is_some() && weight == 1 { 2 } else { weight }
}

/// Of an item: the one step that says it all, shown on the item's own line.
fn inline_step<'n, 'a>(item: &'n Node<'a>) -> Option<&'n Node<'a>> {
    item.item?;
    let body = item.whole_of_item().unwrap_or(item);
    if !body.is_scope() {
        return Some(body);
    }
    let matters = |n: &&Node<'_>| {
        n.status.is_active() && n.began.is_some()
            || n.failing
            || matches!(n.status, Status::Failed | Status::NotDone | Status::InDoubt)
    };
    let mut those = body.children.iter().filter(matters);
    let only = those.next().filter(|n| !n.is_scope())?;
    those.next().is_none().then_some(only)
}

/// `(restart had succeeded)`: what the item had changed before it failed.
fn had_succeeded(item: &Node<'_>, failed: &Node<'_>) -> Option<Line> {
    if !matches!(failed.status, Status::Failed | Status::NotDone) {
        return None;
    }
    let done = |n: &&Node<'_>| n.status == Status::Done && n.entry.effect == "write";
    let body = item.whole_of_item().unwrap_or(item);
    let names: Vec<&str> = body.children.iter().filter(done).map(|n| n.label()).collect();
    (!names.is_empty()).then(|| Line::of(Tone::Dim, format!("({} had succeeded)", names.join(", "))))
}

fn scope_detail(page: &Page<'_>, node: &Node<'_>) -> Vec<Line> {
    let node = node.whole_of_item().unwrap_or(node);
    let mut pieces = Vec::new();
    let took = node.took_ms(page.elapsed_ms).filter(|_| node.item.is_none() || node.began.is_some());
    let over = !node.status.is_active();
    match node.status {
        Status::Skipped | Status::NotStarted => return detail(page, node),
        Status::Waiting | Status::Preparing if node.item.is_none() => {
            return vec![Line::of(Tone::Dim, node.entry.what.clone())];
        }
        _ => {}
    }
    if let Some((_, label)) = node.task.and_then(|t| t.branch.as_ref()) {
        pieces.push(Line::of(Tone::Plain, format!("case {label}")));
    }
    if node.is_each() || node.status != Status::Done {
        let counts = Counts::of(&node.children);
        if counts.all > 0 && (node.is_each() || counts.all > 1) {
            let tone = if counts.failed > 0 { Tone::Warn } else { Tone::Plain };
            pieces.push(Line::of(tone, counts.words()));
        }
    } else if node.children.len() > 1 {
        pieces.push(Line::of(Tone::Dim, format!("{} steps", node.children.len())));
    }
    if let Some(batch) = batch(node) {
        pieces.push(Line::of(Tone::Plain, batch));
    }
    if let Some(ms) = took {
        let text = if over { moment::length(ms) } else { moment::running(ms) };
        pieces.push(Line::of(Tone::Dim, text));
    }
    if node.task.is_some_and(|t| t.incarnation > 0) {
        let n = node.task.map_or(0, |t| t.incarnation) + 1;
        pieces.push(Line::of(Tone::Plain, format!("attempt {n}")));
    }
    pieces
}

/// `batch 4 of 5`: the one that the latest item to start belongs to.
fn batch(each: &Node<'_>) -> Option<String> {
    let sizes = batch_sizes(&each.entry.policy.batches, each.children.len());
    if sizes.len() < 2 || matches!(each.status, Status::Done | Status::DoneWithFailures) {
        return None;
    }
    let latest = each.children.iter().rposition(|n| n.began.is_some())?;
    let mut to = 0;
    let at = sizes.iter().position(|size| {
        to += size;
        latest < to
    })?;
    Some(format!("batch {} of {}", at + 1, sizes.len()))
}
