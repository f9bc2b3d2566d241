//! Steps.

use std::collections::HashMap;

use super::{Lower, entries, items};
use crate::ast::{Action, ActionUse, Case, Step, StepKind};
use crate::shape::STEP;
use crate::tree::{Node, Value};
use crate::{Diagnostic, Span, Spanned, codes};

impl Lower<'_> {
    pub(super) fn steps(&mut self, node: &Node<'_>) -> Vec<Step> {
        self.each(node, Lower::step)
    }

    pub(super) fn step(&mut self, node: &Node<'_>) -> Option<Step> {
        let Value::Map(_) = node.value else { return None };
        let mut step = empty(self.span(node));
        step.kind = self.kind(node);
        let action = matches!(step.kind, StepKind::Action(_));
        for (key, _, value) in entries(node) {
            match key {
                "id" => step.id = self.id(value),
                "name" => step.name = self.data(value),
                "needs" => step.needs = self.needs(value),
                "when" => step.when = self.condition(value).map(Box::new),
                "env" => step.env = self.data_entries(value),
                "cwd" => step.cwd = self.data(value),
                "stdout" => step.stdout = self.fixed(value),
                "outputs" if action => step.output_types = self.named(value, Lower::type_decl),
                "outputs" => step.outputs = self.data_entries(value),
                "for_each" => step.for_each = self.for_each(value).map(Box::new),
                "retry" => step.retry = self.retry(value).map(Box::new),
                "timeout" => step.timeout = self.data(value),
                "deadline" => step.deadline = self.data(value),
                "verify" => step.verify = self.verify(value).map(Box::new),
                "rollback" => step.rollback = self.rollback(value).map(Box::new),
                "reason" => step.reason = self.fixed(value),
                "irreversible" => step.irreversible = self.fixed(value),
                "pivot" => step.pivot = self.flag(value),
                "effect" => {
                    let broken = || Spanned::new(String::new(), self.span(value));
                    step.effect = Some(self.fixed(value).unwrap_or_else(broken));
                }
                "required" => step.required = self.flag(value),
                "on_in_doubt" => step.on_in_doubt = self.fixed(value),
                "on_warning" => step.on_warning = self.fixed(value),
                "on_inconclusive" => step.on_inconclusive = self.fixed(value),
                "continue_on_error" => step.continue_on_error = self.flag(value),
                "guard" => step.guard = self.each(value, Lower::guard),
                "assert_target" => step.assert_target = self.each(value, Lower::action_use),
                "parallel" => step.parallel = self.flag(value),
                "on_failure" => step.on_failure = self.on_failure(value).map(Box::new),
                "finally" => step.finally = self.steps(value),
                _ => {}
            }
        }
        Some(step)
    }

    /// What a step does: broken, unless exactly one key says so.
    fn kind(&mut self, node: &Node<'_>) -> StepKind {
        let mut kinds = entries(node).filter(|(key, _, _)| STEP.exactly_one.contains(key));
        let (Some((kind, _, value)), None) = (kinds.next(), kinds.next()) else { return StepKind::Broken };
        let beside = |name: &str| entries(node).find(|(key, _, _)| *key == name).map(|(_, _, value)| value);
        let span = self.span(value);
        let lowered = match kind {
            "run" | "argv" | "uses" => self.action(node).map(StepKind::Action),
            "wait" => self.wait(value).map(|wait| StepKind::Wait(Box::new(Spanned::new(wait, span)))),
            "approval" => self
                .approval(value)
                .map(|approval| StepKind::Approval(Box::new(Spanned::new(approval, span)))),
            "checklist" => self.checklist(value).map(|checklist| {
                self.item_ids(&checklist);
                StepKind::Checklist(Box::new(Spanned::new(checklist, span)))
            }),
            "prompt" => {
                self.prompt(value).map(|prompt| StepKind::Prompt(Box::new(Spanned::new(prompt, span))))
            }
            // By a word that is not known, cases were meant: nothing is said of those that are not there.
            "switch" if beside("cases").is_none() && entries(node).any(is_unknown) => None,
            "switch" => self.data(value).map(|on| {
                let cases = beside("cases").map(|cases| self.cases(cases)).unwrap_or_default();
                StepKind::Switch { on, cases }
            }),
            "call" => self.fixed(value).map(|path| {
                let inputs = beside("inputs").map(|inputs| self.data_entries(inputs)).unwrap_or_default();
                StepKind::Call { path, inputs }
            }),
            "steps" if !items(value).is_empty() => Some(StepKind::Group(self.steps(value))),
            _ => None,
        };
        lowered.unwrap_or(StepKind::Broken)
    }

    fn cases(&mut self, node: &Node<'_>) -> Vec<Case> {
        entries(node)
            .map(|(label, key, value)| {
                let label = Spanned::new(label.to_owned(), self.span(key));
                let mut case = Case { label, steps: Vec::new(), outputs: Vec::new() };
                match &value.value {
                    Value::Map(_) => {
                        for (key, _, value) in entries(value) {
                            match key {
                                "steps" => case.steps = self.steps(value),
                                "outputs" => case.outputs = self.data_entries(value),
                                _ => {}
                            }
                        }
                    }
                    _ => case.steps = self.steps(value),
                }
                case
            })
            .collect()
    }

    /// A check or action inside another key.
    pub(super) fn action_use(&mut self, node: &Node<'_>) -> Option<ActionUse> {
        let action = self.action(node)?;
        let mut action_use = ActionUse { span: self.span(node), action, env: Vec::new(), cwd: None };
        for (key, _, value) in entries(node) {
            match key {
                "env" => action_use.env = self.data_entries(value),
                "cwd" => action_use.cwd = self.data(value),
                _ => {}
            }
        }
        Some(action_use)
    }

    /// `run`, `argv` or `uses`, with what belongs to it.
    fn action(&mut self, node: &Node<'_>) -> Option<Action> {
        let (mut script, mut argv, mut uses) = (None, None, None);
        let (mut shell, mut with) = (None, Vec::new());
        for (key, _, value) in entries(node) {
            match key {
                "run" => script = self.script(value),
                "argv" if !items(value).is_empty() => argv = Some(self.data_list(value)),
                "uses" => uses = self.fixed(value),
                "shell" => shell = self.fixed(value),
                "with" => with = self.data_entries(value),
                _ => {}
            }
        }
        match (script, argv, uses) {
            (Some(script), None, None) => Some(Action::Run { script, shell }),
            (None, Some(argv), None) => Some(Action::Argv(argv)),
            (None, None, Some(step)) => Some(Action::Uses { step, with }),
            _ => None,
        }
    }

    fn needs(&mut self, node: &Node<'_>) -> Option<Spanned<Vec<Spanned<String>>>> {
        match node.value {
            Value::List(_) => Some(Spanned::new(self.fixed_list(node), self.span(node))),
            _ => None,
        }
    }

    fn id(&mut self, node: &Node<'_>) -> Option<Spanned<String>> {
        let id = self.fixed(node)?;
        let mut ids = std::mem::take(&mut self.ids);
        self.unique(&mut ids, &id, "step");
        self.ids = ids;
        Some(id)
    }

    /// Reports an id that is there already.
    pub(super) fn unique(&mut self, seen: &mut HashMap<String, Span>, id: &Spanned<String>, what: &str) {
        if let Some(first) = seen.get(&id.value) {
            let first = *first;
            self.report.add(|| {
                Diagnostic::error(
                    codes::DUPLICATE_ID,
                    id.span,
                    format!("two {what}s are called `{}`", id.value),
                )
                .also(first, "the first one")
                .hint("An id is unique in a file, groups and cases included.")
            });
        } else {
            seen.insert(id.value.clone(), id.span);
        }
    }
}

fn is_unknown((key, _, _): (&str, &Node<'_>, &Node<'_>)) -> bool {
    STEP.key(key, None).is_none()
}

fn empty(span: Span) -> Step {
    Step {
        span,
        id: None,
        name: None,
        kind: StepKind::Broken,
        needs: None,
        when: None,
        env: Vec::new(),
        cwd: None,
        stdout: None,
        outputs: Vec::new(),
        output_types: Vec::new(),
        for_each: None,
        retry: None,
        timeout: None,
        deadline: None,
        verify: None,
        rollback: None,
        reason: None,
        irreversible: None,
        pivot: None,
        effect: None,
        required: None,
        on_in_doubt: None,
        on_warning: None,
        on_inconclusive: None,
        continue_on_error: None,
        guard: Vec::new(),
        assert_target: Vec::new(),
        parallel: None,
        on_failure: None,
        finally: Vec::new(),
    }
}
