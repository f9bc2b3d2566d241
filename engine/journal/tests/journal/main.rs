//! The journal on real files, with real processes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod append;
mod child;
mod crash;
mod damage;
mod listing;
mod opening;
mod people;
mod sample;
mod tampering;
