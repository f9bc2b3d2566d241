//! Who executes a run: an operating-system lock per run, free the moment its process is gone.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::folder::{FileId, Folder};

/// The executor of a run, as its lock file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    /// Where it listens.
    pub(crate) socket: PathBuf,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// The lock of a run; dropping it frees the run.
#[derive(Debug)]
pub(crate) struct Ownership {
    file: File,
    path: PathBuf,
}

/// Why the lock could not be taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Another executor has it.
    Held(Holder),
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Refusal::Io(error)
    }
}

impl Ownership {
    /// Takes the run's lock, or says who has it. Never waits for an executor.
    ///
    /// Readers that look whether a run is executed hold a shared lock for a moment, so a refusal may be theirs: if a
    /// shared lock is granted to us as well, there is no executor, and we try again.
    pub(crate) fn take(folder: &Folder, run: &str, socket: &Path) -> Result<Ownership, Refusal> {
        let path = folder.lock(run);
        let ours = Holder { pid: std::process::id(), host: host(), socket: socket.to_owned() };
        for _ in 0..LOOKS {
            let file = match folder.open_file(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    folder.make_inner(&folder.runs())?;
                    folder.open_file(&path)?
                }
                other => other?,
            };
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // The file may have been removed by an executor that ended the run between our open and our lock; then
                // what we locked is nobody's.
                Ok(()) if is_at(&file, &path)? => {
                    let ownership = Ownership { file, path };
                    ownership.sign(&ours)?;
                    return Ok(ownership);
                }
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    if let Some(holder) = holder_of(&file)? {
                        return Err(Refusal::Held(holder));
                    }
                    std::thread::park_timeout(BETWEEN_LOOKS);
                }
                Err(e) => return Err(Refusal::Io(e.into())),
            }
        }
        Err(Refusal::Io(io::Error::other(
            "somebody who is no executor keeps a shared lock on the run's lock file (`fuser` or `lsof` tells who)",
        )))
    }

    /// Writes who we are, for messages and for those who want to wake us.
    fn sign(&self, holder: &Holder) -> io::Result<()> {
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        // One write, so that a reader sees the old line, nothing, or this one; what is left of a longer old line lies
        // behind the newline.
        self.file.write_all_at(&line, 0)
    }

    /// The run is over: its lock file is not needed any more. (Otherwise the file stays and merely becomes free.)
    pub(crate) fn remove_file(&self) {
        // If it fails an unlocked file remains, which means the same.
        let _ = fs::remove_file(&self.path);
    }
}

/// Who executes the run; `None` if nobody does.
pub(crate) fn holder(folder: &Folder, run: &str) -> io::Result<Option<Holder>> {
    match File::open(folder.lock(run)) {
        Ok(file) => holder_of(&file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// How often, and how long apart, is looked for the name of a lock's holder.
const LOOKS: u32 = 1000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Who holds this lock; `None` if no executor does.
///
/// # Errors
/// If it cannot be looked at, or its holder does not say who it is for a second.
fn holder_of(file: &File) -> io::Result<Option<Holder>> {
    for _ in 0..LOOKS {
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => return Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(e) => return Err(e.into()),
        }
        if let Some(holder) = read_holder(file)? {
            return Ok(Some(holder));
        }
        // It took the lock this moment: its name follows in microseconds, or it dies and the lock is free.
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
    Err(io::Error::other(
        "the run is locked by a process that does not say who it is: an executor that was stopped this moment, \
         or a program that is none (`fuser` or `lsof` of its lock file tells)",
    ))
}

/// The first line; `None` if it is not there yet.
fn read_holder(file: &File) -> io::Result<Option<Holder>> {
    let mut text = Vec::with_capacity(512);
    let mut from_start = ReadAt { file, at: 0 };
    from_start.read_to_end(&mut text)?;
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    Ok(serde_json::from_slice(&text[..end]).ok())
}

struct ReadAt<'a> {
    file: &'a File,
    at: u64,
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = FileId::of(&file.metadata()?);
    match FileId::at(path) {
        Ok(there) => Ok(ours == there),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The name of this machine.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn nobody_holds_a_lock_whose_file_was_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path()).unwrap();
        folder.make().unwrap();
        let (holders, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while taken.load(Ordering::SeqCst) < 100 {
                        match Ownership::take(&folder, "k7f3q", Path::new("/socket")) {
                            Ok(ownership) => {
                                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two have it");
                                taken.fetch_add(1, Ordering::SeqCst);
                                std::thread::yield_now();
                                holders.fetch_sub(1, Ordering::SeqCst);
                                // As the last thing that an executor does that ends the run.
                                ownership.remove_file();
                            }
                            Err(Refusal::Held(_)) => {}
                            Err(Refusal::Io(error)) => panic!("{error}"),
                        }
                    }
                });
            }
        });
    }
}
