//! Planning, from text to plan.

mod faults;
mod hostile;
mod project;
mod replan;
mod rules;
mod simple;
