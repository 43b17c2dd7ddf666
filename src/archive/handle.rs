//! The handle on the archive that everyone else holds: reading by its own connections, and a way to the writer's thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::derived::{self, Found, FoundWaveform, Orders, waves};
use super::index::read;
use super::list::{self, ListQuery, Page};
use super::model::{BadEdit, Edition, Marker, Recording, RecordingId, Summary};
use super::reading::Opened;
use super::retention::{Expiry, Reason, Retention};
use super::settings::Rooms;
use super::sound::{self, TrackSound};
use super::writer::{Command, DerivedNews, Events, Health, NewRecording, RESERVE, RecordingWriter};
use crate::media::marker::{MOST_MARKERS, MarkerId, MarkerText};
use crate::media::room::RoomName;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

/// The archive, open. Clones are the same archive.
#[derive(Clone, Debug)]
pub struct Archive {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    readers: SqlitePool,
    commands: mpsc::UnboundedSender<Command>,
    opened: Opened,
    orders: Arc<Orders>,
    retention: Arc<Retention>,
    rooms: Rooms,
    changed: broadcast::Sender<Changed>,
    health: watch::Sender<Health>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.orders.stop();
    }
}

/// What someone changes of a recording; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What it is called; `Some(None)`, or a title of spaces, takes the title away. How long it may be is the caller's
    /// to say.
    pub title: Option<Option<String>>,
    /// Whether retention leaves it alone.
    pub keep: Option<bool>,
    /// Since when it is published, which changes nothing where it is already; `Some(None)` withdraws it.
    pub published: Option<Option<UnixMillis>>,
}

/// What someone does to a marker of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerChange {
    /// Sets a new one.
    Set(Marker),
    /// Moves one, or writes something else on it; `None` leaves a thing as it is.
    Edit {
        /// Which.
        id: MarkerId,
        /// Where it is to be, from the session's start.
        at: Option<Ticks>,
        /// What is to be written on it.
        text: Option<MarkerText>,
    },
    /// Takes one away.
    Remove(MarkerId),
}

/// What has become of a recording, as those who watch the list are told. In the order of the index's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It began, ended, was renamed, or someone new speaks in it: this is what lists show of it now. That it grows is not
    /// told.
    Recording(Arc<Summary>),
    /// Its mix is there: what a client of Socket.IO is greeted with.
    Mixed(RecordingId, RoomName),
    /// It is gone from the lists.
    Deleted(RecordingId),
}

/// How many changes may wait for one who watches; one who is further behind misses the oldest, and is told so.
pub(super) const CHANGES: usize = 256;

/// Why the archive cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No recording, or no track of it, has that ID or number.
    #[error("there is no such recording")]
    NotFound,
    /// It has not ended, and only what has ended can be deleted, or has anything derived from it.
    #[error("the recording has not ended")]
    Live,
    /// No marker of the recording has that ID.
    #[error("there is no such marker")]
    NoMarker,
    /// A marker is to stand where the recording does not go.
    #[error("the recording ends before that")]
    PastEnd,
    /// It has as many markers as it may.
    #[error("a recording has at most {MOST_MARKERS} markers")]
    TooManyMarkers,
    /// Someone has marked it `keep` since retention chose it.
    #[error("the recording is kept")]
    Kept,
    /// The index cannot be read or written.
    #[error("the index: {0}")]
    Index(#[from] sqlx::Error),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no space but what is held in reserve for ending recordings.
    #[error("the disk is full: {free} bytes are free, and the last {RESERVE} are for ending recordings")]
    Full {
        /// Bytes that are free.
        free: u64,
    },
    /// It has not what someone chose of it.
    #[error(transparent)]
    Edit(#[from] BadEdit),
    /// What was asked for is being made, or will be.
    #[error("it is not made yet; ask again in a moment")]
    Making,
    /// Too many rooms are other than by default.
    #[error("at most {} rooms have settings of their own", super::settings::MOST_ROOMS)]
    TooManyRooms,
    /// The recording has no sound at that time.
    #[error("the recording has no sound there")]
    NotThere,
    /// Something that is derived from it could not be made. Asked for again, it is tried again.
    #[error("it could not be made: {0}")]
    NotMade(NotMade),
    /// The writer's thread is gone: the hub stops.
    #[error("the archive is closed")]
    Closed,
}

/// Why something that is derived from a recording could not be made. Paths are none of the business of whoever asks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// The disk has too little room.
    #[error("{bytes} bytes would leave too little of the disk for recordings")]
    Full {
        /// What it would take.
        bytes: u64,
    },
    /// Something is wrong with the disk or the index.
    #[error("the disk or the index failed, and the log says how")]
    Failed,
}

