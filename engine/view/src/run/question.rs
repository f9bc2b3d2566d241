//! Questions that were put, and answers that were given.

use runbook_wire::{About, Answer, EntryKind, Person, Policy, Task, Via};
use serde_json::Value;

use super::{Key, Run};
use crate::{Now, Stamp};

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub about: About,
    pub text: String,
    /// What people decide on, in the order of the file.
    pub show: Vec<(String, Value)>,
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
    /// What is shown with it, by name, each in words: of an item of a checklist also whose it is, what is wanted as
    /// evidence, and that it may stay open.
    pub fn shown(&self, run: &Run) -> Vec<(String, String)> {
        let entry = self.subject().and_then(|task| run.outline.entries.get(task.node as usize));
        let checklist = entry.filter(|e| e.kind == EntryKind::Checklist).map(|e| &e.policy);
        let one = |(name, value): &(String, Value)| {
            let mut text = crate::short(value);
            let notes = checklist.map(|policy| notes(policy, name)).unwrap_or_default();
            if !notes.is_empty() {
                text.push_str(&format!(" ({})", notes.join("; ")));
            }
            (name.clone(), text)
        };
        self.show.iter().map(one).collect()
    }

    /// The task that it is about; `None` for the whole run.
    pub fn subject(&self) -> Option<&Task> {
        subject(&self.about)
    }

    /// Whether its time is over and nobody executes the run: it is settled as soon as somebody goes on with that.
    pub fn expired(&self, run: &Run, now: Now) -> bool {
        run.interrupted(now) && self.deadline_ms.is_some_and(|deadline| deadline <= now.wall_ms)
    }

    pub(crate) fn is_about(&self, about: &About) -> bool {
        let same_kind = std::mem::discriminant(&self.about) == std::mem::discriminant(about);
        same_kind && self.subject().map(Key::of) == subject(about).map(Key::of)
    }
}

/// What is said of an item beside its text.
fn notes(policy: &Policy, item: &str) -> Vec<String> {
    let mut notes: Vec<String> = policy.owners.get(item).cloned().into_iter().collect();
    notes.extend(policy.wanted.get(item).map(|wanted| format!("evidence: {wanted}")));
    notes.extend((!policy.items.iter().any(|id| id == item)).then(|| "optional".to_owned()));
    notes
}
