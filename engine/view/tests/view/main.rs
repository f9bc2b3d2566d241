//! What views say, over records written by hand.

mod kafka;
mod scene;
