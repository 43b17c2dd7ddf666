//! Opening the archive: the folder, the lock, the index, what a crash left, and the writer's thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::SqliteConnection;
use sqlx::migrate::MigrateError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::check::walk;
use super::derived::Orders;
use super::foreign::{self, Kind};
use super::handle::{Archive, CHANGES, Changed};
use super::lock::{Lock, Refused};
use super::names;
use super::recovery::{self, Recovered};
use super::repair::strays;
use super::rewrite::rewrite;
use super::store::{Disk, Phase, Store};
use super::writer::{Health, Writer, shell};
use super::{Error, index};
use crate::media::time::UnixMillis;

/// How the archive is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The folder of all recordings; created where it is not there.
    pub folder: PathBuf,
    /// How long a packet waits at most until a round makes it durable.
    pub sync_period: Duration,
    /// The file that says where the disk is to fail, in a test.
    pub faults: Option<PathBuf>,
}

impl Options {
    /// The folder with a round every 500 ms.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder, sync_period: Duration::from_millis(500), faults: None }
    }
}

/// Why the archive cannot be opened: one sentence for the person who starts the hub.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the recordings in {} are held by {holder}; one process at a time may write them", folder.display())]
    Held {
        /// The folder of all recordings.
        folder: PathBuf,
        /// Who, as far as it said: `process 1234 since 2026-11-22T09:28:00.000Z`.
        holder: String,
    },
    /// The folder cannot be created or written.
    #[error("the recordings' folder {} cannot be written: {source}", folder.display())]
    Folder {
        /// The folder of all recordings.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The index was made by a later version.
    #[error("the index {} was made by a newer version of roomtone, which this one cannot read", index.display())]
    Newer {
        /// The index.
        index: PathBuf,
    },
    /// The index cannot be read or written.
    #[error("the index {} cannot be used: {source}{}", index.display(), remedy(source))]
    Index {
        /// The index.
        index: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The index cannot be brought to this version.
    #[error("the index {} cannot be brought to this version: {source}", index.display())]
    Migration {
        /// The index.
        index: PathBuf,
        /// Why.
        source: MigrateError,
    },
    /// What a crash left cannot be put in order.
    #[error("what a crash left in {} cannot be put in order: {source}", folder.display())]
    Recovery {
        /// The folder of all recordings.
        folder: PathBuf,
        /// Why.
        source: Error,
    },
}

/// What to do about an index that is none any more, or that has no room.
fn remedy(error: &sqlx::Error) -> &'static str {
    if index::is_damaged(error) {
        "; roomtone check --repair makes it anew out of the recordings"
    } else if index::has_no_room(error) {
        "; the disk is full, and not even the index finds the little room that it needs"
    } else {
        ""
    }
}

impl Archive {
    /// Opens the archive: takes the lock, brings the index to this version, puts in order what a crash left, starts the
    /// writer's thread. `now` is the start of this run.
    ///
    /// # Errors
    /// Where one of these is refused; each is one sentence.
    pub async fn open(options: Options, now: UnixMillis) -> Result<(Self, Recovered), OpenError> {
        let folder = create(&options.folder)?;
        let options = Options { folder: folder.clone(), ..options };
        let (commands, inbox) = mpsc::unbounded_channel();
        let (opened, opening) = oneshot::channel();
        let orders = Arc::new(Orders::default());
        let changed = broadcast::Sender::new(CHANGES);
        let health = watch::Sender::new(Health::Well);
        let (channel, making) = ((commands.downgrade(), inbox), Arc::clone(&orders));
        let told = (changed.clone(), health.clone());
        let thread = std::thread::Builder::new().name("archive".to_owned());
        let spawned = thread.spawn(move || shell(options, now, channel, making, told, opened));
        spawned.map_err(|source| OpenError::Folder { folder: folder.clone(), source })?;
        let gone = |_| OpenError::Folder { folder: folder.clone(), source: io::Error::other("its thread fell") };
        let recovered = opening.await.map_err(gone)??;
        let readers = index::readers(&folder.join(names::INDEX));
        let index = folder.join(names::INDEX);
        let archive = Self::new(folder, readers, commands, orders, (changed, health));
        archive.read_settings().await.map_err(|source| OpenError::Index { index, source })?;
        Ok((archive, recovered))
    }
}

