//! `runbook plan FILE`.

use clap::Args;
use runbook_plan::{Plan, Template, Work};
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
        collect(plan, *node, 0, false, &mut rows);
    }
    if !outline.finally.is_empty() {
        rows.push(Row { name: "finally".into(), ..Row::default() });
        for node in &outline.finally {
            collect(plan, *node, 1, false, &mut rows);
        }
    }
    for row in &mut rows {
        row.what = with_inputs(plan, &row.what);
        row.notes = with_inputs(plan, &row.notes);
    }
    let width = |column: fn(&Row) -> &str, most: usize| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default().min(most)
    };
    let (name, what) = (width(|row| &row.name, 48), width(|row| &row.what, 48));
    let effect = width(|row| &row.effect, 16);
    for row in &rows {
        let line = format!("{:name$}  {:what$}  {:effect$}  {}", row.name, row.what, row.effect, row.notes);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Inputs are known already: a text shows what they are where it names them plainly.
fn with_inputs(plan: &Plan, text: &str) -> String {
    plan.inputs.iter().fold(text.to_owned(), |text, (name, value)| {
        let json = value.to_json();
        // A secret is known by reference only.
        if json.is_object() {
            return text;
        }
        let shown = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        text.replace(&format!("${{{{ inputs.{name} }}}}"), &shown)
    })
}

/// A line of the plan.
#[derive(Default)]
struct Row {
    name: String,
    what: String,
    effect: String,
    notes: String,
}

/// Of a `for_each`: what is done for each item, where that has no name of its own.
fn whole_of_items<'p>(plan: &'p Plan, entry: &Entry) -> Option<&'p Entry> {
    let first = entry.children.first().filter(|_| entry.kind == EntryKind::ForEach)?;
    plan.outline.entries.get(*first as usize).filter(|body| body.segment.is_empty())
}

/// Adds a node and what is inside it; `left_out`: something around it is.
fn collect(plan: &Plan, node: u32, depth: usize, left_out: bool, rows: &mut Vec<Row>) {
    let Some(entry) = plan.outline.entries.get(node as usize) else { return };
    let indent = "  ".repeat(depth);
    // What has no name stands on the line of what has one.
    let whole = whole_of_items(plan, entry);
    let body = whole.unwrap_or(entry);
    let scope =
        matches!(body.kind, EntryKind::Group | EntryKind::Call | EntryKind::ForEach | EntryKind::Switch);
    let mut notes = Vec::new();
    if body.pivot {
        notes.push("POINT OF NO RETURN".to_owned());
    }
    notes.extend(Some(undo_words(plan, body)).filter(|words| !words.is_empty()));
    if let Some(what) = &body.policy.unpinned {
        notes.push(format!("not pinned: {what} is only known in the run"));
    }
    match body.policy.on_inconclusive.as_deref() {
        Some("continue") => notes.push("goes on without an answer".into()),
        Some(_) => notes.push("asks when there is no answer".into()),
        None => {}
    }
    let out = entry.policy.left_out || body.policy.left_out;
    match entry.policy.when.as_ref().or(body.policy.when.as_ref()) {
        // What is inside is listed all the same: that is what this run goes without.
        Some(when) if out => notes = vec![format!("LEFT OUT: {when} does not hold")],
        _ if left_out => notes.clear(),
        Some(when) => notes.push(format!("only when {when}")),
        None => {}
    }
    let left_out = left_out || out;
    let each = whole.filter(|body| !body.what.is_empty()).map(|body| body.what.as_str());
    let does = std::iter::once(entry.what.as_str())
        .chain(each)
        .filter(|what| !what.is_empty())
        .collect::<Vec<_>>()
        .join(": ");
    // The id is what paths are made of; its name says what it is for.
    let what = match entry.title.as_deref() {
        Some(title) if does.is_empty() => title.to_owned(),
        Some(title) => format!("{title} ({does})"),
        None => does,
    };
    rows.push(Row {
        name: format!("{indent}{}", entry.segment),
        what: one_line(&what),
        effect: if scope || left_out { String::new() } else { body.effect_words() },
        notes: notes.join("; "),
    });
    if body.cases.is_empty() {
        for child in &body.children {
            collect(plan, *child, depth + 1, left_out, rows);
        }
    }
    for (label, nodes) in &body.cases {
        rows.push(Row { name: format!("{indent}  case {label}"), ..Row::default() });
        for child in nodes {
            collect(plan, *child, depth + 2, left_out, rows);
        }
    }
    if !body.finally.is_empty() {
        rows.push(Row { name: format!("{indent}  finally"), ..Row::default() });
    }
    for child in &body.finally {
        collect(plan, *child, depth + 2, left_out, rows);
    }
}

/// What a step of an undo does: its name, else how its script begins, else its type.
fn does(plan: &Plan, node: u32) -> Option<String> {
    const LONG: usize = 60;
    let entry = plan.outline.entries.get(node as usize)?;
    let script = match plan.nodes.get(node as usize).map(|node| &node.work) {
        Some(Work::Step(invocation)) => invocation.params.iter().find_map(|(_, value)| match value {
            Template::Const(value) if invocation.step == "run" => value.as_str(),
            _ => None,
        }),
        _ => None,
    };
    let line = script.and_then(|script| script.lines().map(str::trim).find(|line| !line.is_empty()));
    let cut = |line: &str| match line.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    };
    Some(match (&entry.title, line) {
        (Some(title), _) => title.clone(),
        (None, Some(line)) => format!("{} {}", entry.what, cut(line)),
        (None, None) => entry.what.clone(),
    })
}

/// A name may have several lines, a row of the table has one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How it comes back, in words.
fn undo_words(plan: &Plan, entry: &Entry) -> String {
    let parent = |entry: &&Entry| entry.parent.and_then(|node| plan.outline.entries.get(node as usize));
    // An undo of a group's own takes the place of all that are inside it.
    let around = std::iter::successors(parent(&entry), parent).filter(|group| {
        matches!(group.kind, EntryKind::Group | EntryKind::Call | EntryKind::Switch)
            && matches!(group.promise, Promise::Steps | Promise::None(_) | Promise::Irreversible(_))
    });
    // That of an item without a name is called as the `for_each` is.
    let name = |group: &Entry| match parent(&group).filter(|_| group.segment.is_empty()) {
        Some(each) => each.segment.clone(),
        None => group.segment.clone(),
    };
    match (&entry.promise, around.last()) {
        (Promise::NothingToUndo | Promise::Children, _) => return String::new(),
        (_, Some(group)) if group.promise == Promise::Steps => {
            return format!("undo: that of `{}`", name(group));
        }
        (_, Some(group)) => return format!("not undone, as `{}` is not", name(group)),
        (_, None) => {}
    }
    match &entry.promise {
        Promise::NothingToUndo | Promise::Children => String::new(),
        Promise::Own(text) => format!("undo: {text}"),
        Promise::Steps => {
            // Of a `for_each`, that stands at the step which is done for each item. A probe that must hold before is no part of
            // what is done.
            let undo = entry.undo.iter().filter(|node| {
                plan.outline.entries.get(**node as usize).is_none_or(|entry| entry.role != Role::Require)
            });
            let what: Vec<String> = undo.filter_map(|node| does(plan, *node)).collect();
            if what.is_empty() { String::new() } else { format!("undo: {}", what.join(", ")) }
        }
        Promise::None(reason) => format!("not undone: {reason}"),
        Promise::Irreversible(reason) => format!("irreversible: {reason}"),
        Promise::Missing => "says nothing about its undo".into(),
    }
}
