//! `schemas/`: the JSON Schema of the language, made from its tables and the step types' declarations.

use std::path::Path;

/// Relative to the folder.
const NAME: &str = "runbook.schema.json";

/// Writes the schema.
pub(crate) fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(NAME), text())
}

fn text() -> String {
    let schema = runbook_plan::schema(&runbook_stdlib::registry());
    let mut text = serde_json::to_string_pretty(&schema).expect("a JSON value can be written");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_schema_is_the_one_that_would_be_made() {
        let committed =
            std::fs::read_to_string(crate::root().join("schemas").join(super::NAME)).unwrap_or_default();
        assert!(committed == super::text(), "the schema is out of date: run `cargo dev schema`");
    }
}
