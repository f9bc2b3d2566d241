//! What an HTTP resource is, or should be.

use std::collections::BTreeSet;
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
        if replaces(call) && call.str("method")? == "PATCH" {
            return Err(BadParam::new("replace", "a PATCH changes what is there and replaces nothing"));
        }
        if call.str("method")? == "PATCH" && call.get("desired").is_some_and(holds_null) {
            let why = "a PATCH takes `null` for the removal of a field, and its undo could not tell that from a field that was \
                       never there: remove it with a step of its own";
            return Err(BadParam::new("desired", why));
        }
        match (call.get("desired"), call.get("absent")) {
            (Some(_), _) => Ok(State::Is(call.map("desired")?.clone())),
            (None, Some(Value::Bool(true))) => Ok(State::Absent),
            _ => Err(BadParam::new("absent", "it must be `true`, or `desired` be given")),
        }
    }

    /// Whether a field counts when states are compared: one that is wanted, or that `fields` names; without `fields`
    /// every one.
    pub(super) fn counts(&self, call: &Call, name: &str) -> bool {
        let wanted = matches!(self, State::Is(wanted) if wanted.contains_key(name));
        let named = call.get("fields").and_then(Value::as_list);
        wanted || named.is_none_or(|named| named.iter().any(|named| named.as_str() == Some(name)))
    }

    /// The part of a state that messages show: what is wanted, and what `fields` names; all of it where nothing of it is to
    /// stay.
    pub(super) fn part_of(&self, call: &Call, whole: &State) -> State {
        let State::Is(whole) = whole else { return State::Absent };
        let shown = |name: &str| match (self, call.get("fields")) {
            (State::Is(wanted), None) if !replaces(call) => wanted.contains_key(name),
            _ => self.counts(call, name),
        };
        let part = whole.iter().filter(|(name, _)| shown(name));
        State::Is(part.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The state that comes of it if this one is wanted: what is there, with the wanted fields in it, unless it is replaced.
    pub(super) fn applied_to(&self, call: &Call, there: &State) -> State {
        match (self, there) {
            (State::Is(wanted), State::Is(there)) if !replaces(call) => State::Is(merged(there, wanted)),
            (wanted, _) => wanted.clone(),
        }
    }

    /// Whether nothing would change about a resource in that state. Of what is replaced only a resource without more than
    /// is wanted can be sure of it.
    pub(super) fn is_all_of(&self, call: &Call, now: &State) -> bool {
        self.shows_in(now) && (!replaces(call) || self.part_of(call, now).shows_in(self))
    }

    /// Whether that state shows that the change was made. That what is wanted is there does not prove a replacement where it
    /// was there before, and with it what is not to stay.
    pub(super) fn is_proven_by(&self, call: &Call, now: &State) -> bool {
        let was_not_there =
            || State::from_value(&call.prepared).is_some_and(|before| !self.shows_in(&before));
        let is_what_it_became = || {
            let became = call.outputs.as_ref().and_then(|outputs| outputs.get("now")?.as_map());
            became.is_some_and(|became| {
                self.part_of(call, &State::Is(became.clone())) == self.part_of(call, now)
            })
        };
        self.shows_in(now)
            && (!replaces(call) || self.is_all_of(call, now) || was_not_there() || is_what_it_became())
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

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(items) => items.iter().any(holds_null),
        Value::Map(fields) => fields.values().any(holds_null),
        _ => false,
    }
}

/// Whether nothing of what is there is to stay.
pub(super) fn replaces(call: &Call) -> bool {
    call.get("replace").and_then(Value::as_bool).unwrap_or_default()
}

fn merged(there: &Map, wanted: &Map) -> Map {
    let mut all = there.clone();
    for (name, wanted) in wanted {
        let value = match (there.get(name), wanted) {
            (Some(Value::Map(there)), Value::Map(wanted)) => merged(there, wanted).into(),
            _ => wanted.clone(),
        };
        all.insert(name.clone(), value);
    }
    all
}

/// What is there, with each wanted field as it was before. `Err` names a field that is neither as it was wanted nor as it
/// was before.
pub(super) fn restored(now: &Map, wanted: &Map, before: &Map) -> Result<Map, String> {
    let mut all = now.clone();
    for (name, wanted) in wanted {
        let value = match (now.get(name), before.get(name), wanted) {
            (Some(Value::Map(now)), Some(Value::Map(before)), Value::Map(wanted)) => {
                let inside = restored(now, wanted, before).map_err(|inside| format!("{name}.{inside}"))?;
                Some(inside.into())
            }
            (now, before, _) if same(now, before) => continue,
            (now, before, wanted) if same(now, Some(wanted)) => before.cloned(),
            _ => return Err(name.clone()),
        };
        match value {
            Some(value) => drop(all.insert(name.clone(), value)),
            None => drop(all.remove(name)),
        }
    }
    Ok(all)
}

/// Whether each wanted field is as it was before.
pub(super) fn is_restored(now: &Map, wanted: &Map, before: &Map) -> bool {
    restored(now, wanted, before).is_ok_and(|restored| restored == *now)
}

/// What a PATCH sends to make one of the other, as RFC 7396 has it: `null` for what has to go, and of a map that is one in
/// both only what differs in it, for what such a request does not name stays.
pub(super) fn difference(now: &Map, restored: &Map) -> Map {
    let gone =
        now.keys().filter(|name| !restored.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = restored.iter().filter(|(name, value)| now.get(*name) != Some(*value));
    let sent = changed.map(|(name, value)| match (now.get(name), value) {
        (Some(Value::Map(now)), Value::Map(restored)) => (name.clone(), difference(now, restored).into()),
        _ => (name.clone(), value.clone()),
    });
    sent.chain(gone).collect()
}

/// A field of a resource that is not as it was made.
pub(super) fn foreign_field<'a>(
    now: &'a Map,
    made: &Map,
    counts: impl Fn(&str) -> bool,
) -> Option<&'a String> {
    now.iter().find(|(name, value)| counts(name) && !same(Some(value), made.get(*name))).map(|(name, _)| name)
}

