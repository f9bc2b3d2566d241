//! The third pass: how far each effect was brought back.

use runbook_wire::{EntryKind, Promise, Role};

use super::{Node, Rollback, Status, Tree, Undoing};
use crate::TaskState;

pub(super) fn settle(tree: &mut Tree<'_>) {
    let rollback = tree.rollback;
    for node in tree.first.iter_mut().chain(&mut tree.steps).chain(&mut tree.after_pivot) {
        undo(node, rollback);
    }
    if rollback == Rollback::Running {
        block(&mut tree.steps, false);
    }
}

fn undo(node: &mut Node<'_>, rollback: Rollback) {
    node.undoing = of(node, rollback);
    for child in node.first.iter_mut().chain(&mut node.children).chain(&mut node.between) {
        undo(child, rollback);
    }
    if node.is_scope() && node.item.is_none() && node.undoing != Undoing::Nothing {
        for child in &mut node.children {
            by_group(child);
        }
    }
    if node.is_each() {
        spare_items(node);
    }
}

/// `undo: failed` and `undo: batch` bring only some items back.
fn spare_items(each: &mut Node<'_>) {
    let items = each.children.len();
    let from = match each.entry.policy.rollback.as_deref() {
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
    for (index, item) in each.children.iter_mut().enumerate() {
        if index < from && !item.failing {
            spare(item);
        }
    }
}

fn spare(node: &mut Node<'_>) {
    if matches!(node.undoing, Undoing::Pending | Undoing::Blocked) {
        node.undoing = Undoing::Kept;
    }
    node.children.iter_mut().for_each(spare);
}

/// A group's own rollback replaces those of everything in it.
fn by_group(node: &mut Node<'_>) {
    if matches!(node.undoing, Undoing::Pending | Undoing::Left | Undoing::Blocked | Undoing::Kept) {
        node.undoing = Undoing::ByGroup;
    }
    node.children.iter_mut().for_each(by_group);
}

/// Whether it may have left something behind.
fn has_effect(node: &Node<'_>) -> bool {
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
    let own_undo = !node.undo.is_empty() && (!node.is_scope() || node.entry.promise == Promise::Steps);
    if own_undo {
        let records = from_records(node);
        if records != Undoing::Pending {
            return records;
        }
    }
    if !has_effect(node) || rollback == Rollback::None {
        return Undoing::Nothing;
    }
    if node.task.is_some_and(|t| t.kept) {
        return Undoing::Kept;
    }
    match &node.entry.promise {
        Promise::NothingToUndo | Promise::Children => Undoing::Nothing,
        Promise::None(_) | Promise::Irreversible(_) | Promise::Missing => Undoing::Left,
        Promise::Own(_) | Promise::Steps => match rollback {
            Rollback::Pending | Rollback::Asked | Rollback::Running => Undoing::Pending,
            Rollback::Incomplete => Undoing::Blocked,
            // Complete: it was to go only as far as `--to` says.
            Rollback::Declined
            | Rollback::NothingToUndo
            | Rollback::None
            | Rollback::Partial
            | Rollback::Complete => Undoing::Kept,
        },
    }
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

/// While a rollback runs: an undo that failed blocks the undos of what its step depended on.
fn block(scope: &mut [Node<'_>], inherited: bool) -> bool {
    // From the last to the first: what a blocked or failed node needs, directly or not, is blocked.
    let mut blocked: Vec<u32> = Vec::new();
    let mut any = false;
    for at in (0..scope.len()).rev() {
        let node = &mut scope[at];
        let stopped = inherited || (node.item.is_none() && blocked.contains(&node.key.node));
        if stopped && node.undoing == Undoing::Pending {
            node.undoing = Undoing::Blocked;
        }
        let inner = block(&mut node.children, stopped);
        let stuck =
            matches!(node.undoing, Undoing::Failed | Undoing::Refused | Undoing::InDoubt | Undoing::Blocked);
        if stuck || inner || stopped {
            any |= stuck || inner;
            if node.item.is_none() {
                blocked.extend(&node.entry.needs);
            }
        }
    }
    any
}
