//! What an HTTP resource is, or should be.

use std::fmt;

use runbook_step::{BadParam, Call, Map, Value};

/// The state of a resource, as far as it matters.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Absent,
    /// It has these fields, and maybe more.
    Is(Map),
}

impl State {
    /// What the parameters want.
    pub(super) fn wanted(call: &Call) -> Result<Self, BadParam> {
        match (call.get("desired"), call.get("absent")) {
            (Some(_), _) => Ok(State::Is(call.map("desired")?.clone())),
            (None, Some(Value::Bool(true))) => Ok(State::Absent),
            _ => Err(BadParam::new("absent", "it must be `true`, or `desired` be given")),
        }
    }

    /// The part of a state that is recorded and compared: the fields that `fields` names, or those that are wanted; all
    /// of them if nothing is.
    pub(super) fn part_of(&self, call: &Call, whole: &State) -> State {
        let State::Is(whole) = whole else { return State::Absent };
        let named = call.get("fields").and_then(Value::as_list);
        let mattering = |name: &String| match (named, self) {
            (Some(named), State::Is(wanted)) => {
                wanted.contains_key(name) || named.iter().any(|named| named.as_str() == Some(name))
            }
            (Some(named), State::Absent) => named.iter().any(|named| named.as_str() == Some(name)),
            (None, State::Is(wanted)) => wanted.contains_key(name),
            (None, State::Absent) => true,
        };
        State::Is(
            whole.iter().filter(|(name, _)| mattering(name)).map(|(n, v)| (n.clone(), v.clone())).collect(),
        )
    }

    /// Whether a resource in that state has all that this one says.
    pub(super) fn shows_in(&self, now: &State) -> bool {
        match (self, now) {
            (State::Absent, State::Absent) => true,
            (State::Is(wanted), State::Is(now)) => {
                wanted.iter().all(|(name, wanted)| now.get(name).is_some_and(|now| contains(now, wanted)))
            }
            _ => false,
        }
    }

    /// Whether a resource in this state is on the way between two others: each field that they name is as in one of them.
    pub(super) fn lies_between(&self, before: &State, after: &State) -> bool {
        let State::Is(now) = self else { return *before == State::Absent || *after == State::Absent };
        let sides: Vec<&Map> = [before, after]
            .into_iter()
            .filter_map(|side| match side {
                State::Is(fields) => Some(fields),
                State::Absent => None,
            })
            .collect();
        let mut names = sides.iter().flat_map(|side| side.keys());
        names.all(|name| {
            sides.iter().any(|side| match (side.get(name), now.get(name)) {
                (Some(side), Some(now)) => contains(now, side),
                (None, None) => true,
                _ => false,
            })
        })
    }

    /// As it is recorded.
    pub(super) fn to_value(&self) -> Value {
        match self {
            State::Absent => Map::from([("absent".into(), true.into())]).into(),
            State::Is(fields) => Map::from([("is".into(), fields.clone().into())]).into(),
        }
    }

    /// As it was recorded.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        let recorded = value.as_map()?;
        match (recorded.get("is"), recorded.get("absent")) {
            (Some(Value::Map(fields)), _) => Some(State::Is(fields.clone())),
            (None, Some(Value::Bool(true))) => Some(State::Absent),
            _ => None,
        }
    }

    /// The fields; `null` if there are none.
    pub(super) fn into_fields(self) -> Value {
        match self {
            State::Absent => Value::Null,
            State::Is(fields) => fields.into(),
        }
    }
}

/// Whether a value has all that is wanted of it: maps may have more.
fn contains(now: &Value, wanted: &Value) -> bool {
    match (now, wanted) {
        (Value::Map(now), Value::Map(wanted)) => {
            wanted.iter().all(|(name, wanted)| now.get(name).is_some_and(|now| contains(now, wanted)))
        }
        (Value::List(now), Value::List(wanted)) => {
            now.len() == wanted.len() && now.iter().zip(wanted).all(|(now, wanted)| contains(now, wanted))
        }
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            now.as_float() == wanted.as_float()
        }
        _ => now == wanted,
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Absent => f.write_str("absent"),
            State::Is(fields) => write!(f, "{}", Value::from(fields.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use runbook_step::Type;

    use super::*;

    /// Fields of a small world, so that states meet: absent, or each of three fields absent or one of two values.
    fn state() -> impl Strategy<Value = State> {
        let field = prop::option::of(0i64..2);
        let fields = prop::collection::vec(field, 3).prop_map(|values| {
            let named = ["a", "b", "c"].into_iter().zip(values);
            State::Is(named.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect())
        });
        prop_oneof![1 => Just(State::Absent), 6 => fields]
    }

    fn field<'a>(state: &'a State, name: &str) -> Option<&'a Value> {
        match state {
            State::Absent => None,
            State::Is(fields) => fields.get(name),
        }
    }

    proptest! {
        #[test]
        fn what_is_recorded_reads_back(state in state()) {
            let stored = Type::Any.decode(&state.to_value().to_json()).unwrap();
            prop_assert_eq!(State::from_value(&stored), Some(state));
        }

        #[test]
        fn both_ends_lie_between(before in state(), after in state()) {
            prop_assert!(before.lies_between(&before, &after));
            prop_assert!(after.lies_between(&before, &after));
        }

        /// Field by field: what either end names must be as at one of the ends.
        #[test]
        fn a_third_value_does_not(before in state(), after in state(), now in state()) {
            let is = |state: &State| matches!(state, State::Is(_));
            let wanted = match (is(&now), is(&before), is(&after)) {
                (false, true, true) => false,
                (false, ..) => true,
                (true, ..) => ["a", "b", "c"].into_iter().all(|name| {
                    let ends: Vec<_> = [&before, &after].into_iter().filter(|end| is(end)).collect();
                    let named = ends.iter().any(|end| field(end, name).is_some());
                    !named || ends.iter().any(|end| field(end, name) == field(&now, name))
                }),
            };
            prop_assert_eq!(now.lies_between(&before, &after), wanted);
        }

        #[test]
        fn more_fields_do_not_hide_what_is_wanted(wish in state(), now in state()) {
            let shows = wish.shows_in(&now);
            if let State::Is(fields) = &now {
                let mut more = fields.clone();
                more.insert("d".into(), 7.into());
                prop_assert_eq!(wish.shows_in(&State::Is(more)), shows);
            }
            prop_assert!(wish.shows_in(&wish));
        }
    }
}
