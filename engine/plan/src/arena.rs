//! All steps of a plan with their place: which scope, which owner, which module. Nothing is resolved yet.
//!
//! The numbers given here are the kernel's and the journal's: the same files give the same numbers.

use std::collections::BTreeMap;

use runbook_kernel::{NodeId, ScopeId, ScopeRole};
use runbook_step::{Registry, UndoKind};
use runbook_syntax::ast::{
    Action, ActionUse, AfterPivotDecl, Environment, OnFailure, RollbackDecl, Runbook, Step, StepKind,
};
use runbook_syntax::{Diagnostic, Span};
use runbook_wire::Role;

use crate::codes;
use crate::library::Library;
use crate::model::ModuleId;
use crate::path::{folder_of, join};
use crate::report::Report;

/// The most nodes of a plan, and the most steps side by side. Beyond, somebody has written a loop of calls.
pub(crate) const MAX_NODES: usize = 40_000;
pub(crate) const MAX_SIBLINGS: usize = 20_000;

/// All steps of a plan.
pub(crate) struct Arena<'a> {
    pub(crate) modules: Vec<ModuleSite<'a>>,
    pub(crate) nodes: Vec<Site<'a>>,
    pub(crate) scopes: Vec<ScopeSite>,
    pub(crate) root: ScopeId,
    pub(crate) finally: Option<ScopeId>,
    pub(crate) failure: FailureScopes,
    pub(crate) revert: Option<ScopeId>,
    /// The group of the environment's `setup`.
    pub(crate) setup: Option<NodeId>,
}

/// What a module is an instance of.
#[derive(Clone, Copy)]
pub(crate) enum Doc<'a> {
    Runbook(&'a Runbook),
    Environment(&'a Environment),
}

/// A module.
pub(crate) struct ModuleSite<'a> {
    pub(crate) path: String,
    pub(crate) doc: Doc<'a>,
    pub(crate) caller: Option<NodeId>,
    pub(crate) ids: BTreeMap<&'a str, NodeId>,
}

impl ModuleSite<'_> {
    pub(crate) fn folder(&self) -> &str {
        folder_of(&self.path)
    }
}

/// A node's place.
pub(crate) struct Site<'a> {
    pub(crate) module: ModuleId,
    pub(crate) scope: ScopeId,
    /// Its number among the nodes of its scope.
    pub(crate) index: usize,
    pub(crate) what: What<'a>,
    /// The last segment of its path.
    pub(crate) segment: String,
    pub(crate) role: Role,
    pub(crate) body: Body,
    /// How it is undone, where that is a scope.
    pub(crate) undo: Option<ScopeId>,
    /// The `for_each` whose item it is.
    pub(crate) item_of: Option<NodeId>,
    /// Whether it runs forward: not in an undo, a `finally` or another list that is never undone itself.
    pub(crate) forward: bool,
}

/// What stands there in the file.
#[derive(Clone, Copy)]
pub(crate) enum What<'a> {
    Step(&'a Step),
    /// A probe of `require`.
    Probe(&'a ActionUse),
    /// The step type's own undo of a node.
    OwnUndo(NodeId, Span),
    /// The environment's `setup`, a group.
    Setup(Span),
}

/// The scopes that a node has below it.
pub(crate) enum Body {
    Leaf,
    Group {
        body: ScopeId,
        finally: Option<ScopeId>,
        failure: FailureScopes,
    },
    Switch {
        cases: Vec<ScopeId>,
    },
    /// `module` is `None` where the called file is broken.
    Call {
        module: Option<ModuleId>,
        body: ScopeId,
        finally: Option<ScopeId>,
        failure: FailureScopes,
    },
    Each {
        body: ScopeId,
        inner: NodeId,
        between: Option<ScopeId>,
    },
}

/// The scopes of an `on_failure`.
#[derive(Clone, Copy, Default)]
pub(crate) struct FailureScopes {
    pub(crate) first: Option<ScopeId>,
    pub(crate) after_pivot: Option<ScopeId>,
}

/// A scope.
pub(crate) struct ScopeSite {
    pub(crate) owner: Option<NodeId>,
    pub(crate) role: ScopeRole,
    pub(crate) nodes: Vec<NodeId>,
    /// Without `needs`, nothing is needed.
    pub(crate) parallel: bool,
    /// So many nodes at the front come before all others, whatever these say (`require`, `setup`).
    pub(crate) first: usize,
}

impl<'a> Arena<'a> {
    pub(crate) fn node(&self, id: NodeId) -> &Site<'a> {
        &self.nodes[id.0 as usize]
    }

    pub(crate) fn scope(&self, id: ScopeId) -> &ScopeSite {
        &self.scopes[id.0 as usize]
    }

    pub(crate) fn module(&self, id: ModuleId) -> &ModuleSite<'a> {
        &self.modules[id.0 as usize]
    }

    /// The node that the scope of this one belongs to.
    pub(crate) fn owner(&self, id: NodeId) -> Option<NodeId> {
        self.scope(self.node(id).scope).owner
    }

    /// The role of the first scope outward from a node whose role is such a one.
    pub(crate) fn list_around(&self, id: NodeId, wanted: impl Fn(ScopeRole) -> bool) -> Option<ScopeRole> {
        let outward = std::iter::successors(Some(id), |node| self.owner(*node));
        outward.map(|node| self.scope(self.node(node).scope).role).find(|role| wanted(*role))
    }

    /// Where a node stands in its file.
    pub(crate) fn span(&self, id: NodeId) -> Span {
        match self.node(id).what {
            What::Step(step) => step.id.as_ref().map_or(step.span, |id| id.span),
            What::Probe(check) => check.span,
            What::OwnUndo(_, span) | What::Setup(span) => span,
        }
    }

    /// How messages call a node: its id, or its place.
    pub(crate) fn label(&self, id: NodeId) -> &str {
        match &self.node(id).item_of {
            Some(each) => &self.node(*each).segment,
            None => &self.node(id).segment,
        }
    }
}

