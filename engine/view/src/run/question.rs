//! Questions that were put, and answers that were given.

use std::collections::BTreeMap;

use runbook_wire::{About, Answer, Person, Task, Via};
use serde_json::Value;

use super::Key;
use crate::Stamp;

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub about: About,
    pub text: String,
    /// What people decide on.
    pub show: BTreeMap<String, Value>,
    /// Wall time, milliseconds.
    pub deadline_ms: Option<u64>,
    pub asked: Stamp,
    /// When it no longer stood by what was recorded about it.
    pub settled: Option<Stamp>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    pub about: About,
    pub answer: Answer,
    pub by: Person,
    pub via: Via,
    pub comment: Option<String>,
    pub at: Stamp,
    /// It no longer counts: the gate was found closed afterwards.
    pub void: bool,
}

/// The task that a question is about; `None` for the whole run.
pub(crate) fn subject(about: &About) -> Option<&Task> {
    match about {
        About::Human(task) | About::InDoubt(task) | About::Warning(task) | About::Drift(task) => Some(task),
        About::Rollback(task) => task.as_ref(),
        About::AfterPivot => None,
    }
}

impl Question {
    /// The task that it is about; `None` for the whole run.
    pub fn subject(&self) -> Option<&Task> {
        subject(&self.about)
    }

    pub(crate) fn is_about(&self, about: &About) -> bool {
        let same_kind = std::mem::discriminant(&self.about) == std::mem::discriminant(about);
        same_kind && self.subject().map(Key::of) == subject(about).map(Key::of)
    }
}
