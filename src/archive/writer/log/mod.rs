//! An append-only file: a part, or the spool beside one. In memory until it is written, in rounds.
//!
//! What belongs here: creating, writing and syncing, taking back what is not durable, and what parts of either kind have in
//! common. What does not: pages (`ogg.rs`), headers and samples (`wav.rs`), what becomes of what was taken back (the track).
//!
//! What is not durable yet is held twice: as it came, so that it can be written again elsewhere where the disk does not take it
//! here, and as the bytes that are to be written. Both are bounded by what the hub lets wait.

mod ogg;
mod wav;

use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;

use crate::archive::extents::Extent;
use crate::archive::index::write::Pages;
use crate::archive::model::{Gap, GapCause, RecordingId};
use crate::archive::store::{Handle, Store};
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

use self::ogg::Ogg;
pub(in crate::archive) use self::wav::Wav;
use super::trouble::Trouble;

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
    /// Whether its folder was synced since it got its name.
    named: bool,
    /// Whether the disk has refused something: nothing is written here any more.
    pub broken: bool,
    /// Whether the index names it.
    kept: bool,
    /// What the index does not say of it yet, in order.
    since: Vec<Piece>,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A packet, or several blocks of samples.
    Sound {
        /// Its bytes.
        data: Bytes,
        /// How long it sounds.
        duration: Ticks,
    },
    /// Silence.
    Silence(Ticks),
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
        let (handle, since) = (None, Vec::new());
        Self { file, kind, handle, unsynced: false, dirty: true, named: false, broken: false, kept: false, since }
    }

    /// Appends a packet. After the end there is none: the track sees to it.
    pub fn push(&mut self, packet: &Bytes, duration: Ticks) -> Result<(), Unfit> {
        self.dirty = true;
        match &mut self.kind {
            Kind::Ogg(ogg) => ogg.push(packet, duration),
            Kind::Wav(wav) => wav.push(packet, duration)?,
        }
        self.since.push(Piece::Sound { data: packet.clone(), duration });
        Ok(())
    }

    /// Appends silence; gives what of the length comes with the next, less than 2.5 ms.
    pub fn push_silence(&mut self, length: Ticks) -> Result<Ticks, Unfit> {
        self.dirty = true;
        let rest = match &mut self.kind {
            Kind::Ogg(ogg) => ogg.push_silence(length),
            // Counted there: a frame is finer.
            Kind::Wav(wav) => wav.push_silence(length).map(|()| Ticks::ZERO)?,
        };
        self.since.push(Piece::Silence(length.saturating_sub(rest)));
        Ok(rest)
    }

    /// Appends what was in another file.
    pub fn push_all(&mut self, pieces: &[Piece]) -> Result<(), Unfit> {
        for piece in pieces {
            match piece {
                Piece::Sound { data, duration } => self.push(data, *duration)?,
                // It came out without a rest before.
                Piece::Silence(length) => drop(self.push_silence(*length)?),
            }
        }
        Ok(())
    }

    /// All that is in it: what is durable is read back. `None` where that is something else than what was written, which only
    /// a disk that forgets can do.
    pub fn pieces(&self, store: &mut dyn Store) -> Result<Option<Vec<Piece>>, Trouble> {
        let durable = match &self.kind {
            Kind::Ogg(ogg) => ogg.durable_bytes(),
            Kind::Wav(wav) => wav.durable_bytes(),
        };
        let mut bytes = Vec::new();
        if let Some(handle) = self.handle.as_ref().filter(|_| durable > 0) {
            let read = store.read(&handle.path, 0).and_then(|(file, _)| file.take(durable).read_to_end(&mut bytes));
            read.map_err(|source| Trouble::file(&handle.path, source))?;
        }
        let read = match &self.kind {
            Kind::Ogg(_) => Ogg::read(&bytes),
            Kind::Wav(wav) => wav.read(bytes),
        };
        Ok(read.map(|mut pieces| {
            pieces.extend(self.since.iter().cloned());
            pieces
        }))
    }

    /// Ends the file at what is durable of it, and gives what came since. What the disk got of that goes; where the disk does
    /// not even do that, what lies beyond stays, and nothing says that it is there.
    pub fn take_back(&mut self, store: &mut dyn Store) -> Vec<Piece> {
        let since = self.rewind();
        if let Err(trouble) = self.cut(store).and_then(|()| self.finish(store)) {
            tracing::warn!("a file stays without its last page: {trouble}");
            self.rewind();
            match &mut self.kind {
                Kind::Ogg(ogg) => ogg.leave(),
                Kind::Wav(wav) => wav.end(),
            }
        }
        (self.broken, self.unsynced, self.dirty) = (false, false, true);
        since
    }

    /// Forgets what is not durable, and gives it. The file itself is as it was.
    pub fn rewind(&mut self) -> Vec<Piece> {
        match &mut self.kind {
            Kind::Ogg(ogg) => ogg.rewind(),
            Kind::Wav(wav) => wav.rewind(),
        }
        std::mem::take(&mut self.since)
    }

    /// Cuts the file where it was durable, behind a [`Self::rewind`].
    pub fn cut(&mut self, store: &mut dyn Store) -> Result<(), Trouble> {
        let Some(handle) = &mut self.handle else { return Ok(()) };
        let cut = match &mut self.kind {
            Kind::Ogg(ogg) => store.truncate(handle, ogg.bytes()),
            Kind::Wav(wav) => wav.cut(store, handle),
        };
        self.unsynced = true;
        cut.map_err(|source| Trouble::file(&handle.path, source))
    }

    /// Ends the file and makes all of it durable, at once.
    pub fn finish(&mut self, store: &mut dyn Store) -> Result<(), Trouble> {
        self.end();
        let Some(handle) = &mut self.handle else { return Ok(()) };
        let written = match &mut self.kind {
            Kind::Ogg(ogg) => ogg.write(store, handle),
            Kind::Wav(wav) => wav.write(store, handle),
        };
        let synced = written.and_then(|_| store.sync(handle));
        synced.map_err(|source| Trouble::file(&handle.path, source))?;
        self.unsynced = false;
        Ok(())
    }

    /// CRC-32 of its samples, where it has no sums of its own.
    pub fn crc(&self) -> Option<u32> {
        match &self.kind {
            Kind::Ogg(_) => None,
            Kind::Wav(wav) => Some(wav.crc()),
        }
    }

    /// Where the file is, once it is created.
    pub fn path(&self) -> Option<&Path> {
        self.handle.as_ref().map(|handle| handle.path.as_path())
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

    /// Whether the index names the file.
    pub const fn kept(&self) -> bool {
        self.kept
    }

    /// Bytes that a round is to write, or a little more.
    pub fn waiting(&self) -> u64 {
        match &self.kind {
            Kind::Ogg(ogg) => ogg.waiting(),
            Kind::Wav(wav) => wav.waiting(),
        }
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

    /// Writes all that waits, creating the file where it is not there. Nothing is durable before [`Self::sync`], nor the file's
    /// name before its folder is synced. What the disk refuses breaks the log.
    pub fn write(&mut self, store: &mut dyn Store, folder: &Path) -> Result<(), Trouble> {
        let path = folder.join(&self.file);
        let written = self.try_write(store, &path);
        self.broken |= written.is_err();
        self.unsynced |= written.map_err(|source| Trouble::file(&path, source))?;
        Ok(())
    }

    fn try_write(&mut self, store: &mut dyn Store, path: &Path) -> io::Result<bool> {
        let handle = match &mut self.handle {
            Some(handle) => handle,
            none => none.insert(store.create(path)?),
        };
        match &mut self.kind {
            Kind::Ogg(ogg) => ogg.write(store, handle),
            Kind::Wav(wav) => wav.write(store, handle),
        }
    }

    /// Makes durable what was written.
    pub fn sync(&mut self, store: &mut dyn Store) -> Result<(), Trouble> {
        let Some(handle) = self.handle.as_ref().filter(|_| self.unsynced && !self.broken) else { return Ok(()) };
        if let Err(source) = store.sync(handle) {
            self.broken = true;
            return Err(Trouble::file(&handle.path, source));
        }
        self.unsynced = false;
        Ok(())
    }

    /// Whether it was created, and its name is not durable.
    pub const fn unnamed(&self) -> bool {
        self.handle.is_some() && !self.named && !self.broken
    }

    /// Its folder is synced, or cannot be.
    pub const fn name(&mut self, durable: bool) {
        self.named = durable;
        self.broken |= !durable;
    }

    /// The index says all of it.
    pub fn indexed(&mut self) {
        (self.dirty, self.kept) = (false, true);
        self.since.clear();
        match &mut self.kind {
            Kind::Ogg(ogg) => ogg.indexed(),
            Kind::Wav(wav) => wav.indexed(),
        }
    }
}

/// The serial number of a part's stream: no two parts of a recording have the same, so that they can be chained
/// (RFC 3533 §4), and two recordings seldom do.
pub(in crate::archive) fn serial(id: RecordingId, track: TrackNumber, part: u32) -> u32 {
    let [.., a, b, c, d] = *id.uuid().as_bytes();
    u32::from_be_bytes([a, b, c, d]) ^ (u32::from(track.get()) << 16) ^ part
}

/// What the parts of a track say of themselves to players (RFC 7845 §5.2).
pub(super) fn tags(
    room: &RoomName,
    started: UnixMillis,
    track: TrackNumber,
    name: &ParticipantName,
) -> Vec<(String, String)> {
    [
        ("TITLE", room.to_string()),
        ("ARTIST", name.to_string()),
        ("TRACKNUMBER", track.to_string()),
        ("DATE", started.to_rfc3339()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The gap of a silence that nobody is left to call a stall.
pub(in crate::archive) const fn pause_gap(at: Ticks, length: Ticks) -> Gap {
    Gap { at, length, cause: GapCause::Pause, filled: true }
}
