//! The second pass: what follows for groups, and for the rest of a scope in which something failed.

use runbook_wire::EntryKind;

use super::{Forward, Node, Rollback, Status, Tree};
use crate::{Phase, Stamp};

pub(super) fn settle(tree: &mut Tree<'_>) {
    let run = tree.run;
    let over = run.finished.is_some();
    for node in &mut tree.steps {
        derive(node);
    }
    let halted = over || run.cancel.is_some() || tree.steps.iter().any(|n| n.failing);
    settle_scope(&mut tree.steps, halted, over, run.created.is_some());
    for scope in [&mut tree.first, &mut tree.after_pivot, &mut tree.revert, &mut tree.finally] {
        scope.iter_mut().for_each(derive);
        let open = scope.iter().any(|n| n.began.is_some());
        settle_scope(scope, over, over, open);
    }
    tree.forward = forward(tree);
    tree.rollback = rollback(tree);
}

/// Bottom-up: how scopes stand and whether they fail, by what was recorded.
fn derive(node: &mut Node<'_>) {
    let Node { children, between, first, finally, undo, .. } = node;
    for child in children.iter_mut().chain(between).chain(first).chain(finally).chain(undo) {
        derive(child);
    }
    if !node.is_scope() {
        node.failing = matches!(node.status, Status::Failed | Status::NotDone) && !node.tolerated();
        return;
    }
    let began = |n: &Node<'_>| n.began;
    if node.item.is_some() {
        node.began = node.children.iter().filter_map(began).min();
    }
    if node.status == Status::Skipped {
        node.children.iter_mut().for_each(skip);
        return;
    }
    let own = node.task.and_then(|t| t.failure.as_ref()).is_some();
    let failed = own || if node.is_each() { too_many(node) } else { node.children.iter().any(|n| n.failing) };
    let again = node.item.is_none()
        && node.entry.kind != EntryKind::ForEach
        && node.task.is_some_and(|t| t.incarnation + 1 < node.entry.policy.attempts);
    node.failing = failed && !again && !node.tolerated();
    combine(node, failed, again);
}

/// What is in a skipped group is skipped with it.
fn skip(node: &mut Node<'_>) {
    node.status = Status::Skipped;
    node.children.iter_mut().for_each(skip);
}

