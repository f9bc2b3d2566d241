//! Guards: probes that are polled beside a task and fail it when they do not pass.

use crate::kernel::Kernel;
use crate::program::ScopeRole;
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
        if row.detail().all_seen() {
            self.end_overtime(task);
        }
        if self.guards(task) {
            let next = self.now.saturating_add(limits.every.max(1));
            self.ledger.arm(id, TimerPurpose::Poll(Probe::Guard(guard)), next);
        }
    }

    /// Whether the guards of this task look.
    fn guards(&self, task: TaskIx) -> bool {
        let row = &self.tasks[task];
        row.marks.tripped.is_none()
            && matches!(row.state, State::Running | State::Inside(Stage::Body))
            && !self.chart.node(row.id.node).guards.is_empty()
    }

    /// The tasks whose guards look while this one runs: itself, and the composites whose steps it is among. (An undo, or a
    /// `finally`, is no step.)
    pub(crate) fn guardians(&self, task: TaskIx) -> impl Iterator<Item = TaskIx> {
        let around = std::iter::successors(Some(task), |task| {
            let scope = self.tasks[*task].scope;
            let owner = self.scopes.get(scope)?.owner;
            matches!(self.role(scope), ScopeRole::Body | ScopeRole::Between).then_some(owner)
        });
        around.filter(|task| self.guards(*task))
    }

    /// `wait.for` is over, once each guard that looks meanwhile was seen.
    pub(crate) fn wait_over(&mut self, task: TaskIx) {
        let seen = |task: &TaskIx| self.tasks[*task].detail.as_ref().is_none_or(|detail| detail.all_seen());
        let unseen = self.guardians(task).find(|guardian| !seen(guardian));
        match unseen {
            Some(guardian) => {
                self.tasks[guardian].detail().overtime.push(task);
                self.look_now(guardian);
            }
            None => self.went_through(task),
        }
    }

    /// A wait is over but for these guards: they do not let it stand until their next look is due. That is one look more
    /// for each wait, however often the run is taken over.
    fn look_now(&mut self, task: TaskIx) {
        let row = &self.tasks[task];
        let id = row.id;
        let watches = row.detail.iter().flat_map(|detail| &detail.watches).zip(0u32..);
        let unseen: Vec<Probe> =
            watches.filter(|(watch, _)| !watch.seen).map(|(_, guard)| Probe::Guard(guard)).collect();
        for probe in unseen {
            if self.ledger.due(id, TimerPurpose::Poll(probe)).is_some() {
                self.ledger.disarm(id, TimerPurpose::Poll(probe));
                self.ledger.check(id, probe);
            }
        }
    }

    /// The guards of this task were all seen.
    fn end_overtime(&mut self, task: TaskIx) {
        for wait in std::mem::take(&mut self.tasks[task].detail().overtime) {
            let row = &self.tasks[wait];
            // It may have been cut off, and begun anew, since.
            let over = row.state == State::Running && self.ledger.due(row.id, TimerPurpose::Wait).is_none();
            if over {
                self.wait_over(wait);
            }
        }
    }

    /// What the guards saw is too old to end a wait on. They look again when that is due, not at once: looks that follow
    /// one another faster than `every`, one for each take-over, would count the same moment as several failures.
    pub(crate) fn unsee(&mut self, task: TaskIx) {
        let watches = self.tasks[task].detail.as_mut().map(|detail| &mut detail.watches);
        watches.into_iter().flatten().for_each(|watch| watch.seen = false);
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
