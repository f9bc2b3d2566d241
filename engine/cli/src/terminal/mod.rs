//! What a person sees while a run goes on, and what they type.

mod asked;
mod keyboard;
mod painter;
mod queue;
mod region;
mod screen;
mod style;

pub(crate) use queue::Queue;
pub(crate) use screen::{Acts, Mode, Screen, Setting, Shown};
pub(crate) use style::text as styled;
