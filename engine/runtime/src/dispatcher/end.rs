//! How a stretch of execution ends: the run is finished, it waits for a person, it was told to stop, the journal failed.

use runbook_journal::{Fault, StoreError};
use runbook_kernel::{About, Command, Forward, Kind, Phase, Rollback, TimerPurpose};
use runbook_step::Cancelled;
use runbook_wire::{Body, Result as Ending};

use super::{Dispatcher, needs_barrier};
use crate::execution::{Exit, Outcome};
use crate::facts::task_of;
use crate::resolve::{forward_word, rollback_word};

/// Why this executor stops before the run is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    exit: Exit,
    reason: String,
    /// The last record was made.
    recorded: bool,
}

/// What to do about a fault of the journal.
pub(super) fn remedy(fault: &Fault, run: &str) -> String {
    match fault {
        Fault::Fenced { .. } => format!("It goes on there: runbook watch {run}"),
        Fault::Displaced { .. } => format!("Look at what is there: runbook show {run}"),
        Fault::Store(StoreError::Replaced(_)) => format!(
            "What it did since then is on no record but this screen. Put back what was there, then: \
             runbook resume {run}; without it, undo by hand what is to be undone"
        ),
        Fault::Store(_) | Fault::WriterGone => mend_and_resume(run),
    }
}

pub(super) fn mend_and_resume(run: &str) -> String {
    format!("Free space, or mend the disk, then: runbook resume {run}")
}

