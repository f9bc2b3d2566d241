//! A journal, opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runbook_wire::Outline;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use thiserror::Error;

use crate::bell::{self, Bell, Nudge, Subscription};
use crate::events::{Events, ReadError};
use crate::executor::Executor;
use crate::folder::Folder;
use crate::follow::Follow;
use crate::ownership::{self, Holder, Ownership, Refusal};
use crate::plans::{self, StoredPlan};
use crate::progress::{Progress, Wake};
use crate::schema::{self, Found};
use crate::store::StoreError;
use crate::summary;
use crate::writer::{RunKey, Writer};

/// A journal. May be shared between threads; several processes may have it open.
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    /// For everything but the events that executors append.
    connection: Mutex<Connection>,
    /// Started with the first executor.
    writer: Mutex<Option<Arc<Writer>>>,
    read_only: bool,
}

/// Why a journal could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Only of [`Journal::open_read_only`].
    #[error("there is no journal in {}", .0.display())]
    Missing(PathBuf),
    #[error(
        "the journal in {} has format {found}, which a newer version of runbook wrote; this version reads up to format \
         {}: use the newer one", folder.display(), schema::VERSION
    )]
    Newer { folder: PathBuf, found: i32 },
    /// Only of [`Journal::open_read_only`]: opening it for writing migrates it.
    #[error(
        "the journal in {} has the older format {found}; any command that writes, such as `runbook resume`, brings it \
         to format {}", folder.display(), schema::VERSION
    )]
    Older { folder: PathBuf, found: i32 },
    #[error("{} is not a journal of runbook", .0.display())]
    Foreign(PathBuf),
    #[error("{}: {error}", folder.display())]
    Store { folder: PathBuf, error: StoreError },
}

/// Why a run could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClaimError {
    #[error("there is no run {0}")]
    NoSuchRun(String),
    /// Of [`Journal::create`]: try another id.
    #[error("there is already a run {0}")]
    Exists(String),
    #[error("run {run} is being executed by {holder}")]
    Held { run: String, holder: Holder },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<io::Error> for ClaimError {
    fn from(error: io::Error) -> Self {
        ClaimError::Store(error.into())
    }
}

impl Journal {
    /// Opens the journal in this folder for reading and writing; makes it if there is none, and brings an older one up
    /// to date.
    ///
    /// # Errors
    /// If it is of a newer version, damaged, not a journal, or not accessible.
    pub fn open(folder: &Path) -> Result<Journal, OpenError> {
        let place = Folder::new(folder)
            .map_err(|e| OpenError::Store { folder: folder.to_owned(), error: e.into() })?;
        let store =
            |error: StoreError| OpenError::Store { folder: folder.to_owned(), error: place.cause(error) };
        if !place.is_made().map_err(store)? {
            place.make().map_err(|e| store(e.into()))?;
            // With the team's permissions, which SQLite gives to the files beside it too.
            place.open_file(&place.database()).map_err(|e| store(e.into()))?;
        }
        let mut connection = schema::connect(&place.database(), true).map_err(store)?;
        let found = |connection: &Connection| match schema::inspect(connection).map_err(store)? {
            Found::Empty => Ok(0),
            Found::Journal(version) if version > schema::VERSION => {
                Err(OpenError::Newer { folder: folder.to_owned(), found: version })
            }
            Found::Journal(version) => Ok(version),
            Found::Foreign => Err(OpenError::Foreign(place.database())),
        };
        if found(&connection)? != schema::VERSION {
            // Others may be at it too: look again under the lock.
            let _lock = place.lock_whole().map_err(|e| store(e.into()))?;
            let version = found(&connection)?;
            if version != schema::VERSION {
                schema::migrate(&mut connection, version).map_err(store)?;
            }
        }
        Ok(Journal {
            folder: place,
            connection: Mutex::new(connection),
            writer: Mutex::default(),
            read_only: false,
        })
    }

    /// Opens the journal in this folder for reading; makes nothing.
    ///
    /// # Errors
    /// As [`Journal::open`]; also if there is none, or it is of an older version.
    pub fn open_read_only(folder: &Path) -> Result<Journal, OpenError> {
        let place = Folder::new(folder)
            .map_err(|e| OpenError::Store { folder: folder.to_owned(), error: e.into() })?;
        let store =
            |error: StoreError| OpenError::Store { folder: folder.to_owned(), error: place.cause(error) };
        if !place.is_made().map_err(store)? {
            return Err(OpenError::Missing(folder.to_owned()));
        }
        let connection = schema::connect(&place.database(), false).map_err(store)?;
        match schema::inspect(&connection).map_err(store)? {
            Found::Empty => Err(OpenError::Missing(folder.to_owned())),
            Found::Foreign => Err(OpenError::Foreign(place.database())),
            Found::Journal(found) if found > schema::VERSION => {
                Err(OpenError::Newer { folder: folder.to_owned(), found })
            }
            Found::Journal(found) if found < schema::VERSION => {
                Err(OpenError::Older { folder: folder.to_owned(), found })
            }
            Found::Journal(_) => Ok(Journal {
                folder: place,
                connection: Mutex::new(connection),
                writer: Mutex::default(),
                read_only: true,
            }),
        }
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        self.folder.root()
    }

