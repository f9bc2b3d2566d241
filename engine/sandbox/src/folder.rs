//! The sandbox's folder: where each file is, and how it is read and written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Role, Slot};

/// The folder of one sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// `root` as an absolute path, without `..` and links as far as it exists; it need not.
    pub(crate) fn new(root: &Path) -> Result<Self, Error> {
        let absolute = std::path::absolute(root).map_err(file_error(root))?;
        let known = absolute.ancestors().find_map(|known| Some((known, known.canonicalize().ok()?)));
        let root = known.and_then(|(known, real)| Some(real.join(absolute.strip_prefix(known).ok()?)));
        // Through the components, which know no slash at the end.
        Ok(Self { root: root.unwrap_or(absolute).components().collect() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What `up` was asked for: written first, so its presence marks the folder as ours.
    pub(crate) fn settings(&self) -> PathBuf {
        self.root.join("settings.json")
    }

    /// The addresses and processes, written when everything answers.
    pub(crate) fn description(&self) -> PathBuf {
        self.root.join("sandbox.json")
    }

    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.root.join("processes").join(format!("{name}.lock"))
    }

    pub(crate) fn record(&self, role: Role) -> PathBuf {
        self.root.join("processes").join(format!("{role}.json"))
    }

    pub(crate) fn log(&self, role: Role) -> PathBuf {
        self.root.join("logs").join(format!("{role}.log"))
    }

    /// Which slot is live, which one was before, and where each answers.
    pub(crate) fn router_state(&self) -> PathBuf {
        self.root.join("router").join("state.json")
    }

    /// One line of JSON for each request that the router answered.
    pub(crate) fn access_log(&self) -> PathBuf {
        self.root.join("router").join("access.jsonl")
    }

    /// One line of JSON for each time that somebody set the live colour.
    pub(crate) fn switch_log(&self) -> PathBuf {
        self.root.join("router").join("switches.jsonl")
    }

    /// What should run in a slot.
    pub(crate) fn deployment(&self, slot: Slot) -> PathBuf {
        self.root.join("deployments").join(format!("{slot}.json"))
    }

    /// How each version that was ever deployed behaves.
    pub(crate) fn behaviours(&self) -> PathBuf {
        self.root.join("deployments").join("behaviours.json")
    }

    /// One line of JSON for each request that changed, or would have changed, a deployment.
    pub(crate) fn deployment_log(&self) -> PathBuf {
        self.root.join("deployments").join("requests.jsonl")
    }

    /// One line of JSON for each message that arrived.
    pub(crate) fn messages(&self) -> PathBuf {
        self.root.join("sink").join("messages.jsonl")
    }

    /// One line of JSON for each request of a visitor that failed.
    pub(crate) fn visitor_failures(&self) -> PathBuf {
        self.root.join("visitors").join("failures.jsonl")
    }

    /// The shop's "database": one file that every instance reads.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("database").join("shop.json")
    }

    pub(crate) fn migrations(&self) -> PathBuf {
        self.root.join("database").join("migrations.json")
    }

    /// Logged-in customers, one file each, so that a login survives a switch.
    pub(crate) fn sessions(&self) -> PathBuf {
        self.root.join("database").join("sessions")
    }

    pub(crate) fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// What the pipeline says of versions that somebody set.
    pub(crate) fn pipelines(&self) -> PathBuf {
        self.root.join("services").join("pipelines.json")
    }

    /// The password or token of the test user, alone in a file of its own.
    pub(crate) fn credential(&self, name: &str) -> PathBuf {
        self.root.join("credentials").join(name)
    }
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

/// Reads JSON; `None` where there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| Error::Format { path: path.to_owned(), source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

/// Writes JSON beside and renames, so that a reader sees the old content or the new.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| Error::Format { path: path.to_owned(), source })?;
    write_text(path, &format!("{text}\n"))
}

/// Writes text beside and renames, readable by the owner alone.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    make_parent(path)?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)
        .map_err(file_error(&beside))?;
    file.write_all(text.as_bytes()).map_err(file_error(&beside))?;
    fs::rename(&beside, path).map_err(file_error(path))
}

/// Removes a file; one that is not there is removed.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Opens a log to append to, its folder made where it is missing.
pub(crate) fn append_to(path: &Path) -> Result<fs::File, Error> {
    make_parent(path)?;
    fs::OpenOptions::new().create(true).append(true).open(path).map_err(file_error(path))
}

/// Makes the folder that a file is to be in.
pub(crate) fn make_parent(path: &Path) -> Result<(), Error> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(file_error(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_however_it_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let real = temp.path().canonicalize().unwrap();
        fs::create_dir(real.join("runbooks")).unwrap();
        let dotted = Folder::new(&temp.path().join("runbooks/../.sandbox")).unwrap();
        assert_eq!(dotted.root(), real.join(".sandbox"));
        fs::create_dir(real.join(".sandbox")).unwrap();
        assert_eq!(
            Folder::new(&temp.path().join("runbooks/../.sandbox")).unwrap().root(),
            real.join(".sandbox")
        );
    }
}
