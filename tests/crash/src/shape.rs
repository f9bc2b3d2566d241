//! Which nodes of the plan are undos, waits, `finally`: from `runbook plan -o json`.

use std::collections::BTreeSet;

use serde_json::Value;

/// The parts of an outline that tell moments apart.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    pub undo: BTreeSet<u64>,
    pub finally: BTreeSet<u64>,
    pub waits: BTreeSet<u64>,
    /// Steps whose attempts touch the world.
    pub effects: BTreeSet<u64>,
    /// Events, by type and path, after which a step that touches the world takes its time to prepare: see [`Shape::learn`].
    pub prepares: BTreeSet<(String, String)>,
}

/// A gap before an intent that is long enough to be hit, in milliseconds.
const LONG: u64 = 2;

/// What tells events of different runs of a plan apart.
pub(crate) fn place(event: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&event["type"]), text(&event["task"]["path"]))
}

impl Shape {
    /// Takes from an undisturbed run where preparing takes its time: most steps start in the commit of what they waited
    /// for, and there is no moment between the two.
    pub fn learn(&mut self, events: &[Value]) {
        let wall = |event: &Value| event["wall_ms"].as_u64().unwrap_or_default();
        for pair in events.windows(2) {
            let [before, after] = pair else { continue };
            let effect = after["task"]["node"].as_u64().is_some_and(|node| self.effects.contains(&node));
            if after["type"] == "started" && effect && wall(after) >= wall(before) + LONG {
                self.prepares.insert(place(before));
            }
        }
    }

    /// Reads an outline.
    pub fn of(outline: &Value) -> Shape {
        let entries = outline["entries"].as_array().cloned().unwrap_or_default();
        let numbers = |value: &Value| -> Vec<u64> {
            value.as_array().map(|list| list.iter().filter_map(Value::as_u64).collect()).unwrap_or_default()
        };
        let below = |roots: Vec<u64>| -> BTreeSet<u64> {
            let mut found = BTreeSet::new();
            let mut open = roots;
            while let Some(node) = open.pop() {
                if found.insert(node) {
                    let entry = entries.get(node as usize).cloned().unwrap_or_default();
                    open.extend(
                        ["children", "undo", "finally"].iter().flat_map(|name| numbers(&entry[*name])),
                    );
                }
            }
            found
        };
        let mut shape = Shape { finally: below(numbers(&outline["finally"])), ..Shape::default() };
        shape.undo = below(entries.iter().flat_map(|entry| numbers(&entry["undo"])).collect());
        for (node, entry) in entries.iter().enumerate() {
            let node = node as u64;
            match (entry["kind"].as_str(), entry["effect"].as_str()) {
                (Some("wait"), _) => drop(shape.waits.insert(node)),
                (Some("action"), Some("write" | "notify")) => drop(shape.effects.insert(node)),
                _ => {}
            }
        }
        shape
    }
}
