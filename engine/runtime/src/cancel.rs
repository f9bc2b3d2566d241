//! The signal that an attempt should stop.

use runbook_step::Cancelled;
use tokio::sync::watch;

/// Tells one attempt to stop. The first reason counts.
#[derive(Debug, Clone)]
pub(crate) struct Cancel {
    reason: watch::Sender<Option<Cancelled>>,
}

impl Cancel {
    pub(crate) fn new() -> Cancel {
        Cancel { reason: watch::Sender::new(None) }
    }

    pub(crate) fn cancel(&self, why: Cancelled) {
        self.reason.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(why);
            first
        });
    }

    /// Why it should stop, if it should.
    pub(crate) fn reason(&self) -> Option<Cancelled> {
        *self.reason.borrow()
    }

    /// Ends when it should stop.
    pub(crate) async fn cancelled(&self) -> Cancelled {
        let mut reason = self.reason.subscribe();
        let seen = reason.wait_for(Option::is_some).await.map(|reason| *reason);
        // `self` holds the sender, so the channel cannot be closed.
        seen.ok().flatten().unwrap_or(Cancelled::Run)
    }
}
