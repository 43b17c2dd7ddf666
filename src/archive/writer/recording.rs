//! A recording that is being written: what the hub told of it, until a round has made it durable.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::archive::imprint::Imprint;
use crate::archive::index::{search, write};
use crate::archive::model::{Attendance, Chat, EndReason, RecordingId, State};
use crate::archive::names;
use crate::archive::store::Store;
use crate::media::room::RoomName;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

use super::log;
use super::track::Track;
use super::{Event, Events, NewPart, NewRecording, Step};

/// What is wrong with the disk or the index.
#[derive(Debug, thiserror::Error)]
pub(in crate::archive) enum Trouble {
    /// A file or folder.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The index.
    #[error("the index: {0}")]
    Index(#[from] sqlx::Error),
}

/// What the hub must not tell, and what cannot be: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misuse {
    /// A packet, gap or spool for a track without an open part.
    #[error("track {0} has no open part")]
    NoPart(TrackNumber),
    /// A second part before the first has ended.
    #[error("track {0} has an open part already")]
    PartOpen(TrackNumber),
    /// A packet or a gap that its file cannot hold.
    #[error("{0} cannot hold what it was told to: it is not whole frames, or the file is full")]
    Unfit(String),
    /// A spool that reads back as something else than what was written.
    #[error("{0} does not hold what was written to it")]
    Spool(String),
}

impl Trouble {
    pub fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// Why a recording cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl Fault {
    /// The end that this is for a recording.
    fn reason(&self) -> EndReason {
        let full = match self {
            Self::Trouble(Trouble::File { source, .. }) => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            // SQLITE_FULL.
            Self::Trouble(Trouble::Index(sqlx::Error::Database(error))) => {
                error.code().is_some_and(|code| code == "13")
            }
            Self::Trouble(Trouble::Index(_)) | Self::Misuse(_) => false,
        };
        if full { EndReason::DiskFull } else { EndReason::IoError }
    }
}

/// A recording.
pub(super) struct Recording {
    pub id: RecordingId,
    room: RoomName,
    started: UnixMillis,
    events: Events,
    /// Its folder, below the folder of all recordings.
    pub folder: String,
    /// Its row in the index, once it has one.
    pub row: Option<i64>,
    tracks: BTreeMap<TrackNumber, Track>,
    /// What is not in the index yet.
    chat: Vec<Chat>,
    attendance: Vec<Coming>,
    state: Option<State>,
    end: Option<(EndReason, UnixMillis)>,
    /// The end of its sound on the session's clock, as far as it was written.
    length: Ticks,
    /// It ended by a fault: nothing is taken any more, and the index is only still to be told.
    failed: bool,
}

/// Someone's coming and going, in order.
enum Coming {
    Joined(Attendance),
    Left(Uuid, Ticks),
}

/// What a round has made of a recording.
pub(super) struct Indexed {
    /// Spools to unlink.
    pub spools: Vec<String>,
    /// What to tell.
    pub events: Vec<Event>,
    /// Whether it is over.
    pub over: bool,
}

impl Recording {
    pub fn new(new: NewRecording, events: Events) -> Self {
        let NewRecording { id, room, started } = new;
        Self {
            id,
            folder: names::folder(&room, started, id),
            room,
            started,
            events,
            row: None,
            tracks: BTreeMap::new(),
            chat: Vec::new(),
            attendance: Vec::new(),
            state: None,
            end: None,
            length: Ticks::ZERO,
            failed: false,
        }
    }

    /// Takes what the hub tells. Only settling a spool touches the disk: it reads.
    pub fn handle(&mut self, step: Step, store: &mut dyn Store, root: &Path) {
        if self.failed || self.end.is_some() {
            return;
        }
        if let Err(fault) = self.take(step, store) {
            self.fail(&fault, root);
        }
    }

    fn take(&mut self, step: Step, store: &mut dyn Store) -> Result<(), Fault> {
        match step {
            Step::BeginPart(part) => self.begin_part(part)?,
            Step::Append(track, packets) => self.track(track)?.append(&packets)?,
            Step::Gap(track, gap) => self.track(track)?.gap(gap)?,
            Step::Anchor(track, anchor) => self.track(track)?.anchor(anchor),
            Step::Restart(track, restart) => self.track(track)?.restart(restart),
            Step::Spool(track, pause, packets) => self.track(track)?.spool(pause, &packets)?,
            Step::Settle(track, gap) => self.track(track)?.settle(gap, store)?,
            Step::EndPart(track) => self.track(track)?.end_part(store)?,
            Step::Chat(chat) => self.chat.push(chat),
            Step::Joined(stay) => self.attendance.push(Coming::Joined(stay)),
            Step::Left(participant, at) => self.attendance.push(Coming::Left(participant, at)),
            Step::State(State::Ended(_)) => {}
            Step::State(state) => self.state = Some(state),
            Step::End(reason, at) => self.end(reason, at, store)?,
            Step::Dropped => {
                self.end(EndReason::Crashed, self.started, store)?;
                self.end = Some((EndReason::Crashed, self.sounded_until()));
            }
        }
        Ok(())
    }

    fn begin_part(&mut self, part: NewPart) -> Result<(), Misuse> {
        let track = self.tracks.entry(part.track).or_insert_with(|| Track::new(&part));
        let serial = log::serial(self.id, part.track, part.number);
        let NewPart { participant, source, start, first, .. } = part;
        let imprint = Imprint { participant, source, start, first };
        let tags = log::tags(&self.room, self.started, part.track, &part.name, &imprint);
        track.begin_part(part, serial, &tags)
    }

