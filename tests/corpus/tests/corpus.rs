//! Every file of the corpus has the faults that are written in it, and no other.

use std::collections::BTreeSet;

use runbook_corpus::{Fault, codes, covered, expected, found, runbooks};

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
    let covered = covered();
    let missing: Vec<&str> =
        codes().into_iter().map(|(code, _)| code).filter(|code| !covered.contains(*code)).collect();
    // Files of such a size do not belong into the repository; tests of the syntax and of the plan make them.
    assert_eq!(missing, ["E109", "E199", "E419", "E605"]);
}

#[test]
fn every_key_is_in_a_good_file() {
    let good: String = runbooks("good").into_iter().map(|(_, text)| text).collect();
    let words: BTreeSet<&str> = good.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    for place in runbook_syntax::shape::places() {
        for key in place.keys.iter().filter(|key| key.enforced) {
            assert!(words.contains(key.name), "no good file has `{}` of a {}", key.name, place.name);
        }
    }
}

#[test]
fn an_expectation_that_cannot_be_read_is_an_error() {
    assert!(expected("# expect: E101 3\n").is_err());
    assert!(expected("# expect: E101\n").is_err());
    assert!(expected("# expect: E101 a:b\n").is_err());
    assert_eq!(expected("# expect: E101 3:4\nsteps: []\n").map(|faults| faults.len()), Ok(1));
}
