//! The one source of time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The one source of time: a monotonic clock (tokio's, so that tests can pause it) and wall time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    wall: Wall,
}

#[derive(Debug, Clone, Copy)]
enum Wall {
    System,
    /// Milliseconds since the Unix epoch at `origin`; goes on with the monotonic clock.
    From(u64),
}

impl Clock {
    /// The operating system's clocks.
    pub fn system() -> Clock {
        Clock { origin: Instant::now(), wall: Wall::System }
    }

    /// Wall time that starts at this many milliseconds since the Unix epoch and advances with tokio's clock: a paused
    /// clock then pauses both.
    pub fn starting_at(wall_ms: u64) -> Clock {
        Clock { origin: Instant::now(), wall: Wall::From(wall_ms) }
    }

    /// Wall time, milliseconds since the Unix epoch.
    pub fn wall_ms(&self) -> u64 {
        match self.wall {
            Wall::System => millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            Wall::From(start) => start + self.ms(),
        }
    }

    /// Milliseconds since this clock was made.
    pub fn ms(&self) -> u64 {
        millis(self.origin.elapsed())
    }

    /// Nanoseconds since this clock was made.
    pub fn ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant at which [`Clock::ms`] becomes this.
    pub(crate) fn at(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }
}

/// A run's own time: elapsed since it began, whichever processes executed it; downtime counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock {
    clock: Clock,
    /// What the clock showed when this execution began, and how much of the run had elapsed by then.
    begun: u64,
    before: u64,
}

impl RunClock {
    /// A run's clock that shows `before` when the host's shows `begun`.
    pub(crate) fn new(clock: Clock, before: u64, begun: u64) -> RunClock {
        RunClock { clock, begun, before }
    }

    /// Run-elapsed milliseconds.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.before + (self.clock.ms() - self.begun)
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    pub(crate) fn ns(&self) -> u64 {
        self.clock.ns()
    }

    /// The instant at which this much has elapsed; now, if it is past.
    pub(crate) fn at(&self, elapsed_ms: u64) -> Instant {
        self.clock.at((self.begun + elapsed_ms).saturating_sub(self.before).max(self.begun))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