    /// Where the logs of a run go: plain files, whose names are the writer's business. The folder is not made.
    pub fn log_folder(&self, run: &str) -> PathBuf {
        self.folder.logs(run)
    }

    /// Makes the folder for the logs of a run, with the permissions of the journal's own.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_log_folder(&self, run: &str) -> io::Result<()> {
        self.folder.make_logs(run)
    }

    /// Begins a run of this id. Nothing is stored until the first events, of which the first is `RunCreated`, are
    /// appended; the plan is stored with them. `waker` is called from the journal's own threads.
    ///
    /// # Errors
    /// If there is already a run of this id: try another one.
    pub fn create(
        &self,
        run: &str,
        plan: StoredPlan,
        waker: impl Fn(Wake) + Send + Sync + 'static,
    ) -> Result<Executor, ClaimError> {
        let ownership = self.own(run)?;
        // Nobody else can make it now: that takes the lock we hold.
        if summary::cursor(&self.reader(), run)?.is_some() {
            return Err(ClaimError::Exists(run.to_owned()));
        }
        self.executor(ownership, run, 1, 0, Some(Arc::new(plan)), waker)
    }

    /// Takes a run that nobody executes. The epoch rises, so that whatever an earlier executor may still try to append
    /// is refused.
    ///
    /// # Errors
    /// If another process executes it, or there is no such run.
    pub fn claim(
        &self,
        run: &str,
        waker: impl Fn(Wake) + Send + Sync + 'static,
    ) -> Result<Executor, ClaimError> {
        if summary::cursor(&self.reader(), run)?.is_none() {
            return Err(ClaimError::NoSuchRun(run.to_owned()));
        }
        let ownership = self.own(run)?;
        let (epoch, last_seq) =
            self.raise_epoch(run)?.ok_or_else(|| ClaimError::NoSuchRun(run.to_owned()))?;
        self.executor(ownership, run, epoch, last_seq, None, waker)
    }

    /// Who executes the run at this moment.
    ///
    /// # Errors
    /// If the lock cannot be looked at.
    pub fn holder(&self, run: &str) -> Result<Option<Holder>, StoreError> {
        Ok(ownership::holder(&self.folder, run)?)
    }

    /// Wakes the executor of the run.
    ///
    /// # Errors
    /// If its socket cannot be reached for another reason than that it is gone.
    pub fn nudge(&self, run: &str) -> Result<Nudge, StoreError> {
        Ok(bell::nudge(&self.folder, run)?)
    }

    /// The events of a run from this number on. Each is checked against the chain.
    pub fn events(&self, run: &str, from: u64) -> Events<'_> {
        Events::new(self, run, from)
    }

    /// Follows a run from this event on.
    pub fn follow(&self, run: &str, from: u64) -> Follow<'_> {
        Follow::new(self, run, from)
    }

    /// The plan of this digest.
    ///
    /// # Errors
    /// If it cannot be read, or is not what was stored.
    pub fn plan(&self, digest: &str) -> Result<Option<StoredPlan>, ReadError> {
        plans::load(&self.reader(), digest)
    }

    /// The outline of the plan of this digest.
    ///
    /// # Errors
    /// As [`Journal::plan`].
    pub fn outline(&self, digest: &str) -> Result<Option<Outline>, ReadError> {
        plans::outline(&self.reader(), digest)
    }

    pub(crate) fn reader(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self, run: &str) -> Result<Option<Subscription>, StoreError> {
        Ok(Subscription::open(&self.folder, run)?)
    }

    fn own(&self, run: &str) -> Result<Ownership, ClaimError> {
        if self.read_only {
            return Err(StoreError::ReadOnly.into());
        }
        let socket = bell::socket_path(&self.folder, run)?;
        Ownership::take(&self.folder, run, &socket).map_err(|refusal| match refusal {
            Refusal::Held(holder) => ClaimError::Held { run: run.to_owned(), holder },
            Refusal::Io(error) => error.into(),
        })
    }

    fn raise_epoch(&self, run: &str) -> Result<Option<(u32, u64)>, StoreError> {
        let mut connection = self.reader();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let row = transaction
            .query_row(
                "UPDATE runs SET epoch = epoch + 1 WHERE id = ?1 RETURNING epoch, last_seq",
                [run],
                |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)),
            )
            .optional()?;
        transaction.commit()?;
        Ok(row)
    }

    fn executor(
        &self,
        ownership: Ownership,
        run: &str,
        epoch: u32,
        last_seq: u64,
        plan: Option<Arc<StoredPlan>>,
        waker: impl Fn(Wake) + Send + Sync + 'static,
    ) -> Result<Executor, ClaimError> {
        let progress = Arc::new(Progress::new(last_seq, Box::new(waker)));
        let writer = self.writer()?;
        let socket = bell::socket_path(&self.folder, run)?;
        let bell = Bell::hang(socket, self.folder.mode()?, Arc::clone(&progress))?;
        let key = Arc::new(RunKey { id: run.to_owned(), epoch, progress });
        Ok(Executor::new(key, writer, last_seq, plan, bell, ownership))
    }

    fn writer(&self) -> io::Result<Arc<Writer>> {
        let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = &*slot {
            return Ok(Arc::clone(writer));
        }
        let writer = Arc::new(Writer::start(self.folder.clone())?);
        *slot = Some(Arc::clone(&writer));
        Ok(writer)
    }
}
