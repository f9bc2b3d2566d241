//! Every file of the corpus has the faults that are written in it, and no other.

use std::collections::BTreeSet;

use runbook_corpus::{Fault, codes, covered, expected, found, planned, planned_beside, runbooks, too_large};
use runbook_syntax::shape::{self, Key, Shape};
use serde_yaml::Value;

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("    {fault}\n")).collect()
}

#[test]
fn wrong_files_have_exactly_the_faults_that_are_written_in_them() {
    let mut differences = String::new();
    let files = runbooks("wrong");
    for (name, text) in &files {
        match expected(text) {
            Err(malformed) => differences += &format!("{name}: {malformed}\n"),
            Ok(expected) if expected.is_empty() => differences += &format!("{name}: nothing is expected\n"),
            Ok(expected) => {
                let found = found(name, text);
                if found != expected {
                    differences +=
                        &format!("{name}\n  expected\n{}  found\n{}", list(&expected), list(&found));
                }
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn good_files_have_none() {
    for (name, text) in runbooks("good") {
        assert_eq!(list(&found(&name, &text)), "", "{name}");
    }
}

#[test]
fn every_code_is_in_the_corpus() {
    let mut covered = covered();
    for (code, files) in too_large() {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let planned = planned_beside(&files);
        let found = planned.diagnostics.iter().find(|diagnostic| diagnostic.code.0 == code);
        let codes = || planned.diagnostics.iter().map(|found| found.code.0).take(9).collect::<Vec<_>>();
        assert!(found.is_some_and(|found| found.hint.is_some()), "{code}: {:?}", codes());
        covered.insert(code.to_owned());
    }
    let missing: Vec<&str> =
        codes().into_iter().map(|(code, _)| code).filter(|code| !covered.contains(*code)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_fault_says_what_to_do() {
    let mut silent = BTreeSet::new();
    for (name, text) in runbooks("wrong") {
        for found in planned(&name, &text).diagnostics.iter().filter(|found| found.hint.is_none()) {
            silent.insert(format!("{}: {}", found.code, found.message));
        }
    }
    assert_eq!(silent, BTreeSet::new());
}

/// The keys that stand in a value, each in its place.
fn keys_in(shape: &Shape, value: &Value, seen: &mut BTreeSet<*const Key>) {
    match (shape, value) {
        (Shape::Map(place), Value::Mapping(entries)) => {
            let has = |name: &str| entries.contains_key(name);
            let kind = place.exactly_one.iter().copied().find(|kind| has(kind));
            for (name, value) in entries {
                let Some(key) = name.as_str().and_then(|name| place.key(name, kind)) else { continue };
                seen.insert(key);
                keys_in(&key.shape, value, seen);
            }
        }
        (Shape::Entries(_, of), Value::Mapping(entries)) => {
            entries.values().for_each(|value| keys_in(of, value, seen));
        }
        (Shape::List(of) | Shape::Some(of), Value::Sequence(items)) => {
            items.iter().for_each(|item| keys_in(of, item, seen));
        }
        (Shape::Either(shapes), value) => shapes.iter().for_each(|shape| keys_in(shape, value, seen)),
        _ => {}
    }
}

#[test]
fn every_key_is_in_a_good_file() {
    let mut seen = BTreeSet::new();
    for (_, text) in runbooks("good") {
        let mut value: Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).unwrap();
        value.apply_merge().unwrap();
        let place = if value["kind"] == "Environment" { &shape::ENVIRONMENT } else { &shape::RUNBOOK };
        keys_in(&Shape::Map(place), &value, &mut seen);
    }
    let mut missing = String::new();
    for place in shape::places() {
        for key in place.keys.iter().filter(|key| key.enforced && !seen.contains(&std::ptr::from_ref(*key))) {
            missing += &format!("no good file has `{}` of a {}\n", key.name, place.name);
        }
    }
    assert!(missing.is_empty(), "\n{missing}");
}

#[test]
fn an_expectation_that_cannot_be_read_is_an_error() {
    assert!(expected("# expect: E101 3\n").is_err());
    assert!(expected("# expect: E101\n").is_err());
    assert!(expected("# expect: E101 a:b\n").is_err());
    assert_eq!(expected("# expect: E101 3:4\nsteps: []\n").map(|faults| faults.len()), Ok(1));
}
