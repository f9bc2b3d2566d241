//! The shape of a plan, for those who only read.

use runbook_kernel::{
    Batch, BatchSize, EachUndo, Effect, InDoubt, Kind, NodeId, OnWarning, RollbackPolicy, ScopeId,
};
use runbook_step::{Effect as Declared, Type, UndoKind, Value};
use runbook_syntax::ast::{RollbackDecl, Step, StepKind};
use runbook_wire::{Entry, EntryKind, Outline, Place, Policy, Promise};

use crate::arena::{Arena, Body, What};
use crate::effects::of;
use crate::lower::{Draft, effect_name};
use crate::model::{ChecklistItemSpec, Template, Work};
use crate::planner::Planner;

impl Planner<'_> {
    /// The outline of the whole plan.
    pub(crate) fn outline(&self, drafts: &[Draft], outputs: &[(String, Template)]) -> Outline {
        let arena = self.graph.arena;
        let crate::arena::Doc::Runbook(runbook) = arena.module(crate::model::ModuleId::ROOT).doc else {
            return Outline::default();
        };
        let rollback = runbook.on_failure.as_ref().and_then(|policy| policy.rollback.as_ref());
        Outline {
            name: runbook.name.value.clone(),
            summary: runbook.summary.as_ref().map_or_else(String::new, |summary| summary.value.clone()),
            owner: runbook.owner.as_ref().map(|owner| owner.value.clone()),
            entries: (0..drafts.len())
                .map(|number| self.entry(NodeId(number as u32), &drafts[number]))
                .collect(),
            steps: numbers(arena, Some(arena.root)),
            finally: numbers(arena, arena.finally),
            rollback: rollback.map_or_else(|| "auto".into(), |rollback| rollback.value.clone()),
            outputs: outputs.iter().map(|(name, template)| (name.clone(), constants(template))).collect(),
        }
    }

    fn entry(&self, id: NodeId, draft: &Draft) -> Entry {
        let arena = self.graph.arena;
        let site = arena.node(id);
        let step = match site.what {
            What::Step(step) => Some(step),
            _ => None,
        };
        let (children, finally, cases) = self.below(id, step);
        let position = self.library.sources.position(draft.plan.span);
        Entry {
            segment: site.segment.clone(),
            title: draft.plan.name.as_ref().map(|name| self.title(name)),
            kind: kind(&draft.plan.work, &site.body),
            what: self.what(id, draft, step),
            effect: effect_name(draft.kernel.effect).into(),
            parent: arena.owner(id).map(|owner| owner.0),
            children,
            undo: numbers(arena, site.undo),
            finally,
            needs: draft.kernel.needs.iter().map(|node| node.0).collect(),
            promise: self.promise(id, draft, step),
            pivot: draft.kernel.pivot,
            place: Place {
                file: self.library.sources.file(draft.plan.span.file).name.clone(),
                line: position.line,
                column: position.column,
            },
            cases,
            role: site.role,
            policy: Policy {
                left_out: self.left_out(draft),
                claimed: step.is_some_and(|step| self.is_claimed(step)),
                ..policy(draft, step)
            },
        }
    }

    /// A name as it will be read; as written where it depends on the run.
    fn title(&self, name: &Template) -> String {
        let mut known = true;
        name.for_each_expression(&mut |expression| known &= self.is_known(&expression.refs));
        let read = if known { name.evaluate(self).ok() } else { None };
        read.map_or_else(|| written(name), |value| value.to_string())
    }

    /// Whether it is known before the run that `when` does not hold.
    fn left_out(&self, draft: &Draft) -> bool {
        let Some(when) = draft.plan.when.as_ref().filter(|when| self.is_known(&when.refs)) else {
            return false;
        };
        matches!(Template::Expr(when.clone()).evaluate(self), Ok(Value::Bool(false)))
    }

    #[expect(
        clippy::type_complexity,
        reason = "three fields of an entry that come from one look at the body"
    )]
    fn below(&self, id: NodeId, step: Option<&Step>) -> (Vec<u32>, Vec<u32>, Vec<(String, Vec<u32>)>) {
        let arena = self.graph.arena;
        let of = |scope: &ScopeId| numbers(arena, Some(*scope));
        let (mut children, finally, mut cases) = match &arena.node(id).body {
            Body::Leaf => (Vec::new(), Vec::new(), Vec::new()),
            Body::Group { body, finally, failure } | Body::Call { body, finally, failure, .. } => {
                let mut children = of(body);
                children.extend(numbers(arena, failure.first));
                children.extend(numbers(arena, failure.after_pivot));
                (children, numbers(arena, *finally), Vec::new())
            }
            Body::Each { body, between, .. } => {
                let mut children = of(body);
                children.extend(numbers(arena, *between));
                (children, Vec::new(), Vec::new())
            }
            Body::Switch { cases } => {
                (Vec::new(), Vec::new(), cases.iter().map(|case| (String::new(), of(case))).collect())
            }
        };
        if let Some(StepKind::Switch { cases: decls, .. }) = step.map(|step| &step.kind) {
            for ((label, nodes), decl) in cases.iter_mut().zip(decls) {
                label.clone_from(&decl.label.value);
                children.extend(nodes.iter().copied());
            }
        }
        (children, finally, cases)
    }

    fn what(&self, id: NodeId, draft: &Draft, step: Option<&Step>) -> String {
        match &draft.plan.work {
            Work::Step(invocation) => invocation.step.clone(),
            Work::OwnUndo { of } => match self.graph.arena.node(*of).what {
                What::Step(step) => self.own_undo_summary(step).unwrap_or_default().to_owned(),
                _ => String::new(),
            },
            Work::WaitFor => match draft.kernel.kind {
                Kind::WaitFor(ms) => format!("for {}", runbook_step::format_duration(ms)),
                _ => String::new(),
            },
            Work::WaitUntil(check) => format!("until {}", check.step),
            Work::Approval(approval) => match approval.from_text.is_empty() {
                true => "anybody".into(),
                false => approval.from_text.join(", "),
            },
            Work::Checklist(items) => format!("{} items", items.len()),
            Work::Prompt(_) => "a question".into(),
            Work::Call { .. } => match step.map(|step| &step.kind) {
                Some(StepKind::Call { path, .. }) => path.value.clone(),
                _ => String::new(),
            },
            Work::Switch { on, .. } => source(on),
            Work::Each { items, .. } => source(items),
            Work::Group if self.graph.arena.setup == Some(id) => {
                self.setting.name.clone().unwrap_or_default()
            }
            Work::Group => String::new(),
        }
    }

    fn own_undo_summary(&self, step: &Step) -> Option<&'static str> {
        let StepKind::Action(action) = &step.kind else { return None };
        match self.registry.get(crate::arena::step_type(action))?.declaration().undo {
            UndoKind::Own { summary } => Some(summary),
            UndoKind::None => None,
        }
    }

    fn promise(&self, id: NodeId, draft: &Draft, step: Option<&Step>) -> Promise {
        let Some(step) = step else { return Promise::NothingToUndo };
        if let Some(irreversible) = &step.irreversible {
            return Promise::Irreversible(irreversible.value.clone());
        }
        match step.rollback.as_deref() {
            Some(RollbackDecl::None(_)) => {
                return Promise::None(
                    step.reason.as_ref().map_or_else(String::new, |reason| reason.value.clone()),
                );
            }
            // Of a `for_each`, the undo is the items'.
            Some(RollbackDecl::Steps { .. }) if self.graph.arena.node(id).undo.is_some() => {
                return Promise::Steps;
            }
            Some(RollbackDecl::Steps { .. }) | None => {}
        }
        if !matches!(self.graph.arena.node(id).body, Body::Leaf) {
            return Promise::Children;
        }
        match (draft.kernel.effect, self.own_undo_summary(step)) {
            (Effect::Write, Some(summary)) if self.is_written(step) => Promise::Own(summary.into()),
            (Effect::Write, _) if self.graph.arena.node(id).forward => Promise::Missing,
            _ => Promise::NothingToUndo,
        }
    }

    /// Whether that it does not write is the file's word alone.
    fn is_claimed(&self, step: &Step) -> bool {
        let StepKind::Action(action) = &step.kind else { return false };
        let found = self.registry.get(crate::arena::step_type(action));
        step.effect.as_ref().is_some_and(|effect| matches!(effect.value.as_str(), "read" | "notify"))
            && found.is_some_and(|found| found.declaration().effect == Declared::Declared)
    }

    fn is_written(&self, step: &Step) -> bool {
        let StepKind::Action(action) = &step.kind else { return false };
        let says = step.effect.as_ref().map(|effect| effect.value.as_str());
        let found = self.registry.get(crate::arena::step_type(action));
        found.is_some_and(|found| of(found.declaration(), says) == Effect::Write)
    }
}

