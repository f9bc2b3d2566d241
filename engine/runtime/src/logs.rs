//! What steps say, kept in plain files beside the journal.
//!
//! One file per attempt of a task, `FRAME-NODE-ATTEMPT.log`, and one for all rounds of each of its probes
//! (`FRAME-NODE-verify.log`, also `until`, `not_done`, `guard_0`, and `assert` for `assert_target`), in the run's log
//! folder. A line is `MILLISECONDS STREAM TEXT`: run-elapsed time, then `o` (stdout), `e` (stderr) or
//! `n` (the step type's own words); in capitals where the text does not end with a newline (the piece of a very long
//! line, or the last words of a process). Everything in it went through the mask. A file is made with its first line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use runbook_step::LogStream;
use runbook_wire::{Log, Probe};

/// What one attempt may write, in bytes. What comes after is dropped, and the log says so.
const LIMIT: u64 = 1 << 30;

/// The file of an attempt.
pub fn attempt_file(folder: &Path, frame: u32, node: u32, attempt: u32) -> PathBuf {
    folder.join(format!("{frame}-{node}-{attempt}.log"))
}

/// The file of all rounds of a probe.
pub fn probe_file(folder: &Path, frame: u32, node: u32, probe: Probe) -> PathBuf {
    let probe = match probe {
        Probe::Until => "until".to_owned(),
        Probe::Verify => "verify".to_owned(),
        Probe::NotDone => "not_done".to_owned(),
        Probe::Guard(n) => format!("guard_{n}"),
    };
    folder.join(format!("{frame}-{node}-{probe}.log"))
}

/// The file of what checks the target (`assert_target`) before a task's attempts.
pub fn assert_file(folder: &Path, frame: u32, node: u32) -> PathBuf {
    folder.join(format!("{frame}-{node}-assert.log"))
}

/// Where scripts return their outputs, for moments: a folder of this user alone. In one that a team shares, another's
/// leftover file would be in the way, and another's link would be followed.
pub(crate) fn output_folder(folder: &Path) -> PathBuf {
    folder.join(format!("outputs-{}", rustix::process::getuid().as_raw()))
}

/// Makes an [`output_folder`] anew: what an executor that was killed has left there is in the clear, and nobody's.
pub(crate) fn make_output_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(folder)
}

/// Removes an [`output_folder`] with what nobody has taken.
pub(crate) fn remove_output_folder(folder: &Path) {
    // What cannot be removed now is when somebody goes on with the run.
    let _ = fs::remove_dir_all(folder);
}

/// A line as it was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedLine<'a> {
    pub elapsed_ms: u64,
    pub stream: LogStream,
    pub text: &'a str,
    /// A newline follows the text.
    pub ended: bool,
}

/// Reads a line of a log file, without its newline. `None` for one that a crash tore.
pub fn parse_line(line: &str) -> Option<LoggedLine<'_>> {
    let (elapsed, rest) = line.split_once(' ')?;
    let (stream, text) = rest.split_once(' ')?;
    let ended = stream.chars().all(|letter| letter.is_ascii_lowercase());
    let stream = match stream {
        "o" | "O" => LogStream::Stdout,
        "e" | "E" => LogStream::Stderr,
        "n" | "N" => LogStream::Note,
        _ => return None,
    };
    Some(LoggedLine { elapsed_ms: elapsed.parse().ok()?, stream, text, ended })
}

/// The log of one attempt, or of a probe, while it is written.
pub(crate) struct LogFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    written: u64,
    hash: blake3::Hasher,
    /// Said once: the limit was reached, or the disk does not take it.
    closed: bool,
}

impl LogFile {
    pub(crate) fn new(path: PathBuf) -> LogFile {
        LogFile { path, state: Mutex::default() }
    }

    /// Writes lines; `bytes` are whole lines made by [`format_line`]. An error is returned once; later lines are
    /// dropped, because a step must not fail for its log.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed || bytes.is_empty() {
            return Ok(());
        }
        let over = state.written + bytes.len() as u64 > LIMIT;
        let bytes = if over { b"0 n the log is full; what follows was dropped\n".as_slice() } else { bytes };
        let written = state.append(&self.path, bytes);
        state.closed = over || written.is_err();
        written
    }

    /// What there is of this attempt's log: nothing, if it said nothing.
    pub(crate) fn summary(&self) -> Option<Log> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.written > 0)
            .then(|| Log { bytes: state.written, blake3: state.hash.finalize().to_hex().to_string() })
    }
}

impl State {
    fn append(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(runbook_journal::open_log(path)?),
        };
        file.write_all(bytes)?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// Appends one line in the file's form.
pub(crate) fn format_line(out: &mut Vec<u8>, elapsed_ms: u64, stream: LogStream, text: &str, ended: bool) {
    let letter = match stream {
        LogStream::Stdout => 'o',
        LogStream::Stderr => 'e',
        LogStream::Note => 'n',
    };
    let letter = if ended { letter } else { letter.to_ascii_uppercase() };
    writeln!(out, "{elapsed_ms} {letter} {text}").expect("writing to a Vec cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = attempt_file(folder.path(), 0, 7, 2);
        let log = LogFile::new(path.clone());
        assert_eq!(log.summary(), None);
        let mut bytes = Vec::new();
        format_line(&mut bytes, 12, LogStream::Stdout, "hello  world ", true);
        format_line(&mut bytes, 13, LogStream::Stderr, "", true);
        format_line(&mut bytes, 14, LogStream::Note, "a b", false);
        log.write(&bytes).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().map(|line| parse_line(line).unwrap()).collect();
        assert_eq!(
            lines,
            [
                LoggedLine { elapsed_ms: 12, stream: LogStream::Stdout, text: "hello  world ", ended: true },
                LoggedLine { elapsed_ms: 13, stream: LogStream::Stderr, text: "", ended: true },
                LoggedLine { elapsed_ms: 14, stream: LogStream::Note, text: "a b", ended: false },
            ]
        );
        let log = log.summary().unwrap();
        assert_eq!(log.bytes, text.len() as u64);
        assert_eq!(log.blake3, blake3::hash(text.as_bytes()).to_hex().to_string());
    }

    #[test]
    fn a_torn_line_is_no_line() {
        for torn in ["", "12", "12 o", "x o text", "12 q text"] {
            assert_eq!(parse_line(torn), None, "{torn:?}");
        }
    }
}
