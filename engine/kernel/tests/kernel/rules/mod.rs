//! One module per section of what a run means.

mod basics;
