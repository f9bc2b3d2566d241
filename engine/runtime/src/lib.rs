//! Performs the kernel's commands and records what happened.
//!
//! One loop ([`Execution::drive`]) selects among everything that can happen, turns it into a record, feeds the record
//! to the kernel and performs what the kernel wants. The kernel is only ever fed what a record says, by the same code
//! live and on resume: so resume *is* replay.
//!
//! What this crate deliberately does not know: any concrete step type, the terminal, the process's own environment,
//! arguments and signals (they come in as a [`Host`] and through a [`Control`]).

mod attempt;
mod cancel;
mod clock;
mod context;
mod control;
mod detach;
mod dispatcher;
mod execution;
mod facts;
mod files;
mod host;
mod http;
mod leftovers;
pub mod logs;
mod mask;
mod net;
mod observer;
mod people;
mod pinned;
mod platform;
mod process;
mod question;
mod record;
mod resolve;
mod secrets;
mod stream;
mod timers;

pub use clock::Clock;
pub use control::{Control, Refusal};
pub use detach::detach;
pub use dispatcher::{AnswersError, read_answers};
pub use execution::{Execution, ExecutionError, Exit, NewRun, Outcome};
pub use host::Host;
pub use observer::{LogLine, Observer, Unobserved};
pub use platform::own_group;
