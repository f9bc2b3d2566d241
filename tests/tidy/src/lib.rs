//! House rules as functions over the workspace's text, so that the tests can also show that each rule notices.
//!
//! The table of who may import whom is read from `docs/architecture.md`: the document and the code cannot drift apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A Rust source file of the project, relative to the root.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: String,
    pub text: String,
}

/// All Rust sources under `engine/`, `stdlib-steps/` and `tests/`.
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["engine", "stdlib-steps", "tests"].iter().map(|d| root.join(d)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("an entry of the workspace can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file is text");
                let path = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The crates' rows of the table in `docs/architecture.md`: crate → (workspace crates it may import, text it never contains).
pub fn architecture(document: &str) -> BTreeMap<String, (BTreeSet<String>, Vec<String>)> {
    let mut rows = BTreeMap::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [name, imports, never] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|n| n.strip_suffix('`')) else { continue };
        let imports = ticked(imports).map(|n| format!("runbook-{n}")).collect();
        rows.insert(format!("runbook-{name}"), (imports, ticked(never).map(str::to_owned).collect()));
    }
    rows
}

/// The words between backticks.
fn ticked(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Dependencies that a crate has and the table does not allow, and rows that allow what no longer exists.
pub fn import_violations(
    table: &BTreeMap<String, (BTreeSet<String>, Vec<String>)>,
    actual: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, imports) in actual {
        let Some((allowed, _)) = table.get(name) else {
            violations.push(format!("{name} has no row in docs/architecture.md"));
            continue;
        };
        for import in imports.difference(allowed) {
            violations.push(format!("{name} imports {import}, which docs/architecture.md does not allow"));
        }
        for stale in allowed.difference(imports) {
            violations.push(format!("docs/architecture.md lets {name} import {stale}, which it does not"));
        }
    }
    for name in table.keys().filter(|name| !actual.contains_key(*name)) {
        violations.push(format!("docs/architecture.md has a row for {name}, which does not exist"));
    }
    violations
}

/// Places where a source contains what its crate never contains. Comments and tests do not count: a test may touch files.
pub fn never_violations(never: &[String], source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    for (number, line) in shipped(&source.text) {
        for word in never.iter().filter(|word| contains_path(line, word)) {
            violations.push(format!("{}:{number}: `{word}` is not for this crate", source.path));
        }
    }
    violations
}

/// The lines that ship: without comments, and up to the test module at the end.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(any(test"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

/// Whether a line names a path, and not merely a longer word: `std::fs` is in `use std::fs;` and in `std::fs::read`, not in
/// `mystd::fsck`. `std::{…}` imports are looked into.
fn contains_path(line: &str, path: &str) -> bool {
    let boundary = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let direct = line.match_indices(path).any(|(at, _)| {
        boundary(line[..at].chars().next_back()) && boundary(line[at + path.len()..].chars().next())
    });
    let grouped = path.rsplit_once("::").is_some_and(|(parent, leaf)| {
        line.find(&format!("{parent}::{{")).is_some_and(|at| {
            line[at..].split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == leaf)
        })
    });
    direct || grouped
}

/// The crate that a source belongs to, by its folder.
pub fn crate_of(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    match (parts.next()?, parts.next()?) {
        ("engine", name) => Some(format!("runbook-{name}")),
        ("stdlib-steps", _) => Some("runbook-stdlib".to_owned()),
        _ => None,
    }
}

/// Whether a path is part of the shipped program (not a test, bench or example).
pub fn is_shipped(path: &str) -> bool {
    path.contains("/src/")
        && !path.starts_with("tests/")
        && !path.ends_with("/tests.rs")
        && !path.contains("/tests/")
}
