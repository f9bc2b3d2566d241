//! Named locks, taken before anything else starts.

use std::collections::BTreeSet;

use runbook_journal::{LockHolder, Locking, Wanted};
use runbook_kernel::{Command, Ms};
use runbook_plan::{LockSpec, Plan};
use runbook_wire::Body;

use super::Dispatcher;

/// How the locks of a run stand. Until they are taken nothing is prepared.
pub(super) struct Locks {
    wanted: Vec<LockSpec>,
    taken: bool,
    held_back: Vec<Command>,
    /// When to give up waiting.
    deadline: Option<Ms>,
    /// What came of it, if they were not to be had.
    pub(super) refused: Option<Refused>,
}

/// Why a run ends without its locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// `if_held: fail`, or waiting took too long.
    Held(String),
    /// `if_held: skip`.
    Skip(String),
}

impl Locks {
    pub(super) fn new(plan: &Plan) -> Locks {
        Locks {
            wanted: plan.locks.clone(),
            taken: plan.locks.is_empty(),
            held_back: Vec::new(),
            deadline: None,
            refused: None,
        }
    }

    pub(super) fn taken(&self) -> bool {
        self.taken
    }

    pub(super) fn hold_back(&mut self, command: Command) {
        self.held_back.push(command);
    }

    pub(super) fn drop_held_back(&mut self, gone: impl Fn(&Command) -> bool) {
        self.held_back.retain(|command| !gone(command));
    }

    pub(super) fn deadline(&self) -> Option<Ms> {
        self.deadline.filter(|_| !self.taken && self.refused.is_none())
    }

    fn policy(&self, name: &str) -> Option<&LockSpec> {
        self.wanted.iter().find(|lock| lock.name == name)
    }
}

impl Dispatcher<'_> {
    /// Takes the locks, if they are still wanted; otherwise what `if_held` says.
    pub(super) fn take_locks(&mut self) {
        if self.locks.taken || self.locks.refused.is_some() || self.fault.is_some() || self.stop.is_some() {
            return;
        }
        // The run must be in the journal before it can own anything.
        self.flush(&[]);
        let names: BTreeSet<String> = self.locks.wanted.iter().map(|lock| lock.name.clone()).collect();
        let wanted = Wanted {
            names: names.clone(),
            reason: format!("{} by {}", self.plan.name, self.facts.requester().name),
            wall_ms: self.clock.wall_ms(),
            wait: self.locks.wanted.iter().any(|lock| lock.if_held == "wait"),
        };
        match self.executor.try_take(wanted) {
            Err(fault) => self.fail(&fault),
            Ok(Locking::Taken) => {
                self.locks.taken = true;
                for name in names {
                    self.record(Body::LockTaken { name });
                }
                let held_back = std::mem::take(&mut self.locks.held_back);
                self.queue.extend(held_back);
            }
            Ok(Locking::Held(holders)) => self.held_by_others(&holders),
        }
    }

    fn held_by_others(&mut self, holders: &[LockHolder]) {
        let Some(first) = holders.first() else { return };
        let policies = holders.iter().filter_map(|holder| self.locks.policy(&holder.name).cloned());
        let policies: Vec<LockSpec> = policies.collect();
        let reason = format!("lock `{}` is held by run {} ({})", first.name, first.run, first.reason);
        let now = self.clock.elapsed_ms();
        let waiting = *self
            .locks
            .deadline
            .get_or_insert_with(|| now + policies.iter().map(|lock| lock.timeout).min().unwrap_or_default());
        let refused = if policies.iter().any(|lock| lock.if_held == "fail") {
            Refused::Held(reason)
        } else if policies.iter().any(|lock| lock.if_held == "skip") {
            Refused::Skip(reason)
        } else if now >= waiting {
            Refused::Held(format!("{reason}, and was not freed in time"))
        } else {
            return self.observer.warning(&format!("waiting: {reason}"));
        };
        let (Refused::Held(reason) | Refused::Skip(reason)) = refused.clone();
        self.locks.refused = Some(refused);
        let by = self.facts.requester().clone();
        self.record(Body::CancelRequested { by, reason });
    }
}
