//! Who may import whom: read from `docs/architecture.md`, so that the document and the code cannot drift apart.

use std::collections::{BTreeMap, BTreeSet};

/// A crate's row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The crates that it may import: ours as `runbook-…`, and those of others.
    pub imports: BTreeSet<String>,
    /// What its shipped sources never name.
    pub never: Vec<String>,
}

/// The table, by the crate's name.
pub fn table(document: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [name, ours, outside, never] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|n| n.strip_suffix('`')) else { continue };
        let ours = ticked(ours).map(|n| format!("runbook-{n}"));
        let imports = ours.chain(ticked(outside).map(str::to_owned)).collect();
        rows.insert(
            format!("runbook-{name}"),
            Row { imports, never: ticked(never).map(str::to_owned).collect() },
        );
    }
    rows
}

/// The words between backticks.
fn ticked(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Dependencies that a crate has and the table does not allow, and rows that allow what no longer exists.
pub fn import_violations(
    table: &BTreeMap<String, Row>,
    actual: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut violations = Vec::new();
    for (name, imports) in actual {
        let Some(Row { imports: allowed, .. }) = table.get(name) else {
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
