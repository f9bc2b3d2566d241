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

#[cfg(test)]
mod tests {
    use runbook_step::testing::Fake;
    use runbook_step::{Call, UndoKind, Verdict};

    use super::*;

    /// What a declaration says of a step type is there: the contract's defaults say that it is not.
    #[test]
    fn what_is_declared_is_implemented() {
        let fake = Fake::new();
        let registry = registry();
        for declaration in registry.declarations() {
            let (name, call) = (declaration.name, Call::default());
            let step = registry.get(name).unwrap();
            let undone = fake.block_on(step.undo(&call, &fake));
            let none = undone.failure().is_some_and(|failure| failure.message.contains("and has none"));
            assert_eq!(!none, declaration.undo != UndoKind::None, "{name}: undo");
            let seen = fake.block_on(step.verify(&call, &fake));
            let none = seen == Verdict::Unknown("this step type cannot tell".into());
            assert_eq!(!none, declaration.check.verify, "{name}: verify");
        }
    }
}
