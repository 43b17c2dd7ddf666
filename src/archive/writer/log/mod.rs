//! An append-only file: a part, or the spool beside one. In memory until it is written, in rounds.
//!
//! What belongs here: creating, writing and syncing, and what parts of either kind have in common. What does not: pages
//! (`ogg.rs`), headers and samples (`wav.rs`).

mod ogg;
mod wav;

use std::io;
use std::path::Path;

use crate::archive::extents::Extent;
use crate::archive::imprint::{self, Imprint};
use crate::archive::index::write::Pages;
use crate::archive::model::{Gap, GapCause, RecordingId};
use crate::archive::store::{Handle, Store};
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

use self::ogg::Ogg;
pub(in crate::archive) use self::wav::Wav;
use super::recording::Trouble;

/// A file that grows by packets.
#[derive(Debug)]
pub(super) struct Log {
    /// The file's name in the recording's folder.
    pub file: String,
    kind: Kind,
    /// `None` until it is created.
    handle: Option<Handle>,
    /// Written to since the last sync.
    unsynced: bool,
    /// Something is not in the index yet.
    pub dirty: bool,
}

/// What is in it.
#[derive(Debug)]
enum Kind {
    Ogg(Box<Ogg>),
    Wav(Box<Wav>),
}

/// A block that no WAV part can hold: not whole frames, or one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Unfit;

impl Log {
    /// A file that is not there yet. The serial number and the tags are for Ogg.
    pub fn begin(file: String, format: &Format, serial: u32, tags: &[(String, String)]) -> Self {
        let kind = match format {
            Format::Opus(head) => Kind::Ogg(Box::new(Ogg::begin(serial, *head, tags))),
            Format::Pcm(head) => Kind::Wav(Box::new(Wav::begin(*head))),
        };
        Self { file, kind, handle: None, unsynced: false, dirty: true }
    }

    /// Appends a packet. After the end there is none: the track sees to it.
    pub fn push(&mut self, packet: &[u8], duration: Ticks) -> Result<(), Unfit> {
        self.dirty = true;
        match &mut self.kind {
            Kind::Ogg(ogg) => ogg.push(packet, duration),
            Kind::Wav(wav) => return wav.push(packet, duration),
        }
        Ok(())
    }

    /// Appends silence; gives what of the length comes with the next, less than 2.5 ms.
    pub fn push_silence(&mut self, length: Ticks) -> Result<Ticks, Unfit> {
        self.dirty = true;
        match &mut self.kind {
            Kind::Ogg(ogg) => Ok(ogg.push_silence(length)),
            // Counted there: a frame is finer.
            Kind::Wav(wav) => wav.push_silence(length).map(|()| Ticks::ZERO),
        }
    }

    /// Appends what a spool holds. `None` where that is something else than what was written, which only a disk that forgets
    /// can do.
    pub fn unspool(&mut self, spool: Self, store: &mut dyn Store) -> Result<Option<()>, Trouble> {
        self.dirty = true;
        let mut written = Vec::new();
        if let Some(handle) = &spool.handle {
            let read = store.read(&handle.path, 0).and_then(|(mut file, _)| file.read_to_end(&mut written));
            read.map_err(|source| Trouble::file(&handle.path, source))?;
        }
        Ok(match (&mut self.kind, spool.kind) {
            (Kind::Ogg(part), Kind::Ogg(spool)) => part.unspool(written, *spool),
            (Kind::Wav(part), Kind::Wav(spool)) => part.unspool(&written, *spool),
            (Kind::Ogg(_), Kind::Wav(_)) | (Kind::Wav(_), Kind::Ogg(_)) => None,
        })
    }

    /// Nothing comes any more: makes the last page.
    pub fn end(&mut self) {
        self.dirty |= self.open();
        match &mut self.kind {
            Kind::Ogg(ogg) => ogg.end(),
            Kind::Wav(wav) => wav.end(),
        }
    }

    /// Whether more may come.
    pub const fn open(&self) -> bool {
        match &self.kind {
            Kind::Ogg(ogg) => ogg.open(),
            Kind::Wav(wav) => wav.open(),
        }
    }

    /// Whether there is a file.
    pub const fn created(&self) -> bool {
        self.handle.is_some()
    }

    /// Ticks in it.
    pub fn length(&self) -> Ticks {
        match &self.kind {
            Kind::Ogg(ogg) => ogg.length(),
            Kind::Wav(wav) => wav.length(),
        }
    }

    /// The pages made so far; those of the page in progress count once it is taken.
    pub const fn pages(&self) -> Option<Pages> {
        match &self.kind {
            Kind::Ogg(ogg) => Some(ogg.pages()),
            Kind::Wav(_) => None,
        }
    }

    /// The extents that the index does not have.
    pub fn extents(&self) -> Vec<Extent> {
        match &self.kind {
            Kind::Ogg(_) => Vec::new(),
            Kind::Wav(wav) => wav.extents().news().collect(),
        }
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        match &self.kind {
            Kind::Ogg(ogg) => ogg.bytes(),
            Kind::Wav(wav) => wav.bytes(),
        }
    }

    /// Writes all that waits, creating the file where it is not there; says whether it was created. Nothing is durable before
    /// [`Self::sync`], nor the file's name before its folder is synced.
    pub fn write(&mut self, store: &mut dyn Store, folder: &Path) -> Result<bool, Trouble> {
        let path = folder.join(&self.file);
        let wrong = |source| Trouble::file(&path, source);
        let created = self.handle.is_none();
        let handle = match &mut self.handle {
            Some(handle) => handle,
            none => none.insert(store.create(&path).map_err(wrong)?),
        };
        let written: io::Result<bool> = match &mut self.kind {
            Kind::Ogg(ogg) => ogg.write(store, handle),
            Kind::Wav(wav) => wav.write(store, handle),
        };
        self.unsynced |= written.map_err(wrong)?;
        Ok(created)
    }

    /// Makes durable what was written.
    pub fn sync(&mut self, store: &mut dyn Store) -> Result<(), Trouble> {
        if let Some(handle) = self.handle.as_ref().filter(|_| self.unsynced) {
            store.sync(handle).map_err(|source| Trouble::file(&handle.path, source))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// The index says all of it.
    pub fn indexed(&mut self) {
        self.dirty = false;
        if let Kind::Wav(wav) = &mut self.kind {
            wav.extents_mut().indexed();
        }
    }
}

/// The serial number of a part's stream: no two parts of a recording have the same, so that they can be chained
/// (RFC 3533 §4), and two recordings seldom do.
pub(in crate::archive) fn serial(id: RecordingId, track: TrackNumber, part: u32) -> u32 {
    let [.., a, b, c, d] = *id.uuid().as_bytes();
    u32::from_be_bytes([a, b, c, d]) ^ (u32::from(track.get()) << 16) ^ part
}

/// What a part says of itself, to players and to whoever finds it alone (RFC 7845 §5.2).
pub(super) fn tags(
    room: &RoomName,
    started: UnixMillis,
    track: TrackNumber,
    name: &ParticipantName,
    imprint: &Imprint,
) -> Vec<(String, String)> {
    [
        ("TITLE", room.to_string()),
        ("ARTIST", name.to_string()),
        ("TRACKNUMBER", track.to_string()),
        ("DATE", started.to_rfc3339()),
        (imprint::TAG, imprint.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The gap of a silence that nobody is left to call a stall.
pub(in crate::archive) const fn pause_gap(at: Ticks, length: Ticks) -> Gap {
    Gap { at, length, cause: GapCause::Pause, filled: true }
}
