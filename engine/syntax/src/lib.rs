//! Runbook text to a spanned tree and diagnostics.
//!
//! `text → Node (own YAML tree, every node with its place) → checked against the shape table → ast (what the file says)`.
//! Each stage returns a value *and* all diagnostics of what it saw, never only the first.
//!
//! What this crate deliberately does not know: step types, types of values, files (text comes in), other runbooks.

pub mod ast;
mod check;
pub mod codes;
mod diagnostic;
mod expression;
mod fault;
mod lower;
mod parse;
mod report;
mod scalar;
pub mod shape;
mod span;
mod suggestion;
mod tree;
pub mod vocabulary;

pub use diagnostic::{Code, Diagnostic, Label, Severity};
pub use expression::condition;
pub use parse::parse;
pub use span::{FileId, Position, SourceFile, Sources, Span, Spanned};
pub use suggestion::{alternatives, did_you_mean, nearest};
