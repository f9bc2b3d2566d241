//! Kills the real binary at random moments of a go-live, resumes it, and looks at what it did from outside.
//!
//! The oracle is not the engine: the sandbox's own files say which effects happened when, each with the idempotency key
//! that came with it.

mod arena;
mod dice;
mod ledger;
mod moment;
mod shape;

pub use arena::{Arena, Life};
pub use dice::Dice;
pub use ledger::{Effect, Ledger, Mark, Sum};
pub use moment::{Cut, Moment, moments};
pub use shape::Shape;
