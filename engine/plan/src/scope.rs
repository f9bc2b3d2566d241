//! Who may read whom: ancestors only, and of a group from outside only its declared outputs.

use runbook_kernel::{NodeId, ScopeId, ScopeRole};

use crate::arena::{Arena, Body, What};
use crate::model::ModuleId;
use crate::order::Order;

/// Where an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) module: ModuleId,
    pub(crate) at: At,
}

/// When an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// Before anything runs.
    Start,
    /// When a node is about to start.
    Node(NodeId),
    /// For each item of this `for_each`.
    Item(NodeId),
    /// When a node has had its effect, or nobody knows: its own outputs may be there.
    After(NodeId),
    /// When this scope is over: all its steps may be read.
    Close(ScopeId),
    /// When the run is over.
    End,
}

/// What a place may know of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It is over.
    Over(NodeId),
    /// It may never have run, or not have come to an end: outputs only behind a default.
    Uncertain(NodeId),
    /// It is the step itself.
    Itself,
    /// It need not be over; this sibling of it would have to need it.
    Unordered { reader: NodeId },
    /// It is inside this group.
    Hidden { group: Option<NodeId> },
}

/// The steps and their order.
pub(crate) struct Graph<'a> {
    pub(crate) arena: &'a Arena<'a>,
    /// By scope.
    pub(crate) orders: Vec<Order>,
}

impl Graph<'_> {
    /// What `place` may know of `target`, a step of the same module.
    pub(crate) fn sight(&self, place: Place, target: NodeId) -> Sight {
        let scope = self.arena.node(target).scope;
        let start = match place.at {
            At::Start => return Sight::Hidden { group: None },
            At::End if scope == self.arena.root => return Sight::Over(target),
            At::End => return Sight::Hidden { group: self.visible_group(&[self.arena.root], target) },
            At::Close(closed) if scope == closed => return Sight::Over(target),
            At::Close(closed) => match self.arena.scope(closed).owner {
                Some(owner) => owner,
                None => return Sight::Hidden { group: None },
            },
            At::After(node) if self.is_self(node, target) => return Sight::Uncertain(self.own(node, target)),
            At::After(node) | At::Node(node) | At::Item(node) => node,
        };
        self.climb(start, place, target)
    }

    fn climb(&self, start: NodeId, place: Place, target: NodeId) -> Sight {
        let site = self.arena.node(target);
        let mut current = start;
        let mut seen: Vec<ScopeId> = Vec::new();
        if let At::Close(closed) = place.at {
            seen.push(closed);
        }
        loop {
            let scope = self.arena.node(current).scope;
            seen.push(scope);
            if scope == site.scope {
                let order = &self.orders[scope.0 as usize];
                return match () {
                    () if current == target => Sight::Itself,
                    () if order.is_before(site.index, self.arena.node(current).index) => Sight::Over(target),
                    () => Sight::Unordered { reader: current },
                };
            }
            let beside = self.arena.scope(scope);
            match beside.role {
                ScopeRole::Undo => {
                    if let Some(owner) = beside.owner.filter(|owner| self.is_self(*owner, target)) {
                        return Sight::Uncertain(self.own(owner, target));
                    }
                }
                ScopeRole::Finally | ScopeRole::First | ScopeRole::AfterPivot | ScopeRole::Revert => {
                    let body = self.body_of(beside.owner);
                    if body == Some(site.scope) {
                        return Sight::Uncertain(target);
                    }
                    seen.extend(body);
                }
                ScopeRole::Body | ScopeRole::Between => {}
            }
            match beside.owner {
                Some(owner) if self.arena.node(owner).module == place.module => current = owner,
                _ => return Sight::Hidden { group: self.visible_group(&seen, target) },
            }
        }
    }

    /// A step with `for_each` has two nodes; its name means the outer one.
    fn is_self(&self, node: NodeId, named: NodeId) -> bool {
        node == named || self.arena.node(node).item_of == Some(named)
    }

    fn own(&self, node: NodeId, named: NodeId) -> NodeId {
        if self.arena.node(node).item_of == Some(named) { node } else { named }
    }

    /// The steps that a `finally` and its like stand beside.
    fn body_of(&self, owner: Option<NodeId>) -> Option<ScopeId> {
        let Some(owner) = owner else { return Some(self.arena.root) };
        match &self.arena.node(owner).body {
            Body::Group { body, .. } | Body::Call { body, .. } => Some(*body),
            _ => None,
        }
    }

    /// The outermost group around `target` that stands in one of these scopes.
    fn visible_group(&self, scopes: &[ScopeId], target: NodeId) -> Option<NodeId> {
        let mut at = self.arena.owner(target);
        while let Some(group) = at {
            if scopes.contains(&self.arena.node(group).scope) {
                return Some(group);
            }
            at = self.arena.owner(group);
        }
        None
    }

    /// The `for_each` items that a place is inside of, innermost first: each with the name that `as` gave it.
    pub(crate) fn items(&self, place: Place) -> Vec<(String, NodeId)> {
        let mut found = Vec::new();
        let mut at = match place.at {
            At::Start | At::End => None,
            At::Node(node) | At::After(node) => Some(node),
            At::Item(each) => {
                found.extend(self.item_name(each).map(|name| (name, each)));
                Some(each)
            }
            At::Close(scope) => self.arena.scope(scope).owner,
        };
        while let Some(node) = at {
            let site = self.arena.node(node);
            if site.module != place.module {
                break;
            }
            if let Some(each) = site.item_of {
                found.extend(self.item_name(each).map(|name| (name, each)));
            }
            at = self.arena.owner(node);
        }
        found
    }

    fn item_name(&self, each: NodeId) -> Option<String> {
        let What::Step(step) = self.arena.node(each).what else { return None };
        let each = step.for_each.as_ref()?;
        Some(each.name.as_ref().map_or("item", |name| name.value.as_str()).to_owned())
    }

    /// The node whose undo a place is in.
    pub(crate) fn undoes(&self, place: Place) -> Option<NodeId> {
        self.beside(place, |role| role == ScopeRole::Undo)?
    }

    /// Whether a place is in a list that runs after the forward steps, where the status of the run is known.
    pub(crate) fn is_aftermath(&self, place: Place) -> bool {
        let after = |role| matches!(role, ScopeRole::Finally | ScopeRole::First | ScopeRole::AfterPivot);
        matches!(place.at, At::End) || self.beside(place, after).is_some()
    }

    /// The owner of the innermost scope around a place that has such a role.
    fn beside(&self, place: Place, wanted: impl Fn(ScopeRole) -> bool) -> Option<Option<NodeId>> {
        let mut at = match place.at {
            At::Start | At::End => return None,
            At::Node(node) | At::After(node) | At::Item(node) => node,
            At::Close(scope) => self.arena.scope(scope).owner?,
        };
        loop {
            let scope = self.arena.scope(self.arena.node(at).scope);
            if wanted(scope.role) {
                return Some(scope.owner);
            }
            at = scope.owner?;
        }
    }

    /// Whether a node is of the environment's `setup` group, or that group.
    pub(crate) fn is_setup(&self, node: NodeId) -> bool {
        let mut at = Some(node);
        while let Some(node) = at {
            if self.arena.setup == Some(node) {
                return true;
            }
            at = self.arena.owner(node);
        }
        false
    }
}
