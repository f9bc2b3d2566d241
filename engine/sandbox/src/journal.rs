//! Logs of JSON lines: what an outside observer of a run reads afterwards.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::folder::append_to;

/// Beyond this many bytes a log becomes `….1` and a new one begins: a sandbox may be left running for days.
const TURN_OVER: u64 = 16 << 20;

/// A log of JSON lines, each with the time it was written (`at`).
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: Mutex<(File, u64)>,
}

impl Lines {
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let file = append_to(&path)?;
        let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        Ok(Self { path, file: Mutex::new((file, length)) })
    }

    /// Appends one line. A log that cannot be written must not stop traffic: it is said on stderr's log.
    pub(crate) fn write<T: Serialize>(&self, entry: &T) {
        let mut value = serde_json::to_value(entry).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut value {
            fields.insert("at".into(), now().into());
        }
        let mut state = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.append(&mut state, &format!("{value}\n")) {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }

    fn append(&self, (file, length): &mut (File, u64), line: &str) -> std::io::Result<()> {
        if *length + line.len() as u64 > TURN_OVER {
            std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
            *file = File::options().create(true).append(true).open(&self.path)?;
            *length = 0;
        }
        file.write_all(line.as_bytes())?;
        *length += line.len() as u64;
        Ok(())
    }
}

/// The lines of a log as JSON, oldest first; a line that was cut short is left out.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<Value>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

/// Now, as RFC 3339 with microseconds.
pub(crate) fn now() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}
