//! `docs/reference/`: a page for each standard step type, made from its declaration.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use runbook_step::{Choice, Declaration, Effect, Field, Idempotence, Param, Type, UndoKind};

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
    let mut pages: BTreeMap<_, _> =
        registry.declarations().map(|step| (format!("{}.md", step.name), page(step))).collect();
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
        push(
            &mut text,
            &format!("| [`{name}`]({name}.md) | {} | {} | {undo} |\n", step.summary, step.effect.word()),
        );
    }
    push(&mut text, "\nWriting your own: [writing steps](../guides/writing-steps.md).\n");
    text
}

fn page(step: &Declaration) -> String {
    let mut text = format!("{MADE}\n\n# {}\n\n{}\n\n{}\n", step.name, step.summary, step.doc);
    push(&mut text, "\n## At a glance\n\n");
    for (what, is) in glance(step) {
        push(&mut text, &format!("- **{what}**: {is}\n"));
    }
    push(&mut text, "\n## Parameters\n\n");
    if step.params.is_empty() {
        push(&mut text, if step.outputs_from_all { "Any names.\n" } else { "None.\n" });
    }
    for param in &step.params {
        parameter(&mut text, param);
    }
    for (choice, names) in &step.choices {
        let count = match choice {
            Choice::AtMostOne => "At most one",
            Choice::ExactlyOne => "Exactly one",
            Choice::AtLeastOne => "At least one",
        };
        push(&mut text, &format!("\n{count} of {} is given.\n", ticked(names)));
    }
    push(&mut text, "\n## Outputs\n\n");
    for output in &step.outputs {
        push(&mut text, &format!("- `{}` ({}): {}\n", output.name, short(&output.ty), output.doc));
    }
    if step.outputs_from_all {
        push(&mut text, "- every parameter, by its name\n");
    }
    if step.outputs_declared {
        push(&mut text, "- what the step declares under `outputs:`\n");
    }
    if step.outputs.is_empty()
        && !step.outputs_from_all
        && !step.outputs_declared
        && step.outputs_from.is_none()
    {
        push(&mut text, "None.\n");
    }
    if let Some(param) = step.outputs_from {
        push(&mut text, &format!("- the names under `{param}`\n"));
    }
    text
}

/// What somebody who is about to run it wants to know.
fn glance(step: &Declaration) -> Vec<(&'static str, String)> {
    let effect = match step.effect {
        Effect::Pure => "computes, and touches nothing",
        Effect::Read => "looks, and changes nothing",
        Effect::Write => "changes something",
        Effect::Notify => {
            "tells somebody; if it fails, that is reported, and the run goes on unless it is `required: true`"
        }
        Effect::Declared => "changes something, unless the step says `effect: read`",
    };
    let mut glance = vec![("Effect", effect.to_owned())];
    let changes = matches!(step.effect, Effect::Write | Effect::Declared);
    match step.undo {
        UndoKind::Own { summary } => glance.push(("Undo", summary.to_owned())),
        UndoKind::None if changes => glance.push(("Undo", "none of its own; say `rollback:`".to_owned())),
        UndoKind::None => {}
    }
    if changes || step.effect == Effect::Notify {
        let twice = match step.idempotence {
            Idempotence::Idempotent => "is the same as once",
            Idempotence::WithKey => "is the same as once where the receiver honours the idempotency key",
            Idempotence::No => "may do it twice",
        };
        glance.push(("Running it twice", twice.to_owned()));
    }
    match (step.check.verify, step.check.proves_absence) {
        (true, true) => {
            glance.push(("In doubt", "it can tell whether it is done, and whether it is not".to_owned()))
        }
        (true, false) => glance.push(("In doubt", "it can tell whether it is done".to_owned())),
        (false, _) if changes => glance.push(("In doubt", "it cannot tell; say `verify:`".to_owned())),
        (false, _) => {}
    }
    if step.is_check {
        let places = "in `wait: {until}`, `guard`, `verify`, `assert_target`, `require` and `between` too";
        glance.push(("A check", places.to_owned()));
    }
    for used in &step.resources {
        let what = if used.write { "Writes" } else { "Reads" };
        glance.push((what, format!("`{}`, named by {}", used.kind, ticked(used.by))));
    }
    glance
}

fn parameter(text: &mut String, param: &Param) {
    let mut notes = vec![short(&param.ty)];
    match &param.default {
        Some(default) => notes.push(format!("default `{}`", param.ty.written(default).to_plain_json())),
        None if param.required => notes.push("required".to_owned()),
        None => {}
    }
    if param.verbatim {
        notes.push("taken as it is, no `${{ }}`".to_owned());
    }
    push(text, &format!("- `{}` ({}): {}\n", param.name, notes.join("; "), param.doc));
    fields(text, &param.ty, 1);
}

/// The fields of a map, wherever in a type one stands.
fn fields(text: &mut String, ty: &Type, depth: usize) {
    match ty {
        Type::Map { fields: known, .. } => {
            for Field { name, ty, required, doc } in known {
                let required = if *required { "; required" } else { "" };
                let indent = "  ".repeat(depth);
                push(text, &format!("{indent}- `{name}` ({}{required}): {doc}\n", short(ty)));
                fields(text, ty, depth + 1);
            }
        }
        Type::List(of) => fields(text, of, depth),
        Type::Either(types) => types.iter().for_each(|ty| fields(text, ty, depth)),
        _ => {}
    }
}

/// A type in words, without the names of fields, which follow.
fn short(ty: &Type) -> String {
    match ty {
        Type::Map { fields, .. } if !fields.is_empty() => "a map".to_owned(),
        Type::List(of) => format!("a list of {}", short(of)),
        Type::Either(types) => types.iter().map(short).collect::<Vec<_>>().join(", or "),
        other => other.to_string(),
    }
}

fn ticked(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn push(text: &mut String, more: &str) {
    text.write_str(more).expect("writing to a string cannot fail");
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
