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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
