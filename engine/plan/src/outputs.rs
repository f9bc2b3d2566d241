//! What a step gives to others, by name and type.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use runbook_kernel::{Effect, NodeId};
use runbook_step::Type;
use runbook_syntax::ast::{Action, Data, Expr, Step, StepKind};

use crate::arena::{Body, Doc, What, step_type};
use crate::effects;
use crate::lower::mentions;
use crate::planner::Planner;

/// The outputs of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outputs {
    pub(crate) named: Vec<(String, Type)>,
    /// Where each stands in `named`.
    places: HashMap<String, usize>,
    /// Something is broken, so that there may be others.
    pub(crate) open: bool,
}

impl Outputs {
    fn open() -> Outputs {
        Outputs { open: true, ..Outputs::default() }
    }

    fn add(&mut self, name: &str, ty: Type) {
        if let Entry::Vacant(place) = self.places.entry(name.to_owned()) {
            place.insert(self.named.len());
            self.named.push((name.to_owned(), ty));
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Type> {
        self.places.get(name).map(|place| &self.named[*place].1)
    }
}

impl Planner<'_> {
    /// The outputs of a node. Of a `for_each`: those of an item.
    pub(crate) fn outputs_of(&self, node: NodeId) -> Rc<Outputs> {
        if let Some(known) = self.outputs.borrow().get(&node) {
            return known.clone();
        }
        let outputs = Rc::new(self.look_up_outputs(node));
        self.outputs.borrow_mut().insert(node, outputs.clone());
        outputs
    }

    fn look_up_outputs(&self, node: NodeId) -> Outputs {
        let site = self.graph.arena.node(node);
        let What::Step(step) = site.what else { return Outputs::default() };
        let mut outputs = Outputs::default();
        match &step.kind {
            StepKind::Action(action) => return self.outputs_of_action(step, action),
            StepKind::Group(_) => {}
            StepKind::Prompt(prompt) => {
                let ty = prompt.value.ty.as_ref().map_or_else(Type::string, |ty| self.types.declared(ty));
                outputs.add("answer", ty);
            }
            StepKind::Switch { cases, .. } => {
                // Those that all cases give.
                if let Some((first, others)) = cases.split_first() {
                    for (name, _) in &first.outputs {
                        let everywhere = others
                            .iter()
                            .all(|case| case.outputs.iter().any(|(other, _)| other.value == name.value));
                        if everywhere {
                            outputs.add(&name.value, Type::Any);
                        }
                    }
                }
            }
            StepKind::Call { .. } => match self.called(node) {
                Some(Doc::Runbook(runbook)) => {
                    runbook.outputs.iter().for_each(|(name, _)| outputs.add(&name.value, Type::Any));
                }
                _ => return Outputs::open(),
            },
            StepKind::Broken => return Outputs::open(),
            StepKind::Wait(_) | StepKind::Approval(_) | StepKind::Checklist(_) => {}
        }
        step.outputs.iter().for_each(|(name, _)| outputs.add(&name.value, Type::Any));
        outputs
    }

    fn outputs_of_action(&self, step: &Step, action: &Action) -> Outputs {
        let Some(found) = self.registry.get(step_type(action)) else { return Outputs::open() };
        let declaration = found.declaration();
        let mut outputs = Outputs::default();
        for (name, decl) in &step.output_types {
            outputs.add(&name.value, self.types.declared(decl));
        }
        for output in &declaration.outputs {
            outputs.add(output.name, output.ty.clone());
        }
        let with = match action {
            Action::Uses { with, .. } => &with[..],
            _ => &[],
        };
        if declaration.outputs_from_all {
            for (name, data) in with {
                outputs.add(&name.value, constant_type(&data.value));
            }
        }
        if let Some(from) = declaration.outputs_from {
            match with.iter().find(|(name, _)| name.value == from).map(|(_, data)| &data.value) {
                Some(Data::Map(entries)) => {
                    entries.iter().for_each(|(name, _)| outputs.add(&name.value, Type::Any))
                }
                Some(_) => outputs.open = true,
                None => {}
            }
        }
        outputs
    }

    /// The runbook that a `call` brought in.
    pub(crate) fn called(&self, node: NodeId) -> Option<Doc<'_>> {
        let arena = self.graph.arena;
        let mut site = arena.node(node);
        if let Body::Each { inner, .. } = site.body {
            site = arena.node(inner);
        }
        match site.body {
            Body::Call { module: Some(module), .. } => Some(arena.module(module).doc),
            _ => None,
        }
    }

    /// Why a step that is over may have no outputs all the same.
    pub(crate) fn may_be_absent(&self, node: NodeId) -> Option<&'static str> {
        let What::Step(step) = self.graph.arena.node(node).what else { return None };
        // Of a `for_each`, a `when` that speaks of the item skips items, and the list of them is there.
        let is_each = matches!(self.graph.arena.node(node).body, Body::Each { .. });
        let of_item = |when: &Expr| is_each && mentions(when, &self.items_of(step));
        if step.when.as_ref().is_some_and(|when| !of_item(when)) {
            return Some("it is skipped when its `when` does not hold");
        }
        if step.on_inconclusive.as_ref().is_some_and(|policy| policy.value != "fail") {
            return Some("it may go on without an answer, since it has `on_inconclusive`");
        }
        if step.continue_on_error.as_ref().is_some_and(|yes| yes.value) {
            return Some("it may fail, since it has `continue_on_error`");
        }
        let StepKind::Action(action) = &step.kind else { return None };
        let required = step.required.as_ref().is_some_and(|required| required.value);
        let declaration = self.registry.get(step_type(action))?.declaration();
        let effect = effects::of(declaration, step.effect.as_ref().map(|effect| effect.value.as_str()));
        (effect == Effect::Notify && !required).then_some("it tells somebody, and may fail")
    }
}

/// The type of a value as it stands, where it holds no expression.
fn constant_type(data: &Data) -> Type {
    match data {
        Data::Bool(_) => Type::Boolean,
        Data::Int(_) => Type::integer(),
        Data::Float(_) => Type::number(),
        Data::Text(_) if crate::setting::value_of(data).is_some() => Type::string(),
        _ => Type::Any,
    }
}
