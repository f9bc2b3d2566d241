//! Diagnostics as they are found, bounded.

use crate::{Diagnostic, FileId, Span, codes};

/// More than this many faults are counted, not described: nobody reads them, and a megabyte of nonsense has a hundred
/// thousand.
const MAX_FAULTS: usize = 500;

/// The faults of one file.
#[derive(Debug)]
pub(crate) struct Report {
    file: FileId,
    faults: Vec<Diagnostic>,
    more: usize,
}

impl Report {
    pub(crate) fn new(file: FileId) -> Report {
        Report { file, faults: Vec::new(), more: 0 }
    }

    /// Adds a fault, unless there are enough. It is made only then.
    pub(crate) fn add(&mut self, fault: impl FnOnce() -> Diagnostic) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault());
        } else {
            self.more += 1;
        }
    }

    /// Whether further faults are only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    /// All faults in the order of the file. An alias shows one fault in several places; it is reported once.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        let place = |fault: &Diagnostic| (fault.primary.span, fault.code);
        self.faults.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.message.cmp(&b.message)));
        self.faults.dedup();
        if self.more > 0 {
            let message = format!("{} more faults are not shown", self.more);
            let end = self.faults.last().map_or(Span::new(self.file, 0..0), |last| last.primary.span);
            self.faults
                .push(Diagnostic::error(codes::TOO_MANY_FAULTS, end, message).hint("Mend these first."));
        }
        self.faults
    }
}
