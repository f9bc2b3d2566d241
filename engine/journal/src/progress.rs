//! How far the record of a run has come, shared by its executor, the writer and the bell.

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

/// What an executor is told, from one of the journal's own threads: it must return at once.
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
    pub(crate) fn fail(&self, fault: &Fault) {
        let mut state = self.lock();
        if state.fault.is_some() {
            return;
        }
        state.fault = Some(fault.clone());
        drop(state);
        self.changed.notify_all();
        self.wake(Wake::Fault(fault.clone()));
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