fn numbers(arena: &Arena<'_>, scope: Option<ScopeId>) -> Vec<u32> {
    scope.map_or_else(Vec::new, |scope| arena.scope(scope).nodes.iter().map(|node| node.0).collect())
}

/// A text as the file writes it.
fn written(template: &Template) -> String {
    match template {
        Template::Expr(expression) => format!("${{{{ {} }}}}", expression.source),
        Template::Concat(parts) => parts.iter().map(written).collect(),
        other => source(other),
    }
}

/// A value with its constants as they are, and null for what is only known in the run.
fn constants(template: &Template) -> serde_json::Value {
    match template {
        Template::Const(value) => value.to_json(),
        Template::Expr(_) | Template::Concat(_) => serde_json::Value::Null,
        Template::List(items) => items.iter().map(constants).collect(),
        Template::Map(entries) => {
            entries.iter().map(|(name, item)| (name.clone(), constants(item))).collect()
        }
    }
}

/// A template as one short phrase.
fn source(template: &Template) -> String {
    match template {
        Template::Const(value) => value.to_string(),
        Template::Expr(expression) => expression.source.clone(),
        Template::Concat(parts) => parts.iter().map(source).collect(),
        Template::List(items) => format!("{} items", items.len()),
        Template::Map(_) => "a map".into(),
    }
}

