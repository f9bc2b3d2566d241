//! What this process brings along for the runtime: clock, identity, randomness, environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use runbook_runtime::{Clock, Host};
use runbook_wire::Person;

use crate::args::{Format, Global};
use crate::error::CommandError;
use crate::project;

/// Whether somebody can be asked on this terminal: where a run is shown to programs, nobody sees a question.
pub(crate) fn attended(global: &Global) -> bool {
    let asks = !global.no_input && global.output == Format::Text;
    asks && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The person who runs this command, as the operating system knows them: the name of the user id, and where it has none the
/// number, never what `USER` claims.
pub(crate) fn person() -> Person {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    Person { name: user.map_or_else(|| format!("uid {uid}"), |user| user.name) }
}

/// The zone in which times are shown. Where `TZ` does not say, it is read from the system's file alone: to find out its
/// name as well, all zones of the machine are walked through, which takes as long as a short run.
pub(crate) fn zone() -> TimeZone {
    if project::environment_variable("TZ").is_some() {
        return TimeZone::system();
    }
    let local = std::fs::read("/etc/localtime").ok();
    local.and_then(|data| TimeZone::tzif("local", &data).ok()).unwrap_or(TimeZone::UTC)
}

/// What the runtime needs of this process.
///
/// # Errors
/// If the state folder is not known or there is no randomness to be had.
pub(crate) fn host(global: &Global, root: PathBuf) -> Result<Host, CommandError> {
    let mut environment: BTreeMap<OsString, OsString> =
        project::environment().into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    // A script that calls `runbook` gets this very program, also where it is not on the PATH.
    let program = std::env::current_exe()
        .map_err(|error| CommandError::unexpected(format!("our own path: {error}")))?;
    environment.insert("RUNBOOK_BIN".into(), program.into());
    Ok(Host {
        state: project::state_folder(global)?,
        root,
        environment,
        clock: Clock::system(),
        person: person(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registry: Arc::new(runbook_stdlib::registry()),
        entropy: entropy()?,
        unattended: !attended(global),
    })
}

fn entropy() -> Result<[u8; 32], CommandError> {
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| CommandError::unexpected(format!("/dev/urandom: {error}")))?;
    Ok(bytes)
}
