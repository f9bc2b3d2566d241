//! Gates: what had been passed must still hold when the effect is about to happen.

use runbook_kernel::TaskId;
use runbook_plan::Work;
use runbook_wire::{Body, Task};

use super::Attempts;
use crate::clock::RunClock;
use crate::facts::index;
use crate::resolve::View;

/// The gates that a task has passed, and how long they hold.
pub(super) struct Gates {
    clock: RunClock,
    passed: Vec<Passed>,
}

struct Passed {
    gate: Task,
    /// Wall time, milliseconds since the Unix epoch.
    until: u64,
    valid_for: u64,
}

impl Attempts {
    pub(super) fn gates(&self, view: View<'_>, task: TaskId) -> Gates {
        let gates = &view.plan.program.nodes[index(task.node)].gates;
        let passed = gates.iter().filter_map(|gate| view.kernel.visible(task, *gate)).filter_map(|gate| {
            let Work::Approval(approval) = &view.plan.nodes[index(gate.node)].work else { return None };
            let valid_for = approval.valid_for?;
            let last = view.facts.task(gate)?.votes.iter().map(|(_, at)| *at).max()?;
            Some(Passed { gate: view.name(gate), until: last.saturating_add(valid_for), valid_for })
        });
        Gates { clock: self.shared.clock, passed: passed.collect() }
    }
}

impl Gates {
    /// A gate that does not hold any more, as the answer to `Prepare` or `Perform`. To be asked right before the answer, or
    /// the effect.
    pub(super) fn closed(&self, task: &Task, attempt: u32) -> Option<Body> {
        let now = self.clock.wall_ms();
        let Passed { gate, valid_for, .. } = self.passed.iter().find(|passed| now > passed.until)?;
        let reason =
            format!("the approval `{}` was valid for {} s and has expired", gate.path, valid_for / 1000);
        Some(Body::GateClosed { task: task.clone(), attempt, gate: gate.clone(), reason })
    }
}
