//! Steps to nodes: the kernel's half and the runtime's half of each.

mod action;
mod group;
mod people;
mod policy;
mod repetition;
mod wait;

use runbook_kernel::{Effect, InDoubt, Kind, Node, NodeId, OnWarning, Retry, ScopeRole, Undo as KernelUndo};
use runbook_step::Value;
use runbook_syntax::ast::{ActionUse, Data, Expr, Segment, Step, StepKind};
use runbook_syntax::{Span, Spanned};

use crate::arena::{Body, What};
pub(crate) use action::effect_name;

use crate::model::{PlanNode, Template, Work};
use crate::planner::Planner;
use crate::scope::{At, Place};

/// A node, both halves.
pub(crate) struct Draft {
    pub(crate) kernel: Node,
    pub(crate) plan: PlanNode,
}

impl Planner<'_> {
    /// All nodes, in their order. Where something is wrong, which has been reported, a node is a stand-in.
    pub(crate) fn lower(&self) -> Vec<Draft> {
        (0..self.graph.arena.nodes.len()).map(|number| self.node(NodeId(number as u32))).collect()
    }

    fn node(&self, id: NodeId) -> Draft {
        let site = self.graph.arena.node(id);
        let mut draft = self.blank(id);
        match site.what {
            What::Setup(_) => self.setup(id, &mut draft),
            What::Probe(check) => self.require(id, check, &mut draft),
            What::OwnUndo(of, span) => self.own_undo(of, span, &mut draft),
            What::Step(step) => self.step_node(id, step, &mut draft),
        }
        draft
    }

    /// A node that does nothing, at its place.
    fn blank(&self, id: NodeId) -> Draft {
        let site = self.graph.arena.node(id);
        let scope = self.graph.arena.scope(site.scope);
        let order = &self.graph.orders[site.scope.0 as usize];
        let needs = order.needs[site.index].iter().map(|place| scope.nodes[*place]).collect();
        let kernel = Node {
            scope: site.scope,
            kind: Kind::Action,
            needs,
            effect: Effect::Pure,
            retry: Retry {
                max_attempts: 1,
                delay: 0,
                backoff_milli: 1000,
                max_delay: 0,
                jitter_milli: 0,
                only: Vec::new(),
            },
            deadline: None,
            timeout: None,
            verify: None,
            on_in_doubt: InDoubt::Retry,
            on_warning: OnWarning::Continue,
            on_inconclusive: OnWarning::Fail,
            required: true,
            continue_on_error: false,
            pivot: false,
            undo: KernelUndo::Nothing,
            guards: Vec::new(),
            gates: Vec::new(),
            closes: false,
        };
        let plan = PlanNode {
            module: site.module,
            id: None,
            span: self.graph.arena.span(id),
            name: None,
            when: None,
            work: Work::Group,
            timeout: None,
            asserts: Vec::new(),
            verify: None,
            verify_not_done: None,
            guards: Vec::new(),
            outputs: Vec::new(),
        };
        Draft { kernel, plan }
    }

    fn setup(&self, id: NodeId, draft: &mut Draft) {
        if let Body::Group { body, .. } = self.graph.arena.node(id).body {
            draft.kernel.kind = Kind::Group { body, on_failure: None, finally: None };
        }
        draft.plan.id = Some("setup".into());
        draft.plan.name = Some(Template::Const(Value::Str("set up the environment".into())));
    }

    fn require(&self, id: NodeId, check: &ActionUse, draft: &mut Draft) {
        draft.kernel.effect = Effect::Read;
        let place = self.place(id);
        if let Some(invocation) = self.check(check, place, Some(id), "require") {
            draft.plan.work = Work::Step(invocation);
        }
        draft.plan.timeout = self.default_timeout(place);
    }

    fn own_undo(&self, of: NodeId, span: Span, draft: &mut Draft) {
        draft.kernel.effect = Effect::Write;
        // An undo tolerates what is undone already, so a doubt about it is settled by doing it again.
        draft.kernel.on_in_doubt = InDoubt::Retry;
        draft.plan.span = span;
        draft.plan.work = Work::OwnUndo { of };
        let place = self.place(of);
        draft.plan.timeout = self.default_timeout(place);
        if let Some((retry, place)) = self.default_retry(place) {
            draft.kernel.retry = self.retry(retry, place);
        }
        draft.plan.asserts = self.asserts(of);
    }

    pub(crate) fn place(&self, id: NodeId) -> Place {
        Place { module: self.graph.arena.node(id).module, at: At::Node(id) }
    }

    fn step_node(&self, id: NodeId, step: &Step, draft: &mut Draft) {
        let site = self.graph.arena.node(id);
        let place = self.place(id);
        let outer = site.item_of.is_none();
        let is_each = matches!(site.body, Body::Each { .. });
        let items: Vec<String> = self.items_of(step);
        let always = self.always(id);
        if outer {
            draft.plan.id = step.id.as_ref().map(|id| id.value.clone());
        }
        // Of the two nodes of a `for_each`, what speaks of the item is the item's, the rest is the whole's.
        let mine = |speaks: bool| if is_each { !speaks } else { outer || speaks };
        if let Some(when) = step.when.as_ref().filter(|when| mine(mentions(when, &items))) {
            draft.plan.when = self.condition(when, place, outer && self.always_around(id));
        }
        if let Some(name) = step.name.as_ref().filter(|name| mine(data_mentions(name, &items))) {
            draft.plan.name = self.text_template(name, place);
        }
        if outer {
            draft.kernel.continue_on_error = step.continue_on_error.as_ref().is_some_and(|yes| yes.value);
        }
        if outer && matches!(step.kind, StepKind::Approval(_) | StepKind::Checklist(_)) {
            self.check_gate(step);
        }
        if is_each {
            self.each(id, step, draft);
            return;
        }
        self.common(id, step, place, draft);
        match &step.kind {
            StepKind::Action(action) => self.action_node(id, step, action, always, draft),
            StepKind::Wait(wait) => self.wait_node(id, step, wait, draft),
            StepKind::Approval(approval) => self.approval(id, approval, draft),
            StepKind::Checklist(checklist) => self.checklist(id, checklist, draft),
            StepKind::Prompt(prompt) => self.prompt(id, prompt, draft),
            StepKind::Group(_) | StepKind::Switch { .. } | StepKind::Call { .. } => {
                self.group_node(id, step, draft)
            }
            StepKind::Broken => {}
        }
    }

    /// The names of the items of a step's own `for_each`.
    pub(crate) fn items_of(&self, step: &Step) -> Vec<String> {
        let Some(each) = &step.for_each else { return Vec::new() };
        let name = each.name.as_ref().map_or("item", |name| name.value.as_str());
        vec![name.to_owned(), format!("{name}_key")]
    }

    /// Whether a node runs in every run that gets that far: nothing skips it.
    pub(crate) fn always(&self, id: NodeId) -> bool {
        let own = match self.graph.arena.node(id).what {
            What::Step(step) => step.when.is_none(),
            _ => true,
        };
        own && self.always_around(id)
    }

    fn always_around(&self, id: NodeId) -> bool {
        let arena = self.graph.arena;
        let mut at = id;
        loop {
            let site = arena.node(at);
            let scope = arena.scope(site.scope);
            if scope.role != ScopeRole::Body || site.item_of.is_some() {
                return false;
            }
            let Some(owner) = scope.owner else { return true };
            let skippable = matches!(arena.node(owner).what, What::Step(step) if step.when.is_some());
            if skippable || matches!(arena.node(owner).body, Body::Switch { .. }) {
                return false;
            }
            at = owner;
        }
    }
}

/// Whether an expression reads one of these names.
pub(crate) fn mentions(expr: &Expr, names: &[String]) -> bool {
    expr.reads.iter().any(|read| read.path.first().is_some_and(|root| names.contains(root)))
}

fn data_mentions(data: &Spanned<Data>, names: &[String]) -> bool {
    match &data.value {
        Data::Text(text) => text.segments.iter().any(|segment| match segment {
            Segment::Expr(expr) => mentions(expr, names),
            Segment::Literal(_) => false,
        }),
        Data::List(items) => items.iter().any(|item| data_mentions(item, names)),
        Data::Map(entries) => entries.iter().any(|(_, item)| data_mentions(item, names)),
        _ => false,
    }
}
