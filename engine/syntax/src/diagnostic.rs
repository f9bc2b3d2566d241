//! Diagnostics as data. Rendering is elsewhere.

use crate::Span;

/// The identity of a diagnostic, `E204`: stable, never reused, with a page `docs/errors/E204.md`.
/// Ranges: E1xx YAML, E2xx keys and shape, E3xx expressions and types, E4xx references and graph, E5xx effects and
/// undo, E6xx files, environments and secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It runs, but should be looked at. An error under `--strict`.
    Warning,
    /// It does not run.
    Error,
}

/// A place and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// Something that is wrong in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// One sentence, no full stop: ``unknown key `step` ``.
    pub message: String,
    /// Where; the caret stands here.
    pub primary: Label,
    /// Other places that belong to it: the first definition, the other end of a cycle.
    pub secondary: Vec<Label>,
    /// What to do next.
    pub hint: Option<String>,
}
