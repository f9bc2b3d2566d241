//! Records as bytes.

use serde_json::Value;
use thiserror::Error;

use crate::{Body, Record, VERSION};

/// How deep a record may be nested, its own two or three levels included. The JSON parser stops at 127; a record that could
/// be written and not read again would be lost.
pub const MAX_DEPTH: usize = 120;

/// Why a record cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// It is nested deeper than [`MAX_DEPTH`], because of a value in it.
    #[error("event {seq} holds a value that is nested too deep: a record has at most {MAX_DEPTH} levels")]
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
        let text =
            serde_json::to_string(self).map_err(|e| EncodeError::NotJson { seq, reason: e.to_string() })?;
        if nesting(&text) > MAX_DEPTH {
            return Err(EncodeError::TooDeep { seq });
        }
        Ok(text)
    }

    /// Reads what [`Record::encode`] wrote, in this version or an earlier one.
    ///
    /// # Errors
    /// If the bytes are damaged or of a newer version; never panics.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Record, DecodeError> {
        serde_json::from_slice(bytes).map_err(|_| explain(bytes))
    }
}

/// Finds out what is wrong with bytes that do not parse as a record.
fn explain(bytes: &[u8]) -> DecodeError {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(e) => return DecodeError::Malformed { reason: e.to_string() },
    };
    let Some(kind) = value.get("type").and_then(Value::as_str) else {
        return DecodeError::Malformed { reason: "it has no `type`".to_owned() };
    };
    let (seq, kind) = (value.get("seq").and_then(Value::as_u64).unwrap_or(0), kind.to_owned());
    if !Body::TYPES.contains(&kind.as_str()) {
        return DecodeError::UnknownType { seq, kind };
    }
    // Once more, from the value: errors of the text name a column of it, which helps nobody.
    let reason = serde_json::from_value::<Record>(value).err().map_or(String::new(), |e| e.to_string());
    DecodeError::Unfit { seq, kind, reason }
}

/// How deep the arrays and objects of a JSON text are nested.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}
