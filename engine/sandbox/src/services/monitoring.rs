//! The monitoring: samples the router's counters, and says how many requests failed lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::folder::Folder;
use crate::role::Door;
use crate::router::Traffic;
use crate::serve::Refusal;
use crate::{Error, Role, Slot, process};

/// Time between two samples.
const EVERY: Duration = Duration::from_millis(200);
/// How far back one can ask, and so how long samples are kept.
const KEPT: Duration = Duration::from_secs(3600);
/// A last sample older than this is no monitoring.
const FRESH: Duration = Duration::from_secs(3);

type Counts = BTreeMap<Slot, Traffic>;

/// The counters as they were at a time; the clock's own time is for those who say when something happened.
#[derive(Debug)]
struct Sample {
    at: Instant,
    clock: Timestamp,
    counts: Counts,
}

/// Samples of ever-growing counters, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: VecDeque<Sample>,
}

/// Which requests are counted: both bounds hold where both are given, and all that is known where none is.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    window: Option<Duration>,
    since: Option<Timestamp>,
}

impl History {
    fn add(&mut self, sample: Sample) {
        // A counter that went down is a router that was restarted: what was before says nothing any more.
        let total = |counts: &Counts| counts.values().map(|traffic| traffic.requests).sum::<u64>();
        if self.samples.back().is_some_and(|last| total(&last.counts) > total(&sample.counts)) {
            self.samples.clear();
        }
        let at = sample.at;
        self.samples.push_back(sample);
        while self.samples.front().is_some_and(|first| at.duration_since(first.at) > KEPT) {
            self.samples.pop_front();
        }
    }

    /// What was counted for a slot within these bounds; `None` where there are no samples to say it.
    fn within(&self, slot: Slot, Bounds { window, since }: Bounds, now: Instant) -> Option<Traffic> {
        // The last one from before: what it counted is what does not count. A sample is stamped after it was taken, so
        // nothing that came later is in it.
        let before =
            since.map(|since| self.samples.partition_point(|sample| sample.clock <= since).checked_sub(1));
        let window = window
            .map(|window| self.samples.iter().position(|sample| now.duration_since(sample.at) <= window));
        let first = match (window, before) {
            (Some(window), before) => window?.max(before.flatten().unwrap_or(0)),
            (None, Some(before)) => before?,
            (None, None) => 0,
        };
        let of = |sample: &Sample| sample.counts.get(&slot).copied().unwrap_or_default();
        let (first, last) = (of(self.samples.get(first)?), of(self.samples.back()?));
        Some(Traffic { requests: last.requests - first.requests, failed: last.failed - first.failed })
    }

    fn fresh(&self, now: Instant) -> bool {
        self.samples.back().is_some_and(|last| now.duration_since(last.at) < FRESH)
    }
}

pub(super) type Watch = Arc<Mutex<History>>;

/// Begins to sample.
pub(super) fn start(folder: &Folder) -> (Watch, JoinHandle<()>) {
    let watch = Watch::default();
    let (history, folder) = (watch.clone(), folder.clone());
    let sampling = tokio::spawn(async move {
        let client = Client::new();
        let mut pace = tokio::time::interval(EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut router = None;
        loop {
            pace.tick().await;
            match sample(&folder, &client, &mut router).await {
                Ok(counts) => {
                    let sample = Sample { at: Instant::now(), clock: Timestamp::now(), counts };
                    history.lock().unwrap_or_else(PoisonError::into_inner).add(sample);
                }
                Err(error) => {
                    tracing::warn!("no sample: {error}");
                    router = None;
                }
            }
        }
    });
    (watch, sampling)
}

async fn sample(folder: &Folder, client: &Client, router: &mut Option<String>) -> Result<Counts, Error> {
    let url = match router {
        Some(url) => url.clone(),
        None => {
            let found = process::running(folder, Role::Router)?;
            let address = found.and_then(|found| found.address(Door::Router));
            let address = address.ok_or_else(|| Error::Answer("the router does not run".into()))?;
            router.insert(format!("http://{address}/-/traffic")).clone()
        }
    };
    let body = client.get(&url).await?.ok()?;
    serde_json::from_value(body).map_err(|error| Error::Answer(format!("{url}: {error}")))
}

pub(super) fn app(watch: Watch) -> Router {
    Router::new()
        .route("/monitoring/health", get(health))
        .route("/monitoring/errors", get(errors))
        .with_state(watch)
}

/// `GET /monitoring/health`: 503 where the last sample is old.
async fn health(State(watch): State<Watch>) -> (StatusCode, Json<Value>) {
    let fresh = watch.lock().unwrap_or_else(PoisonError::into_inner).fresh(Instant::now());
    let (status, word) =
        if fresh { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "stale") };
    (status, Json(json!({ "status": word })))
}