impl Archive {
    pub(super) fn new(
        folder: PathBuf,
        readers: SqlitePool,
        commands: mpsc::UnboundedSender<Command>,
        orders: Arc<Orders>,
        (changed, health): (broadcast::Sender<Changed>, watch::Sender<Health>),
    ) -> Self {
        let (opened, retention, rooms) = (Opened::default(), Arc::default(), Rooms::default());
        Self {
            shared: Arc::new(Shared { folder, readers, commands, opened, orders, retention, rooms, changed, health }),
        }
    }

    /// The folder of all recordings, without the links that lead to it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// The connections that read the index.
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.shared.readers
    }

    /// The recordings that are played.
    pub(super) fn opened(&self) -> &Opened {
        &self.shared.opened
    }

    /// Who reads what, and what retention remembers.
    pub(super) fn retention(&self) -> &Arc<Retention> {
        &self.shared.retention
    }

    /// What is set of rooms.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.shared.rooms
    }

    /// What becomes of recordings from now on. Ask for it before the list, and nothing is missed.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Changed> {
        self.shared.changed.subscribe()
    }

    /// A page of the list of recordings, newest first. Those that are being deleted are not in it.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn recordings(&self, query: &ListQuery) -> Result<Page, Error> {
        let mut connection = self.shared.readers.acquire().await?;
        Ok(list::page(&mut connection, query).await?)
    }

    /// A recording with all that is in it, as far as it is durable; all of it from one moment.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn recording(&self, id: RecordingId) -> Result<Option<Recording>, Error> {
        let mut transaction = self.shared.readers.begin().await?;
        Ok(read::recording(&mut transaction, id).await?.map(|(_, recording)| recording))
    }

    /// The sound of a track, to be read, as far as it is durable.
    ///
    /// # Errors
    /// Where there is none, or the index or a file cannot be read.
    pub async fn track_sound(&self, id: RecordingId, track: TrackNumber) -> Result<TrackSound, Error> {
        let mut connection = self.shared.readers.acquire().await?;
        let in_use = self.shared.retention.in_use(id);
        let found = sound::find(&mut connection, id, track).await?.ok_or(Error::NotFound)?;
        match sound::open(&self.shared.folder, found, in_use) {
            // Someone may have deleted it in between.
            Err(Error::File { source, path }) if source.kind() == io::ErrorKind::NotFound => {
                let there = sound::find(&mut connection, id, track).await?.is_some();
                Err(if there { Error::File { path, source } } else { Error::NotFound })
            }
            opened => opened,
        }
    }

    /// The edition under which a recording has what was asked for: what comes to the whole is the whole.
    ///
    /// # Errors
    /// As [`Self::derived`], whether it could be made apart.
    pub async fn edition(&self, id: RecordingId, what: Edition) -> Result<Edition, Error> {
        let mut connection = self.shared.readers.acquire().await?;
        Ok(derived::find(&mut connection, &self.shared.folder, id, what).await?.what)
    }

    /// Something that is derived from a recording; where it is not there, it is made next.
    ///
    /// # Errors
    /// [`Error::Live`] where the recording has not ended; [`Error::Edit`] where it has not what was chosen of it; where there is no
    /// such recording or track, or making it failed since it was last asked for.
    pub async fn derived(&self, id: RecordingId, what: impl Into<Edition>) -> Result<Found, Error> {
        let mut connection = self.shared.readers.acquire().await?;
        let in_use = self.shared.retention.in_use(id);
        let found = derived::find(&mut connection, &self.shared.folder, id, what.into()).await?;
        let what = found.what;
        match found.open(in_use)? {
            Some(download) => Ok(Found::Made(Box::new(download))),
            None => self.shared.orders.want(id, what).map(Found::Making).map_err(Error::NotMade),
        }
    }

    /// The peaks of a track of a recording, or of all tracks together: so far, where it has not ended.
    ///
    /// # Errors
    /// Where there is no such recording or track, the index or the file cannot be read, or making it failed since it was last
    /// asked for.
    pub async fn waveform(&self, id: RecordingId, track: Option<TrackNumber>) -> Result<FoundWaveform, Error> {
        let Shared { readers, orders, retention, folder, .. } = &*self.shared;
        let mut connection = readers.acquire().await?;
        let indexed = waves::find(&mut connection, id, track).await?;
        let (live, what) = (indexed.live, waves::file_of(track).into());
        let file = match live {
            true => None,
            false => waves::open(&mut connection, folder, id, track, retention.in_use(id)).await?,
        };
        drop(connection);
        let there = match file {
            Some(file) => match indexed.of_file(file) {
                Some(waveform) => Some(waveform),
                None => {
                    // It is as long as it was made, but no file of peaks any more: it is made again.
                    self.ask(|reply| Command::Derived { id, news: DerivedNews::Gone(what), reply }).await?;
                    None
                }
            },
            None => {
                let (orders, in_use) = (Arc::clone(orders), retention.in_use(id));
                let so_far = move || indexed.so_far(orders.waves(), id, track, in_use);
                tokio::task::spawn_blocking(so_far).await.unwrap_or_default()
            }
        };
        match there {
            Some(waveform) => Ok(FoundWaveform::There(Box::new(waveform))),
            None if live => Ok(FoundWaveform::Making(0.0)),
            None => orders.want(id, what).map(FoundWaveform::Making).map_err(Error::NotMade),
        }
    }

    /// What is being made of a recording, or waits for it, and how far each is, from 0 to 1.
    #[must_use]
    pub fn making(&self, id: RecordingId) -> Vec<(Edition, f64)> {
        self.shared.orders.making(id)
    }

    /// Changes a recording's title, or whether it is kept or published, and gives what it is then.
    ///
    /// # Errors
    /// Where there is none, or the index or its session file cannot be written.
    pub async fn change(&self, id: RecordingId, change: Change) -> Result<Summary, Error> {
        self.ask(|reply| Command::Change { id, change, reply }).await
    }

    /// Sets, changes or removes a marker of a recording, and gives what it is then, or was.
    ///
    /// # Errors
    /// Where there is no such recording or marker, it would stand behind the end, there are too many, or the index or the session
    /// file cannot be written.
    pub async fn mark(&self, id: RecordingId, change: MarkerChange) -> Result<Marker, Error> {
        self.ask(|reply| Command::Mark { id, change, reply }).await
    }

    /// Deletes a recording that has ended, from disk and index. Who has a file of it open keeps that, and who plays it keeps
    /// all of it.
    ///
    /// # Errors
    /// [`Error::Live`] where it has not ended; where there is none, or a file cannot be removed: then it is gone from the
    /// lists, and what is left is tried again.
    pub async fn delete(&self, id: RecordingId) -> Result<(), Error> {
        self.delete_by(id, None).await
    }

    /// The same, by a limit where there is one; then also [`Error::Kept`].
    pub(super) async fn delete_by(&self, id: RecordingId, expiry: Option<Expiry>) -> Result<(), Error> {
        let kept_off = self.shared.orders.keep_off(id).await;
        self.hold(id).await;
        self.ask(|reply| Command::Delete { id, expiry, reply }).await?;
        kept_off.gone();
        self.shared.opened.forget(id);
        Ok(())
    }

    /// Goes on with deletions that were begun and could not be finished; gives by which limit those went that are finished now, each
    /// with its bytes.
    pub(super) async fn finish_deletions(&self) -> Result<Vec<(Reason, u64)>, Error> {
        self.ask(|reply| Command::FinishDeletions { reply }).await
    }

    /// Begins a recording. Nothing of it is in the index or on disk before its first part. `events` is called on the
    /// writer's thread, so it must only hand on.
    #[must_use]
    pub fn begin(&self, new: NewRecording, events: Events) -> RecordingWriter {
        RecordingWriter::new(new, events, self.shared.commands.clone())
    }

    /// How the disk is, as far as is known without asking it.
    #[must_use]
    pub fn health(&self) -> Health {
        *self.shared.health.borrow()
    }

    /// Whether the index answers and the disk takes what is written, asked of the writer: a thread that hangs in a
    /// dying disk does not answer, so put a deadline on it.
    ///
    /// # Errors
    /// What is wrong. A disk that was full is well again when there is more than the reserve free.
    pub async fn healthy(&self) -> Result<(), Error> {
        sqlx::query(read::ANY).fetch_optional(&self.shared.readers).await?;
        self.ask(|reply| Command::Probe { reply }).await
    }

    /// Writes what is there, syncs it, and ends the writer's thread; the lock is free when this returns. Recordings that
    /// have not ended stay open in the index, for the next start to end.
    pub async fn close(&self) {
        // What is being made is thrown away, and made at the next start. The writer does not wait for that.
        self.shared.orders.stop();
        // An error means that the thread is gone already.
        let _ = self.ask(|reply| Command::Close { reply }).await;
        self.shared.orders.stopped().await;
        self.shared.readers.close().await;
    }

    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.commands.send(command(reply)).map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}
