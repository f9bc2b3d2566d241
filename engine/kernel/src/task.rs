//! A task: a node in a frame, what has become of it, and what became of its undo.
//!
//! | from | on | to |
//! |---|---|---|
//! | `Waiting` | the last need is satisfied | `Ready` |
//! | `Ready` | a slot is free (a human node needs none), not paused, its gates are passed | `Preparing` (`Prepare`) |
//! | | one of its gates is asked again | `Held`, and `Ready` once it is passed |
//! | | one of its gates was not passed | `Ended(Failed)`; in doubt, `InDoubt` |
//! | `Preparing` | `Skipped` | `Ended(Skipped)` |
//! | | `Started` of an action | `Running` (`Perform`) |
//! | | `Started` of a wait, a human node | `Running` (`Arm`, `Check`, `Ask`) |
//! | | `Entered`, `Branch`, `Items` | `Inside(Body)` |
//! | | `GateClosed` | `Held`, and `Ready` once the gate is passed again |
//! | | `Ended(Failed, NotDone)` | as a failed attempt, without effect |
//! | `Running` | `Ended(Done)` | `Verifying` if the file asks for it, `Warned`, or `Ended(Done)` |
//! | | `Ended(Unknown)` of a write | `Verifying`, else as `on_in_doubt` says |
//! | | `Ended(Failed, NotDone)`, a probe or a person gave up | a failed attempt |
//! | | `GateClosed` | `Held`, as when preparing |
//! | `Verifying` | match | `Warned`, `Ended(Done)` |
//! | | mismatch after done | a failed attempt |
//! | | mismatch in doubt: proven absent | a failed attempt, without effect |
//! | | mismatch in doubt: cannot tell | `Delayed`, `Ready` (retry), `Ended(Failed)` (compensate), `InDoubt` (ask) |
//! | `InDoubt`, `Warned` | `Answered` | `Ended(Done)`, `Ended(Failed)`, a failed attempt, `Ready` |
//! | *a failed attempt* | `retry` allows another | `Delayed`, then `Ready` |
//! | | of a check that could not see, as `on_inconclusive` says | `Ended(Done)`, `Warned` |
//! | | else | `Ended(Failed)` |
//! | `Inside(Body)` | all inside is over, none failed | `Inside(Close)`, `Verifying`, `Inside(Finally)`, `Ended(Done)` |
//! | | its time is over | what runs inside is told to stop; as if a child had failed |
//! | | a child failed, `retry` allows another | `Inside(Unwind)`, then `Delayed` |
//! | | a child failed | its `on_failure`: `Inside(Decide, First, Unwind, AfterPivot, Finally)`, then `Ended(Failed)` |
//! | | cut off by a failure outside | `Ended(Stopped)` |
//! | anything that has not begun | a failure beside it | `Ended(NotStarted)` |
//! | waits, human nodes, delays, reads | a failure beside them | `Ended(Stopped)` |
//! | in doubt, and not in an attempt | a failure beside it, its deadline | `Verifying`, else as `on_in_doubt` says but for another attempt |
//!
//! A running write, a verification and a doubt are never cut off: what they come to decides what has to be undone.

use crate::each::EachRun;
use crate::frame::FrameIx;
use crate::guard::Watch;
use crate::rollback::Mode;
use crate::scope::ScopeIx;
use crate::{FailureClass, Ms, PersonId, Probe, TaskId};

/// A task, by its place in the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskIx(pub(crate) u32);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) frame: FrameIx,
    pub(crate) scope: ScopeIx,
    pub(crate) state: State,
    pub(crate) undo: Undoing,
    /// Why it failed, or the last attempt of it did.
    pub(crate) cause: Option<Cause>,
    /// The number of the last attempt; never used twice.
    pub(crate) attempt: u32,
    /// Attempts that count for `retry`, in this incarnation.
    pub(crate) tries: u32,
    pub(crate) incarnation: u32,
    /// Needs that are not satisfied.
    pub(crate) unmet: u32,
    /// Dependents whose undo is not resolved, in the unwinding that is under way.
    pub(crate) undo_unmet: u32,
    /// Its place in the order of starting, from 1; 0 if it has not begun in this incarnation.
    pub(crate) order: u32,
    /// Of a composite: the scope of its body, or of the case that was taken.
    pub(crate) inner: Option<ScopeIx>,
    pub(crate) marks: Marks,
    pub(crate) detail: Option<Box<Detail>>,
}

