//! The kernel, seen from outside: rules as small scripts, and properties over generated programs and worlds.

mod begin;
mod build;
mod generate;
mod properties;
mod rules;
mod script;
mod simulation;
mod watch;
mod world;
