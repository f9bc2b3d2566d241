//! Files, below the runbook's folder unless absolute.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use runbook_step::{BoxFuture, FileError, Files};

use crate::context::AttemptContext;

/// A new file's permissions where none are said, before the umask.
const MODE: u32 = 0o666;

impl Files for AttemptContext {
    fn read<'a>(&'a self, path: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<u8>, FileError>> {
        let place = self.place(path);
        Box::pin(async move {
            let read = blocking(path, move || Ok(read_regular(&place.find()?, most)?)).await?;
            read.ok_or_else(|| FileError::TooLong { path: path.to_owned(), most })
        })
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a [u8],
        mode: Option<u32>,
    ) -> BoxFuture<'a, Result<(), FileError>> {
        let (place, content, key) = (self.place(path), content.to_vec(), self.key.clone());
        blocking(path, move || replace(&place.find()?, &content, mode, &key))
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        let place = self.place(path);
        blocking(path, move || {
            let full = place.find()?;
            Folder::of(&full)?.change(|| fs::remove_file(&full))
        })
    }

    fn mode<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<u32>, FileError>> {
        let place = self.place(path);
        blocking(path, move || match fs::metadata(place.find()?) {
            Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o7777)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
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

impl AttemptContext {
    fn place(&self, path: &str) -> Place {
        // What is written in full is meant.
        let within = Path::new(path).is_relative().then(|| self.shared.root.clone());
        Place { full: self.folder.join(path), within }
    }
}

/// A path, and the folder that it may not leave.
struct Place {
    full: PathBuf,
    within: Option<PathBuf>,
}

impl Place {
    /// The file itself, behind all symbolic links; it need not exist, its folder must.
    fn find(&self) -> io::Result<PathBuf> {
        let name = self.full.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        let folder = self.full.parent().ok_or_else(|| io::Error::other("it names no file"))?;
        let beside = match fs::canonicalize(folder) {
            Ok(folder) => folder.join(name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(io::Error::other("its folder does not exist"));
            }
            Err(error) => return Err(error),
        };
        let found = match fs::symlink_metadata(&beside) {
            Ok(metadata) if metadata.is_symlink() => fs::canonicalize(&beside).map_err(|error| {
                io::Error::other(format!("a symbolic link that leads nowhere: {}", words(&error)))
            })?,
            _ => beside,
        };
        match &self.within {
            Some(root) if !found.starts_with(fs::canonicalize(root)?) => {
                Err(io::Error::other("it leads out of the project; write the whole path if that is meant"))
            }
            _ => Ok(found),
        }
    }
}

/// Why something was not done with a file.
#[derive(Debug)]
enum Fault {
    /// And nothing was changed.
    Untouched(io::Error),
    /// It was changed, but the folder that says so could not be put on disk.
    Unsettled(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Untouched(error)
    }
}

fn blocking<'a, T: Send + 'static>(
    path: &'a str,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> BoxFuture<'a, Result<T, FileError>> {
    Box::pin(async move {
        let result = tokio::task::spawn_blocking(work).await;
        // It broke off at a place that nobody knows.
        let result = result.map_err(|error| FileError::Unsettled(format!("{path}: {error}")))?;
        result.map_err(|fault| match fault {
            Fault::Untouched(error) if error.kind() == io::ErrorKind::NotFound => {
                FileError::NotFound(path.to_owned())
            }
            Fault::Untouched(error) => FileError::Other(format!("{path}: {}", words(&error))),
            Fault::Unsettled(error) => FileError::Unsettled(format!(
                "{path}: it was changed, but its folder could not be put on disk: {}",
                words(&error)
            )),
        })
    })
}

/// The whole of a regular file; nothing of it if it is longer than so many bytes. Never waits for somebody to write, as
/// the opening of a pipe would.
pub(crate) fn read_regular(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut content)?;
    Ok((content.len() <= most).then_some(content))
}

/// The system's words without Rust's `(os error 2)`.
pub(crate) fn words(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_owned()
}

/// Writes beside and renames; what is renamed is on disk, and belongs to whom the file belonged that it replaces.
fn replace(path: &Path, content: &[u8], mode: Option<u32>, key: &str) -> Result<(), Fault> {
    replace_in(&Folder::of(path)?, path, content, mode, key)
}

fn replace_in(
    folder: &Folder,
    path: &Path,
    content: &[u8],
    mode: Option<u32>,
    key: &str,
) -> Result<(), Fault> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => return Err(io::Error::other("not a regular file").into()),
        Ok(there) if there.nlink() > 1 => {
            let message = format!(
                "it has {} names (hard links), and the others would keep what is there now",
                there.nlink()
            );
            return Err(io::Error::other(message).into());
        }
        Ok(there) => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let beside = beside(path, key)?;
    let replaced = write_beside(&beside, content, mode, there.as_ref())
        .map_err(Fault::from)
        .and_then(|()| folder.change(|| fs::rename(&beside, path)));
    if let Err(Fault::Untouched(_)) = replaced {
        let _ = fs::remove_file(&beside);
    }
    replaced
}

fn write_beside(
    beside: &Path,
    content: &[u8],
    mode: Option<u32>,
    there: Option<&fs::Metadata>,
) -> io::Result<()> {
    let kept = there.map(|there| there.permissions().mode() & 0o7777);
    // Left by an attempt that was killed in the middle.
    let _ = fs::remove_file(beside);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode.or(kept).unwrap_or(MODE)).open(beside)?;
    if let Some(there) = there {
        keep_owner(&file, there)?;
    }
    if let Some(mode) = mode.or(kept) {
        // Said, or there before: the umask does not count.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.write_all(content)?;
    file.sync_all()
}

/// Gives the new file to the owner and group of the one that it replaces.
fn keep_owner(new: &File, there: &fs::Metadata) -> io::Result<()> {
    let ours = new.metadata()?;
    if (ours.uid(), ours.gid()) == (there.uid(), there.gid()) {
        return Ok(());
    }
    fchown(new, Some(there.uid()), Some(there.gid())).map_err(|error| {
        let (user, group) = (there.uid(), there.gid());
        let reason = words(&error);
        io::Error::other(format!("it belongs to user {user}, group {group}, and a new one cannot: {reason}"))
    })
}

/// A name in the same folder that belongs to this step alone.
fn beside(path: &Path, key: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let short = key.get(..12).unwrap_or(key);
    Ok(path.with_file_name(format!(".{}.{short}.new", name.to_string_lossy())))
}

/// The folder that a file is in.
struct Folder(File);

impl Folder {
    /// Opened before anything is changed: where that is not permitted, nothing is.
    fn of(path: &Path) -> io::Result<Folder> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let open = File::open(folder.unwrap_or(Path::new(".")));
        open.map(Folder).map_err(|error| {
            io::Error::new(error.kind(), format!("its folder cannot be opened: {}", words(&error)))
        })
    }

    /// Changes what is in it, and puts that on disk.
    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> Result<(), Fault> {
        change()?;
        self.0.sync_all().map_err(Fault::Unsettled)
    }
}

