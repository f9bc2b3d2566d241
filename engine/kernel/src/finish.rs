//! The run as a whole: its beginning, its end, and what can be said of it.

use crate::kernel::{Kernel, RUN};
use crate::program::Undo;
use crate::reversal::Reversal;
use crate::scope::Lane;
use crate::task::{Cause, End, Stage, State, TaskIx, Then, Undoing};
use crate::{Answer, TimerPurpose};

/// What belongs to no single task.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) paused: bool,
    /// It may not start yet, or was never let to.
    pub(crate) barred: bool,
    /// The last place in the order of starting.
    pub(crate) begun: u32,
    /// The last incarnation; 0 is everybody's first.
    pub(crate) incarnations: u32,
    /// Pivots that count as crossed.
    pub(crate) crossed: u32,
    /// Composites that owe their `finally`.
    pub(crate) owed: u32,
    /// Something failed that does not fail the run.
    pub(crate) marred: bool,
    /// An incarnation that is over left something that no undo brings back.
    missing: bool,
    forward: Option<Forward>,
    pub(crate) rollback: Option<Rollback>,
    pub(crate) reversal: Option<Reversal>,
    /// `revert` was run, and whether it completed.
    pub(crate) reverted: Option<bool>,
}

/// What became of the effects of a run's own work; each: of any of them.
#[derive(Debug, Clone, Copy, Default)]
struct Undone {
    done: bool,
    /// Left by policy, by a person, or because a rollback was to undo only a part.
    kept: bool,
    /// It may be there, and there is no undo.
    missing: bool,
    blocked: bool,
}

/// How the forward part of a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    Running,
    Succeeded,
    /// It succeeded, and something failed that was tolerated: items of a `for_each`, steps under `continue_on_error`, steps
    /// of a `finally`.
    SucceededWithFailures,
    Failed,
    Cancelled,
    /// It was not let start: see [`crate::Fact::Refused`].
    Refused,
}

/// How the rollback of a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollback {
    /// There was no need for one.
    None,
    Running,
    /// There was need, but nothing had been done that has an undo, or lacks one.
    NothingToUndo,
    Complete,
    /// What was to be undone was, and not everything was: a person, a policy or `--to` kept the rest, or there is no undo
    /// for it and the file does not say that it may stay ([`crate::Undo::Missing`]).
    Partial,
    /// Undos are blocked: see [`Kernel::blocked`].
    Incomplete,
    /// Policy, or a person, left everything as it is.
    Declined,
}

/// What a run is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before `Began`.
    New,
    Forward,
    /// Something failed: what runs comes to its end, nothing new starts.
    Stopping,
    /// Somebody is asked whether to roll back, or how to go on after the pivot.
    Deciding,
    /// `on_failure.first`.
    First,
    RollingBack,
    /// `on_failure.after_pivot`.
    AfterPivot,
    Finally,
    /// `Finish` is out.
    Finishing,
    /// Looks whether what a run that succeeded did is still there, before undoing it.
    Drift,
    /// The runbook's `revert`.
    Reverting,
    Ended,
}

/// A run in three words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub phase: Phase,
    pub forward: Forward,
    pub rollback: Rollback,
    /// Nothing new starts until `Unpaused`.
    pub paused: bool,
}

impl Kernel {
    pub(crate) fn begin_run(&mut self, seed: u64) {
        if self.tasks[RUN].begun() {
            return;
        }
        self.run.seed = seed;
        let root = self.chart.program.root;
        self.enter(RUN, root);
    }

    /// Nothing new starts: what was only being prepared goes back to where it was.
    pub(crate) fn pause(&mut self) {
        self.run.paused = true;
        self.withdraw_prepares();
    }

    /// Nothing is prepared yet.
    pub(crate) fn bar(&mut self) {
        if self.untouched() {
            self.run.barred = true;
            self.withdraw_prepares();
        }
    }

    /// It ends, and nothing of it has started.
    pub(crate) fn refuse(&mut self) {
        if let Some(root) = self.tasks[RUN].inner.filter(|_| self.untouched()) {
            self.run.barred = true;
            self.fail_scope(root, Cause::Refused);
        }
    }

    /// Whether the run goes forward and nothing of it has begun, so that it may still be kept from starting.
    pub fn untouched(&self) -> bool {
        self.phase() == Phase::Forward && self.run.begun == 1
    }

    fn withdraw_prepares(&mut self) {
        for id in self.ledger.abandon_prepares() {
            let Some(task) = self.task_at(id) else { continue };
            let row = &mut self.tasks[task];
            row.uncount();
            if row.tries == 0 {
                self.ledger.disarm(id, TimerPurpose::Deadline);
            }
            self.make_ready(task);
        }
    }

    pub(crate) fn cancel(&mut self) {
        match self.run_stage() {
            Some(Stage::Body) => {}
            Some(Stage::Drift) => return self.call_off(),
            _ => return,
        }
        self.run.paused = false;
        if let Some(root) = self.tasks[RUN].inner {
            self.fail_scope(root, Cause::Cancelled);
        }
    }

    /// The body is over and what was to be undone is: the status that `finally` sees.
    pub(crate) fn settle_run(&mut self, end: End) {
        let failed = end == End::Failed;
        self.run.forward = Some(match self.tasks[RUN].cause {
            _ if !failed => Forward::Succeeded,
            Some(Cause::Cancelled) => Forward::Cancelled,
            Some(Cause::Refused) => Forward::Refused,
            _ => Forward::Failed,
        });
        let rolls_back = failed && self.run.forward != Some(Forward::Refused);
        self.run.rollback = rolls_back.then(|| self.undo_summary());
    }

