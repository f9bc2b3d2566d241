//! The files that a plan pins, and whether its programs still are what was planned.
//!
//! A program that was changed since is not run: its step waits until it is put back, or until somebody says that the
//! change is meant, by the digest that it has now (`Request::AcceptProgram`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use runbook_wire::{Body, Person};

use crate::control::Refusal;
use crate::files::{read_regular, words};

/// A longer program is known to have changed, and cannot be accepted, in bytes.
const LONGEST: usize = 64 << 20;

/// How much of a digest is shown, and has to be typed, in hexadecimal digits: enough to tell two versions apart.
const SHOWN: usize = 12;

/// Files of the plan, by their path from the root.
pub(crate) struct Pinned {
    root: PathBuf,
    planned: Arc<BTreeMap<String, Vec<u8>>>,
    /// Digests of programs whose change is meant.
    meant: RwLock<BTreeMap<String, String>>,
}

/// What is wrong with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    path: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Digests; `None` of what is too long to look at.
    Another { was: String, now: Option<String> },
    /// In the system's words.
    Unreadable(String),
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = &self.path;
        match &self.fault {
            Fault::Another { was, now } => {
                let was = shown(was);
                let now = now.as_deref().map_or("that of a far longer one", shown);
                write!(f, "{path}: not the program that was planned: its digest was {was}, and is {now} now")
            }
            Fault::Unreadable(reason) => write!(f, "{path}: {reason}"),
        }
    }
}

impl Changed {
    /// What can be done about it, as commands.
    pub(crate) fn remedy(&self, run: &str) -> String {
        let accept = self
            .meant_by()
            .map(|now| format!("; or, if the change is meant: runbook answer {run} - --program {now}"));
        format!("put it back, then: runbook resume {run}{}", accept.unwrap_or_default())
    }

    /// What has to be typed to say that the change is meant, if that can be said.
    pub(crate) fn meant_by(&self) -> Option<&str> {
        self.digest().map(shown)
    }

    /// What it is now, if that can be told.
    fn digest(&self) -> Option<&str> {
        match &self.fault {
            Fault::Another { now, .. } => now.as_deref(),
            Fault::Unreadable(_) => None,
        }
    }
}

impl Pinned {
    pub(crate) fn new(
        root: PathBuf,
        planned: Arc<BTreeMap<String, Vec<u8>>>,
        meant: BTreeMap<String, String>,
    ) -> Pinned {
        Pinned { root, planned, meant: RwLock::new(meant) }
    }

    /// The content of a file as it was planned, by its path from the root.
    pub(crate) fn content(&self, path: &str) -> Option<&[u8]> {
        self.planned.get(path).map(Vec::as_slice)
    }

    /// What is wrong with the first of these programs (by their paths from the root) that is not what was planned.
    pub(crate) fn first_changed<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Option<Changed> {
        paths.into_iter().find_map(|path| self.changed(path))
    }

    fn changed(&self, path: &str) -> Option<Changed> {
        let planned = self.planned.get(path)?;
        let fault = match read_regular(&self.root.join(path), LONGEST) {
            Ok(Some(content)) if content == *planned => return None,
            Ok(found) => {
                let now = found.as_deref().map(digest);
                let meant = self.meant.read().unwrap_or_else(PoisonError::into_inner);
                if now.is_some() && meant.get(path) == now.as_ref() {
                    return None;
                }
                Fault::Another { was: digest(planned), now }
            }
            Err(error) => Fault::Unreadable(words(&error)),
        };
        Some(Changed { path: path.to_owned(), fault })
    }

    /// The record that a change is meant, if a program has this digest now.
    pub(crate) fn acceptance(&self, typed: &str, by: Person) -> Result<Body, Refusal> {
        if typed.len() < SHOWN {
            return Err(Refusal {
                message: format!("`{typed}` is no digest of a program: at least {SHOWN} digits are wanted"),
                hint: None,
            });
        }
        let mut others = Vec::new();
        for path in self.planned.keys() {
            let Some(changed) = self.changed(path) else { continue };
            match changed.digest().filter(|now| now.starts_with(typed)) {
                Some(now) => {
                    return Ok(Body::ProgramAccepted { path: path.clone(), digest: now.to_owned(), by });
                }
                None => others.push(changed.to_string()),
            }
        }
        Err(Refusal {
            message: format!("no program of this run has become `{typed}`"),
            hint: (!others.is_empty()).then(|| others.join("; ")),
        })
    }

    /// From now on this program is what it is meant to be if it has this digest.
    pub(crate) fn accept(&self, path: &str, digest: &str) {
        let mut meant = self.meant.write().unwrap_or_else(PoisonError::into_inner);
        meant.insert(path.to_owned(), digest.to_owned());
    }
}

/// BLAKE3, hexadecimal.
fn digest(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

fn shown(digest: &str) -> &str {
    &digest[..SHOWN]
}

/// Without `.` and `..`, by the text alone.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut out, component| {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_meant_for_the_digest_that_was_seen_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let planned = BTreeMap::from([("five.sh".to_owned(), b"echo five".to_vec())]);
        let pinned = Pinned::new(folder.path().to_owned(), Arc::new(planned), BTreeMap::new());
        let write = |text: &str| std::fs::write(folder.path().join("five.sh"), text).unwrap();
        let changed = || pinned.first_changed(["five.sh", "not pinned"]).map(|changed| changed.to_string());
        let accept = |typed: &str| pinned.acceptance(typed, Person { name: "ana".into() });
        write("echo five");
        assert_eq!(changed(), None);
        write("echo six, and longer than that");
        let now = digest(b"echo six, and longer than that");
        assert_eq!(
            changed().unwrap(),
            format!(
                "five.sh: not the program that was planned: its digest was 0e38e2e1f872, and is {} now",
                &now[..12]
            )
        );
        assert!(accept(&now[..11]).is_err());
        assert!(accept(&digest(b"echo seven")).is_err());
        let Ok(Body::ProgramAccepted { path, digest, .. }) = accept(&now[..12]) else { panic!() };
        assert_eq!((path.as_str(), &digest), ("five.sh", &now));
        pinned.accept(&path, &digest);
        assert_eq!(changed(), None);
        write("echo seven");
        assert!(changed().is_some());
        write("echo five");
        assert_eq!(changed(), None, "what was planned is right in any case");
    }
}
