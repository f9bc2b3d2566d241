//! Checks: `wait.until`, `verify`, `guard`, `assert_target`.

use std::time::Duration;

use runbook_kernel::{Kind, Probe, TaskId};
use runbook_plan::{Invocation, Work};
use runbook_step::{BoxFuture, Call, FailureKind, Map, Outcome, Verdict};
use runbook_wire::{Body, Grade};

use super::outcome::Kept;
use super::{
    Answer, Attempts, LAST_TIME, Log, MOST_OUTPUT, Ready, Unready, bounded, keepable, outcome, render,
};
use crate::cancel::Cancel;
use crate::context::AttemptContext;
use crate::facts::{TaskFacts, index};
use crate::mask::Mask;
use crate::record;
use crate::resolve::View;

/// A round of a check has the time between two rounds before it is given up as inconclusive, but at least this.
const LEAST_TIME: Duration = Duration::from_secs(30);

/// What checks the target has this long.
const ASSERT_TIME: Duration = Duration::from_secs(60);

/// A check that is ready to be made.
pub(super) struct Check {
    ready: Ready,
    time: Duration,
    how: How,
}

/// How a check looks.
enum How {
    /// By running a step type.
    Run,
    /// By asking the step type whose effect it is.
    Verify,
    /// By running one; and if it holds, the step type whose effect it is may know what it would have returned.
    RunThenVerify(Box<Ready>),
}

/// What a check saw.
struct Seen {
    grade: Grade,
    message: String,
    outputs: Map,
}

impl Attempts {
    /// Runs one round of a probe.
    pub(crate) fn check(
        &self,
        view: View<'_>,
        task: TaskId,
        probe: Probe,
        round: u32,
        cancel: &Cancel,
    ) -> Answer {
        let name = view.name(task);
        let body = move |seen: Seen, mask: &Mask| {
            let mut kept = outcome::masked(&seen.outputs, mask);
            if keepable(&kept.outputs, MOST_OUTPUT).is_err() {
                // Whether the effect is there is what counts.
                kept = Kept::default();
            }
            let message = outcome::message(&seen.message, mask);
            Body::Checked {
                task: name,
                probe: record::probe(probe),
                round,
                grade: seen.grade,
                message,
                outputs: kept.outputs,
                masked: kept.masked,
            }
        };
        match self.probe(view, task, probe, cancel) {
            Ok(check) => Answer::later(async move { body(check.run().await, check.mask()) }),
            // What cannot be looked at is not seen: it neither holds nor fails.
            Err(unready) => Answer::now(body(Seen::inconclusive(unready.message), &self.shared.mask)),
        }
    }

    fn probe(&self, view: View<'_>, task: TaskId, probe: Probe, cancel: &Cancel) -> Result<Check, Unready> {
        let node = &view.plan.nodes[index(task.node)];
        let written = match (probe, &node.work) {
            (Probe::Until, Work::WaitUntil(check)) => Some(check),
            (Probe::Until, _) => None,
            (Probe::Verify, _) => node.verify.as_ref(),
            (Probe::NotDone, _) => node.verify_not_done.as_ref(),
            (Probe::Guard(n), _) => node.guards.get(n as usize),
        };
        let (log, time) = (Log::Probe(record::probe(probe)), time(view, task, probe));
        match written {
            Some(invocation) => {
                let mut check = self.written(view, task, invocation, cancel, log, time)?;
                let doubtful = view.facts.task(task).is_some_and(|facts| facts.outputs.is_empty());
                if probe == Probe::Verify && doubtful && matches!(node.work, Work::Step(_)) {
                    let log = Log::Probe(record::probe(probe));
                    check.how = How::RunThenVerify(Box::new(self.owner(view, task, cancel, log)?));
                }
                Ok(check)
            }
            None if probe == Probe::Verify => {
                Ok(Check { ready: self.owner(view, task, cancel, log)?, time, how: How::Verify })
            }
            None => Err(Unready::invalid("there is nothing to check".into())),
        }
    }

    /// The call whose effect is looked for.
    fn owner(&self, view: View<'_>, task: TaskId, cancel: &Cancel, log: Log) -> Result<Ready, Unready> {
        let attempt = view.kernel.task(task).map_or(1, |task| task.attempt);
        let mut ready = self.ready(view, task, attempt, cancel)?;
        let programs = std::mem::take(&mut ready.context.programs);
        let context = self.context(view, task, attempt, &ready.call.idempotency_key, cancel, log);
        ready.context = AttemptContext { programs, ..context };
        ready.call.outputs = view.facts.task(task).and_then(TaskFacts::returned);
        Ok(ready)
    }

