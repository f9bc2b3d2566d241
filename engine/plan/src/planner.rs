//! What all parts of planning look at.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use runbook_kernel::NodeId;
use runbook_step::{Registry, Value};
use runbook_syntax::{Diagnostic, Span};

use crate::codes;
use crate::inputs::Inputs;
use crate::library::Library;
use crate::model::{EvalError, ModuleId, Reference, Resolve, Template};
use crate::outputs::Outputs;
use crate::report::Report;
use crate::scope::Graph;
use crate::setting::Setting;
use crate::types::Types;

/// The work that the expressions of a plan may take together before the run, in units of which an expression in the run
/// has 200,000.
pub(crate) const WORK: u64 = 4_000_000;

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
    pub(crate) types: &'a Types<'a>,
    /// Paths of files that parameters name, as they are come across.
    pub(crate) paths: RefCell<Vec<NamedPath>>,
    /// What nodes give to others, as it is asked for.
    pub(crate) outputs: RefCell<HashMap<NodeId, Rc<Outputs>>>,
    /// The work that may still be done for expressions.
    pub(crate) work: Cell<u64>,
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
            withheld: false,
        })
    }

    fn may_work(&self) -> bool {
        self.work.get() > 0
    }

    fn worked(&self, units: u64, at: Span) {
        let before = self.work.get();
        self.work.set(before.saturating_sub(units));
        if before > 0 && units >= before {
            let message = "the expressions of this plan take too much work before the run";
            let hint = "Compute less here, or do it in a step.";
            self.report.push(Diagnostic::error(codes::EXPRESSION_FAILS, at, message).hint(hint));
        }
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
