//! Leaving a run to a process of its own.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::environment::IDEMPOTENCY_KEY;

/// Starts a program with no terminal and no streams of ours. It is its own to leave our session (`setsid`), which a
/// child that leads no process group can do.
///
/// # Errors
/// If it cannot be started.
pub fn detach(program: &Path, arguments: impl IntoIterator<Item = OsString>) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A step may have started us: with its key this process would be taken for a part of its attempt.
    command.env_remove(IDEMPOTENCY_KEY);
    command.spawn().map(drop)
}
