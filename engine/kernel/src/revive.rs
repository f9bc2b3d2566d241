//! Going on with a scope that had stopped: what ended well stays, the rest begins again.

use crate::each::ItemState;
use crate::kernel::{Kernel, RUN, Turn};
use crate::program::{Effect, ScopeRole};
use crate::scope::ScopeIx;
use crate::task::{End, Stage, State, TaskIx, Undoing};

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
    /// In an undo scope reads run again too: what they found when the undo failed says nothing about now.
    pub(crate) fn revive(&mut self, scope: ScopeIx) {
        let mut todo = vec![scope];
        while let Some(scope) = todo.pop() {
            let looks_again = self.role(scope) == ScopeRole::Undo;
            if looks_again {
                self.run.incarnations += 1;
            }
            let row = &mut self.scopes[scope];
            row.stopping = false;
            row.cause = None;
            row.remaining = 0;
            let members = self.members(scope);
            for &task in &members {
                if !self.stays(task, looks_again) {
                    self.scopes[scope].remaining += 1;
                    self.revive_task(task, &mut todo);
                }
            }
            if self.scopes[scope].remaining == 0 {
                self.agenda.push_back(Turn::Over(scope));
            }
            for task in members {
                self.recount(task);
            }
        }
    }

    /// Whether what came of a task stands.
    fn stays(&self, task: TaskIx, looks_again: bool) -> bool {
        let row = &self.tasks[task];
        let node = self.chart.node(row.id.node);
        let looks = matches!(node.effect, Effect::Pure | Effect::Read) && !row.is_composite();
        match row.state {
            _ if row.undo == Undoing::Done => false,
            State::Ended(End::Done) => !(looks_again && looks),
            State::Ended(End::Skipped) => true,
            State::Ended(End::Failed) => self.tolerated(task),
            _ => false,
        }
    }

    fn revive_task(&mut self, task: TaskIx, todo: &mut Vec<ScopeIx>) {
        let fresh = self.run.incarnations;
        let row = &mut self.tasks[task];
        let undone = row.undo == Undoing::Done;
        if row.is_composite() && row.begun() && !undone {
            row.state = State::Inside(Stage::Body);
            row.undo = Undoing::None;
            row.cause = None;
            row.tries = 1;
            row.marks.tripped = None;
            row.marks.expired = false;
            todo.extend(row.inner);
            self.revive_each(task, todo);
            self.watch(task);
            return;
        }
        let (marks, incarnation, order) = (row.marks, row.incarnation, row.order);
        let repeats = row.ended() == Some(End::Done);
        row.renew();
        row.incarnation = incarnation;
        if undone || repeats {
            // It had been done: doing it once more is another incarnation of it.
            row.incarnation = fresh;
        } else {
            row.marks.touched = marks.touched;
            row.marks.crossed = marks.crossed;
            row.order = order;
        }
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
