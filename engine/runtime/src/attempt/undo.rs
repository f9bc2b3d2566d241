//! Whether what undoes a step will be able to run, as far as outputs in which a secret was hidden can prevent it.
//!
//! Such an output is no data for an undo either, and one that cannot run is found out when nothing else can help any more.
//! So what an undo reads of earlier steps is looked at before its own step starts, and what it reads of that step as soon
//! as the step has returned it.

use runbook_kernel::{Kind, NodeId, Program, ScopeId, TaskId, Undo};
use runbook_plan::{EvalError, Expression, Invocation, Reference, Resolve, Template, Withheld, Work};
use runbook_step::{FailureKind, Path, Value};

use super::{Unready, is_told};
use crate::facts::index;
use crate::resolve::{Place, View};

/// Whether the undo of a task can read what it reads of earlier steps.
pub(super) fn can_run(view: View<'_>, task: TaskId) -> Result<(), Unready> {
    let before = Before(view.at(task));
    for node in undo_of(&view.plan.program, task.node) {
        let expressions = read_as_data(view, node);
        if let Some(error) = expressions.iter().find_map(|expression| expression.withheld(&before)) {
            let Unready { message, .. } = Unready::of_eval(view.plan, &error);
            return Err(Unready {
                kind: FailureKind::Invalid,
                message: format!("its undo could not run: {message}"),
                hint: error.hint,
            });
        }
    }
    Ok(())
}

/// The places in a task's own outputs that its undo reads; the root, if it reads all of them.
pub(super) fn reads_of_its_own(view: View<'_>, task: TaskId) -> Vec<Path> {
    let mut places = Vec::new();
    for node in undo_of(&view.plan.program, task.node) {
        for expression in read_as_data(view, node) {
            for reference in &expression.refs {
                let Reference::Step { id, node } = reference else { continue };
                let outputs = format!("steps.{id}.outputs");
                let paths = if *node == task.node { expression.paths() } else { Vec::new() };
                let own = paths.iter().filter_map(|path| path.strip_prefix(&outputs));
                places.extend(own.map(|rest| rest.trim_start_matches('.').parse().unwrap_or_default()));
            }
        }
    }
    places
}

/// The nodes that bring a node's effect back.
fn undo_of(program: &Program, node: NodeId) -> Vec<NodeId> {
    let mut found = Vec::new();
    if let Undo::Scope(scope) = program.nodes[index(node)].undo {
        within(program, scope, &mut found);
    }
    found
}

fn within(program: &Program, scope: ScopeId, found: &mut Vec<NodeId>) {
    for node in &program.scopes[scope.0 as usize].nodes {
        found.push(*node);
        match &program.nodes[index(*node)].kind {
            Kind::Group { body, .. } => within(program, *body, found),
            Kind::Switch { cases } => cases.iter().for_each(|case| within(program, *case, found)),
            Kind::Each(each) => within(program, each.body, found),
            Kind::Action | Kind::WaitFor(_) | Kind::WaitUntil(_) | Kind::Human(_) => {}
        }
    }
}

/// The expressions without whose values a node does not run. What it only shows or tells is not among them.
fn read_as_data(view: View<'_>, id: NodeId) -> Vec<&Expression> {
    let node = &view.plan.nodes[index(id)];
    let mut invocations: Vec<&Invocation> = node.verify.iter().chain(&node.verify_not_done).collect();
    let mut templates: Vec<&Template> = Vec::new();
    match &node.work {
        Work::Step(invocation) | Work::WaitUntil(invocation) => invocations.push(invocation),
        Work::Call { inputs } => templates.extend(inputs.iter().map(|(_, template)| template)),
        Work::Switch { on, .. } => templates.push(on),
        Work::Each { items, key, .. } => templates.extend([items].into_iter().chain(key)),
        Work::OwnUndo { .. }
        | Work::WaitFor
        | Work::Group
        | Work::Approval(_)
        | Work::Checklist(_)
        | Work::Prompt(_) => {}
    }
    for invocation in invocations {
        let step = view.registry.get(&invocation.step);
        let told = |name: &str| step.is_some_and(|step| is_told(view, id, step.declaration(), name));
        let read = invocation.params.iter().filter(|(name, _)| !told(name));
        templates.extend(read.map(|(_, template)| template));
    }
    let mut found: Vec<&Expression> = node.when.iter().collect();
    templates
        .iter()
        .for_each(|template| template.for_each_expression(&mut |found_one| found.push(found_one)));
    found
}

/// What an undo will see, as far as it is known before what it undoes has run.
struct Before<'a>(Place<'a>);

impl Resolve for Before<'_> {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        // What is not known yet is not withheld either.
        Ok(self.0.resolve(reference).unwrap_or_default())
    }

    fn withheld(&self, reference: &Reference) -> Vec<Withheld> {
        self.0.withheld(reference)
    }
}
