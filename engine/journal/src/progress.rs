//! How far the record of a run has come, shared by its executor, the writer and the bell.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use thiserror::Error;

use crate::bell::Subscribers;
use crate::store::StoreError;

/// Why nothing more is accepted, ever: after a failed write nobody knows what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A write or a sync failed. What was not reported durable may or may not be there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another executor has taken the run over.
    #[error("another executor has taken run {run} over (epoch {now}; this one has epoch {ours})")]
    Fenced { run: String, ours: u32, now: u32 },
    /// The stored run is not what this executor wrote: somebody else changed the journal.
    #[error(
        "the journal holds event {found} as the last one of run {run}; this executor had written event {expected}"
    )]
    Displaced { run: String, expected: u64, found: u64 },
    /// The writer ended unexpectedly.
    #[error("the journal's writer ended unexpectedly")]
    WriterGone,
}

/// What an executor is told, from one of the journal's own threads or while it takes the run: it must return at once.
///
/// After [`Wake::Fault`] only [`Wake::Nudged`] may come. By the time that any method of the executor reports a fault, it
/// has been told of it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Everything up to this event is on disk.
    Durable(u64),
    /// Somebody left something in the inbox, or freed a lock that the run waits for. May come without a cause.
    Nudged,
    /// The journal does not accept anything any more.
    Fault(Fault),
}

pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    /// Its executor was told of a fault, or is being told.
    failed: AtomicBool,
    waker: Box<dyn Fn(Wake) + Send + Sync>,
    pub(crate) subscribers: Subscribers,
}

#[derive(Debug, Default)]
struct State {
    durable: u64,
    fault: Option<Fault>,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Progress {
    pub(crate) fn new(durable: u64, waker: Box<dyn Fn(Wake) + Send + Sync>) -> Progress {
        Progress {
            state: Mutex::new(State { durable, fault: None }),
            changed: Condvar::new(),
            failed: AtomicBool::new(false),
            waker,
            subscribers: Subscribers::default(),
        }
    }

    pub(crate) fn wake(&self, wake: Wake) {
        (self.waker)(wake);
    }

    pub(crate) fn reached(&self, seq: u64) {
        self.lock().durable = seq;
        self.changed.notify_all();
        self.wake(Wake::Durable(seq));
        self.subscribers.ring();
    }

    /// Only the first fault counts.
    ///
    /// The executor is told first. Only then does a method of its own report the fault (`durable`, `wait`, and through
    /// them whatever it wants to write), and only when all executors have been told does the queue refuse: so whoever
    /// sees a fault anywhere finds it everywhere, and has nothing more to hear of what is durable.
    pub(crate) fn fail(&self, fault: &Fault) {
        if self.failed.swap(true, Ordering::Relaxed) {
            return;
        }
        self.wake(Wake::Fault(fault.clone()));
        self.lock().fault = Some(fault.clone());
        self.changed.notify_all();
    }

    pub(crate) fn durable(&self) -> Result<u64, Fault> {
        let state = self.lock();
        state.fault.clone().map_or(Ok(state.durable), Err)
    }

    pub(crate) fn wait(&self, seq: u64) -> Result<(), Fault> {
        let mut state = self.lock();
        loop {
            if state.durable >= seq {
                return Ok(());
            }
            if let Some(fault) = &state.fault {
                return Err(fault.clone());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use super::*;

    #[test]
    fn an_executor_is_told_of_a_fault_before_it_can_find_it_and_once() {
        static PROGRESS: OnceLock<Progress> = OnceLock::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&told);
        let progress = PROGRESS.get_or_init(|| {
            Progress::new(
                7,
                Box::new(move |wake| {
                    let found = PROGRESS.get().map(Progress::durable);
                    theirs.lock().unwrap().push((wake, found));
                }),
            )
        });
        progress.fail(&Fault::WriterGone);
        progress.fail(&Fault::Fenced { run: "k7f3q".to_owned(), ours: 1, now: 2 });
        assert_eq!(*told.lock().unwrap(), [(Wake::Fault(Fault::WriterGone), Some(Ok(7)))]);
        assert_eq!(progress.durable(), Err(Fault::WriterGone));
    }
}
