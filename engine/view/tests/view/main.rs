//! What views say, over records written by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod kafka;
mod scene;
