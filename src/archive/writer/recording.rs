//! A recording that is being written: what the hub told of it, until a round has made it durable.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::archive::index::{markers, search, write};
use crate::archive::model::{Attendance, Chat, EndReason, Marker, RecordingId, State};
use crate::archive::names;
use crate::archive::store::Store;
use crate::media::room::RoomName;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

use super::log;
use super::space::BESIDE;
use super::track::Track;
use super::trouble::{Fault, Misuse, Trouble};
use super::{Event, Events, NewPart, NewRecording, Step};

/// How many more files are tried in a round, where the disk refuses one.
const TRIES: usize = 3;
/// How often the disk may refuse files of a recording before that is over: a disk that fails for good is not to be covered with
/// files.
const MOST_REFUSED: usize = 100;

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
    markers: Vec<Marker>,
    attendance: Vec<Coming>,
    state: Option<State>,
    end: Option<(EndReason, UnixMillis)>,
    /// The end of its sound on the session's clock, as far as it was written.
    length: Ticks,
    /// It ended by a fault: nothing is taken any more, and the index is only still to be told.
    failed: bool,
    /// The index knows its end.
    over: bool,
    /// How often the index could not be told of the end that a fault was.
    untold: u32,
    /// How often the disk refused a file of it.
    refused: usize,
    /// What is left to do with the disk when its sound is durable.
    pub chores: Chores,
}

/// What follows from a round, and is done in the next ones until the disk takes it: no sound waits for it.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// Spools to unlink.
    pub spools: Vec<String>,
    /// Whether the session file says less than the index.
    pub session_file: bool,
    /// How often they failed.
    pub failed: u32,
}

impl Chores {
    /// Whether there are none.
    pub const fn done(&self) -> bool {
        self.spools.is_empty() && !self.session_file
    }
}

