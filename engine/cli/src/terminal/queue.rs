//! What waits to be shown. A terminal that does not take its text (a Ctrl-S, a dead line) must not hold up the run: there
//! is room for every record, and what only says how far something is goes missing before it takes the memory of records.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::screen::Shown;

/// From so many on, progress and output are dropped.
const LIMIT: usize = 65_536;

/// The end that is written to.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    to: Sender<Shown>,
    waiting: Arc<AtomicUsize>,
}

/// The end that is read from.
#[derive(Debug)]
pub(crate) struct Queued {
    from: Receiver<Shown>,
    waiting: Arc<AtomicUsize>,
}

/// A queue for one screen.
pub(crate) fn queue() -> (Queue, Queued) {
    let (to, from) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Queue { to, waiting: Arc::clone(&waiting) }, Queued { from, waiting })
}

impl Queue {
    /// Hands over what must be shown; false where the screen is gone.
    pub(crate) fn send(&self, shown: Shown) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.to.send(shown).is_ok()
    }

    /// Hands over what may go missing; false where it does.
    pub(crate) fn offer(&self, shown: Shown) -> bool {
        self.waiting.load(Ordering::Relaxed) < LIMIT && self.send(shown)
    }
}

impl Queued {
    /// The next, if there is one within this time.
    pub(crate) fn next(&self, within: Duration) -> Result<Shown, RecvTimeoutError> {
        let next = self.from.recv_timeout(within)?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(next)
    }

    /// The next, if it is there already.
    pub(crate) fn ready(&self) -> Option<Shown> {
        self.next(Duration::ZERO).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_go_missing_does_so_before_what_may_not() {
        let (to, from) = queue();
        for _ in 0..LIMIT {
            assert!(to.offer(Shown::Warning("slow".into())));
        }
        assert!(!to.offer(Shown::Warning("one too many".into())));
        assert!(to.send(Shown::Accepted));
        while !matches!(from.ready(), Some(Shown::Accepted) | None) {}
        assert!(to.offer(Shown::Warning("again".into())));
        assert!(matches!(from.ready(), Some(Shown::Warning(text)) if text == "again"));
        drop(from);
        assert!(!to.send(Shown::Accepted));
    }
}
