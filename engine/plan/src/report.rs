//! What is wrong, collected.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use runbook_syntax::{Diagnostic, Severity, Span};

/// Collects diagnostics. Shared by all parts of planning, so it takes them through a shared reference.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: RefCell<Vec<Diagnostic>>,
    /// A runbook that is called twice is planned twice; its faults are said once.
    said: RefCell<HashSet<Diagnostic>>,
    errors: Cell<usize>,
    strict: bool,
}

impl Report {
    /// With `strict`, warnings are errors.
    pub(crate) fn new(strict: bool) -> Report {
        Report { strict, ..Report::default() }
    }

    pub(crate) fn push(&self, mut diagnostic: Diagnostic) {
        if self.strict {
            diagnostic.severity = Severity::Error;
        }
        if self.said.borrow_mut().insert(diagnostic.clone()) {
            if diagnostic.severity == Severity::Error {
                self.errors.set(self.errors.get() + 1);
            }
            self.found.borrow_mut().push(diagnostic);
        }
    }

    pub(crate) fn extend(&self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Whether something has been reported within a place.
    pub(crate) fn has_fault_in(&self, span: Span) -> bool {
        let inside =
            |found: Span| found.file == span.file && span.start <= found.start && found.end <= span.end;
        self.found.borrow().iter().any(|diagnostic| inside(diagnostic.primary.span))
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors.get()
    }

    /// In the order of the files and places.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|diagnostic| {
            let span = diagnostic.primary.span;
            (span.file, span.start, diagnostic.code, span.end)
        });
        found
    }
}
