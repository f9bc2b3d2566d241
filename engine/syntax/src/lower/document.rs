//! Runbooks and environments.

use super::{Lower, entries};
use crate::Spanned;
use crate::ast::{Defaults, Environment, Runbook};
use crate::tree::Node;

/// A runbook whose shape has been checked. What is missing or broken is left empty.
pub(crate) fn runbook(lower: &mut Lower<'_>, node: &Node<'_>) -> Runbook {
    let span = lower.span(node);
    let mut runbook = Runbook {
        span,
        name: Spanned::new(String::new(), span),
        summary: None,
        owner: None,
        inputs: Vec::new(),
        secrets: Vec::new(),
        locks: Vec::new(),
        files: Vec::new(),
        env_pass: Vec::new(),
        assert_target: Vec::new(),
        defaults: Defaults::default(),
        on_failure: None,
        steps: Vec::new(),
        finally: Vec::new(),
        outputs: Vec::new(),
        revert: None,
    };
    for (key, _, value) in entries(node) {
        match key {
            "name" => runbook.name = lower.fixed(value).unwrap_or(runbook.name),
            "summary" => runbook.summary = lower.fixed(value),
            "owner" => runbook.owner = lower.fixed(value),
            "inputs" => runbook.inputs = lower.named(value, Lower::input),
            "secrets" => runbook.secrets = lower.named(value, Lower::secret),
            "locks" => runbook.locks = lower.each(value, Lower::lock),
            "files" => runbook.files = lower.fixed_list(value),
            "env_pass" => runbook.env_pass = lower.fixed_list(value),
            "assert_target" => runbook.assert_target = lower.each(value, Lower::action_use),
            "defaults" => runbook.defaults = lower.defaults(value),
            "on_failure" => runbook.on_failure = lower.on_failure(value),
            "steps" => runbook.steps = lower.steps(value),
            "finally" => runbook.finally = lower.steps(value),
            "outputs" => runbook.outputs = lower.data_entries(value),
            "revert" => runbook.revert = Some(lower.steps(value)),
            _ => {}
        }
    }
    runbook
}

/// An environment whose shape has been checked.
pub(crate) fn environment(lower: &mut Lower<'_>, node: &Node<'_>) -> Environment {
    let mut environment = Environment {
        span: lower.span(node),
        name: None,
        summary: None,
        vars: Vec::new(),
        secrets: Vec::new(),
        protected: false,
        setup: Vec::new(),
        assert_target: Vec::new(),
        defaults: Defaults::default(),
        answers: None,
        inputs: Vec::new(),
        env_pass: Vec::new(),
        roles: Vec::new(),
    };
    for (key, _, value) in entries(node) {
        match key {
            "name" => environment.name = lower.fixed(value),
            "summary" => environment.summary = lower.fixed(value),
            "vars" => environment.vars = lower.data_entries(value),
            "secrets" => environment.secrets = lower.named(value, Lower::secret),
            "protected" => environment.protected = lower.flag(value).is_some_and(|flag| flag.value),
            "setup" => environment.setup = lower.steps(value),
            "assert_target" => environment.assert_target = lower.each(value, Lower::action_use),
            "defaults" => environment.defaults = lower.defaults(value),
            "answers" => environment.answers = lower.fixed(value),
            "inputs" => environment.inputs = lower.data_entries(value),
            "env_pass" => environment.env_pass = lower.fixed_list(value),
            "roles" => environment.roles = lower.named(value, |lower, people| Some(lower.fixed_list(people))),
            _ => {}
        }
    }
    environment
}
