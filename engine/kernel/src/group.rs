//! Composites: groups, switches, and the run itself, which is the outermost group. What holds for them all, `for_each`
//! included: entering, the end of the body, failing, `finally`.

use std::sync::Arc;

use crate::kernel::{Kernel, RUN};
use crate::program::{AfterPivot, Kind, OnFailure, RollbackPolicy, ScopeId, ScopeRole};
use crate::rollback::Mode;
use crate::scope::{Lane, ScopeIx, ScopeRun};
use crate::task::{Cause, End, Purpose, Stage, State, TaskIx, Then, Undoing};
use crate::{About, Answer, TaskId, TimerPurpose};

impl Kernel {
    /// A group, or a case, begins: for the first time, or in a new incarnation.
    pub(crate) fn enter(&mut self, task: TaskIx, body: ScopeId) {
        self.enter_composite(task);
        let frame = self.tasks[task].frame;
        let inner = self.open_scope(frame, body, task);
        self.tasks[task].inner = Some(inner);
        self.watch(task);
    }

    /// What entering means for every composite.
    pub(crate) fn enter_composite(&mut self, task: TaskIx) {
        let chart = Arc::clone(&self.chart);
        let node = chart.node(self.tasks[task].id.node);
        self.ledger.worked(self.tasks[task].id);
        self.begin(task, node);
        let again = self.tasks[task].inner.is_some() || self.tasks[task].each().is_some();
        if again {
            self.remember_missing(task);
        }
        let fresh = again.then(|| self.next_incarnation());
        self.unsee(task);
        self.owe_finally(task);
        let row = &mut self.tasks[task];
        row.state = State::Inside(Stage::Body);
        row.undo = Undoing::None;
        row.incarnation = fresh.unwrap_or(row.incarnation);
        self.limit_time(task);
    }

    /// Its `timeout` begins.
    pub(crate) fn limit_time(&mut self, task: TaskIx) {
        let id = self.tasks[task].id;
        if let Some(timeout) = self.chart.node(id.node).timeout {
            self.ledger.arm(id, TimerPurpose::Timeout, self.now.saturating_add(timeout));
        }
    }

    /// Its `timeout`, or its `deadline`, is over: it fails, and what is performed inside is told to stop.
    pub(crate) fn time_over(&mut self, task: TaskIx) {
        if self.tasks[task].state != State::Inside(Stage::Body) {
            return;
        }
        self.fail_inside(task, Cause::TimedOut);
        let mut todo = self.bodies(task);
        while let Some(body) = todo.pop() {
            for member in self.members(body) {
                self.ledger.interrupt(self.tasks[member].id);
                if self.tasks[member].state == State::Inside(Stage::Body) {
                    todo.extend(self.bodies(member));
                }
            }
        }
    }

    /// All tasks of a scope have ended.
    pub(crate) fn scope_over(&mut self, scope: ScopeIx) {
        let ScopeRun { frame, owner, cause, .. } = self.scopes[scope];
        match self.role(scope) {
            ScopeRole::Body if self.frames[frame].body == Some(scope) => self.item_over(frame),
            ScopeRole::Body => self.body_over(owner),
            ScopeRole::Undo => self.undo_over(owner, cause),
            ScopeRole::Between => self.between_over(owner, scope),
            ScopeRole::First => {
                self.run.marred |= cause.is_some();
                self.unwind_own(owner, Mode::Undo);
            }
            ScopeRole::AfterPivot => {
                self.run.marred |= cause.is_some();
                self.unwind_own(owner, Mode::Keep);
            }
            ScopeRole::Finally => self.finally_over(owner),
            ScopeRole::Revert => self.reverted(cause),
        }
    }

    fn body_over(&mut self, task: TaskIx) {
        let Some(body) = self.tasks[task].inner else { return };
        let ScopeRun { cause, stopping, .. } = self.scopes[body];
        self.composite_over(task, cause, stopping);
    }

    /// The body of a composite is over, and why it stopped if it did.
    pub(crate) fn composite_over(&mut self, task: TaskIx, cause: Option<Cause>, stopping: bool) {
        let row = &self.tasks[task];
        let (id, attempt) = (row.id, row.attempt);
        self.ledger.unwatch(id);
        self.ledger.disarm(id, TimerPurpose::Timeout);
        match cause {
            Some(cause) => {
                self.tasks[task].cause = Some(cause);
                self.composite_failed(task, cause);
            }
            None if stopping => self.leave(task, End::Stopped),
            None if self.chart.node(id.node).closes => {
                self.tasks[task].state = State::Inside(Stage::Close);
                self.ledger.close(id, attempt);
            }
            None => self.all_done(task),
        }
    }

