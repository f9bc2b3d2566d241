//! The reference page of a step type, from its declaration alone.

use std::fmt::Write as _;

use crate::{Choice, Declaration, Effect, Field, Idempotence, Param, Type, UndoKind};

/// The page as Markdown: what it does, effect and undo, parameters, outputs.
pub fn reference_page(step: &Declaration) -> String {
    let mut text = format!("# {}\n\n{}\n\n{}\n", step.name, step.summary, step.doc);
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
