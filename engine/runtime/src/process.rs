//! Child processes: each in a process group of its own, watched without a thread, ended as a group.
//!
//! How a group ends is told in `docs/design/processes.md`, with what was measured.

pub(crate) mod environment;
pub(crate) mod output_file;

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::time::Duration;

use runbook_step::{Cancelled, LogStream, ProcessError};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid,
};
use tokio::net::unix::pipe;
use tokio::time::{Instant, sleep_until};

use crate::cancel::Cancel;
use crate::files::words;
use crate::platform;
use crate::process::environment::Environment;

/// The read buffer of a stream: what is in memory of a child's output at once.
const CHUNK: usize = 64 * 1024;

/// How long the end of a process group may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Between TERM and KILL.
    pub(crate) grace: Duration,
    /// After KILL: for the system to come to it.
    pub(crate) killed: Duration,
    /// After its leader has ended by itself: for what it left in its group (`tee` at the end of a script) to end too.
    pub(crate) linger: Duration,
    /// After the group has gone: for output that a process outside the group may still hold open.
    pub(crate) drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            grace: Duration::from_secs(10),
            killed: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            drain: Duration::from_millis(250),
        }
    }
}

/// A process to start.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    /// As it was named, for messages and as the process's own `argv[0]`.
    pub(crate) name: OsString,
    /// Absolute.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) environment: Environment,
    pub(crate) cwd: PathBuf,
    pub(crate) stdin: Option<Vec<u8>>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// `None`: the system does not let go of it.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) cancelled: Option<Cancelled>,
}

/// Who hears of a process.
pub(crate) trait Watch: Send {
    /// It runs, in a group of this number.
    fn spawned(&mut self, group: Pid);
    /// A chunk of output, or `None`: the stream is over.
    fn output(&mut self, stream: LogStream, chunk: Option<&[u8]>);
    /// What we did that the process's own output does not say.
    fn note(&mut self, line: &str);
}

/// Runs a process to its end, and its group with it.
pub(crate) async fn run(
    launch: Launch,
    cancel: &Cancel,
    patience: Patience,
    watch: &mut dyn Watch,
) -> Result<Exit, ProcessError> {
    if let Some(why) = cancel.reason() {
        return Err(ProcessError {
            cancelled: Some(why),
            ..ProcessError::new("told to stop before it was started")
        });
    }
    loop {
        let started = start(launch.clone()).await?;
        let mut child = Child::new(started, watch)?;
        let exited = platform::exited(child.group.id);
        let mut exited = pin!(exited);
        let cancelled = tokio::select! {
            biased;
            left = child.pump(&mut exited) => { left.map_err(|e| lost(&e))?; None }
            why = cancel.cancelled() => Some(why),
        };
        return match cancelled {
            // A Ctrl-C of the terminal was meant for us: it has come while the child was not yet in its own group.
            None if child.never_began() => continue,
            None => child.end_naturally(patience).await,
            Some(why) => child.end(why, patience, exited).await,
        };
    }
}

struct Started {
    handle: duct::Handle,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
    stdin: Option<(pipe::Sender, Vec<u8>)>,
}

async fn start(launch: Launch) -> Result<Started, ProcessError> {
    let name = launch.name.to_string_lossy().into_owned();
    let fault = |error: io::Error| ProcessError::new(format!("{name}: {}", words(&error)));
    if !launch.cwd.is_dir() {
        let message = format!("{}: no such folder to run `{name}` in", launch.cwd.display());
        return Err(ProcessError::new(message));
    }
    let (stdout, stdout_child) = io::pipe().map_err(fault)?;
    let (stderr, stderr_child) = io::pipe().map_err(fault)?;
    let arg0 = launch.name;
    let mut expression = duct::cmd(launch.program, launch.args)
        .full_env(launch.environment)
        .dir(launch.cwd)
        .stdout_file(OwnedFd::from(stdout_child))
        .stderr_file(OwnedFd::from(stderr_child))
        .unchecked()
        .before_spawn(move |command| {
            command.process_group(0).arg0(&arg0);
            Ok(())
        });
    let mut stdin = None;
    expression = match launch.stdin {
        None => expression.stdin_null(),
        Some(bytes) => {
            let (theirs, ours) = io::pipe().map_err(fault)?;
            let ours = pipe::Sender::from_owned_fd(OwnedFd::from(ours)).map_err(fault)?;
            stdin = Some((ours, bytes));
            expression.stdin_file(OwnedFd::from(theirs))
        }
    };
    let stdout = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout)).map_err(fault)?;
    let stderr = pipe::Receiver::from_owned_fd(OwnedFd::from(stderr)).map_err(fault)?;
    let mut tries = 0;
    let handle = loop {
        match expression.start() {
            // Somebody who forks at this moment may still hold a program open that was written just before.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < 10 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            other => break other.map_err(fault)?,
        }
    };
    // The expression holds our copies of the child's ends: with it go the last ones that are not the child's.
    drop(expression);
    Ok(Started { handle, stdout, stderr, stdin })
}

