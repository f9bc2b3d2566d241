//! Virtual time: nothing really waits.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::lock;

/// A clock that stands still while anything can go on, and then jumps to the next thing that is waited for.
#[derive(Debug, Default)]
pub(super) struct Clock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now_ns: u64,
    timers: u64,
    /// By when they are due, and in the order of their making.
    due: BTreeMap<(u64, u64), Waker>,
}

impl Clock {
    pub(super) fn now_ns(&self) -> u64 {
        lock(&self.state).now_ns
    }

    /// Ends at this time; never if that is `u64::MAX`.
    pub(super) async fn until(&self, due_ns: u64) {
        let timer = {
            let mut state = lock(&self.state);
            state.timers += 1;
            state.timers
        };
        let _remove = Remove { clock: self, key: (due_ns, timer) };
        poll_fn(|context| {
            let mut state = lock(&self.state);
            if state.now_ns >= due_ns && due_ns != u64::MAX {
                return Poll::Ready(());
            }
            state.due.insert((due_ns, timer), context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Runs a future to its end.
    ///
    /// # Panics
    /// If it waits for something that never comes.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                    return value;
                }
            }
            self.jump();
        }
    }

    /// Moves on to the next timer and wakes who waits for it.
    fn jump(&self) {
        let waker = {
            let mut state = lock(&self.state);
            match state.due.pop_first() {
                Some(((due_ns, _), waker)) if due_ns != u64::MAX => {
                    state.now_ns = state.now_ns.max(due_ns);
                    waker
                }
                _ => panic!("the step waits for something that never comes"),
            }
        };
        waker.wake();
    }
}

/// Takes a timer away that nobody waits for any more, so that time does not jump to it.
struct Remove<'a> {
    clock: &'a Clock,
    key: (u64, u64),
}

impl Drop for Remove<'_> {
    fn drop(&mut self) {
        lock(&self.clock.state).due.remove(&self.key);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