/// Creates the folder of all recordings, where it is not there, and gives it without the links that lead to it.
fn create(folder: &Path) -> Result<PathBuf, OpenError> {
    let created = std::fs::create_dir_all(folder).and_then(|()| foreign::resolve(folder));
    created.map_err(|source| OpenError::Folder { folder: folder.to_owned(), source })
}

/// Takes the lock of the folder.
pub(super) fn lock(folder: &Path, now: UnixMillis) -> Result<Lock, OpenError> {
    match Lock::take(folder, std::process::id(), now) {
        Ok(lock) => Ok(lock),
        Err(Refused::Held(holder)) => Err(OpenError::Held { folder: folder.to_owned(), holder }),
        Err(Refused::Io(source)) => Err(OpenError::Folder { folder: folder.to_owned(), source }),
    }
}

/// Everything but the thread; runs on it.
pub(super) async fn open(
    options: &Options,
    now: UnixMillis,
    mut store: Box<dyn Store>,
    orders: Arc<Orders>,
    told: (broadcast::Sender<Changed>, watch::Sender<Health>),
) -> Result<(Writer, Lock, Recovered), OpenError> {
    let folder = &options.folder;
    let unwritable = |source| OpenError::Folder { folder: folder.clone(), source };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let lock = lock(folder, now)?;
    let index = folder.join(names::INDEX);
    // Whoever closes the index as it should be leaves nothing beside it.
    let log = folder.join(names::INDEX_LOG);
    let fell = foreign::look(&log).map_err(unwritable)?.is_some();
    if fell {
        // Or a commit whose sync failed, and which nobody was told of, would stand before those that are to come, and not be there.
        keep(&log).map_err(unwritable)?;
    }
    let mut connection = connect(&index).await?;
    // SQLite syncs what is in the index, we that there is one.
    store.sync_folder(folder).map_err(unwritable)?;
    let unusable = |source| OpenError::Index { index: folder.join(names::INDEX), source };
    index::search::fill(&mut connection).await.map_err(&unusable)?;
    let unordered = |source| OpenError::Recovery { folder: folder.clone(), source };
    // A start that failed here may have closed the index as it should be.
    store.phase(Phase::Recover);
    if fell || !index::read::unfinished(&mut connection).await.map_err(&unusable)?.is_empty() {
        // Before this run is one of the index's: whoever falls here leaves to the next what was begun by the same.
        let taken = strays::sweep(&mut *store, &mut connection, folder).await.map_err(unordered)?;
        for (path, what) in taken {
            tracing::warn!("{} {what}", path.display());
        }
    }
    let run = index::write::run(&mut connection, now, std::process::id()).await.map_err(&unusable)?;
    let empty = index::read::is_empty(&mut connection).await.map_err(&unusable)?;
    let unindexed = empty && walk::any_recording(folder);
    let recovered = recovery::recover(&mut *store, &mut connection, folder).await;
    let recovered = recovered.map_err(unordered)?;
    let recovered = Recovered { unindexed, ..recovered };
    store.phase(Phase::Write);
    Ok((Writer::new(folder.clone(), run, store, connection, orders, told), lock, recovered))
}

/// Makes durable what can be read of SQLite's log.
fn keep(log: &Path) -> io::Result<()> {
    let mut handle = Disk.open(log)?;
    let (_, bytes) = Disk.read(log, 0)?;
    rewrite(&mut Disk, &mut handle, 0..bytes)?;
    Disk.sync(&handle)
}

/// Opens the connection that writes, and brings the index to this version.
pub(super) async fn connect(index: &Path) -> Result<SqliteConnection, OpenError> {
    // SQLite would follow a link.
    let plain = foreign::expect(index, Kind::File);
    plain.map_err(|source| OpenError::Index { index: index.to_owned(), source: sqlx::Error::Io(source) })?;
    let unusable = |source| OpenError::Index { index: index.to_owned(), source };
    let mut connection = index::writing(index).connect().await.map_err(unusable)?;
    match index::MIGRATIONS.run(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => {
            Err(OpenError::Newer { index: index.to_owned() })
        }
        Err(MigrateError::Execute(source)) => Err(unusable(source)),
        Err(source) => Err(OpenError::Migration { index: index.to_owned(), source }),
    }
}
