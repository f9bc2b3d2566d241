//! The shape of a plan, as views need it: stored once per plan, beside the events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The shape of a plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outline {
    pub name: String,
    pub summary: String,
    pub owner: Option<String>,
    /// By the kernel's node number.
    pub entries: Vec<Entry>,
    /// Node numbers of the runbook's own steps, in the order of the file.
    pub steps: Vec<u32>,
    pub finally: Vec<u32>,
    /// The runbook's `on_failure.rollback`: `auto`, `ask`, `none`.
    #[serde(default)]
    pub rollback: String,
    /// The runbook's `outputs`, as written: constants as they are, expressions as null. A report needs them where a
    /// run did not get as far as to compute them.
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The last segment of its path: the id, or `finally[0]`, `undo`, `undo[1]`, `require[0]`.
    pub segment: String,
    /// `name:`, where there is one; as written where it depends on the run, and then rendered in `Started` or `Entered`.
    pub title: Option<String>,
    pub kind: EntryKind,
    /// `http.check`, `run`, the called file, the approval's roles: one short phrase.
    pub what: String,
    /// `pure`, `read`, `write`, `notify`.
    pub effect: String,
    pub parent: Option<u32>,
    /// Children in the order of the file (bodies, all cases).
    pub children: Vec<u32>,
    /// Nodes of its undo scope.
    pub undo: Vec<u32>,
    /// Nodes of its own `finally`.
    pub finally: Vec<u32>,
    /// Siblings that it waits for, without those that others imply.
    pub needs: Vec<u32>,
    pub promise: Promise,
    pub pivot: bool,
    pub place: Place,
    /// Labels of a switch's cases, with the nodes of each.
    pub cases: Vec<(String, Vec<u32>)>,
    #[serde(default)]
    pub role: Role,
    #[serde(default)]
    pub policy: Policy,
}

impl Entry {
    /// The effect in words: also whether that it does not write is the file's word alone.
    pub fn effect_words(&self) -> String {
        format!("{}{}", self.effect, if self.policy.claimed { " (claimed)" } else { "" })
    }
}

/// Which list of its owner (of the runbook, where it has no parent) a node stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Steps that run forward: the runbook's, a group's, a case's, an item's.
    #[default]
    Body,
    /// Between two batches of a `for_each`.
    Between,
    /// A probe that must hold before the owner is undone.
    Require,
    /// Brings the owner's effect back.
    Undo,
    Finally,
    /// `on_failure.first`.
    First,
    /// `on_failure.after_pivot`.
    AfterPivot,
    Revert,
}

/// What the plan fixed about a node, as far as a reader must know it to say what the node waits for, who can act, when
/// it gives up, and what a failure of it means. Times are milliseconds. What does not apply is `None`, 0 or empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// `timeout`: of one attempt, of a wait, of a question.
    pub timeout_ms: Option<u64>,
    /// `deadline`: of all attempts together.
    pub deadline_ms: Option<u64>,
    /// `wait.for`; of a `wait.until`, its `hold`.
    pub hold_ms: Option<u64>,
    /// `retry.max_attempts`; 0 and 1 mean no retry.
    pub attempts: u32,
    /// `retry.only`, as written; empty: any failure.
    pub only: Vec<String>,
    /// A failure does not fail the scope: `continue_on_error`, or a notification that is not `required`.
    pub tolerated: bool,
    /// `on_warning`, where it is not `continue`: `ask`, `fail`.
    pub on_warning: Option<String>,
    /// `on_inconclusive`, where it is not `fail`: `continue`, `ask`.
    pub on_inconclusive: Option<String>,
    /// There is a `verify` that runs after each `done`.
    pub verify: bool,
    /// A `verify` looks on doubt, for so long; `None`: there is none.
    pub within_ms: Option<u64>,
    /// A mismatch that lasts for `within` proves that nothing happened.
    pub proves_absence: bool,
    /// There is a second probe, for that nothing happened.
    pub not_done: bool,
    /// `on_in_doubt`, where it is not `ask`: `retry`, `compensate`.
    pub on_in_doubt: Option<String>,
    /// Of each guard: this many in a row that did not pass trip it.
    pub guards: Vec<u32>,
    /// approval: how many people.
    pub count: u32,
    /// approval: as written (`role:release_manager`); empty: anybody. checklist: the items' owners.
    pub who: Vec<String>,
    pub exclude_requester: bool,
    /// checklist: ids of the required items.
    pub items: Vec<String>,
    /// checklist: ids of the items that want evidence.
    pub evidence: Vec<String>,
    /// approval: the names of what it shows. checklist: the ids of its items. Both in the order of the file.
    pub shown: Vec<String>,
    /// checklist: who is responsible for an item, by its id, where the file says so.
    pub owners: BTreeMap<String, String>,
    /// checklist: what is wanted as evidence for an item, in the file's words, by its id.
    pub wanted: BTreeMap<String, String>,
    /// prompt: the answers that it takes, as they are typed; empty: there are too many to list.
    pub choices: Vec<String>,
    /// `for_each`: tolerated failures in all.
    pub max_failures: u32,
    /// `for_each`: sizes of the batches as written (`1`, `25%`, `rest`); empty: one batch.
    pub batches: Vec<String>,
    /// Tolerated failures of each of the `batches`.
    pub batch_failures: Vec<u32>,
    /// `when`, as written.
    pub when: Option<String>,
    /// `when` is known before the run, and does not hold: the step will be skipped, with all that is inside it.
    pub left_out: bool,
    /// What decides which program it runs and is only known in the run, so that no program is pinned: a phrase.
    pub unpinned: Option<String>,
    /// The file says `effect: read` or `notify` of a step type that may do anything, and nothing checks that.
    pub claimed: bool,
    /// A group's own `on_failure.rollback`; of a `for_each`, which items it undoes (`all`, `batch`, `failed`).
    pub rollback: Option<String>,
}

/// How a node's effect comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", content = "text", rename_all = "snake_case")]
pub enum Promise {
    /// Has no effect.
    NothingToUndo,
    /// The step type's own undo, in its words.
    Own(String),
    /// Steps written in the file.
    Steps,
    /// Its children's undos.
    Children,
    /// `rollback: none`, and the reason.
    None(String),
    /// `irreversible`, and the reason.
    Irreversible(String),
    /// A write that says nothing about its undo.
    Missing,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    Action,
    Wait,
    Approval,
    Checklist,
    Prompt,
    Window,
    Group,
    Switch,
    Call,
    ForEach,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}