impl Dispatcher<'_> {
    /// `Finish`: everything is over.
    pub(super) fn finish(&mut self) {
        let status = self.kernel.status();
        let (outputs, mut no_outputs) = self.attempts.run_outputs(self.view());
        if !matches!(status.forward, Forward::Succeeded | Forward::SucceededWithFailures) {
            // Of a run that did not come to its end nothing else is to be expected.
            no_outputs.clear();
        }
        let forward = match (&self.facts.refused, status.forward) {
            (Some(refused), Forward::Refused) if refused.skip => "skipped",
            (_, Forward::Succeeded) if !no_outputs.is_empty() => forward_word(Forward::SucceededWithFailures),
            (_, forward) => forward_word(forward),
        };
        let exit = self.exit(!no_outputs.is_empty());
        self.record(Body::Finished {
            forward: forward.to_owned(),
            rollback: rollback_word(status.rollback).to_owned(),
            exit_code: exit.code(),
            outputs,
            no_outputs,
        });
    }

    /// `lacks`: declared outputs of the run could not be computed.
    fn exit(&self, lacks: bool) -> Exit {
        let status = self.kernel.status();
        // Every undo that there is was run, though something stays that has none.
        let partly = status.rollback == Rollback::Partial && !self.kernel.keeps();
        match (status.forward, status.rollback) {
            (Forward::Refused, _) if self.facts.refused.as_ref().is_some_and(|refused| refused.skip) => {
                Exit::Succeeded
            }
            (Forward::Refused, _) => Exit::Locked,
            (_, Rollback::Incomplete) => Exit::RollbackIncomplete,
            (Forward::SucceededWithFailures, Rollback::None) => Exit::SucceededWithFailures,
            (Forward::Succeeded, Rollback::None) if lacks => Exit::SucceededWithFailures,
            (Forward::Succeeded, Rollback::None) => Exit::Succeeded,
            // A run that had succeeded was rolled back because somebody asked for that.
            (Forward::Succeeded | Forward::SucceededWithFailures, Rollback::Declined) => Exit::NotRolledBack,
            (Forward::Succeeded | Forward::SucceededWithFailures, _) => Exit::Succeeded,
            (_, Rollback::Complete | Rollback::NothingToUndo) if self.kernel.denied() => Exit::Rejected,
            (_, Rollback::Complete | Rollback::NothingToUndo) => Exit::RolledBack,
            _ if partly && self.kernel.denied() => Exit::Rejected,
            _ if partly => Exit::RolledBack,
            _ => Exit::NotRolledBack,
        }
    }

    /// Whether an answer counts. While we stop, what was cut short by that has not ended: whoever resumes does it again,
    /// or finds it in doubt. What a write came to in spite of it is a fact.
    pub(super) fn counts(&self, command: Command, body: &Body) -> bool {
        if self.stop.is_none() {
            return true;
        }
        match (command, body) {
            (Command::Perform { task, .. }, Body::Ended { result, .. }) => {
                needs_barrier(&self.plan, task) && *result != Ending::NotDone
            }
            _ => false,
        }
    }

    pub(super) fn stop(&mut self, signal: Option<i32>) {
        if self.stop.is_some() {
            // Asked for twice: no more grace.
            return self.jobs.drop_all();
        }
        let exit = signal.map_or(Exit::Released, |signal| Exit::Stopped { signal });
        let reason =
            signal.map_or_else(|| "stopped here".to_owned(), |signal| format!("stopped by signal {signal}"));
        self.stop_for(exit, reason);
    }

    pub(super) fn stop_for(&mut self, exit: Exit, reason: String) {
        self.flush(&[]);
        self.stop = Some(Stop { exit, reason, recorded: false });
        self.queue.clear();
        self.held.clear();
        self.jobs.cancel(|_| true, Cancelled::Run);
    }

    /// How it ended, if it has.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        if self.fault.is_some() {
            return self.after_fault();
        }
        if !self.jobs.is_empty() {
            return None;
        }
        if self.stop.is_none() {
            if self.kernel.phase() == Phase::Ended && self.facts.finished.is_some() {
                return self.finished();
            }
            if self.unattended && self.waits_for_people() {
                let (exit, reason) = self.whom_it_waits_for();
                self.stop_for(exit, reason);
            } else if let Some(reason) = self.waits_for_a_program() {
                self.stop_for(Exit::WaitingForPerson, reason);
            }
        }
        let stop = self.stop.as_mut()?;
        if !stop.recorded {
            stop.recorded = true;
            let reason = stop.reason.clone();
            self.record(Body::ExecutorStopped { reason });
            self.flush(&[]);
        }
        let Stop { exit, reason, .. } = self.stop.clone()?;
        self.all_on_disk().then(|| Outcome { run: self.facts.run.clone(), exit, reason: Some(reason) })
    }

    fn finished(&mut self) -> Option<Outcome> {
        if !self.all_on_disk() {
            return None;
        }
        // What was left in the last moment is answered, not ignored.
        self.read_inbox();
        if self.facts.finished.is_none() || !self.all_on_disk() {
            return None;
        }
        if let Some(reason) = self.turned_away.clone() {
            return Some(Outcome { run: self.facts.run.clone(), exit: Exit::Locked, reason: Some(reason) });
        }
        let reason = self.facts.refused.as_ref().map(|refused| refused.reason.clone());
        Some(Outcome { run: self.facts.run.clone(), exit: self.exit(self.facts.lacks_outputs), reason })
    }

    fn all_on_disk(&self) -> bool {
        self.fresh.is_empty() && self.durable >= self.facts.last_seq
    }

    /// Nothing new starts after a fault of the journal, and what runs is ended: its end could not be recorded.
    fn after_fault(&mut self) -> Option<Outcome> {
        self.held.clear();
        self.queue.clear();
        self.jobs.cancel(|_| true, Cancelled::Run);
        let run = &self.facts.run;
        self.jobs.is_empty().then(|| Outcome {
            run: run.clone(),
            exit: Exit::JournalFault,
            reason: self.fault.as_ref().map(|(fault, remedy)| {
                format!(
                    "FAULT of the journal: {fault}. Nothing new was started, and what was under way was ended. \
                     {remedy}"
                )
            }),
        })
    }

    /// Everything that can go on without a program that was changed has gone on, and nobody is asked who could answer here.
    fn waits_for_a_program(&self) -> Option<String> {
        let reason = self.held.changed()?;
        (self.kernel.questions().is_empty() && self.nothing_goes_on()).then_some(reason)
    }

    /// Everything that can go on without a person has gone on.
    fn waits_for_people(&self) -> bool {
        !self.kernel.questions().is_empty() && self.nothing_goes_on()
    }

    fn nothing_goes_on(&self) -> bool {
        let only_people = self.timers.iter().all(|timer| match timer.purpose {
            TimerPurpose::Retry | TimerPurpose::Wait => false,
            TimerPurpose::Poll(probe) => matches!(probe, runbook_kernel::Probe::Guard(_)),
            TimerPurpose::GiveUp(probe) => probe.is_none() || self.held.waits_for_a_program(timer.task),
            TimerPurpose::Deadline | TimerPurpose::Timeout => true,
        });
        only_people
            && !self.kernel.awaits_a_look()
            && !self.held.is_barred()
            && self.queue.is_empty()
            && self.all_on_disk()
    }

    fn whom_it_waits_for(&self) -> (Exit, String) {
        let questions = self.kernel.questions();
        let exit = if questions.iter().any(|about| matches!(about, About::InDoubt(_))) {
            Exit::InDoubt
        } else {
            Exit::WaitingForPerson
        };
        let view = self.view();
        let at = |about: &About| match task_of(*about) {
            Some(task) => {
                let kind = view.plan.program.nodes.get(task.node.0 as usize).map(|node| &node.kind);
                let what = match (about, kind) {
                    (About::Human(_), Some(Kind::Human(human))) if human.count > 1 => "for people at",
                    (About::Human(_), _) => "for a person at",
                    _ => "for a decision about",
                };
                format!("{what} `{}`", view.name(task).path)
            }
            None => "for a decision about the run".to_owned(),
        };
        let whom: Vec<String> = questions.iter().map(at).collect();
        (exit, format!("waiting {}", whom.join(", ")))
    }
}
