//! What the executing process brings along.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use runbook_step::Registry;
use runbook_wire::Person;

use crate::Clock;

/// What the executing process brings along. The runtime reads none of this by itself.
#[derive(Clone)]
pub struct Host {
    /// The state folder: journal, locks, logs.
    pub state: PathBuf,
    /// The folder that the plan's paths are relative to.
    pub root: PathBuf,
    /// The process's environment, as it was at the start.
    pub environment: BTreeMap<OsString, OsString>,
    pub clock: Clock,
    /// Who runs this command.
    pub person: Person,
    /// The machine's name, for records.
    pub hostname: String,
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    pub registry: Arc<Registry>,
    /// 32 random bytes: run ids and seeds are made of them.
    pub entropy: [u8; 32],
    /// Nobody can be asked on this process's terminal: with nothing left to do but wait for a person, the executor
    /// stops (exit code 24) instead of waiting.
    pub unattended: bool,
}
