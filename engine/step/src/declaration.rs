//! A step type as data.

use crate::{Type, Value};

/// What running a step does to the world (DESIGN §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Computes from its parameters; touches nothing. Needs no barrier, leaves nothing in doubt.
    Pure,
    /// Only looks.
    Read,
    /// Changes something; needs an undo, or a reason why not.
    Write,
    /// Tells somebody; a failure is reported, and fails the run only with `required: true`.
    Notify,
    /// The step's author says (`run`, `argv`, `http.request`): a write unless the step says `effect: read`.
    Declared,
}

/// Whether running a step twice is the same as running it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotence {
    /// It is: a step in doubt may simply run again.
    Idempotent,
    /// It is if the receiver honours the idempotency key.
    WithKey,
    /// It is not.
    No,
}

/// How a step type undoes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoKind {
    /// It cannot, or there is nothing to undo (a read).
    None,
    /// [`crate::Step::undo`] puts back what `prepare` saw.
    Own {
        /// One line for the plan: "puts the file's previous content back".
        summary: &'static str,
    },
}

/// Whether a step type's `verify` can tell that an effect is there, and that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// `verify` exists.
    pub verify: bool,
    /// A mismatch proves that the effect did not happen (rather than "cannot tell").
    pub proves_absence: bool,
}

/// A resource that a step reads or writes, as a template over its parameters: `file:{path}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceUse {
    /// Resource kind, such as `file`, `http`, `process`.
    pub kind: &'static str,
    /// Names of parameters that identify it.
    pub by: &'static [&'static str],
    /// Whether it is written (else read).
    pub write: bool,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    pub name: &'static str,
    pub ty: Type,
    pub required: bool,
    pub default: Option<Value>,
    /// One line; the reference page and completion show it.
    pub doc: &'static str,
    /// A parameter that decides what runs (a script, a statement): `${{ }}` in it is an error, values go through `env` or bound parameters.
    pub verbatim: bool,
}

/// An output.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub name: &'static str,
    pub ty: Type,
    pub doc: &'static str,
}

/// A step type as data.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// `family.verb`, as in `uses:`.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// The reference page below the summary, Markdown.
    pub doc: &'static str,
    pub params: Vec<Param>,
    pub outputs: Vec<Output>,
    /// Further outputs take their names from the keys of this parameter (`set.with`: see `outputs_from_all`).
    pub outputs_from: Option<&'static str>,
    /// Every parameter is also an output of the same name and type (`set`); unknown parameter names are allowed then.
    pub outputs_from_all: bool,
    /// Outputs are declared by the step itself under `outputs:` (scripts).
    pub outputs_declared: bool,
    pub effect: Effect,
    pub idempotence: Idempotence,
    pub undo: UndoKind,
    pub check: Check,
    pub resources: Vec<ResourceUse>,
    /// Which kind of worker runs it; `local` everywhere today. Kept so that another host of the kernel can route.
    pub worker: &'static str,
    /// May be used where a check is wanted: `wait.until`, `guard`, `verify`, `assert_target`, `require`, `between`.
    pub is_check: bool,
}
