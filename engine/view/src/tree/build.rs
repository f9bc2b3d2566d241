//! The first pass: the outline's nodes with their records.

use std::collections::{BTreeMap, BTreeSet};

use runbook_wire::{Entry, EntryKind, Role};

use super::{Forward, Node, Rollback, Status, Tree, Undoing};
use crate::{Key, Phase, Run};

pub(super) fn tree(run: &Run) -> Tree<'_> {
    let mut between: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for key in run.tasks.keys() {
        if run.outline.entries.get(key.node as usize).is_some_and(|e| e.role == Role::Between) {
            between.entry(key.node).or_default().push(key.frame);
        }
    }
    let build = Build { run, between };
    let scope = |nodes: &[u32]| build.scope(nodes.iter().copied(), 0, "");
    Tree {
        run,
        steps: scope(&run.outline.steps),
        first: scope(&run.shape.first),
        after_pivot: scope(&run.shape.after_pivot),
        revert: scope(&run.shape.revert),
        finally: scope(&run.outline.finally),
        forward: Forward::NotBegun,
        rollback: Rollback::None,
    }
}

struct Build<'a> {
    run: &'a Run,
    /// Frames in which a node between batches has records.
    between: BTreeMap<u32, Vec<u32>>,
}

impl<'a> Build<'a> {
    fn scope(&self, nodes: impl IntoIterator<Item = u32>, frame: u32, parent: &str) -> Vec<Node<'a>> {
        nodes.into_iter().filter_map(|node| self.node(Key { frame, node }, parent)).collect()
    }

    fn node(&self, key: Key, parent: &str) -> Option<Node<'a>> {
        let run = self.run;
        let entry = run.outline.entries.get(key.node as usize)?;
        let task = run.task(key);
        let path = task.map_or_else(|| join(parent, &entry.segment), |t| t.path.clone());
        let mut node = leaf(key, entry, path);
        node.task = task;
        node.held = run.held.get(&key);
        node.began = task.and_then(|t| t.began);
        node.ended = task.and_then(|t| t.ended);
        node.status = task.map_or(Status::Waiting, |t| status(t.phase, node.is_human()));
        let owned = |role| run.shape.owned(&run.outline, key.node, role);
        let body = || body(run, entry);
        let mut between_undos = Vec::new();
        match entry.kind {
            EntryKind::ForEach => {
                node.children = self.items(&node);
                (node.between, between_undos) = self.between(&node, owned(Role::Between));
            }
            EntryKind::Switch => {
                let taken = task
                    .and_then(|t| t.branch.as_ref())
                    .and_then(|(case, _)| entry.cases.get(*case as usize));
                let nodes = taken.map_or(&[][..], |(_, nodes)| nodes);
                node.children = self.scope(nodes.iter().copied(), key.frame, &node.path);
            }
            _ => node.children = self.scope(body(), key.frame, &node.path),
        }
        node.first = self.scope(owned(Role::First).chain(owned(Role::AfterPivot)), key.frame, &node.path);
        node.finally = self.scope(entry.finally.iter().copied(), key.frame, &node.path);
        node.undo = self.scope(entry.undo.iter().copied(), key.frame, &node.path);
        node.undo.extend(between_undos);
        Some(node)
    }

    /// The checks between batches: those on the way forward, and those on the way back, which look at the same batches
    /// again.
    fn between(&self, each: &Node<'a>, nodes: impl Iterator<Item = u32>) -> (Vec<Node<'a>>, Vec<Node<'a>>) {
        let (mut forward, mut back) = (Vec::new(), Vec::new());
        for node in nodes {
            let mut seen = BTreeSet::new();
            for &frame in self.between.get(&node).into_iter().flatten() {
                let of = self.run.frames.get(&frame).map(|(of, _)| *of);
                let Some(found) = self.node(Key { frame, node }, &each.path).filter(|_| of == Some(each.key))
                else {
                    continue;
                };
                if seen.insert(found.path.clone()) { forward.push(found) } else { back.push(found) }
            }
        }
        (forward, back)
    }

    fn items(&self, each: &Node<'a>) -> Vec<Node<'a>> {
        let items = each.task.and_then(|t| t.items.as_ref()).into_iter().flatten();
        items
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{}[{}]", each.path, item.key);
                let key = Key { frame: item.frame.unwrap_or(u32::MAX), node: each.key.node };
                let mut node = leaf(key, each.entry, path);
                node.item = Some((index, item.key.as_str()));
                if let Some(frame) = item.frame {
                    node.children = self.scope(body(self.run, each.entry), frame, &node.path);
                    let whole = |n: &&mut Node<'_>| n.entry.segment.is_empty();
                    node.children.iter_mut().filter(whole).for_each(|n| n.whole = Some(&item.key));
                }
                node
            })
            .collect()
    }
}

/// Steps that run forward: what a failure starts, or what runs between batches, stands among the children too.
fn body<'a>(run: &'a Run, entry: &'a Entry) -> impl Iterator<Item = u32> + 'a {
    let forward = |n: &u32| run.outline.entries.get(*n as usize).is_some_and(|e| e.role == Role::Body);
    entry.children.iter().copied().filter(forward)
}

fn leaf<'a>(key: Key, entry: &'a Entry, path: String) -> Node<'a> {
    Node {
        key,
        entry,
        item: None,
        whole: None,
        task: None,
        held: None,
        path,
        status: Status::Waiting,
        undoing: Undoing::Nothing,
        stays_because: None,
        began: None,
        ended: None,
        children: Vec::new(),
        between: Vec::new(),
        first: Vec::new(),
        finally: Vec::new(),
        undo: Vec::new(),
        broken: false,
        stuck: false,
        halted: false,
        failing: false,
        ready: false,
    }
}

fn join(parent: &str, segment: &str) -> String {
    match (parent, segment) {
        (parent, "") => parent.to_owned(),
        ("", segment) => segment.to_owned(),
        (parent, segment) => format!("{parent}.{segment}"),
    }
}

fn status(phase: Phase, human: bool) -> Status {
    match phase {
        Phase::Waiting => Status::Waiting,
        Phase::Running if human => Status::WaitingForPerson,
        Phase::Running => Status::Running,
        Phase::Retrying => Status::Retrying,
        Phase::Verifying => Status::Verifying,
        Phase::Warned => Status::WaitingForPerson,
        Phase::InDoubt => Status::InDoubt,
        Phase::Done => Status::Done,
        Phase::Failed => Status::Failed,
        Phase::NotDone => Status::NotDone,
        Phase::Skipped => Status::Skipped,
        Phase::Cancelled => Status::Cancelled,
    }
}
