//! How a version of the shop behaves, chosen when it is deployed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is wrong with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Nothing.
    #[default]
    Healthy,
    /// It never becomes healthy, and customers would get errors.
    Broken,
    /// It works, far too slowly: pages after 2.5 s, the API after 0.8 s.
    Slow,
    /// It works until customers use it: each of their requests leaks a database connection, and when the pool is
    /// empty two of three fail. `/health`, which has a connection of its own, notices nothing.
    Flaky,
}

/// Connections in a flaky version's pool. The visitors use them up in one or two seconds.
const POOL: u64 = 30;

/// A behaviour at work.
#[derive(Debug)]
pub(super) struct Conduct {
    behaviour: Behaviour,
    /// Requests of customers so far; each took a connection for good.
    leaked: AtomicU64,
}

impl Conduct {
    pub(super) fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, leaked: AtomicU64::new(0) }
    }

    /// What `/health` answers.
    pub(super) fn healthy(&self) -> bool {
        self.behaviour != Behaviour::Broken
    }

    /// How long a read of the API takes beyond its work.
    pub(super) fn api_delay(&self) -> Duration {
        match self.behaviour {
            Behaviour::Slow => Duration::from_millis(800),
            _ => Duration::ZERO,
        }
    }

    /// How long a page takes beyond its work.
    pub(super) fn page_delay(&self) -> Duration {
        match self.behaviour {
            Behaviour::Slow => Duration::from_millis(2500),
            _ => Duration::ZERO,
        }
    }

    /// Before a customer's request is worked on: `Err` is the error that they get. `live` is traffic through the
    /// public door, as opposed to a look at this colour alone.
    pub(super) async fn meet(&self, live: bool) -> Result<(), &'static str> {
        match self.behaviour {
            Behaviour::Broken => Err("the shop did not start: its configuration does not parse"),
            Behaviour::Flaky if live => {
                let nth = self.leaked.fetch_add(1, Ordering::Relaxed);
                if nth < POOL || nth.is_multiple_of(3) {
                    Ok(())
                } else {
                    Err("no database connection left in the pool")
                }
            }
            _ => Ok(()),
        }
    }
}
