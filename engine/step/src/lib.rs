//! The contract between the engine and a step type.
//!
//! A step type is a value that implements [`Step`]: a [`Declaration`] as data, and the few
//! functions that touch the world through a [`Context`]. Everything that the engine knows of a
//! step (its parameters, its page, its completion, what it writes, how it is undone) follows
//! from the declaration; the engine never asks which step type it has in its hands.
//!
//! What this crate deliberately does not know: tokio, the kernel, the journal, a clock.

mod call;
mod comparison;
mod context;
mod declaration;
mod duration;
mod json;
mod outcome;
mod path;
mod reference;
mod registry;
mod schema;
mod step;
mod step_type;
#[cfg(feature = "testing")]
pub mod testing;
mod types;
mod value;
mod world;

pub use call::{BadParam, Call};
pub use comparison::{Comparison, Quantity};
pub use context::{
    Cancelled, Context, FileError, Files, Http, HttpBody, HttpError, HttpRequest, HttpResponse, LogStream,
    Net, ProcessError, ProcessExit, ProcessRequest, Processes, Stopped,
};
pub use declaration::{
    Check, Choice, Declaration, Effect, Idempotence, Output, Param, ResourceUse, UndoKind,
};
pub use duration::{format_duration, parse_duration};
pub use outcome::{Failure, FailureKind, Outcome, Success, UnknownKind, Verdict};
pub use path::{Path, PathError};
pub use reference::reference_page;
pub use registry::Registry;
pub use step::{BoxFuture, Step};
pub use types::{Field, Type, TypeError};
pub use value::{Map, Secret, SecretPart, Value};
pub use world::{Change, ChangeSource, Resource, World};

/// The code of the guide, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/writing-steps.md")]
mod guide {}
