//! Moments of a run: where to cut, and which moment a cut really hit.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::{Effect, Shape};

/// A kind of moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Nothing is under way: the next step is being prepared.
    Prepare,
    /// The intent is on disk, the effect has not happened.
    StartedToEffect,
    /// The effect has happened, its result is not on disk.
    EffectToResult,
    /// An attempt failed, the next one has not begun.
    RetryDelay,
    Wait,
    Undo,
    Finally,
}

impl Moment {
    pub const ALL: [Moment; 7] = [
        Moment::Prepare,
        Moment::StartedToEffect,
        Moment::EffectToResult,
        Moment::RetryDelay,
        Moment::Wait,
        Moment::Undo,
        Moment::Finally,
    ];
}

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// After so many events of this kind, and a little later.
    Event { like: Moment, nth: u64, later: Duration },
    /// As soon as the ledger has grown so many times.
    Effect { nth: u64 },
}

impl Cut {
    /// Whether an event is one after which the moment may be hit.
    pub fn counts(like: Moment, event: &Value, shape: &Shape) -> bool {
        let node = event["task"]["node"].as_u64().unwrap_or(u64::MAX);
        let (started, ended) = (event["type"] == "started", event["type"] == "ended");
        match like {
            Moment::Prepare => shape.prepares.contains(&crate::shape::place(event)),
            Moment::StartedToEffect | Moment::EffectToResult => started && shape.effects.contains(&node),
            Moment::RetryDelay => ended && failed(event),
            Moment::Wait => shape.waits.contains(&node),
            Moment::Undo => (started || ended) && shape.undo.contains(&node),
            Moment::Finally => (started || ended) && shape.finally.contains(&node),
        }
    }
}

/// Whether an attempt ended in a way that `retry` may follow.
fn failed(event: &Value) -> bool {
    matches!(event["result"].as_str(), Some("failed" | "not_done"))
}

/// The moments that a cut hit, from the events that were on disk at the cut and those that came later, and from the effects
/// that had happened at the cut and those that came later. Several can be true at once: an undo can be between its effect
/// and its result. Empty where the run was over.
///
/// Whether an effect had happened can only be told of those that the ledger holds in the end.
pub fn moments(
    (before, after): (&[Value], &[Value]),
    (happened, later): (&[Effect], &[Effect]),
    shape: &Shape,
) -> BTreeSet<Moment> {
    let holds = |effects: &[Effect], key: &Value| {
        effects.iter().any(|effect| Some(effect.key.as_str()) == key.as_str())
    };
    let task = |event: &Value| {
        let task = if event["task"].is_null() { &event["about"]["task"] } else { &event["task"] };
        (task["frame"].as_u64(), task["node"].as_u64())
    };
    let mut open: BTreeMap<_, &Value> = BTreeMap::new();
    let mut last_result: BTreeMap<_, &Value> = BTreeMap::new();
    for event in before {
        match event["type"].as_str() {
            Some("started") => drop(open.insert(task(event), event)),
            Some("ended") => {
                open.remove(&task(event));
                last_result.insert(task(event), event);
            }
            Some("fired" | "answered") => drop(open.remove(&task(event))),
            _ => {}
        }
    }
    // No event says that a wait is over: it is, if nothing is heard of it any more.
    open.retain(|at, _| {
        !shape.waits.contains(&at.1.unwrap_or(u64::MAX)) || after.iter().any(|later| task(later) == *at)
    });
    let mut hit = BTreeSet::new();
    let finished = before.iter().any(|event| event["type"] == "finished");
    for (at, event) in &open {
        let node = at.1.unwrap_or(u64::MAX);
        if shape.undo.contains(&node) {
            hit.insert(Moment::Undo);
        }
        if shape.finally.contains(&node) {
            hit.insert(Moment::Finally);
        }
        if shape.waits.contains(&node) {
            hit.insert(Moment::Wait);
        }
        if shape.effects.contains(&node) {
            if holds(happened, &event["key"]) {
                hit.insert(Moment::EffectToResult);
            } else if holds(later, &event["key"]) {
                hit.insert(Moment::StartedToEffect);
            }
        }
    }
    for (at, event) in &last_result {
        let again = after.iter().any(|later| {
            later["type"] == "started"
                && task(later) == *at
                && later["attempt"].as_u64() > event["attempt"].as_u64()
        });
        if failed(event) && again && !open.contains_key(at) {
            hit.insert(Moment::RetryDelay);
        }
    }
    if finished {
        return BTreeSet::new();
    }
    if open.is_empty() && hit.is_empty() {
        hit.insert(Moment::Prepare);
    }
    hit
}