    /// All inside is done: what is left is to look whether that had the effect.
    fn all_done(&mut self, task: TaskIx) {
        match self.chart.node(self.tasks[task].id.node).verify {
            Some(verify) => self.verify(task, verify, Purpose::AfterDone),
            None => self.conclude(task, End::Done),
        }
    }

    pub(crate) fn closed(&mut self, id: TaskId, attempt: u32, ok: bool) {
        let Some(task) = self.task_at(id) else { return };
        if !self.ledger.closed(id, attempt) {
            return;
        }
        if ok {
            self.all_done(task);
        } else {
            self.tasks[task].cause = Some(Cause::Outputs);
            self.composite_failed(task, Cause::Outputs);
        }
    }

    /// A composite failed: undone and tried again, or failed for good under its own policy or that of what is around it.
    pub(crate) fn composite_failed(&mut self, task: TaskIx, cause: Cause) {
        if self.tasks[task].undo != Undoing::Failed && self.may_retry(task, cause) {
            self.tasks[task].state = State::Inside(Stage::Unwind(Then::Retry));
            self.begin_unwinding(task, Mode::Restart);
            return;
        }
        if self.tasks[task].marks.expired {
            self.tasks[task].cause = Some(Cause::TimedOut);
        }
        if task != RUN && !self.tolerated(task) {
            // What is around it is bound to fail: nothing starts there while this one is rolled back.
            self.tasks[task].state = State::Inside(Stage::Decide);
            self.fail_scope(self.tasks[task].scope, cause.around(Cause::Inside(cause.class())));
        }
        match self.on_failure(task) {
            Some(policy) => self.decide(task, policy),
            None => self.leave(task, End::Failed),
        }
    }

    fn on_failure(&self, task: TaskIx) -> Option<OnFailure> {
        match self.chart.node(self.tasks[task].id.node).kind {
            Kind::Group { on_failure, .. } => on_failure,
            _ => None,
        }
    }

    /// A composite that failed, or was cut off, and has no say in what becomes of what it did.
    pub(crate) fn leave(&mut self, task: TaskIx, end: End) {
        // What is around it will unwind it, and pays it the `finally` that it owes then.
        let unwound = self.lane(task) == Lane::Forward
            && matches!(end, End::Failed | End::Stopped)
            && !(end == End::Failed && self.tolerated(task));
        let id = self.tasks[task].id;
        self.ledger.release(id);
        if unwound || !self.owed_inside() || !self.tasks[task].is_composite() {
            self.end(task, end);
        } else {
            self.tasks[task].state = State::Inside(Stage::Unwind(Then::End(end)));
            self.begin_unwinding(task, Mode::Settle);
        }
    }

    /// It failed for good: rolled back or not, as its `on_failure` says.
    fn decide(&mut self, task: TaskIx, policy: OnFailure) {
        let run = task == RUN;
        let id = self.tasks[task].id;
        if self.run.crossed > 0 && self.lane(task) == Lane::Forward {
            match policy.after_pivot {
                AfterPivot::Ask if run => {
                    self.tasks[task].state = State::Inside(Stage::Decide);
                    self.ledger.ask(About::AfterPivot);
                }
                AfterPivot::Ask | AfterPivot::None => self.unwind_own(task, Mode::Keep),
                AfterPivot::Steps(steps) => self.run_beside(task, Stage::AfterPivot, steps),
            }
            return;
        }
        let anything = self.undoable(task);
        match policy.rollback {
            RollbackPolicy::Ask if anything => {
                self.tasks[task].state = State::Inside(Stage::Decide);
                self.ledger.ask(About::Rollback((!run).then_some(id)));
            }
            RollbackPolicy::None => self.unwind_own(task, Mode::Keep),
            RollbackPolicy::Auto | RollbackPolicy::Ask => self.roll_back(task, policy, anything),
        }
    }

    fn roll_back(&mut self, task: TaskIx, policy: OnFailure, anything: bool) {
        match policy.first.filter(|_| anything) {
            Some(first) => self.run_beside(task, Stage::First, first),
            None => self.unwind_own(task, Mode::Undo),
        }
    }

