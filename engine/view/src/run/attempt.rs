//! What the end of an attempt, a probe or a timer comes to for its task: the kernel's rules, as far as a reader sees
//! them. `tests/oracle` compares them with the kernel itself.

use runbook_wire::{Answer, EntryKind, Failure, Grade, Policy, Probe, Result, Timer};

use super::{Phase, TaskState};
use crate::{Stamp, moment};

/// What the plan says of a task's node.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    pub(super) kind: EntryKind,
    /// It only looks or computes: running it again makes no difference.
    pub(super) harmless: bool,
    pub(super) notify: bool,
    /// It stands in an undo.
    pub(super) undoes: bool,
}

impl Rules {
    pub(super) fn is_human(&self) -> bool {
        matches!(
            self.kind,
            EntryKind::Approval | EntryKind::Checklist | EntryKind::Prompt | EntryKind::Window
        )
    }

    pub(super) fn is_scope(&self) -> bool {
        matches!(self.kind, EntryKind::Group | EntryKind::Switch | EntryKind::Call | EntryKind::ForEach)
    }

    /// Whether the retry policy takes a failure of this class, after so many attempts in this incarnation.
    fn retries(&self, attempts: u32, class: &str) -> bool {
        let takes = |only: &String| {
            class == only
                || class.strip_prefix(only.as_str()).is_some_and(|rest| rest.starts_with(':'))
                || only
                    .strip_suffix("xx")
                    .is_some_and(|head| class.starts_with(head) && class.len() == only.len())
        };
        let policy = &self.policy;
        attempts < policy.attempts
            && class != "cancelled"
            && (policy.only.is_empty() || policy.only.iter().any(takes))
    }
}

impl TaskState {
    /// `Ended` was recorded; outputs, note and failure are taken in already.
    pub(super) fn ended(&mut self, rules: &Rules, result: Result, at: Stamp) {
        match result {
            Result::Done if rules.policy.verify => {
                self.unsettled = false;
                self.settle(Phase::Verifying, at);
                self.probing = Some((Probe::Verify, at));
            }
            Result::Done => {
                self.unsettled = false;
                self.went_through(rules, at);
            }
            Result::Failed => {
                // What could not even be prepared says nothing about an attempt before it.
                self.unsettled &= self.attempts.last().is_some_and(|a| a.began.is_none());
                self.failed(rules, Phase::Failed, at);
            }
            Result::NotDone => self.failed(rules, Phase::NotDone, at),
            Result::Unknown => self.doubt(rules, at),
        }
    }

    /// Nobody knows whether the effect of the last attempt is there.
    pub(super) fn doubt(&mut self, rules: &Rules, at: Stamp) {
        if rules.harmless {
            self.failed(rules, Phase::Failed, at);
        } else if rules.policy.within_ms.is_some() {
            self.settle(Phase::InDoubt, at);
            self.probing = Some((Probe::Verify, at));
        } else {
            self.doubt_policy(rules, at);
        }
    }

    /// No probe can tell.
    fn doubt_policy(&mut self, rules: &Rules, at: Stamp) {
        let on_doubt = rules.policy.on_in_doubt.as_deref();
        let barred = self.tripped || self.expired;
        let budget = self.lost || self.tries() < rules.policy.attempts.max(2);
        if rules.notify && (barred || !budget) {
            self.settle(Phase::Failed, at);
        } else if on_doubt == Some("compensate") {
            self.unsettled = false;
            self.settle(Phase::Failed, at);
        } else if on_doubt == Some("retry") && budget && !barred {
            self.unsettled = true;
            self.spared += u32::from(std::mem::take(&mut self.lost));
            self.settle(Phase::Retrying, at);
        } else {
            self.unsettled = true;
            self.settle(Phase::InDoubt, at);
        }
    }

