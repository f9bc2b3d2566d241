//! Attempts: prepare, start, and what an end comes to.

use std::sync::Arc;

use crate::kernel::Kernel;
use crate::ledger::Work;
use crate::program::{Effect, Kind, Node, OnWarning};
use crate::scope::Lane;
use crate::task::{Cause, End, Marks, Purpose, State, TaskIx};
use crate::{About, Answer, Ended, FailureClass, Ms, TaskId, TimerPurpose};

/// What came of a `Prepare`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    Skipped,
    Started,
    Entered,
    Items(u32),
    Branch(u32),
}

impl Kernel {
    pub(crate) fn prepare(&mut self, task: TaskIx) {
        let row = &mut self.tasks[task];
        row.state = State::Preparing;
        row.attempt += 1;
        row.tries += 1;
        let (id, attempt) = (row.id, row.attempt);
        self.ledger.prepare(id, attempt, !self.asks(task));
        self.limit_all_attempts(task);
    }

    /// Its `deadline` begins, unless it has.
    pub(crate) fn limit_all_attempts(&mut self, task: TaskIx) {
        let row = &self.tasks[task];
        let (id, expired) = (row.id, row.marks.expired);
        let deadline = self.chart.node(id.node).deadline;
        if let Some(deadline) = deadline.filter(|_| !expired)
            && self.ledger.due(id, TimerPurpose::Deadline).is_none()
        {
            self.ledger.arm(id, TimerPurpose::Deadline, self.now.saturating_add(deadline));
        }
    }

    pub(crate) fn prepared(&mut self, id: TaskId, attempt: u32, outcome: Outcome) {
        if self.ledger.work(id) != Some(Work::Prepare { attempt }) {
            return;
        }
        let Some(task) = self.task_at(id) else { return };
        let chart = Arc::clone(&self.chart);
        let node = chart.node(id.node);
        match (outcome, &node.kind) {
            (Outcome::Skipped, _) if self.tasks[task].marks.unsettled => {
                self.ledger.worked(id);
                self.ask_in_doubt(task, FailureClass::Lost);
            }
            (Outcome::Skipped, _) => {
                self.ledger.worked(id);
                self.leave(task, End::Skipped);
            }
            (Outcome::Started, Kind::Action) => {
                self.begin(task, node);
                self.tasks[task].state = State::Running;
                self.ledger.perform(id, attempt);
                self.watch(task);
            }
            (Outcome::Started, Kind::WaitFor(_) | Kind::WaitUntil(_) | Kind::Human(_)) => {
                self.ledger.worked(id);
                self.begin(task, node);
                self.tasks[task].state = State::Running;
                match node.kind {
                    Kind::WaitFor(length) => {
                        self.ledger.arm(id, TimerPurpose::Wait, self.now.saturating_add(length));
                    }
                    Kind::WaitUntil(poll) => self.begin_until(task, poll),
                    Kind::Human(human) => self.begin_human(task, human),
                    _ => {}
                }
                self.watch(task);
            }
            (Outcome::Entered, Kind::Group { body, .. }) => self.enter(task, *body),
            (Outcome::Branch(case), Kind::Switch { cases }) => {
                let Some(body) = cases.get(case as usize) else { return };
                self.enter(task, *body);
            }
            (Outcome::Items(count), Kind::Each(each)) => self.enter_each(task, each, count),
            (Outcome::Started | Outcome::Entered | Outcome::Branch(_) | Outcome::Items(_), _) => {}
        }
    }

    /// It has its place in the order of starting from now on; a pivot is crossed.
    pub(crate) fn begin(&mut self, task: TaskIx, node: &Node) {
        let forward = self.lane(task) == Lane::Forward;
        let row = &mut self.tasks[task];
        row.marks.first = row.order == 0;
        if row.marks.first {
            self.run.begun += 1;
            row.order = self.run.begun;
        }
        if node.pivot && forward && !std::mem::replace(&mut row.marks.crossed, true) {
            self.run.crossed += 1;
        }
    }

