//! The point of no return, and which approvals bind which writes: those after them, the pivot included.

use runbook_kernel::{Effect, Kind, NodeId, ScopeId};
use runbook_syntax::Diagnostic;
use runbook_syntax::ast::Step;

use crate::arena::{Arena, Body, What};
use crate::codes;
use crate::lower::Draft;
use crate::model::Work;
use crate::order::Order;
use crate::report::Report;

/// The most bindings of writes to approvals in a plan.
const MAX_BINDINGS: usize = 1_000_000;

/// Checks the pivots and binds the writes.
pub(crate) fn bind(arena: &Arena<'_>, orders: &[Order], drafts: &mut [Draft], report: &Report) {
    let writes = writes(arena, drafts);
    let pivots: Vec<NodeId> = (0..drafts.len() as u32)
        .map(NodeId)
        .filter(|id| {
            let node = &drafts[id.0 as usize].kernel;
            node.pivot && node.effect == Effect::Write && arena.node(*id).forward
        })
        .collect();
    let walk = Walk { arena, orders, writes: &writes };
    for (number, pivot) in pivots.iter().enumerate() {
        walk.check_place(*pivot, report);
        if let Some(first) = pivots[..number].iter().find(|first| !walk.exclude_each_other(**first, *pivot)) {
            let message = "there is one point of no return, and this is a second";
            let diagnostic = Diagnostic::error(codes::PIVOT_SEVERAL, pivot_span(arena, *pivot), message);
            let hint = "Keep the one after which there is really no way back.";
            report.push(diagnostic.hint(hint).also(pivot_span(arena, *first), "the first"));
        }
    }
    let mut beyond = vec![false; drafts.len()];
    for pivot in &pivots {
        walk.after(*pivot, &mut |node| beyond[node.0 as usize] = true);
    }
    let approvals: Vec<NodeId> = (0..drafts.len() as u32)
        .map(NodeId)
        .filter(|id| matches!(drafts[id.0 as usize].plan.work, Work::Approval(_)) && arena.node(*id).forward)
        .collect();
    let mut bindings = 0;
    for approval in approvals {
        let mut bound = Vec::new();
        walk.siblings_after(approval, &mut |node| bound.push(node));
        for node in bound {
            let draft = &mut drafts[node.0 as usize].kernel;
            let passed = beyond[node.0 as usize] && !beyond[approval.0 as usize];
            if draft.effect == Effect::Write && draft.kind == Kind::Action && !passed {
                draft.gates.push(approval);
                bindings += 1;
            }
        }
        if bindings > MAX_BINDINGS {
            let message = format!("approvals bind more than {MAX_BINDINGS} steps");
            let fault = Diagnostic::error(codes::TOO_MANY_STEPS, arena.span(approval), message);
            report.push(fault.hint("Ask once for several steps."));
            return;
        }
    }
}

/// For each node whether it, or something in it, writes while running forward.
fn writes(arena: &Arena<'_>, drafts: &[Draft]) -> Vec<bool> {
    let mut writes = vec![false; drafts.len()];
    // Owners come before what is in them.
    for number in (0..drafts.len()).rev() {
        let id = NodeId(number as u32);
        writes[number] |= drafts[number].kernel.effect == Effect::Write;
        if let (true, true, Some(owner)) = (writes[number], arena.node(id).forward, arena.owner(id)) {
            writes[owner.0 as usize] = true;
        }
    }
    writes
}

struct Walk<'w, 'a> {
    arena: &'w Arena<'a>,
    orders: &'w [Order],
    writes: &'w [bool],
}

