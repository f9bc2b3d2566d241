//! Scopes at run time: opening one, satisfying needs inside it, and stopping it when something failed.

use std::sync::Arc;

use crate::each::ItemState;
use crate::frame::FrameIx;
use crate::kernel::{Kernel, RUN, Turn};
use crate::ledger::Work;
use crate::program::{Effect, FrameRole, Kind, ScopeId, ScopeRole, TaskId, Undo};
use crate::rollback::Mode;
use crate::task::{Cause, End, Purpose, Stage, State, Task, TaskIx, Verifying};

/// A scope that was opened, by its place in the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeIx(pub(crate) u32);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScopeRun {
    pub(crate) frame: FrameIx,
    pub(crate) scope: ScopeId,
    /// The group, switch, `for_each` or run it is a part of; the task that an undo scope brings back.
    pub(crate) owner: TaskIx,
    pub(crate) incarnation: u32,
    pub(crate) lane: Lane,
    /// A composite around it has an undo of its own, which stands for all undos inside.
    pub(crate) covered: bool,
    /// Tasks that have not ended.
    pub(crate) remaining: u32,
    /// Nothing new starts in it.
    pub(crate) stopping: bool,
    /// Why it stops, if something in it failed; else it was cut off from outside.
    pub(crate) cause: Option<Cause>,
    /// The unwinding that is under way.
    pub(crate) unwind: Option<Mode>,
    /// Undos that are not resolved in that unwinding.
    pub(crate) undo_left: u32,
    /// One of them did not complete.
    pub(crate) undo_blocked: bool,
}

/// What a scope, and every scope inside it, is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The run's own work: what a rollback undoes.
    Forward,
    Undo,
    /// Work around it that is never undone: `first`, `finally`, `between`, `after_pivot`, `revert`.
    Beside,
}

impl Kernel {
    /// Opens a scope in a frame for its owner, or opens it again in a new incarnation.
    pub(crate) fn open_scope(&mut self, frame: FrameIx, scope: ScopeId, owner: TaskIx) -> ScopeIx {
        self.open_scope_as(frame, scope, owner, self.tasks[owner].incarnation)
    }

    pub(crate) fn open_scope_as(
        &mut self,
        frame: FrameIx,
        scope: ScopeId,
        owner: TaskIx,
        incarnation: u32,
    ) -> ScopeIx {
        let before = self.scope_at(frame, scope);
        let incarnation = match before {
            // What ran here before and what runs now are not the same, even where the owner is.
            Some(before) if self.scopes[before].incarnation == incarnation => self.next_incarnation(),
            _ => incarnation,
        };
        let chart = Arc::clone(&self.chart);
        let shape = chart.scope(scope);
        let outer = self.scopes.get(self.tasks[owner].scope);
        let covers = owner != RUN
            && chart.node(self.tasks[owner].id.node).undo != Undo::Nothing
            && shape.role == ScopeRole::Body;
        let run = ScopeRun {
            frame,
            scope,
            owner,
            incarnation,
            lane: match shape.role {
                ScopeRole::Body => outer.map_or(Lane::Forward, |outer| outer.lane),
                ScopeRole::Undo => Lane::Undo,
                _ => Lane::Beside,
            },
            covered: covers || outer.is_some_and(|outer| outer.covered),
            remaining: shape.nodes.len() as u32,
            stopping: false,
            cause: None,
            unwind: None,
            undo_left: 0,
            undo_blocked: false,
        };
        let at = match before {
            Some(at) => {
                self.scopes[at] = run;
                at
            }
            None => {
                let at = self.scopes.push(run);
                self.put_scope(frame, scope, at);
                at
            }
        };
        for &node in &shape.nodes {
            let id = TaskId { frame: frame.0, node };
            let task = match self.task_at(id) {
                Some(task) => {
                    self.remember_missing(task);
                    self.tasks[task].renew();
                    task
                }
                None => {
                    let task = self.tasks.push(Task::new(id, frame, at));
                    self.put_task(id, task);
                    task
                }
            };
            let needs = chart.node(node).needs.len() as u32;
            let row = &mut self.tasks[task];
            row.incarnation = incarnation;
            row.unmet = needs;
            if needs == 0 {
                self.make_ready(task);
            }
        }
        if shape.nodes.is_empty() {
            self.agenda.push_back(Turn::Over(at));
        }
        at
    }

