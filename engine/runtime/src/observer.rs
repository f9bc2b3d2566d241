//! Who watches a run live.

use runbook_step::LogStream;
use runbook_wire::{Record, Task};

/// Watches a run. Called on the dispatcher's loop: must not block and must not wait for it.
pub trait Observer: Send {
    /// A record is on disk. In order, without gaps.
    fn recorded(&mut self, record: &Record);

    /// What a step says that it is doing now. Masked; not recorded.
    fn progress(&mut self, _task: &Task, _line: &str) {}

    /// A line of a step's output. Masked; it is in the run's log already.
    fn output(&mut self, _task: &Task, _line: &LogLine<'_>) {}

    /// A step waits: one of its programs is not what was planned. Why, and the digest by which somebody may say that the
    /// change is meant, where there is one. It is recorded only when the executor stops for it.
    fn held(&mut self, _task: &Task, _why: &str, _digest: Option<&str>) {}

    /// Something went wrong that the run survives: an unreadable message in the inbox, a leftover that could not be
    /// ended.
    fn warning(&mut self, _text: &str) {}
}

/// A line of a step's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    pub attempt: u32,
    pub stream: LogStream,
    pub text: &'a str,
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn recorded(&mut self, _record: &Record) {}
}
