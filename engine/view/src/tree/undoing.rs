//! The third pass: how far each effect was brought back.

use std::collections::BTreeMap;

use runbook_wire::{About, Answer, EntryKind, Promise, Role};

use super::{Node, Rollback, Status, Tree, Undoing, reach, settle::exceeds};
use crate::{Key, Run, TaskState};

pub(super) fn settle(tree: &mut Tree<'_>) {
    let (run, rollback) = (tree.run, tree.rollback);
    for node in tree.first.iter_mut().chain(&mut tree.steps).chain(&mut tree.after_pivot) {
        undo(run, node, rollback);
    }
    reach::settle(tree);
    if matches!(rollback, Rollback::Running | Rollback::Incomplete) {
        block(&mut tree.steps, None);
    }
    if rollback == Rollback::Incomplete {
        tree.steps.iter_mut().for_each(unfinished);
    }
}

fn undo(run: &Run, node: &mut Node<'_>, rollback: Rollback) {
    node.undoing = of(node, rollback);
    if node.undoing == Undoing::Kept {
        node.stays_because = decided(run, node.key).or_else(|| declined(run, rollback));
    }
    let each = node.is_each() && !node.failing;
    for child in node.first.iter_mut().chain(&mut node.children).chain(&mut node.between) {
        // An item that failed, as some may, is undone at once, though nothing else is.
        let alone = rollback == Rollback::None && each && child.failing;
        let at_once = if run.finished.is_some() { Rollback::Complete } else { Rollback::Running };
        undo(run, child, if alone { at_once } else { rollback });
    }
    let open = |q: &&crate::Question| q.settled.is_none() && q.subject().map(Key::of) == Some(node.key);
    let asked =
        run.questions.iter().filter(open).any(|q| matches!(q.about, About::Rollback(_) | About::Drift(_)));
    if asked && node.item.is_none() {
        change(node, &[Undoing::Pending], Undoing::Asked, None);
    }
    if node.is_scope() && node.item.is_none() && node.undoing != Undoing::Nothing {
        for child in &mut node.children {
            by_group(child);
        }
    }
    if node.is_each() && run.rollback_requested.is_none() {
        spare_items(run, node);
    }
}

/// Who decided that the effect of this node is left as it is.
fn decided(run: &Run, key: Key) -> Option<String> {
    let about = |g: &&crate::Given| {
        matches!(g.about, About::Rollback(Some(_)) | About::Drift(_))
            && crate::run::subject(&g.about).map(Key::of) == Some(key)
            && g.answer == Answer::Keep
    };
    run.answers.iter().rev().find(about).map(|g| format!("decided by {}", g.by.name))
}

/// Who or what decided that nothing is undone.
fn declined(run: &Run, rollback: Rollback) -> Option<String> {
    if rollback != Rollback::Declined {
        return None;
    }
    let keep = |g: &&crate::Given| matches!(g.about, About::Rollback(None)) && g.answer == Answer::Keep;
    match run.answers.iter().rev().find(keep) {
        Some(given) => Some(format!("decided by {}", given.by.name)),
        None => {
            (run.outline.rollback == "none").then(|| "the runbook says `on_failure.rollback: none`".into())
        }
    }
}

/// Everything in and under this node that stands so, now stands otherwise.
pub(super) fn change(node: &mut Node<'_>, from: &[Undoing], to: Undoing, because: Option<&str>) {
    if from.contains(&node.undoing) {
        node.undoing = to;
        node.stays_because = because.map(str::to_owned);
    }
    node.children.iter_mut().for_each(|child| change(child, from, to, because));
}

