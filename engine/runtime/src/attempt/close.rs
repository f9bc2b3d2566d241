//! `Close` and `Finish`: what groups and the run leave behind.

use std::collections::BTreeMap;

use runbook_kernel::TaskId;
use runbook_plan::{EvalError, Reference, Resolve, Template, Work};
use runbook_step::{Map, Path, Value};
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
            None => Ok(Computed::default()),
            Some(node) => {
                let case = view.facts.task(task).and_then(|facts| facts.case);
                let outputs = match (&node.work, case) {
                    (Work::Switch { outputs, .. }, Some(case)) => {
                        outputs.get(case as usize).unwrap_or(&node.outputs)
                    }
                    _ => &node.outputs,
                };
                compute(view, task, outputs)
            }
        };
        let mask = &self.shared.mask;
        let (kept, why) = match computed {
            Ok(Computed { outputs, masked }) => {
                let mut kept = outcome::masked(&outputs, mask);
                kept.masked.extend(masked);
                kept.masked.sort_unstable();
                kept.masked.dedup();
                (kept, None)
            }
            Err(unready) => (Kept::default(), Some(failure(unready.kind, unready.message, unready.hint))),
        };
        let failure = why.map(|why| outcome::masked_failure(why, mask));
        Body::Closed { task: name, attempt, outputs: kept.outputs, masked: kept.masked, failure }
    }

    /// The run's own outputs. One that cannot be computed is null; and why it cannot.
    pub(crate) fn run_outputs(&self, view: View<'_>) -> (BTreeMap<String, Json>, BTreeMap<String, String>) {
        let place = view.outside();
        let (mut outputs, mut why) = (Map::new(), BTreeMap::new());
        for (name, template) in &view.plan.outputs {
            let value = recordable(view, name, template.evaluate(&place)).unwrap_or_else(|unready| {
                why.insert(name.clone(), outcome::message(&unready.message, &self.shared.mask));
                Value::Null
            });
            outputs.insert(name.clone(), value);
        }
        (outcome::masked(&outputs, &self.shared.mask).outputs, why)
    }
}

/// The outputs of a group.
#[derive(Default)]
struct Computed {
    outputs: Map,
    /// Where they hand on what was hidden in an output: that is no data either, for whoever reads it there.
    masked: Vec<String>,
}

fn compute(view: View<'_>, task: TaskId, outputs: &[(String, Template)]) -> Result<Computed, Unready> {
    let place = view.at(task);
    let mut computed = Computed::default();
    for (name, template) in outputs {
        let value = match template.evaluate(&place) {
            Err(error) if error.withheld => {
                computed.masked.extend(handed_on(&place, name, template).iter().map(ToString::to_string));
                recordable(view, name, template.evaluate(&view.at(task).telling()))
            }
            value => recordable(view, name, value),
        };
        computed.outputs.insert(name.clone(), value?);
    }
    Ok(computed)
}

/// Where in an output there is what its template hands on of what is withheld: all of it, unless it is another output as it
/// is.
fn handed_on(place: &Place<'_>, name: &str, template: &Template) -> Vec<Path> {
    let whole = Path::default().name(name);
    let inside = || {
        let Template::Expr(expression) = template else { return None };
        let [reference @ Reference::Step { id, .. }] = expression.refs.as_slice() else { return None };
        let other: Path = expression.source.strip_prefix(&format!("steps.{id}."))?.parse().ok()?;
        let withheld = place.withheld(reference);
        let inside: Vec<Path> = withheld.iter().filter_map(|withheld| withheld.at.from(&other)).collect();
        (!inside.is_empty()).then_some(inside)
    };
    match inside() {
        Some(inside) => inside.iter().map(|below| whole.clone().join(below)).collect(),
        None => vec![whole],
    }
}

fn recordable(view: View<'_>, name: &str, value: Result<Value, EvalError>) -> Result<Value, Unready> {
    let value = value.map_err(|error| Unready::of_eval(view.plan, &error))?;
    if value.has_secret() {
        return Err(Unready::invalid(format!("output `{name}` holds a secret, and outputs are recorded")));
    }
    let json = BTreeMap::from([(name.to_owned(), value.to_json())]);
    keepable(&json, MOST_OUTPUT).map_err(|why| Unready::invalid(format!("its outputs {why}")))?;
    Ok(value)
}