    /// The attempt that was to settle a doubt does not come: one more look, which need not wait for the effect to show, and
    /// then what the policy says without another attempt.
    fn settle_now(&mut self, rules: &Rules, at: Stamp) {
        match rules.policy.within_ms {
            Some(within) => {
                self.settle(Phase::InDoubt, at);
                let from = at.elapsed_ms.saturating_sub(within);
                self.probing = Some((Probe::Verify, Stamp { elapsed_ms: from, ..at }));
            }
            None => self.doubt_policy(rules, at),
        }
    }

    fn found_absent(&mut self, rules: &Rules, at: Stamp) {
        self.unsettled = false;
        if std::mem::take(&mut self.lost) && !self.tripped && !self.expired {
            // What a take-over cut short does not count as an attempt.
            self.spared += 1;
            self.settle(Phase::Retrying, at);
        } else {
            self.failed(rules, Phase::NotDone, at);
        }
    }

    /// The effect is there: what is left is a warning, or a guard.
    pub(super) fn went_through(&mut self, rules: &Rules, at: Stamp) {
        self.lost = false;
        if self.tripped {
            self.settle(Phase::Failed, at);
        } else if let Some(warning) =
            self.warning.clone().filter(|_| rules.policy.on_warning.as_deref() == Some("fail"))
        {
            self.failure = Some(Failure { class: "check".into(), message: warning, hint: None });
            self.failed(rules, Phase::Failed, at);
        } else if self.warning.is_some() && rules.policy.on_warning.as_deref() == Some("ask") {
            self.settle(Phase::Warned, at);
        } else {
            self.failure = None;
            self.settle(Phase::Done, at);
        }
    }

    /// Somebody said whether its warning matters.
    pub(super) fn warning_answered(&mut self, answer: &Answer, at: Stamp) {
        match answer {
            Answer::Keep => self.settle(Phase::Done, at),
            Answer::Fail | Answer::Undo => {
                let warning = self.warning.clone().unwrap_or_default();
                self.fail("check", warning, at);
            }
            _ => {}
        }
    }

    /// An attempt failed: another one, or the end.
    fn failed(&mut self, rules: &Rules, end: Phase, at: Stamp) {
        let class = self.failure.as_ref().map_or("", |f| f.class.as_str());
        let tries = if rules.is_scope() { self.incarnation + 1 } else { self.tries() };
        if self.unsettled {
            // This attempt says nothing about the one before it, which is still in doubt.
            self.doubt_policy(rules, at);
        } else if !self.tripped && !self.expired && rules.retries(tries, class) {
            self.settle(Phase::Retrying, at);
        } else if let Some(policy) = rules.policy.on_inconclusive.as_deref().filter(|_| {
            let unseen = matches!(class, "timeout" | "connect" | "lost" | "inconclusive");
            unseen && !self.tripped && !self.expired
        }) {
            // What it could not see is shown as a warning.
            self.warning = self.failure.take().map(|failure| format!("inconclusive: {}", failure.message));
            self.settle(if policy == "ask" { Phase::Warned } else { Phase::Done }, at);
        } else if class == "cancelled" {
            self.settle(Phase::Cancelled, at);
        } else {
            if let Some(failure) = self.failure.as_mut().filter(|_| self.expired) {
                failure.message = said("the deadline passed", &failure.message);
            }
            self.settle(end, at);
        }
    }

    /// It failed, and nothing tries again.
    pub(super) fn fail(&mut self, class: &str, message: String, at: Stamp) {
        self.failure.get_or_insert(Failure { class: class.to_owned(), message, hint: None });
        self.settle(Phase::Failed, at);
    }

    /// A group failed by what is its own. Its steps come to their end by themselves.
    fn failed_around(&mut self, class: &str, message: String, at: Stamp) {
        self.failed.get_or_insert(at);
        self.failure = Some(Failure { class: class.to_owned(), message, hint: None });
    }

