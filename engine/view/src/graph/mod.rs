//! A plan as a picture: what runs after what, what is grouped, how each effect comes back.
//!
//! [`Graph`] is the picture as data; [`mermaid`], [`dot`] and [`svg`] write it down. Groups are boxes around their
//! steps, and an edge between boxes stands for one between everything in them.

mod dot;
mod layout;
mod mermaid;
mod svg;

use std::collections::BTreeMap;

use runbook_wire::{Entry, EntryKind, Outline, Promise, Role};

use crate::{Run, Shape, Status, Tree};

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

/// A plan as a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub title: String,
    pub summary: String,
    /// The runbook's own lists: the steps first, then (each in a box) what runs on failure and at the end.
    pub root: Block,
}

/// A step, or a box around some.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Unique in the graph, letters, digits and `_`.
    pub id: String,
    /// The id of the step; the title of a list.
    pub name: String,
    /// Its `name:`; what it does; one phrase each.
    pub lines: Vec<String>,
    pub look: Look,
    pub pivot: bool,
    /// How its effect comes back, if there is one.
    pub undo: Option<Undo>,
    /// How it stands, where a run is shown.
    pub status: Option<Status>,
    /// Not empty: a box around these.
    pub children: Vec<Block>,
    /// Among the children, by index: from, to.
    pub edges: Vec<Edge>,
}

/// An edge between siblings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// The later one comes whatever happened (`finally`), or only on failure.
    pub dashed: bool,
}

/// What a block is drawn as: its kind or its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Look {
    Pure,
    Read,
    Write,
    Notify,
    Wait,
    /// People decide.
    Gate,
    Group,
    /// A runbook that is called.
    Call,
    Each,
    Switch,
    /// A case, `finally`, `on_failure.first`.
    List,
}

/// How an effect comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// By the step type, or by steps in the file.
    Yes(String),
    /// It does not, and why.
    No(String),
}

impl Look {
    /// For legends.
    pub fn words(self) -> &'static str {
        match self {
            Look::Pure => "computes",
            Look::Read => "reads",
            Look::Write => "changes something",
            Look::Notify => "tells somebody",
            Look::Wait => "waits",
            Look::Gate => "people decide",
            Look::Group => "group",
            Look::Call => "calls a runbook",
            Look::Each => "for each item",
            Look::Switch => "one of its cases",
            Look::List => "list",
        }
    }

    /// Before the name of a box.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Look::Call => "call ",
            Look::Each => "for each ",
            Look::Switch => "switch ",
            _ => "",
        }
    }

    /// Class in SVG and Mermaid.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Look::Pure => "pure",
            Look::Read => "read",
            Look::Write => "write",
            Look::Notify => "notify",
            Look::Wait => "wait",
            Look::Gate => "gate",
            Look::Group => "group",
            Look::Call => "call",
            Look::Each => "each",
            Look::Switch => "switch",
            Look::List => "list",
        }
    }
}

impl Graph {
    /// The picture of a plan.
    pub fn of(outline: &Outline) -> Graph {
        Builder { outline, shape: &Run::new(outline.clone()).shape, statuses: BTreeMap::new() }.graph()
    }

    /// The picture of a run's plan, with how each step stands. Items of a `for_each` share their steps' blocks, so
    /// only what stands outside of one has a status.
    pub fn of_run(tree: &Tree<'_>) -> Graph {
        let mut statuses = BTreeMap::new();
        tree.walk(&mut |node| {
            if node.key.frame == 0 && node.item.is_none() {
                statuses.insert(node.key.node, (node.status, node.title().map(str::to_owned)));
            }
        });
        Builder { outline: &tree.run.outline, shape: &tree.run.shape, statuses }.graph()
    }

    /// Every look of a step that occurs, in the legend's order. Boxes say what they are.
    pub fn looks(&self) -> Vec<Look> {
        let mut looks = Vec::new();
        self.root.walk(&mut |block| looks.push(block.look));
        looks.retain(|l| l.kind().is_empty() && !matches!(l, Look::List | Look::Group));
        looks.sort();
        looks.dedup();
        looks
    }
}

impl Block {
    /// This block and everything in it.
    pub fn walk<'b>(&'b self, visit: &mut dyn FnMut(&'b Block)) {
        visit(self);
        self.children.iter().for_each(|c| c.walk(visit));
    }

    pub(crate) fn is_box(&self) -> bool {
        !self.children.is_empty()
    }
}

struct Builder<'a> {
    outline: &'a Outline,
    shape: &'a Shape,
    statuses: BTreeMap<u32, (Status, Option<String>)>,
}