    /// A number that stands for no incarnation yet.
    pub(crate) fn next_incarnation(&mut self) -> u32 {
        self.run.incarnations += 1;
        self.run.incarnations
    }

    pub(crate) fn make_ready(&mut self, task: TaskIx) {
        self.tasks[task].state = State::Ready;
        match self.asks(task) {
            true => self.people.push_back(task),
            false => self.ready.push_back(task),
        }
    }

    /// The tasks of a scope, in the order of the file.
    pub(crate) fn members(&self, scope: ScopeIx) -> Vec<TaskIx> {
        let ScopeRun { frame, scope, .. } = self.scopes[scope];
        self.chart.scope(scope).nodes.iter().map(|node| self.sibling(frame, *node)).collect()
    }

    pub(crate) fn role(&self, scope: ScopeIx) -> ScopeRole {
        self.chart.scope(self.scopes[scope].scope).role
    }

    pub(crate) fn lane(&self, task: TaskIx) -> Lane {
        self.scopes.get(self.tasks[task].scope).map_or(Lane::Forward, |scope| scope.lane)
    }

    /// Whether nothing new starts where this task is.
    pub(crate) fn stopping(&self, task: TaskIx) -> bool {
        self.scopes.get(self.tasks[task].scope).is_some_and(|scope| scope.stopping)
    }

    /// Ends a task for good, and tells those that it concerns.
    pub(crate) fn end(&mut self, task: TaskIx, end: End) {
        let row = &mut self.tasks[task];
        let scope = row.scope;
        row.state = State::Ended(end);
        let holds = row.detail.as_mut().map(|detail| std::mem::take(&mut detail.holds)).unwrap_or_default();
        let cause = row.cause.unwrap_or(Cause::Cancelled);
        let id = row.id;
        self.ledger.release(id);
        match end {
            End::Done | End::Skipped => self.satisfy(task),
            End::Failed if self.tolerated(task) => {
                self.run.marred |= !self.unrequired(task);
                self.satisfy(task);
            }
            End::Failed => self.fail_scope(scope, cause),
            End::NotStarted | End::Stopped => {}
        }
        self.release_holds(holds, end);
        let row = &mut self.scopes[scope];
        row.remaining -= 1;
        if row.remaining == 0 {
            self.agenda.push_back(Turn::Over(scope));
        }
    }

    /// Tells the dependents of a task, and those of dependents that had ended before, when what they rest on began anew.
    fn satisfy(&mut self, task: TaskIx) {
        let chart = Arc::clone(&self.chart);
        let mut todo = vec![task];
        while let Some(task) = todo.pop() {
            if std::mem::replace(&mut self.tasks[task].marks.satisfied, true) {
                continue;
            }
            let Task { id, frame, scope, .. } = self.tasks[task];
            let open = !self.scopes[scope].stopping;
            for &dependent in chart.dependents(id.node) {
                let dependent = self.sibling(frame, dependent);
                let row = &mut self.tasks[dependent];
                row.unmet -= 1;
                if row.unmet > 0 {
                    continue;
                }
                match row.state {
                    State::Waiting if open => self.make_ready(dependent),
                    State::Ended(End::Done | End::Skipped | End::Failed) => todo.push(dependent),
                    _ => {}
                }
            }
        }
    }

    /// A notification that nobody requires to arrive.
    fn unrequired(&self, task: TaskIx) -> bool {
        let node = self.chart.node(self.tasks[task].id.node);
        node.effect == Effect::Notify && !node.required
    }

