//! Guards: probes that are polled beside a task and fail it when they do not pass.

use crate::kernel::Kernel;
use crate::task::{Cause, Detail, Stage, State, TaskIx};
use crate::{Probe, Seen, TimerPurpose};

/// A guard that is being polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Watch {
    /// How many times in a row it did not pass.
    streak: u32,
    /// It was seen since the task began, or since nobody watched.
    seen: bool,
}

impl Detail {
    fn all_seen(&self) -> bool {
        self.watches.iter().all(|watch| watch.seen)
    }
}

impl Kernel {
    /// Begins to poll the guards of a task that has begun, unless they are polled already.
    pub(crate) fn watch(&mut self, task: TaskIx) {
        let id = self.tasks[task].id;
        let guards = self.chart.node(id.node).guards.len() as u32;
        if guards == 0 {
            return;
        }
        self.tasks[task].detail().watches.resize(guards as usize, Watch::default());
        for guard in 0..guards {
            let probe = Probe::Guard(guard);
            if !self.ledger.checking(id, probe) && self.ledger.due(id, TimerPurpose::Poll(probe)).is_none() {
                self.ledger.check(id, probe);
            }
        }
    }

    pub(crate) fn guard_seen(&mut self, task: TaskIx, guard: u32, seen: Seen) {
        let row = &mut self.tasks[task];
        let id = row.id;
        if row.marks.tripped.is_some() {
            return;
        }
        let Some(&limits) = self.chart.node(id.node).guards.get(guard as usize) else { return };
        let Some(watch) = row.detail().watches.get_mut(guard as usize) else { return };
        watch.seen = true;
        watch.streak = if seen == Seen::Pass { 0 } else { watch.streak + 1 };
        if watch.streak >= limits.failures.max(1) {
            self.trip(task, guard);
            return;
        }
        if row.detail().elapsed && row.detail().all_seen() {
            self.went_through(task);
            return;
        }
        let next = self.now.saturating_add(limits.every.max(1));
        self.ledger.arm(id, TimerPurpose::Poll(Probe::Guard(guard)), next);
    }

    /// `wait.for` is over, once each of its guards has been seen.
    pub(crate) fn wait_over(&mut self, task: TaskIx) {
        match self.tasks[task].detail.as_mut() {
            Some(detail) if !detail.all_seen() => detail.elapsed = true,
            _ => self.went_through(task),
        }
    }

    /// What the guards saw is too old to end a wait on. They look again when that is due, not at once: looks that follow
    /// one another faster than `every`, one for each take-over, would count the same moment as several failures.
    pub(crate) fn unsee(&mut self, task: TaskIx) {
        for watch in &mut self.tasks[task].detail().watches {
            watch.seen = false;
        }
    }

    /// Fails a composite from outside its body: its guard tripped, or its deadline is over.
    pub(crate) fn fail_inside(&mut self, task: TaskIx, cause: Cause) {
        let row = &self.tasks[task];
        if row.state != State::Inside(Stage::Body) {
            return;
        }
        match row.inner {
            Some(body) => self.fail_scope(body, cause),
            None => self.fail_each(task, cause),
        }
    }
}