impl Builder<'_> {
    fn graph(&self) -> Graph {
        let outline = self.outline;
        let mut children: Vec<Block> = outline.steps.iter().filter_map(|&n| self.block(n)).collect();
        let mut edges = self.edges(&outline.steps);
        let sinks: Vec<usize> = (0..children.len()).filter(|&i| edges.iter().all(|e| e.from != i)).collect();
        let lists = [
            ("on_failure", "on failure, first", &self.shape.first),
            ("after_pivot", "on failure after the pivot", &self.shape.after_pivot),
            ("finally", "finally", &outline.finally),
            ("revert", "to roll back a run that succeeded", &self.shape.revert),
        ];
        let mut before = sinks;
        for (id, title, nodes) in lists {
            if let Some(list) = self.list(id, title, nodes) {
                let to = children.len();
                children.push(list);
                edges.extend(before.iter().map(|&from| Edge { from, to, dashed: true }));
                before = vec![to];
            }
        }
        let root = Block {
            id: "root".into(),
            name: outline.name.clone(),
            lines: Vec::new(),
            look: Look::List,
            pivot: false,
            undo: None,
            status: None,
            children,
            edges,
        };
        Graph { title: outline.name.clone(), summary: outline.summary.clone(), root }
    }

    fn list(&self, id: &str, title: &str, nodes: &[u32]) -> Option<Block> {
        let children: Vec<Block> = nodes.iter().filter_map(|&n| self.block(n)).collect();
        (!children.is_empty()).then(|| Block {
            id: id.to_owned(),
            name: title.to_owned(),
            lines: Vec::new(),
            look: Look::List,
            pivot: false,
            undo: None,
            status: None,
            children,
            edges: self.edges(nodes),
        })
    }

    fn block(&self, node: u32) -> Option<Block> {
        let entry = self.outline.entries.get(node as usize)?;
        let id = format!("n{node}");
        let (children, edges) = match entry.kind {
            EntryKind::Switch => {
                let cases = entry.cases.iter().enumerate();
                let lists = cases.filter_map(|(i, (label, nodes))| {
                    self.list(&format!("{id}_{i}"), &format!("case {label}"), nodes)
                });
                (lists.collect(), Vec::new())
            }
            _ => self.body(node, entry, &id),
        };
        let stands = self.statuses.get(&node);
        let rendered = stands.and_then(|(_, title)| title.clone());
        let mut lines: Vec<String> = rendered.or(entry.title.clone()).into_iter().collect();
        lines.push(entry.what.clone());
        lines.extend(entry.policy.claimed.then(|| entry.effect_words()));
        lines.retain(|l| !l.is_empty());
        Some(Block {
            id,
            name: entry.segment.clone(),
            lines,
            look: look(entry),
            pivot: entry.pivot,
            undo: undo(self.outline, entry),
            status: stands.map(|(status, _)| *status),
            children,
            edges,
        })
    }

    fn body(&self, node: u32, entry: &Entry, id: &str) -> (Vec<Block>, Vec<Edge>) {
        let role = |n: &u32| self.outline.entries.get(*n as usize).map(|e| e.role);
        let forward: Vec<u32> =
            entry.children.iter().copied().filter(|n| role(n) == Some(Role::Body)).collect();
        let mut children: Vec<Block> = forward.iter().filter_map(|&n| self.block(n)).collect();
        let mut edges = self.edges(&forward);
        let owned = |role| self.shape.owned(self.outline, node, role).collect::<Vec<u32>>();
        let mut before: Vec<usize> =
            (0..children.len()).filter(|&i| edges.iter().all(|e| e.from != i)).collect();
        let lists = [
            ("between", "between batches", owned(Role::Between)),
            ("first", "on failure, first", owned(Role::First)),
            ("after_pivot", "on failure after the pivot", owned(Role::AfterPivot)),
            ("finally", "finally", entry.finally.clone()),
        ];
        for (role, title, nodes) in lists {
            if let Some(list) = self.list(&format!("{id}_{role}"), title, &nodes) {
                let to = children.len();
                children.push(list);
                edges.extend(before.iter().map(|&from| Edge { from, to, dashed: true }));
                before = vec![to];
            }
        }
        (children, edges)
    }

    /// Edges among siblings; the outline has none that others imply.
    fn edges(&self, nodes: &[u32]) -> Vec<Edge> {
        let at: BTreeMap<u32, usize> = nodes.iter().enumerate().map(|(i, &n)| (n, i)).collect();
        let needs = |n: &u32| self.outline.entries.get(*n as usize).map_or(&[][..], |e| &e.needs);
        let of = |(to, n): (usize, &u32)| {
            let from =
                needs(n).iter().filter_map(|need| at.get(need).copied()).filter(move |&from| from < to);
            from.map(move |from| Edge { from, to, dashed: false }).collect::<Vec<_>>()
        };
        nodes.iter().enumerate().flat_map(of).collect()
    }
}

fn look(entry: &Entry) -> Look {
    match entry.kind {
        EntryKind::Wait => Look::Wait,
        EntryKind::Approval | EntryKind::Checklist | EntryKind::Prompt | EntryKind::Window => Look::Gate,
        EntryKind::Group => Look::Group,
        EntryKind::Switch => Look::Switch,
        EntryKind::Call => Look::Call,
        EntryKind::ForEach => Look::Each,
        EntryKind::Action => match entry.effect.as_str() {
            "write" => Look::Write,
            "notify" => Look::Notify,
            "read" => Look::Read,
            _ => Look::Pure,
        },
    }
}

fn undo(outline: &Outline, entry: &Entry) -> Option<Undo> {
    match &entry.promise {
        Promise::NothingToUndo | Promise::Children => None,
        Promise::Own(text) => Some(Undo::Yes(text.clone())),
        Promise::Steps => {
            let name = |&n: &u32| {
                outline.entries.get(n as usize).map(|e| e.title.as_ref().unwrap_or(&e.what).clone())
            };
            // A probe that must hold before is no part of what is done.
            let steps = entry.undo.iter().filter(|node| {
                outline.entries.get(**node as usize).is_some_and(|entry| entry.role != Role::Require)
            });
            Some(Undo::Yes(steps.filter_map(name).collect::<Vec<_>>().join(", then ")))
        }
        Promise::None(reason) => Some(Undo::No(reason.clone())),
        Promise::Irreversible(reason) => Some(Undo::No(format!("irreversible: {reason}"))),
        Promise::Missing => Some(Undo::No("nothing says how".into())),
    }
}
