//! Rolling back a run that has ended, because a person asks for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::kernel::{Kernel, RUN};
use crate::program::{ScopeId, Undo};
use crate::rollback::Mode;
use crate::scope::ScopeIx;
use crate::task::{Cause, End, Stage, State, TaskIx, Then, Undoing};
use crate::{About, Answer, Probe, Rollback, Seen, TaskId};

/// A rollback of a run that had ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Reversal {
    /// Tasks whose effect is still to be looked for.
    unseen: VecDeque<TaskIx>,
    /// Looks that are under way, and questions that stand.
    open: u32,
    only: Only,
}

/// With `to`: in these scopes, by their number, only these tasks are undone.
type Only = BTreeMap<u32, BTreeSet<TaskIx>>;

/// Why a run cannot be rolled back as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has not ended.
    NotEnded,
    /// A pivot was crossed, and there is no `revert`.
    AcrossPivot,
    /// There is no such task, it did not run, or it is inside an item or inside something that is only undone as a whole.
    NoSuchPoint,
    /// Everything that has an undo is undone.
    NothingLeft,
    /// `revert` has begun and takes the place of all undos: it can only be gone on with, as a whole.
    RevertBegun,
}

impl Kernel {
    /// Whether [`crate::Fact::RollbackRequested`] would be heeded now.
    pub fn may_roll_back(&self, to: Option<TaskId>) -> Result<(), Refusal> {
        if self.run_stage().is_some() || !self.tasks[RUN].begun() {
            return Err(Refusal::NotEnded);
        }
        match self.run.reverted {
            Some(true) => return Err(Refusal::NothingLeft),
            Some(false) if to.is_some() => return Err(Refusal::RevertBegun),
            _ if self.revert_for(to).is_some() => return Ok(()),
            _ => {}
        }
        let only = match to {
            Some(to) => self.after(to).ok_or(Refusal::NoSuchPoint)?,
            None => Only::new(),
        };
        if self.crosses_pivot(&only) {
            return Err(Refusal::AcrossPivot);
        }
        if self.undo_candidates(&only).is_empty() {
            return Err(Refusal::NothingLeft);
        }
        Ok(())
    }

    /// The `revert` that rolls this run back: it stands for the undos of a run that succeeded, so it is not mixed with
    /// them. Once some were undone with `--to`, the rest is undone as well.
    fn revert_for(&self, to: Option<TaskId>) -> Option<ScopeId> {
        let succeeded = self.tasks[RUN].state == State::Ended(End::Done);
        let untouched =
            matches!(self.run.rollback, None | Some(Rollback::Declined | Rollback::NothingToUndo));
        let whole = to.is_none() && succeeded && (untouched || self.run.reverted.is_some());
        self.chart.program.revert.filter(|_| whole)
    }

    pub(crate) fn reverse(&mut self, to: Option<TaskId>) {
        if self.may_roll_back(to).is_err() {
            return;
        }
        let succeeded = self.tasks[RUN].state == State::Ended(End::Done);
        if let Some(revert) = self.revert_for(to) {
            self.run.reversal = Some(Reversal::default());
            match self.scope_at(self.tasks[RUN].frame, revert) {
                // It did not complete: what of it was done stays done.
                Some(begun) => {
                    self.tasks[RUN].state = State::Inside(Stage::Revert);
                    self.revive(begun);
                }
                None => self.run_beside(RUN, Stage::Revert, revert),
            }
            return;
        }
        let only = to.and_then(|to| self.after(to)).unwrap_or_default();
        let mut reversal = Reversal { only, ..Reversal::default() };
        let candidates = self.undo_candidates(&reversal.only);
        for &task in &candidates {
            self.tasks[task].marks.keep = false;
        }
        if succeeded {
            reversal.unseen = candidates.into();
        }
        self.run.reversal = Some(reversal);
        self.tasks[RUN].state = State::Inside(Stage::Drift);
        self.drift_next();
    }

    /// Looks for what is still there, so many at a time as may run at once; then undoes.
    fn drift_next(&mut self) {
        let limit = self.chart.program.max_parallel.max(1);
        loop {
            let Some(reversal) = self.run.reversal.as_mut() else { return };
            if reversal.open == 0 && reversal.unseen.is_empty() {
                self.tasks[RUN].state = State::Inside(Stage::Unwind(Then::Reversed));
                self.tasks[RUN].undo = Undoing::None;
                self.begin_unwinding(RUN, Mode::Requested);
                return;
            }
            let Some(task) = reversal.unseen.front().copied() else { return };
            let id = self.tasks[task].id;
            let looks = self.chart.node(id.node).verify.is_some();
            if looks && reversal.open >= limit {
                return;
            }
            reversal.unseen.pop_front();
            reversal.open += 1;
            if looks {
                self.ledger.check(id, Probe::Verify);
            } else {
                self.ledger.ask(About::Drift(id));
            }
        }
    }

