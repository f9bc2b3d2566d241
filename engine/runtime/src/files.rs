//! Files, below the runbook's folder unless absolute.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use runbook_step::{BoxFuture, FileError, Files};

use crate::context::AttemptContext;

/// A new file's permissions where none are said, before the umask.
const MODE: u32 = 0o666;

impl Files for AttemptContext {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        let full = self.folder.join(path);
        blocking(path, move || fs::read(full))
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a [u8],
        mode: Option<u32>,
    ) -> BoxFuture<'a, Result<(), FileError>> {
        let (full, content, key) = (self.folder.join(path), content.to_vec(), self.key.clone());
        blocking(path, move || replace(&full, &content, mode, &key))
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        let full = self.folder.join(path);
        blocking(path, move || {
            fs::remove_file(&full)?;
            sync_folder(&full)
        })
    }

    fn mode<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u32>, FileError>> {
        let full = self.folder.join(path);
        blocking(path, move || match fs::metadata(full) {
            Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o7777)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn pinned<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        let content = self.pinned_content(path).map(<[u8]>::to_vec);
        Box::pin(async move {
            content.ok_or_else(|| {
                FileError::Other(format!("{path}: not among the files of the plan (see `files:`)"))
            })
        })
    }
}

fn blocking<'a, T: Send + 'static>(
    path: &'a str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> BoxFuture<'a, Result<T, FileError>> {
    Box::pin(async move {
        let result =
            tokio::task::spawn_blocking(work).await.map_err(|e| FileError::Other(format!("{path}: {e}")))?;
        result.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FileError::NotFound(path.to_owned()),
            _ => FileError::Other(format!("{path}: {}", words(&error))),
        })
    })
}

fn words(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

/// Writes beside and renames; what is renamed is on disk. A symbolic link is followed: its target is replaced.
fn replace(path: &Path, content: &[u8], mode: Option<u32>, key: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let kept = fs::metadata(&path).ok().map(|metadata| metadata.permissions().mode() & 0o7777);
    let beside = beside(&path, key)?;
    let written = (|| {
        // Left by an attempt that was killed in the middle.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode.or(kept).unwrap_or(MODE))
            .open(&beside)?;
        if let Some(mode) = mode.or(kept) {
            // Said, or there before: the umask does not count.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_folder(&path)
}

/// A name in the same folder that belongs to this step alone.
fn beside(path: &Path, key: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let short = key.get(..12).unwrap_or(key);
    Ok(path.with_file_name(format!(".{}.{short}.new", name.to_string_lossy())))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace(&path, b"one", Some(0o640), "0123456789abcdef").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"one".to_vec(), 0o640));
        replace(&path, b"two", None, "0123456789abcdef").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o640));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_a_killed_attempt_left_beside_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(beside(&path, "key").unwrap(), "half").unwrap();
        replace(&path, b"whole", None, "key").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "one").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, b"two", None, "key").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"two");
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(replace(&folder.path().join("no/such"), b"", None, "key").is_err());
    }
}
