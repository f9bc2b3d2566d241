//! Probes and timers: handing their answers to whom they belong, and `wait.until`.

use crate::kernel::Kernel;
use crate::program::{Kind, Poll};
use crate::task::{Cause, Stage, TaskIx};
use crate::{Ms, Probe, Seen, TaskId, Timer, TimerPurpose};

impl Kernel {
    pub(crate) fn checked(&mut self, id: TaskId, probe: Probe, round: u32, seen: Seen) {
        let Some(task) = self.task_at(id) else { return };
        if !self.ledger.checked(id, probe, round) {
            return;
        }
        match probe {
            Probe::Until => self.until_seen(task, seen),
            Probe::Verify | Probe::NotDone if self.run_stage() == Some(Stage::Drift) => {
                self.drift_seen(task, seen);
            }
            Probe::Verify | Probe::NotDone => self.verified(task, seen),
            Probe::Guard(guard) => self.guard_seen(task, guard, seen),
        }
    }

    pub(crate) fn fired(&mut self, timer: Timer) {
        let Some(task) = self.task_at(timer.task) else { return };
        if !self.ledger.fired(timer, self.now) {
            return;
        }
        match timer.purpose {
            TimerPurpose::Retry => self.make_ready(task),
            TimerPurpose::Deadline => self.deadline_over(task),
            TimerPurpose::Timeout => self.time_over(task),
            TimerPurpose::Wait => self.wait_over(task),
            TimerPurpose::Poll(probe) => self.ledger.check(timer.task, probe),
            TimerPurpose::GiveUp(Some(_)) => self.until_over(task),
            TimerPurpose::GiveUp(None) => self.fail_human(task, Cause::Expired),
        }
    }

    pub(crate) fn begin_until(&mut self, task: TaskIx, poll: Poll) {
        let id = self.tasks[task].id;
        let detail = self.tasks[task].detail();
        (detail.held_since, detail.unseen, detail.overdue) = (None, false, false);
        let give_up = self.now.saturating_add(poll.timeout);
        self.ledger.arm(id, TimerPurpose::GiveUp(Some(Probe::Until)), give_up);
        self.ledger.check(id, Probe::Until);
    }

    fn until_seen(&mut self, task: TaskIx, seen: Seen) {
        let id = self.tasks[task].id;
        let Kind::WaitUntil(poll) = self.chart.node(id.node).kind else { return };
        let now = self.now;
        let detail = self.tasks[task].detail();
        detail.unseen = false;
        if detail.overdue && seen != Seen::Pass {
            self.give_up(task);
            return;
        }
        let held_since = &mut detail.held_since;
        let mut next = now.saturating_add(poll.every.max(1));
        if seen == Seen::Pass {
            let held_until = held_since.get_or_insert(now).saturating_add(poll.hold);
            if held_until <= now {
                self.went_through(task);
                return;
            }
            next = next.min(held_until);
        } else {
            *held_since = None;
        }
        self.ledger.arm(id, TimerPurpose::Poll(Probe::Until), next);
    }

    /// The time of `wait.until` is over. Nobody gives up without a look at what became of it while nobody watched; what
    /// holds then may go on to hold as long as it has to.
    fn until_over(&mut self, task: TaskIx) {
        let detail = self.tasks[task].detail();
        detail.overdue = detail.unseen;
        if !detail.overdue {
            self.give_up(task);
        }
    }

    fn give_up(&mut self, task: TaskIx) {
        self.ledger.release(self.tasks[task].id);
        self.failed(task, Cause::TimedOut);
    }

    /// Time passed that no executor watched: what was to be observed throughout was not.
    pub(crate) fn unobserved(&mut self, gap: Ms) {
        for (id, due) in self.ledger.armed(TimerPurpose::Wait) {
            let Some(task) = self.task_at(id) else { continue };
            if self.guardians(task).next().is_some() {
                self.ledger.arm(id, TimerPurpose::Wait, due.saturating_add(gap));
            }
        }
        for id in self.ledger.polled(|probe| matches!(probe, Probe::Guard(_))) {
            let Some(task) = self.task_at(id) else { continue };
            self.unsee(task);
        }
        for id in self.ledger.polled(|probe| probe == Probe::Until) {
            let Some(task) = self.task_at(id) else { continue };
            let detail = self.tasks[task].detail();
            (detail.held_since, detail.unseen) = (None, true);
        }
    }
}
