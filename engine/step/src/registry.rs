//! The step types that a binary knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Declaration, Step};

/// Step types by name.
#[derive(Clone, Default)]
pub struct Registry {
    steps: BTreeMap<&'static str, Arc<dyn Step>>,
}

impl Registry {
    /// Adds a step type. A second one of the same name replaces the first.
    pub fn add(&mut self, step: impl Step + 'static) {
        let name = step.declaration().name;
        self.steps.insert(name, Arc::new(step));
    }

    /// The step type of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Step>> {
        self.steps.get(name)
    }

    /// All declarations, by name.
    pub fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.steps.values().map(|step| step.declaration())
    }
}
