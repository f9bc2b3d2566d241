//! What can go wrong with the sandbox as a whole.

use std::path::PathBuf;

use crate::Role;

/// Why the sandbox could not be started, stopped or looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the sandbox's folder could not be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file of the sandbox's folder does not hold what it should.
    #[error("{path}: not as the sandbox wrote it: {source}", path = path.display())]
    Format {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// No such role or slot.
    #[error("{0}: no such part of the sandbox")]
    UnknownRole(String),
    /// Another process has this role in this folder.
    #[error("{role} is already running in {folder}", folder = folder.display())]
    AlreadyServed { role: Role, folder: PathBuf },
    /// A port is taken.
    #[error("{role} cannot listen on {address}: {source}{hint}", hint = hint(source))]
    Bind {
        role: Role,
        address: std::net::SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// It runs already, on other ports than were asked for.
    #[error(
        "the sandbox in {folder} runs already, with its shop on {shop}, and its first port was to be {wanted}; \
         end it first with `runbook sandbox down`, or leave its ports as they are",
        folder = folder.display()
    )]
    Elsewhere {
        folder: PathBuf,
        /// The shop's address.
        shop: String,
        wanted: u16,
    },
    /// There is no room for all ports above it.
    #[error("the first port must be between 1 and {last}, so that the others fit above it, and is {base}")]
    BasePort { base: u16, last: u16 },
    /// A process could not be started at all.
    #[error("cannot start {role} with {program}: {source}", program = program.display())]
    Spawn {
        role: Role,
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A process was started and did not come up; `log` is what it said last.
    #[error("{role} did not come up: {log}")]
    NotUp { role: Role, log: String },
    /// A process did not end, even killed.
    #[error("{role} (pid {pid}) does not end")]
    NotDown { role: Role, pid: u32 },
    /// A part of the sandbox gave another answer than it should.
    #[error("{0}")]
    Answer(String),
    /// The folder holds something else.
    #[error("{folder} is not empty and is not a sandbox's folder; choose another", folder = folder.display())]
    NotOurs { folder: PathBuf },
    /// A server ended with an error.
    #[error("{role}: {source}")]
    Serve {
        role: Role,
        #[source]
        source: std::io::Error,
    },
}

/// What to do about a port that is taken.
fn hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; perhaps the sandbox of another project: end it with `runbook sandbox down` there, or choose another `--base-port`"
        }
        _ => "",
    }
}
