//! What a person sees while a run goes on, and what they type.

mod answer;
mod region;
mod screen;
mod style;

pub(crate) use screen::{Mode, Screen, Setting, Shown};
pub(crate) use style::text as styled;
