//! House rules as functions over the workspace's text, so that the tests can also show that each rule notices.

use std::path::{Path, PathBuf};

mod architecture;
mod nevers;
mod promises;

pub use architecture::{Row, import_violations, table};
pub use nevers::{literals, violations};
pub use promises::{claims, missing_tests};

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
