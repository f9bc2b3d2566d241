//! How everything in a run stands: the outline with the records laid over it.
//!
//! Built when somebody looks, in three passes: what the records say of each node; what a failure means for the rest of
//! its scope (nothing new starts, waits are cancelled); how far each effect was brought back.

mod build;
mod reach;
mod settle;
mod undoing;

pub(crate) use reach::dependents;
pub(crate) use settle::batch_sizes;
pub(crate) use undoing::has_effect;

use runbook_wire::{About, Entry, EntryKind};

use crate::{Held, Key, Question, Run, Stamp, TaskState};

/// A run, step by step.
#[derive(Debug, Clone)]
pub struct Tree<'a> {
    pub run: &'a Run,
    pub steps: Vec<Node<'a>>,
    /// `on_failure.first`.
    pub first: Vec<Node<'a>>,
    /// `on_failure.after_pivot`.
    pub after_pivot: Vec<Node<'a>>,
    pub revert: Vec<Node<'a>>,
    pub finally: Vec<Node<'a>>,
    pub forward: Forward,
    pub rollback: Rollback,
}

/// A step, or an item of a `for_each`.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    pub key: Key,
    pub entry: &'a Entry,
    /// The item, by index and key, where this is one; `entry` is then that of the `for_each`.
    pub item: Option<(usize, &'a str)>,
    /// The key of its item, where it has no name of its own: it is all that the item does.
    pub whole: Option<&'a str>,
    /// `None` for items, and before the first record.
    pub task: Option<&'a TaskState>,
    /// It waits because a program was changed.
    pub held: Option<&'a Held>,
    pub path: String,
    pub status: Status,
    pub undoing: Undoing,
    /// Why its effect is still there, where that is known: what blocks its undo, who or what left it.
    pub stays_because: Option<String>,
    pub began: Option<Stamp>,
    /// Once it is over.
    pub ended: Option<Stamp>,
    /// Steps of a group or of the case that was taken; items of a `for_each`; steps of an item.
    pub children: Vec<Node<'a>>,
    /// Of a `for_each`: the checks between batches, as far as they began.
    pub between: Vec<Node<'a>>,
    /// Its own `on_failure.first`.
    pub first: Vec<Node<'a>>,
    pub finally: Vec<Node<'a>>,
    /// What brings it back: `require` probes, then the undo.
    pub undo: Vec<Node<'a>>,
    /// Something in it failed, more than it tolerates.
    pub(crate) broken: bool,
    /// An undo in it failed.
    pub(crate) stuck: bool,
    /// A failure around it stops it, or the run is over.
    pub(crate) halted: bool,
    /// It failed in a way that fails its scope.
    pub(crate) failing: bool,
    /// Its scope is open, and every node that it needs is satisfied.
    pub(crate) ready: bool,
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// For what it needs.
    Waiting,
    /// What it needs is there: it is rendered, prepared, or waits for a free place or a gate.
    Preparing,
    Running,
    /// It failed and will be tried again.
    Retrying,
    /// Done, and its `verify` looks whether the effect is there.
    Verifying,
    WaitingForPerson,
    /// Nobody knows whether the effect is there.
    InDoubt,
    Done,
    /// Items failed, as many as are tolerated.
    DoneWithFailures,
    Failed,
    /// Failed, provably without effect.
    NotDone,
    Skipped,
    /// It was under way when the run was halted.
    Cancelled,
    /// It never began and will not.
    NotStarted,
}

/// How far a node's effect was brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undoing {
    /// There is no rollback, or there is nothing to undo.
    Nothing,
    /// Its turn has not come.
    Pending,
    /// Somebody decides, now or once what is undone without asking is.
    Asked,
    Running,
    InDoubt,
    Undone,
    Failed,
    /// A `require` did not hold: the undo was not tried.
    Refused,
    /// The undo of something that came after it failed.
    Blocked,
    /// `rollback: none`, `irreversible`, or nothing said.
    Left,
    /// A person, or a policy, left it as it is.
    Kept,
    /// Its group has an undo of its own.
    ByGroup,
}