/// What is true of a task beside its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// The effect may be there, partially: an attempt ended done or failed.
    pub(crate) touched: bool,
    /// An attempt of unknown end has neither been proven nor disproven.
    pub(crate) unsettled: bool,
    /// The doubt comes from a take-over, not from the attempt itself.
    pub(crate) lost: bool,
    /// The attempt that runs is the first that started.
    pub(crate) first: bool,
    /// It went through with a warning.
    pub(crate) warned: bool,
    /// A guard tripped.
    pub(crate) tripped: Option<u32>,
    /// Its deadline is over.
    pub(crate) expired: bool,
    /// Its dependents have been told.
    pub(crate) satisfied: bool,
    /// It counts as a crossed pivot.
    pub(crate) crossed: bool,
    /// It began and its `finally` has not run.
    pub(crate) owes_finally: bool,
    /// The undo of something that depended on it did not complete.
    pub(crate) behind: bool,
    /// A person wants it kept in the rollback that is under way.
    pub(crate) keep: bool,
}

/// What few tasks have.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Detail {
    pub(crate) each: Option<EachRun>,
    /// People who approved.
    pub(crate) votes: Vec<PersonId>,
    /// By the guard's number.
    pub(crate) watches: Vec<Watch>,
    /// `wait.until`: since when it has held without a break.
    pub(crate) held_since: Option<Ms>,
    /// `wait.until`: nobody has looked since nobody watched.
    pub(crate) unseen: bool,
    /// `wait.until`: its time is over but for such a look.
    pub(crate) overdue: bool,
    /// Waits, itself or inside it, that are over but for a look of its guards.
    pub(crate) overtime: Vec<TaskIx>,
    /// Tasks that wait for this gate to be passed again.
    pub(crate) holds: Vec<TaskIx>,
}

/// See the table at the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Ready,
    Preparing,
    Held,
    Running,
    Verifying(Verifying),
    InDoubt(FailureClass),
    Warned,
    Delayed,
    Inside(Stage),
    Ended(End),
}

/// A verification under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verifying {
    pub(crate) purpose: Purpose,
    /// When the last round is due.
    pub(crate) until: Ms,
}

/// What a verification is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Whether what was reported done is there.
    AfterDone,
    /// Whether the effect of an attempt of unknown end is there.
    Doubt(FailureClass),
    /// Whether it is provably not.
    Absence(FailureClass),
}

/// Where a group, a switch, a `for_each` or the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Body,
    Close,
    /// Somebody is asked whether to roll back.
    Decide,
    First,
    Unwind(Then),
    AfterPivot,
    Finally(End),
    /// The run alone: `Finish` is out.
    Finish,
    /// The run alone: rolling back what had ended.
    Drift,
    Revert,
}

/// What an unwinding is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// A new incarnation.
    Retry,
    /// The end.
    End(End),
    /// The end of a rollback of what had ended before.
    Reversed,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Skipped,
    Failed,
    /// Cut off before it did anything.
    NotStarted,
    /// Cut off.
    Stopped,
}

/// How a task's undo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undoing {
    /// Nobody asked for it, or there was nothing to undo.
    None,
    /// The undo scope runs.
    Running,
    /// Of a composite: what is inside is being unwound, on behalf of an unwinding in `mode`; `blocked`: its own undo
    /// scope failed.
    Inner {
        mode: Mode,
        blocked: bool,
    },
    Done,
    /// The undo, or one inside, failed.
    Failed,
    /// Not tried: the undo of something that depended on it did not complete.
    Behind,
    /// Left as it is by policy or by a person.
    Kept,
    /// Left as it is because the file says that it cannot or need not be undone.
    Left,
}

