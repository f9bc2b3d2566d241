//! Required outputs: what a runbook was asked to produce, and whether this run did (see `docs/design/report.md`).
//!
//! An output whose value is a map with a `title` is one. `by` names the steps that produce it; whether they did is read
//! off the record, never said by the runbook's author. `reason` says why it is not produced here; `evidence` is shown.

use std::collections::BTreeMap;

use runbook_wire::{EntryKind, Outline};
use serde_json::{Map, Value};

use crate::{Node, Rollback, Run, Status, Tree, Undoing, value};

/// A required output.
#[derive(Debug, Clone, PartialEq)]
pub struct Required {
    /// Its name among the runbook's `outputs`.
    pub name: String,
    pub title: String,
    pub produced: Produced,
    /// One sentence: how, or why not.
    pub why: String,
    /// The steps that it is produced by, and what each says.
    pub by: Vec<Evidence>,
    /// Further evidence that the runbook computed.
    pub evidence: Vec<(String, String)>,
}

/// Whether an output was produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Produced {
    Yes,
    /// Some of its steps did not run, or part of it is not produced here.
    InPart,
    No,
    /// It is only needed when something fails, and nothing did.
    NotNeeded,
}

/// A step as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub path: String,
    /// How it stands: `done`, `skipped: …`.
    pub text: String,
    /// What it saw or returned.
    pub details: Vec<String>,
    pub ok: bool,
}

impl Produced {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Produced::Yes => "produced",
            Produced::InPart => "produced in part",
            Produced::No => "not produced",
            Produced::NotNeeded => "not needed",
        }
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Produced::Yes => "produced",
            Produced::InPart => "produced_in_part",
            Produced::No => "not_produced",
            Produced::NotNeeded => "not_needed",
        }
    }
}

/// The required outputs of a run, in the order of their names in the outline.
pub fn required(tree: &Tree<'_>) -> Vec<Required> {
    let run = tree.run;
    let computed = run.finished.as_ref().map(|f| &f.outputs);
    let mut names: Vec<&String> = run.outline.outputs.keys().collect();
    names.extend(
        computed.into_iter().flat_map(BTreeMap::keys).filter(|n| !run.outline.outputs.contains_key(*n)),
    );
    let paths = paths(&run.outline, tree);
    let mut all: Vec<Required> = names
        .into_iter()
        .filter_map(|name| {
            let written = run.outline.outputs.get(name);
            let now = computed.and_then(|c| c.get(name));
            declaration(written)
                .or(declaration(now))
                .map(|map| one(tree, &paths, name, map, declaration(now)))
        })
        .collect();
    all.sort_by_key(|r| order(&run.outline, &r.name));
    all
}

/// Whether a value of `outputs` is a required output.
pub fn is_required(value: &Value) -> bool {
    declaration(Some(value)).is_some()
}

fn declaration(value: Option<&Value>) -> Option<&Map<String, Value>> {
    let map = value?.as_object()?;
    (map.contains_key("title") && (map.contains_key("by") || map.contains_key("reason"))).then_some(map)
}

/// `order:`, where it is written; maps of values have none of their own.
fn order(outline: &Outline, name: &str) -> i64 {
    outline.outputs.get(name).and_then(|v| v.get("order")).and_then(Value::as_i64).unwrap_or(i64::MAX)
}

/// Every node by its path without items: `pre_deploy.readiness`.
fn paths(outline: &Outline, tree: &Tree<'_>) -> BTreeMap<String, u32> {
    let path = |node: u32| {
        let mut segments = Vec::new();
        let mut at = Some(node);
        while let Some(n) = at {
            segments.extend(Some(outline.entries[n as usize].segment.as_str()).filter(|s| !s.is_empty()));
            at = tree.run.shape.owner(n);
        }
        segments.reverse();
        segments.join(".")
    };
    (0..outline.entries.len() as u32).map(|n| (path(n), n)).collect()
}

