//! What the runtime and its views ask of a kernel.

use crate::kernel::{Kernel, RUN};
use crate::ledger::Work;
use crate::scope::Lane;
use crate::task::{Cause, End, State, Task, TaskIx, Undoing};
use crate::{About, TaskId};

/// What has become of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Its needs are not met.
    Waiting,
    /// It could prepare, but for `max_parallel` or a pause.
    Ready,
    Preparing,
    /// A gate that it had passed is closed again.
    Held,
    /// In an attempt; of a wait or a human node: waiting.
    Running,
    /// `verify` looks whether its effect is there.
    Verifying,
    /// Somebody has to say whether its effect is there.
    InDoubt,
    /// Somebody has to say whether its warning is to be put up with.
    Warned,
    /// Waits for its next attempt.
    Delayed,
    /// Of a composite: what is inside is under way, or its own rollback or `finally`.
    Inside,
    Done,
    Failed,
    Skipped,
    /// A failure beside it came first: it did not begin.
    NotStarted,
    /// A failure beside it cut it off.
    Stopped,
}

/// What has become of a task's undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoState {
    /// Not asked for, or there is nothing to undo.
    None,
    Running,
    Done,
    /// It failed, or one inside did.
    Failed,
    /// Not tried, because the undo of something that depended on it did not complete.
    Behind,
    /// Left as it is by policy or by a person.
    Kept,
    /// Left as it is because the file says so.
    Left,
}

/// A task as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskView {
    pub state: TaskState,
    pub undo: UndoState,
    /// Why it, or its last attempt, failed.
    pub cause: Option<Cause>,
    /// The last attempt's number.
    pub attempt: u32,
    /// Completions and idempotency keys are per run, path, item and this.
    pub incarnation: u32,
    /// Its effect is, or may partially be, there (unless it was undone).
    pub touched: bool,
    /// A `Perform` of it is out.
    pub performing: bool,
    /// Its `deadline` is over: there is no other attempt.
    pub expired: bool,
}

/// An undo that did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// The task whose effect is still there.
    pub task: TaskId,
    /// It was not tried, because the undo of something that depended on it did not complete.
    pub behind: bool,
}

impl Kernel {
    /// How a task stands; `None` where its scope never opened.
    pub fn task(&self, id: TaskId) -> Option<TaskView> {
        let task = &self.tasks[self.task_at(id)?];
        Some(TaskView {
            state: state(task),
            undo: undo(task),
            cause: task.cause,
            attempt: task.attempt,
            incarnation: task.incarnation,
            touched: task.marks.touched,
            performing: matches!(self.ledger.work(id), Some(Work::Perform { .. })),
            expired: task.marks.expired,
        })
    }

    /// Whether the run failed because a person said no, or nobody answered in time.
    pub fn denied(&self) -> bool {
        matches!(self.tasks[RUN].cause, Some(Cause::Rejected | Cause::Expired | Cause::Denied(_)))
    }

    /// The incarnation of a task, from 0: a number that rises when a group around it begins anew.
    pub fn incarnation(&self, id: TaskId) -> u32 {
        self.task_at(id).map_or(0, |task| self.tasks[task].incarnation)
    }

    /// Questions that stand: what waits for a person.
    pub fn questions(&self) -> Vec<About> {
        self.ledger.questions()
    }

    /// Items of a `for_each` that are not undone, and could be: their indices.
    pub fn items_left(&self, each: TaskId) -> Vec<u32> {
        let Some(task) = self.task_at(each) else { return Vec::new() };
        let items = self.left_over(task).into_iter();
        items.filter(|index| self.item_undoable(task, *index)).collect()
    }

    /// Whether a rollback would undo this task by itself: it goes forward, it or a composite around it has an undo, and
    /// no pivot was crossed.
    pub fn is_undone_by_rollback(&self, id: TaskId) -> bool {
        let Some(mut task) = self.task_at(id) else { return false };
        if self.lane(task) != Lane::Forward || self.pivot_crossed() {
            return false;
        }
        while task != RUN {
            if matches!(self.chart.node(self.tasks[task].id.node).undo, crate::Undo::Scope(_)) {
                return true;
            }
            task = self.scopes[self.tasks[task].scope].owner;
        }
        false
    }

    /// Whether a wait is over but for a look of guards around it.
    pub fn awaits_a_look(&self) -> bool {
        let waits = |(_, task): (TaskIx, &Task)| {
            task.detail.as_ref().is_some_and(|detail| !detail.overtime.is_empty())
        };
        self.tasks.iter().any(waits)
    }

    /// Whether a person may have a task that is in doubt run again: not where a gate of it was refused.
    pub fn may_run_again(&self, id: TaskId) -> bool {
        self.task_at(id).is_some_and(|task| !self.is_shut_out(task))
    }

    /// Undos that did not complete, in the order in which their tasks were opened.
    pub fn blocked(&self) -> Vec<Blocked> {
        self.with_undo(|undo| match undo {
            Undoing::Failed => Some(false),
            Undoing::Behind => Some(true),
            _ => None,
        })
        .into_iter()
        .map(|(task, behind)| Blocked { task, behind })
        .collect()
    }

    /// Effects that were left by policy, by a person, or by declaration.
    pub fn kept(&self) -> Vec<TaskId> {
        let kept = self.with_undo(|undo| matches!(undo, Undoing::Kept | Undoing::Left).then_some(()));
        kept.into_iter().map(|(task, ())| task).collect()
    }

    /// Tasks that have an undo of their own, or are left as they are, and stand so.
    fn with_undo<T>(&self, pick: impl Fn(Undoing) -> Option<T>) -> Vec<(TaskId, T)> {
        let owners = self.tasks.iter().filter(|(at, task)| {
            *at != RUN && self.chart.node(task.id.node).undo != crate::Undo::Nothing
                || task.undo == Undoing::Left
        });
        owners.filter_map(|(_, task)| Some((task.id, pick(task.undo)?))).collect()
    }
}

fn state(task: &Task) -> TaskState {
    match task.state {
        State::Waiting => TaskState::Waiting,
        State::Ready => TaskState::Ready,
        State::Preparing => TaskState::Preparing,
        State::Held => TaskState::Held,
        State::Running => TaskState::Running,
        State::Verifying(_) => TaskState::Verifying,
        State::InDoubt(_) => TaskState::InDoubt,
        State::Warned => TaskState::Warned,
        State::Delayed => TaskState::Delayed,
        State::Inside(_) => TaskState::Inside,
        State::Ended(End::Done) => TaskState::Done,
        State::Ended(End::Failed) => TaskState::Failed,
        State::Ended(End::Skipped) => TaskState::Skipped,
        State::Ended(End::NotStarted) => TaskState::NotStarted,
        State::Ended(End::Stopped) => TaskState::Stopped,
    }
}

fn undo(task: &Task) -> UndoState {
    match task.undo {
        Undoing::None => UndoState::None,
        Undoing::Running | Undoing::Inner { .. } => UndoState::Running,
        Undoing::Done => UndoState::Done,
        Undoing::Failed => UndoState::Failed,
        Undoing::Behind => UndoState::Behind,
        Undoing::Kept => UndoState::Kept,
        Undoing::Left => UndoState::Left,
    }
}
