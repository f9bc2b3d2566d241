//! Steps with attempts of their own: scripts, programs, step types.

use runbook_kernel::{Effect, InDoubt, Kind, NodeId, OnWarning, Undo, Verify};
use runbook_step::{Declaration, Effect as Declared, Idempotence};
use runbook_syntax::ast::{Action, RollbackDecl, Step, VerifyDecl};
use runbook_syntax::{Diagnostic, Span};

use super::Draft;
use crate::arena::step_type;
use crate::codes;
use crate::effects;
use crate::model::Work;
use crate::planner::Planner;
use crate::scope::{At, Place};

/// Where a file says nothing: how long an effect may take to show, and how often it is looked for.
const VERIFY_WITHIN: u64 = 30_000;
const VERIFY_EVERY: u64 = 1_000;

impl Planner<'_> {
    pub(super) fn action_node(
        &self,
        id: NodeId,
        step: &Step,
        action: &Action,
        always: bool,
        draft: &mut Draft,
    ) {
        let place = self.place(id);
        draft.kernel.kind = Kind::Action;
        if let Some(invocation) = self.action(id, step, action, always) {
            draft.plan.work = Work::Step(invocation);
        }
        let start = Place { at: At::Start, ..place };
        draft.plan.timeout = match &step.timeout {
            Some(timeout) => self.period(timeout, start, "`timeout`"),
            None => self.default_timeout(place),
        };
        let Some(found) = self.registry.get(step_type(action)) else { return };
        let declaration = found.declaration();
        let effect = effects::of(declaration, step.effect.as_ref().map(|effect| effect.value.as_str()));
        draft.kernel.effect = effect;
        let repeatable = effect != Effect::Write || declaration.idempotence == Idempotence::Idempotent;
        draft.kernel.required =
            effect != Effect::Notify || step.required.as_ref().is_some_and(|yes| yes.value);
        draft.kernel.on_in_doubt = match step.on_in_doubt.as_ref().map(|policy| policy.value.as_str()) {
            Some("retry") => InDoubt::Retry,
            Some("compensate") => InDoubt::Compensate,
            Some(_) => InDoubt::Ask,
            None if repeatable => InDoubt::Retry,
            None => InDoubt::Ask,
        };
        draft.kernel.on_warning = match step.on_warning.as_ref().map(|policy| policy.value.as_str()) {
            Some("ask") => OnWarning::Ask,
            Some("fail") => OnWarning::Fail,
            _ => OnWarning::Continue,
        };
        draft.kernel.on_inconclusive = match step.on_inconclusive.as_ref().map(|policy| policy.value.as_str())
        {
            Some("continue") => OnWarning::Continue,
            Some("ask") => OnWarning::Ask,
            _ => OnWarning::Fail,
        };
        draft.kernel.pivot = step.pivot.as_ref().is_some_and(|pivot| pivot.value);
        self.verify(id, step, declaration, effect, draft);
        self.check_effect(id, step, declaration, effect, step_type(action));
        draft.kernel.undo = match self.graph.arena.node(id).undo {
            Some(scope) => Undo::Scope(scope),
            None if effect != Effect::Write => Undo::Nothing,
            None => match step.rollback.as_deref() {
                Some(RollbackDecl::None(_)) if step.irreversible.is_none() => Undo::Left,
                _ => Undo::Missing,
            },
        };
        if effect == Effect::Write && self.is_bound(id) {
            draft.plan.asserts = self.asserts(id);
        }
    }

    fn verify(&self, id: NodeId, step: &Step, declaration: &Declaration, effect: Effect, draft: &mut Draft) {
        match &step.verify {
            Some(verify) if effect == Effect::Write || effect == Effect::Notify => {
                self.verify_of_file(id, verify, draft);
            }
            Some(verify) => {
                self.useless("verify", verify.span, "it changes nothing, so there is nothing to verify")
            }
            None if effect == Effect::Write && declaration.check.verify => {
                draft.kernel.verify = Some(Verify {
                    every: VERIFY_EVERY,
                    within: VERIFY_WITHIN,
                    proves_absence: declaration.check.proves_absence,
                    not_done: false,
                    after_done: false,
                });
            }
            None => {}
        }
    }

    pub(super) fn verify_of_file(&self, id: NodeId, verify: &VerifyDecl, draft: &mut Draft) {
        let place = Place { at: At::After(id), ..self.place(id) };
        let start = Place { at: At::Start, ..place };
        let every = verify.every.as_ref().and_then(|every| self.period(every, start, "`every`"));
        let within = verify.within.as_ref().and_then(|within| self.duration(within, start, "`within`"));
        draft.plan.verify = self.check(&verify.check, place, Some(id), "verify");
        draft.plan.verify_not_done =
            verify.not_done.as_ref().and_then(|check| self.check(check, place, Some(id), "not_done"));
        draft.kernel.verify = Some(Verify {
            every: every.unwrap_or(VERIFY_EVERY),
            within: within.unwrap_or(VERIFY_WITHIN),
            // That the effect cannot be seen does not say that it is not on its way.
            proves_absence: false,
            not_done: verify.not_done.is_some(),
            after_done: true,
        });
    }

    /// Keys that say something about an effect, against the effect that the step has.
    fn check_effect(&self, id: NodeId, step: &Step, declaration: &Declaration, effect: Effect, name: &str) {
        if let Some(says) = &step.effect
            && declaration.effect != Declared::Declared
            && !says.value.is_empty()
            && says.value != effect_name(effect)
        {
            let message =
                format!("`{name}` has the effect `{}`; that is not the step's to say", effect_name(effect));
            let fault = Diagnostic::error(codes::EFFECT_FIXED, says.span, message);
            self.report.push(fault.hint("Leave `effect` out."));
        }
        if let Some(required) = step.required.as_ref().filter(|_| effect != Effect::Notify) {
            self.useless(
                "required",
                required.span,
                "only what tells somebody may fail without failing the run",
            );
        }
        if let Some(policy) = &step.on_in_doubt
            && matches!(effect, Effect::Read | Effect::Pure)
        {
            self.useless("on_in_doubt", policy.span, "what changes nothing is never in doubt");
        } else if let Some(policy) = step.on_in_doubt.as_ref().filter(|policy| policy.value == "compensate")
            && !self.is_undone_by_steps(id)
        {
            self.useless("on_in_doubt: compensate", policy.span, "there is no undo that could compensate it");
        }
        if let Some(check) = step.assert_target.first().filter(|_| effect != Effect::Write) {
            self.useless("assert_target", check.span, "it binds what writes, and this does not");
        }
        if !declaration.is_check {
            self.only_of_checks(step);
        }
        self.check_undo(id, step, declaration, effect);
    }

    /// What a check's warning, or a look without an answer, does: of no other step.
    pub(super) fn only_of_checks(&self, step: &Step) {
        if let Some(policy) = &step.on_warning {
            self.useless("on_warning", policy.span, "only checks warn");
        }
        if let Some(policy) = &step.on_inconclusive {
            self.useless(
                "on_inconclusive",
                policy.span,
                "only a check that is a step can end without an answer",
            );
        }
    }

    pub(super) fn useless(&self, key: &str, span: Span, reason: &str) {
        self.report.push(
            Diagnostic::error(codes::WITHOUT_EFFECT, span, format!("`{key}` has no effect here: {reason}"))
                .hint(format!("Leave `{key}` out.")),
        );
    }
}

pub(crate) fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Pure => "pure",
        Effect::Read => "read",
        Effect::Write => "write",
        Effect::Notify => "notify",
    }
}