#[cfg(test)]
mod tests {
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
    fn the_owner_stays_and_what_would_part_hard_links_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        // As root this is another owner than ours; as anybody else it is ours already.
        let other =
            if rustix::process::geteuid().is_root() { 65_534 } else { rustix::process::geteuid().as_raw() };
        std::os::unix::fs::chown(&path, Some(other), None).unwrap();
        replace(&path, b"two", Some(0o600), "key").unwrap();
        let now = fs::metadata(&path).unwrap();
        assert_eq!((now.uid(), now.mode() & 0o7777), (other, 0o600));

        fs::hard_link(&path, folder.path().join("b")).unwrap();
        let Err(Fault::Untouched(error)) = replace(&path, b"three", None, "key") else {
            panic!("not refused")
        };
        assert!(error.to_string().contains("hard links"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn only_regular_files_of_bounded_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        for odd in [fifo.as_path(), Path::new("/dev/zero")] {
            assert_eq!(read_regular(odd, 8).unwrap_err().to_string(), "not a regular file");
        }
        assert!(replace(&fifo, b"", None, "key").is_err());
        let file = folder.path().join("a");
        fs::write(&file, "12345678").unwrap();
        assert_eq!(read_regular(&file, 8).unwrap().unwrap(), b"12345678");
        assert_eq!(read_regular(&file, 7).unwrap(), None);
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

    fn found(root: &Path, path: &str) -> Result<PathBuf, String> {
        let within = Path::new(path).is_relative().then(|| root.to_owned());
        let place = Place { full: root.join("runbooks").join(path), within };
        place.find().map_err(|error| error.to_string())
    }

    #[test]
    fn links_are_followed_and_stay_links() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("runbooks");
        fs::create_dir(&folder).unwrap();
        fs::write(root.path().join("target"), "one").unwrap();
        std::os::unix::fs::symlink("../target", folder.join("link")).unwrap();
        let path = found(root.path(), "link").unwrap();
        replace(&path, b"two", None, "key").unwrap();
        assert!(fs::symlink_metadata(folder.join("link")).unwrap().is_symlink());
        assert_eq!(fs::read(root.path().join("target")).unwrap(), b"two");
        std::os::unix::fs::symlink("nowhere", folder.join("dangling")).unwrap();
        assert!(
            found(root.path(), "dangling").unwrap_err().starts_with("a symbolic link that leads nowhere")
        );
    }

    #[test]
    fn a_relative_path_stays_in_the_project() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = root.path().join("runbooks");
        fs::create_dir(&folder).unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.join("way_out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("file_out")).unwrap();
        for path in ["../../a", "way_out/a", "way_out/../a", "file_out", "../way/../../a"] {
            assert!(found(root.path(), path).is_err(), "{path}");
        }
        let project = fs::canonicalize(root.path()).unwrap();
        assert_eq!(found(root.path(), "../state.json").unwrap(), project.join("state.json"));
        let whole = outside.path().join("a");
        assert_eq!(
            found(root.path(), whole.to_str().unwrap()).unwrap(),
            fs::canonicalize(outside.path()).unwrap().join("a")
        );
        assert!(found(root.path(), "no/such/folder").is_err());
    }

    #[test]
    fn a_folder_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(replace(&folder.path().join("no/such"), b"", None, "key").is_err());
    }