    pub(crate) fn drift_seen(&mut self, task: TaskIx, seen: Seen) {
        let id = self.tasks[task].id;
        if seen == Seen::Pass {
            self.drift_settled();
        } else {
            self.ledger.ask(About::Drift(id));
        }
    }

    pub(crate) fn answer_drift(&mut self, task: TaskIx, answer: Answer) {
        if !matches!(answer, Answer::Undo | Answer::Keep) {
            return;
        }
        self.ledger.withdraw(About::Drift(self.tasks[task].id));
        self.tasks[task].marks.keep = answer == Answer::Keep;
        self.drift_settled();
    }

    /// Somebody called the rollback off while it only looked.
    pub(crate) fn call_off(&mut self) {
        self.ledger.release_all();
        self.run.reversal = None;
        self.finish();
    }

    fn drift_settled(&mut self) {
        if let Some(reversal) = self.run.reversal.as_mut() {
            reversal.open -= 1;
        }
        self.drift_next();
    }

    pub(crate) fn reversed(&mut self) {
        self.settle_reversal(None);
    }

    pub(crate) fn reverted(&mut self, cause: Option<Cause>) {
        self.settle_reversal(Some(cause.is_none()));
    }

    /// Whether an unwinding of this task's scope includes it.
    pub(crate) fn included(&self, task: TaskIx) -> bool {
        let Some(reversal) = &self.run.reversal else { return true };
        match reversal.only.get(&self.tasks[task].scope.0) {
            Some(only) => only.contains(&task),
            None => true,
        }
    }

    /// Whether only a part of what is inside this composite is unwound.
    pub(crate) fn in_part(&self, task: TaskIx) -> bool {
        let only = self.run.reversal.as_ref().map(|reversal| &reversal.only);
        only.zip(self.tasks[task].inner).is_some_and(|(only, inner)| only.contains_key(&inner.0))
    }

    /// What came after a task: its dependents, and those of what it is in; per scope.
    fn after(&self, to: TaskId) -> Option<Only> {
        let mut task = self.task_at(to).filter(|task| *task != RUN)?;
        if to.frame != 0 || !self.tasks[task].begun() {
            return None;
        }
        let mut only = Only::new();
        loop {
            let scope = self.tasks[task].scope;
            let mut after = self.dependents_of(task);
            if !only.is_empty() {
                after.insert(task);
            }
            only.insert(scope.0, after);
            let run = &self.scopes[scope];
            if self.tasks[run.owner].inner != Some(scope) {
                return None;
            }
            if run.owner == RUN {
                return Some(only);
            }
            task = run.owner;
            if self.undo_of(task) != Undo::Nothing {
                return None;
            }
        }
    }

    /// Everything in the scope that needs this task, directly or not.
    fn dependents_of(&self, task: TaskIx) -> BTreeSet<TaskIx> {
        let frame = self.tasks[task].frame;
        let mut seen = BTreeSet::new();
        let mut todo = vec![task];
        while let Some(task) = todo.pop() {
            for &dependent in self.chart.dependents(self.tasks[task].id.node) {
                let dependent = self.sibling(frame, dependent);
                if seen.insert(dependent) {
                    todo.push(dependent);
                }
            }
        }
        seen
    }

    /// What there is to undo: leaves with an effect, and composites with an undo of their own.
    fn undo_candidates(&self, only: &Only) -> Vec<TaskIx> {
        // What stands for the undos inside it is undone as a whole.
        let opens = |kernel: &Kernel, task: TaskIx| kernel.undo_of(task) == Undo::Nothing;
        self.inside(only, opens, |kernel, task| {
            let row = &kernel.tasks[task];
            let undone = matches!(row.undo, Undoing::Done | Undoing::Left);
            let has_undo = matches!(kernel.undo_of(task), Undo::Scope(_));
            let did = if row.is_composite() { kernel.any_child_begun(task) } else { row.marks.touched };
            has_undo && !undone && did
        })
    }

    fn crosses_pivot(&self, only: &Only) -> bool {
        let crossed = |kernel: &Kernel, task: TaskIx| kernel.tasks[task].marks.crossed;
        self.run.crossed > 0 && !self.inside(only, |_, _| true, crossed).is_empty()
    }

    fn undo_of(&self, task: TaskIx) -> Undo {
        self.chart.node(self.tasks[task].id.node).undo
    }

    /// The tasks below the run, as far as `only` includes them, that are so; inside composites only where `opens` says so.
    fn inside(
        &self,
        only: &Only,
        opens: impl Fn(&Kernel, TaskIx) -> bool,
        is: impl Fn(&Kernel, TaskIx) -> bool,
    ) -> Vec<TaskIx> {
        let mut found = Vec::new();
        let mut todo: Vec<ScopeIx> = self.bodies(RUN);
        while let Some(scope) = todo.pop() {
            let members = match only.get(&scope.0) {
                Some(only) => only.iter().copied().collect(),
                None => self.members(scope),
            };
            for task in members {
                if is(self, task) {
                    found.push(task);
                }
                if opens(self, task) {
                    todo.extend(self.bodies(task));
                }
            }
        }
        found
    }
}
