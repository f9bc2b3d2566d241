//! One call of a step type.

use crate::{Map, Value};

/// What a step type is called with: rendered, typed parameters and what `prepare` gathered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Call {
    /// Where in the run: `broker[kafka4].joined`. For messages and logs only.
    pub path: String,
    /// Parameters, defaults filled in, checked against the declaration.
    pub params: Map,
    /// What `prepare` returned in this incarnation; `Null` before it.
    pub prepared: Value,
    /// The outputs of `run`, where it came to an end; for `undo` and `verify`.
    pub outputs: Option<Map>,
    /// The same for every attempt of this incarnation and across resumes.
    pub idempotency_key: String,
    /// 1 for the first attempt.
    pub attempt: u32,
}
