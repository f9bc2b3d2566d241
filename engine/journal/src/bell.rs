//! Waking each other without polling: a Unix socket beside the lock of a run.
//!
//! No data crosses it. To connect is to ring: the executor looks into its inbox. Whoever stays connected is sent a byte
//! after each commit, and sees the end of the stream when the executor goes.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

use crate::folder::{FileId, Folder};
use crate::ownership;
use crate::progress::{Progress, Wake};

/// The longest path that a socket may have everywhere (macOS: 104 with the final zero, Linux: 108).
const LONGEST: usize = 103;

/// What became of a nudge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// The executor was woken.
    Heard,
    /// Nobody executes the run.
    NoExecutor,
}

/// The streams of those who follow the run.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<Vec<UnixStream>>);

impl Subscribers {
    fn add(&self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(stream);
        // Something may have been committed between its last look and this moment: let it look again.
        if let Some(new) = list.last_mut() {
            let _ = new.write(&[1]);
        }
        Ok(())
    }

    /// Tells everybody that there is news; forgets those who have gone.
    pub(crate) fn ring(&self) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain_mut(|stream| match stream.write(&[1]) {
            Ok(_) => true,
            // Its buffer is full of rings that it has not heard yet.
            Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        });
    }
}

/// The listening side: a thread that lives as long as the executor.
#[derive(Debug)]
pub(crate) struct Bell {
    path: PathBuf,
    /// The socket, as a file: whoever took the run over may have put another one in its place.
    file: FileId,
    /// Its end stops the thread.
    open: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Bell {
    /// Listens at `path`. The caller holds the run's lock, so a socket that is already there belongs to nobody.
    pub(crate) fn hang(path: PathBuf, mode: u32, progress: Arc<Progress>) -> io::Result<Bell> {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o666))?;
        // So that a ring that was withdrawn again does not hold the thread up.
        listener.set_nonblocking(true)?;
        let file = FileId::at(&path)?;
        let (open, over) = UnixStream::pair()?;
        let thread = std::thread::Builder::new()
            .name("journal-bell".to_owned())
            .stack_size(128 * 1024)
            .spawn(move || listen(&listener, &over, &progress))?;
        Ok(Bell { path, file, open: Some(open), thread: Some(thread) })
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        drop(self.open.take());
        if FileId::at(&self.path).is_ok_and(|there| there == self.file) {
            let _ = fs::remove_file(&self.path);
        }
        if let Some(thread) = self.thread.take() {
            // A panic in there is reported by its own hook; the run's end does not depend on it.
            let _ = thread.join();
        }
    }
}

/// Until `over` is at its end.
fn listen(listener: &UnixListener, over: &UnixStream, progress: &Progress) {
    loop {
        let mut events = [PollFd::new(listener, PollFlags::IN), PollFd::new(over, PollFlags::IN)];
        match poll(&mut events, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        if !events[1].revents().is_empty() {
            return;
        }
        match listener.accept().and_then(|(stream, _)| progress.subscribers.add(stream)) {
            Ok(()) => progress.wake(Wake::Nudged),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // Out of file descriptors: rings wait in the backlog until there are some again.
            Err(_) => std::thread::park_timeout(Duration::from_millis(50)),
        }
    }
}

/// Where the socket of a run goes: beside its lock; if that path is too long for a socket, in a folder of this user
/// under `/tmp`. Others find it through the lock file.
pub(crate) fn socket_path(folder: &Folder, run: &str) -> io::Result<PathBuf> {
    let beside = folder.socket(run);
    if beside.as_os_str().len() <= LONGEST {
        return Ok(beside);
    }
    let user = rustix::process::getuid().as_raw();
    let short = PathBuf::from(format!("/tmp/runbook-{user}"));
    match fs::DirBuilder::new().mode(0o700).create(&short) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let there = fs::symlink_metadata(&short)?;
    if !there.is_dir() || there.uid() != user {
        return Err(io::Error::other(format!("{} belongs to somebody else", short.display())));
    }
    let name = crate::chain::content(beside.as_os_str().as_encoded_bytes()).to_string();
    Ok(short.join(format!("{}.sock", &name[..16])))
}

/// Wakes the executor of a run.
pub(crate) fn nudge(folder: &Folder, run: &str) -> io::Result<Nudge> {
    match ownership::holder(folder, run)? {
        None => Ok(Nudge::NoExecutor),
        Some(holder) => match ring(&holder.socket) {
            Ok(()) => Ok(Nudge::Heard),
            // It went away this moment.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(Nudge::NoExecutor)
            }
            Err(e) => Err(e),
        },
    }
}

/// Connects without waiting: a full backlog means that the executor has many rings to hear already.
fn ring(path: &Path) -> io::Result<()> {
    let socket: OwnedFd = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) | Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INPROGRESS) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Staying connected to an executor.
#[derive(Debug)]
pub(crate) struct Subscription(UnixStream);

/// What a subscription heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    News,
    Nothing,
    /// The executor has gone.
    Gone,
}

impl Subscription {
    /// `None` if nobody executes the run.
    pub(crate) fn open(folder: &Folder, run: &str) -> io::Result<Option<Subscription>> {
        let Some(holder) = ownership::holder(folder, run)? else { return Ok(None) };
        match UnixStream::connect(&holder.socket) {
            Ok(stream) => Ok(Some(Subscription(stream))),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Waits for a ring.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<Heard> {
        self.0.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        let mut rings = [0; 256];
        match self.0.read(&mut rings) {
            Ok(0) => Ok(Heard::Gone),
            Ok(_) => Ok(Heard::News),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                Ok(Heard::Nothing)
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(Heard::Gone),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(stream: &mut UnixStream) -> usize {
        stream.set_nonblocking(true).unwrap();
        let mut rings = [0; 16];
        stream.read(&mut rings).unwrap_or(0)
    }

    #[test]
    fn a_new_follower_is_told_to_look_again() {
        // It may have looked before it was on the list, and the commit may have come in between.
        let (mut follower, ours) = UnixStream::pair().unwrap();
        let subscribers = Subscribers::default();
        subscribers.add(ours).unwrap();
        assert_eq!(heard(&mut follower), 1);
        subscribers.ring();
        assert_eq!(heard(&mut follower), 1);
    }

    #[test]
    fn followers_that_went_are_forgotten_and_deaf_ones_do_not_block() {
        let subscribers = Subscribers::default();
        let (gone, ours) = UnixStream::pair().unwrap();
        subscribers.add(ours).unwrap();
        drop(gone);
        let (_deaf, ours) = UnixStream::pair().unwrap();
        subscribers.add(ours).unwrap();
        // More rings than its buffer takes.
        for _ in 0..5000 {
            subscribers.ring();
        }
        assert_eq!(subscribers.0.lock().unwrap().len(), 1);
    }
}
