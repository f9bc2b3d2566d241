//! What the shop counts, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Shop;

/// Upper bounds of the duration's buckets, in seconds.
const BUCKETS: [f64; 8] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0];

#[derive(Debug, Default)]
pub(super) struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default, Clone)]
struct Counts {
    by_status: BTreeMap<u16, u64>,
    /// Requests that took at most the bound, for each bound.
    within: [u64; BUCKETS.len()],
    seconds: f64,
}

impl Metrics {
    pub(super) fn count(&self, status: u16, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.by_status.entry(status).or_default() += 1;
        let seconds = took.as_secs_f64();
        counts.seconds += seconds;
        for (bound, within) in BUCKETS.iter().zip(counts.within.iter_mut()) {
            *within += u64::from(seconds <= *bound);
        }
    }

    fn render(&self, slot: &str, version: &str) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let labels = format!("slot=\"{slot}\",version=\"{version}\"");
        let total: u64 = counts.by_status.values().sum();
        let mut text = String::new();
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{arguments}");
        };
        line(format_args!("# HELP http_requests_total Requests answered, by status."));
        line(format_args!("# TYPE http_requests_total counter"));
        for (status, count) in &counts.by_status {
            line(format_args!("http_requests_total{{{labels},status=\"{status}\"}} {count}"));
        }
        line(format_args!("# HELP http_request_duration_seconds Time to answer."));
        line(format_args!("# TYPE http_request_duration_seconds histogram"));
        for (bound, within) in BUCKETS.iter().zip(counts.within) {
            line(format_args!("http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {within}"));
        }
        line(format_args!("http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"));
        line(format_args!("http_request_duration_seconds_sum{{{labels}}} {}", counts.seconds));
        line(format_args!("http_request_duration_seconds_count{{{labels}}} {total}"));
        text
    }
}

/// `/metrics`.
pub(super) async fn show(State(shop): State<Arc<Shop>>) -> impl IntoResponse {
    let text = shop.metrics.render(shop.slot.name(), &shop.version);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.count(200, Duration::from_millis(1));
        metrics.count(200, Duration::from_millis(300));
        metrics.count(500, Duration::from_secs(9));
        let text = metrics.render("green", "v1.1.0");
        for line in [
            "http_requests_total{slot=\"green\",version=\"v1.1.0\",status=\"200\"} 2",
            "http_requests_total{slot=\"green\",version=\"v1.1.0\",status=\"500\"} 1",
            "http_request_duration_seconds_bucket{slot=\"green\",version=\"v1.1.0\",le=\"0.005\"} 1",
            "http_request_duration_seconds_bucket{slot=\"green\",version=\"v1.1.0\",le=\"0.5\"} 2",
            "http_request_duration_seconds_bucket{slot=\"green\",version=\"v1.1.0\",le=\"+Inf\"} 3",
            "http_request_duration_seconds_count{slot=\"green\",version=\"v1.1.0\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
    }
}
