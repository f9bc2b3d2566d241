//! The timers that the kernel has armed.

use std::collections::{BTreeSet, HashMap};

use runbook_kernel::{Ms, Timer};

/// Timers by when they are due, in run-elapsed time.
#[derive(Default)]
pub(crate) struct Timers {
    due: HashMap<Timer, Ms>,
    order: BTreeSet<(Ms, Timer)>,
}

impl Timers {
    /// Arms a timer, in the place of an earlier one of the same purpose.
    pub(crate) fn arm(&mut self, timer: Timer, due: Ms) {
        self.disarm(timer);
        self.due.insert(timer, due);
        self.order.insert((due, timer));
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        if let Some(due) = self.due.remove(&timer) {
            self.order.remove(&(due, timer));
        }
    }

    pub(crate) fn due(&self, timer: Timer) -> Option<Ms> {
        self.due.get(&timer).copied()
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Ms> {
        self.order.first().map(|(due, _)| *due)
    }

    /// Takes the first one, if it is due.
    pub(crate) fn take(&mut self, now: Ms) -> Option<Timer> {
        let (due, timer) = *self.order.first()?;
        (due <= now).then(|| {
            self.disarm(timer);
            timer
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Timer> {
        self.due.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use runbook_kernel::{NodeId, TaskId, TimerPurpose};

    use super::*;

    fn timer(node: u32) -> Timer {
        Timer { task: TaskId { frame: 0, node: NodeId(node) }, purpose: TimerPurpose::Retry }
    }

    #[test]
    fn they_come_in_order_and_an_earlier_one_is_replaced() {
        let mut timers = Timers::default();
        timers.arm(timer(1), 30);
        timers.arm(timer(2), 10);
        timers.arm(timer(3), 20);
        timers.arm(timer(2), 40);
        timers.disarm(timer(3));
        assert_eq!(timers.next(), Some(30));
        assert_eq!(timers.take(29), None);
        assert_eq!(timers.take(100), Some(timer(1)));
        assert_eq!(timers.take(100), Some(timer(2)));
        assert_eq!(timers.take(100), None);
        assert_eq!(timers.next(), None);
    }
}
