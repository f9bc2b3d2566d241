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
            TimerPurpose::GiveUp(Some(_)) => {
                self.ledger.release(timer.task);
                self.failed(task, Cause::TimedOut);
            }
            TimerPurpose::GiveUp(None) => self.fail_human(task, Cause::Expired),
        }
    }

    pub(crate) fn begin_until(&mut self, task: TaskIx, poll: Poll) {
        let id = self.tasks[task].id;
        self.tasks[task].detail().held_since = None;
        let give_up = self.now.saturating_add(poll.timeout);
        self.ledger.arm(id, TimerPurpose::GiveUp(Some(Probe::Until)), give_up);
        self.ledger.check(id, Probe::Until);
    }

    fn until_seen(&mut self, task: TaskIx, seen: Seen) {
        let id = self.tasks[task].id;
        let Kind::WaitUntil(poll) = self.chart.node(id.node).kind else { return };
        let now = self.now;
        let held_since = &mut self.tasks[task].detail().held_since;
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

    /// Time passed that no executor watched: what was to be observed throughout was not.
    pub(crate) fn unobserved(&mut self, gap: Ms) {
        for (id, due) in self.ledger.armed(TimerPurpose::Wait) {
            let Some(task) = self.task_at(id) else { continue };
            if !self.chart.node(id.node).guards.is_empty() {
                self.ledger.arm(id, TimerPurpose::Wait, due.saturating_add(gap));
                self.unsee(task);
            }
        }
        for (id, _) in self.ledger.armed(TimerPurpose::GiveUp(Some(Probe::Until))) {
            let Some(task) = self.task_at(id) else { continue };
            self.tasks[task].detail().held_since = None;
        }
    }
}
