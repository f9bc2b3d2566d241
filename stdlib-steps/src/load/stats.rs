//! What is measured.

use hdrhistogram::Histogram;
use runbook_step::{Failure, Map, Value};

/// Percentiles that are outputs.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.50), ("p90", 0.90), ("p95", 0.95), ("p99", 0.99)];

/// An hour; what takes longer counts as one.
const LONGEST_US: u64 = 3_600_000_000;

/// The figures so far.
#[derive(Debug)]
pub(super) struct Stats {
    /// Microseconds of the requests that did not fail, within a thousandth.
    latencies: Histogram<u64>,
    /// The longest of them, exactly.
    slowest_us: u64,
    failures: u64,
    first: Option<Failure>,
}

impl Default for Stats {
    fn default() -> Self {
        let latencies = Histogram::new_with_max(LONGEST_US, 3)
            .expect("an hour with three significant figures is within what a histogram can do");
        Stats { latencies, slowest_us: 0, failures: 0, first: None }
    }
}

impl Stats {
    pub(super) fn answered(&mut self, latency_ns: u64) {
        let micros = (latency_ns / 1000).max(1);
        self.slowest_us = self.slowest_us.max(micros);
        self.latencies.saturating_record(micros);
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        self.failures += 1;
        self.first.get_or_insert(failure);
    }

    pub(super) fn requests(&self) -> u64 {
        self.latencies.len() + self.failures
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures
    }

    pub(super) fn first_failure(&self) -> Option<&Failure> {
        self.first.as_ref()
    }

    /// The microseconds within which this part of the requests was answered.
    fn at(&self, quantile: f64) -> u64 {
        self.latencies.value_at_quantile(quantile).min(self.slowest_us)
    }

    /// The outputs of the step.
    pub(super) fn outputs(&self, elapsed_ns: u64) -> Map {
        let answered = self.latencies.len();
        let milliseconds = |micros: u64| (answered > 0).then_some((micros as f64 / 10.0).round() / 100.0);
        let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
        let rps = if elapsed_ns == 0 { 0.0 } else { answered as f64 * 1e9 / elapsed_ns as f64 };
        let mut outputs = Map::from([
            ("requests".into(), count(self.requests())),
            ("failures".into(), count(self.failures)),
            ("rps".into(), ((rps * 10.0).round() / 10.0).into()),
            ("max".into(), milliseconds(self.slowest_us).into()),
            ("first_error".into(), self.first.as_ref().map(|first| first.message.clone()).into()),
        ]);
        for (name, quantile) in PERCENTILES {
            outputs.insert(name.into(), milliseconds(self.at(quantile)).into());
        }
        outputs
    }

    /// `100 requests, 0 failed, p95 12.5 ms, 830.1 a second`.
    pub(super) fn summary(&self, outputs: &Map) -> String {
        let mut summary = format!("{} requests, {} failed", self.requests(), self.failures);
        if let (Some(Value::Float(p95)), Some(Value::Float(rps))) = (outputs.get("p95"), outputs.get("rps")) {
            summary.push_str(&format!(", p95 {p95} ms, {rps} a second"));
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the sorted list: the least latency within which that part of the requests was answered.
        #[test]
        fn percentiles_are_within_a_thousandth(mut micros in prop::collection::vec(1u64..60_000_000, 1..400)) {
            let mut stats = Stats::default();
            for micros in &micros {
                stats.answered(micros * 1000);
            }
            micros.sort_unstable();
            let outputs = stats.outputs(1_000_000_000);
            for (name, quantile) in PERCENTILES {
                let place = (quantile * micros.len() as f64).ceil() as usize;
                let exact = micros[place.max(1) - 1] as f64 / 1000.0;
                let told = outputs[name].as_float().unwrap();
                prop_assert!((told - exact).abs() <= exact * 0.001 + 0.01, "{name}: {told}, exactly {exact}");
            }
            let slowest = micros[micros.len() - 1] as f64 / 1000.0;
            prop_assert!((outputs["max"].as_float().unwrap() - slowest).abs() <= 0.005 + 1e-9);
            prop_assert_eq!(outputs["rps"].as_float(), Some(micros.len() as f64));
        }
    }
}
