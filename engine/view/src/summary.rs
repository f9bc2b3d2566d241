//! What came of a run, and what to type next.

use std::collections::BTreeSet;

use runbook_wire::{Entry, EntryKind, Promise, Result as End, Via};

use crate::{
    Forward, Node, Now, Question, Rollback, Stamp, Status, Tree, Undoing, answers, exit, shell::quote, tree,
};

/// Counts and lists over a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// Steps (not groups, items or undos) by how they stand.
    pub steps: Counts,
    /// What was undone, in the order it happened.
    pub undone: Vec<Brought>,
    /// Where the undo goes on, or waits for its turn.
    pub undoing: Vec<Brought>,
    /// Where somebody decides.
    pub asked: Vec<Brought>,
    /// Where the undo failed, was refused, or is in doubt.
    pub stuck: Vec<Brought>,
    /// What was not undone because of that.
    pub blocked: Vec<Brought>,
    /// What was left as it is, and why.
    pub left: Vec<Brought>,
    /// What ran, changed nothing, and so needed no undo: paths.
    pub needed_none: Vec<String>,
    /// Failures, first to last.
    pub failures: Vec<Failed>,
    /// Answers that came from an answers file.
    pub answers_from_file: u32,
}

/// How many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub all: u32,
    pub done: u32,
    pub failed: u32,
    pub skipped: u32,
    pub active: u32,
    pub waiting: u32,
    pub cancelled: u32,
    pub not_started: u32,
}

/// A step and what became of its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    pub path: String,
    /// How, or why not.
    pub text: String,
    pub undoing: Undoing,
    pub began: Option<Stamp>,
}

/// A failure and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
    /// `file:line`.
    pub place: String,
    pub tolerated: bool,
    pub at: Option<Stamp>,
}

/// A command that makes sense now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// What it does: `approve`, `undo`.
    pub what: String,
    /// To be typed as it stands.
    pub command: String,
}

impl Summary {
    /// Counts everything.
    pub fn of(tree: &Tree<'_>) -> Summary {
        let mut summary = Summary::default();
        tree.walk(&mut |node| summary.take(node));
        let lists = [&tree.first, &tree.steps, &tree.after_pivot, &tree.finally, &tree.revert];
        lists.into_iter().flatten().for_each(|node| summary.failures_in(node, false));
        let by_start = |b: &Brought| b.began.map(|s| s.seq);
        let Summary { undone, undoing, asked, stuck, blocked, .. } = &mut summary;
        for list in [undone, undoing, asked, stuck, blocked] {
            list.sort_by_key(|b| std::cmp::Reverse(by_start(b)));
        }
        // What is in doubt has not come to an end.
        summary.failures.sort_by_key(|f| f.at.map_or(u64::MAX, |s| s.seq));
        summary.answers_from_file =
            tree.run.answers.iter().filter(|g| g.via == Via::AnswersFile).count() as u32;
        summary
    }

    fn take(&mut self, node: &Node<'_>) {
        if !node.is_scope() {
            self.steps.add(node.status);
        }
        let text = undo_text(node);
        let brought = Brought { path: node.path.clone(), text, undoing: node.undoing, began: node.began };
        match node.undoing {
            Undoing::Undone => self.undone.push(brought),
            Undoing::Pending | Undoing::Running => self.undoing.push(brought),
            Undoing::Asked => self.asked.push(brought),
            Undoing::Failed | Undoing::Refused | Undoing::InDoubt => self.stuck.push(brought),
            Undoing::Blocked => self.blocked.push(brought),
            Undoing::Left | Undoing::Kept => self.left.push(brought),
            Undoing::Nothing if !node.is_scope() && matches!(node.status, Status::Done | Status::Failed) => {
                if node.entry.effect != "write" && !node.is_human() {
                    self.needed_none.push(node.path.clone());
                }
            }
            Undoing::Nothing | Undoing::ByGroup => {}
        }
    }

    /// `tolerated`: what is around it is put up with when it fails.
    fn failures_in(&mut self, node: &Node<'_>, tolerated: bool) {
        let tolerated = tolerated || node.tolerated() || (node.is_each() && !node.failing);
        if let Some(failure) = node.task.and_then(|t| t.failure.as_ref())
            && matches!(node.status, Status::Failed | Status::NotDone | Status::InDoubt)
        {
            self.failures.push(Failed {
                path: node.path.clone(),
                message: failure.message.clone(),
                hint: failure.hint.clone(),
                place: place(node),
                tolerated,
                at: node.task.and_then(|t| t.failed).or(node.ended),
            });
        }
        let inside = node.first.iter().chain(&node.children).chain(&node.between).chain(&node.finally);
        inside.for_each(|inner| self.failures_in(inner, tolerated));
        node.undo.iter().for_each(|undo| self.failures_in(undo, false));
    }
}