/// How the run stands, going forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    NotBegun,
    Running,
    WaitingForPerson,
    InDoubt,
    /// It failed; what runs is finishing.
    Failed,
    Cancelled,
    Succeeded,
    SucceededWithFailures,
    /// Another run held a named lock, and nothing started.
    Locked,
    /// The same, where the runbook says that it is to be skipped then.
    Skipped,
}

/// How the rollback stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// There is none.
    None,
    NothingToUndo,
    /// It comes once everything that runs has finished.
    Pending,
    /// A person decides whether it happens.
    Asked,
    Declined,
    Running,
    Complete,
    /// What was to be undone was, and not everything was: the rest was kept, or has no undo and was not declared to stay.
    Partial,
    Incomplete,
}

impl Status {
    /// Whether something goes on, or somebody is waited for.
    pub fn is_active(self) -> bool {
        matches!(
            self,
            Status::Running
                | Status::Retrying
                | Status::Verifying
                | Status::WaitingForPerson
                | Status::InDoubt
                | Status::Preparing
        )
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Status::Waiting => "waiting",
            Status::Preparing => "preparing",
            Status::Running => "running",
            Status::Retrying => "will be tried again",
            Status::Verifying => "verifying",
            Status::WaitingForPerson => "waiting for a person",
            Status::InDoubt => "in doubt",
            Status::Done => "done",
            Status::DoneWithFailures => "done with failures",
            Status::Failed => "failed",
            Status::NotDone => "failed, nothing was changed",
            Status::Skipped => "skipped",
            Status::Cancelled => "cancelled",
            Status::NotStarted => "not started",
        }
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Status::Waiting => "waiting",
            Status::Preparing => "preparing",
            Status::Running => "running",
            Status::Retrying => "retrying",
            Status::Verifying => "verifying",
            Status::WaitingForPerson => "waiting_for_person",
            Status::InDoubt => "in_doubt",
            Status::Done => "done",
            Status::DoneWithFailures => "done_with_failures",
            Status::Failed => "failed",
            Status::NotDone => "not_done",
            Status::Skipped => "skipped",
            Status::Cancelled => "cancelled",
            Status::NotStarted => "not_started",
        }
    }
}

impl Undoing {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Undoing::Nothing => "nothing to undo",
            Undoing::Pending => "to be undone",
            Undoing::Asked => "to be decided",
            Undoing::Running => "being undone",
            Undoing::InDoubt => "undo in doubt",
            Undoing::Undone => "undone",
            Undoing::Failed => "undo failed",
            Undoing::Refused => "not undone: a condition for it does not hold",
            Undoing::Blocked => "not undone: blocked",
            Undoing::Left => "left as it is",
            Undoing::Kept => "kept",
            Undoing::ByGroup => "by its group",
        }
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Undoing::Nothing => "nothing_to_undo",
            Undoing::Pending => "pending",
            Undoing::Asked => "asked",
            Undoing::Running => "running",
            Undoing::InDoubt => "in_doubt",
            Undoing::Undone => "undone",
            Undoing::Failed => "failed",
            Undoing::Refused => "refused",
            Undoing::Blocked => "blocked",
            Undoing::Left => "left",
            Undoing::Kept => "kept",
            Undoing::ByGroup => "by_group",
        }
    }
}

impl Forward {
    /// For programs; stable. Equal to what `finished` records once the run is over.
    pub fn code(self) -> &'static str {
        match self {
            Forward::NotBegun => "not_begun",
            Forward::Running => "running",
            Forward::WaitingForPerson => "waiting_for_person",
            Forward::InDoubt => "in_doubt",
            Forward::Failed => "failed",
            Forward::Cancelled => "cancelled",
            Forward::Succeeded => "succeeded",
            Forward::SucceededWithFailures => "succeeded_with_failures",
            Forward::Locked => "locked",
            Forward::Skipped => "skipped",
        }
    }
}

