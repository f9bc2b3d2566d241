//! The second pass: what follows for groups, and for the rest of a scope in which something failed.

use runbook_wire::EntryKind;

use super::{Forward, Node, Rollback, Status, Tree};
use crate::{Phase, Run, Stamp, TaskState};

pub(super) fn settle(tree: &mut Tree<'_>) {
    let run = tree.run;
    let over = run.finished.is_some();
    tree.steps.iter_mut().for_each(|node| derive(node, over));
    let halted = halted(run, &tree.steps);
    let ended = run.finished.as_ref().map(|f| f.at);
    settle_scope(&mut tree.steps, halted, over, run.created.is_some());
    for scope in [&mut tree.first, &mut tree.after_pivot, &mut tree.revert, &mut tree.finally] {
        scope.iter_mut().for_each(|node| derive(node, over));
        let open = scope.iter().any(|n| n.began.is_some());
        settle_scope(scope, ended, over, open);
    }
    tree.forward = forward(tree);
    tree.rollback = rollback(tree);
}

/// Since when nothing new starts, going forward.
pub(super) fn halted(run: &Run, steps: &[Node<'_>]) -> Option<Stamp> {
    let cancelled = run.cancel.as_ref().map(|(_, _, at)| *at);
    cancelled.or_else(|| failed_at(run, steps)).or(run.finished.as_ref().map(|f| f.at))
}

/// When something in this scope first failed it.
fn failed_at(run: &Run, scope: &[Node<'_>]) -> Option<Stamp> {
    let failing = || scope.iter().filter(|n| n.failing);
    failing().filter_map(broken_at).min().or_else(|| failing().next().and(run.last))
}

/// When the first thing in a node failed that fails it.
fn broken_at(node: &Node<'_>) -> Option<Stamp> {
    let inside = node.children.iter().chain(&node.between).filter(|n| n.failing).filter_map(broken_at).min();
    let own = node.task.filter(|_| node.broken).and_then(|t| t.failed);
    inside.into_iter().chain(own).min().or(node.ended)
}

/// Bottom-up: how scopes stand and whether they fail, by what was recorded.
fn derive(node: &mut Node<'_>, over: bool) {
    let Node { children, between, first, finally, undo, .. } = node;
    for child in children.iter_mut().chain(between).chain(first).chain(finally).chain(undo) {
        derive(child, over);
    }
    node.stuck = node.undo.iter().any(|n| n.failing) || node.children.iter().any(|n| n.stuck);
    node.halted = over;
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
    let own = node.task.is_some_and(|t| t.failure.is_some());
    node.broken =
        own || if node.is_each() { too_many(node) } else { node.children.iter().any(|n| n.failing) };
    node.failing = node.broken && !may_begin_again(node) && !node.tolerated();
    combine(node);
}

/// Whether everything in a group had ended by then.
fn was_over(node: &Node<'_>, then: Stamp) -> bool {
    node.children.iter().all(|n| n.ended.is_some_and(|e| e.seq < then.seq))
}

/// Whether a group's retry policy has another incarnation. It needs the one before to be brought back.
fn may_begin_again(node: &Node<'_>) -> bool {
    let attempts = node.entry.policy.attempts;
    let left = |t: &TaskState| t.incarnation + 1 < attempts && !t.tripped && !t.expired;
    node.item.is_none() && !node.halted && !node.stuck && node.task.is_some_and(left) && !is_denied(node)
}

/// Whether it failed because a person said no, or nobody answered in time: nothing around asks again.
fn is_denied(node: &Node<'_>) -> bool {
    let failing = node.children.iter().chain(&node.between).filter(|n| n.failing);
    let first = failing.min_by_key(|n| broken_at(n).map(|at| at.seq));
    let no = |n: &Node<'_>| {
        let class = n.task.and_then(|t| t.failure.as_ref()).map(|f| f.class.as_str());
        n.is_human() && matches!(class, Some("rejected" | "expired"))
    };
    first.is_some_and(|n| no(n) || is_denied(n))
}

/// What is in a skipped group is skipped with it.
fn skip(node: &mut Node<'_>) {
    node.status = Status::Skipped;
    node.children.iter_mut().for_each(skip);
}

/// Whether more items failed than are tolerated, in all or in one batch.
fn too_many(each: &Node<'_>) -> bool {
    // An item that is tolerated is undone at once; where that fails, so does the whole.
    let stuck = |n: &Node<'_>| n.failing && n.stuck;
    each.between.iter().any(|n| n.failing) || each.children.iter().any(stuck) || exceeds(each, |n| n.failing)
}

/// Whether there are more such items than may fail, in all or in one batch.
pub(super) fn exceeds(each: &Node<'_>, wanted: impl Fn(&Node<'_>) -> bool) -> bool {
    let policy = &each.entry.policy;
    let failed = |nodes: &[Node<'_>]| nodes.iter().filter(|n| wanted(n)).count();
    if failed(&each.children) > policy.max_failures as usize {
        return true;
    }
    let mut from = 0;
    for (n, size) in batch_sizes(&policy.batches, each.children.len()).into_iter().enumerate() {
        let to = from + size;
        let limit = policy.batch_failures.get(n).or(policy.batch_failures.last());
        if limit.is_some_and(|limit| failed(&each.children[from..to]) > *limit as usize) {
            return true;
        }
        from = to;
    }
    false
}

/// How many items each batch holds: the last of `batches` is repeated as long as items remain. Percentages are of all
/// items, rounded up, at least one.
pub(crate) fn batch_sizes(batches: &[String], count: usize) -> Vec<usize> {
    let mut left = count;
    let mut sizes = Vec::new();
    while left > 0 {
        let wanted = match batches.get(sizes.len()).or(batches.last()) {
            Some(batch) => match batch.strip_suffix('%').map(str::parse::<usize>) {
                Some(Ok(percent)) => (count * percent).div_ceil(100),
                _ => batch.parse().unwrap_or(left),
            },
            None => left,
        };
        let size = wanted.clamp(1, left);
        sizes.push(size);
        left -= size;
    }
    sizes
}

fn combine(node: &mut Node<'_>) {
    let (failed, again) = (node.broken, may_begin_again(node));
    // What a failure starts, and what comes at the end, counts once it begins.
    let beside = || node.between.iter().chain(&node.first).chain(&node.finally).filter(|n| n.began.is_some());
    let all = || node.children.iter().chain(beside());
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
    } else if node.item.is_none() && node.entry.policy.verify && node.task.is_some_and(|t| t.phase.is_open())
    {
        // What is inside is done, and whether that had the effect is still to be seen.
        Status::Verifying
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
        let own = node.task.and_then(|t| t.ended.max(t.failed.filter(|_| failed)));
        node.ended = last.max(own).or(node.began);
    }
}