/// `undo: failed` and `undo: batch` bring only some items back by themselves; about the others somebody is asked.
fn spare_items(run: &Run, each: &mut Node<'_>) {
    let answer = run
        .answers
        .iter()
        .rev()
        .find(|g| matches!(&g.about, About::Rollback(Some(task)) if Key::of(task) == each.key));
    if answer.is_some_and(|g| g.answer == Answer::Undo) {
        return;
    }
    let items = each.children.len();
    // It went well: undoing a part of it would be a guess.
    let well = matches!(each.status, Status::Done | Status::DoneWithFailures);
    let from = match each.entry.policy.rollback.as_deref() {
        Some("failed" | "batch") if well => items,
        Some("failed") => items,
        Some("batch") => {
            let latest = each.children.iter().rposition(|n| n.began.is_some()).unwrap_or(0);
            let mut start = 0;
            for size in super::batch_sizes(&each.entry.policy.batches, items) {
                if latest < start + size {
                    break;
                }
                start += size;
            }
            start
        }
        _ => return,
    };
    let kept = each.task.is_some_and(|t| t.kept).then(|| decided(run, each.key)).flatten();
    let (to, because) = match kept {
        Some(by) => (Undoing::Kept, Some(by)),
        None => (Undoing::Asked, None),
    };
    for (index, item) in each.children.iter_mut().enumerate() {
        let broken = item.failing || item.status == Status::Cancelled;
        if index < from && (well || !broken) {
            let from: &[Undoing] =
                if because.is_some() { &[Undoing::Pending, Undoing::Kept] } else { &[Undoing::Pending] };
            change(item, from, to, because.as_deref());
        }
    }
}

/// A group's own rollback replaces those of everything in it.
fn by_group(node: &mut Node<'_>) {
    if matches!(node.undoing, Undoing::Pending | Undoing::Asked | Undoing::Left | Undoing::Kept) {
        node.undoing = Undoing::ByGroup;
    }
    node.children.iter_mut().for_each(by_group);
}

/// Whether it may have left something behind.
pub(crate) fn has_effect(node: &Node<'_>) -> bool {
    if node.item.is_some() {
        return false;
    }
    if node.is_scope() {
        return node.began.is_some() && node.status != Status::Skipped;
    }
    node.entry.effect == "write"
        && node.entry.kind == EntryKind::Action
        && node.status != Status::NotDone
        && node.task.is_some_and(TaskState::touched)
}

fn of(node: &Node<'_>, rollback: Rollback) -> Undoing {
    // A `for_each` has no undo: what stands there are the checks between batches, on the way back.
    let own_undo = !node.undo.is_empty()
        && !node.is_each()
        && (!node.is_scope() || node.entry.promise == Promise::Steps);
    if own_undo {
        let records = from_records(node);
        if records != Undoing::Pending {
            return records;
        }
    }
    if !has_effect(node) || node.is_each() || rollback == Rollback::None {
        return Undoing::Nothing;
    }
    if node.task.is_some_and(|t| t.kept) {
        return Undoing::Kept;
    }
    match &node.entry.promise {
        Promise::NothingToUndo | Promise::Children => Undoing::Nothing,
        Promise::None(_) | Promise::Irreversible(_) | Promise::Missing => Undoing::Left,
        Promise::Own(_) | Promise::Steps if !own_undo => Undoing::Nothing,
        Promise::Own(_) | Promise::Steps => match rollback {
            Rollback::Pending | Rollback::Running | Rollback::Incomplete => Undoing::Pending,
            Rollback::Asked => Undoing::Asked,
            Rollback::Declined
            | Rollback::NothingToUndo
            | Rollback::None
            | Rollback::Partial
            | Rollback::Complete => Undoing::Kept,
        },
    }
}

/// Whether there is an undo of this node that has not come to its end.
pub(super) fn is_to_come(node: &Node<'_>) -> bool {
    let records = if node.undo.is_empty() { Undoing::Nothing } else { from_records(node) };
    has_effect(node) && matches!(records, Undoing::Pending | Undoing::Running | Undoing::InDoubt)
}

