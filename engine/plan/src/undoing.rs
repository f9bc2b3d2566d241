//! What an undo must be made of, so that *undone* means that something was brought back.

use runbook_kernel::{Effect, Kind, NodeId, ScopeRole};
use runbook_syntax::{Diagnostic, Span};

use crate::arena::{Arena, What};
use crate::codes;
use crate::lower::Draft;
use crate::report::Report;

/// Checks that each undo, and `revert`, brings something back, and fails where that fails.
pub(crate) fn check(arena: &Arena<'_>, drafts: &[Draft], report: &Report) {
    let brings_back = brings_back(arena, drafts);
    for scope in &arena.scopes {
        let (list, hint) = match scope.role {
            ScopeRole::Undo => (
                "an undo",
                "Add a step that brings it back. If nothing has to be: `rollback: none` with a `reason:`. A message that must \
                 arrive is `required: true`; what somebody does by hand is a `checklist`.",
            ),
            ScopeRole::Revert => ("`revert`", "Add a step that brings it back, or leave `revert` out."),
            _ => continue,
        };
        let spans = || scope.nodes.iter().map(|node| arena.node(*node).what.span());
        // Of what could not be planned it is not known what it does.
        if scope.nodes.is_empty() || spans().any(|span| report.has_fault_in(span)) {
            continue;
        }
        if !scope.nodes.iter().any(|node| brings_back[node.0 as usize]) {
            let message = format!("{list} changes nothing, and would count as done all the same");
            let span = spans().next_back().unwrap_or_else(|| arena.span(scope.nodes[0]));
            report.push(Diagnostic::error(codes::UNDO_UNSURE, span, message).hint(hint));
        }
    }
    for (number, brings_back) in brings_back.iter().enumerate() {
        let id = NodeId(number as u32);
        let What::Step(step) = arena.node(id).what else { continue };
        // The two nodes of a `for_each` are one step.
        if !brings_back || arena.node(id).item_of.is_some() {
            continue;
        }
        let tolerated = step.continue_on_error.as_ref().filter(|yes| yes.value);
        let tolerated = tolerated.map(|yes| ("continue_on_error", yes.span));
        let most = match (&drafts[number].kernel.kind, &step.for_each) {
            (Kind::Each(kind), Some(each)) if kind.max_failures > 0 => each.max_failures.as_ref(),
            _ => None,
        };
        let Some((key, span)) = tolerated.or(most.map(|most| ("max_failures", most.span))) else { continue };
        let list = match arena.list_around(id, |role| role != ScopeRole::Body) {
            Some(ScopeRole::Undo) => "an undo",
            Some(ScopeRole::Revert) => "`revert`",
            _ => continue,
        };
        let message = format!("{list} would count as done though this failed");
        let fault = Diagnostic::error(codes::UNDO_UNSURE, span, message);
        let hint = format!("Leave `{key}` out: what depends on this is then left as it is, and named.");
        report.push(fault.hint(hint));
    }
}

/// For each node whether it, or something in it, changes something, tells somebody without fail, or is done by a person.
fn brings_back(arena: &Arena<'_>, drafts: &[Draft]) -> Vec<bool> {
    let mut brings_back = vec![false; drafts.len()];
    // Owners come before what is in them.
    for (number, draft) in drafts.iter().enumerate().rev() {
        let node = &draft.kernel;
        brings_back[number] |= match node.effect {
            Effect::Write => true,
            Effect::Notify => node.required,
            Effect::Read | Effect::Pure => matches!(node.kind, Kind::Human(_)),
        };
        let scope = arena.scope(arena.node(NodeId(number as u32)).scope);
        if let (true, ScopeRole::Body, Some(owner)) = (brings_back[number], scope.role, scope.owner) {
            brings_back[owner.0 as usize] = true;
        }
    }
    brings_back
}

impl What<'_> {
    fn span(&self) -> Span {
        match self {
            What::Step(step) => step.span,
            What::Probe(check) => check.span,
            What::OwnUndo(_, span) | What::Setup(span) => *span,
        }
    }
}
