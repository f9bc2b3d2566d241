//! What a run looks like: folds of recorded events.
//!
//! [`Run`] folds records; [`Tree`] says how every step, group and item stands; [`render`] lays that out as lines. The
//! live terminal, `watch`, `show`, reports and later the web page read the same ones.
//!
//! What this crate deliberately does not know: tokio, the file system, the environment, a clock (the reader's moment
//! comes in as [`Now`]), colours, and every other crate but `wire`.

mod choices;
mod exit;
pub mod graph;
mod holder;
pub mod json;
mod line;
mod lines;
mod markup;
mod moment;
mod render;
pub mod report;
pub mod required;
mod run;
mod shell;
mod summary;
mod timeline;
mod tree;
mod value;

pub use choices::{Choice, With, answers, choices};
pub use exit::{exit_code, exit_meaning, standing};
pub use holder::Holder;
pub use line::{Line, Span, Tone, clean, wrap};
pub use lines::lines;
pub use moment::{Now, Stamp, clock, date_time, length, relative, rfc3339, running, time_of_day};
pub use render::{Style, ask, mark, render, trend};
pub use run::{
    Attempt, Created, Executor, Finished, Given, Held, Item, Key, Lock, LockHeld, Phase, ProbeState,
    Question, Run, Sample, Shape, TaskState,
};
pub use shell::{quote, with_state};
pub use summary::{Brought, Counts, Failed, Next, Summary, first_failure, logs, next, place, undo_text, who};
pub use timeline::{Said, Timeline, Weight};
pub use tree::{Forward, Node, Rollback, Status, Tree, Undoing};
pub use value::{readable, short};