    /// What must hold of the target before a write, and before its undo.
    pub(super) fn asserts(
        &self,
        view: View<'_>,
        task: TaskId,
        attempt: u32,
        cancel: &Cancel,
    ) -> Result<Vec<Check>, Unready> {
        let asserts = &view.plan.nodes[index(task.node)].asserts;
        let ready = |invocation| {
            let mut check = self.written(view, task, invocation, cancel, Log::Assert, ASSERT_TIME)?;
            check.ready.context.attempt = attempt;
            Ok(check)
        };
        asserts.iter().map(ready).collect()
    }

    fn written(
        &self,
        view: View<'_>,
        task: TaskId,
        invocation: &Invocation,
        cancel: &Cancel,
        log: Log,
        time: Duration,
    ) -> Result<Check, Unready> {
        let (step, params) = render(view, task, invocation)?;
        let name = view.name(task);
        let attempt = view.kernel.task(task).map_or(1, |task| task.attempt);
        let key = Self::key(view, &name, view.kernel.incarnation(task));
        let context = self.context(view, task, attempt, &key, cancel, log).of(invocation);
        let call = Call {
            path: name.path,
            params,
            declared: invocation.outputs.iter().cloned().collect(),
            written: invocation.written(&view.at(task)),
            idempotency_key: key,
            attempt,
            ..Call::default()
        };
        Ok(Check { ready: Ready { step, call, context }, time, how: How::Run })
    }
}

fn time(view: View<'_>, task: TaskId, probe: Probe) -> Duration {
    let node = &view.plan.program.nodes[index(task.node)];
    let every = match probe {
        Probe::Until => match &node.kind {
            Kind::WaitUntil(poll) => Some(poll.every),
            _ => None,
        },
        Probe::Verify | Probe::NotDone => node.verify.map(|verify| verify.every),
        Probe::Guard(n) => node.guards.get(n as usize).map(|guard| guard.every),
    };
    Duration::from_millis(every.unwrap_or_default()).max(LEAST_TIME)
}

impl Check {
    /// The mask of whoever returns outputs.
    fn mask(&self) -> &Mask {
        match &self.how {
            How::Run | How::Verify => &self.ready.context.mask,
            How::RunThenVerify(owner) => &owner.context.mask,
        }
    }

    async fn run(&self) -> Seen {
        match &self.how {
            How::Run => self.look().await,
            How::Verify => self.verify(&self.ready).await,
            How::RunThenVerify(owner) => {
                let mut seen = self.look().await;
                if seen.grade == Grade::Pass {
                    seen.outputs = self.verify(owner).await.outputs;
                }
                seen
            }
        }
    }

    async fn look(&self) -> Seen {
        let Ready { step, call, context } = &self.ready;
        let running = step.run(call, context);
        let grace = context.shared.patience.grace + LAST_TIME;
        match bounded(running, &context.cancel, self.time, grace).await {
            Outcome::Done(success) => {
                let message = success.warning.or(success.note).unwrap_or_default();
                Seen { grade: Grade::Pass, message, outputs: Map::new() }
            }
            Outcome::Failed(failure) if says_no(failure.kind) => {
                Seen { grade: Grade::Fail, message: failure.message, outputs: Map::new() }
            }
            Outcome::Failed(failure) | Outcome::NotDone(failure) | Outcome::Unknown(failure) => {
                Seen::inconclusive(failure.message)
            }
        }
    }

    /// The step type's own look at its effect.
    async fn verify(&self, owner: &Ready) -> Seen {
        let Ready { step, call, context } = owner;
        let verdict: BoxFuture<'_, Verdict> = step.verify(call, context);
        let late = async {
            tokio::select! {
                () = tokio::time::sleep(self.time) => {}
                _ = context.cancel.cancelled() => {}
            }
        };
        tokio::select! {
            verdict = verdict => match verdict {
                Verdict::Done(outputs) => Seen { grade: Grade::Pass, message: "the effect is there".into(), outputs },
                Verdict::NotDone(message) => Seen { grade: Grade::Fail, message, outputs: Map::new() },
                Verdict::Unknown(message) => Seen::inconclusive(message),
            },
            () = late => Seen::inconclusive("looking at it took too long".into()),
        }
    }
}

impl Seen {
    fn inconclusive(message: String) -> Seen {
        Seen { grade: Grade::Inconclusive, message, outputs: Map::new() }
    }
}

/// Whether a failure of a check means that what was checked does not hold, rather than that it could not be seen.
fn says_no(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Check | FailureKind::Exit(_) | FailureKind::Http(_))
}

/// Whether all of them hold: the first that does not is why the effect must not happen.
pub(super) async fn all_hold(asserts: &[Check]) -> Result<(), Unready> {
    for check in asserts {
        let seen = check.run().await;
        if seen.grade != Grade::Pass {
            return Err(Unready {
                kind: if seen.grade == Grade::Fail { FailureKind::Check } else { FailureKind::Inconclusive },
                message: format!("assert_target: {}", seen.message),
                hint: None,
            });
        }
    }
    Ok(())
}
