//! The standard step types, one file each.
//!
//! The doc comment of each step type is its reference page. This crate imports `runbook-step` and nothing else of the
//! engine: a standard step type has no privilege that a team's own lacks. What it deliberately does not know: tokio,
//! the file system, sockets, clocks, the plan.

mod assert;
mod comparison;
mod http;
mod script;
mod set;

use runbook_step::Registry;

pub use assert::Assert;
pub use http::HttpCheck;
pub use script::{Argv, Run};
pub use set::Set;

/// All standard step types.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(Argv);
    registry.add(Assert);
    registry.add(HttpCheck);
    registry.add(Run);
    registry.add(Set);
    registry
}