/// Places everything that the library holds.
pub(crate) fn collect<'a>(
    library: &'a Library,
    root: &str,
    environment: Option<&str>,
    registry: &Registry,
    report: &Report,
) -> Option<Arena<'a>> {
    let runbook = library.runbook(root)?;
    let mut collector = Collector {
        library,
        registry,
        report,
        arena: Arena {
            modules: Vec::new(),
            nodes: Vec::new(),
            scopes: Vec::new(),
            root: ScopeId(0),
            finally: None,
            failure: FailureScopes::default(),
            revert: None,
            setup: None,
        },
        full: false,
    };
    collector.run(root, runbook, environment);
    Some(collector.arena)
}

struct Collector<'a, 'r> {
    library: &'a Library,
    registry: &'r Registry,
    report: &'r Report,
    arena: Arena<'a>,
    full: bool,
}

/// Where a list of steps stands.
#[derive(Clone, Copy)]
struct Seat<'s> {
    module: ModuleId,
    owner: Option<NodeId>,
    scope: ScopeRole,
    role: Role,
    /// What a step without an id is called: `steps` gives `steps[2]`.
    list: &'s str,
    /// Whether its steps run forward and can be undone.
    forward: bool,
}

impl<'s> Seat<'s> {
    /// A list beside the body that is never undone itself.
    fn aside(self, scope: ScopeRole, role: Role, list: &'s str) -> Seat<'s> {
        Seat { scope, role, list, forward: false, ..self }
    }
}

impl<'a> Collector<'a, '_> {
    fn run(&mut self, root: &str, runbook: &'a Runbook, environment: Option<&str>) {
        let module = self.module(root.to_owned(), Doc::Runbook(runbook), None);
        let body = Seat {
            module,
            owner: None,
            scope: ScopeRole::Body,
            role: Role::Body,
            list: "steps",
            forward: true,
        };
        self.arena.root = self.scope(body, false);
        if let (Some(path), Some(environment)) = (environment, self.library.environment.as_deref()) {
            let of_environment = self.module(path.to_owned(), Doc::Environment(environment), None);
            if !environment.setup.is_empty() {
                self.setup(of_environment, environment);
            }
        }
        self.steps_into(self.arena.root, body, &runbook.steps);
        let finally = body.aside(ScopeRole::Finally, Role::Finally, "finally");
        self.arena.finally = self.some_steps(finally, &runbook.finally);
        self.arena.failure = self.failure(body, runbook.on_failure.as_ref());
        if let Some(revert) = &runbook.revert {
            let seat = body.aside(ScopeRole::Revert, Role::Revert, "revert");
            self.arena.revert = self.some_steps(seat, revert);
        }
    }

    fn setup(&mut self, module: ModuleId, environment: &'a Environment) {
        let span = environment.setup[0].span;
        let seat = Seat {
            module,
            owner: None,
            scope: ScopeRole::Body,
            role: Role::Body,
            list: "setup",
            forward: true,
        };
        let Some(group) = self.node(self.arena.root, seat, What::Setup(span), "setup".into()) else { return };
        let body = self.steps(Seat { owner: Some(group), ..seat }, &environment.setup, false);
        self.site(group).body = Body::Group { body, finally: None, failure: FailureScopes::default() };
        self.arena.scopes[self.arena.root.0 as usize].first = 1;
        self.arena.setup = Some(group);
    }

