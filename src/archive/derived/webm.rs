//! The WebM files: all tracks of a recording on the session's timeline, or one from its own start on.
//!
//! What belongs here: tracks side by side in the order of their packets, read twice. What does not: the layout of the
//! file (`container::webm::file`).
//!
//! Time without packets between two parts has no blocks. Within a part it is coded silence, and stays that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;

use super::files::NewFile;
use super::recipe::{Stopped, Work};
use super::sound::{Heard, Reader};
use crate::archive::model::{Derived, Recording, Track};
use crate::archive::names;
use crate::archive::store::Store;
use crate::container::webm::file::{self, Block, Info, Plan, Unplanned, Writer};
use crate::media::opus;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// How much of a file is gathered before it is written.
const WRITE: usize = 256 * 1024;

/// How often the parts are read.
pub(super) const PASSES: u64 = 2;

/// Makes a file of these tracks of a recording, with times counted from `zero` on the session's clock. Gives how many bytes
/// it has, and whether some sound could not be read.
pub(super) fn webm(
    store: &mut dyn Store,
    folder: &Path,
    recording: &Recording,
    tracks: &[&Track],
    (what, zero): (Derived, Ticks),
    work: &Work,
) -> Result<(u64, bool), Stopped> {
    let mut plan = Plan::new();
    let mut sound = Tracks::new(folder, tracks, zero);
    while let Some((track, heard)) = sound.next(store, work)? {
        plan.add(&sound.block(track, &heard));
    }
    let damaged = sound.damaged();

    let summary = &recording.summary;
    let title = summary.title.as_deref().unwrap_or(summary.room.as_str());
    let millis = i64::try_from(zero.as_millis()).unwrap_or(i64::MAX);
    let date = crate::media::time::UnixMillis::new(summary.started.get().saturating_add(millis));
    let entries: Vec<_> = tracks.iter().zip(&sound.heads).map(|(track, head)| entry(track, *head)).collect();
    let (mut writer, mut bytes, most) = Writer::begin(plan, &Info { title, date }, &entries);
    let path = folder.join(names::DERIVED).join(names::derived(what));
    let unplanned = |unplanned: Unplanned| Stopped::file(&path, io::Error::other(unplanned));
    let written = NewFile::write(store, folder, what, most, |file| {
        let mut sound = Tracks::new(folder, tracks, zero);
        while let Some((track, heard)) = sound.next(file.store(), work)? {
            writer.put(&mut bytes, &sound.block(track, &heard)).map_err(unplanned)?;
            if bytes.len() >= WRITE {
                file.append(&bytes)?;
                bytes.clear();
            }
        }
        writer.finish().map_err(unplanned)?;
        file.append(&bytes)
    })?;
    Ok((written, damaged))
}

fn entry(track: &Track, head: opus::Head) -> file::Track<'_> {
    file::Track { number: track.number, name: track.name.as_str(), head }
}

/// One head for all parts of a track: every packet says itself how it is to be decoded, so stereo stands for mono too.
fn head(track: &Track) -> opus::Head {
    let mut heads = track.parts.iter().map(|part| {
        let Format::Opus(head) = part.format;
        head
    });
    let none = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
    let first = heads.next().unwrap_or(none);
    heads.fold(first, |one, other| opus::Head { channels: one.channels.max(other.channels), ..one })
}

/// The packets of several tracks in the order of their times. A track's file is open from its first packet to its last.
struct Tracks<'a> {
    tracks: &'a [&'a Track],
    heads: Vec<opus::Head>,
    readers: Vec<Reader<'a>>,
    /// The next packet of each track that is not at its end, at the earliest.
    next: BinaryHeap<Reverse<(Ticks, usize)>>,
    zero: Ticks,
}

impl<'a> Tracks<'a> {
    fn new(folder: &'a Path, tracks: &'a [&'a Track], zero: Ticks) -> Self {
        let readers: Vec<_> = tracks.iter().map(|track| Reader::new(folder, track)).collect();
        let heads: Vec<_> = tracks.iter().map(|track| head(track)).collect();
        let next = (0..tracks.len()).filter_map(|index| Some(Reverse((time(&readers[index], heads[index])?, index))));
        Self { tracks, next: next.collect(), heads, readers, zero }
    }

    /// The next packet, and which of the tracks it is of.
    fn next(&mut self, store: &mut dyn Store, work: &Work) -> Result<Option<(usize, Heard)>, Stopped> {
        while let Some(Reverse((at, index))) = self.next.pop() {
            let reader = &mut self.readers[index];
            // Its place in the order may have been a guess: now it is read, and known.
            let read = reader.read(store, work)?;
            let Some(known) = time(reader, self.heads[index]) else { continue };
            if known > at && read {
                self.next.push(Reverse((known, index)));
                continue;
            }
            let Some(heard) = reader.take() else { continue };
            if let Some(next) = time(reader, self.heads[index]) {
                self.next.push(Reverse((next, index)));
            }
            return Ok(Some((index, heard)));
        }
        Ok(None)
    }

    /// A packet as a block. What is thrown away at a track's start is before its time 0 for a player, so a block comes later
    /// by that.
    fn block<'b>(&self, index: usize, heard: &'b Heard) -> Block<'b> {
        Block {
            track: self.tracks[index].number,
            time: heard.time.saturating_add(self.delay(index)).saturating_sub(self.zero),
            duration: heard.duration,
            data: &heard.data,
        }
    }

    fn delay(&self, index: usize) -> Ticks {
        Ticks::new(self.heads[index].pre_skip.into())
    }

    fn damaged(&self) -> bool {
        self.readers.iter().any(Reader::damaged)
    }
}

/// When a track's next block is, at the earliest.
fn time(reader: &Reader<'_>, head: opus::Head) -> Option<Ticks> {
    reader.next_at().map(|at| at.saturating_add(Ticks::new(head.pre_skip.into())))
}
