//! `wait`.

use runbook_kernel::{Effect, Kind, Ms, NodeId, Poll};
use runbook_syntax::Spanned;
use runbook_syntax::ast::{Step, Wait};

use super::Draft;
use crate::model::Work;
use crate::planner::Planner;
use crate::scope::{At, Place};

/// Where a file says nothing. Every wait has an end.
const EVERY: Ms = 2_000;
const TIMEOUT: Ms = 600_000;

impl Planner<'_> {
    pub(super) fn wait_node(&self, id: NodeId, step: &Step, wait: &Spanned<Wait>, draft: &mut Draft) {
        let place = self.place(id);
        let start = Place { at: At::Start, ..place };
        let period = |data: &Option<_>, what| data.as_ref().and_then(|data| self.period(data, start, what));
        match &wait.value {
            Wait::For(time) => {
                draft.kernel.kind = Kind::WaitFor(self.duration(time, start, "`for`").unwrap_or(0));
                draft.plan.work = Work::WaitFor;
                let reason = "nothing runs, and nothing fails, while time passes";
                if let Some((first, _)) = step.env.first() {
                    self.useless("env", first.span, reason);
                }
                if let Some(cwd) = &step.cwd {
                    self.useless("cwd", cwd.span, reason);
                }
                if let Some(retry) = &step.retry {
                    self.useless("retry", retry.span, reason);
                }
            }
            Wait::Until { check, every, hold, timeout } => {
                draft.kernel.effect = Effect::Read;
                draft.kernel.kind = Kind::WaitUntil(Poll {
                    every: period(every, "`every`").unwrap_or(EVERY),
                    hold: hold.as_ref().and_then(|hold| self.duration(hold, start, "`hold`")).unwrap_or(0),
                    timeout: period(timeout, "`timeout`").unwrap_or(TIMEOUT),
                });
                if let Some(check) = self.check(check, place, Some(id), "until") {
                    draft.plan.work = Work::WaitUntil(check);
                }
            }
        }
        if let Some(timeout) = &step.timeout {
            self.useless(
                "timeout",
                timeout.span,
                "a wait has its own: write it inside `wait`, or a `deadline` here",
            );
        }
        self.only_of_checks(step);
    }
}
