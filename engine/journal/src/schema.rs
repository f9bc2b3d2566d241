//! Tables, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::store::StoreError;

/// `RNBK`: marks the file as ours.
pub(crate) const APPLICATION_ID: i32 = 0x524E_424B;

/// How long a writer waits for another process's transaction. Transactions take milliseconds; one that takes longer
/// belongs to a process that was stopped in the middle.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// One script per version; the n-th leads from version n to n + 1.
const MIGRATIONS: &[&str] = &[include_str!("schema_1.sql")];

/// The version of the tables that this program writes.
pub(crate) const VERSION: i32 = MIGRATIONS.len() as i32;

/// What a file turned out to be.
pub(crate) enum Found {
    /// Nothing was in it.
    Empty,
    /// A journal of this version of the tables.
    Journal(i32),
    /// A database of something else.
    Foreign,
}

/// Opens the file and sets the connection up.
pub(crate) fn connect(file: &Path, write: bool) -> Result<Connection, StoreError> {
    let access = if write {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    } else {
        // Read-write access lets a reader recover the WAL that a killed writer left; `query_only` below keeps it from
        // writing anything else.
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    let connection = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The last one to leave would copy the whole WAL into the main file, with two more syncs: the next commits do that
    // when the WAL has grown (see `docs/design/journal.md` for what it costs the next start).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    if write {
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 256")?;
        if cfg!(target_os = "macos") {
            connection.execute_batch("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")?;
        }
    } else {
        connection.execute_batch("PRAGMA query_only = ON")?;
    }
    Ok(connection)
}

/// Looks what the file is.
pub(crate) fn inspect(connection: &Connection) -> Result<Found, StoreError> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID {
        return Ok(Found::Journal(version));
    }
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if tables == 0 && version == 0 && application == 0 { Found::Empty } else { Found::Foreign })
}

/// Brings the tables from `from` (0: nothing) to [`VERSION`]. The caller holds the folder's lock.
pub(crate) fn migrate(connection: &mut Connection, from: i32) -> Result<(), StoreError> {
    if from == 0 {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for script in &MIGRATIONS[from as usize..] {
        transaction.execute_batch(script)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}