    fn module(&mut self, path: String, doc: Doc<'a>, caller: Option<NodeId>) -> ModuleId {
        self.arena.modules.push(ModuleSite { path, doc, caller, ids: BTreeMap::new() });
        ModuleId(self.arena.modules.len() as u32 - 1)
    }

    fn site(&mut self, id: NodeId) -> &mut Site<'a> {
        &mut self.arena.nodes[id.0 as usize]
    }

    fn scope(&mut self, seat: Seat<'_>, parallel: bool) -> ScopeId {
        let Seat { owner, scope: role, .. } = seat;
        self.arena.scopes.push(ScopeSite { owner, role, nodes: Vec::new(), parallel, first: 0 });
        ScopeId(self.arena.scopes.len() as u32 - 1)
    }

    /// `None`: the plan is full, which has been said.
    fn node(&mut self, scope: ScopeId, seat: Seat<'_>, what: What<'a>, segment: String) -> Option<NodeId> {
        let index = self.arena.scope(scope).nodes.len();
        if self.full || self.arena.nodes.len() >= MAX_NODES || index >= MAX_SIBLINGS {
            if !std::mem::replace(&mut self.full, true) {
                let span = match what {
                    What::Step(step) => step.span,
                    What::Probe(check) => check.span,
                    What::OwnUndo(_, span) | What::Setup(span) => span,
                };
                let message = match index >= MAX_SIBLINGS {
                    true => format!("there are more than {MAX_SIBLINGS} steps side by side"),
                    false => {
                        format!("the plan has more than {MAX_NODES} steps, those of called runbooks included")
                    }
                };
                let hint = "A `for_each` takes any number of items.";
                self.report.push(Diagnostic::error(codes::TOO_MANY_STEPS, span, message).hint(hint));
            }
            return None;
        }
        let id = NodeId(self.arena.nodes.len() as u32);
        self.arena.scopes[scope.0 as usize].nodes.push(id);
        let Seat { module, role, forward, .. } = seat;
        let (body, undo, item_of) = (Body::Leaf, None, None);
        self.arena.nodes.push(Site {
            module,
            scope,
            index,
            what,
            segment,
            role,
            body,
            undo,
            item_of,
            forward,
        });
        Some(id)
    }

    fn some_steps(&mut self, seat: Seat<'_>, steps: &'a [Step]) -> Option<ScopeId> {
        (!steps.is_empty()).then(|| self.steps(seat, steps, false))
    }

    fn steps(&mut self, seat: Seat<'_>, steps: &'a [Step], parallel: bool) -> ScopeId {
        let scope = self.scope(seat, parallel);
        self.steps_into(scope, seat, steps);
        scope
    }

    fn steps_into(&mut self, scope: ScopeId, seat: Seat<'_>, steps: &'a [Step]) {
        for (place, step) in steps.iter().enumerate() {
            let segment = match &step.id {
                Some(id) => id.value.clone(),
                None if seat.list == "undo" && steps.len() == 1 => "undo".into(),
                None => format!("{}[{place}]", seat.list),
            };
            let Some(id) = self.node(scope, seat, What::Step(step), segment) else { return };
            if let Some(name) = &step.id {
                self.arena.modules[seat.module.0 as usize].ids.entry(&name.value).or_insert(id);
            }
            match &step.for_each {
                Some(each) => {
                    let seat =
                        Seat { owner: Some(id), scope: ScopeRole::Body, role: Role::Body, list: "", ..seat };
                    let body = self.scope(seat, false);
                    let Some(inner) = self.node(body, seat, What::Step(step), String::new()) else { return };
                    self.site(inner).item_of = Some(id);
                    self.inside(inner, seat, step);
                    let between = seat.aside(ScopeRole::Between, Role::Between, "between");
                    let between = self.some_steps(between, &each.between);
                    self.site(id).body = Body::Each { body, inner, between };
                }
                None => self.inside(id, seat, step),
            }
        }
    }

    /// What stands inside a step, and how it is undone.
    fn inside(&mut self, id: NodeId, seat: Seat<'_>, step: &'a Step) {
        let inner = Seat { owner: Some(id), scope: ScopeRole::Body, role: Role::Body, list: "steps", ..seat };
        match &step.kind {
            StepKind::Group(steps) => {
                let parallel = step.parallel.as_ref().is_some_and(|parallel| parallel.value);
                let body = self.steps(inner, steps, parallel);
                let finally = inner.aside(ScopeRole::Finally, Role::Finally, "finally");
                let finally = self.some_steps(finally, &step.finally);
                let failure = self.failure(inner, step.on_failure.as_deref());
                self.site(id).body = Body::Group { body, finally, failure };
            }
            StepKind::Switch { cases, .. } => {
                let cases = cases
                    .iter()
                    .map(|case| self.steps(Seat { list: &case.label.value, ..inner }, &case.steps, false))
                    .collect();
                self.site(id).body = Body::Switch { cases };
            }
            StepKind::Call { path, .. } => self.call(id, inner, &path.value, step),
            _ => {}
        }
        self.undo(id, inner, step);
    }

    fn call(&mut self, id: NodeId, seat: Seat<'_>, path: &str, step: &'a Step) {
        let target = join(self.arena.module(seat.module).folder(), path);
        let found = target.and_then(|target| Some((self.library.runbook(&target)?, target)));
        // A cycle has been reported; following it would not end.
        let found = found.filter(|(_, target)| !self.is_calling(seat.owner, target));
        let Some((runbook, target)) = found else {
            let body = self.scope(seat, false);
            let failure = self.failure(seat, step.on_failure.as_deref());
            self.site(id).body = Body::Call { module: None, body, finally: None, failure };
            return;
        };
        let module = self.module(target, Doc::Runbook(runbook), Some(id));
        let called = Seat { module, ..seat };
        let body = self.steps(called, &runbook.steps, false);
        let finally = called.aside(ScopeRole::Finally, Role::Finally, "finally");
        let finally = self.some_steps(finally, &runbook.finally);
        // What the call says goes before what the called runbook says for itself.
        let failure = match &step.on_failure {
            Some(policy) => self.failure(seat, Some(policy)),
            None => self.failure(called, runbook.on_failure.as_ref()),
        };
        self.site(id).body = Body::Call { module: Some(module), body, finally, failure };
    }

    fn is_calling(&self, node: Option<NodeId>, path: &str) -> bool {
        let mut module = node.map(|node| self.arena.node(node).module);
        while let Some(id) = module {
            let site = self.arena.module(id);
            if site.path == path {
                return true;
            }
            module = site.caller.map(|caller| self.arena.node(caller).module);
        }
        false
    }

    fn failure(&mut self, seat: Seat<'_>, policy: Option<&'a OnFailure>) -> FailureScopes {
        let Some(policy) = policy else { return FailureScopes::default() };
        let first = seat.aside(ScopeRole::First, Role::First, "first");
        let first = self.some_steps(first, &policy.first);
        let after_pivot = match &policy.after_pivot {
            Some(AfterPivotDecl::Steps(steps)) => {
                let seat = seat.aside(ScopeRole::AfterPivot, Role::AfterPivot, "after_pivot");
                self.some_steps(seat, steps)
            }
            _ => None,
        };
        FailureScopes { first, after_pivot }
    }

    fn undo(&mut self, id: NodeId, seat: Seat<'_>, step: &'a Step) {
        let seat = seat.aside(ScopeRole::Undo, Role::Undo, "undo");
        let scope = match step.rollback.as_deref() {
            Some(RollbackDecl::Steps { require, steps, .. }) => {
                let scope = self.scope(seat, false);
                for (place, check) in require.iter().enumerate() {
                    let seat = Seat { role: Role::Require, ..seat };
                    self.node(scope, seat, What::Probe(check), format!("require[{place}]"));
                }
                self.arena.scopes[scope.0 as usize].first = require.len();
                self.steps_into(scope, seat, steps);
                scope
            }
            Some(RollbackDecl::None(_)) => return,
            None if step.irreversible.is_some() || !self.undoes_itself(step) => return,
            None if !self.arena.node(id).forward => return,
            None => {
                let scope = self.scope(seat, false);
                self.node(scope, seat, What::OwnUndo(id, step.span), "undo".into());
                scope
            }
        };
        self.site(id).undo = Some(scope);
    }

    /// Whether the step is of a type that writes and has an undo of its own.
    fn undoes_itself(&self, step: &Step) -> bool {
        let StepKind::Action(action) = &step.kind else { return false };
        let Some(found) = self.registry.get(step_type(action)) else { return false };
        let declaration = found.declaration();
        crate::effects::of(declaration, step.effect.as_ref().map(|effect| effect.value.as_str()))
            == runbook_kernel::Effect::Write
            && matches!(declaration.undo, UndoKind::Own { .. })
    }
}

/// The name of the step type behind an action.
pub(crate) fn step_type(action: &Action) -> &str {
    match action {
        Action::Run { .. } => "run",
        Action::Argv(_) => "argv",
        Action::Uses { step, .. } => &step.value,
    }
}