impl Rollback {
    /// In words, the same everywhere.
    pub fn words(self) -> &'static str {
        match self {
            Rollback::None => "none",
            Rollback::NothingToUndo => "nothing to undo",
            Rollback::Pending => "rollback follows",
            Rollback::Asked => "rollback to be decided",
            Rollback::Declined => "not rolled back",
            Rollback::Running => "rolling back",
            Rollback::Complete => "rolled back",
            Rollback::Partial => "partly rolled back",
            Rollback::Incomplete => "rollback incomplete",
        }
    }

    /// What a record says by its code; `None` for a code that this version does not know.
    pub fn of_code(code: &str) -> Option<Rollback> {
        use Rollback::{Complete, Declined, Incomplete, None as NoRollback, NothingToUndo, Partial};
        [NoRollback, NothingToUndo, Declined, Complete, Partial, Incomplete]
            .into_iter()
            .find(|r| r.code() == code)
    }

    /// For programs; stable. Equal to what `finished` records once the run is over.
    pub fn code(self) -> &'static str {
        match self {
            Rollback::None => "none",
            Rollback::NothingToUndo => "nothing_to_undo",
            Rollback::Pending => "pending",
            Rollback::Asked => "asked",
            Rollback::Declined => "declined",
            Rollback::Running => "running",
            Rollback::Complete => "complete",
            Rollback::Partial => "partial",
            Rollback::Incomplete => "incomplete",
        }
    }
}

impl<'a> Node<'a> {
    /// What to call it: the item's key, else the id.
    pub fn label(&self) -> &'a str {
        match (self.item, self.whole) {
            (Some((_, key)), _) | (None, Some(key)) => key,
            (None, None) => &self.entry.segment,
        }
    }

    /// Of an item: the nameless node that is all it does, if it is one (a single step, or the group of its `steps`).
    pub fn whole_of_item(&self) -> Option<&Node<'a>> {
        self.item?;
        self.children.first().filter(|n| n.whole.is_some())
    }

    /// Its `name:`, rendered if it began; without one `None`, and for items.
    pub fn title(&self) -> Option<&'a str> {
        let written = self.entry.title.as_deref().filter(|_| self.item.is_none());
        // What it would have been called cannot be known where it never began.
        self.task.and_then(|t| t.title.as_deref()).or(written.filter(|t| !t.contains("${{")))
    }

    /// Whether people are asked by it.
    pub fn is_human(&self) -> bool {
        self.item.is_none()
            && matches!(
                self.entry.kind,
                EntryKind::Approval | EntryKind::Checklist | EntryKind::Prompt | EntryKind::Window
            )
    }

    /// Whether it has steps or items below it.
    pub fn is_scope(&self) -> bool {
        self.item.is_some()
            || matches!(
                self.entry.kind,
                EntryKind::Group | EntryKind::Call | EntryKind::Switch | EntryKind::ForEach
            )
    }

    /// Whether it is a `for_each` (not one of its items).
    pub fn is_each(&self) -> bool {
        self.item.is_none() && self.entry.kind == EntryKind::ForEach
    }

    /// Of a group: whether anything in it is still to end. (A `for_each` may have items to come.)
    pub(crate) fn is_open_inside(&self) -> bool {
        self.is_each() || self.is_scope() && self.children.iter().any(Node::is_open)
    }

    /// Whether it is still to end: what runs at the end of a group, and what brings it back, included.
    fn is_open(&self) -> bool {
        let at_the_end = || self.began.is_some() && self.finally.iter().any(|n| n.ended.is_none());
        let never = matches!(self.status, Status::Skipped | Status::NotStarted);
        !never
            && (self.ended.is_none()
                || at_the_end()
                || self.rolls_itself_back()
                || self.children.iter().any(Node::is_open))
    }

    /// Of a group that failed, and whose own `on_failure` brings it back: whether an undo in it is still to end.
    fn rolls_itself_back(&self) -> bool {
        let mut open = false;
        if self.broken && self.entry.kind == EntryKind::Group && self.entry.policy.rollback.is_some() {
            self.walk(&mut |node| open |= undoing::is_to_come(node));
        }
        open
    }

    /// Of a `for_each`: whether more items failed than may.
    pub(crate) fn exceeds_limit(&self) -> bool {
        settle::exceeds(self, |n| n.failing)
    }

    /// Whether it is a point of no return that was crossed.
    pub(crate) fn is_crossed(&self) -> bool {
        self.entry.pivot && self.item.is_none() && self.task.is_some_and(TaskState::touched)
    }

    /// What became of it stands when its scope goes on again.
    pub(crate) fn stays(&self) -> bool {
        match self.status {
            Status::Failed | Status::NotDone => self.tolerated(),
            _ if self.undoing == Undoing::Undone => false,
            Status::Done | Status::DoneWithFailures | Status::Skipped => true,
            _ => false,
        }
    }

    /// A failure of it is reported and goes no further.
    pub fn tolerated(&self) -> bool {
        self.item.is_none() && self.entry.policy.tolerated
    }

    /// How long it has taken by run-elapsed time; to `elapsed_ms` while it goes on.
    pub fn took_ms(&self, elapsed_ms: u64) -> Option<u64> {
        let end = self.ended.map_or(elapsed_ms, |e| e.elapsed_ms);
        Some(end.saturating_sub(self.began?.elapsed_ms))
    }

    /// This node and everything below it that runs forward, in the order of the file.
    pub fn walk<'t>(&'t self, visit: &mut dyn FnMut(&'t Node<'a>)) {
        visit(self);
        for child in self.first.iter().chain(&self.children).chain(&self.between).chain(&self.finally) {
            child.walk(visit);
        }
    }
}

