//! What can go wrong with the database itself.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

/// The database could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("no space is left on the disk that holds the journal")]
    NoSpace,
    #[error("this user may not write the journal")]
    ReadOnly,
    #[error("another process has kept the journal locked for more than {} s", crate::schema::BUSY_TIMEOUT.as_secs())]
    Busy,
    #[error("the journal's file is damaged: {0}")]
    Damaged(String),
    #[error("{0} was removed, or another file was put in its place, while it was written")]
    Replaced(PathBuf),
    #[error("there is no run {0}")]
    NoSuchRun(String),
    #[error("the journal could not be read or written: {0}")]
    Io(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::NoSpace,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(text),
            Some(_) => StoreError::Io(text),
            // Not from SQLite but from reading a column: a value of a type that we never write.
            None => StoreError::Damaged(text),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::NoSpace,
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
                StoreError::ReadOnly
            }
            _ => StoreError::Io(error.to_string()),
        }
    }
}