fn from_records(node: &Node<'_>) -> Undoing {
    let failed = |n: &&Node<'_>| n.failing || n.status == Status::Cancelled;
    let (require, undo): (Vec<_>, Vec<_>) = node.undo.iter().partition(|n| n.entry.role == Role::Require);
    if node.undo.iter().all(|n| n.began.is_none()) {
        return Undoing::Pending;
    }
    if undo.iter().any(|n| n.status == Status::InDoubt) {
        return Undoing::InDoubt;
    }
    if node.undo.iter().any(|n| n.status.is_active() && n.began.is_some()) {
        return Undoing::Running;
    }
    if undo.iter().copied().any(|n| failed(&n)) {
        return Undoing::Failed;
    }
    if require.iter().copied().any(|n| failed(&n)) {
        return Undoing::Refused;
    }
    let done = |n: &&Node<'_>| super::settle::is_satisfied(n);
    if undo.iter().all(done) { Undoing::Undone } else { Undoing::Running }
}

/// An undo that failed blocks the undos of what its step depended on. Gives back what failed in this scope.
fn block(scope: &mut [Node<'_>], inherited: Option<&str>) -> Option<String> {
    // From the last to the first: what a blocked or failed node needs, directly or not, is blocked.
    let mut blocked: BTreeMap<u32, String> = BTreeMap::new();
    let mut first = None;
    for node in scope.iter_mut().rev() {
        let behind = blocked.get(&node.key.node).cloned().or_else(|| inherited.map(str::to_owned));
        if let Some(why) = behind.as_deref().filter(|_| node.undoing == Undoing::Pending) {
            (node.undoing, node.stays_because) = (Undoing::Blocked, Some(why.to_owned()));
        }
        let inner = if node.is_each() {
            block_items(node, behind.as_deref())
        } else {
            block(&mut node.children, behind.as_deref())
        };
        // One in doubt may still be settled.
        let own = matches!(node.undoing, Undoing::Failed | Undoing::Refused)
            .then(|| format!("the undo of `{}` did not complete", node.path));
        let stuck = own.or(inner);
        if let Some(why) = stuck.clone().or(behind) {
            for need in &node.entry.needs {
                blocked.entry(*need).or_insert_with(|| why.clone());
            }
        }
        first = first.or(stuck);
    }
    first
}

/// Items are undone in reverse under the limits that they ran under; one failure too many, or a check between batches
/// that does not hold, blocks the others.
fn block_items(each: &mut Node<'_>, inherited: Option<&str>) -> Option<String> {
    let mut stuck: Vec<(usize, String)> = Vec::new();
    for (index, item) in each.children.iter_mut().enumerate() {
        stuck.extend(block(&mut item.children, inherited).map(|why| (index, why)));
    }
    let check = each.undo.iter().find(|n| n.failing).map(|n| format!("`{}` failed", n.path));
    let over = each.halted && each.children.iter().all(|n| !under_way(n));
    let failed = |n: &Node<'_>| n.item.is_some_and(|(index, _)| stuck.iter().any(|(at, _)| *at == index));
    let halted = check.is_some() || exceeds(each, failed);
    let why = check.or(stuck.into_iter().next_back().map(|(_, why)| why))?;
    if halted {
        let items = &mut each.children;
        items.iter_mut().for_each(|n| change(n, &[Undoing::Pending], Undoing::Blocked, Some(&why)));
        if over {
            // Nobody is asked any more.
            items.iter_mut().for_each(|n| change(n, &[Undoing::Asked], Undoing::Kept, Some(&why)));
        }
    }
    Some(why)
}

fn under_way(node: &Node<'_>) -> bool {
    matches!(node.undoing, Undoing::Running | Undoing::InDoubt) || node.children.iter().any(under_way)
}

/// A rollback that is over undoes nothing more.
fn unfinished(node: &mut Node<'_>) {
    change(node, &[Undoing::Pending], Undoing::Blocked, Some("the rollback did not complete"));
    change(node, &[Undoing::Asked], Undoing::Kept, Some("the rollback did not complete"));
}
