//! A resolved, typed and hashed runbook, lowered into the kernel's program.
//!
//! `ast → Plan`: files are found through a [`Loader`], names are resolved, types checked, the graph built, policies
//! fixed, everything digested; out comes the kernel's [`runbook_kernel::Program`] with a [`PlanNode`] beside each of
//! its nodes. Expressions that can only be known in the run are kept as [`Template`]s with their references resolved
//! to nodes; [`Template::evaluate`] is pure and is the only evaluator there is.
//!
//! What this crate deliberately does not know: the file system, the environment, tokio, clocks, the journal.

mod evaluate;
mod load;
mod model;
mod request;

pub use evaluate::MAX_TEXT;
pub use load::{Bundle, LoadError, Loader};
pub use model::{
    ApprovalSpec, ChecklistItemSpec, Digest, EvalError, Expression, InputSpec, Invocation, LockSpec, Module,
    ModuleId, Plan, PlanNode, PromptSpec, Reference, Resolve, SecretSpec, Template, Work,
};
pub use request::{EnvironmentFile, Given, GivenValue, Request};