    /// `Checked` was recorded, and is among the probes already.
    pub(super) fn checked(&mut self, rules: &Rules, probe: Probe, at: Stamp) {
        let Some(seen) = self.probe(probe).cloned() else { return };
        let passes = seen.last.grade == Grade::Pass;
        let policy = &rules.policy;
        if probe == Probe::Verify && self.awaits_attempt() {
            // Something failed around it.
            self.settle_now(rules, at);
        }
        match (probe, self.phase) {
            (Probe::Until, Phase::Running) if rules.kind == EntryKind::Wait => {
                self.unseen = false;
                if self.overdue && !passes {
                    return self.gave_up(rules, at);
                }
                let held = at.elapsed_ms.saturating_sub(seen.since.elapsed_ms);
                if passes && held >= policy.hold_ms.unwrap_or(0) {
                    self.note = Some(seen.last.message).filter(|m| !m.is_empty());
                    self.went_through(rules, at);
                }
            }
            (Probe::Verify, Phase::Running) if rules.is_scope() => {
                let Some((_, from)) = self.probing else { return };
                if passes {
                    self.settle(Phase::Done, at);
                } else if at.elapsed_ms >= from.elapsed_ms + policy.within_ms.unwrap_or(0) {
                    let message = said("verify did not hold", &seen.last.message);
                    self.failed_around("check", message, at);
                }
            }
            (Probe::Verify, Phase::Verifying | Phase::InDoubt) if passes => {
                self.unsettled = false;
                self.went_through(rules, at);
            }
            (Probe::Verify, Phase::Verifying | Phase::InDoubt) => {
                let Some((_, from)) = self.probing else { return };
                if at.elapsed_ms < from.elapsed_ms + policy.within_ms.unwrap_or(0) {
                    return;
                }
                if self.phase == Phase::Verifying {
                    let message = said("verify did not hold", &seen.last.message);
                    self.failure = Some(Failure { class: "check".into(), message, hint: None });
                    self.failed(rules, Phase::Failed, at);
                } else if seen.last.grade == Grade::Fail && policy.proves_absence {
                    self.found_absent(rules, at);
                } else if policy.not_done {
                    self.probing = Some((Probe::NotDone, at));
                } else {
                    self.doubt_policy(rules, at);
                }
            }
            (Probe::NotDone, Phase::InDoubt) if passes => self.found_absent(rules, at),
            (Probe::NotDone, Phase::InDoubt) => self.doubt_policy(rules, at),
            (Probe::Guard(n), _) => {
                let limit = policy.guards.get(n as usize).copied().unwrap_or(1).max(1);
                if !passes && seen.unpassed >= limit {
                    self.trip(rules, said("guard tripped", &seen.last.message), at);
                }
            }
            _ => {}
        }
    }

    /// In doubt, and the attempt that is to settle that has not started.
    fn awaits_attempt(&self) -> bool {
        self.unsettled && matches!(self.phase, Phase::Waiting | Phase::Retrying)
    }

    fn trip(&mut self, rules: &Rules, message: String, at: Stamp) {
        self.tripped = true;
        if rules.is_scope() {
            return self.failed_around("check", message, at);
        }
        self.failure = Some(Failure { class: "check".into(), message, hint: None });
        // An attempt that runs is told to stop, and says itself how it ended.
        if rules.kind != EntryKind::Action && self.phase == Phase::Running {
            self.settle(Phase::Failed, at);
        }
    }