fn lost(error: &io::Error) -> ProcessError {
    // Out of descriptors, say. What it has done by now, nobody knows.
    ProcessError { started: true, ..ProcessError::new(format!("the process cannot be watched: {error}")) }
}

/// A process group whose leader we started; killed whole if it is let go before its end.
struct Group {
    id: Pid,
    handle: duct::Handle,
    reaped: bool,
}

impl Group {
    fn signal(&self, signal: Signal) {
        // Gone is what we want; not permitted cannot be helped and shows as a group that does not end.
        let _ = kill_process_group(self.id, signal);
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.handle.wait()?.status;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            // Reaps it; a kill that has been sent cannot be refused.
            let _ = self.handle.wait();
        }
    }
}

struct Child<'w> {
    group: Group,
    streams: [(LogStream, Option<pipe::Receiver>); 2],
    stdin: Option<(pipe::Sender, Vec<u8>)>,
    watch: &'w mut dyn Watch,
    buffer: Vec<u8>,
}

impl<'w> Child<'w> {
    fn new(started: Started, watch: &'w mut dyn Watch) -> Result<Child<'w>, ProcessError> {
        let pid = started.handle.pids().first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
        let Some(id) = pid else {
            return Err(ProcessError { started: true, ..ProcessError::new("the process has no id") });
        };
        watch.spawned(id);
        Ok(Child {
            group: Group { id, handle: started.handle, reaped: false },
            streams: [(LogStream::Stdout, Some(started.stdout)), (LogStream::Stderr, Some(started.stderr))],
            stdin: started.stdin,
            watch,
            buffer: Vec::new(),
        })
    }

    /// Moves data until `until` ends.
    async fn pump<T>(&mut self, until: &mut Pin<&mut impl Future<Output = T>>) -> T {
        loop {
            let [(_, stdout), (_, stderr)] = &self.streams;
            let which = tokio::select! {
                biased;
                readable = readable(stdout.as_ref()) => readable.map(|()| 0),
                readable = readable(stderr.as_ref()) => readable.map(|()| 1),
                written = write(&self.stdin) => { self.written(written); continue }
                over = until.as_mut() => return over,
            };
            // An error on a pipe is its end.
            match which {
                Ok(at) => self.read(at),
                Err(_) => self.streams.iter_mut().for_each(|(_, stream)| *stream = None),
            }
        }
    }

    fn read(&mut self, at: usize) {
        self.buffer.resize(CHUNK, 0);
        let (name, stream) = &mut self.streams[at];
        match stream.as_ref().map(|stream| stream.try_read(&mut self.buffer)) {
            Some(Ok(read)) if read > 0 => self.watch.output(*name, Some(&self.buffer[..read])),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => *stream = None,
        }
    }

    fn written(&mut self, written: io::Result<usize>) {
        match (&mut self.stdin, written) {
            (Some((_, bytes)), Ok(written)) if written < bytes.len() => drop(bytes.drain(..written)),
            // All written; or the child does not want it.
            _ => self.stdin = None,
        }
    }

    /// Whether a signal has ended it before it became the program: nothing of that has run.
    fn never_began(&self) -> bool {
        let peek = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let signalled = waitid(WaitId::Pid(self.group.id), peek)
            .is_ok_and(|status| status.is_some_and(|status| status.killed() || status.dumped()));
        signalled && platform::never_became(self.group.id)
    }

    fn silent(&self) -> bool {
        self.streams.iter().all(|(_, stream)| stream.is_none())
    }

    /// Moves data until the streams are over, or until this instant.
    async fn drain(&mut self, deadline: Instant) {
        while !self.silent() && Instant::now() < deadline {
            let [(_, stdout), (_, stderr)] = &self.streams;
            let at = tokio::select! {
                biased;
                _ = readable(stdout.as_ref()) => 0,
                _ = readable(stderr.as_ref()) => 1,
                () = sleep_until(deadline) => return,
            };
            self.read(at);
        }
    }

    /// The leader has ended by itself.
    async fn end_naturally(mut self, patience: Patience) -> Result<Exit, ProcessError> {
        let status = self.group.reap().map_err(|e| lost(&e))?;
        // The group's number is not used again while a member lives. The common case ends here, for one system call.
        if test_kill_process_group(self.group.id).is_ok() {
            self.end_rest(patience).await;
        }
        self.finish(Some(status), None, patience).await
    }

    /// Something is left in the group: it may end by itself for a while, then it is ended.
    async fn end_rest(&mut self, patience: Patience) {
        if self.group_ends(Instant::now() + patience.linger).await {
            return;
        }
        self.watch.note("the step left processes behind in its group; they are ended (a service belongs in a session of its own: setsid)");
        self.group.signal(Signal::TERM);
        if !self.group_ends(Instant::now() + patience.grace).await {
            self.kill(patience).await;
        }
    }

    /// KILL to the group, and its end: a process that was sent a KILL runs until the system comes to it. False if the
    /// system does not end it.
    async fn kill(&mut self, patience: Patience) -> bool {
        self.group.signal(Signal::KILL);
        let ends = self.group_ends(Instant::now() + patience.killed).await;
        if !ends {
            self.watch.note("the system does not end them (they wait for a device): left behind");
        }
        ends
    }

    /// Waits for the last process of the group to end; false if it is not over by then.
    async fn group_ends(&mut self, deadline: Instant) -> bool {
        let mut turn = Duration::from_millis(2);
        while platform::group_alive(self.group.id) {
            if Instant::now() >= deadline {
                return false;
            }
            self.pump(&mut pin!(tokio::time::sleep(turn))).await;
            turn = (turn * 2).min(Duration::from_millis(100));
        }
        true
    }

    /// TERM to the group, the grace, KILL to the group; only then is the leader reaped, so that the group's number
    /// cannot have become somebody else's.
    async fn end(
        mut self,
        why: Cancelled,
        patience: Patience,
        mut exited: Pin<&mut impl Future<Output = io::Result<()>>>,
    ) -> Result<Exit, ProcessError> {
        self.stdin = None;
        self.watch.note(match why {
            Cancelled::Timeout => "the time of this attempt is over: ending its processes",
            Cancelled::Run => "told to stop: ending its processes",
        });
        self.group.signal(Signal::TERM);
        if !self.group_ends(Instant::now() + patience.grace).await {
            self.watch.note("they did not end in time: killed");
        }
        let status = if self.kill(patience).await {
            self.pump(&mut exited).await.map_err(|e| lost(&e))?;
            Some(self.group.reap().map_err(|e| lost(&e))?)
        } else {
            self.group.reaped = true;
            None
        };
        self.finish(status, Some(why), patience).await
    }

    /// The group has gone. What output is left is read; what somebody outside the group still holds open is not
    /// waited for.
    async fn finish(
        mut self,
        status: Option<ExitStatus>,
        cancelled: Option<Cancelled>,
        patience: Patience,
    ) -> Result<Exit, ProcessError> {
        self.drain(Instant::now() + patience.drain).await;
        if !self.silent() {
            self.watch
                .note("a process outside the step's group still holds its output open; it is not waited for");
        }
        self.watch.output(LogStream::Stdout, None);
        self.watch.output(LogStream::Stderr, None);
        Ok(Exit { status, cancelled })
    }
}

async fn readable(stream: Option<&pipe::Receiver>) -> io::Result<()> {
    match stream {
        Some(stream) => stream.readable().await,
        None => std::future::pending().await,
    }
}

async fn write(stdin: &Option<(pipe::Sender, Vec<u8>)>) -> io::Result<usize> {
    let Some((pipe, bytes)) = stdin else { return std::future::pending().await };
    loop {
        pipe.writable().await?;
        match pipe.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

impl Exit {
    /// The exit code, if it exited.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    /// The signal that ended it, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.and_then(|status| status.signal())
    }
}

#[cfg(test)]
mod tests;
