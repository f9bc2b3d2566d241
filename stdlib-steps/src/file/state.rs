//! What a file is, or should be.

use std::fmt;

use runbook_step::{Map, Value};

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    File { content: Vec<u8>, mode: u32 },
}

impl State {
    /// As it is recorded: text as text, other bytes as hexadecimal digits.
    pub(super) fn to_value(&self) -> Value {
        let State::File { content, mode } = self else {
            return Map::from([("absent".into(), true.into())]).into();
        };
        let (name, content) = match std::str::from_utf8(content) {
            Ok(text) => ("text", text.to_owned()),
            Err(_) => ("hex", content.iter().map(|byte| format!("{byte:02x}")).collect()),
        };
        Map::from([(name.into(), content.into()), ("mode".into(), (*mode).into())]).into()
    }

    /// As it was recorded.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        let recorded = value.as_map()?;
        if recorded.get("absent") == Some(&Value::Bool(true)) {
            return Some(State::Absent);
        }
        let mode = recorded.get("mode")?.as_int().and_then(|mode| u32::try_from(mode).ok())?;
        let content = match (recorded.get("text"), recorded.get("hex")) {
            (Some(Value::Str(text)), _) => text.clone().into_bytes(),
            (None, Some(Value::Str(hex))) => bytes(hex)?,
            _ => return None,
        };
        Some(State::File { content, mode })
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? * 16 + digit(*pair.get(1)?)?)).collect()
}

/// Never the content: it may be long, and it is not for messages.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Absent => f.write_str("absent"),
            State::File { content, mode } => write!(f, "{} bytes, mode {mode:04o}", content.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use runbook_step::Type;

    use super::*;

    proptest! {
        #[test]
        fn what_is_recorded_reads_back(content in prop::collection::vec(any::<u8>(), 0..40), mode in 0u32..0o10000) {
            let state = State::File { content, mode };
            let stored = Type::Any.decode(&state.to_value().to_json()).unwrap();
            prop_assert_eq!(State::from_value(&stored), Some(state));
        }

        #[test]
        fn what_is_not_a_record_is_none(hex in "[0-9a-fx ]{0,5}") {
            let recorded = Map::from([("hex".into(), hex.as_str().into()), ("mode".into(), 0o644.into())]).into();
            let digits = hex.len() % 2 == 0 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            prop_assert_eq!(State::from_value(&recorded).is_some(), digits);
        }
    }
}
