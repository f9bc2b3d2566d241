//! The journal: one folder per team, with everything that any run did.
//!
//! SQLite in WAL mode holds runs, events, plans, the inbox and named locks; text logs are plain files beside it. An
//! operating-system lock per run names its executor; a socket beside the lock wakes it. The format, and the
//! alternatives that were not taken, are in `docs/design/journal.md`.
//!
//! What this crate deliberately does not know: what events mean beyond the few that a list of runs shows, the kernel,
//! plans beyond their bytes, tokio, clocks and random sources (times and random bytes come in as data), and the
//! process environment (the folder comes in as a path).

mod bell;
mod chain;
mod events;
mod executor;
mod folder;
mod follow;
mod inbox;
mod journal;
mod listing;
mod locks;
mod ownership;
mod plans;
mod progress;
mod run_id;
mod schema;
mod store;
mod summary;
mod verify;
mod writer;

pub use bell::Nudge;
pub use chain::{Hash, NotAHash};
pub use events::{Damage, Events, ReadError};
pub use executor::{AppendError, Executor};
pub use folder::open_log;
pub use follow::{Follow, News};
pub use inbox::{Fate, InboxEntry};
pub use journal::{ClaimError, Journal, OpenError};
pub use listing::{FindError, RunFilter, StatusFilter};
pub use locks::{LockHolder, Locking, Wanted};
pub use ownership::Holder;
pub use plans::{PlanFile, PlanFileKind, StoredPlan};
pub use progress::{Fault, Wake};
pub use run_id::{MIN_LENGTH, run_id};
pub use store::StoreError;
pub use summary::{RunStatus, RunSummary};
pub use verify::{Anchor, Verification};
