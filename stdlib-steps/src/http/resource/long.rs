//! What was read of a resource, with the whole numbers that are too long for numbers of ours. They are kept as text
//! ([`Value::parse_json`]), and sent back so they would be something else.

use runbook_step::{Call, Failure, FailureKind, Map, Path, Value};
use serde_json::Value as Json;

use super::state::{State, replaces};
use super::url;

/// A resource as it was read.
pub(super) struct Seen {
    pub(super) state: State,
    /// Where in it such a number is.
    long: Vec<Path>,
}

impl Seen {
    pub(super) fn absent() -> Seen {
        Seen { state: State::Absent, long: Vec::new() }
    }

    /// The representation, and the text that it was parsed from.
    pub(super) fn of(fields: Map, body: &[u8]) -> Seen {
        let mut long = Vec::new();
        let fields = Value::from(fields);
        if let Ok(json) = serde_json::from_slice(body) {
            long_in(&fields, &json, &Path::default(), &mut long);
        }
        let Value::Map(fields) = fields else { return Seen::absent() };
        Seen { state: State::Is(fields), long }
    }

    /// Whether an undo that puts back what was read here would send it as it is.
    pub(super) fn may_be_put_back(&self, call: &Call, wish: &State) -> Result<(), Failure> {
        let is_patch = call.str("method").is_ok_and(|method| method == "PATCH");
        let changed = |place: &&Path| match wish {
            State::Is(wanted) if is_patch && !replaces(call) => covers(&wanted.clone().into(), place),
            _ => true,
        };
        self.refuse(call, self.long.iter().find(changed))
    }

    /// Whether a representation that holds what was read here says so of each number.
    pub(super) fn may_be_sent(&self, call: &Call, sent: &State) -> Result<(), Failure> {
        let (State::Is(there), State::Is(sent)) = (&self.state, sent) else { return Ok(()) };
        let (there, sent) = (Value::from(there.clone()), Value::from(sent.clone()));
        let is_in_it = |place: &&Path| sent.at(place).is_some_and(|value| there.at(place) == Some(value));
        self.refuse(call, self.long.iter().find(is_in_it))
    }

    fn refuse(&self, call: &Call, place: Option<&Path>) -> Result<(), Failure> {
        let Some(place) = place else { return Ok(()) };
        let message = format!(
            "{}: `{place}` is a whole number beyond 64 bits, which cannot be sent back as it is; nothing was changed",
            url(call)
        );
        let hint = "`method: PATCH`, where the server takes it, sends only the fields of `desired`";
        Err(Failure::new(FailureKind::Invalid, message).hint(hint))
    }
}

/// Whether a place lies where something is wanted, or below that.
fn covers(wanted: &Value, place: &Path) -> bool {
    let mut at = (wanted, place.clone());
    loop {
        let (Value::Map(fields), Some((name, below))) = (at.0, at.1.split_name()) else { return true };
        match fields.get(&name) {
            Some(inside) => at = (inside, below),
            None => return false,
        }
    }
}

fn long_in(value: &Value, json: &Json, at: &Path, found: &mut Vec<Path>) {
    match (value, json) {
        (Value::Str(_), Json::Number(_)) => found.push(at.clone()),
        (Value::List(items), Json::Array(parsed)) => {
            for (index, (item, parsed)) in items.iter().zip(parsed).enumerate() {
                long_in(item, parsed, &at.clone().item(index), found);
            }
        }
        (Value::Map(fields), Json::Object(parsed)) => {
            for (name, field) in fields {
                if let Some(parsed) = parsed.get(name) {
                    long_in(field, parsed, &at.clone().name(name), found);
                }
            }
        }
        _ => {}
    }
}
