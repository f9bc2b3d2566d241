//! [`Fake`] as a [`Context`].

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::{Answer, Fake, File, NS_PER_MS, lock};
use crate::{
    BoxFuture, Cancelled, Context, FileError, Files, Http, HttpError, HttpRequest, HttpResponse, LogStream,
    Net, ProcessError, ProcessExit, ProcessRequest, Processes, Secret, SecretPart,
};

/// 2026-01-05T00:00:00Z, a Monday.
const START_MS: u64 = 1_767_571_200_000;

/// Why an answer did not come.
enum Ended {
    Timeout,
    Cancelled(Cancelled),
}

impl Fake {
    async fn wait(&self, ms: u64) {
        let due = if ms == u64::MAX { u64::MAX } else { self.clock.now_ns() + ms * NS_PER_MS };
        self.clock.until(due).await;
    }

    async fn cancel(&self) -> Cancelled {
        match self.cancel {
            Some((at_ms, why)) => {
                self.clock.until(at_ms * NS_PER_MS).await;
                why
            }
            None => std::future::pending().await,
        }
    }

    fn settled(&self, path: &str) -> Result<(), FileError> {
        match self.unsettled {
            true => Err(FileError::Unsettled(format!("{path}: changed, but not put on disk"))),
            false => Ok(()),
        }
    }

    /// The answer when its time has come, unless a timeout or a cancel comes first.
    async fn answer<T>(&self, answer: Answer<T>, timeout_ms: Option<u64>) -> Result<T, Ended> {
        let mut cancelled = pin!(self.cancel());
        let mut answered = pin!(self.wait(answer.after_ms));
        let mut timeout = pin!(self.wait(timeout_ms.unwrap_or(u64::MAX)));
        poll_fn(|context| {
            if answered.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(why) = cancelled.as_mut().poll(context) {
                return Poll::Ready(Err(Ended::Cancelled(why)));
            }
            timeout.as_mut().poll(context).map(|()| Err(Ended::Timeout))
        })
        .await
        .map(|()| answer.value)
    }
}

impl Context for Fake {
    fn processes(&self) -> &dyn Processes {
        self
    }

    fn http(&self) -> &dyn Http {
        self
    }

    fn net(&self) -> &dyn Net {
        self
    }

    fn files(&self) -> &dyn Files {
        self
    }

    fn now_ms(&self) -> u64 {
        START_MS + self.elapsed_ms()
    }

    fn monotonic_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(self.wait(ms))
    }

    fn cancelled(&self) -> BoxFuture<'_, Cancelled> {
        Box::pin(self.cancel())
    }

    fn log(&self, stream: LogStream, line: &str) {
        lock(&self.seen).logs.push((stream, line.to_owned()));
    }

    fn progress(&self, line: &str) {
        lock(&self.seen).progress.push(line.to_owned());
    }

    fn hide(&self, text: &str) -> String {
        let secrets = self.secrets.values();
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    fn reveal<'a>(&'a self, secret: &'a Secret) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let mut text = String::new();
            for part in &secret.parts {
                match part {
                    SecretPart::Text(plain) => text.push_str(plain),
                    SecretPart::Name(name) => {
                        lock(&self.seen).revealed.push(name.clone());
                        text.push_str(self.secrets.get(name).ok_or_else(|| format!("no secret `{name}`"))?);
                    }
                }
            }
            Ok(text)
        })
    }
}

impl Processes for Fake {
    fn run<'a>(&'a self, request: &'a ProcessRequest) -> BoxFuture<'a, Result<ProcessExit, ProcessError>> {
        Box::pin(async move {
            lock(&self.seen).processes.push(request.clone());
            let Some(handler) = &self.process else {
                let program = request.argv.first().map_or("", String::as_str);
                let message = format!("{program}: No such file or directory");
                return Err(ProcessError::new(message));
            };
            match self.answer(handler(request), None).await {
                Ok(end) => end,
                Err(why) => Ok(ProcessExit {
                    code: None,
                    signal: Some(15),
                    cancelled: Some(match why {
                        Ended::Cancelled(why) => why,
                        Ended::Timeout => Cancelled::Timeout,
                    }),
                    stdout: String::new(),
                    stdout_cut: false,
                    stderr_tail: String::new(),
                    outputs: Ok(Default::default()),
                }),
            }
        })
    }
}

impl Http for Fake {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> BoxFuture<'a, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            lock(&self.seen).requests.push(request.clone());
            let Some(handler) = &self.http else {
                return Err(HttpError::Connect("connection refused".into()));
            };
            let start = self.clock.now_ns();
            match self.answer(handler(request), request.timeout_ms).await {
                Ok(Ok(response)) => {
                    let longest = if request.max_body == 0 { 1 << 20 } else { request.max_body };
                    if response.body.len() > longest {
                        let HttpResponse { status, hops, .. } = response;
                        return Err(HttpError::TooLong { limit: longest, status, hops });
                    }
                    Ok(HttpResponse { elapsed_ns: self.clock.now_ns() - start, ..response })
                }
                Ok(Err(error)) => Err(error),
                Err(Ended::Timeout) => Err(HttpError::Timeout { message: "no answer".into(), sent: true }),
                Err(Ended::Cancelled(why)) => Err(HttpError::Cancelled { why, sent: true }),
            }
        })
    }
}

impl Net for Fake {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<u64, String>> {
        Box::pin(async move {
            let target = (host.to_owned(), port);
            lock(&self.seen).connects.push(target.clone());
            let Some(handler) = &self.connect else { return Err("connection refused".into()) };
            let start = self.clock.now_ns();
            match self.answer(handler(&target), None).await {
                Ok(connected) => connected.map(|()| self.clock.now_ns() - start),
                Err(_) => Err("cancelled".into()),
            }
        })
    }
}

impl Files for Fake {
    fn read<'a>(&'a self, path: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        Box::pin(async move {
            let files = lock(&self.files);
            let file = files.get(path).ok_or_else(|| FileError::NotFound(path.into()))?;
            match file.content.len() > most {
                true => Err(FileError::TooLong { path: path.into(), most }),
                false => Ok(file.content.clone()),
            }
        })
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a [u8],
        mode: Option<u32>,
    ) -> BoxFuture<'a, Result<(), FileError>> {
        Box::pin(async move {
            let mut files = lock(&self.files);
            let mode = mode.or_else(|| files.get(path).map(|file| file.mode)).unwrap_or(0o644);
            files.insert(path.to_owned(), File { content: content.to_vec(), mode });
            self.settled(path)
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        Box::pin(async move {
            let removed = lock(&self.files).remove(path);
            removed.ok_or_else(|| FileError::NotFound(path.into()))?;
            self.settled(path)
        })
    }

    fn mode<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u32>, FileError>> {
        Box::pin(async move { Ok(lock(&self.files).get(path).map(|file| file.mode)) })
    }

    fn pinned<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        Box::pin(async move {
            self.pinned
                .get(path)
                .cloned()
                .ok_or_else(|| FileError::Other(format!("{path}: not part of the plan")))
        })
    }
}