impl Walk<'_, '_> {
    fn check_place(&self, pivot: NodeId, report: &Report) {
        let arena = self.arena;
        let mut at = pivot;
        loop {
            let site = arena.node(at);
            let fault =
                |message: String| Diagnostic::error(codes::PIVOT_PLACE, pivot_span(arena, pivot), message);
            if site.item_of.is_some() {
                let message = "there is no point of no return inside a `for_each`";
                report.push(fault(message.into()).hint("Put it at a step after the `for_each`."));
            }
            if let What::Step(Step { retry: Some(retry), .. }) = site.what
                && at != pivot
                && site.item_of.is_none()
            {
                let message = format!(
                    "`{}` is tried again when it fails, which means undoing what it did",
                    arena.label(at)
                );
                let hint = "Take the point of no return out of the group, or `retry` off it.";
                report.push(fault(message).hint(hint).also(retry.span, "here"));
            }
            for other in self.unordered(at) {
                if self.writes[other.0 as usize] {
                    let message = format!("`{}` may write at the same time", arena.label(other));
                    let hint = "What is beside the point of no return could not be undone any more. Put one after the other.";
                    report.push(fault(message).hint(hint).also(arena.span(other), "this one"));
                    break;
                }
            }
            match arena.owner(at) {
                Some(owner) => at = owner,
                None => return,
            }
        }
    }

    fn unordered(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let site = self.arena.node(node);
        let order = &self.orders[site.scope.0 as usize];
        let siblings = self.arena.scope(site.scope).nodes.iter().copied().enumerate();
        siblings.filter_map(move |(index, other)| {
            let ordered = index == site.index
                || order.is_before(index, site.index)
                || order.is_before(site.index, index);
            (!ordered).then_some(other)
        })
    }

    /// Whether two nodes stand in different cases of one switch, so that only one of them ever runs.
    fn exclude_each_other(&self, a: NodeId, b: NodeId) -> bool {
        let path = |node: NodeId| {
            let mut scopes: Vec<ScopeId> = Vec::new();
            let mut at = Some(node);
            while let Some(node) = at {
                scopes.push(self.arena.node(node).scope);
                at = self.arena.owner(node);
            }
            scopes
        };
        let (a, b) = (path(a), path(b));
        // The outermost scopes are equal; where they part, they are cases, or groups beside each other.
        let parted = a.iter().rev().zip(b.iter().rev()).find(|(a, b)| a != b);
        parted.is_some_and(|(a, b)| {
            let (a, b) = (self.arena.scope(*a).owner, self.arena.scope(*b).owner);
            a == b && a.is_some_and(|owner| matches!(self.arena.node(owner).body, Body::Switch { .. }))
        })
    }

    /// Everything that runs forward after a node, in all scopes around it.
    fn after(&self, node: NodeId, visit: &mut dyn FnMut(NodeId)) {
        let mut at = Some(node);
        while let Some(node) = at {
            self.siblings_after(node, visit);
            at = self.arena.owner(node);
        }
    }

    /// What runs forward after a node in its own scope, with all that is inside.
    fn siblings_after(&self, node: NodeId, visit: &mut dyn FnMut(NodeId)) {
        let site = self.arena.node(node);
        let order = &self.orders[site.scope.0 as usize];
        for (index, other) in self.arena.scope(site.scope).nodes.iter().enumerate() {
            if order.is_before(site.index, index) {
                self.inside(*other, visit);
            }
        }
    }

    fn inside(&self, node: NodeId, visit: &mut dyn FnMut(NodeId)) {
        visit(node);
        let scopes: Vec<ScopeId> = match &self.arena.node(node).body {
            Body::Leaf => Vec::new(),
            Body::Group { body, .. } | Body::Call { body, .. } | Body::Each { body, .. } => vec![*body],
            Body::Switch { cases } => cases.clone(),
        };
        for scope in scopes {
            for inner in &self.arena.scope(scope).nodes {
                self.inside(*inner, visit);
            }
        }
    }
}

fn pivot_span(arena: &Arena<'_>, pivot: NodeId) -> runbook_syntax::Span {
    match arena.node(pivot).what {
        What::Step(Step { pivot: Some(key), .. }) => key.span,
        _ => arena.span(pivot),
    }
}
