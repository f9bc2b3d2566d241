//! What a step does to the world, and how it is undone: what writes says how it comes back, or why not.

use runbook_kernel::{Effect, NodeId, ScopeRole};
use runbook_step::{Declaration, Effect as Declared, UndoKind};
use runbook_syntax::ast::{RollbackDecl, Step};
use runbook_syntax::{Diagnostic, Span};

use crate::arena::What;
use crate::codes;
use crate::planner::Planner;

/// The effect of a step of this type, given what the step says under `effect:`.
pub(crate) fn of(declaration: &Declaration, says: Option<&str>) -> Effect {
    match (declaration.effect, says) {
        (Declared::Pure, _) => Effect::Pure,
        (Declared::Read, _) => Effect::Read,
        (Declared::Write, _) => Effect::Write,
        (Declared::Notify, _) => Effect::Notify,
        (Declared::Declared, Some("read")) => Effect::Read,
        (Declared::Declared, Some("notify")) => Effect::Notify,
        (Declared::Declared, _) => Effect::Write,
    }
}

impl Planner<'_> {
    /// Whether `assert_target` binds what a node writes: everywhere but in `finally`.
    pub(crate) fn is_bound(&self, id: NodeId) -> bool {
        self.graph.arena.list_around(id, |role| role == ScopeRole::Finally).is_none()
    }

    /// The rules of undo for a step with attempts.
    pub(crate) fn check_undo(&self, id: NodeId, step: &Step, declaration: &Declaration, effect: Effect) {
        if !self.graph.arena.node(id).forward {
            self.check_aside(id, step, effect);
            return;
        }
        self.check_reason(step);
        // That a message stays, and why, may be said; steps that would undo it are never run.
        let announced =
            effect != Effect::Notify || matches!(step.rollback.as_deref(), Some(RollbackDecl::Steps { .. }));
        if effect != Effect::Write
            && let Some((key, span)) = undo_key(step).filter(|_| announced)
        {
            let (does, hint) = match effect {
                Effect::Notify => (
                    "tells somebody, which is never undone",
                    "Leave it out. If what it does must be undone, it is a write.",
                ),
                _ => (
                    "changes nothing",
                    "Leave it out. If the step does change something, its `effect` is not `read`.",
                ),
            };
            let message =
                format!("`{}` {does}, so there is nothing that `{key}` could mean", declaration.name);
            self.report.push(Diagnostic::error(codes::NOTHING_TO_UNDO, span, message).hint(hint));
        }
        if let Some(pivot) = step.pivot.as_ref().filter(|pivot| pivot.value && effect != Effect::Write) {
            let message = "the point of no return is a step that writes, and this one does not";
            let fault = Diagnostic::error(codes::PIVOT_PLACE, pivot.span, message);
            self.report.push(fault.hint("Put `pivot: true` at the step whose effect cannot be taken back."));
        }
        // What the step says of its effect is wrong, which has been said.
        let confused = step
            .effect
            .as_ref()
            .is_some_and(|says| says.value.is_empty() || declaration.effect != Declared::Declared);
        let undone = confused || undo_key(step).is_some() || matches!(declaration.undo, UndoKind::Own { .. });
        if effect == Effect::Write && !undone && !self.group_undoes(id) {
            self.missing_undo(step, declaration);
        }
    }

    fn missing_undo(&self, step: &Step, declaration: &Declaration) {
        let label = step.id.as_ref().map_or("this step".to_owned(), |id| format!("`{}`", id.value));
        let message = format!("{label} changes something and does not say how it is undone");
        let span = step.id.as_ref().map_or(step.span, |id| id.span);
        let diagnostic = match self.setting.protected {
            true => Diagnostic::error(codes::UNDO_MISSING, span, message)
                .label("the environment is protected, so this is an error"),
            false => Diagnostic::warning(codes::UNDO_MISSING, span, message),
        };
        let read = match declaration.effect {
            Declared::Declared => " If it only looks, say `effect: read`.",
            _ => "",
        };
        let hint = format!(
            "Add `rollback:` with a step that brings it back, `rollback: none` with a `reason:`, or `irreversible:` \
             with why.{read}"
        );
        self.report.push(diagnostic.hint(hint));
    }

    /// Whether a group around a node says how it is undone, which goes for what is inside.
    fn group_undoes(&self, id: NodeId) -> bool {
        let arena = self.graph.arena;
        let mut at = arena.owner(id);
        while let Some(node) = at {
            if let What::Step(step) = arena.node(node).what
                && undo_key(step).is_some()
            {
                return true;
            }
            at = arena.owner(node);
        }
        false
    }

    /// Whether steps, the type's own among them, undo a node: what the outermost group around it says decides.
    pub(crate) fn is_undone_by_steps(&self, id: NodeId) -> bool {
        let arena = self.graph.arena;
        let says = |node: &NodeId| {
            let written = matches!(arena.node(*node).what, What::Step(step) if undo_key(step).is_some());
            written || arena.node(*node).undo.is_some()
        };
        let outermost = std::iter::successors(Some(id), |node| arena.owner(*node)).filter(says).last();
        outermost.is_some_and(|node| arena.node(node).undo.is_some())
    }

    /// The rules of undo for a group, a switch or a call.
    pub(crate) fn check_group_undo(&self, id: NodeId, step: &Step) {
        match self.graph.arena.node(id).forward {
            true => self.check_reason(step),
            false => self.check_aside(id, step, Effect::Pure),
        }
    }

    fn check_reason(&self, step: &Step) {
        let none = match step.rollback.as_deref() {
            Some(RollbackDecl::None(span)) => Some(*span),
            _ => None,
        };
        match (none, &step.reason) {
            (Some(span), None) => {
                let message = "`rollback: none` needs a `reason`";
                let hint = "Say why it is right to leave it as it is: `reason: …`. The report shows it.";
                self.report.push(Diagnostic::error(codes::REASON_MISSING, span, message).hint(hint));
            }
            (None, Some(reason)) => {
                let message = "`reason` says why there is no undo: it goes with `rollback: none`";
                let fault = Diagnostic::error(codes::UNDO_CONFLICT, reason.span, message);
                self.report.push(fault.hint("Add `rollback: none`, or leave `reason` out."));
            }
            _ => {}
        }
        if let (Some(rollback), Some(irreversible)) = (step.rollback.as_deref(), &step.irreversible) {
            let message = "a step is undone, or it is irreversible";
            self.report.push(
                Diagnostic::error(codes::UNDO_CONFLICT, irreversible.span, message)
                    .also(rollback_span(rollback), "here it says how it is undone")
                    .hint("Keep one of the two."),
            );
        }
    }

    /// A step in a list that is never undone itself.
    fn check_aside(&self, id: NodeId, step: &Step, effect: Effect) {
        let Some(role) = self.graph.arena.list_around(id, |role| role != ScopeRole::Body) else { return };
        let list = match role {
            ScopeRole::Undo => "an undo",
            ScopeRole::Finally => "`finally`",
            ScopeRole::First => "`on_failure.first`",
            ScopeRole::AfterPivot => "`after_pivot`",
            ScopeRole::Revert => "`revert`",
            ScopeRole::Between | ScopeRole::Body => "`between`",
        };
        let pivot = step.pivot.as_ref().filter(|pivot| pivot.value).map(|pivot| ("pivot", pivot.span));
        if let Some((key, span)) = undo_key(step).or(pivot) {
            let message = format!("what {list} does is never undone, so `{key}` means nothing here");
            let hint = format!("Leave `{key}` out.");
            self.report.push(Diagnostic::error(codes::NO_UNDO_HERE, span, message).hint(hint));
        }
        if role == ScopeRole::Between && matches!(effect, Effect::Write | Effect::Notify) {
            let message = "between two batches there are only checks, waits and gates";
            let hint = "A step that writes goes into the `for_each`. If it only looks, say `effect: read`.";
            self.report.push(Diagnostic::error(codes::ONLY_CHECKS, step.span, message).hint(hint));
        }
    }
}

/// The key that says how a step is undone, and where it stands.
fn undo_key(step: &Step) -> Option<(&'static str, Span)> {
    let rollback = step.rollback.as_ref().map(|rollback| ("rollback", rollback_span(rollback)));
    rollback.or(step.irreversible.as_ref().map(|irreversible| ("irreversible", irreversible.span)))
}

fn rollback_span(rollback: &RollbackDecl) -> Span {
    match rollback {
        RollbackDecl::None(span) | RollbackDecl::Steps { span, .. } => *span,
    }
}