impl Counts {
    fn add(&mut self, status: Status) {
        self.all += 1;
        let count = match status {
            Status::Done | Status::DoneWithFailures => &mut self.done,
            Status::Failed | Status::NotDone => &mut self.failed,
            Status::Skipped => &mut self.skipped,
            Status::Waiting => &mut self.waiting,
            Status::Cancelled => &mut self.cancelled,
            Status::NotStarted => &mut self.not_started,
            _ => &mut self.active,
        };
        *count += 1;
    }

    /// `3 of 9 done, 1 failed, 5 not started`.
    pub fn words(self) -> String {
        let mut words = format!("{} of {} done", self.done, self.all);
        let rest = [
            (self.failed, "failed"),
            (self.active, "running"),
            (self.skipped, "skipped"),
            (self.cancelled, "cancelled"),
            (self.waiting, "to come"),
            (self.not_started, "not started"),
        ];
        for (count, word) in rest.into_iter().filter(|(count, _)| *count > 0) {
            words.push_str(&format!(", {count} {word}"));
        }
        words
    }

    /// Counts of these nodes themselves.
    pub fn of(nodes: &[Node<'_>]) -> Counts {
        let mut counts = Counts::default();
        nodes.iter().for_each(|n| counts.add(n.status));
        counts
    }
}

/// `file:line` of a node.
pub fn place(node: &Node<'_>) -> String {
    format!("{}:{}", node.entry.place.file, node.entry.place.line)
}

/// A write that is not brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stay {
    path: String,
    /// Why.
    text: String,
    /// It was done, so it does stay. Of one that failed nobody knows whether it left anything.
    pub(crate) certain: bool,
    began: Option<Stamp>,
}

