//! The outline, looked at from below: who owns a node, and what stands beside it.

use runbook_wire::{Entry, EntryKind, Outline, Role};

/// Owners of the nodes of an outline, and the runbook's own lists that the outline gives by role only.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shape {
    owners: Vec<Option<u32>>,
    each: Vec<Option<u32>>,
    owned: Vec<Vec<u32>>,
    pub first: Vec<u32>,
    pub after_pivot: Vec<u32>,
    pub revert: Vec<u32>,
}

impl Shape {
    pub(super) fn of(outline: &Outline) -> Shape {
        let count = outline.entries.len();
        let mut owners = vec![None; count];
        for (n, entry) in (0u32..).zip(&outline.entries) {
            let cases = entry.cases.iter().flat_map(|(_, nodes)| nodes);
            for &child in entry.children.iter().chain(&entry.undo).chain(&entry.finally).chain(cases) {
                if let Some(owner) = owners.get_mut(child as usize) {
                    *owner = Some(n);
                }
            }
            if let (Some(owner), Some(parent)) = (owners.get_mut(n as usize), entry.parent)
                && owner.is_none()
                && parent != n
                && (parent as usize) < count
            {
                *owner = Some(parent);
            }
        }
        let own = |role: Role| {
            (0u32..)
                .zip(&outline.entries)
                .filter(|(n, e)| e.role == role && owners[*n as usize].is_none())
                .map(|(n, _)| n)
                .collect()
        };
        let (first, after_pivot, revert) = (own(Role::First), own(Role::AfterPivot), own(Role::Revert));
        let mut owned = vec![Vec::new(); count];
        for (n, owner) in (0u32..).zip(&owners) {
            if let Some(owner) = owner {
                owned[*owner as usize].push(n);
            }
        }
        let mut shape = Shape { owners, each: Vec::new(), owned, first, after_pivot, revert };
        shape.each = (0..count as u32).map(|n| shape.find_each(outline, n)).collect();
        shape
    }

    /// The node that this one belongs to: its group, the step that it undoes.
    pub fn owner(&self, node: u32) -> Option<u32> {
        self.owners.get(node as usize).copied().flatten()
    }

    /// The `for_each` around a node, the innermost.
    pub fn each(&self, node: u32) -> Option<u32> {
        self.each.get(node as usize).copied().flatten()
    }

    /// Nodes of one role that belong to this one, in the order of the file.
    pub fn owned<'a>(
        &'a self,
        outline: &'a Outline,
        node: u32,
        role: Role,
    ) -> impl Iterator<Item = u32> + 'a {
        let all = self.owned.get(node as usize).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(move |n| outline.entries.get(*n as usize).is_some_and(|e| e.role == role))
    }

    fn find_each(&self, outline: &Outline, node: u32) -> Option<u32> {
        let mut at = node;
        // A node's own undo and `finally` stand in its frame; those of the `for_each` itself outside its items.
        for _ in 0..outline.entries.len() {
            let role = outline.entries.get(at as usize)?.role;
            let owner = self.owner(at)?;
            if outline.entries.get(owner as usize)?.kind == EntryKind::ForEach
                && matches!(role, Role::Body | Role::Between)
            {
                return Some(owner);
            }
            at = owner;
        }
        None
    }

    /// Whether the node stands in a scope that brings something back (its own role or an owner's).
    pub fn undoes(&self, outline: &Outline, node: u32) -> bool {
        self.within(outline, node, |role| matches!(role, Role::Undo | Role::Require | Role::Revert))
    }

    /// Whether the node is of the run's own work, which a rollback undoes: not of an undo, a `finally`, or what a failure
    /// starts.
    pub fn is_forward(&self, outline: &Outline, node: u32) -> bool {
        !self.within(outline, node, |role| role != Role::Body)
    }

    fn within(&self, outline: &Outline, node: u32, wanted: impl Fn(Role) -> bool) -> bool {
        let mut at = Some(node);
        for _ in 0..=outline.entries.len() {
            let Some(n) = at else { return false };
            let Some(Entry { role, .. }) = outline.entries.get(n as usize) else { return false };
            if wanted(*role) {
                return true;
            }
            at = self.owner(n);
        }
        false
    }
}
