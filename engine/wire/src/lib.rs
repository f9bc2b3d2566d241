//! The versioned record of an event: pure data, what the journal stores and views read.
//!
//! Compatibility: fields are only ever added, with a default; a variant is never reused. `tests/compat` holds records
//! of every version that was released.

mod codec;
mod message;
mod outline;
mod record;

pub use codec::{DecodeError, EncodeError, MAX_DEPTH};
pub use message::{Message, Request};
pub use outline::{Entry, EntryKind, Outline, Place, Policy, Promise, Role};
pub use record::{About, Answer, Body, Failure, Grade, Log, Person, Probe, Record, Result, Task, Timer, Via};

/// The version of the record format.
pub const VERSION: u32 = 1;
