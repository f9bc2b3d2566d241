//! A resolved, typed and hashed runbook, lowered into the kernel's program.
//!
//! `ast → Plan`: files are found through a [`Loader`], names are resolved, types checked, the graph built, policies
//! fixed, everything digested; out comes the kernel's [`runbook_kernel::Program`] with a [`PlanNode`] beside each of
//! its nodes. Expressions that can only be known in the run are kept as [`Template`]s with their references resolved
//! to nodes; [`Template::evaluate`] is pure and is the only evaluator there is.
//!
//! What this crate deliberately does not know: the file system, the environment, tokio, clocks, the journal.

mod arena;
mod calls;
mod check;
pub mod codes;
mod digest;
mod effects;
mod evaluate;
mod expression;
mod fixed;
mod gates;
mod inference;
mod inputs;
mod invocation;
mod library;
mod load;
mod lower;
mod model;
mod needs;
mod order;
mod outline;
mod outputs;
mod path;
mod pin;
mod plan;
mod planner;
mod programs;
mod report;
mod request;
mod schema;
mod scope;
mod setting;
mod template;
mod types;
mod undoing;

pub use check::check;
pub use evaluate::MAX_TEXT;
pub use inputs::may_be_given;
pub use load::{Bundle, LoadError, Loader};
pub use model::{
    ApprovalSpec, ChecklistItemSpec, Digest, EvalError, Expression, InputSpec, Invocation, LockSpec, Module,
    ModuleId, Plan, PlanNode, PromptSpec, Reference, Resolve, SecretSpec, Template, Withheld, Work,
};
pub use path::{folder_of, join};
pub use plan::{Planned, plan};
pub use request::{EnvironmentFile, Given, GivenValue, Request};
pub use schema::schema;
