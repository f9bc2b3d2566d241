//! What views say, over records written by hand.

mod endings;
mod golive;
mod graphs;
mod kafka;
mod masked;
mod properties;
mod record;
mod scene;
mod tolerance;
mod undoing;
mod waiting;
mod words;
