//! Groups, switches and calls.

use std::collections::HashSet;

use runbook_kernel::{AfterPivot, Kind, NodeId, OnFailure, RollbackPolicy, ScopeId, Undo};
use runbook_step::Type;
use runbook_syntax::ast::{
    AfterPivotDecl, Case, Data, OnFailure as OnFailureDecl, RollbackDecl, Segment, Step, StepKind,
};
use runbook_syntax::{Diagnostic, Spanned};

use super::Draft;
use crate::arena::{Body, Doc, FailureScopes};
use crate::codes;
use crate::model::{ModuleId, Template, Work};
use crate::planner::Planner;
use crate::report::and;
use crate::scope::{At, Place};

impl Planner<'_> {
    pub(super) fn group_node(&self, id: NodeId, step: &Step, draft: &mut Draft) {
        let arena = self.graph.arena;
        let place = self.place(id);
        match &arena.node(id).body {
            Body::Group { body, finally, failure } => {
                self.asks_of_its_own(step);
                let on_failure = step.on_failure.as_deref().map(|policy| self.on_failure(policy, *failure));
                draft.kernel.kind = Kind::Group { body: *body, on_failure, finally: *finally };
                draft.plan.work = Work::Group;
                let close = Place { at: At::Close(*body), ..place };
                draft.plan.outputs = self.outputs(&step.outputs, close);
            }
            Body::Call { module, body, finally, failure } => {
                self.call_node(step, *module, (*body, *finally, *failure), draft);
            }
            Body::Switch { cases } => self.switch_node(step, place, cases, draft),
            Body::Leaf | Body::Each { .. } => {}
        }
        draft.kernel.closes = !draft.plan.outputs.is_empty()
            || matches!(&draft.plan.work, Work::Switch { outputs, .. } if outputs.iter().any(|case| !case.is_empty()));
        self.group_keys(id, step, draft);
    }

    /// After a pivot the run is asked about as a whole, under the runbook's own policy.
    fn asks_of_its_own(&self, step: &Step) {
        if let Some(AfterPivotDecl::Policy(policy)) =
            step.on_failure.as_ref().and_then(|policy| policy.after_pivot.as_ref())
            && policy.value == "ask"
        {
            self.useless(
                "after_pivot",
                policy.span,
                "after a pivot the runbook's own `on_failure` says who is asked",
            );
        }
    }

    fn call_node(
        &self,
        step: &Step,
        module: Option<ModuleId>,
        (body, finally, failure): (ScopeId, Option<ScopeId>, FailureScopes),
        draft: &mut Draft,
    ) {
        let called = match module.map(|module| (module, self.graph.arena.module(module).doc)) {
            Some((module, Doc::Runbook(runbook))) => Some((module, runbook)),
            _ => None,
        };
        let own = called.and_then(|(_, runbook)| runbook.on_failure.as_ref());
        let on_failure = step.on_failure.as_deref().or(own).map(|policy| self.on_failure(policy, failure));
        self.asks_of_its_own(step);
        draft.kernel.kind = Kind::Group { body, on_failure, finally };
        let Some((module, runbook)) = called else { return };
        draft.plan.work = Work::Call { inputs: self.call_inputs[module.0 as usize].clone() };
        draft.plan.outputs = self.outputs(&runbook.outputs, Place { module, at: At::Close(body) });
    }

    fn outputs(&self, outputs: &[(Spanned<String>, Spanned<Data>)], place: Place) -> Vec<(String, Template)> {
        (outputs.iter())
            .filter_map(|(name, data)| Some((name.value.clone(), self.free_template(data, place)?)))
            .collect()
    }

    /// Keys that a group has in its own way.
    fn group_keys(&self, id: NodeId, step: &Step, draft: &mut Draft) {
        if let Some(timeout) = &step.timeout {
            let start = Place { at: At::Start, ..self.place(id) };
            draft.kernel.timeout = self.period(timeout, start, "`timeout`");
        }
        if let Some(verify) = &step.verify {
            self.verify_of_file(id, verify, draft);
            if let Some(not_done) = &verify.not_done {
                self.useless("not_done", not_done.span, "a group is never in doubt: its steps are");
            }
        }
        self.only_of_checks(step);
        if let Some(pivot) = step.pivot.as_ref().filter(|pivot| pivot.value) {
            let message = "a group is no point of no return: a step inside is";
            let fault = Diagnostic::error(codes::PIVOT_PLACE, pivot.span, message);
            self.report.push(fault.hint("Put `pivot: true` at the step whose effect cannot be taken back."));
        }
        self.check_group_undo(id, step);
        draft.kernel.undo = match (self.graph.arena.node(id).undo, step.rollback.as_deref()) {
            (Some(scope), _) => Undo::Scope(scope),
            (None, _) if step.irreversible.is_some() => Undo::Missing,
            (None, Some(RollbackDecl::None(_))) => Undo::Left,
            (None, _) => Undo::Nothing,
        };
    }

    pub(crate) fn on_failure(&self, policy: &OnFailureDecl, scopes: FailureScopes) -> OnFailure {
        let rollback = match policy.rollback.as_ref().map(|rollback| rollback.value.as_str()) {
            Some("ask") => RollbackPolicy::Ask,
            Some("none") => RollbackPolicy::None,
            _ => RollbackPolicy::Auto,
        };
        let after_pivot = match (&policy.after_pivot, scopes.after_pivot) {
            (Some(AfterPivotDecl::Policy(policy)), _) if policy.value == "none" => AfterPivot::None,
            (Some(AfterPivotDecl::Steps(_)), Some(scope)) => AfterPivot::Steps(scope),
            _ => AfterPivot::Ask,
        };
        OnFailure { rollback, first: scopes.first, after_pivot }
    }

    fn switch_node(&self, step: &Step, place: Place, scopes: &[ScopeId], draft: &mut Draft) {
        let StepKind::Switch { on, cases } = &step.kind else { return };
        draft.kernel.kind = Kind::Switch { cases: scopes.to_vec() };
        let default = cases.iter().position(|case| case.label.value == "default");
        self.exhaustive(on, cases, default, place);
        let outputs = cases.iter().zip(scopes).map(|(case, scope)| {
            let close = Place { at: At::Close(*scope), ..place };
            let mut outputs = self.outputs(&case.outputs, close);
            outputs.extend(self.outputs(&step.outputs, close));
            outputs
        });
        let outputs = outputs.collect();
        if let Some(on) = self.free_template(on, place) {
            let labels = cases.iter().map(|case| case.label.value.clone()).collect();
            draft.plan.work = Work::Switch { on, labels, default: default.map(|at| at as u32), outputs };
        }
    }

    /// Every value that `on` may have needs a case, and every case a value.
    fn exhaustive(&self, on: &Spanned<Data>, cases: &[Case], default: Option<usize>, place: Place) {
        let expr = match &on.value {
            Data::Text(text) => match text.segments.as_slice() {
                [Segment::Expr(expr)] => Some(expr),
                _ => None,
            },
            _ => None,
        };
        let ty = expr.map_or(Type::string(), |expr| self.type_of(expr, place));
        let Some(values) = values_of(&ty) else {
            if default.is_none() {
                let message = "the switch may have a value that no case covers";
                let hint = "Add a case `default`; one that does nothing is `default: []`.";
                self.report
                    .push(Diagnostic::error(codes::SWITCH_NOT_EXHAUSTIVE, on.span, message).hint(hint));
            }
            return;
        };
        let labels: HashSet<&str> = cases.iter().map(|case| case.label.value.as_str()).collect();
        let left: Vec<&str> =
            values.iter().map(String::as_str).filter(|value| !labels.contains(value)).collect();
        let values: HashSet<&str> = values.iter().map(String::as_str).collect();
        // No label stands for an input that was not given: that is what `default` is for.
        let may_be_null = expr.is_some_and(|expr| self.may_be_null(expr, place));
        if default.is_none() && (may_be_null || !left.is_empty()) {
            let (message, hint) = match left.is_empty() {
                true => (
                    "no case covers an input without a value".to_owned(),
                    "Add a case `default`; one that does nothing is `default: []`. Or write `… | default('…')`.",
                ),
                false => (format!("no case covers {}", and(&left)), "Add the cases, or a `default`."),
            };
            self.report.push(Diagnostic::error(codes::SWITCH_NOT_EXHAUSTIVE, on.span, message).hint(hint));
        }
        for (place, case) in cases.iter().enumerate() {
            let label = &case.label.value;
            if Some(place) != default && !values.contains(label.as_str()) {
                let message = format!("the value is never `{label}`");
                let hint = (self.report.did_you_mean(label, left.iter().copied()))
                    .unwrap_or_else(|| "Leave the case out.".into());
                self.report
                    .push(Diagnostic::error(codes::CASE_UNREACHABLE, case.label.span, message).hint(hint));
            }
        }
        if let Some(default) = default.filter(|_| left.is_empty() && !may_be_null) {
            let message = "every value has a case, so `default` is never chosen";
            let fault = Diagnostic::error(codes::CASE_UNREACHABLE, cases[default].label.span, message);
            self.report
                .push(fault.hint("Leave `default` out: then a value that is added later is missed at once."));
        }
    }
}

/// All values of a type, as labels, where there are only so many.
fn values_of(ty: &Type) -> Option<Vec<String>> {
    match ty {
        Type::Boolean => Some(vec!["true".into(), "false".into()]),
        Type::String { one_of, .. } if !one_of.is_empty() => Some(one_of.clone()),
        Type::Either(types) => {
            let mut all = Vec::new();
            for ty in types {
                all.extend(values_of(ty)?);
            }
            all.sort();
            all.dedup();
            Some(all)
        }
        _ => None,
    }
}
