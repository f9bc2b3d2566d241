//! `Close` and `Finish`: what groups and the run leave behind.

use std::collections::BTreeMap;

use runbook_kernel::TaskId;
use runbook_plan::{Template, Work};
use runbook_step::{Map, Value};
use runbook_wire::Body;
use serde_json::Value as Json;

use super::outcome::Kept;
use super::{Attempts, MOST_OUTPUT, Unready, failure, keepable, outcome};
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
        let (kept, why) = match computed {
            Ok(outputs) => (outcome::masked(&outputs, mask), None),
            Err(unready) => (Kept::default(), Some(failure(unready.kind, unready.message, unready.hint))),
        };
        let failure = why.map(|why| outcome::masked_failure(why, mask));
        Body::Closed { task: name, attempt, outputs: kept.outputs, masked: kept.masked, failure }
    }

    /// The run's own outputs. One that cannot be computed is null; and why it cannot.
    pub(crate) fn run_outputs(&self, view: View<'_>) -> (BTreeMap<String, Json>, BTreeMap<String, String>) {
        let place = view.outside();
        let (mut outputs, mut why) = (Map::new(), BTreeMap::new());
        for output in &view.plan.outputs {
            let value = compute_one(view, &place, output).unwrap_or_else(|unready| {
                why.insert(output.0.clone(), outcome::message(&unready.message, &self.shared.mask));
                Value::Null
            });
            outputs.insert(output.0.clone(), value);
        }
        (outcome::masked(&outputs, &self.shared.mask).outputs, why)
    }
}

fn compute(view: View<'_>, place: &Place<'_>, outputs: &[(String, Template)]) -> Result<Map, Unready> {
    let one = |output: &(String, Template)| Ok((output.0.clone(), compute_one(view, place, output)?));
    outputs.iter().map(one).collect()
}

fn compute_one(
    view: View<'_>,
    place: &Place<'_>,
    (name, template): &(String, Template),
) -> Result<Value, Unready> {
    let value = template.evaluate(place).map_err(|error| Unready::of_eval(view.plan, &error))?;
    if value.has_secret() {
        return Err(Unready::invalid(format!("output `{name}` holds a secret, and outputs are recorded")));
    }
    let json = BTreeMap::from([(name.clone(), value.to_json())]);
    keepable(&json, MOST_OUTPUT).map_err(|why| Unready::invalid(format!("its outputs {why}")))?;
    Ok(value)
}
