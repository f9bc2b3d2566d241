//! What people are asked, in words.

use std::collections::BTreeMap;

use runbook_kernel::{About, TaskId};
use runbook_plan::Work;
use runbook_step::Value;
use runbook_wire::Grade;
use serde_json::Value as Json;

use crate::facts::index;
use crate::resolve::View;

/// A question, and what is shown with it.
pub(crate) fn question(view: View<'_>, about: About) -> (String, BTreeMap<String, Json>) {
    let path = |task: TaskId| view.name(task).path;
    let failure = |task: TaskId| {
        let why = view.facts.task(task).and_then(|facts| facts.failure.clone());
        why.map(|why| format!(" ({why})")).unwrap_or_default()
    };
    let text = match about {
        About::Human(task) => return human(view, task),
        About::InDoubt(task) => {
            format!("Nobody knows whether `{}` has had its effect{}. Is it there?", path(task), failure(task))
        }
        About::Warning(task) => {
            match view.facts.task(task).and_then(|facts| facts.warning.clone()) {
                Some(warning) => format!("`{}` went through with a warning: {warning}. Go on?", path(task)),
                None => format!("`{}` could not see what it looks for{}. Go on?", path(task), failure(task)),
            }
        }
        About::Rollback(None) => "The run has failed. Roll back what it did, or keep it?".to_owned(),
        About::Rollback(Some(task)) => match items_left(view, task) {
            Some(items) => format!("Not undone in `{}`: {items}. Undo it, or keep it?", path(task)),
            None => format!("`{}` has failed. Roll back what it did, or keep it?", path(task)),
        },
        About::AfterPivot => {
            "The run has failed after its point of no return. Keep it as it is, or try the failed steps again?".to_owned()
        }
        About::Drift(task) => {
            let looked = view.plan.program.nodes[index(task.node)].verify.is_some();
            let seen = view.facts.task(task).and_then(|facts| facts.verified.as_ref()).filter(|_| looked);
            let why = |message: &str| if message.is_empty() { String::new() } else { format!(": {message}") };
            let found = match seen {
                Some((Grade::Fail, message)) => {
                    format!("The effect of `{}` is not there any more{}.", path(task), why(message))
                }
                Some((_, message)) => {
                    format!("Whether the effect of `{}` is still there cannot be told{}.", path(task), why(message))
                }
                None => format!("`{}` has no `verify` that could tell whether its effect is still there.", path(task)),
            };
            format!("{found} Undo it all the same, or keep it?")
        }
    };
    (text, BTreeMap::new())
}

/// Keys of the items that somebody has to decide about; `None`: it is no `for_each`.
fn items_left(view: View<'_>, task: TaskId) -> Option<String> {
    const SHOWN: usize = 12;
    let items = &view.facts.task(task).filter(|facts| !facts.items.is_empty())?.items;
    let left = view.kernel.items_left(task);
    let keys = left.iter().filter_map(|at| items.get(*at as usize)).map(|(key, _)| key.as_str());
    let mut keys: Vec<&str> = keys.collect();
    let more = keys.len().saturating_sub(SHOWN);
    keys.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{}{more}", keys.join(", ")))
}

fn human(view: View<'_>, task: TaskId) -> (String, BTreeMap<String, Json>) {
    let empty = Value::Null;
    let params = view.facts.task(task).and_then(|facts| facts.started.as_ref()).map(|intent| &intent.params);
    let shown = |name: &str| params.and_then(|params| params.get(name)).unwrap_or(&empty);
    let message = shown("message").as_str().map(str::to_owned);
    let entries = |value: &Value| {
        let entries = value.as_map().into_iter().flatten();
        entries.map(|(name, value)| (name.clone(), value.to_json())).collect::<BTreeMap<_, _>>()
    };
    let path = view.name(task).path;
    match &view.plan.nodes[index(task.node)].work {
        Work::Approval(approval) => {
            let who = if approval.from_text.is_empty() {
                "anybody".to_owned()
            } else {
                approval.from_text.join(", ")
            };
            let people = if approval.count == 1 {
                "1 person".to_owned()
            } else {
                format!("{} people", approval.count)
            };
            let message = message.unwrap_or_else(|| format!("Approve `{path}`?"));
            (format!("{message} ({people}: {who})"), entries(shown("show")))
        }
        Work::Checklist(_) => {
            (message.unwrap_or_else(|| format!("Checklist `{path}`")), entries(shown("items")))
        }
        _ => (message.unwrap_or(path), BTreeMap::new()),
    }
}
