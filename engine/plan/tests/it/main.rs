//! Planning, from text to plan.

mod faults;
mod project;
mod replan;
mod rules;
mod simple;