    /// Runs a scope of the composite's own beside its body.
    pub(crate) fn run_beside(&mut self, task: TaskIx, stage: Stage, scope: ScopeId) {
        self.tasks[task].state = State::Inside(stage);
        let frame = self.tasks[task].frame;
        self.open_scope(frame, scope, task);
    }

    /// Unwinds a composite that failed for good, on its own behalf.
    fn unwind_own(&mut self, task: TaskIx, mode: Mode) {
        self.tasks[task].state = State::Inside(Stage::Unwind(Then::End(End::Failed)));
        self.begin_unwinding(task, mode);
    }

    pub(crate) fn answer_rollback(&mut self, task: TaskIx, answer: Answer) {
        let run = task == RUN;
        let about = About::Rollback((!run).then_some(self.tasks[task].id));
        if !matches!(answer, Answer::Undo | Answer::Keep) {
            return;
        }
        self.ledger.withdraw(about);
        if self.tasks[task].state != State::Inside(Stage::Decide) {
            self.answer_rest(task, answer == Answer::Undo);
            return;
        }
        match (answer, self.on_failure(task)) {
            (Answer::Undo, Some(policy)) => self.roll_back(task, policy, true),
            _ => self.unwind_own(task, Mode::Keep),
        }
    }

    /// An unwinding that a composite began on its own behalf is through.
    pub(crate) fn unwound_own(&mut self, task: TaskIx, then: Then, blocked: bool) {
        match then {
            Then::Retry if blocked => {
                self.tasks[task].cause = Some(Cause::Undo);
                self.composite_failed(task, Cause::Undo);
            }
            Then::Retry if self.stopping(task) => self.leave(task, End::Stopped),
            Then::Retry if self.tasks[task].marks.expired || self.tasks[task].marks.tripped.is_some() => {
                let cause = self.tasks[task].cause.unwrap_or(Cause::TimedOut);
                self.composite_failed(task, cause);
            }
            Then::Retry => self.delay(task),
            Then::End(end) => self.conclude(task, end),
            Then::Reversed => self.reversed(),
        }
    }

    /// Runs `finally`, if it is owed, and ends.
    pub(crate) fn conclude(&mut self, task: TaskIx, end: End) {
        if task == RUN {
            self.settle_run(end);
        }
        // Where nothing was let start there is nothing to put in order.
        match self.take_finally(task).filter(|_| task != RUN || !self.run.barred) {
            Some(finally) => self.run_beside(task, Stage::Finally(end), finally),
            None => self.concluded(task, end),
        }
    }

    fn finally_over(&mut self, task: TaskIx) {
        match self.tasks[task].state {
            State::Inside(Stage::Finally(end)) => self.concluded(task, end),
            _ => self.resolve(task, false),
        }
    }

    fn concluded(&mut self, task: TaskIx, end: End) {
        if task == RUN {
            self.finish();
        } else {
            self.end(task, end);
        }
    }

    /// Runs the `finally` that an ended composite still owes; false if it owes none.
    pub(crate) fn pay_finally(&mut self, task: TaskIx) -> bool {
        let Some(finally) = self.take_finally(task) else { return false };
        let frame = self.tasks[task].frame;
        self.open_scope(frame, finally, task);
        true
    }

    /// Whether any composite inside the run still owes its `finally`; the run's own comes last anyway.
    pub(crate) fn owed_inside(&self) -> bool {
        self.run.owed > u32::from(self.tasks[RUN].marks.owes_finally)
    }

    /// It goes on inside, so it ends once more: whatever it does is to be put in order, also where that had been done.
    pub(crate) fn owe_finally(&mut self, task: TaskIx) {
        let row = &mut self.tasks[task];
        let owes = finally_of(&self.chart.node(row.id.node).kind).is_some();
        self.run.owed += u32::from(owes && !row.marks.owes_finally);
        row.marks.owes_finally |= owes;
    }

    fn take_finally(&mut self, task: TaskIx) -> Option<ScopeId> {
        let owed = std::mem::take(&mut self.tasks[task].marks.owes_finally);
        self.run.owed -= u32::from(owed);
        finally_of(&self.chart.node(self.tasks[task].id.node).kind).filter(|_| owed)
    }

    pub(crate) fn keep_all(&mut self) {
        self.unwind_own(RUN, Mode::Keep);
    }
}

fn finally_of(kind: &Kind) -> Option<ScopeId> {
    match kind {
        Kind::Group { finally, .. } => *finally,
        _ => None,
    }
}
