//! The JSON Schema against the parser: another description of the same language, read by another program.

use std::collections::BTreeSet;

use jsonschema::Validator;
use runbook_corpus::{expected, root, runbooks};

/// Codes of faults that a schema can see: keys, shapes and words, not names, expressions or what they mean.
const SEEN: [&str; 10] = ["E114", "E201", "E203", "E204", "E205", "E208", "E209", "E210", "E213", "E214"];

fn validator() -> Validator {
    let schema = runbook_plan::schema(&runbook_stdlib::registry());
    jsonschema::draft7::meta::validate(&schema).expect("the schema is one");
    jsonschema::draft7::new(&schema).expect("the schema can be used")
}

/// The text as an editor hands it to the schema: merge keys applied. `None` where it is lost before.
fn value(text: &str) -> Option<serde_json::Value> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    value.apply_merge().ok()?;
    serde_json::to_value(value).ok()
}

fn faults(validator: &Validator, value: &serde_json::Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn right_files_pass() {
    let validator = validator();
    let mut files = runbooks("good");
    files.extend(runbooks("support"));
    files.extend(runbooks("../../runbooks"));
    files.extend(runbooks("../../environments"));
    // A file of answers is no document of the language.
    files.retain(|(_, text)| text.contains("runbook/v1"));
    assert!(files.len() > 10, "{}", root().display());
    for (path, text) in files {
        assert_eq!(faults(&validator, &value(&text).expect("YAML")), [""; 0], "{path}");
    }
}

#[test]
fn files_with_wrong_keys_and_shapes_do_not() {
    let validator = validator();
    let mut seen = 0;
    for (path, text) in runbooks("wrong") {
        let codes: BTreeSet<String> = expected(&text).unwrap().into_iter().map(|fault| fault.code).collect();
        // Keys that are there twice, or are no text, are lost before a schema sees them.
        let Some(value) = value(&text) else { continue };
        if codes.iter().any(|code| SEEN.contains(&code.as_str())) {
            seen += 1;
            assert_ne!(faults(&validator, &value), [""; 0], "{path}: {codes:?}");
        }
    }
    assert!(seen > 10, "{seen}");
}