/// Someone's coming and going, in order.
enum Coming {
    Joined(Attendance),
    Left(Uuid, Ticks),
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
            markers: Vec::new(),
            attendance: Vec::new(),
            state: None,
            end: None,
            length: Ticks::ZERO,
            failed: false,
            over: false,
            untold: 0,
            refused: 0,
            chores: Chores::default(),
        }
    }

    /// Takes what the hub tells. Only settling a spool touches the disk: it reads.
    pub fn handle(&mut self, step: Step, store: &mut dyn Store, root: &Path) {
        if self.failed || self.end.is_some() {
            return;
        }
        if let Err(fault) = self.take(step, store) {
            self.fail(&fault, store, root);
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
            Step::Mark(marker) => self.markers.push(marker),
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
        let track = self.tracks.entry(part.track).or_insert_with(|| {
            let tags = log::tags(&self.room, self.started, part.track, &part.name);
            Track::new(&part, self.id, tags)
        });
        track.begin_part(part)
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

    /// Ends the recording where it is durable: its parts get their last pages, for which the reserve is there. Where the disk does
    /// not take them, they are left for the next start.
    pub fn fail(&mut self, fault: &Fault, store: &mut dyn Store, root: &Path) {
        if self.failed {
            self.untold += 1;
            if self.untold.is_power_of_two() {
                tracing::warn!(recording = %self.id, tries = self.untold, "cannot be marked as ended: {fault}");
            }
            return;
        }
        let (reason, folder) = (fault.reason(), root.join(&self.folder));
        tracing::error!(recording = %self.id, folder = %folder.display(), "ends: {fault}");
        self.failed = true;
        self.tell(Event::Failed { reason, message: fault.to_string() });
        if fault.leaves_files() {
            // What the index has refused it may refuse again: it is only told of the end.
            self.tracks.clear();
        } else {
            self.tracks.retain(|_, track| track.end_where_durable(store));
        }
        if self.row.is_none() {
            // Nothing of it was ever durable. What is not empty stays.
            let _ = store.remove_folder(&folder);
        }
        self.chat.clear();
        self.markers.clear();
        self.attendance.clear();
        self.state = None;
        self.end = Some((reason, self.sounded_until()));
    }

    /// Whether there is anything for a round to do.
    pub fn dirty(&self) -> bool {
        self.has_news() || !self.chores.done()
    }

    /// Whether there is anything to say in the index.
    pub fn has_news(&self) -> bool {
        !self.over && (self.end.is_some() || (!self.tracks.is_empty() && self.told()))
    }

    /// Whether the index knows its end.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether it ended by a fault.
    pub const fn has_failed(&self) -> bool {
        self.failed
    }

    fn told(&self) -> bool {
        self.said() || self.tracks.values().any(Track::dirty)
    }

    /// Whether something that is no sound waits.
    fn said(&self) -> bool {
        self.state.is_some() || !self.chat.is_empty() || self.has_markers() || !self.attendance.is_empty()
    }

    /// Whether markers wait.
    pub const fn has_markers(&self) -> bool {
        !self.markers.is_empty()
    }

    /// Whether the session file says something that is no longer so.
    pub fn news(&self) -> bool {
        let told = self.said() || self.end.is_some() || self.row.is_none();
        told || self.tracks.values().any(Track::news)
    }

    /// Whether it is to be over with the next round.
    pub const fn is_ending(&self) -> bool {
        self.end.is_some()
    }

    /// Bytes that a round takes of the disk.
    pub fn to_write(&self) -> u64 {
        let chat: usize = self.chat.iter().map(|line| line.text.len()).sum();
        // Once in the index, once in the session file, and once more while one takes the other's place.
        let chat = (chat as u64).saturating_mul(3);
        self.tracks.values().map(Track::to_write).sum::<u64>().saturating_add(chat).saturating_add(BESIDE)
    }

    /// Creates, writes and syncs files and folders. A file that the disk refuses ends where it is durable, and what came since goes
    /// into another one; says whether there was such a file.
    pub fn write(&mut self, store: &mut dyn Store, root: &Path) -> Result<bool, Fault> {
        if self.tracks.is_empty() || self.failed {
            return Ok(false);
        }
        let folder = root.join(&self.folder);
        if self.row.is_none() {
            create_folders(store, root, &folder, &self.room)?;
        }
        let mut tries = 0;
        while let Err(trouble) = self.try_write(store, &folder) {
            self.refused += 1;
            if trouble.is_full() || tries >= TRIES || self.refused > MOST_REFUSED {
                return Err(trouble.into());
            }
            tries += 1;
            tracing::warn!(recording = %self.id, "goes on in another file: {trouble}");
            for track in self.tracks.values_mut() {
                track.replace_broken(store)?;
            }
        }
        Ok(tries > 0)
    }

    /// All writes, then all syncs, then the names. What is refused is broken; the last trouble is given.
    fn try_write(&mut self, store: &mut dyn Store, folder: &Path) -> Result<(), Trouble> {
        let mut done = Ok(());
        for track in self.tracks.values_mut() {
            done = track.write(store, folder).and(done);
        }
        for track in self.tracks.values_mut() {
            done = track.sync(store).and(done);
        }
        if self.tracks.values().any(Track::has_unnamed) {
            let synced = store.sync_folder(folder).map_err(|source| Trouble::file(folder, source));
            self.tracks.values_mut().for_each(|track| track.name(synced.is_ok()));
            done = synced.and(done);
        }
        done
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
        for marker in &self.markers {
            markers::mark(c, row, marker).await?;
        }
        for coming in &self.attendance {
            match coming {
                Coming::Joined(stay) => write::joined(c, row, stay).await?,
                Coming::Left(participant, at) => write::left(c, row, *participant, *at).await?,
            }
        }
        let length = self.tracks.values().map(Track::end).fold(self.length, Ticks::max);
        write::length(c, row, length).await?;
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

    /// The index says it all now, and with it that its session file does not, where there is `news`. Gives what to tell.
    pub fn indexed(&mut self, row: Option<i64>, news: bool) -> Vec<Event> {
        self.row = row;
        self.length = self.tracks.values().map(Track::end).fold(self.length, Ticks::max);
        self.chat.clear();
        self.markers.clear();
        self.attendance.clear();
        self.state = None;
        let mut events = Vec::new();
        for track in self.tracks.values_mut() {
            let (files, durable) = track.indexed();
            self.chores.spools.extend(files);
            events.extend(durable);
        }
        self.chores.session_file |= news && row.is_some();
        self.over = self.end.is_some();
        if self.failed {
            // What failed has been told; nobody is told any more of it.
            events.clear();
        } else if self.end.is_some() {
            events.push(Event::Ended);
        }
        events
    }

    /// Tells the hub.
    pub fn tell(&self, event: Event) {
        (self.events)(event);
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
