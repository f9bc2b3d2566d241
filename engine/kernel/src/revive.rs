//! Going on with a scope that had stopped: what ended well stays, the rest begins again.

use std::sync::Arc;

use crate::each::{EachRun, ItemState};
use crate::kernel::{Kernel, RUN, Turn};
use crate::program::{Effect, ScopeRole};
use crate::scope::ScopeIx;
use crate::task::{Cause, End, Stage, State, Task, TaskIx, Undoing};

impl Kernel {
    /// After the pivot, a person wants the failed steps tried again.
    pub(crate) fn go_forward_again(&mut self) {
        self.tasks[RUN].state = State::Inside(Stage::Body);
        self.tasks[RUN].cause = None;
        if let Some(root) = self.tasks[RUN].inner {
            self.revive(root);
        }
    }

    /// Starts what a scope, and the scopes inside it, left undone: tasks that failed, were cut off or never began.
    ///
    /// On the way back (an undo, `revert`) reads run again too: what they found when it failed says nothing about now.
    /// Where an undo inside did not complete there is nothing to go on from: that scope fails again.
    pub(crate) fn revive(&mut self, scope: ScopeIx) {
        let mut todo = vec![scope];
        while let Some(scope) = todo.pop() {
            if self.is_cut_off(scope) {
                // Something beside it has failed again: it stays as it was.
                self.agenda.push_back(Turn::Over(scope));
                continue;
            }
            let looks_again = matches!(self.role(scope), ScopeRole::Undo | ScopeRole::Revert);
            let fresh = self.next_incarnation();
            let members = self.members(scope);
            let stuck = members.iter().any(|task| self.tasks[*task].undo.is_blocked());
            let (stay, go): (Vec<TaskIx>, Vec<TaskIx>) =
                members.iter().partition(|task| stuck || self.stays(**task, looks_again));
            let row = &mut self.scopes[scope];
            row.stopping = false;
            row.cause = None;
            row.remaining = go.len() as u32;
            if go.is_empty() {
                self.agenda.push_back(Turn::Over(scope));
            }
            if stuck {
                self.fail_scope(scope, Cause::Undo);
                continue;
            }
            self.unkeep(stay);
            let (inside, anew): (Vec<TaskIx>, Vec<TaskIx>) =
                go.into_iter().partition(|task| self.goes_on_inside(*task));
            for &task in &anew {
                self.begin_anew(task, fresh);
            }
            self.unsatisfy(anew);
            for task in members {
                self.recount(task);
            }
            for task in inside {
                self.go_on_inside(task, &mut todo);
            }
        }
    }

    /// Whether nothing new starts around this body, so that nothing in it may go on.
    fn is_cut_off(&self, scope: ScopeIx) -> bool {
        let owner = self.scopes[scope].owner;
        self.role(scope) == ScopeRole::Body
            && (self.stopping(owner) || self.tasks[owner].each().is_some_and(EachRun::is_halted))
    }

    /// Whether what came of a task stands.
    fn stays(&self, task: TaskIx, looks_again: bool) -> bool {
        let row = &self.tasks[task];
        let node = self.chart.node(row.id.node);
        let looks = matches!(node.effect, Effect::Pure | Effect::Read) && !row.is_composite();
        match row.state {
            // What was put up with is over, and things rest on that: also where it was undone before a retry that did not come.
            State::Ended(End::Failed) => self.tolerated(task),
            _ if row.undo == Undoing::Done => false,
            State::Ended(End::Done) => !(looks_again && looks),
            State::Ended(End::Skipped) => true,
            _ => false,
        }
    }

    /// What was kept when the scope failed is in effect as anything else is.
    fn unkeep(&mut self, mut todo: Vec<TaskIx>) {
        while let Some(task) = todo.pop() {
            if self.tasks[task].undo == Undoing::Kept {
                self.tasks[task].undo = Undoing::None;
                todo.extend(self.bodies(task).into_iter().flat_map(|body| self.members(body)));
            }
        }
    }

    fn begin_anew(&mut self, task: TaskIx, fresh: u32) {
        let row = &mut self.tasks[task];
        let (marks, incarnation, order) = (row.marks, row.incarnation, row.order);
        let was_done = row.undo == Undoing::Done || row.ended() == Some(End::Done);
        row.renew();
        if was_done {
            // Doing it once more is another incarnation of it.
            row.incarnation = fresh;
        } else {
            row.incarnation = incarnation;
            row.order = order;
            row.marks.touched = marks.touched;
            row.marks.crossed = marks.crossed;
        }
    }

    /// What rests on these is to wait for them again, through tasks that are done and stay so.
    fn unsatisfy(&mut self, mut todo: Vec<TaskIx>) {
        let chart = Arc::clone(&self.chart);
        while let Some(task) = todo.pop() {
            let Task { id, frame, .. } = self.tasks[task];
            for &dependent in chart.dependents(id.node) {
                let dependent = self.sibling(frame, dependent);
                if std::mem::take(&mut self.tasks[dependent].marks.satisfied) {
                    todo.push(dependent);
                }
            }
        }
    }

    fn goes_on_inside(&self, task: TaskIx) -> bool {
        let row = &self.tasks[task];
        row.is_composite() && row.begun() && row.undo != Undoing::Done
    }

    /// A composite whose children were not undone goes on where it stopped.
    fn go_on_inside(&mut self, task: TaskIx, todo: &mut Vec<ScopeIx>) {
        let row = &mut self.tasks[task];
        row.state = State::Inside(Stage::Body);
        row.undo = Undoing::None;
        row.cause = None;
        row.attempt += 1;
        row.tries = 1;
        row.marks.tripped = None;
        row.marks.expired = false;
        todo.extend(row.inner);
        self.owe_finally(task);
        self.limit_all_attempts(task);
        self.limit_time(task);
        self.watch(task);
        self.revive_each(task, todo);
    }

    fn revive_each(&mut self, task: TaskIx, todo: &mut Vec<ScopeIx>) {
        let Some(run) = self.tasks[task].each_mut() else { return };
        let frames = run.revive();
        let mut revived = 0;
        for frame in &frames {
            let row = &mut self.frames[*frame];
            if matches!(row.item, ItemState::Failed | ItemState::Stopped) {
                row.item = ItemState::Running;
                revived += 1;
                todo.extend(row.body);
            }
        }
        self.resume_each(task, frames, revived);
    }

    /// Which needs are met, counted anew.
    fn recount(&mut self, task: TaskIx) {
        let row = &self.tasks[task];
        let needs = &self.chart.node(row.id.node).needs;
        let unmet = needs.iter().filter(|need| {
            let need = self.sibling(row.frame, **need);
            !self.tasks[need].marks.satisfied
        });
        let unmet = unmet.count() as u32;
        let row = &mut self.tasks[task];
        row.unmet = unmet;
        if unmet == 0 && row.state == State::Waiting {
            self.make_ready(task);
        }
    }
}
