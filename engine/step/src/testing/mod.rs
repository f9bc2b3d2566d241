//! A world for tests of step types: no processes, no network, no files, and time that does not pass by itself.
//!
//! ```
//! use runbook_step::testing::{Fake, response};
//! use runbook_step::{Context, HttpRequest};
//!
//! let fake = Fake::new().on_http(|request| match request.url.as_str() {
//!     Some("http://shop/health") => response(200, "fine").after(120),
//!     _ => response(404, "").after(5),
//! });
//! let status = fake.block_on(async {
//!     let ctx: &dyn Context = &fake;
//!     ctx.pause(60_000).await.expect("nobody cancels");
//!     let request = HttpRequest { url: "http://shop/health".into(), ..Default::default() };
//!     ctx.http().send(&request).await.expect("it answers").status
//! });
//! assert_eq!(status, 200);
//! assert_eq!(fake.elapsed_ms(), 60_120);
//! ```

mod clock;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clock::Clock;

use crate::{
    Cancelled, HttpError, HttpRequest, HttpResponse, LogStream, ProcessError, ProcessExit, ProcessRequest,
};

/// What happens to a step type in a test. See the [module](self) for an example.
#[derive(Default)]
pub struct Fake {
    clock: Clock,
    cancel: Option<(u64, Cancelled)>,
    process: Option<Handler<ProcessRequest, Result<ProcessExit, ProcessError>>>,
    http: Option<Handler<HttpRequest, Result<HttpResponse, HttpError>>>,
    connect: Option<Handler<(String, u16), Result<(), String>>>,
    secrets: BTreeMap<String, String>,
    pinned: BTreeMap<String, Vec<u8>>,
    files: Mutex<BTreeMap<String, File>>,
    unsettled: bool,
    seen: Mutex<Seen>,
}

type Handler<Q, A> = Box<dyn Fn(&Q) -> Answer<A> + Send + Sync>;

/// An answer, and how long it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    pub value: T,
    /// Virtual milliseconds; `u64::MAX` is for ever.
    pub after_ms: u64,
}

impl<T> Answer<T> {
    /// An answer that comes at once.
    pub fn now(value: T) -> Self {
        Answer { value, after_ms: 0 }
    }

    /// The same answer after this many virtual milliseconds.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Answer { after_ms: ms, ..self }
    }

    /// Never: whoever waits is ended by a timeout or a cancel.
    #[must_use]
    pub fn never(self) -> Self {
        self.after(u64::MAX)
    }
}

impl<T> From<T> for Answer<T> {
    fn from(value: T) -> Self {
        Answer::now(value)
    }
}

/// An HTTP response without headers.
pub fn response(status: u16, body: impl Into<Vec<u8>>) -> Answer<Result<HttpResponse, HttpError>> {
    Answer::now(Ok(HttpResponse { status, body: body.into().into(), ..HttpResponse::default() }))
}

/// A process that ends with this code, this stdout and this stderr, and writes no outputs.
pub fn exit(code: i32, stdout: &str, stderr: &str) -> Answer<Result<ProcessExit, ProcessError>> {
    Answer::now(Ok(ProcessExit {
        code: Some(code),
        signal: None,
        cancelled: None,
        stdout: stdout.to_owned(),
        stdout_cut: false,
        stderr_tail: stderr.to_owned(),
        outputs: Ok(BTreeMap::new()),
    }))
}

/// A file of a [`Fake`].
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub content: Vec<u8>,
    pub mode: u32,
}

/// What a step type did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    pub processes: Vec<ProcessRequest>,
    pub requests: Vec<HttpRequest>,
    pub connects: Vec<(String, u16)>,
    pub logs: Vec<(LogStream, String)>,
    pub progress: Vec<String>,
    /// Names of the secrets whose content was asked for.
    pub revealed: Vec<String>,
}

impl Fake {
    /// A world in which nothing exists and nobody answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// What child processes do. Without this none starts.
    #[must_use]
    pub fn on_process<A>(mut self, handler: impl Fn(&ProcessRequest) -> A + Send + Sync + 'static) -> Self
    where
        A: Into<Answer<Result<ProcessExit, ProcessError>>>,
    {
        self.process = Some(Box::new(move |request| handler(request).into()));
        self
    }

    /// What servers answer. Without this every connection is refused.
    #[must_use]
    pub fn on_http<A>(mut self, handler: impl Fn(&HttpRequest) -> A + Send + Sync + 'static) -> Self
    where
        A: Into<Answer<Result<HttpResponse, HttpError>>>,
    {
        self.http = Some(Box::new(move |request| handler(request).into()));
        self
    }

    /// Who accepts TCP connections. Without this nobody does.
    #[must_use]
    pub fn on_connect<A>(mut self, handler: impl Fn(&(String, u16)) -> A + Send + Sync + 'static) -> Self
    where
        A: Into<Answer<Result<(), String>>>,
    {
        self.connect = Some(Box::new(move |target| handler(target).into()));
        self
    }

    /// A file that is there, with mode 0644.
    #[must_use]
    pub fn file(self, path: &str, content: &str) -> Self {
        lock(&self.files).insert(path.to_owned(), File { content: content.into(), mode: 0o644 });
        self
    }

    /// Files are changed, but whether that outlives a crash is not known: [`crate::FileError::Unsettled`].
    #[must_use]
    pub fn unsettled_files(mut self) -> Self {
        self.unsettled = true;
        self
    }

    /// A file that the plan pinned.
    #[must_use]
    pub fn pinned(mut self, path: &str, content: &str) -> Self {
        self.pinned.insert(path.to_owned(), content.into());
        self
    }

    /// The content of a secret.
    #[must_use]
    pub fn secret(mut self, name: &str, content: &str) -> Self {
        self.secrets.insert(name.to_owned(), content.to_owned());
        self
    }

    /// The attempt is cancelled at this virtual time.
    #[must_use]
    pub fn cancel_at(mut self, ms: u64, why: Cancelled) -> Self {
        self.cancel = Some((ms, why));
        self
    }

    /// Runs a future to its end; whenever all of it waits, time jumps to the next thing that is waited for.
    ///
    /// # Panics
    /// If it waits for something that never comes: a step type that does not watch [`crate::Context::cancelled`].
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.clock.block_on(future)
    }

    /// How much virtual time has passed.
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.now_ns() / NS_PER_MS
    }

    /// What the step type did so far.
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// The file at this path as it is now.
    pub fn file_now(&self, path: &str) -> Option<File> {
        lock(&self.files).get(path).cloned()
    }
}

const NS_PER_MS: u64 = 1_000_000;

/// A test that panicked while it held the lock has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