/// Why a task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The attempt itself.
    Attempt(FailureClass),
    /// `verify` says that the effect is not there.
    Mismatch,
    /// A warning, under `on_warning: fail` or by a person.
    Warning,
    /// Its `deadline`, or the `timeout` of a wait.
    TimedOut,
    /// The guard of this number tripped.
    Guard(u32),
    /// A person said no.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// Something inside failed, first of this class.
    Inside(FailureClass),
    /// A person said no to something inside, or nobody answered it in time.
    Denied(FailureClass),
    /// More items failed than `max_failures` tolerates.
    TooManyFailures,
    /// The checks between two batches failed.
    Between,
    /// A gate that it had passed was not passed again.
    Gate,
    /// A declared output could not be computed.
    Outputs,
    /// An undo that it relied on was not completed.
    Undo,
    /// A person, or a policy, decided that what is in doubt is to be undone.
    Compensated,
    /// The run was cancelled.
    Cancelled,
    /// The run was not let start.
    Refused,
}

impl Cause {
    /// The class that `retry.only` of a group is held against.
    pub(crate) fn class(self) -> FailureClass {
        match self {
            Cause::Attempt(class) | Cause::Inside(class) | Cause::Denied(class) => class,
            Cause::Mismatch | Cause::Warning | Cause::Guard(_) => FailureClass::Check,
            Cause::TimedOut | Cause::Expired => FailureClass::Timeout,
            Cause::Cancelled => FailureClass::Cancelled,
            Cause::Rejected
            | Cause::TooManyFailures
            | Cause::Between
            | Cause::Gate
            | Cause::Outputs
            | Cause::Undo
            | Cause::Compensated
            | Cause::Refused => FailureClass::Error,
        }
    }

    /// What it is for the composite around: a failure of this class inside, or as many as are not tolerated.
    pub(crate) fn around(self, otherwise: Cause) -> Cause {
        match self {
            Cause::Rejected | Cause::Expired | Cause::Denied(_) => Cause::Denied(otherwise.class()),
            _ => otherwise,
        }
    }
}

impl Undoing {
    /// What it was to bring back may still be there.
    pub(crate) fn is_blocked(self) -> bool {
        matches!(self, Undoing::Failed | Undoing::Behind)
    }

    /// Of an undo that is not tried; one that was tried and failed stays so.
    pub(crate) fn behind(self) -> Undoing {
        match self {
            Undoing::None | Undoing::Kept => Undoing::Behind,
            _ => self,
        }
    }
}

impl Purpose {
    pub(crate) fn probe(self) -> Probe {
        match self {
            Purpose::AfterDone | Purpose::Doubt(_) => Probe::Verify,
            Purpose::Absence(_) => Probe::NotDone,
        }
    }
}

impl Task {
    pub(crate) fn new(id: TaskId, frame: FrameIx, scope: ScopeIx) -> Task {
        Task {
            id,
            frame,
            scope,
            state: State::Waiting,
            undo: Undoing::None,
            cause: None,
            attempt: 0,
            tries: 0,
            incarnation: 0,
            unmet: 0,
            undo_unmet: 0,
            order: 0,
            inner: None,
            marks: Marks::default(),
            detail: None,
        }
    }

    /// Begins anew, as if it had never run; only the attempts go on counting.
    pub(crate) fn renew(&mut self) {
        *self = Task { attempt: self.attempt, ..Task::new(self.id, self.frame, self.scope) };
    }

    /// The last attempt does not count for `retry`.
    pub(crate) fn uncount(&mut self) {
        // One that a person wanted may have been called off before it was counted.
        self.tries = self.tries.saturating_sub(1);
    }

    pub(crate) fn begun(&self) -> bool {
        self.order > 0
    }

    pub(crate) fn ended(&self) -> Option<End> {
        match self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    pub(crate) fn detail(&mut self) -> &mut Detail {
        self.detail.get_or_insert_default()
    }
}
