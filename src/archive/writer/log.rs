//! An append-only Ogg file: a part, or the spool beside one. In memory until it is written, in rounds.

use std::io;
use std::path::Path;

use crate::archive::model::{Gap, GapCause, RecordingId};
use crate::archive::store::{Handle, Store};
use crate::container::ogg::PartMuxer;
use crate::media::opus;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

use super::recording::Trouble;

/// A file that grows by packets.
#[derive(Debug)]
pub(super) struct Log {
    /// The file's name in the recording's folder.
    pub file: String,
    /// The serial number of its stream.
    pub serial: u32,
    /// `None` once the last page is made.
    muxer: Option<PartMuxer>,
    /// Whole pages that are not written yet.
    out: Vec<u8>,
    /// `None` until it is created.
    handle: Option<Handle>,
    /// Ticks pushed.
    length: Ticks,
    /// Pages made.
    pages: u32,
    /// Bytes written.
    bytes: u64,
    /// Written to since the last sync.
    unsynced: bool,
    /// Something is not in the index yet.
    pub dirty: bool,
}

impl Log {
    /// A file that is not there yet.
    pub fn begin(file: String, serial: u32, head: opus::Head, tags: &[(String, String)]) -> Self {
        let (muxer, out) = PartMuxer::begin(serial, head, tags);
        let pages = muxer.next_page();
        let (muxer, length) = (Some(muxer), Ticks::ZERO);
        Self { file, serial, muxer, out, handle: None, length, pages, bytes: 0, unsynced: false, dirty: true }
    }

    /// Appends a packet. After the end there is none: the track sees to it.
    pub fn push(&mut self, packet: &[u8], duration: Ticks) {
        let Some(muxer) = &mut self.muxer else { return };
        muxer.push(packet, duration);
        self.length = Ticks::new(muxer.granule());
        self.dirty = true;
    }

    /// Appends coded silence; gives what is left of the length, less than 2.5 ms.
    pub fn push_silence(&mut self, length: Ticks) -> Ticks {
        let (packets, rest) = opus::silence(length);
        for (packet, duration) in packets {
            self.push(packet, duration);
        }
        rest
    }

    /// Makes the last page.
    pub fn end(&mut self) {
        if let Some(mut muxer) = self.muxer.take() {
            self.out.extend(muxer.take());
            self.pages = muxer.next_page() + 1;
            self.out.extend(muxer.finish());
            self.dirty = true;
        }
    }

    /// Whether its last page is still to come.
    pub const fn open(&self) -> bool {
        self.muxer.is_some()
    }

    /// Whether there is a file.
    pub const fn created(&self) -> bool {
        self.handle.is_some()
    }

    /// Ticks in it.
    pub const fn length(&self) -> Ticks {
        self.length
    }

    /// Pages made so far; those of the page in progress count once it is taken.
    pub const fn pages(&self) -> u32 {
        self.pages
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the page in progress and writes all pages, creating the file where it is not there; says whether it was
    /// created. Nothing is durable before [`Self::sync`], nor the file's name before its folder is synced.
    pub fn write(&mut self, store: &mut dyn Store, folder: &Path) -> Result<bool, Trouble> {
        self.take();
        let path = folder.join(&self.file);
        let wrong = |source| Trouble::file(&path, source);
        let created = self.handle.is_none();
        let handle = match &mut self.handle {
            Some(handle) => handle,
            none => none.insert(store.create(&path).map_err(wrong)?),
        };
        if !self.out.is_empty() {
            self.unsynced = true;
            store.append(handle, &self.out).map_err(wrong)?;
            self.bytes += self.out.len() as u64;
            self.out.clear();
        }
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

    /// All bytes of it: those in the file, and those that are not written yet.
    pub fn read(mut self, store: &mut dyn Store) -> Result<Vec<u8>, Trouble> {
        self.take();
        let mut bytes = Vec::new();
        if let Some(handle) = &self.handle {
            let read = |store: &mut dyn Store, bytes: &mut Vec<u8>| -> io::Result<usize> {
                let (mut file, _) = store.read(&handle.path, 0)?;
                file.read_to_end(bytes)
            };
            read(store, &mut bytes).map_err(|source| Trouble::file(&handle.path, source))?;
        }
        bytes.append(&mut self.out);
        Ok(bytes)
    }

    fn take(&mut self) {
        if let Some(muxer) = &mut self.muxer {
            self.out.extend(muxer.take());
            self.pages = muxer.next_page();
        }
    }
}

/// The serial number of a part's stream: no two parts of a recording have the same, so that they can be chained
/// (RFC 3533 §4), and two recordings seldom do.
pub(super) fn serial(id: RecordingId, track: TrackNumber, part: u32) -> u32 {
    let [.., a, b, c, d] = *id.uuid().as_bytes();
    u32::from_be_bytes([a, b, c, d]) ^ (u32::from(track.get()) << 16) ^ part
}

/// What a part says of itself to players (RFC 7845 §5.2).
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
