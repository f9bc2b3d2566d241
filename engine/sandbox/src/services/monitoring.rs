//! The monitoring: samples the router's counters, and says how many requests failed lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
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
/// The longest window that can be asked for, and so how long samples are kept.
const KEPT: Duration = Duration::from_secs(300);
/// A last sample older than this is no monitoring.
const FRESH: Duration = Duration::from_secs(3);

type Counts = BTreeMap<Slot, Traffic>;

/// Samples of ever-growing counters, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: VecDeque<(Instant, Counts)>,
}

impl History {
    fn add(&mut self, at: Instant, counts: Counts) {
        // A counter that went down is a router that was restarted: what was before says nothing any more.
        let total = |counts: &Counts| counts.values().map(|traffic| traffic.requests).sum::<u64>();
        if self.samples.back().is_some_and(|(_, last)| total(last) > total(&counts)) {
            self.samples.clear();
        }
        self.samples.push_back((at, counts));
        while self.samples.front().is_some_and(|(first, _)| at.duration_since(*first) > KEPT) {
            self.samples.pop_front();
        }
    }

    /// What was counted for a slot between now and `window` ago.
    fn within(&self, slot: Slot, window: Duration, now: Instant) -> Option<Traffic> {
        let (_, last) = self.samples.back()?;
        let (_, first) = self.samples.iter().find(|(at, _)| now.duration_since(*at) <= window)?;
        let of = |counts: &Counts| counts.get(&slot).copied().unwrap_or_default();
        let (first, last) = (of(first), of(last));
        Some(Traffic { requests: last.requests - first.requests, failed: last.failed - first.failed })
    }

    fn fresh(&self, now: Instant) -> bool {
        self.samples.back().is_some_and(|(at, _)| now.duration_since(*at) < FRESH)
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
                    history.lock().unwrap_or_else(PoisonError::into_inner).add(Instant::now(), counts)
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
    #[serde(default = "ten")]
    window: u64,
}

fn ten() -> u64 {
    10
}

/// `GET /monitoring/errors?colour=green&window=10`: requests of customers that this colour answered in the last ten
/// seconds, those that failed, and their share (null where there were none).
async fn errors(
    State(watch): State<Watch>,
    Query(question): Query<Question>,
) -> Result<Json<Value>, Refusal> {
    let bad = |message: String| Refusal::new(StatusCode::BAD_REQUEST, message);
    let slot: Slot =
        question.colour.parse().map_err(|_| bad(format!("`{}` is not a colour", question.colour)))?;
    let window = Duration::from_secs(question.window);
    if window.is_zero() || window > KEPT {
        return Err(bad(format!("a window has 1 to {} seconds", KEPT.as_secs())));
    }
    let history = watch.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let counted = if history.fresh(now) { history.within(slot, window, now) } else { None };
    let Some(Traffic { requests, failed }) = counted else {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there are no fresh samples"));
    };
    let share = (requests > 0).then(|| failed as f64 / requests as f64);
    Ok(Json(json!({ "colour": slot, "requests": requests, "failed": failed, "share": share })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: u64, failed: u64) -> Counts {
        Counts::from([(Slot::Green, Traffic { requests, failed })])
    }

    #[test]
    fn a_window_counts_what_was_added_within_it() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut history = History::default();
        for second in 0..=20 {
            history.add(at(second), counts(10 * second, second.saturating_sub(15)));
        }
        let ten = history.within(Slot::Green, Duration::from_secs(10), at(20));
        assert_eq!(ten, Some(Traffic { requests: 100, failed: 5 }));
        let blue = history.within(Slot::Blue, Duration::from_secs(10), at(20));
        assert_eq!(blue, Some(Traffic { requests: 0, failed: 0 }));
    }

    #[test]
    fn a_restarted_router_begins_again() {
        let start = Instant::now();
        let mut history = History::default();
        history.add(start, counts(1000, 900));
        history.add(start + Duration::from_secs(1), counts(5, 0));
        history.add(start + Duration::from_secs(2), counts(9, 1));
        let seen = history.within(Slot::Green, Duration::from_secs(10), start + Duration::from_secs(2));
        assert_eq!(seen, Some(Traffic { requests: 4, failed: 1 }));
    }

    #[test]
    fn old_samples_are_no_monitoring() {
        let start = Instant::now();
        let mut history = History::default();
        assert!(!history.fresh(start));
        history.add(start, counts(1, 0));
        assert!(history.fresh(start));
        assert!(!history.fresh(start + FRESH));
    }
}