    pub(crate) fn ended(&mut self, id: TaskId, attempt: u32, how: Ended) {
        let Some(task) = self.task_at(id) else { return };
        match self.ledger.work(id) {
            Some(Work::Prepare { attempt: expected }) if expected == attempt => {
                // Nothing was done yet, whatever it calls itself.
                let Some(class) = how.class() else { return };
                self.ledger.worked(id);
                self.failed(task, Cause::Attempt(class));
            }
            Some(Work::Perform { attempt: expected, .. }) if expected == attempt => {
                self.ledger.worked(id);
                self.performed(task, how);
            }
            _ => {}
        }
    }

    fn performed(&mut self, task: TaskIx, how: Ended) {
        let chart = Arc::clone(&self.chart);
        let node = chart.node(self.tasks[task].id.node);
        let row = &mut self.tasks[task];
        match how {
            Ended::Done { warning } => {
                row.marks.touched |= node.effect == Effect::Write;
                row.marks.unsettled = false;
                row.marks.warned = warning;
                match node.verify {
                    Some(verify) if verify.after_done => self.verify(task, verify, Purpose::AfterDone),
                    _ => self.went_through(task),
                }
            }
            Ended::Failed(class) => {
                row.marks.touched |= node.effect == Effect::Write;
                row.marks.unsettled = false;
                self.failed(task, Cause::Attempt(class));
            }
            Ended::NotDone(class) => self.not_done(task, class),
            Ended::Unknown(class) => self.in_doubt(task, class),
        }
    }

    /// The attempt provably had no effect.
    pub(crate) fn not_done(&mut self, task: TaskIx, class: FailureClass) {
        self.uncross(task);
        self.failed(task, Cause::Attempt(class));
    }

    /// The effect is there: what is left is a warning, or a guard.
    pub(crate) fn went_through(&mut self, task: TaskIx) {
        if self.tasks[task].is_composite() {
            return self.conclude(task, End::Done);
        }
        let Marks { warned, tripped, .. } = self.tasks[task].marks;
        let node = self.chart.node(self.tasks[task].id.node);
        if let Some(guard) = tripped {
            self.failed(task, Cause::Guard(guard));
        } else if warned && node.on_warning == OnWarning::Fail {
            self.failed(task, Cause::Warning);
        } else if warned && node.on_warning == OnWarning::Ask && !self.stopping(task) {
            self.ask_warning(task);
        } else {
            self.end(task, End::Done);
        }
    }

    pub(crate) fn answer_warning(&mut self, task: TaskIx, answer: Answer) {
        match answer {
            Answer::Keep => self.end(task, End::Done),
            Answer::Fail | Answer::Undo => {
                let row = &mut self.tasks[task];
                // What could not be seen has failed for that.
                if row.marks.warned {
                    row.cause = Some(Cause::Warning);
                }
                self.end(task, End::Failed);
            }
            _ => {}
        }
    }

    /// An attempt failed: another one, or the end.
    pub(crate) fn failed(&mut self, task: TaskIx, cause: Cause) {
        let row = &mut self.tasks[task];
        row.cause = Some(match row.marks.tripped {
            Some(guard) => Cause::Guard(guard),
            None => cause,
        });
        let composite = row.inner.is_some() || row.marks.owes_finally;
        if composite {
            self.composite_failed(task, cause);
        } else if row.marks.unsettled {
            // This attempt says nothing about the one before it, which is still in doubt.
            self.doubt_policy(task, cause.class());
        } else if self.may_retry(task, cause) {
            self.delay(task);
        } else if !self.put_up_with(task, cause) {
            let row = &mut self.tasks[task];
            if row.marks.expired {
                row.cause = Some(Cause::TimedOut);
            }
            self.end(task, End::Failed);
        }
    }

    /// Whether a check that could not see what it looks for goes through all the same, or somebody is asked about that.
    fn put_up_with(&mut self, task: TaskIx, cause: Cause) -> bool {
        let row = &self.tasks[task];
        let Marks { expired, tripped, .. } = row.marks;
        let unseen = matches!(cause, Cause::Attempt(class) if class.is_inconclusive());
        if !unseen || expired || tripped.is_some() {
            return false;
        }
        match self.chart.node(row.id.node).on_inconclusive {
            OnWarning::Continue => self.end(task, End::Done),
            OnWarning::Ask if !self.stopping(task) => self.ask_warning(task),
            OnWarning::Ask | OnWarning::Fail => return false,
        }
        true
    }

