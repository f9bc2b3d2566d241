//! What a step type may touch, and through what.
//!
//! The engine hands in implementations; tests hand in fakes. A step never reaches around them:
//! that is what makes timeouts, cancellation, process groups, masking and the idempotency key
//! hold for every step type alike.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::task::Poll;

use crate::{BoxFuture, Secret, Value};

/// The world of one attempt.
///
/// When the attempt is cancelled, what waits in [`Processes`], [`Http`] and [`Net`] ends by itself and says so in its
/// result, because only the engine knows how far it had come. Everything else that waits must watch
/// [`Context::cancelled`]; `ctx.pause(ms)` does.
pub trait Context: Send + Sync {
    /// Child processes.
    fn processes(&self) -> &dyn Processes;
    /// HTTP.
    fn http(&self) -> &dyn Http;
    /// Plain TCP.
    fn net(&self) -> &dyn Net;
    /// Files.
    fn files(&self) -> &dyn Files;
    /// Wall time, milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
    /// Monotonic time in nanoseconds since an arbitrary start, for measuring.
    fn monotonic_ns(&self) -> u64;
    /// Ends after this many milliseconds, cancelled or not: step types want `pause`.
    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()>;
    /// Ends when the attempt should stop (its timeout, a cancel), and never otherwise.
    fn cancelled(&self) -> BoxFuture<'_, Cancelled>;
    /// A line of the step's log; kept with the run, masked, shown by `runbook logs`.
    fn log(&self, stream: LogStream, line: &str);
    /// What is going on now, in one line; the last one is shown on the live tree, none is recorded.
    fn progress(&self, line: &str);
    /// The text with every secret in it replaced that is known so far. What is recorded and shown goes through it anyway;
    /// a step type that cuts a text for a message does so first, since half a secret is not recognised any more.
    fn hide(&self, text: &str) -> String;
    /// The content of a secret, at the moment of use. `Err` is one line in the provider's words.
    fn reveal<'a>(&'a self, secret: &'a Secret) -> BoxFuture<'a, Result<String, String>>;
}

impl dyn Context + '_ {
    /// Waits this many milliseconds, or less if the attempt is cancelled.
    pub async fn pause(&self, ms: u64) -> Result<(), Cancelled> {
        let mut sleep = self.sleep(ms);
        let mut cancelled = self.cancelled();
        poll_fn(|context| match cancelled.as_mut().poll(context) {
            Poll::Ready(why) => Poll::Ready(Err(why)),
            Poll::Pending => sleep.as_mut().poll(context).map(Ok),
        })
        .await
    }

    /// What a future comes to, if it ends within this many milliseconds and before the attempt is cancelled.
    pub async fn within<T>(&self, ms: u64, future: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut future = pin!(future);
        let mut pause = pin!(self.pause(ms));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => pause.as_mut().poll(context).map(|paused| match paused {
                Ok(()) => Err(Stopped::TooLong),
                Err(why) => Err(Stopped::Cancelled(why)),
            }),
        })
        .await
    }

    /// Whether the attempt should stop by now.
    pub async fn stopping(&self) -> Option<Cancelled> {
        let mut cancelled = self.cancelled();
        poll_fn(|context| match cancelled.as_mut().poll(context) {
            Poll::Ready(why) => Poll::Ready(Some(why)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

/// Why `within` gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The time that was given is over.
    TooLong,
    /// The attempt should stop.
    Cancelled(Cancelled),
}

/// The attempt should stop, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// Its own timeout or deadline.
    Timeout,
    /// The run is being cancelled, or a guard tripped.
    Run,
}

/// Which stream a log line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    Stdout,
    Stderr,
    /// The step type's own words.
    Note,
}

/// Child processes. Each runs in a process group of its own, recorded as soon as it has started and found by the
/// idempotency key in its environment before that; TERM, a grace, then KILL for the whole group when the attempt is
/// cancelled.
pub trait Processes: Send + Sync {
    /// Runs to the end. Output goes to the log line by line, and a bounded tail into the result.
    fn run<'a>(&'a self, request: &'a ProcessRequest) -> BoxFuture<'a, Result<ProcessExit, ProcessError>>;
}

/// A child process to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessRequest {
    /// The program (looked up in the step's PATH) and its arguments.
    pub argv: Vec<String>,
    /// Additional environment; the engine adds the allowlisted one, `RUNBOOK_OUTPUT` and `RUNBOOK_IDEMPOTENCY_KEY`.
    /// Values are strings or secrets.
    pub env: BTreeMap<String, Value>,
    /// Working folder; relative to the runbook's folder.
    pub cwd: Option<PathBuf>,
    /// Bytes for standard input; none is `/dev/null`.
    pub stdin: Option<String>,
    /// Keep all of stdout in the result (for `stdout: json`), up to the engine's limit.
    pub capture_stdout: bool,
}