    /// `Fired` was recorded; `inside`: of a group, whether anything in it is still to end.
    pub(super) fn fired(&mut self, rules: &Rules, timer: Timer, inside: bool, at: Stamp) {
        let last = self.latest_probe().map_or_else(String::new, |p| p.last.message.clone());
        let policy = &rules.policy;
        match timer {
            // It ends once its guards are seen.
            Timer::Wait if self.phase == Phase::Running => self.elapsed = true,
            // Nobody gives up without a look at what became of it while nobody watched.
            Timer::GiveUp(Some(_)) if self.phase == Phase::Running && self.unseen => self.overdue = true,
            Timer::GiveUp(Some(_)) if self.phase == Phase::Running => self.gave_up(rules, at),
            Timer::GiveUp(None) if rules.is_human() && self.phase == Phase::Running => {
                self.fail("expired", "nobody answered in time".into(), at);
            }
            Timer::Timeout if inside && self.phase == Phase::Running && self.failure.is_none() => {
                let after =
                    policy.timeout_ms.map_or_else(String::new, |ms| format!(" after {}", moment::length(ms)));
                self.failed_around("timeout", said(&format!("stopped{after}: its time was over"), &last), at);
            }
            Timer::Deadline => {
                self.expired = true;
                let message = said("the deadline passed", &last);
                let cut = match self.phase {
                    Phase::Waiting | Phase::Retrying if self.unsettled => return self.settle_now(rules, at),
                    Phase::Waiting | Phase::Retrying => true,
                    Phase::Running => rules.kind == EntryKind::Wait || rules.is_human(),
                    _ => false,
                };
                if cut {
                    self.failure = Some(Failure { class: "timeout".into(), message, hint: None });
                    self.settle(Phase::Failed, at);
                } else if inside && self.phase == Phase::Running && self.failure.is_none() {
                    self.failed_around("timeout", message, at);
                }
            }
            _ => {}
        }
    }

    /// What `wait.until` waited for did not come.
    fn gave_up(&mut self, rules: &Rules, at: Stamp) {
        let last = self.latest_probe().map_or_else(String::new, |p| p.last.message.clone());
        let after =
            rules.policy.timeout_ms.map_or_else(String::new, |ms| format!(" after {}", moment::length(ms)));
        let message = said(&format!("gave up{after}"), &last);
        self.failure = Some(Failure { class: "timeout".into(), message, hint: None });
        self.failed(rules, Phase::Failed, at);
    }

    /// Somebody said whether the effect is there.
    pub(super) fn doubt_answered(&mut self, rules: &Rules, answer: &Answer, by: &str, at: Stamp) {
        if self.phase != Phase::InDoubt {
            return;
        }
        let decided = |what: &str, before: Option<Failure>| {
            let (class, hint) = before.map_or_else(|| ("unknown".into(), None), |f| (f.class, f.hint));
            Some(Failure { class, message: format!("decided by {by}: {what}"), hint })
        };
        match answer {
            Answer::Done => {
                self.unsettled = false;
                self.went_through(rules, at);
            }
            Answer::NotDone => {
                self.failure = decided("it did not happen", self.failure.take());
                self.found_absent(rules, at);
            }
            Answer::Undo if !rules.undoes => {
                self.failure = decided("it is undone", self.failure.take());
                (self.unsettled, self.lost) = (false, false);
                self.settle(Phase::Failed, at);
            }
            Answer::Undo | Answer::Retry => {
                (self.unsettled, self.lost) = (true, false);
                self.spared += 1;
                self.settle(Phase::Retrying, at);
            }
            _ => {}
        }
    }

    /// A new process took the run over: it does not know what came of an attempt that was under way, and nobody watched
    /// for a while.
    pub(super) fn taken_over(&mut self, rules: &Rules, gap_ms: u64, at: Stamp) {
        self.progress = None;
        if self.phase != Phase::Running {
            return;
        }
        if gap_ms > 0 {
            self.watched_from = at.seq;
        }
        if rules.kind == EntryKind::Action && !rules.harmless {
            self.lost = true;
            self.doubt(rules, at);
        } else if rules.kind == EntryKind::Action && (self.expired || self.tripped) {
            // It had been told to stop; nobody has to see that it did.
            self.fail("timeout", "the deadline passed".into(), at);
        } else if gap_ms > 0 && rules.kind == EntryKind::Wait {
            self.unseen = true;
            self.looks_anew();
        }
    }
}

/// What happened, and what was seen last.
fn said(what: &str, seen: &str) -> String {
    if seen.is_empty() { what.to_owned() } else { format!("{what}: {seen}") }
}
