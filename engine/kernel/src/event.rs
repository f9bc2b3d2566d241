//! Facts that come in.

use crate::{About, Ms, Probe, TaskId, Timer};

/// A fact and when it became one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Run-elapsed time; never decreases from one event to the next (the kernel takes the maximum).
    pub at: Ms,
    pub fact: Fact,
}

/// A fact. An answer carries the `attempt` or `round` of the command that it answers: one that is late, or comes twice,
/// names a command that is not outstanding any more, and is absorbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// The run begins. `seed` feeds jitter.
    Began {
        seed: u64,
    },
    /// A new executor took the run over. Attempts that were under way: pure and read ones are issued again, writes and
    /// notifications are in doubt. `gap` is the part of the elapsed time in which no executor watched: guarded waits
    /// do not count it.
    Resumed {
        gap: Ms,
    },
    /// Answer to `Prepare`: `when` is false.
    Skipped {
        task: TaskId,
        attempt: u32,
    },
    /// Answer to `Prepare` of a group.
    Entered {
        task: TaskId,
        attempt: u32,
    },
    /// Answer to `Prepare` of a `for_each`.
    Items {
        task: TaskId,
        attempt: u32,
        count: u32,
    },
    /// Answer to `Prepare` of a switch.
    Branch {
        task: TaskId,
        attempt: u32,
        case: u32,
    },
    /// Answer to `Prepare` of an action, a wait or a human node: rendered, prepared, its gates hold; the intent.
    Started {
        task: TaskId,
        attempt: u32,
    },
    /// Answer to `Prepare` or to `Perform`, which had provably no effect then: a gate that had been passed no longer holds
    /// (an approval expired, a window closed). The gate waits again and the task prepares again once it is passed.
    GateClosed {
        task: TaskId,
        attempt: u32,
        gate: TaskId,
    },
    /// Answer to `Prepare` (could not render, prepare failed, a target check is false) or to `Perform`.
    Ended {
        task: TaskId,
        attempt: u32,
        how: Ended,
    },
    /// Answer to `Check`.
    Checked {
        task: TaskId,
        probe: Probe,
        round: u32,
        seen: Seen,
    },
    /// Answer to `Close`. `ok: false`: an output could not be computed, which fails the group.
    Closed {
        task: TaskId,
        attempt: u32,
        ok: bool,
    },
    /// Answer to `Arm`.
    Fired {
        timer: Timer,
    },
    /// A person, or an answers file, answered an `Ask`.
    Answered {
        about: About,
        answer: Answer,
    },
    /// Somebody wants the run to end under its failure policy. Also ends a pause. Of a run that had ended it calls the
    /// rollback off as long as that only looks what is still there; otherwise it is absorbed once the forward part is over:
    /// a rollback is not stopped by it.
    CancelRequested,
    /// Another run holds what this one needs before it starts (a named lock): nothing is prepared until `Admitted`. Absorbed
    /// once anything has begun.
    Barred,
    Admitted,
    /// What the run needs before it starts is not to be had: it ends, without `finally`, since nothing started. Absorbed
    /// once anything has begun.
    Refused,
    /// Nothing new starts until `Unpaused`: what was only being prepared is abandoned and prepared again then.
    Paused,
    Unpaused,
    /// Somebody wants an ended run rolled back (again, where a rollback was declined or incomplete); with `to`, only
    /// what came after that task. Absorbed where [`crate::Kernel::may_roll_back`] refuses.
    RollbackRequested {
        to: Option<TaskId>,
    },
    /// Answer to `Finish`.
    Finished,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Done { warning: bool },
    Failed(FailureClass),
    NotDone(FailureClass),
    Unknown(FailureClass),
}

/// The class of a failure, as far as retry policies distinguish them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    Timeout,
    Exit(i32),
    Signal(i32),
    Connect,
    Lost,
    Http(u16),
    Check,
    Inconclusive,
    Invalid,
    Cancelled,
    Error,
}

impl FailureClass {
    /// Of a check: it could not see what it looks for, so it neither holds nor fails.
    pub(crate) fn is_inconclusive(self) -> bool {
        matches!(
            self,
            FailureClass::Timeout | FailureClass::Connect | FailureClass::Lost | FailureClass::Inconclusive
        )
    }
}

/// What a probe saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It could not be seen.
    Inconclusive,
}

/// A person; the runtime interns names. 0 is the one who started the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub u32);

/// An answer. Which ones fit depends on the question; one that does not fit is absorbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// approval: one person's yes.
    Approve(PersonId),
    /// approval: one person's no, which ends it.
    Reject(PersonId),
    /// checklist, prompt, window: all there.
    Complete,
    /// In doubt: the effect is there.
    Done,
    /// In doubt: it is not.
    NotDone,
    /// In doubt, warning, drift, rollback: bring it back.
    Undo,
    /// Rollback, warning, drift: leave it as it is / go on.
    Keep,
    /// Try again.
    Retry,
    /// Go on without it. No question takes this answer yet.
    Skip,
    /// Let it fail.
    Fail,
}
