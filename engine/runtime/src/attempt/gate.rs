//! Gates: what had been passed must still hold when the effect is about to happen.

use runbook_kernel::TaskId;
use runbook_plan::Work;
use runbook_step::FailureKind;
use runbook_wire::Body;

use super::{Attempts, Unready};
use crate::facts::index;
use crate::resolve::View;

impl Attempts {
    /// A gate that was passed and does not hold any more, as the answer to `Prepare`.
    pub(super) fn closed_gate(&self, view: View<'_>, task: TaskId, attempt: u32) -> Option<Body> {
        let (gate, reason) = self.closed(view, task)?;
        Some(Body::GateClosed { task: view.name(task), attempt, gate: view.name(gate), reason })
    }

    /// The same right before the effect: nothing has happened yet, and the attempt ends so.
    pub(super) fn still_open(&self, view: View<'_>, task: TaskId) -> Result<(), Unready> {
        self.closed(view, task).map_or(Ok(()), |(_, reason)| {
            Err(Unready { kind: FailureKind::Check, message: reason, hint: None })
        })
    }

    fn closed(&self, view: View<'_>, task: TaskId) -> Option<(TaskId, String)> {
        let now = self.shared.clock.wall_ms();
        let gates = &view.plan.program.nodes[index(task.node)].gates;
        gates.iter().filter_map(|gate| view.kernel.visible(task, *gate)).find_map(|gate| {
            let node = &view.plan.nodes[index(gate.node)];
            let Work::Approval(approval) = &node.work else { return None };
            let valid_for = approval.valid_for?;
            let passed = view.facts.task(gate)?.votes.iter().map(|(_, at)| *at).max()?;
            (now > passed.saturating_add(valid_for)).then(|| {
                let path = view.name(gate).path;
                (gate, format!("the approval `{path}` was valid for {} s and has expired", valid_for / 1000))
            })
        })
    }
}
