//! Runbook text to a spanned tree and diagnostics.
//!
//! `text → Node (own YAML tree, every node with its span) → ast (what the file says, keys checked)`.
//! Each stage returns a value *and* all diagnostics of what it saw, never only the first.
//!
//! What this crate deliberately does not know: step types, types of values, files (text comes in), other runbooks.

pub mod ast;
mod diagnostic;
mod span;

pub use diagnostic::{Code, Diagnostic, Label, Severity};
pub use span::{FileId, Position, SourceFile, Sources, Span, Spanned};
