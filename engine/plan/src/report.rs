//! What is wrong, collected.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use runbook_syntax::{Code, Diagnostic, Severity, Span, codes, did_you_mean};

/// More errors than this, and more warnings than this, are counted, not kept: nobody reads them.
const MAX_FAULTS: usize = 500;
/// The most names that are looked at for what may have been meant, over all faults.
const MAX_GUESSES: usize = 40_000;
/// More names than this are not listed.
const MAX_NAMES: usize = 12;

/// Collects diagnostics. Shared by all parts of planning, so it takes them through a shared reference.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: RefCell<Vec<Diagnostic>>,
    /// A runbook that is called twice is planned twice; its faults are said once. Without their hints, which depend on
    /// how many there were before.
    said: RefCell<HashSet<Diagnostic>>,
    /// Those that are only counted.
    beyond: RefCell<HashSet<(Code, Span)>>,
    kept: Tally,
    all: Tally,
    guesses: Cell<usize>,
    strict: bool,
}

#[derive(Debug, Default)]
struct Tally {
    errors: Cell<usize>,
    warnings: Cell<usize>,
}

impl Tally {
    fn of(&self, severity: Severity) -> &Cell<usize> {
        match severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        }
    }

    fn add(&self, severity: Severity) {
        let count = self.of(severity);
        count.set(count.get() + 1);
    }
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
        let severity = diagnostic.severity;
        let key = Diagnostic { hint: None, ..diagnostic.clone() };
        if self.said.borrow().contains(&key) {
            return;
        }
        // That a file has more faults than its reader kept is no fault among others.
        let counts = diagnostic.code != codes::TOO_MANY_FAULTS;
        if counts && self.kept.of(severity).get() >= MAX_FAULTS {
            if self.beyond.borrow_mut().insert((diagnostic.code, diagnostic.primary.span)) {
                self.all.add(severity);
            }
            return;
        }
        if counts {
            self.kept.add(severity);
            self.all.add(severity);
        }
        self.said.borrow_mut().insert(key);
        self.found.borrow_mut().push(diagnostic);
    }

    pub(crate) fn extend(&self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// "Did you mean", over names that a file may have thousands of.
    pub(crate) fn did_you_mean<'n>(
        &self,
        word: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Option<String> {
        let names = names.into_iter().inspect(|_| self.guesses.set(self.guesses.get() + 1));
        did_you_mean(word, names.take_while(|_| self.guesses.get() < MAX_GUESSES))
    }

    /// The name that was meant, or all that there are.
    pub(crate) fn which_of<'n>(
        &self,
        word: &str,
        names: impl IntoIterator<Item = &'n str, IntoIter: Clone>,
    ) -> Option<String> {
        let names = names.into_iter();
        self.did_you_mean(word, names.clone()).or_else(|| {
            let names: Vec<&str> = names.take(MAX_NAMES + 1).collect();
            let few = !names.is_empty() && names.len() <= MAX_NAMES;
            few.then(|| format!("It has {}.", and(&names)))
        })
    }

    /// Whether something has been reported within a place.
    pub(crate) fn has_fault_in(&self, span: Span) -> bool {
        let inside =
            |found: Span| found.file == span.file && span.start <= found.start && found.end <= span.end;
        self.found.borrow().iter().any(|diagnostic| inside(diagnostic.primary.span))
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.all.errors.get()
    }

    /// In the order of the files and places.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|diagnostic| {
            let span = diagnostic.primary.span;
            (span.file, span.start, diagnostic.code, span.end)
        });
        for severity in [Severity::Error, Severity::Warning] {
            let more = self.all.of(severity).get() - self.kept.of(severity).get();
            let last = found.iter().rfind(|diagnostic| diagnostic.severity == severity);
            if let Some(last) = last.filter(|_| more > 0) {
                let what = if severity == Severity::Error { "faults" } else { "warnings" };
                let message = format!("{more} more {what} are not shown");
                let fault = Diagnostic::error(codes::TOO_MANY_FAULTS, last.primary.span, message);
                found.push(Diagnostic { severity, ..fault.hint("Mend these first.") });
            }
        }
        found
    }
}

/// "`a`, `b` and `c`".
pub(crate) fn and(names: &[&str]) -> String {
    runbook_syntax::alternatives(names.iter().copied()).replace(" or ", " and ")
}
