//! What the kernel wants done.

use crate::{Ms, TaskId};

/// A command. Derived from the state, never journaled; performed only once every earlier event is on disk, and, for a
/// write, its own `Started`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Evaluate `when`; find the items, the case; render; run the read-only `prepare`; check the gates. Answered by
    /// `Skipped`, `Entered`, `Items`, `Branch`, `Started`, `GateClosed`, or `Ended` with `Failed` or `NotDone`.
    ///
    /// `attempt` is never used twice for a task, across incarnations too; 1 is the first. (So it may exceed
    /// `max_attempts`: attempts before a group's retry, and prepares that a closed gate cut short, have numbers as well.)
    Prepare { task: TaskId, attempt: u32 },
    /// Check the gates again and have the effect. Answered by `Ended`.
    Perform { task: TaskId, attempt: u32 },
    /// Run one round of a probe. Answered by `Checked` with the same `round`, a number that is never used twice in a run.
    Check { task: TaskId, probe: Probe, round: u32 },
    /// Compute what a group leaves behind. Answered by `Closed`.
    Close { task: TaskId, attempt: u32 },
    /// Answer with `Fired` at this elapsed time (at once if it is past). Arming again replaces.
    Arm { timer: Timer, due: Ms },
    /// Not needed any more.
    Disarm { timer: Timer },
    /// Somebody has to answer. Answered by `Answered`, any number of times until `Withdraw`.
    Ask { about: About },
    /// The question no longer stands.
    Withdraw { about: About },
    /// End all that goes on for this task (a `Prepare`, each `Check`, a `Perform` of a read). No answer expected; late ones
    /// are absorbed.
    Abandon { task: TaskId },
    /// Ask what is performed to stop: TERM, grace, KILL. Answered by the `Ended` of its `Perform`.
    Interrupt { task: TaskId },
    /// Everything is over: compute the run's outputs, give the locks back. Answered by `Finished`.
    Finish,
}

/// A probe of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// `wait.until`.
    Until,
    /// `verify`: whether the effect is there.
    Verify,
    /// `verify.not_done`: whether it is provably not.
    NotDone,
    /// The n-th `guard`.
    Guard(u32),
}

/// A timer of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub task: TaskId,
    pub purpose: TimerPurpose,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerPurpose {
    /// The delay before the next attempt.
    Retry,
    /// `deadline`.
    Deadline,
    /// `timeout` of a group: the end of this incarnation.
    Timeout,
    /// The end of `wait.for`.
    Wait,
    /// The next round of a probe.
    Poll(Probe),
    /// The probe's, or the question's, last moment.
    GiveUp(Option<Probe>),
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// A human node waits.
    Human(TaskId),
    /// Nobody knows whether the effect is there: Done, NotDone, Undo (take it as failed), Retry, unless a gate of it was
    /// refused ([`crate::Kernel::may_run_again`]). Of an undo, Undo is Retry.
    InDoubt(TaskId),
    /// It went through with a warning and `on_warning: ask`, or could not be seen and `on_inconclusive: ask`: Keep, Fail.
    Warning(TaskId),
    /// Undo, Keep. Before a rollback under `rollback: ask`, of the run (`None`) or of a group; of a `for_each`: what is to
    /// become of the items that its `undo` does not undo by itself.
    Rollback(Option<TaskId>),
    /// It failed after the pivot under `after_pivot: ask`: Keep (end as it is), Retry (the failed steps again).
    AfterPivot,
    /// Rolling back a run that succeeded: whether the effect is still there cannot be told: Undo, Keep.
    Drift(TaskId),
}
