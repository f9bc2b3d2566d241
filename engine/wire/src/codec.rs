//! Records as bytes.

use serde_json::Value;
use thiserror::Error;

use crate::{Body, Record, VERSION};

/// How deep a value inside a record may be nested. JSON parsers stop at 128 levels; a record that could be written and
/// not read again would be lost.
pub const MAX_DEPTH: usize = 100;

/// Why a record cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A value in it is nested deeper than [`MAX_DEPTH`].
    #[error("event {seq} holds a value nested more than {MAX_DEPTH} levels deep")]
    TooDeep { seq: u64 },
    /// A map key that JSON cannot express. None of our types has one.
    #[error("event {seq} cannot be written as JSON: {reason}")]
    NotJson { seq: u64, reason: String },
}

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not JSON, or not an object with a `type`.
    #[error("not a record of an event: {reason}")]
    Malformed { reason: String },
    /// An event of a type that this version does not have.
    #[error(
        "event {seq} is of the type `{kind}`, which this version of runbook does not know (it reads record format \
         {VERSION}); a newer version wrote it: use that one"
    )]
    UnknownType { seq: u64, kind: String },
    /// A known type whose fields do not fit: a field is missing, or holds a word that only a newer version knows.
    #[error(
        "event {seq} of the type `{kind}` does not read as record format {VERSION}: {reason}; if a newer version of \
         runbook wrote it, use that one"
    )]
    Unfit { seq: u64, kind: String, reason: String },
}

impl Record {
    /// The canonical text: what is stored, and what the hash chain covers. The same record always gives the same text.
    ///
    /// # Errors
    /// If a value is nested too deep to be read again.
    pub fn encode(&self) -> std::result::Result<String, EncodeError> {
        let seq = self.seq;
        if values(&self.body).any(|value| depth_exceeds(value, MAX_DEPTH)) {
            return Err(EncodeError::TooDeep { seq });
        }
        serde_json::to_string(self).map_err(|e| EncodeError::NotJson { seq, reason: e.to_string() })
    }

    /// Reads what [`Record::encode`] wrote, in this version or an earlier one.
    ///
    /// # Errors
    /// If the bytes are damaged or of a newer version; never panics.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Record, DecodeError> {
        serde_json::from_slice(bytes).map_err(|e| explain(bytes, &e))
    }
}

/// Finds out what is wrong with bytes that do not parse as a record.
fn explain(bytes: &[u8], error: &serde_json::Error) -> DecodeError {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(e) => return DecodeError::Malformed { reason: e.to_string() },
    };
    let Some(kind) = value.get("type").and_then(Value::as_str) else {
        return DecodeError::Malformed { reason: "it has no `type`".to_owned() };
    };
    let (seq, kind) = (value.get("seq").and_then(Value::as_u64).unwrap_or(0), kind.to_owned());
    if Body::TYPES.contains(&kind.as_str()) {
        DecodeError::Unfit { seq, kind, reason: error.to_string() }
    } else {
        DecodeError::UnknownType { seq, kind }
    }
}

/// Every free-form value in a body.
fn values(body: &Body) -> Box<dyn Iterator<Item = &Value> + '_> {
    use crate::Answer;
    match body {
        Body::RunCreated { inputs: map, .. }
        | Body::Entered { inputs: map, .. }
        | Body::Ended { outputs: map, .. }
        | Body::Closed { outputs: map, .. }
        | Body::Asked { show: map, .. }
        | Body::Finished { outputs: map, .. } => Box::new(map.values()),
        Body::Started { params, prepared, .. } => Box::new(params.values().chain(Some(prepared))),
        Body::Items { items, .. } => Box::new(items.iter()),
        Body::Answered { answer: Answer::Value { value }, .. } => Box::new(Some(value).into_iter()),
        _ => Box::new(std::iter::empty()),
    }
}

fn depth_exceeds(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|v| depth_exceeds(v, left - 1)),
        Value::Object(map) => left == 0 || map.values().any(|v| depth_exceeds(v, left - 1)),
        _ => false,
    }
}
