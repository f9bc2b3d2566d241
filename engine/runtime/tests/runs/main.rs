//! Whole runs: real plans, a real journal in a temporary folder, step types made for the purpose.

#![expect(clippy::unwrap_used, reason = "tests: a panic is how they fail")]

mod control;
mod failure;
mod forward;
mod journal;
mod linear;
mod locks;
mod people;
mod resume;
mod secrets;
mod stage;
mod world;