/// Top-down: in a halted scope nothing new starts, and waits, questions and retry delays are over.
fn settle_scope(nodes: &mut [Node<'_>], halted: Option<Stamp>, over: bool, open: bool) {
    let satisfied: Vec<(u32, bool)> = nodes.iter().map(|n| (n.key.node, is_satisfied(n))).collect();
    for node in nodes.iter_mut() {
        let needs = |need: &u32| satisfied.iter().all(|(n, ok)| n != need || *ok);
        node.ready = open && node.item.is_none() && node.entry.needs.iter().all(needs);
        settle_node(node, halted, over);
    }
}

pub(super) fn is_satisfied(node: &Node<'_>) -> bool {
    matches!(node.status, Status::Done | Status::DoneWithFailures | Status::Skipped)
        || (node.tolerated() && matches!(node.status, Status::Failed | Status::NotDone))
}

fn settle_node(node: &mut Node<'_>, halted: Option<Stamp>, over: bool) {
    let begun = node.began.is_some();
    // What failed inside stops the rest of it, though it may be tolerated, or tried again.
    let stopped = halted.or_else(|| broken_at(node).or(node.began).filter(|_| node.broken));
    let ended = halted.filter(|_| over);
    let some = |nodes: &[Node<'_>]| nodes.iter().any(|n| n.began.is_some());
    let (first, finally, undo) = (some(&node.first), some(&node.finally), some(&node.undo));
    settle_scope(&mut node.children, stopped, over, begun);
    settle_scope(&mut node.between, stopped, over, begun);
    settle_scope(&mut node.first, ended, over, first);
    settle_scope(&mut node.finally, halted.filter(|_| over || !begun), over, finally);
    settle_scope(&mut node.undo, ended, over, undo);
    node.halted = halted.is_some();
    if node.is_scope() {
        if node.status != Status::Skipped {
            node.broken |= !node.is_each() && node.children.iter().any(|n| n.failing);
            combine(node);
            if node.status == Status::Verifying && halted.is_some_and(|since| !was_over(node, since)) {
                // It was cut off before all inside was done: nobody looks what that came to.
                node.status = Status::Cancelled;
                node.ended = node.children.iter().filter_map(|n| n.ended).max();
            }
            if over && node.status.is_active() && node.status != Status::InDoubt {
                node.status = Status::Cancelled;
            }
        }
    } else if let Some(since) = halted {
        node.status = cut_off(node, over);
        if begun && !node.status.is_active() {
            // That it was cut off is not recorded: it was when the rest was.
            let last = node.task.and_then(|t| t.attempts.last()).and_then(|a| a.ended);
            node.ended = node.ended.or(last).or(Some(since).max(node.began));
        }
        node.failing = matches!(node.status, Status::Failed | Status::NotDone) && !node.tolerated();
    }
    match node.status {
        Status::Waiting if halted.is_some() => node.status = Status::NotStarted,
        Status::Waiting if node.ready => node.status = Status::Preparing,
        _ => {}
    }
}

/// A step in a halted scope: what may have had its effect comes to its end, everything else is over.
fn cut_off(node: &Node<'_>, over: bool) -> Status {
    let begun = node.task.is_some_and(|t| t.attempts.iter().any(|a| a.began.is_some()));
    let in_doubt = node.task.is_some_and(|t| t.unsettled);
    let finishes =
        node.entry.kind == EntryKind::Action && matches!(node.entry.effect.as_str(), "write" | "notify");
    // Nothing rests on whether a message arrived, and what is to be undone in any case is not asked about.
    let settled = node.entry.policy.within_ms.is_none()
        && (node.entry.effect == "notify" || node.entry.policy.on_in_doubt.as_deref() == Some("compensate"));
    match node.status {
        Status::Waiting | Status::Preparing | Status::Retrying if in_doubt && !over && settled => {
            Status::Failed
        }
        Status::Waiting | Status::Preparing | Status::Retrying if in_doubt && !over => node.status,
        // It failed, and is not tried again.
        Status::Retrying => Status::Failed,
        Status::Waiting | Status::Preparing if begun => Status::Cancelled,
        Status::Running if finishes && !over => Status::Running,
        Status::Running => Status::Cancelled,
        // It went through; what was asked was whether its warning matters.
        Status::WaitingForPerson if !node.is_human() => Status::Done,
        Status::WaitingForPerson => Status::Cancelled,
        Status::Verifying if over => Status::Cancelled,
        // Nothing rests on whether a message arrived; and a run that is over has settled its doubts.
        Status::InDoubt if over || node.entry.effect == "notify" => Status::Failed,
        status => status,
    }
}

fn forward(tree: &Tree<'_>) -> Forward {
    let run = tree.run;
    let recorded = run.finished.as_ref().map(|f| f.forward.as_str()).or(run.forward.as_deref());
    match recorded {
        Some("succeeded") => return Forward::Succeeded,
        Some("succeeded_with_failures") => return Forward::SucceededWithFailures,
        Some("cancelled") => return Forward::Cancelled,
        Some("locked") => return Forward::Locked,
        Some("skipped") => return Forward::Skipped,
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
        Some("partial") => return Rollback::Partial,
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
    if tree.crossed_pivot().is_some() {
        return Rollback::Declined;
    }
    let asked = |q: &&crate::Question| matches!(q.about, runbook_wire::About::Rollback(None));
    if run.questions.iter().filter(asked).any(|q| q.settled.is_none()) {
        return Rollback::Asked;
    }
    let kept = run.answers.iter().any(|g| {
        matches!(g.about, runbook_wire::About::Rollback(None)) && g.answer == runbook_wire::Answer::Keep
    });
    if kept || run.outline.rollback == "none" {
        return Rollback::Declined;
    }
    let finishing = tree.steps.iter().any(|n| n.status.is_active());
    let first = tree.first.iter().any(|n| n.task.is_some_and(|t| t.phase != Phase::Waiting));
    if finishing && !first { Rollback::Pending } else { Rollback::Running }
}
