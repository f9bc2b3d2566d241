//! Following a run from any process.

use std::time::{Duration, Instant};

use runbook_wire::Record;

use crate::bell::{Heard, Subscription};
use crate::chain::Hash;
use crate::events::{self, ReadError};
use crate::journal::Journal;
use crate::store::StoreError;

/// How often a run without an executor is looked at: nobody is there who could ring.
const UNATTENDED_LOOK: Duration = Duration::from_millis(250);

/// How many events are given at once.
const PAGE: usize = 512;

/// Follows a run: its events as they become durable. While an executor is there it rings after each commit; without one
/// the run is looked at a few times a second.
#[derive(Debug)]
pub struct Follow<'a> {
    journal: &'a Journal,
    run: String,
    next: u64,
    previous: Option<Hash>,
    subscription: Option<Subscription>,
    attended: Option<bool>,
}

/// What following brought.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The next events.
    Events(Vec<Record>),
    /// An executor took the run. Comes before the first other news too, if one is there.
    Attended,
    /// The run has no executor (any more), and all its events have been given. Comes once until there are more
    /// events or there is one again.
    Unattended,
    /// Nothing within the time.
    Nothing,
}

impl<'a> Follow<'a> {
    pub(crate) fn new(journal: &'a Journal, run: &str, from: u64) -> Follow<'a> {
        Follow {
            journal,
            run: run.to_owned(),
            next: from.max(1),
            previous: None,
            subscription: None,
            attended: None,
        }
    }

    /// Waits for news, at most this long.
    ///
    /// # Errors
    /// If the run cannot be read, or is not what was written.
    pub fn next(&mut self, timeout: Duration) -> Result<News, ReadError> {
        let begun = Instant::now();
        loop {
            // Subscribe before looking, so that nothing is committed unheard between the two.
            if self.subscription.is_none() {
                self.subscription = self.journal.subscribe(&self.run)?;
            }
            if self.subscription.is_some() && self.attended != Some(true) {
                self.attended = Some(true);
                return Ok(News::Attended);
            }
            let page = events::read_page(&self.journal.reader(), &self.run, self.next, self.previous, PAGE)?;
            self.previous = Some(page.head);
            if !page.records.is_empty() {
                self.next += page.records.len() as u64;
                if self.subscription.is_none() {
                    // An executor was there and is gone between two looks, or it never was: to be said once more.
                    self.attended = None;
                }
                return Ok(News::Events(page.records.into_iter().map(|(record, _)| record).collect()));
            }
            if self.subscription.is_none() && self.attended != Some(false) {
                self.attended = Some(false);
                return Ok(News::Unattended);
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(News::Nothing);
            }
            match &mut self.subscription {
                Some(subscription) => {
                    if subscription.wait(left).map_err(StoreError::from)? == Heard::Gone {
                        self.subscription = None;
                    }
                }
                None => std::thread::park_timeout(left.min(UNATTENDED_LOOK)),
            }
        }
    }
}
