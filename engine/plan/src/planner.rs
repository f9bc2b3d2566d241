//! What all parts of planning look at.

use std::cell::RefCell;

use runbook_step::{Registry, Value};
use runbook_syntax::Span;

use crate::inputs::Inputs;
use crate::library::Library;
use crate::model::{EvalError, ModuleId, Reference, Resolve, Template};
use crate::report::Report;
use crate::scope::Graph;
use crate::setting::Setting;

/// What all parts of planning look at.
pub(crate) struct Planner<'a> {
    pub(crate) graph: Graph<'a>,
    pub(crate) registry: &'a Registry,
    pub(crate) setting: &'a Setting<'a>,
    pub(crate) library: &'a Library,
    /// By module, those of a called one after those of its caller.
    pub(crate) inputs: Vec<Inputs>,
    /// By module: what its caller gives it.
    pub(crate) call_inputs: Vec<Vec<(String, Template)>>,
    pub(crate) report: &'a Report,
    /// Paths of files that parameters name, as they are come across.
    pub(crate) paths: RefCell<Vec<NamedPath>>,
}

/// The path of a file that a parameter names.
pub(crate) struct NamedPath {
    pub(crate) module: ModuleId,
    pub(crate) path: Template,
    pub(crate) span: Span,
}

/// What is known before the run: inputs and the environment.
impl Resolve for Planner<'_> {
    fn resolve(&self, reference: &Reference) -> Result<Value, EvalError> {
        let known = match reference {
            Reference::Input(module, name) => self.inputs[module.0 as usize].known.get(name).cloned(),
            Reference::Environment => Some(self.setting.value.clone()),
            _ => None,
        };
        known.ok_or_else(|| EvalError {
            span: Span::new(runbook_syntax::FileId(0), 0..0),
            message: "this is only known in the run".into(),
            hint: None,
        })
    }
}

impl Planner<'_> {
    /// Whether everything that an expression reads is known before the run.
    pub(crate) fn is_known(&self, refs: &[Reference]) -> bool {
        refs.iter().all(|reference| self.knows(reference))
    }

    pub(crate) fn knows(&self, reference: &Reference) -> bool {
        match reference {
            Reference::Input(module, name) => self.inputs[module.0 as usize].known.contains_key(name),
            Reference::Environment => !self.setting.open,
            _ => false,
        }
    }

    /// Whether what is not known would be known before the run, if something that is missing or wrong were there: an
    /// input of the runbook that was asked for, or the environment. Nothing is said of it then.
    pub(crate) fn is_open(&self, reference: &Reference) -> bool {
        match reference {
            Reference::Input(module, name) => {
                let inputs = &self.inputs[module.0 as usize];
                *module == ModuleId::ROOT || inputs.open.contains(name) || inputs.broken.contains(name)
            }
            Reference::Environment => self.setting.open,
            _ => false,
        }
    }
}
