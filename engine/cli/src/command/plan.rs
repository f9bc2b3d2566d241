//! `runbook plan FILE`.

use clap::Args;
use runbook_plan::Plan;
use runbook_wire::{Entry, EntryKind, Promise, Role};

use crate::args::{Format, Global};
use crate::error::{CommandError, Exit};
use crate::output;
use crate::target::{Planned, Target};

/// Show what a runbook would do, and how each step comes back; run nothing.
#[derive(Debug, Args)]
pub(crate) struct PlanCommand {
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(command: &PlanCommand, global: &Global) -> Result<Exit, CommandError> {
    let planned = command.target.plan(false, Vec::new())?;
    show(&command.target, planned, global)
}

/// Shows a plan on stdout, after its diagnostics on stderr.
pub(super) fn show(target: &Target, planned: Planned, global: &Global) -> Result<Exit, CommandError> {
    let (plan, _, environment) = target.plan_or_show(planned, global)?;
    match global.output {
        Format::Json => output::data_line(&json(&plan, environment.as_deref())?)?,
        Format::Text => output::data(&text(&plan, environment.as_deref()))?,
    }
    Ok(Exit::SUCCESS)
}

fn json(plan: &Plan, environment: Option<&str>) -> Result<String, CommandError> {
    let outline =
        serde_json::to_value(&plan.outline).map_err(|error| CommandError::unexpected(error.to_string()))?;
    let inputs = plan
        .inputs
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()))
        .collect::<serde_json::Map<_, _>>();
    Ok(serde_json::json!({
        "version": 1, "type": "plan", "digest": plan.digest.0, "environment": environment, "protected": plan.protected,
        "inputs": inputs, "outline": outline,
    })
    .to_string())
}

fn text(plan: &Plan, environment: Option<&str>) -> String {
    let outline = &plan.outline;
    let mut out = match outline.summary.as_str() {
        "" => format!("{}\n", outline.name),
        summary => format!("{}: {summary}\n", outline.name),
    };
    if let Some(owner) = &outline.owner {
        out.push_str(&format!("owner        {owner}\n"));
    }
    out.push_str(&format!(
        "environment  {}{}\n",
        environment.unwrap_or("none"),
        if plan.protected { ", protected" } else { "" }
    ));
    for (name, value) in &plan.inputs {
        out.push_str(&format!("input        {name} = {}\n", value.to_json()));
    }
    for lock in &plan.locks {
        out.push_str(&format!("lock         {} (if held: {})\n", lock.name, lock.if_held));
    }
    out.push_str(&format!("digest       {}\n\n", plan.digest.0));
    let mut rows = Vec::new();
    for node in &outline.steps {
        collect(&outline.entries, *node, 0, false, &mut rows);
    }
    if !outline.finally.is_empty() {
        rows.push(Row { name: "finally".into(), ..Row::default() });
        for node in &outline.finally {
            collect(&outline.entries, *node, 1, false, &mut rows);
        }
    }
    let width = |column: fn(&Row) -> &str, most: usize| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default().min(most)
    };
    let (name, what) = (width(|row| &row.name, 48), width(|row| &row.what, 48));
    for row in &rows {
        let line = format!("{:name$}  {:what$}  {:6}  {}", row.name, row.what, row.effect, row.notes);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A line of the plan.
#[derive(Default)]
struct Row {
    name: String,
    what: String,
    effect: String,
    notes: String,
}

/// Adds a node and what is inside it; `left_out`: something around it is.
fn collect(entries: &[Entry], node: u32, depth: usize, left_out: bool, rows: &mut Vec<Row>) {
    let Some(entry) = entries.get(node as usize) else { return };
    let indent = "  ".repeat(depth);
    let scope =
        matches!(entry.kind, EntryKind::Group | EntryKind::Call | EntryKind::ForEach | EntryKind::Switch);
    let mut notes = Vec::new();
    if entry.pivot {
        notes.push("POINT OF NO RETURN".to_owned());
    }
    notes.extend(Some(undo_words(&entry.promise, entries, &entry.undo)).filter(|words| !words.is_empty()));
    match &entry.policy.when {
        // What is inside is listed all the same: that is what this run goes without.
        Some(when) if entry.policy.left_out => notes = vec![format!("LEFT OUT: {when} does not hold")],
        _ if left_out => notes.clear(),
        Some(when) => notes.push(format!("only when {when}")),
        None => {}
    }
    let left_out = left_out || entry.policy.left_out;
    rows.push(Row {
        name: format!("{indent}{}", one_line(entry.title.as_deref().unwrap_or(&entry.segment))),
        what: entry.what.clone(),
        effect: if scope || left_out { String::new() } else { entry.effect.clone() },
        notes: notes.join("; "),
    });
    if entry.cases.is_empty() {
        for child in &entry.children {
            collect(entries, *child, depth + 1, left_out, rows);
        }
    }
    for (label, nodes) in &entry.cases {
        rows.push(Row { name: format!("{indent}  case {label}"), ..Row::default() });
        for child in nodes {
            collect(entries, *child, depth + 2, left_out, rows);
        }
    }
    for child in &entry.finally {
        rows.push(Row { name: format!("{indent}  finally"), ..Row::default() });
        collect(entries, *child, depth + 2, left_out, rows);
    }
}

/// A name may have several lines, a row of the table has one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How it comes back, in words.
fn undo_words(promise: &Promise, entries: &[Entry], undo: &[u32]) -> String {
    match promise {
        Promise::NothingToUndo | Promise::Children => String::new(),
        Promise::Own(text) => format!("undo: {text}"),
        Promise::Steps => {
            let what: Vec<&str> = (undo.iter().filter_map(|node| entries.get(*node as usize)))
                // A probe that must hold before is no part of what is done.
                .filter(|entry| entry.role != Role::Require)
                .map(|entry| entry.what.as_str())
                .collect();
            format!("undo: {}", what.join(", "))
        }
        Promise::None(reason) => format!("not undone: {reason}"),
        Promise::Irreversible(reason) => format!("irreversible: {reason}"),
        Promise::Missing => "says nothing about its undo".into(),
    }
}
