//! How steps repeat, fail, are verified and undone.

use super::{Lower, entries, items};
use crate::ast::{AfterPivotDecl, BatchDecl, ForEach, GuardDecl, OnFailure, Retry, RollbackDecl, VerifyDecl};
use crate::tree::{Node, Value};
use crate::{Diagnostic, Spanned, codes};

/// Names that expressions already have.
const RESERVED: &[&str] = &[
    "steps",
    "inputs",
    "secrets",
    "environment",
    "run",
    "rollback",
    "prepared",
    "true",
    "false",
    "none",
    "not",
    "and",
    "or",
    "if",
    "else",
    "in",
    "is",
    "range",
];

impl Lower<'_> {
    pub(super) fn retry(&mut self, node: &Node<'_>) -> Option<Retry> {
        let Value::Map(_) = node.value else { return None };
        let mut retry = Retry {
            span: self.span(node),
            max_attempts: None,
            delay: None,
            backoff: None,
            max_delay: None,
            jitter: None,
            only: Vec::new(),
        };
        for (key, _, value) in entries(node) {
            match key {
                "max_attempts" => retry.max_attempts = self.data(value),
                "delay" => retry.delay = self.data(value),
                "backoff" => retry.backoff = self.data(value),
                "max_delay" => retry.max_delay = self.data(value),
                "jitter" => retry.jitter = self.data(value),
                "only" => retry.only = self.fixed_list(value),
                _ => {}
            }
        }
        Some(retry)
    }

    pub(super) fn for_each(&mut self, node: &Node<'_>) -> Option<ForEach> {
        let span = self.span(node);
        let mut each = ForEach {
            span,
            items: Spanned::new(crate::ast::Data::Null, span),
            name: None,
            key: None,
            max_parallel: None,
            max_failures: None,
            batches: Vec::new(),
            between: Vec::new(),
            undo: None,
            allow_empty: None,
            expect_count: None,
            max_targets: None,
        };
        let mut items_found = false;
        for (key, _, value) in entries(node) {
            match key {
                "items" => {
                    each.items = self.data(value)?;
                    items_found = true;
                }
                "as" => each.name = self.item_name(value),
                "key" => each.key = self.data(value),
                "max_parallel" => each.max_parallel = self.data(value),
                "max_failures" => each.max_failures = self.data(value),
                "batches" => each.batches = self.each(value, Lower::batch),
                "between" => each.between = self.steps(value),
                "undo" => each.undo = self.fixed(value),
                "allow_empty" => each.allow_empty = self.flag(value),
                "expect_count" => each.expect_count = self.data(value),
                "max_targets" => each.max_targets = self.data(value),
                _ => {}
            }
        }
        items_found.then_some(each)
    }

    fn item_name(&mut self, node: &Node<'_>) -> Option<Spanned<String>> {
        let name = self.fixed(node)?;
        if RESERVED.contains(&name.value.as_str()) {
            let message = format!("`{}` means something else in expressions", name.value);
            self.report.add(|| {
                Diagnostic::error(codes::BAD_NAME, name.span, message)
                    .hint("Call it after what it is, such as `host` or `region`.")
            });
        }
        Some(name)
    }

    fn batch(&mut self, node: &Node<'_>) -> Option<BatchDecl> {
        let (mut size, mut max_parallel, mut max_failures) = (None, None, None);
        match &node.value {
            Value::Map(_) => {
                for (key, _, value) in entries(node) {
                    match key {
                        "size" => size = self.data(value),
                        "max_parallel" => max_parallel = self.data(value),
                        "max_failures" => max_failures = self.data(value),
                        _ => {}
                    }
                }
            }
            _ => size = self.data(node),
        }
        Some(BatchDecl { span: self.span(node), size: size?, max_parallel, max_failures })
    }

    pub(super) fn verify(&mut self, node: &Node<'_>) -> Option<VerifyDecl> {
        let (mut within, mut every, mut not_done) = (None, None, None);
        for (key, _, value) in entries(node) {
            match key {
                "within" => within = self.data(value),
                "every" => every = self.data(value),
                "not_done" => not_done = self.action_use(value),
                _ => {}
            }
        }
        Some(VerifyDecl { span: self.span(node), check: self.action_use(node)?, within, every, not_done })
    }

    pub(super) fn guard(&mut self, node: &Node<'_>) -> Option<GuardDecl> {
        let (mut every, mut failures) = (None, None);
        for (key, _, value) in entries(node) {
            match key {
                "every" => every = self.data(value),
                "failures" => failures = self.data(value),
                _ => {}
            }
        }
        Some(GuardDecl { span: self.span(node), check: self.action_use(node)?, every, failures })
    }

    /// `none`, a list of steps, one step, or a map of `steps` with probes that are `require`d.
    pub(super) fn rollback(&mut self, node: &Node<'_>) -> Option<RollbackDecl> {
        let span = self.span(node);
        match &node.value {
            Value::Text(_) => Some(RollbackDecl::None(span)),
            Value::List(_) => {
                Some(RollbackDecl::Steps { span, require: Vec::new(), steps: self.steps(node) })
            }
            Value::Map(_) => {
                let mut require = Vec::new();
                let mut plain = None;
                let mut others = false;
                for (key, _, value) in entries(node) {
                    match key {
                        "require" => require = self.each(value, Lower::action_use),
                        "steps" => plain = Some(value),
                        _ => others = true,
                    }
                }
                let steps = match plain {
                    Some(list) if !others => self.steps(list),
                    _ => self.step(node).into_iter().collect(),
                };
                Some(RollbackDecl::Steps { span, require, steps })
            }
            _ => None,
        }
    }

    pub(super) fn on_failure(&mut self, node: &Node<'_>) -> Option<OnFailure> {
        let Value::Map(_) = node.value else { return None };
        let mut policy =
            OnFailure { span: self.span(node), rollback: None, first: Vec::new(), after_pivot: None };
        for (key, _, value) in entries(node) {
            match key {
                "rollback" => policy.rollback = self.fixed(value),
                "first" => policy.first = self.steps(value),
                "after_pivot" => {
                    policy.after_pivot = match items(value) {
                        [] => self.fixed(value).map(AfterPivotDecl::Policy),
                        _ => Some(AfterPivotDecl::Steps(self.steps(value))),
                    };
                }
                _ => {}
            }
        }
        Some(policy)
    }
}
