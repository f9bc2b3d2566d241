//! The kernel, seen from outside: rules as small scripts, and properties over generated programs and worlds.

mod build;
mod rules;
mod script;
