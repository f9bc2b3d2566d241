//! Planning, from text to plan.

mod project;
mod replan;
mod simple;
