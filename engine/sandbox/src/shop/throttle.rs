//! The limit on attempts to log in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Attempts that one address has within [`WINDOW`].
const ATTEMPTS: usize = 5;
const WINDOW: Duration = Duration::from_secs(10);
/// Addresses remembered; beyond it those whose window is over are forgotten.
const REMEMBERED: usize = 1000;

/// Attempts per address.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    attempts: Mutex<HashMap<String, Vec<Instant>>>,
}

impl Throttle {
    /// Counts an attempt; `Err` says how long to wait until the next may be made.
    pub(super) fn attempt(&self, address: &str, now: Instant) -> Result<(), Duration> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: &Instant| now.duration_since(*at) < WINDOW;
        if attempts.len() > REMEMBERED {
            attempts.retain(|_, times| times.iter().any(fresh));
        }
        let times = attempts.entry(address.to_owned()).or_default();
        times.retain(fresh);
        match times.first() {
            Some(first) if times.len() >= ATTEMPTS => Err(WINDOW - now.duration_since(*first)),
            _ => {
                times.push(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_five_attempts_in_ten_seconds() {
        let throttle = Throttle::default();
        let start = Instant::now();
        for second in 0..5 {
            assert_eq!(throttle.attempt("a", start + Duration::from_secs(second)), Ok(()));
        }
        assert_eq!(throttle.attempt("a", start + Duration::from_secs(5)), Err(Duration::from_secs(5)));
        assert_eq!(throttle.attempt("b", start + Duration::from_secs(5)), Ok(()));
        assert_eq!(throttle.attempt("a", start + Duration::from_secs(10)), Ok(()));
        assert!(throttle.attempt("a", start + Duration::from_secs(10)).is_err());
    }
}