fn kind(work: &Work, body: &Body) -> EntryKind {
    match (work, body) {
        (_, Body::Each { .. }) => EntryKind::ForEach,
        (_, Body::Switch { .. }) => EntryKind::Switch,
        (_, Body::Call { .. }) => EntryKind::Call,
        (_, Body::Group { .. }) => EntryKind::Group,
        (Work::WaitFor | Work::WaitUntil(_), _) => EntryKind::Wait,
        (Work::Approval(_), _) => EntryKind::Approval,
        (Work::Checklist(_), _) => EntryKind::Checklist,
        (Work::Prompt(_), _) => EntryKind::Prompt,
        _ => EntryKind::Action,
    }
}

fn policy(draft: &Draft, step: Option<&Step>) -> Policy {
    let node = &draft.kernel;
    let mut policy = Policy {
        timeout_ms: draft.plan.timeout.or(node.timeout),
        deadline_ms: node.deadline,
        attempts: node.retry.max_attempts,
        tolerated: node.continue_on_error || !node.required,
        on_warning: match node.on_warning {
            OnWarning::Continue => None,
            OnWarning::Ask => Some("ask".into()),
            OnWarning::Fail => Some("fail".into()),
        },
        on_inconclusive: match node.on_inconclusive {
            OnWarning::Continue => Some("continue".into()),
            OnWarning::Ask => Some("ask".into()),
            OnWarning::Fail => None,
        },
        verify: node.verify.is_some_and(|verify| verify.after_done),
        within_ms: node.verify.map(|verify| verify.within),
        proves_absence: node.verify.is_some_and(|verify| verify.proves_absence),
        not_done: node.verify.is_some_and(|verify| verify.not_done),
        on_in_doubt: match node.on_in_doubt {
            InDoubt::Ask => None,
            InDoubt::Retry => Some("retry".into()),
            InDoubt::Compensate => Some("compensate".into()),
        },
        guards: node.guards.iter().map(|guard| guard.failures).collect(),
        when: draft.plan.when.as_ref().map(|when| when.source.clone()),
        unpinned: unpinned(draft).map(str::to_owned),
        ..Policy::default()
    };
    if let Some(retry) = step.and_then(|step| step.retry.as_ref()) {
        policy.only = retry.only.iter().map(|only| only.value.clone()).collect();
    }
    match &node.kind {
        Kind::WaitFor(ms) => policy.hold_ms = Some(*ms),
        Kind::WaitUntil(poll) => {
            policy.timeout_ms = Some(poll.timeout);
            policy.hold_ms = Some(poll.hold);
        }
        Kind::Human(human) => {
            policy.timeout_ms = human.timeout;
            policy.count = human.count;
            policy.exclude_requester = human.exclude_requester;
        }
        Kind::Group { on_failure: Some(on_failure), .. } => {
            let rollback = match on_failure.rollback {
                RollbackPolicy::Auto => "auto",
                RollbackPolicy::Ask => "ask",
                RollbackPolicy::None => "none",
            };
            policy.rollback = Some(rollback.into());
        }
        Kind::Each(each) => {
            policy.max_failures = each.max_failures;
            policy.batches = each.batches.iter().map(batch_size).collect();
            policy.batch_failures = each.batches.iter().map(|batch| batch.max_failures).collect();
            let undo = match each.undo {
                EachUndo::All => "all",
                EachUndo::Batch => "batch",
                EachUndo::Failed => "failed",
            };
            policy.rollback = Some(undo.into());
        }
        _ => {}
    }
    match &draft.plan.work {
        Work::Approval(approval) => {
            policy.who.clone_from(&approval.from_text);
            policy.shown = approval.show.iter().map(|(name, _)| name.clone()).collect();
        }
        Work::Checklist(items) => {
            policy.items = items.iter().filter(|item| item.required).map(|item| item.id.clone()).collect();
            let proven = items.iter().filter(|item| item.evidence.is_some());
            policy.evidence = proven.map(|item| item.id.clone()).collect();
            policy.shown = items.iter().map(|item| item.id.clone()).collect();
            let by_id =
                |item: &ChecklistItemSpec, words: &Option<String>| Some((item.id.clone(), words.clone()?));
            policy.owners = items.iter().filter_map(|item| by_id(item, &item.owner)).collect();
            policy.wanted = items.iter().filter_map(|item| by_id(item, &item.evidence)).collect();
            for owner in items.iter().filter_map(|item| item.owner.as_ref()) {
                if !policy.who.contains(owner) {
                    policy.who.push(owner.clone());
                }
            }
        }
        Work::Prompt(prompt) => policy.choices = choices(&prompt.ty),
        _ => {}
    }
    policy
}

/// What of a node's programs is only known in the run.
fn unpinned(draft: &Draft) -> Option<&'static str> {
    let plan = &draft.plan;
    let work = match &plan.work {
        Work::Step(invocation) | Work::WaitUntil(invocation) => Some(invocation),
        _ => None,
    };
    let checks = plan.verify.iter().chain(&plan.verify_not_done).chain(&plan.guards).chain(&plan.asserts);
    work.into_iter().chain(checks).find_map(|invocation| invocation.unpinned)
}

/// The values of a type, as they are typed, where they can be listed.
fn choices(ty: &Type) -> Vec<String> {
    match ty {
        Type::String { one_of, .. } => one_of.clone(),
        Type::Boolean => vec!["true".into(), "false".into()],
        _ => Vec::new(),
    }
}

fn batch_size(batch: &Batch) -> String {
    match batch.size {
        BatchSize::Count(count) => count.to_string(),
        BatchSize::Percent(percent) => format!("{percent}%"),
        BatchSize::Rest => "rest".into(),
    }
}
