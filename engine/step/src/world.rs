//! The symbolic world of a rehearsal, and what a plan says would change.

use std::collections::BTreeMap;

use crate::Value;

/// A typed resource: `file:/etc/motd`, `http:http://router/live`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    pub kind: String,
    pub id: String,
}

/// What is known of the world: absent keys are unknown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    pub resources: BTreeMap<Resource, Value>,
}

/// One thing that running a step would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub resource: Resource,
    /// `create`, `update`, `delete`, `run`, `send`; a verb for the plan's line.
    pub verb: &'static str,
    /// Details: a diff, a count.
    pub detail: Option<String>,
    pub source: ChangeSource,
}

/// How we know of a [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSource {
    /// The real system was asked, read-only.
    Probed,
    /// Follows from the parameters.
    Simulated,
    /// Cannot be known before it runs.
    Unknown,
}
