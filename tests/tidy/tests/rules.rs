//! The house rules hold, and each of them notices when it is broken.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use runbook_tidy::{
    Source, claims, crate_of, import_violations, is_shipped, literals, missing_tests, root, sources, table,
    violations,
};

fn document() -> String {
    std::fs::read_to_string(root().join("docs/architecture.md")).unwrap()
}

/// Workspace crates and what each depends on (tests aside), from cargo.
fn actual() -> BTreeMap<String, BTreeSet<String>> {
    let tests = root().join("tests").canonicalize().unwrap();
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap();
    metadata
        .packages
        .iter()
        .filter(|package| !package.manifest_path.starts_with(&tests))
        .map(|package| {
            let imports =
                package.dependencies.iter().filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
            (package.name.to_string(), imports.map(|d| d.name.clone()).collect())
        })
        .collect()
}

#[test]
fn imports_follow_the_architecture() {
    assert_eq!(import_violations(&table(&document()), &actual()), Vec::<String>::new());
}

#[test]
fn an_injected_import_is_noticed() {
    for import in ["runbook-wire", "rand"] {
        let mut actual = actual();
        actual.get_mut("runbook-kernel").unwrap().insert(import.to_owned());
        let violations = import_violations(&table(&document()), &actual);
        assert_eq!(
            violations,
            [format!("runbook-kernel imports {import}, which docs/architecture.md does not allow")]
        );
    }
}

#[test]
fn crates_never_touch_what_is_not_theirs() {
    let table = table(&document());
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| is_shipped(&source.path)) {
        let Some(row) = crate_of(&source.path).and_then(|name| table.get(&name)) else { continue };
        found.extend(violations(&row.never, source));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_pure_crate_names_its_nevers() {
    let table = table(&document());
    let pure = &table["runbook-syntax"].never;
    for word in
        ["std::fs", "std::env", "std::process", "std::net", "std::io", "SystemTime", "Instant", "tokio"]
    {
        assert!(pure.iter().any(|n| n == word), "`{word}` must be a never");
    }
    for name in ["step", "plan", "kernel", "wire", "view", "stdlib"] {
        let never = &table[&format!("runbook-{name}")].never;
        let missing: Vec<_> = pure.iter().filter(|word| !never.contains(word)).collect();
        assert!(missing.is_empty(), "{name} must name {missing:?} as nevers");
    }
    assert!(table["runbook-kernel"].imports.is_empty());
    let ours = |name: &str| -> BTreeSet<String> {
        table[name].imports.iter().filter(|import| import.starts_with("runbook-")).cloned().collect()
    };
    assert_eq!(ours("runbook-stdlib"), BTreeSet::from(["runbook-step".to_owned()]));
}

#[test]
fn an_injected_never_is_noticed() {
    let table = table(&document());
    let inject = |text: &str| {
        let text = format!(
            "//! std::fs in a comment is fine\n{text}\n#[cfg(test)]\nmod tests {{ use std::fs; }}\nfn last() {{}}\n"
        );
        let source = Source { path: "engine/kernel/src/injected.rs".into(), text };
        violations(&table["runbook-kernel"].never, &source).len()
    };
    let hidden = [
        "use std::fs;",
        "use std::{collections::BTreeMap, fs};",
        "use std::{\n    collections::BTreeMap,\n    fs::{self, File},\n};",
        "use std as s; fn f() { s::fs::read(\"x\"); }",
        "use std::fs as disk; fn f() { disk::read(\"x\"); }",
        "fn f() { std::time::Instant::now(); }",
        "fn f() { std::time::UNIX_EPOCH.elapsed(); }",
        "use std::collections::hash_map::RandomState;",
        "fn f(path: &std::path::Path) -> bool { path.exists() }",
        "fn f() { assert!(std::env::var(\"X\").is_ok()); }",
        "fn f() { if true { print!(\"x\"); } }",
        "fn f() { std::io::stdout(); }",
        "#[derive(serde::Serialize)] struct S;",
        "fn f() { serde::de::value(); }",
        "#[cfg(test)] use std::fs; fn f() { std::fs::read(\"x\"); }",
    ];
    for text in hidden {
        assert!(inject(text) > 0, "not noticed: {text}");
    }
    for text in ["fn prefs() {}", "fn f() { mystd::fs::x(); }", "#[cfg(test)] mod more { use std::fs; }"] {
        assert_eq!(inject(text), 0, "{text}");
    }
}

/// The names of the step types: each has a page, which is generated from its declaration.
fn step_types() -> BTreeSet<String> {
    let pages = std::fs::read_dir(root().join("docs/reference")).unwrap();
    let names =
        pages.map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned());
    names.filter(|name| name != "README").collect()
}

/// `runtime` and `kernel` have no step type in their hands by name.
fn named_steps(source: &Source) -> Vec<String> {
    let steps = step_types();
    let named = literals(source).into_iter().filter(|(_, text)| steps.contains(text));
    named.map(|(line, text)| format!("{}:{line}: `{text}` is a step type's name", source.path)).collect()
}

#[test]
fn the_runtime_knows_no_step_type() {
    assert!(step_types().len() >= 12, "{:?}", step_types());
    let engine = ["engine/runtime/", "engine/kernel/"];
    for source in
        sources().iter().filter(|s| is_shipped(&s.path) && engine.iter().any(|e| s.path.starts_with(e)))
    {
        assert_eq!(named_steps(source), Vec::<String>::new());
    }
    let injected = "fn f(step: &str) -> bool { matches!(step, \"http.request\") }";
    let source = Source { path: "engine/runtime/src/injected.rs".into(), text: injected.into() };
    assert_eq!(named_steps(&source).len(), 1);
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
fn every_promise_names_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let claims = claims(&page);
    assert_eq!(claims.keys().copied().collect::<Vec<_>>(), (1..=13).collect::<Vec<_>>());
    for (number, tests) in &claims {
        assert!(!tests.is_empty(), "promise {number} names no test");
    }
    assert_eq!(missing_tests(&claims, &sources()), Vec::<String>::new());
}

#[test]
fn a_promise_whose_test_is_gone_is_noticed() {
    let page = "## 2. Results once\n\n- `there`,\n  `gone`, `tests/a.rs`: words with `ticks`.\n- `also`, `tests/b.rs`: words.\n";
    let text = "#[test]\nfn there() {}\nfn gone() {}\n".to_owned();
    let source = Source { path: "tests/a.rs".into(), text };
    assert_eq!(
        missing_tests(&claims(page), &[source]),
        ["promise 2: tests/a.rs has no test `gone`", "promise 2: tests/b.rs has no test `also`"]
    );
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
