//! `Close` and `Finish`: what groups and the run leave behind.

use std::collections::BTreeMap;

use runbook_kernel::TaskId;
use runbook_plan::{Template, Work};
use runbook_step::{FailureKind, Map, Value};
use runbook_wire::Body;
use serde_json::Value as Json;

use super::{Attempts, Unready, failure, outcome};
use crate::facts::index;
use crate::resolve::{Place, View};

impl Attempts {
    /// The declared outputs of a group, a case or a call that has ended.
    pub(crate) fn close(&self, view: View<'_>, task: TaskId, attempt: u32) -> Body {
        let name = view.name(task);
        let computed = match view.plan.nodes.get(index(task.node)) {
            None => Ok(Map::new()),
            Some(node) => {
                let case = view.facts.task(task).and_then(|facts| facts.case);
                let outputs = match (&node.work, case) {
                    (Work::Switch { outputs, .. }, Some(case)) => {
                        outputs.get(case as usize).unwrap_or(&node.outputs)
                    }
                    _ => &node.outputs,
                };
                compute(view, &view.at(task), outputs)
            }
        };
        let mask = &self.shared.mask;
        let (outputs, why) = match computed {
            Ok(outputs) => (outcome::masked(&outputs, mask), None),
            Err(unready) => (BTreeMap::new(), Some(failure(unready.kind, unready.message, unready.hint))),
        };
        let failure = why.map(|why| outcome::masked_failure(why, mask));
        Body::Closed { task: name, attempt, outputs, failure }
    }

    /// The run's own outputs. One that has no value (its step did not run) is null.
    pub(crate) fn run_outputs(&self, view: View<'_>) -> BTreeMap<String, Json> {
        let place = view.outside();
        let outputs = view.plan.outputs.iter().map(|(name, template)| {
            let value = template.evaluate(&place).ok().filter(|value| !value.has_secret());
            (name.clone(), value.unwrap_or_default())
        });
        outcome::masked(&outputs.collect(), &self.shared.mask)
    }
}

fn compute(view: View<'_>, place: &Place<'_>, outputs: &[(String, Template)]) -> Result<Map, Unready> {
    let one = |(name, template): &(String, Template)| -> Result<(String, Value), Unready> {
        let value = template.evaluate(place).map_err(|error| Unready::of_eval(view.plan, &error))?;
        if value.has_secret() {
            let message = format!("output `{name}` holds a secret, and outputs are recorded");
            return Err(Unready { kind: FailureKind::Invalid, message, hint: None });
        }
        Ok((name.clone(), value))
    };
    outputs.iter().map(one).collect()
}
