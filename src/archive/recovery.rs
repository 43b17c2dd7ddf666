//! Start-up: ends what a crash left open, finishes what was begun: deletions, settled spools, session files. It never
//! deletes sound.
//!
//! Everything here may itself be cut off at any place and is done again at the next start: files first, then one
//! transaction, then what follows from it.

use std::io::{self, Read};
use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::handle::Error;
use super::index::derived;
use super::index::read::{self, OpenPart};
use super::index::write::{self, SpoolRow};
use super::model::{EndReason, Gap, Recording, RecordingId, Track};
use super::store::Store;
use super::writer::{Trouble, ended, pause_gap, remove_if_there, replace_session_file, unlink};
use crate::container::ogg::{Demuxer, Event, Page, PageReader, PartMuxer};
use crate::media::opus;
use crate::media::packet::Sequence;
use crate::media::room::RoomName;
use crate::media::time::Ticks;

/// What start-up did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The recordings that had been left open.
    pub recordings: Vec<RecoveredRecording>,
    /// How many deletions it finished.
    pub deletions: u32,
}

/// A recording that had been left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredRecording {
    /// Its ID.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// How long it is.
    pub length: Ticks,
    /// Bytes that were cut off the ends of its files: no whole pages.
    pub cut: u64,
    /// What could not be put in order, and is tried again at the next start.
    pub trouble: Option<String>,
}

/// Puts in order what the last run left.
pub(super) async fn recover(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    for place in read::being_deleted(connection).await? {
        match unlink(store, connection, root, &place).await {
            Ok(()) => recovered.deletions += 1,
            Err(Trouble::Index(error)) => return Err(error.into()),
            Err(trouble) => tracing::warn!("a deletion cannot be finished: {trouble}"),
        }
    }
    for id in read::unfinished(connection).await? {
        recovered.recordings.extend(recording(store, connection, root, id).await?);
    }
    for (place, file) in read::settled_spools(connection).await? {
        let folder = root.join(&place.folder);
        let removed = remove_if_there(store, &folder.join(&file))
            .and_then(|()| store.sync_folder(&folder).map_err(|source| Trouble::file(&folder, source)));
        match removed {
            Ok(()) => write::forget_spool(connection, place.row, &file).await?,
            Err(trouble) => tracing::warn!("a spool that its part holds cannot be removed: {trouble}"),
        }
    }
    for id in read::with_stale_session_file(connection).await? {
        if let Err(trouble) = replace_session_file(store, connection, root, id).await {
            tracing::warn!(recording = %id, "its session file cannot be written: {trouble}");
        }
    }
    Ok(recovered)
}

/// Ends a recording.
async fn recording(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
) -> Result<Option<RecoveredRecording>, Error> {
    let Some((place, recording)) = read::recording(connection, id).await? else { return Ok(None) };
    let folder = root.join(&place.folder);
    let spools = read::spools(connection, place.row).await?;
    let (mut finished, mut cut, mut trouble) = (Vec::new(), 0, None);
    for open in read::open_parts(connection, place.row).await? {
        let waits =
            |(track, spool): &&(_, SpoolRow)| *track == open.track && spool.part == open.part.number && !spool.settled;
        let spool = spools.iter().find(waits).map(|(_, spool)| spool);
        match finish(store, &folder, open, spool) {
            Ok(part) => {
                cut += part.cut;
                finished.push(part);
            }
            Err(error) => {
                tracing::warn!(recording = %id, "a part cannot be finished: {error}");
                trouble = Some(error.to_string());
            }
        }
    }
    let length = length(&recording, &finished);
    let mut transaction = connection.begin().await?;
    for Finished { open, gap, spool, .. } in &finished {
        write::part(&mut transaction, place.row, open.track, &open.part, open.stream).await?;
        if let Some(gap) = gap {
            write::gap(&mut transaction, place.row, open.track, gap).await?;
        }
        if let Some(spool) = spool {
            write::spool(&mut transaction, place.row, open.track, &SpoolRow { settled: true, ..spool.clone() }).await?;
        }
    }
    write::length(&mut transaction, place.row, length).await?;
    let summary = recording.summary;
    write::end(&mut transaction, place.row, EndReason::Crashed, ended(summary.started, length)).await?;
    write::session_file_stale(&mut transaction, place.row, true).await?;
    // Its parts may be longer than they were when something was last made out of them.
    derived::outdated(&mut transaction, place.row).await?;
    transaction.commit().await?;
    store.committed();
    Ok(Some(RecoveredRecording { id, room: summary.room, length, cut, trouble }))
}

/// A part that has its last page now.
struct Finished {
    open: OpenPart,
    /// Bytes that were cut off.
    cut: u64,
    /// The gap before what its spool held, and the spool.
    gap: Option<Gap>,
    spool: Option<SpoolRow>,
}