/// A child process that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessExit {
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// The attempt was cancelled and the group was ended by us.
    pub cancelled: Option<Cancelled>,
    /// All of stdout where asked for, else a tail of it (at most 4 KiB, lossy UTF-8).
    pub stdout: String,
    /// All of stdout was asked for and it is more than the engine keeps, so `stdout` is the tail.
    pub stdout_cut: bool,
    /// A tail of stderr (at most 4 KiB, lossy UTF-8).
    pub stderr_tail: String,
    /// `name=value` pairs that the process wrote to `$RUNBOOK_OUTPUT`, or why they could not be read.
    pub outputs: Result<BTreeMap<String, String>, String>,
}

/// A process that did not start, or of which nobody knows how it ended.
#[derive(Debug, Clone, PartialEq, Default, thiserror::Error)]
#[error("{message}")]
pub struct ProcessError {
    /// In the system's words: `bash: No such file or directory`.
    pub message: String,
    pub hint: Option<String>,
    /// It had started; else there is provably no effect.
    pub started: bool,
    /// It was not started because the attempt should stop.
    pub cancelled: Option<Cancelled>,
}

impl ProcessError {
    /// It did not start.
    pub fn new(message: impl Into<String>) -> Self {
        ProcessError { message: message.into(), ..ProcessError::default() }
    }
}

/// HTTP.
pub trait Http: Send + Sync {
    /// Sends a request. The engine adds `Idempotency-Key` to requests that are not GET, HEAD or OPTIONS.
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>>;
}

/// A request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpRequest {
    pub method: String,
    pub url: Value,
    /// Values are strings or secrets.
    pub headers: BTreeMap<String, Value>,
    pub body: HttpBody,
    /// How many redirects to follow; 0 returns the redirect itself. One to another server is not followed with a secret,
    /// nor with a method that changes something: it is the answer then.
    pub redirects: u32,
    /// The most bytes of a body that are read; a longer one is [`HttpError::TooLong`]. Default 1 MiB when 0.
    pub max_body: usize,
    /// Milliseconds for this request alone; the attempt's own timeout holds anyway.
    pub timeout_ms: Option<u64>,
}

/// A request's body.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum HttpBody {
    #[default]
    Empty,
    /// Text or a secret.
    Text(Value),
    /// A value as JSON; secrets inside are revealed when it is sent.
    Json(Value),
    /// Form fields.
    Form(BTreeMap<String, Value>),
}

/// A response.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpResponse {
    pub status: u16,
    /// Lower-case names; several of one name are joined by `, `.
    pub headers: BTreeMap<String, String>,
    pub body: bytes::Bytes,
    /// From before connecting to the last byte of the body.
    pub elapsed_ns: u64,
    /// How many redirects were followed. After one, the status says nothing about the request that was asked for.
    pub hops: u32,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HttpError {
    /// The request itself is malformed; nothing was sent.
    #[error("{0}")]
    Invalid(String),
    /// Nobody answered; nothing was sent.
    #[error("{0}")]
    Connect(String),
    /// Something was sent (be it that a redirect was followed), and no whole answer came.
    #[error("{0}")]
    Lost(String),
    /// No whole answer within the request's own time (`sent` says whether anything had left).
    #[error("{message}")]
    Timeout { message: String, sent: bool },
    /// The attempt was cancelled before a whole answer came (`sent` says whether anything had left).
    #[error("{} before an answer came", match why { Cancelled::Timeout => "its time was over", Cancelled::Run => "cancelled" })]
    Cancelled { why: Cancelled, sent: bool },
    /// An answer came, after so many redirects, and its body is longer than allowed.
    #[error("status {status}, but the body is longer than {limit} bytes")]
    TooLong { limit: usize, status: u16, hops: u32 },
}

/// Plain TCP.
pub trait Net: Send + Sync {
    /// Connects and closes; the time it took in nanoseconds, or why not in the system's words.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<u64, String>>;
}

/// Files. A relative path starts in the runbook's folder, and neither `..` nor a symbolic link may lead it out of the
/// project; an absolute one goes where it says. Symbolic links are followed: what one points to is read or replaced, and
/// it stays a link. One that points nowhere is an error.
pub trait Files: Send + Sync {
    /// The whole content of a regular file of at most so many bytes.
    fn read<'a>(&'a self, path: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<u8>, FileError>>;
    /// Writes beside and renames, so that a reader sees the old content or the new. An error leaves the old one, except
    /// [`FileError::Unsettled`].
    /// `mode` as in chmod; without it a file keeps the one that it has, and a new one gets what the umask leaves. A file
    /// that is replaced keeps its owner and group; where that is not permitted, or it has other names (hard links) that
    /// would keep the old content, it is an error.
    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a [u8],
        mode: Option<u32>,
    ) -> BoxFuture<'a, Result<(), FileError>>;
    /// Deletes a file. An error leaves it, except [`FileError::Unsettled`].
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), FileError>>;
    /// The permission bits of a file; `None` where there is no such file.
    fn mode<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u32>, FileError>>;
    /// A file that the plan pinned: its content as it was when the run was planned.
    fn pinned<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, FileError>>;
}

/// Why a file could not be read or written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FileError {
    #[error("{0}: no such file")]
    NotFound(String),
    #[error("{path}: longer than {most} bytes")]
    TooLong { path: String, most: usize },
    /// It was changed, and whether the change outlives a crash of the machine is not known.
    #[error("{0}")]
    Unsettled(String),
    #[error("{0}")]
    Other(String),
}
