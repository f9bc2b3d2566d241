//! `docs/reference/`: a page for each standard step type, made from its declaration.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_step::{Declaration, Effect, UndoKind, reference_page};

const MADE: &str = "<!-- Made by `cargo dev reference` from the step type's doc comment and declaration: change it there. -->";

/// Writes the pages, and removes those of step types that are no more.
pub(crate) fn write(folder: &Path) -> std::io::Result<()> {
    let pages = pages();
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !pages.contains_key(entry.file_name().to_string_lossy().as_ref()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (name, text) in &pages {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// All pages by file name.
fn pages() -> BTreeMap<String, String> {
    let registry = runbook_stdlib::registry();
    let mut pages: BTreeMap<_, _> = registry
        .declarations()
        .map(|step| (format!("{}.md", step.name), format!("{MADE}\n\n{}", reference_page(step))))
        .collect();
    pages.insert("README.md".into(), index(registry.declarations()));
    pages
}

fn index<'a>(steps: impl Iterator<Item = &'a Declaration>) -> String {
    let mut text = format!(
        "{MADE}\n\n# Step types\n\n| step type | what it does | effect | undo |\n|---|---|---|---|\n"
    );
    for step in steps {
        let undo = match step.undo {
            UndoKind::Own { .. } => "its own",
            UndoKind::None if matches!(step.effect, Effect::Declared) => "`rollback:`",
            UndoKind::None => "",
        };
        let name = step.name;
        text.push_str(&format!(
            "| [`{name}`]({name}.md) | {} | {} | {undo} |\n",
            step.summary,
            step.effect.word()
        ));
    }
    text.push_str("\nWriting your own: [writing steps](../guides/writing-steps.md).\n");
    text
}

#[cfg(test)]
mod tests {
    use runbook_plan::{Bundle, Request};

    use super::*;

    #[test]
    fn the_committed_pages_are_those_that_would_be_made() {
        let folder = crate::root().join("docs/reference");
        let mut committed = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            committed.insert(name, std::fs::read_to_string(entry.path()).unwrap());
        }
        let made = pages();
        let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&committed), names(&made), "run `cargo dev reference`");
        for (name, text) in &made {
            assert!(committed[name] == *text, "{name} is out of date: run `cargo dev reference`");
        }
    }

    #[test]
    fn every_declaration_reads_well() {
        for step in runbook_stdlib::registry().declarations() {
            let name = step.name;
            assert!(step.summary.ends_with('.') && !step.summary.contains('\n'), "{name}: {}", step.summary);
            assert!(step.doc.contains("```yaml\n"), "{name} has no example");
            assert!(
                step.params.iter().all(|param| param.doc.ends_with(['.', ')'])),
                "{name}: a parameter without a doc"
            );
            assert!(
                step.outputs.iter().all(|output| output.doc.ends_with('.')),
                "{name}: an output without a doc"
            );
            let changes = matches!(step.effect, Effect::Write);
            assert!(!changes || !step.resources.is_empty(), "{name} changes nothing that it names");
            assert!(!changes || step.undo != UndoKind::None, "{name} has no undo");
            assert!(!(step.is_check && changes), "{name} is a check that changes something");
            let names: Vec<_> = step.params.iter().map(|param| param.name).collect();
            let known = |name: &&str| names.contains(name);
            assert!(step.resources.iter().all(|used| used.by.iter().all(&known)), "{name}");
            assert!(step.choices.iter().all(|(_, of)| of.iter().all(&known)), "{name}");
            assert!(step.outputs_from.iter().all(known), "{name}");
        }
    }

    /// What an example leaves out: the inputs, steps, environment, secrets and files around it, and its undo.
    const AROUND: [&str; 6] = ["E402", "E403", "E501", "E601", "E607", "E611"];

    #[test]
    fn every_example_can_be_planned() {
        let registry = runbook_stdlib::registry();
        for step in registry.declarations() {
            for example in step.doc.split("```yaml\n").skip(1) {
                let example = example.split("```").next().unwrap();
                let steps = if example.starts_with('-') {
                    "steps:\n"
                } else {
                    "steps: [{uses: set, with: {a: 1}}]\n"
                };
                let text = format!("apiVersion: runbook/v1\nname: example\n{steps}{example}");
                let files = BTreeMap::from([("example.yaml".to_owned(), text.clone().into_bytes())]);
                let request = Request { file: "example.yaml".into(), ..Request::default() };
                let bundle = Bundle { request: request.clone(), files };
                let planned = runbook_plan::plan(&request, &bundle, &registry);
                let faults: Vec<_> = planned
                    .diagnostics
                    .iter()
                    .filter(|fault| !AROUND.contains(&fault.code.0))
                    .map(|fault| format!("{} {}", fault.code.0, fault.message))
                    .collect();
                assert_eq!(faults, Vec::<String>::new(), "{}:\n{text}", step.name);
            }
        }
    }
}
