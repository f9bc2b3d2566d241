//! What each `call` gives to the runbook that it calls.

use std::collections::BTreeSet;

use runbook_step::Value;
use runbook_syntax::Diagnostic;
use runbook_syntax::ast::{Runbook, StepKind};

use crate::arena::{Doc, What};
use crate::codes;
use crate::inputs::Inputs;
use crate::model::{InputSpec, ModuleId, Template};
use crate::planner::Planner;
use crate::scope::{At, Place};
use crate::template::Wanted;

impl Planner<'_> {
    /// Fills in the inputs of every module that is called, callers first.
    pub(crate) fn give_calls(&mut self) {
        for number in self.inputs.len()..self.graph.arena.modules.len() {
            let module = ModuleId(number as u32);
            let declared = match self.graph.arena.module(module).doc {
                Doc::Runbook(runbook) => Inputs::declared(&runbook.inputs, self.types),
                Doc::Environment(_) => Inputs::default(),
            };
            self.inputs.push(declared);
            let mut given = Vec::new();
            if let Doc::Runbook(runbook) = self.graph.arena.module(module).doc {
                given = self.given(module, runbook);
            }
            let mut known = runbook_step::Map::new();
            let mut open = BTreeSet::new();
            // An input that the caller gives wrongly, or not at all, has been reported there.
            let missing = self.inputs[number].specs.iter().map(|spec| spec.name.clone());
            let missing: Vec<String> =
                missing.filter(|name| given.iter().all(|(other, _)| other != name)).collect();
            self.inputs[number].broken.extend(missing);
            for (name, template) in &given {
                let Some(spec) = self.inputs[number].spec(name) else { continue };
                match self.value_before_the_run(template, spec) {
                    Known::Value(value) => drop(known.insert(name.clone(), value)),
                    Known::Open => drop(open.insert(name.clone())),
                    Known::InTheRun => {}
                }
            }
            self.inputs[number].known = known;
            self.inputs[number].open = open;
            self.call_inputs.push(given);
        }
    }

    fn given(&self, module: ModuleId, runbook: &Runbook) -> Vec<(String, Template)> {
        let arena = self.graph.arena;
        let Some(caller) = arena.module(module).caller else { return Vec::new() };
        let What::Step(step) = arena.node(caller).what else { return Vec::new() };
        let StepKind::Call { path, inputs } = &step.kind else { return Vec::new() };
        let declared = &self.inputs[module.0 as usize];
        let specs = &declared.specs;
        for (name, _) in inputs {
            if declared.spec(&name.value).is_none() {
                let message = format!("`{}` has no input `{}`", path.value, name.value);
                let names = specs.iter().map(|spec| spec.name.as_str());
                let hint = (self.report.which_of(&name.value, names))
                    .unwrap_or_else(|| format!("Declare it there: `inputs: {{{}: string}}`.", name.value));
                self.report.push(Diagnostic::error(codes::UNKNOWN_INPUT, name.span, message).hint(hint));
            }
        }
        let place = self.place(caller);
        let own = Place { module, at: At::Start };
        let mut given = Vec::new();
        for (spec, (_, decl)) in specs.iter().zip(&runbook.inputs) {
            let what = format!("input `{}`", spec.name);
            let wanted = Wanted { ty: &spec.ty, what: &what, always: self.always(caller) };
            let template = match inputs.iter().find(|(name, _)| name.value == spec.name) {
                Some((_, data))
                    if matches!(data.value, runbook_syntax::ast::Data::Null) && !spec.required =>
                {
                    Some(Template::Const(Value::Null))
                }
                Some((_, data)) => self.template(data, place, wanted),
                None => match (&spec.default, &decl.default) {
                    (Some(default), _) => Some(Template::Const(default.clone())),
                    (None, Some(data)) if !self.inputs[module.0 as usize].broken.contains(&spec.name) => {
                        self.template(data, own, wanted)
                    }
                    (None, Some(_)) => None,
                    (None, None) if spec.required => {
                        let message =
                            format!("`{}` needs the input `{}`: {}", path.value, spec.name, spec.ty);
                        let hint = format!("Give it: `inputs: {{{}: …}}`.", spec.name);
                        let fault = Diagnostic::error(codes::INPUT_MISSING, path.span, message).hint(hint);
                        self.report.push(fault.also(decl.span, "declared here"));
                        None
                    }
                    (None, None) => Some(Template::Const(Value::Null)),
                },
            };
            given.extend(template.map(|template| (spec.name.clone(), template)));
        }
        given
    }

    fn value_before_the_run(&self, template: &Template, spec: &InputSpec) -> Known {
        let (mut known, mut open) = (true, true);
        template.for_each_expression(&mut |expression| {
            for reference in expression.refs.iter().filter(|reference| !self.knows(reference)) {
                known = false;
                open &= self.is_open(reference);
            }
        });
        if !known {
            return if open { Known::Open } else { Known::InTheRun };
        }
        match template.evaluate(self) {
            Ok(Value::Null) => Known::Value(Value::Null),
            // What does not fit has been reported, or stands where it may never be reached.
            Ok(value) => spec.ty.coerce(value).map_or(Known::InTheRun, Known::Value),
            Err(_) => Known::InTheRun,
        }
    }
}

enum Known {
    Value(Value),
    /// It depends on what an incomplete request leaves open.
    Open,
    InTheRun,
}
