//! Hash chains. Each link is SHA-256 over the link before it and what it covers.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A SHA-256 hash; printed as hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// From stored bytes; `None` if there are not 32.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Hash> {
        bytes.try_into().ok().map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Hash, NotAHash> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(NotAHash);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NotAHash)?;
        }
        Ok(Hash(bytes))
    }
}

/// Not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct NotAHash;

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the chain of a run begins: bound to its id, so that one run's events do not fit another's chain.
pub(crate) fn run_origin(run: &str) -> Hash {
    digest(&[b"runbook journal 1, run\0", run.as_bytes()])
}

/// The hash of an event.
pub(crate) fn event(previous: &Hash, record: &[u8]) -> Hash {
    digest(&[&previous.0, record])
}

/// Where the ledger begins.
pub(crate) fn ledger_origin() -> Hash {
    digest(&[b"runbook journal 1, ledger\0"])
}

/// The hash of a ledger entry.
pub(crate) fn ledger(previous: &Hash, run: &str, seq: u64, head: &Hash) -> Hash {
    digest(&[&previous.0, &(run.len() as u64).to_be_bytes(), run.as_bytes(), &seq.to_be_bytes(), &head.0])
}

/// The address of a blob.
pub(crate) fn content(bytes: &[u8]) -> Hash {
    digest(&[bytes])
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
    }
    Hash(sha.finalize().into())
}
