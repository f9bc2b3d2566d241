//! Stored records, outlines and messages of every format that was released.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use runbook_wire::{Body, Message, Outline, Record, VERSION};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const FORMATS: [&str; VERSION as usize] = [include_str!("../records/1.jsonl")];

const OUTLINES: [&str; VERSION as usize] = [include_str!("../outlines/1.json")];
const MESSAGES: [&str; VERSION as usize] = [include_str!("../messages/1.jsonl")];

fn lines() -> impl Iterator<Item = &'static str> {
    FORMATS.into_iter().flat_map(str::lines)
}

/// Whether everything that `old` says is said by `new` in the same words (`new` may say more: fields with defaults).
fn says_the_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old.iter().all(|(name, value)| {
            // What is nothing may be left out.
            new.get(name).map_or(value.is_null(), |now| says_the_same(value, now))
        }),
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| says_the_same(old, new))
        }
        _ => old == new,
    }
}

#[test]
fn every_stored_record_means_what_it_meant() {
    for line in lines() {
        let record = Record::decode(line.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{line}"));
        let now: Value = record.encode().unwrap().parse().unwrap();
        let old: Value = line.parse().unwrap();
        assert!(says_the_same(&old, &now), "stored: {old}\nread:   {now}");
    }
}

fn still_says<T: Serialize + DeserializeOwned>(stored: &str) {
    let read: T = serde_json::from_str(stored).unwrap_or_else(|error| panic!("{error}\n{stored}"));
    let (old, now): (Value, Value) = (stored.parse().unwrap(), serde_json::to_value(read).unwrap());
    assert!(says_the_same(&old, &now), "stored: {old}\nread:   {now}");
}

#[test]
fn every_stored_outline_and_message_means_what_it_meant() {
    OUTLINES.into_iter().for_each(still_says::<Outline>);
    MESSAGES.into_iter().flat_map(str::lines).for_each(still_says::<Message>);
}

#[test]
fn every_type_has_a_stored_record() {
    let stored: BTreeSet<&str> =
        lines().map(|line| Record::decode(line.as_bytes()).unwrap().body.kind()).collect();
    let missing: Vec<_> = Body::TYPES.iter().filter(|kind| !stored.contains(**kind)).collect();
    assert!(
        missing.is_empty(),
        "add a record of each of {missing:?} to the newest file in tests/compat/records"
    );
}
