//! Types of parameters, outputs and inputs.

/// A type of the language (the same for inputs, step parameters and outputs).
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Any value at all.
    Any,
    /// Text; `pattern` is a regular expression that must match somewhere in it.
    String { pattern: Option<String>, one_of: Vec<String> },
    /// A whole number within inclusive bounds.
    Integer { min: Option<i64>, max: Option<i64> },
    /// A number within inclusive bounds.
    Number { min: Option<f64>, max: Option<f64> },
    /// `true` or `false`.
    Boolean,
    /// A length of time, written `250ms`, `10s`, `5m`, `1h30m`, `2d`; held in milliseconds as [`crate::Value::Int`].
    Duration { min_ms: Option<u64>, max_ms: Option<u64> },
    /// A list of one type.
    List(Box<Type>),
    /// A map. `fields` are the known names; `extra` is the type of any other name (`None`: unknown names are errors).
    Map { fields: Vec<Field>, extra: Option<Box<Type>> },
    /// A secret, by reference; plain text is accepted too where `plain` is set.
    Secret { plain: bool },
    /// A path relative to the runbook's folder, pinned with the plan.
    File,
}

/// A named field of a [`Type::Map`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub required: bool,
    pub doc: String,
}

/// Why a value is not of a type: where inside the value, and what was wanted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct TypeError {
    /// Path inside the value, such as `expect.status`; empty for the value itself.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
}
