//! Who is live, where each slot answers, and how many requests went well: the router's whole state.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::folder::{read_json, write_json};
use crate::journal::now;
use crate::{Error, Slot};

/// Where a slot answers, and which version it says it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    pub(crate) version: String,
}

/// A colour that is, or was, live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Live {
    pub(crate) colour: Slot,
    pub(crate) version: String,
    pub(crate) since: String,
}

/// What survives a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    live: Option<Live>,
    /// The versions that were live before and stood until the next one came, oldest first. One that was taken back is
    /// not among them: nobody in trouble wants to go there.
    #[serde(default)]
    earlier: Vec<Live>,
    backends: BTreeMap<Slot, Backend>,
}

/// Requests of customers, by the slot that answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    /// Answered with a status of 500 or more, or not at all.
    pub(crate) failed: u64,
}

/// The state, shared.
#[derive(Debug)]
pub(super) struct Routes {
    path: PathBuf,
    state: Mutex<State>,
    /// Requests that were sent to a slot and have no answer yet.
    in_flight: BTreeMap<Slot, watch::Sender<u64>>,
    traffic: Mutex<BTreeMap<Slot, Traffic>>,
}

/// A request on its way to a slot; it has arrived, or failed, when this is dropped.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) slot: Slot,
    pub(super) backend: Backend,
    in_flight: watch::Sender<u64>,
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.in_flight.send_modify(|count| *count -= 1);
    }
}

/// A switch that took place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Switch {
    pub(super) from: Option<Slot>,
    pub(super) to: Slot,
    pub(super) version: String,
    /// False where it was live already.
    pub(super) changed: bool,
}

impl Routes {
    pub(super) fn load(path: PathBuf) -> Result<Self, Error> {
        let state = read_json(&path)?.unwrap_or_default();
        let in_flight = Slot::ALL.into_iter().map(|slot| (slot, watch::Sender::new(0))).collect();
        Ok(Self { path, state: Mutex::new(state), in_flight, traffic: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a new state: on disk first, so that a restarted router never contradicts an answer it gave.
    fn replace(&self, mut guard: MutexGuard<'_, State>, next: State) -> Result<(), Error> {
        write_json(&self.path, &next)?;
        *guard = next;
        Ok(())
    }

    /// Gives a request its way: to this slot, or to the live one. `None`: nothing is deployed there.
    pub(super) fn way(&self, slot: Option<Slot>) -> Option<Passage> {
        let state = self.state();
        let slot = slot.or(state.live.as_ref().map(|live| live.colour))?;
        let backend = state.backends.get(&slot)?.clone();
        let in_flight = self.in_flight.get(&slot)?.clone();
        // Still under the lock: whoever removes the backend afterwards knows of this request.
        in_flight.send_modify(|count| *count += 1);
        Some(Passage { slot, backend, in_flight })
    }

    /// Ends when no request is on its way to this slot.
    pub(super) async fn drained(&self, slot: Slot) {
        if let Some(in_flight) = self.in_flight.get(&slot) {
            // It cannot be closed: the sender is in our hands.
            let _ = in_flight.subscribe().wait_for(|count| *count == 0).await;
        }
    }

    pub(super) fn backends(&self) -> BTreeMap<Slot, Backend> {
        self.state().backends.clone()
    }

    /// What is live, and the version before it that stood.
    pub(super) fn live(&self) -> (Option<Live>, Option<Live>) {
        let state = self.state();
        (state.live.clone(), state.earlier.last().cloned())
    }

    /// Makes a colour live for every request that arrives from now on. `Ok(None)`: nothing is deployed there.
    ///
    /// `back_to` is when what was live before had become so, where this puts that back: then what is live now has not stood,
    /// whether it is newer or older.
    pub(super) fn switch(&self, colour: Slot, back_to: Option<&str>) -> Result<Option<Switch>, Error> {
        let state = self.state();
        let Some(backend) = state.backends.get(&colour) else { return Ok(None) };
        let version = backend.version.clone();
        let from = state.live.as_ref().map(|live| live.colour);
        let switch = Switch { from, to: colour, version: version.clone(), changed: from != Some(colour) };
        if switch.changed {
            let mut next = state.clone();
            if let Some(left) = next.live.take().filter(|left| left.version != version) {
                let taken_back = back_to.is_some_and(|since| since < left.since.as_str());
                if taken_back {
                    next.earlier.retain(|earlier| earlier.version != left.version);
                }
                match next.earlier.iter().position(|earlier| earlier.version == version) {
                    // A way back: what came after that version did not stand.
                    Some(known) => next.earlier.truncate(known),
                    None if taken_back => {}
                    None => next.earlier.push(left),
                }
            }
            next.live = Some(Live { colour, version, since: now() });
            self.replace(state, next)?;
        }
        Ok(Some(switch))
    }

    /// Says where a slot answers from now on, or that nothing runs there.
    pub(super) fn set_backend(&self, slot: Slot, backend: Option<Backend>) -> Result<(), Error> {
        let state = self.state();
        let mut next = state.clone();
        match backend {
            Some(backend) => next.backends.insert(slot, backend),
            None => next.backends.remove(&slot),
        };
        self.replace(state, next)
    }

    /// Counts an answer to a customer.
    pub(super) fn count(&self, slot: Slot, failed: bool) {
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = traffic.entry(slot).or_default();
        entry.requests += 1;
        entry.failed += u64::from(failed);
    }

    pub(super) fn traffic(&self) -> BTreeMap<Slot, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
