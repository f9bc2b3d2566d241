//! Step types that speak HTTP.

mod check;
mod exchange;
mod expect;

pub use check::HttpCheck;
