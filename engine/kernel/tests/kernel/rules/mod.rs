//! What a run means, one module for each part of it, each test a rule.

mod basics;
mod control;
mod doubt;
mod each;
mod gates;
mod groups;
mod order;
mod pivot;
mod programs;
mod retry;
mod reversal;
mod rollback;
mod stopping;
mod tolerance;
mod waits;

use runbook_kernel::{Forward, Phase, Rollback, Status};

use crate::script::Script;

/// The run is over, so, and nothing is outstanding.
fn ended(run: &Script, forward: Forward, rollback: Rollback) {
    let wanted = Status { phase: Phase::Ended, forward, rollback, paused: false };
    assert_eq!(run.kernel.status(), wanted);
    assert_eq!(run.kernel.outstanding(), []);
}