/// What stays in the world because nothing undoes it, in words: `1 write stays: v (irreversible: it is gone)`. `None`:
/// there is nothing of the kind. A write that failed is no write that stays, and nobody knows that it left nothing.
pub(crate) fn stays(tree: &Tree<'_>) -> Option<String> {
    let (certain, failed) = left_for_good(tree);
    let mut words = Vec::new();
    if !certain.is_empty() {
        words.push(format!("{}: {}", how_many_stay(certain.len()), few(&certain)));
    }
    if !failed.is_empty() {
        words.push(format!("not undone: {}", few(&failed)));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// Whether no undo has brought anything back.
pub(crate) fn nothing_undone(tree: &Tree<'_>) -> bool {
    let mut nothing = true;
    tree.walk(&mut |node| nothing &= node.undoing != Undoing::Undone);
    nothing
}

/// `1 write stays`.
pub(crate) fn how_many_stay(count: usize) -> String {
    if count == 1 { "1 write stays".into() } else { format!("{count} writes stay") }
}

/// Writes that nothing undoes, in the order they began: those that were done, and those that failed. What somebody, or the
/// runbook, left as it is counts as what has no undo, also what a rollback was not to reach; not what `revert` stands for.
pub(crate) fn left_for_good(tree: &Tree<'_>) -> (Vec<Stay>, Vec<Stay>) {
    let reverted = tree.revert.iter().any(|n| n.began.is_some());
    let mut left = Vec::new();
    tree.walk(&mut |node| match node.undoing {
        Undoing::Left => writes(node, &undo_text(node), &mut left),
        Undoing::Kept if !reverted => writes(node, &undo_text(node), &mut left),
        _ => {}
    });
    left.sort_by_key(|stay| stay.began.map(|began| began.seq));
    left.into_iter().partition(|stay| stay.certain)
}

/// The writes of a step, or in a group that is undone as a whole.
fn writes(node: &Node<'_>, why: &str, left: &mut Vec<Stay>) {
    if node.is_scope() {
        let inside = |n: &&Node<'_>| n.is_scope() || (n.undoing == Undoing::ByGroup && tree::has_effect(n));
        node.children.iter().filter(inside).for_each(|inner| writes(inner, why, left));
    } else if !node.status.is_active() {
        let certain = matches!(node.status, Status::Done | Status::DoneWithFailures);
        left.push(Stay { path: node.path.clone(), text: why.to_owned(), certain, began: node.began });
    }
}

/// The first few with why nothing undoes them, and how many more.
pub(crate) fn few(left: &[Stay]) -> String {
    const FEW: usize = 4;
    let one = |stay: &Stay| format!("{} ({})", stay.path, stay.text);
    let mut list = left.iter().take(FEW).map(one).collect::<Vec<_>>().join(", ");
    if left.len() > FEW {
        list.push_str(&format!(", and {} more", left.len() - FEW));
    }
    list
}

/// How it is brought back, or why not.
pub fn undo_text(node: &Node<'_>) -> String {
    let failure = |n: &Node<'_>| n.task.and_then(|t| t.failure.as_ref()).map(|f| f.message.clone());
    match node.undoing {
        Undoing::Failed | Undoing::Refused | Undoing::InDoubt => {
            let message = node.undo.iter().rev().find_map(failure);
            message.unwrap_or_else(|| node.undoing.words().to_owned())
        }
        Undoing::Blocked | Undoing::Kept => {
            node.stays_because.clone().unwrap_or_else(|| "its undo was not run".into())
        }
        Undoing::Left if matches!(node.status, Status::Failed | Status::NotDone) => {
            let unknown =
                node.task.and_then(|t| t.attempts.last()).and_then(|a| a.result) == Some(End::Unknown);
            let how = if unknown { "nobody knows what it did" } else { "it failed" };
            format!("{how}; {}", promised(node))
        }
        Undoing::Left if node.status == Status::Cancelled => format!("it was cut off; {}", promised(node)),
        _ => promised(node),
    }
}

fn promised(node: &Node<'_>) -> String {
    match &node.entry.promise {
        Promise::Own(text) | Promise::None(text) => text.clone(),
        Promise::Irreversible(text) => format!("irreversible: {text}"),
        Promise::Missing => "says nothing of how it is undone".into(),
        Promise::Steps => {
            let names = node.undo.iter().map(|n| n.entry.title.as_deref().unwrap_or(n.entry.what.as_str()));
            names.collect::<Vec<_>>().join(", ")
        }
        Promise::NothingToUndo | Promise::Children => String::new(),
    }
}

/// What to type now, most urgent first.
pub fn next(tree: &Tree<'_>, now: Now) -> Vec<Next> {
    let run = tree.run;
    let id = run.id();
    let mut next: Vec<Next> =
        exit::answerable(tree, now).into_iter().flat_map(|q| answers(tree, q)).collect();
    if run.finished.is_none() {
        let accept = |digest: &String| {
            one("if that change is meant", format!("runbook answer {id} - --program {digest}"))
        };
        let digests: BTreeSet<&String> = run.held.values().filter_map(|held| held.digest.as_ref()).collect();
        next.extend(digests.into_iter().map(accept));
    }
    if run.finished.is_none() && (run.interrupted(now) || run.paused.is_some()) {
        next.push(one("go on", format!("runbook resume {id}")));
    }
    if let Some(held) = &run.lock_held {
        let holder = &held.holder;
        let waits = now.holder.is_some_and(|standing| standing.asks);
        next.extend(now.holder.into_iter().flat_map(|standing| standing.next(holder)));
        let what = if waits { "what it waits for" } else { "what holds the lock" };
        next.push(one(what, format!("runbook show {holder}")));
        let over = matches!(tree.forward, Forward::Locked | Forward::Skipped);
        // What came out of a pipe is not there a second time.
        let again = run.created.as_ref().filter(|created| over && created.file != "-");
        if let Some(created) = again {
            let environment = created.environment.iter().flat_map(|name| ["-e", name.as_str()]);
            let words = std::iter::once(created.file.as_str())
                .chain(environment)
                .chain(created.options.iter().map(String::as_str));
            let words: Vec<String> = words.map(quote).collect();
            next.push(one("run it again", format!("runbook exec {}", words.join(" "))));
        }
    }
    if run.finished.is_some() {
        if let Some(failed) = first_failure(tree).filter(|failed| has_log(tree, &failed.path)) {
            next.push(one("its output", logs(id, &failed.path)));
        }
        for stuck in stuck_undos(tree) {
            next.push(one("the undo's output", logs(id, &stuck)));
        }
        let what = match tree.rollback {
            Rollback::Incomplete => Some("try the rollback again"),
            Rollback::Declined => Some("roll back"),
            _ => None,
        };
        if let Some((what, to)) = what.zip(how_far(tree)) {
            next.push(one(what, format!("runbook rollback {id}{to}")));
        }
        next.push(one("the record", format!("runbook report {id}")));
    }
    next
}

/// Whether the step at this path writes a log: a gate, a wait and a group do not.
fn has_log(tree: &Tree<'_>, path: &str) -> bool {
    let mut found = false;
    let mut look =
        |n: &Node<'_>| found |= n.path == path && !n.is_scope() && n.entry.kind == EntryKind::Action;
    tree.walk(&mut |node| {
        look(node);
        node.undo.iter().for_each(|undo| undo.walk(&mut look));
    });
    tree.revert.iter().for_each(|node| node.walk(&mut look));
    found
}

/// Paths of the undo steps that failed.
fn stuck_undos(tree: &Tree<'_>) -> Vec<String> {
    let mut paths = Vec::new();
    tree.walk(&mut |node| {
        let failed = |n: &&Node<'_>| matches!(n.status, Status::Failed | Status::NotDone | Status::InDoubt);
        let logged = node.undo.iter().filter(failed).filter(|n| n.entry.kind == EntryKind::Action);
        paths.extend(logged.map(|n| n.path.clone()));
    });
    paths
}

/// The failure that failed the run, by its first record: of a step that ran forward, where one failed.
pub fn first_failure(tree: &Tree<'_>) -> Option<Failed> {
    let failures = Summary::of(tree).failures;
    let mut forward = Vec::new();
    tree.steps.iter().for_each(|step| step.walk(&mut |n| forward.push(n.path.as_str())));
    let fatal = || failures.iter().filter(|f| !f.tolerated);
    fatal().find(|f| forward.contains(&f.path.as_str())).or_else(|| fatal().next()).cloned()
}

/// What follows `runbook rollback RUN` so that it is not refused: nothing, or `--to PIVOT` where one was crossed. `None`:
/// nothing can be undone.
fn how_far(tree: &Tree<'_>) -> Option<String> {
    let mut pivots = Vec::new();
    tree.walk(&mut |n| pivots.extend(Some(n).filter(|n| n.is_crossed())));
    let Some(pivot) = pivots.into_iter().max_by_key(|n| n.began.map(|b| b.seq)) else {
        return tree.steps.iter().any(undoable).then(String::new);
    };
    undoable_after(&tree.steps, pivot)?.then(|| format!(" --to {}", quote(&pivot.path)))
}

/// Whether what came after a step can be undone. `None`: it is not in this scope, or inside something that is only
/// undone as a whole.
fn undoable_after(scope: &[Node<'_>], step: &Node<'_>) -> Option<bool> {
    let after = |node: u32| {
        let after = tree::dependents(scope, node);
        scope.iter().any(|n| after.contains(&n.key.node) && undoable(n))
    };
    if scope.iter().any(|n| n.item.is_none() && n.key == step.key) {
        return Some(after(step.key.node));
    }
    let whole =
        |n: &&Node<'_>| n.is_each() || !matches!(n.entry.promise, Promise::Children | Promise::NothingToUndo);
    scope
        .iter()
        .filter(|n| !whole(n))
        .find_map(|n| Some(undoable_after(&n.children, step)? || after(n.key.node)))
}

/// Whether somebody who asks for it gets something in here undone.
fn undoable(node: &Node<'_>) -> bool {
    matches!(node.undoing, Undoing::Kept | Undoing::Blocked | Undoing::Failed | Undoing::Refused)
        || node.children.iter().any(undoable)
}

/// Who can act on a question, in words.
pub fn who(tree: &Tree<'_>, question: &Question) -> String {
    let entry = question.subject().and_then(|t| tree.run.outline.entries.get(t.node as usize));
    let Some(entry) = entry else { return "anybody".into() };
    let roles = roles(entry);
    match entry.policy.exclude_requester {
        true if entry.policy.who.is_empty() => "anybody but the requester".into(),
        true => format!("{roles}, not the requester"),
        false => roles,
    }
}

/// `role:sre or ana`. The owners of a checklist's items answer for them, and anybody may tick.
pub(crate) fn roles(entry: &Entry) -> String {
    let mut who = entry.policy.who.clone();
    who.dedup();
    match (entry.kind, &who[..]) {
        (_, []) => "anybody".into(),
        (EntryKind::Checklist, [one]) => format!("anybody (owner: {one})"),
        (EntryKind::Checklist, owners) => format!("anybody (owners: {})", owners.join(", ")),
        _ => who.join(" or "),
    }
}

/// The command that shows what a step printed.
pub fn logs(run: &str, path: &str) -> String {
    format!("runbook logs {run} {}", quote(path))
}

fn one(what: &str, command: String) -> Next {
    Next { what: what.to_owned(), command }
}