    fn ask_warning(&mut self, task: TaskIx) {
        let id = self.tasks[task].id;
        self.ledger.unwatch(id);
        self.tasks[task].state = State::Warned;
        self.ledger.ask(About::Warning(id));
    }

    /// Whether a failure is tried again rather than being final.
    pub(crate) fn may_retry(&self, task: TaskIx, cause: Cause) -> bool {
        let row = &self.tasks[task];
        let node = self.chart.node(row.id.node);
        node.retry.allows(cause.class(), row.tries)
            && row.marks.tripped.is_none()
            && !row.marks.expired
            && !self.stopping(task)
            && !matches!(cause, Cause::Rejected | Cause::Expired | Cause::Denied(_) | Cause::Gate)
    }

    /// Waits as long as `retry` says before the next attempt.
    pub(crate) fn delay(&mut self, task: TaskIx) {
        let row = &self.tasks[task];
        let (id, attempt, tries) = (row.id, row.attempt, row.tries);
        let pause: Ms = self.chart.node(id.node).retry.pause(self.run.seed, id, attempt, tries);
        if pause == 0 {
            self.at_once(task);
        } else {
            self.ledger.unwatch(id);
            self.tasks[task].state = State::Delayed;
            self.ledger.arm(id, TimerPurpose::Retry, self.now.saturating_add(pause));
        }
    }

    /// Another attempt without delay.
    pub(crate) fn at_once(&mut self, task: TaskIx) {
        self.ledger.unwatch(self.tasks[task].id);
        self.make_ready(task);
    }

    /// `deadline` is over: the attempt that runs is asked to stop, and there is no other.
    pub(crate) fn deadline_over(&mut self, task: TaskIx) {
        let row = &mut self.tasks[task];
        row.marks.expired = true;
        let id = row.id;
        let cut = match row.state {
            State::Preparing | State::Ready | State::Delayed | State::Held if row.marks.unsettled => {
                self.settle_now(task);
                false
            }
            State::Preparing | State::Ready | State::Delayed | State::Held => true,
            State::Running => {
                self.ledger.interrupt(id);
                self.ledger.work(id).is_none()
            }
            State::Inside(_) => {
                self.time_over(task);
                false
            }
            _ => false,
        };
        if cut {
            self.ledger.release(id);
            self.failed(task, Cause::TimedOut);
        }
    }

    /// A guard tripped: it fails, without another attempt.
    pub(crate) fn trip(&mut self, task: TaskIx, guard: u32) {
        let row = &mut self.tasks[task];
        if row.marks.tripped.is_some() {
            return;
        }
        row.marks.tripped = Some(guard);
        let (id, state) = (row.id, row.state);
        self.ledger.unwatch_polls(id);
        match state {
            State::Running => match self.ledger.work(id) {
                Some(_) => self.ledger.interrupt(id),
                None => {
                    self.ledger.release(id);
                    self.failed(task, Cause::Guard(guard));
                }
            },
            State::Inside(_) => self.fail_inside(task, Cause::Guard(guard)),
            _ => {}
        }
    }

    /// A new executor took over: nobody performs what was under way.
    pub(crate) fn taken_over(&mut self, gap: Ms) {
        for (id, interrupted) in self.ledger.performing() {
            let Some(task) = self.task_at(id) else { continue };
            // What became of one before may have ended it.
            if !matches!(self.ledger.work(id), Some(Work::Perform { .. })) {
                continue;
            }
            match self.chart.node(id.node).effect {
                Effect::Pure | Effect::Read if interrupted => {
                    self.ledger.worked(id);
                    self.failed(task, Cause::Attempt(FailureClass::Cancelled));
                }
                Effect::Pure | Effect::Read => {}
                Effect::Write | Effect::Notify => {
                    self.ledger.worked(id);
                    self.tasks[task].marks.lost = true;
                    self.in_doubt(task, FailureClass::Lost);
                }
            }
        }
        if gap > 0 {
            self.unobserved(gap);
        }
    }
}