    pub(crate) fn finish(&mut self) {
        self.tasks[RUN].state = State::Inside(Stage::Finish);
        self.ledger.finish();
    }

    pub(crate) fn finished(&mut self) {
        if self.ledger.finished() {
            let failed =
                matches!(self.run.forward, Some(Forward::Failed | Forward::Cancelled | Forward::Refused));
            self.tasks[RUN].state = State::Ended(if failed { End::Failed } else { End::Done });
        }
    }

    /// The end of a rollback of a run that had ended; `reverted` says whether `revert` went well, if that was run.
    pub(crate) fn settle_reversal(&mut self, reverted: Option<bool>) {
        self.run.reverted = reverted.or(self.run.reverted);
        self.run.rollback = Some(match reverted {
            Some(true) => Rollback::Complete,
            Some(false) => Rollback::Incomplete,
            None => self.undo_summary(),
        });
        self.run.reversal = None;
        self.finish();
    }

    /// What all undos of the run's own work come to.
    fn undo_summary(&self) -> Rollback {
        let Undone { done, kept, missing, blocked } = self.undone();
        match (done, kept) {
            _ if blocked => Rollback::Incomplete,
            (false, true) => Rollback::Declined,
            (true, true) => Rollback::Partial,
            _ if missing => Rollback::Partial,
            (false, false) => Rollback::NothingToUndo,
            (true, false) => Rollback::Complete,
        }
    }

    /// Whether an undo that there is was not run because policy, or a person, kept what it would bring back.
    pub fn keeps(&self) -> bool {
        self.undone().kept
    }

    fn undone(&self) -> Undone {
        // What was done up to a point of no return stays by itself.
        let mut all = Undone { missing: self.run.missing, kept: self.pivot_crossed(), ..Undone::default() };
        for (at, task) in self.tasks.iter().skip(1) {
            let scope = &self.scopes[task.scope];
            if scope.lane != Lane::Forward || scope.covered {
                continue;
            }
            match (self.chart.node(task.id.node).undo, task.undo) {
                (Undo::Missing, _) => all.missing |= self.any_effect(at),
                (Undo::Nothing | Undo::Left, _) => {}
                (Undo::Scope(_), Undoing::Failed | Undoing::Behind) => all.blocked = true,
                (Undo::Scope(_), Undoing::Done) => all.done = true,
                (Undo::Scope(_), Undoing::Kept) => all.kept = true,
                (Undo::Scope(_), Undoing::None) => all.kept |= task.marks.touched,
                (Undo::Scope(_), Undoing::Running | Undoing::Inner { .. } | Undoing::Left) => {}
            }
        }
        all
    }

    /// Whether a write, this or one inside, may be in effect.
    fn any_effect(&self, task: TaskIx) -> bool {
        let mut todo = vec![task];
        while let Some(task) = todo.pop() {
            if self.tasks[task].marks.touched {
                return true;
            }
            todo.extend(self.bodies(task).into_iter().flat_map(|body| self.members(body)));
        }
        false
    }

    /// This task begins anew: what it had done, and no undo brings back, is remembered.
    pub(crate) fn remember_missing(&mut self, task: TaskIx) {
        if self.run.missing || self.lane(task) != Lane::Forward || !self.any_effect(task) {
            return;
        }
        // The outermost that has a say speaks for all inside.
        let mut said = Undo::Nothing;
        let mut at = task;
        while at != RUN {
            let undo = self.chart.node(self.tasks[at].id.node).undo;
            said = if undo == Undo::Nothing { said } else { undo };
            at = self.scopes[self.tasks[at].scope].owner;
        }
        self.run.missing = said == Undo::Missing;
    }

    /// The run in three words.
    pub fn status(&self) -> Status {
        let phase = self.phase();
        let rolling = matches!(phase, Phase::First | Phase::RollingBack | Phase::Drift | Phase::Reverting);
        Status {
            phase,
            forward: match self.run.forward {
                Some(Forward::Succeeded) if self.run.marred => Forward::SucceededWithFailures,
                Some(forward) => forward,
                None => Forward::Running,
            },
            rollback: match self.run.rollback {
                _ if rolling => Rollback::Running,
                Some(rollback) => rollback,
                None => Rollback::None,
            },
            paused: self.run.paused,
        }
    }

    /// What the run is busy with.
    pub fn phase(&self) -> Phase {
        let stopping = self.tasks[RUN].inner.is_some_and(|root| self.scopes[root].stopping);
        match self.run_stage() {
            None if self.tasks[RUN].begun() => Phase::Ended,
            None => Phase::New,
            Some(Stage::Body | Stage::Close) if stopping => Phase::Stopping,
            Some(Stage::Body | Stage::Close) => Phase::Forward,
            Some(Stage::Decide) => Phase::Deciding,
            Some(Stage::First) => Phase::First,
            Some(Stage::Unwind(Then::Retry | Then::End(_) | Then::Reversed)) => Phase::RollingBack,
            Some(Stage::AfterPivot) => Phase::AfterPivot,
            Some(Stage::Finally(_)) => Phase::Finally,
            Some(Stage::Finish) => Phase::Finishing,
            Some(Stage::Drift) => Phase::Drift,
            Some(Stage::Revert) => Phase::Reverting,
        }
    }

    /// A pivot was crossed: nothing before it is undone by itself any more.
    pub fn pivot_crossed(&self) -> bool {
        self.run.crossed > 0
    }

    pub(crate) fn answer_after_pivot(&mut self, answer: Answer) {
        let keep = match answer {
            Answer::Keep => true,
            Answer::Retry => false,
            _ => return,
        };
        self.ledger.withdraw(crate::About::AfterPivot);
        if keep {
            self.keep_all();
        } else {
            self.go_forward_again();
        }
    }
}
