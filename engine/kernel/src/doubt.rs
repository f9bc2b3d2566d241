//! Doubt: an attempt of unknown end is settled by a probe, by policy, or by a person.

use crate::kernel::Kernel;
use crate::program::{Effect, InDoubt, Verify};
use crate::scope::Lane;
use crate::task::{Cause, End, Purpose, State, TaskIx, Verifying};
use crate::{About, Answer, FailureClass, Seen, TimerPurpose};

impl Kernel {
    /// Nobody knows whether the effect of this attempt is there.
    pub(crate) fn in_doubt(&mut self, task: TaskIx, class: FailureClass) {
        let node = self.chart.node(self.tasks[task].id.node);
        match (node.effect, node.verify) {
            // Running it, or not, makes no difference to the world.
            (Effect::Pure | Effect::Read, _) => self.failed(task, Cause::Attempt(class)),
            (Effect::Write | Effect::Notify, Some(verify)) => {
                self.verify(task, verify, Purpose::Doubt(class));
            }
            (Effect::Write | Effect::Notify, None) => self.doubt_policy(task, class),
        }
    }

    /// Begins to look whether the effect is there.
    pub(crate) fn verify(&mut self, task: TaskIx, verify: Verify, purpose: Purpose) {
        let until = self.now.saturating_add(verify.within);
        self.tasks[task].state = State::Verifying(Verifying { purpose, until });
        let id = self.tasks[task].id;
        self.ledger.check(id, purpose.probe());
    }

    /// A round of `verify`, or of `not_done`, was answered.
    pub(crate) fn verified(&mut self, task: TaskIx, seen: Seen) {
        let State::Verifying(Verifying { purpose, until }) = self.tasks[task].state else { return };
        let id = self.tasks[task].id;
        let Some(verify) = self.chart.node(id.node).verify else { return };
        match (purpose, seen) {
            (Purpose::AfterDone, Seen::Pass) => self.went_through(task),
            (Purpose::Doubt(_), Seen::Pass) => self.settled_done(task),
            (Purpose::Absence(class), Seen::Pass) => self.settled_not_done(task, class),
            (Purpose::Absence(class), _) => self.doubt_policy(task, class),
            _ if self.now < until => {
                let next = self.now.saturating_add(verify.every.max(1)).min(until);
                self.ledger.arm(id, TimerPurpose::Poll(purpose.probe()), next);
            }
            (Purpose::AfterDone, _) => self.failed(task, Cause::Mismatch),
            (Purpose::Doubt(class), Seen::Fail) if verify.proves_absence => {
                self.settled_not_done(task, class);
            }
            (Purpose::Doubt(class), _) if verify.not_done => {
                self.verify(task, verify, Purpose::Absence(class));
            }
            (Purpose::Doubt(class), _) => self.doubt_policy(task, class),
        }
    }

    fn settled_done(&mut self, task: TaskIx) {
        let effect = self.chart.node(self.tasks[task].id.node).effect;
        let marks = &mut self.tasks[task].marks;
        marks.unsettled = false;
        marks.lost = false;
        marks.touched |= effect == Effect::Write;
        self.went_through(task);
    }

    fn settled_not_done(&mut self, task: TaskIx, class: FailureClass) {
        let row = &mut self.tasks[task];
        row.marks.unsettled = false;
        // What a take-over cut short does not count as one of the attempts that `retry` allows.
        if std::mem::take(&mut row.marks.lost) {
            row.uncount();
            if self.may_begin(task) {
                self.uncross(task);
                return self.at_once(task);
            }
        }
        self.not_done(task, class);
    }

