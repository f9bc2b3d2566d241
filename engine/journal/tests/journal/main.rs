//! The journal on real files, with real processes.

mod append;
mod sample;
