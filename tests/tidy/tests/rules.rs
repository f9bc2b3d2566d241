//! The house rules hold, and each of them notices when it is broken.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use runbook_tidy::{
    Source, architecture, crate_of, import_violations, is_shipped, never_violations, root, sources,
};

fn document() -> String {
    std::fs::read_to_string(root().join("docs/architecture.md")).unwrap()
}

/// Workspace crates and which of their siblings each depends on (tests aside), from cargo.
fn actual() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap();
    metadata
        .packages
        .iter()
        .filter(|package| !package.manifest_path.as_str().contains("/tests/"))
        .map(|package| {
            let imports =
                package.dependencies.iter().filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
            let ours = imports.filter(|d| d.path.is_some()).map(|d| d.name.clone()).collect();
            (package.name.to_string(), ours)
        })
        .collect()
}

#[test]
fn imports_follow_the_architecture() {
    assert_eq!(import_violations(&architecture(&document()), &actual()), Vec::<String>::new());
}

#[test]
fn an_injected_import_is_noticed() {
    let mut actual = actual();
    actual.get_mut("runbook-kernel").unwrap().insert("runbook-wire".to_owned());
    let violations = import_violations(&architecture(&document()), &actual);
    assert_eq!(
        violations,
        ["runbook-kernel imports runbook-wire, which docs/architecture.md does not allow"]
    );
}

#[test]
fn crates_never_touch_what_is_not_theirs() {
    let table = architecture(&document());
    let mut violations = Vec::new();
    for source in sources().iter().filter(|source| is_shipped(&source.path)) {
        let Some((_, never)) = crate_of(&source.path).and_then(|name| table.get(&name)) else { continue };
        violations.extend(never_violations(never, source));
    }
    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn every_pure_crate_names_its_nevers() {
    let table = architecture(&document());
    for name in ["runbook-syntax", "runbook-plan", "runbook-kernel", "runbook-view"] {
        let never = &table[name].1;
        for word in ["std::fs", "std::env", "std::process", "std::net", "SystemTime", "Instant", "tokio"] {
            assert!(never.iter().any(|n| n == word), "{name} must name `{word}` as a never");
        }
    }
    assert!(table["runbook-kernel"].0.is_empty());
    assert_eq!(table["runbook-stdlib"].0, BTreeSet::from(["runbook-step".to_owned()]));
}

#[test]
fn an_injected_never_is_noticed() {
    let table = architecture(&document());
    let never = &table["runbook-kernel"].1;
    let inject = |line: &str| {
        let text =
            format!("//! std::fs in a comment is fine\n{line}\n#[cfg(test)]\nmod tests {{ use std::fs; }}\n");
        never_violations(never, &Source { path: "engine/kernel/src/injected.rs".into(), text }).len()
    };
    assert_eq!(inject("use std::fs;"), 1);
    assert_eq!(inject("use std::{collections::BTreeMap, fs};"), 1);
    assert_eq!(inject("let now = std::time::Instant::now();"), 1);
    assert_eq!(inject("fn prefs() {}"), 0);
}

#[test]
fn files_stay_readable() {
    let mut lengths: Vec<(usize, String)> =
        sources().iter().map(|source| (source.text.lines().count(), source.path.clone())).collect();
    lengths.sort();
    let (longest, path) = lengths.last().unwrap();
    assert!(*longest <= 800, "{path} has {longest} lines: ask what it is two of");
    let shipped: Vec<usize> = lengths.iter().filter(|(_, path)| is_shipped(path)).map(|(n, _)| *n).collect();
    let median = shipped[shipped.len() / 2];
    assert!(median <= 260, "the median file has {median} lines");
}

#[test]
fn file_names_are_nouns_of_the_field() {
    let drawers = ["util", "utils", "common", "misc", "helper", "helpers", "imp", "stuff", "types_ext"];
    for source in sources() {
        let stem = source.path.rsplit('/').next().unwrap().trim_end_matches(".rs");
        assert!(!drawers.contains(&stem), "{}: everything falls into a file of that name", source.path);
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "FIXME", "XXX"];
    for source in sources().iter().filter(|source| !source.path.starts_with("tests/tidy")) {
        for word in words {
            assert!(!source.text.contains(word), "{} contains {word}", source.path);
        }
    }
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let mut codes = BTreeSet::new();
    for source in sources().iter().filter(|s| s.path.ends_with("/codes.rs") && is_shipped(&s.path)) {
        for piece in source.text.split('"') {
            let number = piece.strip_prefix('E').unwrap_or("");
            if number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()) {
                codes.insert(piece.to_owned());
            }
        }
    }
    let pages: BTreeSet<String> = std::fs::read_dir(root().join("docs/errors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned())
        .filter(|name| name != "README")
        .collect();
    assert_eq!(codes, pages);
}