    fn track(&mut self, number: TrackNumber) -> Result<&mut Track, Misuse> {
        self.tracks.get_mut(&number).ok_or(Misuse::NoPart(number))
    }

    fn end(&mut self, reason: EndReason, at: UnixMillis, store: &mut dyn Store) -> Result<(), Fault> {
        for track in self.tracks.values_mut() {
            track.end_part(store)?;
        }
        self.end = Some((reason, at));
        Ok(())
    }

    /// When its sound ended, told by the session's clock.
    fn sounded_until(&self) -> UnixMillis {
        let length = self.tracks.values().map(Track::end).fold(self.length, Ticks::max);
        ended(self.started, length)
    }

    /// Ends the recording where it is. What is durable stays as it is, parts without their last page included: on a disk
    /// that fails, the next start has better chances to finish them.
    pub fn fail(&mut self, fault: &Fault, root: &Path) {
        if self.failed {
            tracing::warn!(recording = %self.id, "cannot be marked as ended: {fault}");
            return;
        }
        let reason = fault.reason();
        tracing::error!(recording = %self.id, folder = %root.join(&self.folder).display(), "ends: {fault}");
        (self.events)(Event::Failed { reason, message: fault.to_string() });
        self.failed = true;
        self.tracks.clear();
        self.chat.clear();
        self.attendance.clear();
        self.state = None;
        self.end = Some((reason, ended(self.started, self.length)));
    }

    /// Whether there is anything for a round to do.
    pub fn dirty(&self) -> bool {
        self.end.is_some() || (!self.tracks.is_empty() && self.told())
    }

    fn told(&self) -> bool {
        self.said() || self.tracks.values().any(Track::dirty)
    }

    /// Whether something that is no sound waits.
    fn said(&self) -> bool {
        self.state.is_some() || !self.chat.is_empty() || !self.attendance.is_empty()
    }

    /// Whether the session file says something that is no longer so.
    pub fn news(&self) -> bool {
        let told = self.said() || self.end.is_some() || self.row.is_none();
        told || self.tracks.values().any(Track::news)
    }

    /// Creates, writes and syncs files and folders.
    pub fn write(&mut self, store: &mut dyn Store, root: &Path) -> Result<(), Trouble> {
        if self.tracks.is_empty() {
            return Ok(());
        }
        let folder = root.join(&self.folder);
        if self.row.is_none() {
            create_folders(store, root, &folder, &self.room)?;
        }
        let mut created = false;
        for track in self.tracks.values_mut() {
            created |= track.write(store, &folder)?;
        }
        for track in self.tracks.values_mut() {
            track.sync(store)?;
        }
        if created {
            store.sync_folder(&folder).map_err(|source| Trouble::file(&folder, source))?;
        }
        Ok(())
    }

    /// Says in the index what is durable; gives the row. Nothing is taken for said before the transaction is committed.
    pub async fn index(&self, c: &mut SqliteConnection, run: i64, news: bool) -> Result<Option<i64>, sqlx::Error> {
        let row = match self.row {
            Some(row) => row,
            // No part, so there is nothing to say.
            None if self.tracks.is_empty() => return Ok(None),
            None => write::recording(c, run, self.id, &self.room, &self.folder, self.started).await?,
        };
        for track in self.tracks.values() {
            track.index(c, row).await?;
        }
        for chat in &self.chat {
            write::chat(c, row, chat).await?;
        }
        for coming in &self.attendance {
            match coming {
                Coming::Joined(stay) => write::joined(c, row, stay).await?,
                Coming::Left(participant, at) => write::left(c, row, *participant, *at).await?,
            }
        }
        if !self.failed {
            let length = self.tracks.values().map(Track::end).fold(self.length, Ticks::max);
            write::length(c, row, length).await?;
        }
        if let Some(state) = self.state {
            write::state(c, row, state).await?;
        }
        if let Some((reason, at)) = self.end {
            write::end(c, row, reason, at).await?;
        }
        if !self.tracks.values().all(Track::is_indexed) {
            search::refresh(c, self.id).await?;
        }
        if news {
            write::session_file_stale(c, row, true).await?;
        }
        Ok(Some(row))
    }

    /// The index says it all now.
    pub fn indexed(&mut self, row: Option<i64>) -> Indexed {
        self.row = row;
        self.length = self.tracks.values().map(Track::end).fold(self.length, Ticks::max);
        self.chat.clear();
        self.attendance.clear();
        self.state = None;
        let (mut spools, mut events) = (Vec::new(), Vec::new());
        for track in self.tracks.values_mut() {
            let (files, durable) = track.indexed();
            spools.extend(files);
            events.extend(durable);
        }
        let over = self.end.is_some();
        if over && !self.failed {
            events.push(Event::Ended);
        }
        Indexed { spools, events, over }
    }

    /// Tells the hub.
    pub fn tell(&self, events: Vec<Event>) {
        events.into_iter().for_each(&self.events);
    }
}

/// The wall-clock time at which a session's clock is at `length`.
pub(in crate::archive) fn ended(started: UnixMillis, length: Ticks) -> UnixMillis {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    UnixMillis::new(started.get().saturating_add(millis))
}

/// Creates a recording's folder, in its room's, and makes both durable.
fn create_folders(store: &mut dyn Store, root: &Path, folder: &Path, room: &RoomName) -> Result<(), Trouble> {
    let room = root.join(room.as_str());
    match store.create_folder(&room) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => return Err(Trouble::file(&room, source)),
        _ => store.sync_folder(root).map_err(|source| Trouble::file(root, source))?,
    }
    store.create_folder(folder).map_err(|source| Trouble::file(folder, source))?;
    store.sync_folder(&room).map_err(|source| Trouble::file(&room, source))
}