impl<'a> Tree<'a> {
    /// How the run stands.
    pub fn of(run: &'a Run) -> Tree<'a> {
        let mut tree = build::tree(run);
        settle::settle(&mut tree);
        undoing::settle(&mut tree);
        tree
    }

    /// Every node that runs forward, `finally` included, in the order of the file.
    pub fn walk<'t>(&'t self, visit: &mut dyn FnMut(&'t Node<'a>)) {
        for node in self.first.iter().chain(&self.steps).chain(&self.after_pivot).chain(&self.finally) {
            node.walk(visit);
        }
    }

    /// The node of a task.
    pub fn find(&self, key: Key) -> Option<&Node<'a>> {
        let mut found = None;
        self.walk(&mut |node| {
            if found.is_none() && node.item.is_none() && node.key == key {
                found = Some(node);
            }
        });
        found
    }

    /// Questions that somebody has to answer now, in the order they were put.
    pub fn open_questions(&self) -> Vec<&'a Question> {
        let stands = |q: &&Question| match &q.about {
            About::Human(task) | About::InDoubt(task) => {
                let state = self.run.task(Key::of(task));
                let halted = self.halted() && !self.run.shape.undoes(&self.run.outline, task.node);
                state.is_none_or(|s| s.phase.is_open()) && !(halted && matches!(q.about, About::Human(_)))
            }
            _ => true,
        };
        self.run.questions.iter().filter(|q| q.settled.is_none()).filter(stands).collect()
    }

    /// Whether nothing new starts, going forward.
    pub fn halted(&self) -> bool {
        settle::halted(self.run, &self.steps).is_some()
    }

    /// Whether the point of no return was crossed, and by which step.
    pub fn crossed_pivot(&self) -> Option<&Node<'a>> {
        let mut found = None;
        self.walk(&mut |node| {
            if node.is_crossed() {
                found.get_or_insert(node);
            }
        });
        found
    }
}