/// A field of a resource that was replaced that is neither as it was nor as it was made. What the server made of the
/// fields that are not wanted is only known where the step saw it (`made`).
pub(super) fn not_ours(
    now: &Map,
    before: &Map,
    wanted: &Map,
    made: Option<&Map>,
    counts: impl Fn(&str) -> bool,
) -> Option<String> {
    let made_so = |name: &String| match made {
        Some(made) => same(now.get(name), made.get(name)),
        None => !wanted.contains_key(name) || same(now.get(name), wanted.get(name)),
    };
    let names: BTreeSet<&String> =
        [now, before, wanted].into_iter().chain(made).flat_map(Map::keys).collect();
    let foreign = |name: &&String| counts(name) && !same(now.get(*name), before.get(*name)) && !made_so(name);
    names.into_iter().find(foreign).cloned()
}

fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => contains(one, other) && contains(other, one),
        (one, other) => one == other,
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

    /// Fields of a small world, so that they meet: each of three absent or one of three values.
    fn fields() -> impl Strategy<Value = Map> {
        prop::collection::vec(prop::option::of(0i64..3), 3).prop_map(|values| {
            let named = ["a", "b", "c"].into_iter().zip(values);
            named.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
        })
    }

    /// The same, three deep.
    fn nested() -> impl Strategy<Value = Map> {
        let level = |inner: BoxedStrategy<Map>| {
            let value = prop_oneof![(0i64..3).prop_map(Value::from), inner.prop_map(Value::from)];
            prop::collection::vec(prop::option::of(value), 3).prop_map(|values| {
                let named = ["a", "b", "c"].into_iter().zip(values);
                named.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map>()
            })
        };
        level(level(fields().boxed()).boxed())
    }

    fn state() -> impl Strategy<Value = State> {
        prop_oneof![1 => Just(State::Absent), 6 => nested().prop_map(State::Is)]
    }

    /// RFC 7396, word for word, of a target that is an object.
    fn merge_patch(target: &Map, patch: &Map) -> Map {
        let mut target = target.clone();
        for (name, value) in patch {
            let merged = match value {
                Value::Null => {
                    target.remove(name);
                    continue;
                }
                Value::Map(patch) => {
                    let inside = target.get(name).and_then(Value::as_map).cloned().unwrap_or_default();
                    merge_patch(&inside, patch).into()
                }
                other => other.clone(),
            };
            target.insert(name.clone(), merged);
        }
        target
    }

    proptest! {
        #[test]
        fn what_is_recorded_reads_back(state in state()) {
            let stored = Type::Any.decode(&state.to_value().to_json()).unwrap();
            prop_assert_eq!(State::from_value(&stored), Some(state));
        }

        /// Whatever else is there stays, and each wanted field is as it was.
        #[test]
        fn what_was_made_is_unmade(before in nested(), wanted in nested()) {
            let made = merged(&before, &wanted);
            prop_assert_eq!(restored(&made, &wanted, &before), Ok(before.clone()));
            prop_assert!(is_restored(&before, &wanted, &before));
            let mut more = made;
            more.insert("precious".into(), 7.into());
            let mut kept = before.clone();
            kept.insert("precious".into(), 7.into());
            prop_assert_eq!(restored(&more, &wanted, &before), Ok(kept));
        }

        /// A server that takes merge-patches comes from the one to the other.
        #[test]
        fn a_patch_sends_what_makes_one_of_the_other(now in nested(), restored in nested()) {
            prop_assert_eq!(merge_patch(&now, &difference(&now, &restored)), restored);
        }

        /// The whole way: made by a merge-patch, and unmade by one, with what others have put beside it meanwhile.
        #[test]
        fn what_a_patch_made_a_patch_unmakes(before in nested(), wanted in nested()) {
            let mut made = merge_patch(&before, &wanted);
            made.insert("precious".into(), 7.into());
            let undo = difference(&made, &restored(&made, &wanted, &before).unwrap());
            let mut kept = before;
            kept.insert("precious".into(), 7.into());
            prop_assert_eq!(merge_patch(&made, &undo), kept);
        }

        /// Field by field: what is wanted must be as it was made, or as it was.
        #[test]
        fn a_third_value_is_somebody_elses(before in fields(), wanted in fields(), now in fields()) {
            let ours = wanted.iter().all(|(name, wanted)| {
                now.get(name) == Some(wanted) || now.get(name) == before.get(name)
            });
            prop_assert_eq!(restored(&now, &wanted, &before).is_ok(), ours);
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
