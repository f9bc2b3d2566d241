//! What `docs/promises.md` claims of tests, and which tests there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::Source;

/// A promise's number, and the tests that are said to prove it, each with its file.
type Claims = BTreeMap<u32, Vec<(String, String)>>;

/// Reads the page. A promise is a heading `## 3. In doubt is a state`; below it each list item begins with names of tests
/// and then the path of their file, all in backticks.
pub fn claims(page: &str) -> Claims {
    let mut claims = Claims::new();
    let mut promise = None;
    // An item may go over several lines.
    for line in page.replace("\n  ", " ").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            promise = heading.split_once(". ").and_then(|(number, _)| number.parse().ok());
            claims.extend(promise.map(|number| (number, Vec::new())));
        }
        let (Some(number), Some(item)) = (promise, line.strip_prefix("- `")) else { continue };
        let ticked: Vec<&str> = item.split('`').step_by(2).collect();
        let Some(at) = ticked.iter().position(|word| word.ends_with(".rs")) else { continue };
        let named = ticked[..at].iter().map(|test| ((*test).to_owned(), ticked[at].to_owned()));
        claims.entry(number).or_default().extend(named);
    }
    claims
}

/// The tests that the page names and the sources do not have.
pub fn missing_tests(claims: &Claims, sources: &[Source]) -> Vec<String> {
    let tests: BTreeMap<&str, BTreeSet<&str>> =
        sources.iter().map(|source| (source.path.as_str(), tests(&source.text))).collect();
    let mut missing = Vec::new();
    for (number, named) in claims {
        for (test, file) in named {
            if !tests.get(file.as_str()).is_some_and(|tests| tests.contains(test.as_str())) {
                missing.push(format!("promise {number}: {file} has no test `{test}`"));
            }
        }
    }
    missing
}

/// The functions that are tests, also those inside a macro that makes some of them.
fn tests(text: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        }
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        if let Some(function) = function.filter(|_| std::mem::take(&mut marked)) {
            tests.extend(function.split('(').next());
        }
    }
    tests
}