/// Cuts a part's torn tail, appends what its spool holds, gives it its last page, syncs it.
fn finish(
    store: &mut dyn Store,
    folder: &Path,
    mut open: OpenPart,
    spool: Option<&SpoolRow>,
) -> Result<Finished, Trouble> {
    let path = folder.join(&open.part.file);
    let wrong = |source| Trouble::file(&path, source);
    let mut handle = store.open(&path).map_err(wrong)?;
    // What a part has beyond the index while it has a spool is no more than a copy of that: the transaction that named
    // the spool spoke of the part, too. So it goes, and comes again.
    let spooled = spool.map(|spool| spooled(store, &folder.join(&spool.file))).transpose()?;
    let tail = if spooled.is_some() { Tail::indexed(&open) } else { Tail::read(store, &path, &open).map_err(wrong)? };
    let (_, there) = store.read(&path, 0).map_err(wrong)?;
    if there < open.part.bytes {
        tracing::error!(file = %path.display(), "has {there} bytes of {} that were durable", open.part.bytes);
    }
    if tail.bytes != there {
        store.truncate(&mut handle, tail.bytes).map_err(wrong)?;
    }
    let mut muxer = PartMuxer::resume(open.stream.serial, tail.pages, tail.length.get());
    let mut gap = None;
    if let (Some(spool), Some(packets)) = (spool, spooled) {
        gap = Some(pause_gap(open.part.start.track.saturating_add(tail.length), spool.pause));
        for (packet, duration) in opus::silence(spool.pause).0 {
            muxer.push(packet, duration);
        }
        for (packet, duration) in &packets {
            muxer.push(packet, *duration);
        }
    }
    let mut bytes = muxer.take();
    open.part.length = Ticks::new(muxer.granule());
    open.stream.pages = muxer.next_page();
    open.part.next = spool.map_or(tail.next, |spool| spool.next);
    if !tail.last {
        bytes.extend(muxer.finish());
        open.stream.pages += 1;
    }
    store.append(&mut handle, &bytes).map_err(wrong)?;
    store.sync(&handle).map_err(wrong)?;
    open.part.bytes = tail.bytes + bytes.len() as u64;
    open.stream.open = false;
    Ok(Finished { open, cut: there.saturating_sub(tail.bytes), gap, spool: spool.cloned() })
}

/// How far a part goes, by the index or by what stands in the file beyond that.
#[derive(Clone, Copy, Debug)]
struct Tail {
    bytes: u64,
    pages: u32,
    length: Ticks,
    next: Sequence,
    /// Whether the last page is the stream's last.
    last: bool,
}

impl Tail {
    fn indexed(open: &OpenPart) -> Self {
        let (part, stream) = (&open.part, open.stream);
        Self { bytes: part.bytes, pages: stream.pages, length: part.length, next: part.next, last: false }
    }

    /// Reads on from where the index ends, up to the last whole page that ends with a whole packet. A file that is shorter
    /// than the index says, which only a disk that forgets can make, is read from its start.
    fn read(store: &mut dyn Store, path: &Path, open: &OpenPart) -> io::Result<Self> {
        let mut tail = Self::indexed(open);
        let (_, there) = store.read(path, 0)?;
        if there < tail.bytes {
            tail = Self { bytes: 0, pages: 0, length: Ticks::ZERO, next: open.part.first, last: false };
        }
        let begin = tail;
        let (mut file, _) = store.read(path, begin.bytes)?;
        let mut pages = PageReader::new();
        let mut reached = begin;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut buffer)?;
            pages.push(&buffer[..read]);
            // Damage is where the good part ends, like the end of the file.
            while let Ok(Some(page)) = pages.pull() {
                let follows = page.serial == open.stream.serial && page.sequence == reached.pages && !reached.last;
                if !follows {
                    return Ok(tail);
                }
                reached.count(&page, begin.bytes);
                if page.lacing.last().is_none_or(|&lacing| lacing < 255) {
                    tail = reached;
                }
            }
            if read == 0 || pages.pull().is_err() {
                return Ok(tail);
            }
        }
    }

    /// Counts a page in. A packet of coded silence is not counted: it may be one that fills a gap, and has no number then.
    /// So a number that this gives may be too low, and a publisher that asks sends a packet again; never too high.
    fn count(&mut self, page: &Page, begin: u64) {
        self.bytes = begin + page.offset + page.length() as u64;
        // The first two pages are the head and the tags (RFC 7845 §3).
        if page.sequence >= 2 {
            let silence = |data: &[u8]| matches!(data, [0xF8 | 0xF0 | 0xE8 | 0xE0, 0xFF, 0xFE]);
            let packets = page.pieces().filter(|piece| piece.ends && !silence(piece.data)).count();
            self.next = self.next.after(packets as u64);
        }
        self.pages = page.sequence + 1;
        self.length = page.granule.map_or(self.length, Ticks::new);
        self.last = page.last;
    }
}

/// The whole packets of a spool, with their durations, up to a torn tail.
fn spooled(store: &mut dyn Store, path: &Path) -> Result<Vec<(bytes::Bytes, Ticks)>, Trouble> {
    let mut demuxer = Demuxer::new();
    let mut all = Vec::new();
    let read = store.read(path, 0).and_then(|(mut file, _)| file.read_to_end(&mut all));
    read.map_err(|source| Trouble::file(path, source))?;
    demuxer.push(&all);
    let mut packets = Vec::new();
    while let Ok(Some(event)) = demuxer.pull() {
        if let Event::Packet(packet) = event {
            packets.push((packet.data, packet.duration));
        }
    }
    Ok(packets)
}

/// The end of all sound on the session's clock.
fn length(recording: &Recording, finished: &[Finished]) -> Ticks {
    let ends = finished.iter().filter_map(|Finished { open, .. }| {
        let track: &Track = recording.tracks.iter().find(|track| track.number == open.track)?;
        let end = open.part.start.track.saturating_add(open.part.length);
        let before =
            track.anchors.iter().rev().find(|anchor| anchor.track <= end && anchor.track >= open.part.start.track);
        let pinned = before.copied().unwrap_or(open.part.start);
        Some(pinned.session.saturating_add(end.saturating_sub(pinned.track)))
    });
    ends.fold(recording.summary.length, Ticks::max)
}