fn one(
    tree: &Tree<'_>,
    paths: &BTreeMap<String, u32>,
    name: &str,
    written: &Map<String, Value>,
    computed: Option<&Map<String, Value>>,
) -> Required {
    let text = |key: &str| {
        let value = computed.and_then(|c| c.get(key)).or(written.get(key));
        value.filter(|v| !v.is_null()).map(value::short)
    };
    let by = match written.get("by") {
        Some(Value::Array(list)) => list.iter().map(value::short).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let reason = text("reason");
    let evidence = match computed.and_then(|c| c.get("evidence")) {
        Some(Value::Object(map)) => {
            // What could not be said because the step it is of did not get there is no evidence.
            let said = map.iter().filter(|(_, value)| !value.is_null());
            said.map(|(name, value)| (name.replace('_', " "), value::short(value))).collect()
        }
        Some(Value::Null) | None => Vec::new(),
        Some(other) => vec![("evidence".to_owned(), value::short(other))],
    };
    let (produced, why, by) = if by.len() == 1 && by[0] == "rollback" && !paths.contains_key("rollback") {
        rollback(tree)
    } else {
        steps(tree, paths, &by, reason.as_deref())
    };
    let why = match (&reason, produced) {
        (Some(reason), Produced::Yes | Produced::InPart) if !why.contains(reason.as_str()) => {
            format!("{why} Not here: {reason}").trim_start().to_owned()
        }
        _ => why,
    };
    let title = text("title").unwrap_or_else(|| name.to_owned());
    Required { name: name.to_owned(), title, produced, why, by, evidence }
}

fn steps(
    tree: &Tree<'_>,
    paths: &BTreeMap<String, u32>,
    by: &[String],
    reason: Option<&str>,
) -> (Produced, String, Vec<Evidence>) {
    if by.is_empty() {
        let why = reason.unwrap_or("No step of this runbook produces it");
        return (Produced::No, sentence(why), Vec::new());
    }
    let mut all = Vec::new();
    let (mut skipped, mut bad, mut undone): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
    for path in by {
        let Some(&number) = paths.get(path) else {
            bad.push(format!("The runbook has no step `{path}`"));
            continue;
        };
        let mut found = false;
        tree.walk(&mut |node| {
            if node.key.node == number && node.item.is_none() {
                found = true;
                let evidence = evidence(tree.run, node);
                match node.status {
                    Status::Skipped => skipped.push(format!("{} was {}", node.path, evidence.text)),
                    Status::Done | Status::DoneWithFailures if !evidence.ok => undone.push(node.path.clone()),
                    _ if !evidence.ok => bad.push(format!("{} {}", node.path, evidence.text)),
                    _ => {}
                }
                all.push(evidence);
            }
        });
        if !found {
            bad.push(format!("{path} did not begin"));
            all.push(Evidence {
                path: path.clone(),
                text: "not started".into(),
                details: Vec::new(),
                ok: false,
            });
        }
    }
    if !undone.is_empty() {
        bad.insert(0, format!("What {} did was undone", undone.join(", ")));
    }
    let good = all.iter().filter(|e| e.ok).count();
    let why = bad.iter().chain(&skipped).cloned().collect::<Vec<_>>().join("; ");
    if !bad.is_empty() {
        return (Produced::No, sentence(&why), all);
    }
    if good == 0 {
        let why = reason.map_or_else(|| why.clone(), |r| format!("{why}; {r}"));
        return (Produced::No, sentence(&why), all);
    }
    let whole = skipped.is_empty() && reason.is_none();
    let why = if skipped.is_empty() { String::new() } else { sentence(&why) };
    (if whole { Produced::Yes } else { Produced::InPart }, why, all)
}

/// `by: rollback`: the ways back, and whether they were needed.
fn rollback(tree: &Tree<'_>) -> (Produced, String, Vec<Evidence>) {
    let mut by = Vec::new();
    let (mut can, mut cannot) = (0, 0);
    // Those that an undo was to bring back; the others are left by declaration, or by somebody's decision.
    let mut wanted = 0;
    let mut unsaid = false;
    tree.walk(&mut |node| {
        if node.item.is_some() || node.entry.effect != "write" || node.entry.kind != EntryKind::Action {
            return;
        }
        let undoable =
            matches!(node.entry.promise, runbook_wire::Promise::Own(_) | runbook_wire::Promise::Steps);
        if undoable {
            can += 1
        } else {
            cannot += 1
        }
        if !matches!(node.undoing, Undoing::Nothing | Undoing::ByGroup) {
            unsaid |= node.undoing == Undoing::Left && node.entry.promise == runbook_wire::Promise::Missing;
            wanted += usize::from(!matches!(node.undoing, Undoing::Left | Undoing::Kept | Undoing::Asked));
            by.push(Evidence {
                path: node.path.clone(),
                text: node.undoing.words().to_owned(),
                details: Some(crate::undo_text(node)).filter(|t| !t.is_empty()).into_iter().collect(),
                ok: node.undoing == Undoing::Undone,
            });
        }
    });
    let ways = match cannot {
        0 => format!("each of the {can} steps that change something says how it is undone"),
        _ => format!("{can} of the {} steps that change something say how they are undone", can + cannot),
    };
    let undone = by.iter().filter(|e| e.ok).count();
    let stays = crate::summary::stays(tree).map_or_else(String::new, |s| format!("; {s}"));
    let (produced, why) = match tree.rollback {
        Rollback::None => (Produced::NotNeeded, format!("Nothing failed; {ways}")),
        // What stays by declaration was not to come back; where nothing says how, there was no way back.
        Rollback::NothingToUndo | Rollback::Partial if undone == 0 && unsaid => {
            (Produced::No, format!("Nothing was undone{stays}"))
        }
        Rollback::NothingToUndo | Rollback::Partial if undone == 0 && !stays.is_empty() => {
            (Produced::NotNeeded, format!("Nothing was undone{stays}"))
        }
        Rollback::NothingToUndo => (Produced::NotNeeded, format!("Nothing had been changed; {ways}")),
        Rollback::Complete | Rollback::Partial => {
            (Produced::Yes, format!("Rolled back: {undone} undone{stays}"))
        }
        other => {
            let words = crate::exit::capital(other.words());
            (Produced::No, format!("{words}: {undone} of {wanted} undone{stays}"))
        }
    };
    (produced, sentence(&why), by)
}

fn evidence(run: &Run, node: &Node<'_>) -> Evidence {
    let mut undone = Vec::new();
    let mut changed = 0;
    node.walk(&mut |n| {
        if matches!(n.undoing, Undoing::Undone | Undoing::ByGroup) {
            undone.push(n.path.clone());
        }
        changed += usize::from(n.undoing != Undoing::Nothing);
    });
    let done = matches!(node.status, Status::Done | Status::DoneWithFailures);
    let reason =
        node.task.and_then(|t| t.skipped.as_deref().or(t.failure.as_ref().map(|f| f.message.as_str())));
    let failed = first_failure(node);
    let mut text = match (reason.filter(|_| !done).map(str::to_owned)).or(failed.filter(|_| !done)) {
        Some(reason) => format!("{}: {reason}", node.status.words()),
        None => node.status.words().to_owned(),
    };
    if !undone.is_empty() {
        text.push_str(if undone.len() == changed { ", and undone" } else { ", partly undone" });
    }
    Evidence { path: node.path.clone(), text, details: details(run, node), ok: done && undone.is_empty() }
}

fn first_failure(node: &Node<'_>) -> Option<String> {
    let mut first = None;
    node.walk(&mut |n| {
        let failed = matches!(n.status, Status::Failed | Status::NotDone | Status::InDoubt);
        if let Some(failure) = n.task.and_then(|t| t.failure.as_ref()).filter(|_| failed && n.key != node.key)
        {
            first.get_or_insert_with(|| format!("{}: {}", n.path, failure.message));
        }
    });
    first
}

/// Of the steps below another as many as this have a line, of so many characters; reports say it all in their steps.
const MANY: usize = 10;
const LINE: usize = 240;

/// What the steps below say, each in a line; of a single step, its own.
fn details(run: &Run, node: &Node<'_>) -> Vec<String> {
    let mut details = Vec::new();
    node.walk(&mut |n| {
        if n.is_scope() || n.task.is_none() || !matches!(n.status, Status::Done | Status::Failed) {
            return;
        }
        let said = crate::report::evidence(run, n);
        if !said.is_empty() {
            let name =
                n.path.strip_prefix(&node.path).map(|p| p.trim_start_matches('.')).filter(|p| !p.is_empty());
            let said = crate::report::clip(&said.join("; "), LINE);
            details.push(name.map_or(said.clone(), |name| format!("{name}: {said}")));
        }
    });
    if details.len() > MANY {
        let more = details.len() - MANY;
        details.truncate(MANY);
        details.push(format!("and {more} more, among the steps"));
    }
    details
}

/// With a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let end = if text.is_empty() || text.ends_with('.') { "" } else { "." };
    format!("{text}{end}")
}
