//! The shape of a plan, as views need it: stored once per plan, beside the events.

use serde::{Deserialize, Serialize};

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
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The last segment of its path: the id, or `finally[0]`, `undo`, `undo[1]`, `require[0]`.
    pub segment: String,
    /// `name:`, where there is one.
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
    pub needs: Vec<u32>,
    pub promise: Promise,
    pub pivot: bool,
    pub place: Place,
    /// Labels of a switch's cases, with the nodes of each.
    pub cases: Vec<(String, Vec<u32>)>,
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
