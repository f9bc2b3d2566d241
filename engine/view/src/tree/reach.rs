//! How far a rollback is to go: down to a step that somebody named, not across a pivot, not beside a `revert`.

use std::collections::BTreeSet;

use super::{Node, Rollback, Tree, Undoing, undoing::change};
use crate::Key;

const OPEN: [Undoing; 3] = [Undoing::Pending, Undoing::Asked, Undoing::Kept];

pub(super) fn settle(tree: &mut Tree<'_>) {
    let keep = |nodes: &mut [Node<'_>], why: &str| {
        nodes.iter_mut().for_each(|node| change(node, &OPEN, Undoing::Kept, Some(why)));
    };
    match &tree.run.rollback_requested {
        Some((_, Some(to), _)) => {
            let why = format!("only what came after `{}` is undone", to.path);
            spare_before(&mut tree.steps, Key::of(to), &why);
        }
        Some(_) if tree.revert.iter().any(|n| n.began.is_some()) => {
            keep(&mut tree.steps, "`revert` takes the place of its undo");
        }
        None if tree.rollback == Rollback::Declined => {
            let pivot = tree.crossed_pivot().map(|n| n.path.clone());
            if let Some(pivot) = pivot {
                keep(
                    &mut tree.steps,
                    &format!("a failed run is not undone by itself after its point of no return, `{pivot}`"),
                );
            }
        }
        _ => {}
    }
}

/// Keeps what did not come after the step: it, and what it did not lead to. Whether the step is in here.
fn spare_before(scope: &mut [Node<'_>], to: Key, why: &str) -> bool {
    let here = scope.iter().position(|n| n.item.is_none() && n.key == to);
    let at = match here {
        Some(at) => at,
        None => {
            let mut inside = scope.iter_mut().map(|n| spare_before(&mut n.children, to, why));
            let Some(at) = inside.position(|found| found) else { return false };
            at
        }
    };
    let after = dependents(scope, scope[at].key.node);
    for (n, node) in scope.iter_mut().enumerate() {
        if !after.contains(&node.key.node) && (n != at || here.is_some()) {
            change(node, &OPEN, Undoing::Kept, Some(why));
        }
    }
    true
}

/// What needs a node of this scope, directly or not.
pub(crate) fn dependents(scope: &[Node<'_>], node: u32) -> BTreeSet<u32> {
    let mut after = BTreeSet::new();
    let mut todo = vec![node];
    while let Some(need) = todo.pop() {
        for n in scope.iter().filter(|n| n.entry.needs.contains(&need)) {
            if after.insert(n.key.node) {
                todo.push(n.key.node);
            }
        }
    }
    after
}
