//! One call of a step type.

use std::collections::BTreeMap;

use crate::{Failure, FailureKind, Map, Outcome, Path, Type, Value};

/// What a step type is called with: rendered, typed parameters and what `prepare` gathered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Call {
    /// Where in the run: `broker[kafka4].joined`. For messages and logs only.
    pub path: String,
    /// Parameters, defaults filled in, checked against the declaration ([`crate::Declaration::fill`]).
    pub params: Map,
    /// Outputs that the step in the file declares with their types; for step types that say
    /// [`crate::Declaration::outputs_declared`].
    pub declared: BTreeMap<String, Type>,
    /// For messages: the expression that a parameter came from, and what its names stood for, where the engine knows
    /// it. By place: `that`, `that[0].that`.
    pub written: BTreeMap<String, String>,
    /// What `prepare` returned in this incarnation; `Null` before it.
    pub prepared: Value,
    /// The outputs of `run`, where it came to an end; for `undo` and `verify`.
    pub outputs: Option<Map>,
    /// The same for every attempt of this incarnation and across resumes.
    pub idempotency_key: String,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// A parameter that is not what the step type asked for. The engine checks parameters against the declaration, so this
/// says that declaration and code disagree, or that a rule which no type can express is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{param}`: {message}")]
pub struct BadParam {
    pub param: String,
    /// One sentence without a full stop.
    pub message: String,
}

impl BadParam {
    /// A parameter that is wrong in a way that no type can express.
    pub fn new(param: &str, message: impl Into<String>) -> Self {
        BadParam { param: param.to_owned(), message: message.into() }
    }
}

impl From<BadParam> for Failure {
    fn from(error: BadParam) -> Self {
        Failure::new(FailureKind::Invalid, error.to_string())
    }
}

/// Provably nothing happened: read parameters before you touch anything.
impl From<BadParam> for Outcome {
    fn from(error: BadParam) -> Self {
        Outcome::NotDone(error.into())
    }
}

impl Call {
    /// A parameter that may be absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.params.get(name).filter(|value| !value.is_null())
    }

    /// A parameter of any type.
    pub fn value(&self, name: &str) -> Result<&Value, BadParam> {
        self.get(name).ok_or_else(|| BadParam::new(name, "it is missing"))
    }

    /// A parameter that is text.
    pub fn str(&self, name: &str) -> Result<&str, BadParam> {
        self.typed(name, "text", Value::as_str)
    }

    /// A parameter that is a whole number.
    pub fn int(&self, name: &str) -> Result<i64, BadParam> {
        self.typed(name, "a whole number", Value::as_int)
    }

    /// A parameter that is a number, whole or not.
    pub fn float(&self, name: &str) -> Result<f64, BadParam> {
        self.typed(name, "a number", Value::as_float)
    }

    /// A parameter that is `true` or `false`.
    pub fn bool(&self, name: &str) -> Result<bool, BadParam> {
        self.typed(name, "a boolean", Value::as_bool)
    }

    /// A parameter that is a length of time, in milliseconds.
    pub fn duration(&self, name: &str) -> Result<u64, BadParam> {
        self.typed(name, "a duration", |value| value.as_int().and_then(|ms| u64::try_from(ms).ok()))
    }

    /// A parameter that is a list.
    pub fn list(&self, name: &str) -> Result<&[Value], BadParam> {
        self.typed(name, "a list", Value::as_list)
    }

    /// A parameter that is a map.
    pub fn map(&self, name: &str) -> Result<&Map, BadParam> {
        self.typed(name, "a map", Value::as_map)
    }

    /// The text under a name of what `prepare` returned, if that was a map.
    pub fn prepared(&self, name: &str) -> Option<&Value> {
        self.prepared.as_map().and_then(|prepared| prepared.get(name)).filter(|value| !value.is_null())
    }

    /// A path that a parameter's key or text is.
    pub fn path_in(&self, param: &str, text: &str) -> Result<Path, BadParam> {
        text.parse().map_err(|error: crate::PathError| BadParam::new(param, error.to_string()))
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        wanted: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, BadParam> {
        let value = self.value(name)?;
        read(value).ok_or_else(|| BadParam::new(name, format!("wanted {wanted}, got {}", value.kind())))
    }
}