#[derive(Deserialize)]
struct Question {
    colour: String,
    /// Seconds.
    window: Option<u64>,
    since: Option<Timestamp>,
}

/// `GET /monitoring/errors?colour=green&window=10`: requests of customers that this colour answered in the last ten
/// seconds, those that failed, and their share (null where there were none). With `since`, only those from then on.
async fn errors(
    State(watch): State<Watch>,
    Query(question): Query<Question>,
) -> Result<Json<Value>, Refusal> {
    let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    let slot: Slot =
        question.colour.parse().map_err(|_| bad(format!("`{}` is not a colour", question.colour)))?;
    let bounds = Bounds { window: question.window.map(Duration::from_secs), since: question.since };
    if bounds.window.is_some_and(|window| window.is_zero() || window > KEPT) {
        return Err(bad(format!("a window has 1 to {} seconds", KEPT.as_secs())));
    }
    let history = watch.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let unavailable = |message: &str| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message);
    if !history.fresh(now) {
        return Err(unavailable("there are no fresh samples"));
    }
    let Some(Traffic { requests, failed }) = history.within(slot, bounds, now) else {
        return Err(unavailable("there are no samples from that far back"));
    };
    let share = (requests > 0).then(|| failed as f64 / requests as f64);
    Ok(Json(json!({ "colour": slot, "requests": requests, "failed": failed, "share": share })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(start: Instant, seconds: u64, requests: u64, failed: u64) -> Sample {
        let counts = Counts::from([(Slot::Green, Traffic { requests, failed })]);
        Sample { at: start + Duration::from_secs(seconds), clock: clock(seconds), counts }
    }

    fn clock(seconds: u64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds as i64).unwrap()
    }

    fn window(seconds: u64) -> Bounds {
        Bounds { window: Some(Duration::from_secs(seconds)), since: None }
    }

    #[test]
    fn a_window_counts_what_was_added_within_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut history = History::default();
        for second in 0..=20 {
            history.add(sample(start, second, 10 * second, second.saturating_sub(15)));
        }
        let ten = history.within(Slot::Green, window(10), at(20));
        assert_eq!(ten, Some(Traffic { requests: 100, failed: 5 }));
        let blue = history.within(Slot::Blue, window(10), at(20));
        assert_eq!(blue, Some(Traffic { requests: 0, failed: 0 }));
    }

    #[test]
    fn what_was_before_a_switch_is_not_counted_however_long_the_window() {
        let start = Instant::now();
        let mut history = History::default();
        // A version that fails, for five seconds; then nobody; from the tenth second on another one, which works.
        for second in 1..=20 {
            let after = 10 * u64::saturating_sub(second, 10);
            history.add(sample(start, second, 10 * second.min(5) + after, 5 * second.min(5)));
        }
        let now = start + Duration::from_secs(20);
        let ask = |bounds| history.within(Slot::Green, bounds, now);
        let since = |seconds| Bounds { window: None, since: Some(clock(seconds)) };
        assert_eq!(ask(since(10)), Some(Traffic { requests: 100, failed: 0 }));
        assert_eq!(
            ask(Bounds { since: Some(clock(10)), ..window(19) }),
            Some(Traffic { requests: 100, failed: 0 })
        );
        assert_eq!(
            ask(Bounds { since: Some(clock(10)), ..window(3) }),
            Some(Traffic { requests: 30, failed: 0 })
        );
        assert_eq!(ask(window(19)), Some(Traffic { requests: 140, failed: 20 }));
        // Nobody knows what there was before the first sample.
        assert_eq!(ask(since(0)), None);
        assert_eq!(
            ask(Bounds { since: Some(clock(0)), ..window(3) }),
            Some(Traffic { requests: 30, failed: 0 })
        );
    }

    #[test]
    fn a_restarted_router_begins_again() {
        let start = Instant::now();
        let mut history = History::default();
        history.add(sample(start, 0, 1000, 900));
        history.add(sample(start, 1, 5, 0));
        history.add(sample(start, 2, 9, 1));
        let seen = history.within(Slot::Green, window(10), start + Duration::from_secs(2));
        assert_eq!(seen, Some(Traffic { requests: 4, failed: 1 }));
    }

    #[test]
    fn old_samples_are_no_monitoring() {
        let start = Instant::now();
        let mut history = History::default();
        assert!(!history.fresh(start));
        history.add(sample(start, 0, 1, 0));
        assert!(history.fresh(start));
        assert!(!history.fresh(start + FRESH));
    }
}
