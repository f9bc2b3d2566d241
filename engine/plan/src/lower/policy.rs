//! How often, how long, and under which checks a step runs.

use runbook_kernel::{Guard, Ms, NodeId, Retry, RetryOnly};
use runbook_syntax::ast::{AfterPivotDecl, Retry as RetryDecl, Step, StepKind};
use runbook_syntax::{Diagnostic, Spanned};

use super::Draft;
use crate::arena::{Doc, What};
use crate::codes;
use crate::model::{Invocation, ModuleId};
use crate::planner::Planner;
use crate::scope::{At, Place};

/// Where a file says nothing.
const RETRY_ATTEMPTS: u32 = 3;
const RETRY_DELAY: Ms = 1_000;
const RETRY_MAX_DELAY: Ms = 3_600_000;
const GUARD_EVERY: Ms = 10_000;

impl Planner<'_> {
    /// What every kind of step may say.
    pub(super) fn common(&self, id: NodeId, step: &Step, place: Place, draft: &mut Draft) {
        let start = Place { at: At::Start, ..place };
        match &step.retry {
            Some(retry) => draft.kernel.retry = self.retry(retry, start),
            None if matches!(step.kind, StepKind::Action(_)) => {
                if let Some((retry, place)) = self.default_retry(place) {
                    draft.kernel.retry = self.retry(retry, place);
                }
            }
            None => {}
        }
        if let Some(deadline) = &step.deadline {
            draft.kernel.deadline = self.period(deadline, start, "`deadline`");
        }
        for guard in &step.guard {
            let every = guard.every.as_ref().and_then(|every| self.period(every, start, "`every`"));
            let failures =
                guard.failures.as_ref().and_then(|failures| self.count(failures, start, "`failures`", 1));
            draft
                .kernel
                .guards
                .push(Guard { every: every.unwrap_or(GUARD_EVERY), failures: failures.unwrap_or(1) });
            draft.plan.guards.extend(self.check(&guard.check, place, Some(id), "guard"));
        }
    }

    pub(crate) fn retry(&self, decl: &RetryDecl, place: Place) -> Retry {
        let mut retry = Retry {
            max_attempts: RETRY_ATTEMPTS,
            delay: RETRY_DELAY,
            backoff_milli: 1_000,
            max_delay: RETRY_MAX_DELAY,
            jitter_milli: 0,
            only: decl.only.iter().filter_map(|only| self.retry_only(only)).collect(),
        };
        let duration =
            |data: &Option<_>, what| data.as_ref().and_then(|data| self.duration(data, place, what));
        if let Some(count) =
            decl.max_attempts.as_ref().and_then(|data| self.count(data, place, "`max_attempts`", 1))
        {
            retry.max_attempts = count;
        }
        if let Some(delay) = duration(&decl.delay, "`delay`") {
            retry.delay = delay;
        }
        if let Some(max_delay) = duration(&decl.max_delay, "`max_delay`") {
            retry.max_delay = max_delay;
        }
        if let Some(backoff) =
            decl.backoff.as_ref().and_then(|data| self.thousandths(data, place, "`backoff`", 1.0))
        {
            retry.backoff_milli = backoff;
        }
        if let Some(jitter) =
            decl.jitter.as_ref().and_then(|data| self.thousandths(data, place, "`jitter`", 0.0))
        {
            retry.jitter_milli = jitter;
        }
        retry
    }

    fn retry_only(&self, only: &Spanned<String>) -> Option<RetryOnly> {
        let (kind, number) = match only.value.split_once(':') {
            Some((kind, number)) => (kind, Some(number)),
            None => (only.value.as_str(), None),
        };
        let found = match (kind, number) {
            ("timeout", None) => Some(RetryOnly::Timeout),
            ("connect", None) => Some(RetryOnly::Connect),
            ("lost", None) => Some(RetryOnly::Lost),
            ("check", None) => Some(RetryOnly::Check),
            ("inconclusive", None) => Some(RetryOnly::Inconclusive),
            ("error", None) => Some(RetryOnly::Error),
            ("exit", None) => Some(RetryOnly::Exit(None)),
            ("exit", Some(number)) => between(number, 1..=255).map(|number| RetryOnly::Exit(Some(number))),
            ("signal", None) => Some(RetryOnly::Signal(None)),
            ("signal", Some(number)) => between(number, 1..=64).map(|number| RetryOnly::Signal(Some(number))),
            ("http", None) => Some(RetryOnly::Http(None)),
            ("http", Some(class)) if class.ends_with("xx") => class
                .trim_end_matches("xx")
                .parse()
                .ok()
                .filter(|class| (1..=5).contains(class))
                .map(RetryOnly::HttpClass),
            ("http", Some(number)) => between(number, 100..=599).map(|number| RetryOnly::Http(Some(number))),
            _ => None,
        };
        if found.is_none() {
            let message = format!("`{}` is not a kind of failure", only.value);
            let hint = "There are `timeout`, `exit:75`, `signal:9`, `connect`, `lost`, `http:503`, `http:5xx`, \
                        `check`, `inconclusive` and `error`.";
            self.report.push(Diagnostic::error(codes::RETRY_PATTERN, only.span, message).hint(hint));
        }
        found
    }

    /// `defaults.retry`, and where its expressions are evaluated.
    pub(crate) fn default_retry(&self, place: Place) -> Option<(&RetryDecl, Place)> {
        let start = |module| Place { module, at: At::Start };
        self.defaults(place.module)
            .find_map(|(module, defaults)| Some((defaults.retry.as_ref()?, start(module))))
    }

    /// `defaults.timeout`: of scripts, programs, step types and undos.
    pub(crate) fn default_timeout(&self, place: Place) -> Option<Ms> {
        let start = |module: ModuleId| Place { module, at: At::Start };
        let (module, timeout) = self
            .defaults(place.module)
            .find_map(|(module, defaults)| Some((module, defaults.timeout.as_ref()?)))?;
        self.period(timeout, start(module), "`timeout`")
    }

    /// The `assert_target` that bind a write: its own, its groups', its runbooks' and the environment's, outermost
    /// first. Those of runbook and environment do not bind the environment's `setup`, which makes the target.
    pub(crate) fn asserts(&self, id: NodeId) -> Vec<Invocation> {
        let arena = self.graph.arena;
        let mut found: Vec<Vec<Invocation>> = Vec::new();
        let mut at = Some(id);
        let mut module = arena.node(id).module;
        let setup = self.graph.is_setup(id);
        while let Some(node) = at {
            let site = arena.node(node);
            if let (What::Step(step), None) = (site.what, site.item_of) {
                let place = self.place(node);
                let own = step
                    .assert_target
                    .iter()
                    .filter_map(|check| self.check(check, place, Some(node), "assert_target"));
                found.push(own.collect());
            }
            at = arena.owner(node);
            let outer = at.map(|owner| arena.node(owner).module);
            if outer != Some(module) && !setup {
                found.push(self.module_asserts(module));
                module = outer.unwrap_or(module);
            }
        }
        if !setup && self.setting.doc.is_some() {
            found.push(self.module_asserts(ModuleId::ENVIRONMENT));
        }
        found.into_iter().rev().flatten().collect()
    }

    /// What the heads of files say of all steps: every check is looked at, whether or not it binds anything, and what
    /// comes to nothing is a key without effect. An environment's checks go with every runbook, one that only reads
    /// too.
    pub(crate) fn check_heads(&self, drafts: &[Draft]) {
        let modules = &self.graph.arena.modules;
        for number in 0..modules.len() {
            self.module_asserts(ModuleId(number as u32));
        }
        // A step that could not be planned may be what they are for.
        if self.report.errors() > 0 {
            return;
        }
        let runbooks = modules.iter().filter_map(|site| match site.doc {
            Doc::Runbook(runbook) => Some(runbook),
            Doc::Environment(_) => None,
        });
        for check in runbooks.clone().filter_map(|runbook| runbook.assert_target.first()) {
            let binds = |draft: &Draft| draft.plan.asserts.iter().any(|bound| bound.span == check.span);
            if !drafts.iter().any(binds) {
                self.useless("assert_target", check.span, "it binds what writes, and no step here does");
            }
        }
        let after_pivot =
            runbooks.take(1).filter_map(|runbook| runbook.on_failure.as_ref()?.after_pivot.as_ref()).next();
        let span = match after_pivot {
            Some(AfterPivotDecl::Policy(policy)) => Some(policy.span),
            Some(AfterPivotDecl::Steps(steps)) => steps.first().map(|step| step.span),
            None => None,
        };
        if let Some(span) = span.filter(|_| !drafts.iter().any(|draft| draft.kernel.pivot)) {
            self.useless("after_pivot", span, "no step here is a `pivot`, a point of no return");
        }
    }

    fn module_asserts(&self, module: ModuleId) -> Vec<Invocation> {
        let checks = match self.graph.arena.module(module).doc {
            Doc::Runbook(runbook) => &runbook.assert_target,
            Doc::Environment(environment) => &environment.assert_target,
        };
        let place = Place { module, at: At::Start };
        checks.iter().filter_map(|check| self.check(check, place, None, "assert_target")).collect()
    }
}

/// A number, if it is one that there can be.
fn between<T: std::str::FromStr + PartialOrd>(text: &str, range: std::ops::RangeInclusive<T>) -> Option<T> {
    text.parse().ok().filter(|number| range.contains(number))
}