/// Whether more items failed than are tolerated, in all or in one batch.
fn too_many(each: &Node<'_>) -> bool {
    let policy = &each.entry.policy;
    let failed = |nodes: &[Node<'_>]| nodes.iter().filter(|n| n.failing).count();
    if each.between.iter().any(|n| n.failing) || failed(&each.children) > policy.max_failures as usize {
        return true;
    }
    let mut from = 0;
    for (size, tolerated) in
        batch_sizes(&policy.batches, each.children.len()).into_iter().zip(&policy.batch_failures)
    {
        let to = (from + size).min(each.children.len());
        if failed(&each.children[from..to]) > *tolerated as usize {
            return true;
        }
        from = to;
    }
    false
}

/// How many items each batch holds. Percentages are of all items, rounded up, at least one.
pub(crate) fn batch_sizes(batches: &[String], count: usize) -> Vec<usize> {
    let mut left = count;
    let mut sizes = Vec::new();
    for batch in batches {
        let wanted = match batch.strip_suffix('%').map(str::parse::<usize>) {
            Some(Ok(percent)) => (count * percent).div_ceil(100).max(1),
            _ => batch.parse().unwrap_or(left),
        };
        let size = wanted.min(left);
        if size == 0 {
            break;
        }
        sizes.push(size);
        left -= size;
    }
    if left > 0 {
        sizes.push(left);
    }
    sizes
}

fn combine(node: &mut Node<'_>, failed: bool, again: bool) {
    let all = || node.children.iter().chain(&node.between).chain(&node.first).chain(&node.finally);
    let any = |wanted: &[Status]| all().any(|n| wanted.contains(&n.status));
    let opened = node.item.is_some() || node.task.is_some_and(|t| t.began.is_some());
    let begun = (opened && node.item.is_none()) || all().any(|n| n.began.is_some());
    node.status = if any(&[Status::Running, Status::Retrying, Status::Verifying]) {
        Status::Running
    } else if any(&[Status::InDoubt]) {
        Status::InDoubt
    } else if any(&[Status::WaitingForPerson]) {
        Status::WaitingForPerson
    } else if failed {
        if again && node.task.is_some_and(|t| t.phase.is_open()) { Status::Retrying } else { Status::Failed }
    } else if !begun {
        Status::Waiting
    } else if any(&[Status::Waiting, Status::Preparing]) {
        Status::Running
    } else if any(&[Status::Cancelled, Status::NotStarted]) {
        Status::Cancelled
    } else if node.is_each() && node.children.iter().any(|n| n.failing) {
        Status::DoneWithFailures
    } else if node.entry.kind == EntryKind::Switch && node.task.is_some_and(|t| t.branch.is_none()) {
        Status::Running
    } else {
        Status::Done
    };
    if node.status.is_active() || node.status == Status::Waiting {
        node.ended = None;
    } else {
        let last: Option<Stamp> = all().filter_map(|n| n.ended).max();
        node.ended = last.max(node.task.and_then(|t| t.ended)).or(node.began);
    }
}

/// Top-down: in a halted scope nothing new starts, and waits, questions and retry delays are over.
fn settle_scope(nodes: &mut [Node<'_>], halted: bool, over: bool, open: bool) {
    let satisfied: Vec<(u32, bool)> = nodes.iter().map(|n| (n.key.node, is_satisfied(n))).collect();
    for node in nodes.iter_mut() {
        let needs = |need: &u32| satisfied.iter().all(|(n, ok)| n != need || *ok);
        node.ready = open && node.item.is_none() && node.entry.needs.iter().all(needs);
        settle_node(node, halted, over);
    }
}

fn is_satisfied(node: &Node<'_>) -> bool {
    matches!(node.status, Status::Done | Status::DoneWithFailures | Status::Skipped)
        || (node.tolerated() && matches!(node.status, Status::Failed | Status::NotDone))
}

fn settle_node(node: &mut Node<'_>, halted: bool, over: bool) {
    let begun = node.began.is_some();
    let stopped = halted || node.failing;
    // One step of a group that fails stops the others, though the group may be tried again; a `for_each` counts.
    let inside = stopped || (!node.is_each() && node.children.iter().any(|n| n.failing));
    let some = |nodes: &[Node<'_>]| nodes.iter().any(|n| n.began.is_some());
    let (first, finally, undo) = (some(&node.first), some(&node.finally), some(&node.undo));
    settle_scope(&mut node.children, inside, over, begun);
    settle_scope(&mut node.between, stopped, over, begun);
    settle_scope(&mut node.first, over, over, first);
    settle_scope(&mut node.finally, over || (halted && !begun), over, finally);
    settle_scope(&mut node.undo, over, over, undo);
    if node.is_scope() {
        if node.status != Status::Skipped {
            let failed = node.failing || node.status == Status::Failed;
            combine(node, failed, node.status == Status::Retrying && !halted);
            if over && node.status.is_active() && node.status != Status::InDoubt {
                node.status = Status::Cancelled;
            }
        }
    } else if over && node.status.is_active() && node.status != Status::InDoubt {
        node.status = Status::Cancelled;
    } else if halted {
        node.status = match node.status {
            Status::Retrying => Status::Failed,
            Status::WaitingForPerson => Status::Cancelled,
            Status::Running if node.entry.kind == EntryKind::Wait => Status::Cancelled,
            status => status,
        };
    }
    match node.status {
        Status::Waiting if halted => node.status = Status::NotStarted,
        Status::Waiting if node.ready => node.status = Status::Preparing,
        _ => {}
    }
}

fn forward(tree: &Tree<'_>) -> Forward {
    let run = tree.run;
    let recorded = run.finished.as_ref().map(|f| f.forward.as_str()).or(run.forward.as_deref());
    match recorded {
        Some("succeeded") => return Forward::Succeeded,
        Some("succeeded_with_failures") => return Forward::SucceededWithFailures,
        Some("cancelled") => return Forward::Cancelled,
        Some(_) => return Forward::Failed,
        None => {}
    }
    if run.cancel.is_some() {
        return Forward::Cancelled;
    }
    let any = |wanted: Status| tree.steps.iter().any(|n| n.status == wanted);
    if tree.steps.iter().any(|n| n.failing) {
        Forward::Failed
    } else if any(Status::Running) || any(Status::Verifying) || any(Status::Retrying) {
        Forward::Running
    } else if any(Status::InDoubt) {
        Forward::InDoubt
    } else if any(Status::WaitingForPerson) {
        Forward::WaitingForPerson
    } else if run.created.is_some() {
        Forward::Running
    } else {
        Forward::NotBegun
    }
}

fn rollback(tree: &Tree<'_>) -> Rollback {
    let run = tree.run;
    match run.finished.as_ref().map(|f| f.rollback.as_str()) {
        Some("nothing_to_undo") => return Rollback::NothingToUndo,
        Some("complete") => return Rollback::Complete,
        Some("incomplete") => return Rollback::Incomplete,
        Some("declined") => return Rollback::Declined,
        Some(_) if matches!(tree.forward, Forward::Failed | Forward::Cancelled) => return Rollback::Declined,
        Some(_) => return Rollback::None,
        None => {}
    }
    if run.rollback_requested.is_some() {
        return Rollback::Running;
    }
    if !matches!(tree.forward, Forward::Failed | Forward::Cancelled) {
        return Rollback::None;
    }
    let asked = |q: &&crate::Question| {
        matches!(q.about, runbook_wire::About::Rollback(None) | runbook_wire::About::AfterPivot)
    };
    if run.questions.iter().filter(asked).any(|q| q.settled.is_none()) {
        return Rollback::Asked;
    }
    let kept = run.answers.iter().any(|g| {
        matches!(g.about, runbook_wire::About::Rollback(None) | runbook_wire::About::AfterPivot)
            && g.answer == runbook_wire::Answer::Keep
    });
    if kept || run.outline.rollback == "none" {
        return Rollback::Declined;
    }
    let finishing = tree.steps.iter().any(|n| n.status.is_active());
    let first = tree.first.iter().any(|n| n.task.is_some_and(|t| t.phase != Phase::Waiting));
    if finishing && !first { Rollback::Pending } else { Rollback::Running }
}
