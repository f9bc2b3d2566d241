//! The trait that a step type implements.

use std::future::Future;
use std::pin::Pin;

use crate::{Call, Change, Context, Declaration, Failure, FailureKind, Map, Outcome, Value, Verdict, World};

/// A boxed future; the contract names no executor.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A step type.
///
/// Only `declaration` and `run` are required. Nothing here may block for long without watching
/// [`Context::cancelled`], and nothing may keep state between calls: a resumed run calls
/// `undo` in another process than the one that called `run`.
pub trait Step: Send + Sync {
    /// What the step type is, as data.
    fn declaration(&self) -> &Declaration;

    /// Gathers, read-only, what `undo` and `verify` will need. Stored before the effect.
    fn prepare<'a>(
        &'a self,
        _call: &'a Call,
        _ctx: &'a dyn Context,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async { Ok(Value::Null) })
    }

    /// Does it.
    fn run<'a>(&'a self, call: &'a Call, ctx: &'a dyn Context) -> BoxFuture<'a, Outcome>;

    /// Whether the effect is there. Read-only.
    fn verify<'a>(&'a self, _call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Unknown("this step type cannot tell".into()) })
    }

    /// Brings back what was there before; tolerates an effect that is only partially there, and one that is already undone.
    /// A step type that declares an undo has one of its own; without it nothing is undone, and the attempt says so.
    fn undo<'a>(&'a self, _call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            Outcome::not_done(
                FailureKind::Error,
                "this step type declares an undo, and has none: nothing was undone",
            )
        })
    }

    /// What `run` would change, and how we know. Read-only.
    fn plan<'a>(&'a self, _call: &'a Call, _ctx: &'a dyn Context) -> BoxFuture<'a, Vec<Change>> {
        Box::pin(async { Vec::new() })
    }

    /// How outputs and resources follow from parameters, for rehearsal: pure and synchronous.
    fn simulate(&self, _call: &Call, _world: &mut World) -> Map {
        Map::new()
    }
}