    /// Nobody can put a pipe on disk: it stands in for a folder whose disk, or whose kind of file system, cannot.
    fn folder_that_cannot_be_put_on_disk() -> Folder {
        Folder(File::from(std::os::fd::OwnedFd::from(io::pipe().unwrap().0)))
    }

    #[test]
    fn what_was_changed_and_may_not_be_on_disk_is_never_called_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let odd = folder_that_cannot_be_put_on_disk();
        let written = replace_in(&odd, &path, b"new", None, "key");
        assert!(matches!(written, Err(Fault::Unsettled(_))), "{written:?}");
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(matches!(odd.change(|| fs::remove_file(&path)), Err(Fault::Unsettled(_))));
        // What was not changed is untouched all the same.
        assert!(matches!(odd.change(|| fs::remove_file(&path)), Err(Fault::Untouched(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn where_the_folder_cannot_be_opened_nothing_is_changed() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("drop");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("a");
        fs::write(&path, "old").unwrap();
        // To write and to search, not to read: root may all the same, and then it is done.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).unwrap();
        let written = replace(&path, b"new", None, "key");
        let now = fs::read(&path).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        match written {
            Ok(()) => assert_eq!(now, b"new"),
            Err(fault) => {
                assert!(matches!(fault, Fault::Untouched(_)), "{fault:?}");
                assert_eq!(now, b"old");
            }
        }
    }
}
