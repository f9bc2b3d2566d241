//! Named locks, taken before anything else starts, and again before a run that has ended is rolled back.

use std::collections::BTreeSet;

use runbook_journal::{LockHolder, Locking, Wanted};
use runbook_kernel::{Ms, Phase};
use runbook_plan::{LockSpec, Plan};
use runbook_wire::Body;

use super::Dispatcher;
use crate::control::Refusal;
use crate::execution::Exit;
use crate::facts::held_by;

/// How the locks of a run stand.
pub(super) struct Locks {
    wanted: Vec<LockSpec>,
    taken: bool,
    /// Why a run that has ended was last not rolled back: another one holds a lock.
    pub(super) denied: Option<String>,
}

impl Locks {
    pub(super) fn new(plan: &Plan) -> Locks {
        Locks { wanted: plan.locks.clone(), taken: plan.locks.is_empty(), denied: None }
    }
}

impl Dispatcher<'_> {
    /// When to give up waiting for a lock.
    pub(super) fn lock_deadline(&self) -> Option<Ms> {
        let awaited = self.facts.awaited.as_ref().filter(|_| !self.over_without_locks())?;
        Some(awaited.until)
    }

    /// Whether the run takes no locks any more: it has them, or it ends without.
    fn over_without_locks(&self) -> bool {
        self.locks.taken
            || self.fault.is_some()
            || self.stop.is_some()
            || matches!(self.kernel.phase(), Phase::Finishing | Phase::Ended)
    }

    /// Takes the locks, if they are still wanted; otherwise what `if_held` says.
    pub(super) fn take_locks(&mut self) {
        if self.over_without_locks() {
            return;
        }
        // The run must be in the journal before it can own anything.
        self.flush(&[]);
        match self.executor.try_take(self.wanted(true)) {
            Err(fault) => self.fail(&fault),
            Ok(Locking::Taken) => self.locked(),
            Ok(Locking::Held(holders)) => self.held_by_others(&holders),
        }
    }

    /// A run that has ended gave its locks back; it is rolled back only with them.
    pub(super) fn lock_again(&mut self) -> Result<(), Refusal> {
        if self.facts.finished.is_none() || self.locks.wanted.is_empty() || self.fault.is_some() {
            return Ok(());
        }
        match self.executor.try_take(self.wanted(false)) {
            Err(fault) => self.fail(&fault),
            Ok(Locking::Taken) => self.locked(),
            Ok(Locking::Held(holders)) => {
                let Some(first) = holders.first() else { return Ok(()) };
                let message =
                    format!("it is not rolled back: {}", held_by(&first.name, &first.run, &first.reason));
                let hint = format!("see what that does: runbook show {}; then try again", first.run);
                self.locks.denied = Some(format!("{message}\n  hint: {hint}"));
                return Err(Refusal { message, hint: Some(hint) });
            }
        }
        Ok(())
    }

    fn wanted(&self, wait: bool) -> Wanted {
        Wanted {
            names: self.lock_names(),
            reason: format!("{} by {}", self.plan.name, self.facts.requester().name),
            wall_ms: self.clock.wall_ms(),
            wait: wait && self.locks.wanted.iter().any(|lock| lock.if_held == "wait"),
        }
    }

    fn lock_names(&self) -> BTreeSet<String> {
        self.locks.wanted.iter().map(|lock| lock.name.clone()).collect()
    }

    fn locked(&mut self) {
        self.locks.taken = true;
        for name in self.lock_names() {
            self.record(Body::LockTaken { name });
        }
    }

    fn held_by_others(&mut self, holders: &[LockHolder]) {
        let Some(first) = holders.first() else { return };
        let reason = held_by(&first.name, &first.run, &first.reason);
        if !self.kernel.untouched() {
            // It had begun with its locks and has lost them: without, it neither goes on nor is undone.
            return self.stop_for(Exit::Locked, reason);
        }
        let is_held = |lock: &&LockSpec| holders.iter().any(|holder| holder.name == lock.name);
        let policies = || self.locks.wanted.iter().filter(is_held);
        let any = |policy: &str| policies().any(|lock| lock.if_held == policy);
        let (now, wall_ms) = (self.clock.elapsed_ms(), self.clock.wall_ms());
        let timeout = policies().map(|lock| lock.timeout).min().unwrap_or_default();
        let until = self.facts.awaited.as_ref().map_or(now.saturating_add(timeout), |awaited| awaited.until);
        let skip = any("skip") && !any("fail");
        let LockHolder { name, run: holder, reason, since_ms: since_wall_ms } = first.clone();
        if skip || any("fail") || now >= until {
            self.record(Body::LockRefused { name, holder, reason, since_wall_ms, skip });
        } else if !self.facts.awaited.as_ref().is_some_and(|awaited| awaited.is(&name, &holder)) {
            let until_wall_ms = wall_ms.saturating_add(until - now);
            self.record(Body::LockAwaited { name, holder, reason, since_wall_ms, until_wall_ms });
        }
    }
}