    /// No probe can tell: `on_in_doubt` decides.
    pub(crate) fn doubt_policy(&mut self, task: TaskIx, class: FailureClass) {
        let row = &self.tasks[task];
        let node = self.chart.node(row.id.node);
        // A policy of trying again needs a second attempt to do so, even where `retry` says nothing of one.
        let budget = row.marks.lost || row.tries < node.retry.max_attempts.max(2);
        let again = budget && self.may_begin(task);
        if node.effect == Effect::Notify && !again {
            // There is nothing to undo, so nothing rests on whether it arrived.
            self.tasks[task].marks.unsettled = false;
            self.tasks[task].cause = Some(Cause::Attempt(class));
            self.end(task, End::Failed);
        } else if node.on_in_doubt == InDoubt::Compensate {
            self.compensate(task);
        } else if node.on_in_doubt == InDoubt::Retry && again {
            self.try_again(task, class);
        } else {
            self.ask_in_doubt(task, class);
        }
    }

    /// Whether another attempt may begin at all: nothing fails around it, its time is not over, no guard tripped, and its
    /// gates may be passed.
    fn may_begin(&self, task: TaskIx) -> bool {
        let marks = self.tasks[task].marks;
        !self.stopping(task) && !marks.expired && marks.tripped.is_none() && !self.is_shut_out(task)
    }

    /// An attempt that was to settle the doubt about the one before does not come: one more look, if there is a `verify`
    /// (the one before waited for the effect to show, so this need not), and then what remains of `on_in_doubt`.
    pub(crate) fn settle_now(&mut self, task: TaskIx) {
        let row = &self.tasks[task];
        let (id, class) = (row.id, row.cause.map_or(FailureClass::Lost, Cause::class));
        self.ledger.call_off(id);
        if self.chart.node(id.node).verify.is_some() {
            let purpose = Purpose::Doubt(class);
            self.tasks[task].state = State::Verifying(Verifying { purpose, until: self.now });
            self.ledger.check(id, purpose.probe());
        } else {
            self.doubt_policy(task, class);
        }
    }

    /// Another attempt, which settles the doubt about the one before.
    fn try_again(&mut self, task: TaskIx, class: FailureClass) {
        let row = &mut self.tasks[task];
        row.marks.unsettled = true;
        row.cause = Some(Cause::Attempt(class));
        if std::mem::take(&mut row.marks.lost) {
            row.uncount();
            self.at_once(task);
        } else {
            self.delay(task);
        }
    }

    fn compensate(&mut self, task: TaskIx) {
        let row = &mut self.tasks[task];
        row.marks.unsettled = false;
        row.marks.lost = false;
        row.marks.touched = true;
        row.cause = Some(Cause::Compensated);
        self.end(task, End::Failed);
    }

    pub(crate) fn ask_in_doubt(&mut self, task: TaskIx, class: FailureClass) {
        let row = &mut self.tasks[task];
        row.marks.unsettled = true;
        row.state = State::InDoubt(class);
        let id = row.id;
        self.ledger.unwatch(id);
        self.ledger.ask(About::InDoubt(id));
    }

    pub(crate) fn answer_doubt(&mut self, task: TaskIx, answer: Answer) {
        let State::InDoubt(class) = self.tasks[task].state else { return };
        let undoing = self.lane(task) == Lane::Undo;
        if !matches!(answer, Answer::Done | Answer::NotDone | Answer::Undo | Answer::Retry) {
            return;
        }
        let again = answer == Answer::Retry || answer == Answer::Undo && undoing;
        if again && self.is_shut_out(task) {
            return;
        }
        self.ledger.withdraw(About::InDoubt(self.tasks[task].id));
        match answer {
            Answer::Done => self.settled_done(task),
            Answer::NotDone => self.settled_not_done(task, class),
            Answer::Undo if !undoing => self.compensate(task),
            // To bring an undo back is to try it again.
            Answer::Undo | Answer::Retry => {
                self.tasks[task].marks.lost = true;
                self.try_again(task, class);
            }
            _ => {}
        }
    }

    /// A pivot whose attempts all provably had no effect was not crossed.
    pub(crate) fn uncross(&mut self, task: TaskIx) {
        let marks = &mut self.tasks[task].marks;
        if !marks.touched && !marks.unsettled && std::mem::take(&mut marks.crossed) {
            self.run.crossed -= 1;
        }
    }
}
