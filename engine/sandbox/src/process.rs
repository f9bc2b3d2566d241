//! Processes of the sandbox: who runs, and how one is ended without hitting a stranger.
//!
//! Each process holds an exclusive lock on a file of its role for as long as it lives, and writes
//! its pid and start time beside it. The lock says whether it lives; the start time says that the
//! pid still is that process. A pid alone is never signalled.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::folder::{Folder, append_to, make_parent, read_json, remove, write_json};
use crate::role::Door;
use crate::{Error, Role};

/// A process, as it registered itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// When it started, in the operating system's own terms; compared for equality only.
    pub(crate) started: String,
    /// What it listens on.
    pub(crate) doors: Vec<(Door, SocketAddr)>,
}

impl Process {
    /// Where one of its doors is.
    pub(crate) fn address(&self, wanted: Door) -> Option<SocketAddr> {
        self.doors.iter().find(|(door, _)| *door == wanted).map(|(_, address)| *address)
    }
}

/// Proof that this process has a role in a folder; given up when dropped, or when the process ends.
#[derive(Debug)]
pub(crate) struct Registration {
    _lock: File,
}

impl Registration {
    /// Takes the role, and records this process under it.
    pub(crate) async fn take(
        folder: &Folder,
        role: Role,
        doors: &[(Door, SocketAddr)],
    ) -> Result<Self, Error> {
        let lock = exclusive(folder, role).await?;
        let pid = std::process::id();
        let record = Process { pid, started: start_time(pid).unwrap_or_default(), doors: doors.to_vec() };
        write_json(&folder.record(role), &record)?;
        Ok(Self { _lock: lock })
    }
}

async fn exclusive(folder: &Folder, role: Role) -> Result<File, Error> {
    let path = folder.lock(&role.to_string());
    let file = append_to(&path)?;
    // Somebody who only looks holds the lock for an instant: try again before believing it.
    for _ in 0..40 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(25)).await,
            Err(TryLockError::Error(source)) => return Err(Error::File { path, source }),
        }
    }
    Err(Error::AlreadyServed { role, folder: folder.root().to_owned() })
}

/// The process that has this role now.
pub(crate) fn running(folder: &Folder, role: Role) -> Result<Option<Process>, Error> {
    let path = folder.lock(&role.to_string());
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path, source }),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let record: Option<Process> = read_json(&folder.record(role))?;
            // Locked, but the record is of an earlier process: a new one is about to write its own.
            Ok(record.filter(|process| start_time(process.pid).as_deref() == Some(process.started.as_str())))
        }
        Err(TryLockError::Error(source)) => Err(Error::File { path, source }),
    }
}

/// How to call this program again as a part of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launcher {
    pub program: PathBuf,
    /// Arguments before the role and the folder.
    pub arguments: Vec<String>,
}

/// Starts a process for the role and waits until it has registered itself.
pub(crate) async fn start(
    folder: &Folder,
    launcher: &Launcher,
    role: Role,
    patience: Duration,
) -> Result<Process, Error> {
    let log = folder.log(role);
    make_parent(&log)?;
    let before = std::fs::metadata(&log).map(|metadata| metadata.len()).unwrap_or(0);
    let output = append_to(&log)?;
    let errors = output.try_clone().map_err(|source| Error::File { path: log.clone(), source })?;
    // The child makes a session of its own (see `serve`), so that neither the end of a terminal nor the end of
    // the process group of whoever called `up` takes the practice production down.
    let mut child = Command::new(&launcher.program)
        .args(&launcher.arguments)
        .arg(role.to_string())
        .arg(folder.root())
        .current_dir("/")
        // A step of a run may have started us: it lives longer than that.
        .env_remove("RUNBOOK_IDEMPOTENCY_KEY")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|source| Error::Spawn { role, program: launcher.program.clone(), source })?;
    let pid = child.id();
    let started = tokio::time::Instant::now();
    loop {
        if let Some(process) = running(folder, role)?.filter(|process| process.pid == pid) {
            // Reaped when it ends, for as long as this process is there to do it.
            std::thread::spawn(move || child.wait());
            return Ok(process);
        }
        let ended = matches!(child.try_wait(), Ok(Some(_)));
        if ended || started.elapsed() > patience {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::NotUp { role, log: said_since(&log, before, ended) });
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn said_since(log: &Path, offset: u64, ended: bool) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(bytes.get(offset as usize..).unwrap_or_default());
    let said = said.trim().trim_start_matches("error: ").to_owned();
    match (said.is_empty(), ended) {
        (false, _) => said,
        (true, true) => format!("it ended without a word (see {})", log.display()),
        (true, false) => format!("it did not answer in time (see {})", log.display()),
    }
}

/// How a process was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It finished what it was doing when asked to.
    Asked,
    /// It did not, and was killed.
    Killed,
}

/// Ends the process that has this role, its process group with it. `None` where none runs.
pub(crate) async fn stop(
    folder: &Folder,
    role: Role,
    grace: Duration,
) -> Result<Option<(Process, Ending)>, Error> {
    let Some(process) = running(folder, role)? else { return Ok(None) };
    for (signal, ending, patience) in
        [(Signal::TERM, Ending::Asked, grace), (Signal::KILL, Ending::Killed, Duration::from_secs(5))]
    {
        signal_group(&process, signal);
        let since = tokio::time::Instant::now();
        while since.elapsed() < patience {
            if running(folder, role)?.is_none_or(|now| now != process) {
                remove(&folder.record(role))?;
                return Ok(Some((process, ending)));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Err(Error::NotDown { role, pid: process.pid })
}

fn signal_group(process: &Process, signal: Signal) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return };
    // It leads a session, hence a group, of its own. Gone in the meantime is what we want.
    let _ = rustix::process::kill_process_group(pid, signal);
}

/// When a process started; `None` where there is no such process, or it is a zombie.
#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, and may itself hold any character.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    // Field 22 of proc(5); `state` was field 3.
    (state != "Z").then(|| fields.nth(18).map(str::to_owned))?
}

/// When a process started; `None` where there is no such process.
#[cfg(not(target_os = "linux"))]
fn start_time(pid: u32) -> Option<String> {
    let output = Command::new("/bin/ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_role_is_taken_once_and_free_again_afterwards() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        assert_eq!(running(&folder, Role::Sink).unwrap(), None);
        let held = Registration::take(&folder, Role::Sink, &[]).await.unwrap();
        assert_eq!(running(&folder, Role::Sink).unwrap().unwrap().pid, std::process::id());
        drop(held);
        assert_eq!(running(&folder, Role::Sink).unwrap(), None);
    }

    #[tokio::test]
    async fn a_recycled_pid_is_not_ours() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path()).unwrap();
        let _held = Registration::take(&folder, Role::Sink, &[]).await.unwrap();
        let mut record: Process = read_json(&folder.record(Role::Sink)).unwrap().unwrap();
        record.started = "another time".into();
        write_json(&folder.record(Role::Sink), &record).unwrap();
        // `stop` goes by `running`, so this test process survives.
        assert_eq!(stop(&folder, Role::Sink, Duration::ZERO).await.unwrap(), None);
    }

    #[test]
    fn the_start_time_of_this_process_is_known_and_of_none_is_not() {
        assert!(start_time(std::process::id()).is_some());
        assert_eq!(start_time(u32::MAX), None);
    }
}
