//! What a step leaves as evidence, short enough for a cell. All of it is in the JSON report and the journal.

use runbook_wire::{Grade, Probe};
use serde_json::Value;

use crate::{Node, Run, TaskState, timeline, value};

/// Of one value.
const VALUE: usize = 160;

/// Of everything that a step says, in characters.
const STEP: usize = 600;

/// A step's note, who decided, its warning, what its checks saw, and those of its outputs that say more.
pub(crate) fn evidence(run: &Run, node: &Node<'_>) -> Vec<String> {
    let Some(task) = node.task else { return Vec::new() };
    let mut all: Vec<String> = task.note.iter().cloned().collect();
    if node.is_human() {
        all.extend(crate::render::given(run, node).into_iter().map(timeline::answer));
        let open = crate::choices::left_open(run, node);
        all.extend((!open.is_empty()).then(|| format!("left open: {} (optional)", open.join(", "))));
    }
    let warnings = task.warning.iter().cloned().chain(value::masked(&task.masked));
    all.extend(warnings.map(|warning| format!("warning: {warning}")));
    for probe in &task.probes {
        let what = match probe.probe {
            Probe::Until => "waited until",
            Probe::Verify => "verified",
            Probe::NotDone => "verified that it did not happen",
            Probe::Guard(_) => "guarded",
        };
        let looks = if probe.rounds == 1 { "1 look".to_owned() } else { format!("{} looks", probe.rounds) };
        let grade = match probe.last.grade {
            Grade::Pass => "held",
            Grade::Fail => "did not hold",
            Grade::Inconclusive => "could not be seen",
        };
        let message =
            if probe.last.message.is_empty() { String::new() } else { format!(": {}", probe.last.message) };
        if task.note.as_deref() != Some(probe.last.message.as_str()) || probe.last.message.is_empty() {
            all.push(format!("{what} ({looks}), {grade}{message}"));
        }
    }
    all.extend(outputs(task));
    bounded(all)
}

/// Outputs that say more than the note does. An answer's headers and body are not among them, as text or as JSON: they are
/// long, and what mattered in them is what was expected of them.
fn outputs(task: &TaskState) -> Vec<String> {
    let outputs = &task.outputs;
    let answer = ["status", "headers", "body"].iter().all(|name| outputs.contains_key(*name));
    let bulk = |name: &str| answer && matches!(name, "headers" | "body" | "json");
    let noted = |text: &str| task.note.iter().any(|note| note.split_whitespace().any(|word| word == text));
    let telling = outputs.iter().filter(|(name, v)| !v.is_null() && !bulk(name));
    let mut all: Vec<String> = telling
        .map(|(name, v)| (name, value::short(v)))
        .filter(|(_, text)| !noted(text))
        .map(|(name, text)| format!("{name} = {}", clip(&text, VALUE)))
        .collect();
    let expected = task
        .params
        .get("expect")
        .filter(|v| answer && !v.is_null() && **v != Value::Object(Default::default()));
    all.extend(expected.map(|v| format!("expected {}", clip(&value::short(v), VALUE))));
    all
}

/// As much as fits, and how much is left out.
fn bounded(mut all: Vec<String>) -> Vec<String> {
    let mut used = 0;
    let fits = all.iter().take_while(|line| {
        used += line.chars().count();
        used <= STEP
    });
    let fits = fits.count().max(1);
    if fits < all.len() {
        let more = all.len() - fits;
        all.truncate(fits);
        all.push(format!("and {more} more, in the JSON report"));
    }
    all.iter_mut().for_each(|line| *line = clip(line, STEP));
    all
}

/// The beginning of a long text, and how long it is.
pub(crate) fn clip(text: &str, long: usize) -> String {
    let count = text.chars().count();
    if count <= long {
        return text.to_owned();
    }
    let head: String = text.chars().take(long).collect();
    format!("{head}… ({count} characters)")
}