    /// Whether the failure of this task fails nothing else.
    pub(crate) fn tolerated(&self, task: TaskIx) -> bool {
        let node = self.chart.node(self.tasks[task].id.node);
        task != RUN
            && (node.continue_on_error
                || self.unrequired(task)
                || self.role(self.tasks[task].scope) == ScopeRole::Finally)
    }

    /// Something in this scope failed: nothing new starts in it, nor in those around it that are bound to fail by that.
    pub(crate) fn fail_scope(&mut self, scope: ScopeIx, cause: Cause) {
        let (mut scope, mut cause) = (scope, cause);
        while !self.scopes[scope].stopping {
            self.scopes[scope].cause = Some(cause);
            self.stop_scope(scope);
            if self.role(scope) != ScopeRole::Body {
                return;
            }
            let ScopeRun { frame, owner, .. } = self.scopes[scope];
            // As what the owner will be held against when its body is over.
            let mut own = cause;
            if matches!(self.frames[frame].role, FrameRole::Item(_)) && self.frames[frame].body == Some(scope)
            {
                self.frames[frame].item = ItemState::Failed;
                cause = cause.around(Cause::TooManyFailures);
                if !self.item_failed(owner, cause) {
                    return;
                }
                own = cause;
            } else {
                cause = cause.around(Cause::Inside(cause.class()));
            }
            if self.survives(owner, own) {
                return;
            }
            scope = self.tasks[owner].scope;
        }
    }

    /// Whether the failure of a composite's body fails nothing around it, or not yet.
    pub(crate) fn survives(&self, owner: TaskIx, cause: Cause) -> bool {
        owner == RUN || self.tolerated(owner) || self.may_retry(owner, cause)
    }

    /// Cuts off everything in a scope that has not begun or only waits; what runs goes on to its end.
    fn stop_scope(&mut self, scope: ScopeIx) {
        self.stop_scopes(vec![scope]);
    }

    pub(crate) fn stop_scopes(&mut self, mut todo: Vec<ScopeIx>) {
        while let Some(scope) = todo.pop() {
            if std::mem::replace(&mut self.scopes[scope].stopping, true) {
                continue;
            }
            for task in self.members(scope) {
                self.stop_task(task, &mut todo);
            }
        }
    }

    fn stop_task(&mut self, task: TaskIx, inner: &mut Vec<ScopeIx>) {
        let row = &self.tasks[task];
        if row.marks.unsettled {
            // The attempt that was to settle its doubt does not begin.
            if matches!(row.state, State::Ready | State::Held | State::Preparing | State::Delayed) {
                self.settle_now(task);
            }
            return;
        }
        let cut = if row.begun() { End::Stopped } else { End::NotStarted };
        match row.state {
            State::Waiting | State::Ready | State::Held | State::Preparing | State::Delayed
                if row.marks.owes_finally =>
            {
                self.leave(task, End::Stopped);
            }
            State::Waiting | State::Ready | State::Held | State::Preparing | State::Delayed => {
                self.end(task, cut);
            }
            State::Running => {
                let node = self.chart.node(row.id.node);
                let finishes = matches!(node.kind, Kind::Action)
                    && matches!(node.effect, Effect::Write | Effect::Notify)
                    && matches!(self.ledger.work(row.id), Some(Work::Perform { .. }));
                if !finishes {
                    self.end(task, End::Stopped);
                }
            }
            State::Warned => self.end(task, End::Done),
            State::Inside(Stage::Body) => {
                if matches!(self.chart.node(row.id.node).kind, Kind::Each(_)) {
                    self.halt_each(task, None, inner);
                } else {
                    inner.extend(row.inner);
                }
            }
            // What a rollback rests on is found out first; a group that is being undone is undone to the end.
            State::Verifying(Verifying {
                purpose: Purpose::AfterDone | Purpose::Doubt(_) | Purpose::Absence(_),
                ..
            })
            | State::InDoubt(_)
            | State::Inside(_)
            | State::Ended(_) => {}
        }
    }
}
