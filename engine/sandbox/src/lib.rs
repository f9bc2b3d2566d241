//! The practice production: a web shop in two colours, a router, a message sink.
//!
//! Real processes on loopback, so that a go-live can be tried, broken and undone with nothing but
//! this program. [`up`] starts the processes, each of which is this same program called again to
//! [`serve`] one [`Role`]; they outlive whoever started them, and [`down`] ends them.
//!
//! Everything is in one folder: what each process logged, which colour was live when, each
//! message that would have been sent. Those files are the outside view of what a run did.
//!
//! What this crate deliberately does not know: runbooks, runs, the engine.

mod client;
mod deployer;
mod error;
mod folder;
mod journal;
mod process;
mod role;
mod router;
mod serve;
mod services;
mod shop;
mod sink;
mod up;
mod visitors;

pub use error::Error;
pub use process::{Ending, Launcher};
pub use role::{Role, Slot};
pub use serve::serve;
pub use shop::Behaviour;
pub use up::{Options, Part, Sandbox, Status, Stopped, down, status, up};
