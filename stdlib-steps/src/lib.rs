//! The standard step types, one file each.
//!
//! The doc comment of each step type is its reference page. This crate imports `runbook-step` and nothing else of the
//! engine: a standard step type has no privilege that a team's own lacks. What it deliberately does not know: tokio,
//! the file system, sockets, clocks, the plan.

pub mod assert;
pub mod file;
pub mod http;
pub mod load;
pub mod script;
pub mod set;
pub mod tcp;
pub mod webhook;

use runbook_step::Registry;

/// All standard step types.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add(assert::Assert);
    registry.add(file::Write);
    registry.add(http::Check);
    registry.add(http::Request);
    registry.add(http::Resource);
    registry.add(http::Wait);
    registry.add(load::Run);
    registry.add(script::Argv);
    registry.add(script::Run);
    registry.add(set::Set);
    registry.add(tcp::Check);
    registry.add(webhook::Post);
    registry
}
