//! Where things lie in the journal's folder, and with which permissions.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, flock};

use crate::store::StoreError;

/// Which file a path names: its device and inode. Two that are the same are one file, as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    pub(crate) fn of(metadata: &fs::Metadata) -> FileId {
        FileId(metadata.dev(), metadata.ino())
    }

    pub(crate) fn at(path: &Path) -> io::Result<FileId> {
        fs::metadata(path).map(|metadata| FileId::of(&metadata))
    }
}

/// The folder of a journal.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> io::Result<Folder> {
        Ok(Folder { root: std::path::absolute(root)? })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("journal.db")
    }

    /// SQLite's write-ahead log.
    pub(crate) fn wal(&self) -> PathBuf {
        self.root.join("journal.db-wal")
    }

    /// Whether there is a database.
    ///
    /// # Errors
    /// If this user may not look into the folder.
    pub(crate) fn is_made(&self) -> Result<bool, StoreError> {
        Ok(self.database().try_exists()?)
    }

    /// What the file system says about a database that SQLite could not open: SQLite itself does not say why.
    pub(crate) fn cause(&self, error: StoreError) -> StoreError {
        if !matches!(error, StoreError::Io(_)) {
            return error;
        }
        let database = File::options().read(true).write(true).open(self.database()).map(drop);
        // SQLite keeps two more files beside it.
        let beside = || Ok(rustix::fs::access(&self.root, Access::WRITE_OK | Access::EXEC_OK)?);
        match database.and_then(|()| beside()) {
            Ok(()) => error,
            Err(cause) => cause.into(),
        }
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(crate) fn lock(&self, run: &str) -> PathBuf {
        self.runs().join(format!("{run}.lock"))
    }

    pub(crate) fn socket(&self, run: &str) -> PathBuf {
        self.runs().join(format!("{run}.sock"))
    }

    fn all_logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn logs(&self, run: &str) -> PathBuf {
        self.all_logs().join(run)
    }

    /// Makes the folder for the logs of a run.
    pub(crate) fn make_logs(&self, run: &str) -> io::Result<()> {
        self.make_inner(&self.all_logs())?;
        self.make_inner(&self.logs(run))
    }

    /// Makes the folder. One that we make belongs to its user alone: journals hold inputs and outputs. A team makes its
    /// shared folder itself, and what we put there gets that folder's permissions.
    pub(crate) fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
        // The entry of a new folder has to last as well as what is written into it.
        if let Some(parent) = self.root.parent() {
            File::open(parent)?.sync_all()?;
        }
        self.make_inner(&self.runs())
    }

    /// Makes a folder inside, with the root's permissions.
    pub(crate) fn make_inner(&self, folder: &Path) -> io::Result<()> {
        let mode = self.mode()?;
        match fs::DirBuilder::new().mode(mode).create(folder) {
            Ok(()) => fs::set_permissions(folder, fs::Permissions::from_mode(mode)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Opens a file inside for reading and writing; a new one gets the root's permissions, without "execute".
    pub(crate) fn open_file(&self, path: &Path) -> io::Result<File> {
        open(File::options().read(true).write(true), path, self.mode()?)
    }

    /// An exclusive lock on the folder itself, held while the tables are made or migrated.
    pub(crate) fn lock_whole(&self) -> io::Result<File> {
        let folder = File::open(&self.root)?;
        flock(&folder, FlockOperation::LockExclusive)?;
        Ok(folder)
    }

    pub(crate) fn mode(&self) -> io::Result<u32> {
        Ok(fs::metadata(&self.root)?.permissions().mode() & 0o2777)
    }
}

/// Opens a log of a run for appending; a new one gets its folder's permissions, without "execute".
///
/// # Errors
/// If it cannot be opened or made.
pub fn open_log(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(path);
    open(File::options().append(true), path, fs::metadata(folder)?.permissions().mode())
}

/// Opens a file; a new one gets these permissions of a folder.
fn open(options: &mut OpenOptions, path: &Path, folder: u32) -> io::Result<File> {
    let mode = folder & 0o666;
    options.mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // The umask may have taken away what the team's folder grants.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => options.create(true).open(path),
        Err(e) => Err(e),
    }
}
