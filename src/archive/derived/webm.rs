//! The WebM files: all tracks of a recording on the session's timeline, or one from its own start on.
//!
//! What belongs here: tracks side by side in the order of their packets, read twice. What does not: the layout of the
//! file (`container::webm::file`).
//!
//! Time without packets within a track is coded silence, whether its part holds that or there is none: Chromium runs past
//! a gap as if it were not there, and loses its place where it is to seek into one. Before a track begins and after it has
//! ended there is nothing: that costs no player anything, and a session of many short tracks would be mostly silence.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::files::NewFile;
use super::recipe::{Stopped, Work};
use super::sound::{As, Heard, Reader, Sums};
use crate::archive::model::{Derived, Recording, Track};
use crate::archive::names;
use crate::archive::store::Store;
use crate::container::webm::file::{self, Block, Info, Plan, Unplanned, Writer};
use crate::media::opus;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

/// A shorter time between two packets is the clock's drift, and is left.
const SHORTEST_GAP: Ticks = Ticks::from_millis(20);

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
    (tracks, sums): (&[&Track], &Sums),
    (what, zero): (Derived, Ticks),
    work: &Work,
) -> Result<(u64, bool), Stopped> {
    let mut plan = Plan::new();
    let mut sound = Tracks::new(folder, tracks, sums, zero);
    while let Some((track, heard)) = sound.next(store, work)? {
        plan.add(&sound.block(track, &heard));
    }
    let damaged = sound.damaged();

    let summary = &recording.summary;
    let title = summary.title.as_deref().unwrap_or(summary.room.as_str());
    let millis = i64::try_from(zero.as_millis()).unwrap_or(i64::MAX);
    let date = UnixMillis::new(summary.started.get().saturating_add(millis));
    let entries: Vec<_> = tracks
        .iter()
        .map(|track| file::Track { number: track.number, name: track.name.as_str(), head: head(track) })
        .collect();
    let (mut writer, mut bytes, most) = Writer::begin(plan, &Info { title, date }, &entries);
    let path = folder.join(names::DERIVED).join(names::derived(what));
    let unplanned = |unplanned: Unplanned| Stopped::file(&path, io::Error::other(unplanned));
    let written = NewFile::write(store, folder, what, most, |file| {
        let mut sound = Tracks::new(folder, tracks, sums, zero);
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

/// One head for all parts of a track: every packet says itself how it is to be decoded, so stereo stands for mono too.
fn head(track: &Track) -> opus::Head {
    let mut heads = track.parts.iter().map(|part| part.format.heard());
    let none = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
    let first = heads.next().unwrap_or(none);
    heads.fold(first, |one, other| opus::Head { channels: one.channels.max(other.channels), ..one })
}

/// The packets of several tracks in the order of their times. A track's file is open from its first packet to its last.
struct Tracks<'a> {
    tracks: Vec<One<'a>>,
    /// When the next packet of each track that is not at its end begins, at the earliest.
    next: BinaryHeap<Reverse<(Ticks, usize)>>,
    zero: Ticks,
}

/// One of them.
struct One<'a> {
    number: TrackNumber,
    head: opus::Head,
    reader: Reader<'a>,
    /// Where its last packet ended.
    end: Option<Ticks>,
}

impl<'a> Tracks<'a> {
    fn new(folder: &'a Path, tracks: &[&'a Track], sums: &'a Sums, zero: Ticks) -> Self {
        let one = |track: &&'a Track| One {
            number: track.number,
            head: head(track),
            reader: Reader::new(folder, track, sums, As::Heard),
            end: None,
        };
        let mut all = Self { tracks: tracks.iter().map(one).collect(), next: BinaryHeap::new(), zero };
        (0..all.tracks.len()).for_each(|index| all.queue(index));
        all
    }

    /// The next packet, and which of the tracks it is of.
    fn next(&mut self, store: &mut dyn Store, work: &Work) -> Result<Option<(usize, Heard)>, Stopped> {
        while let Some(Reverse((at, index))) = self.next.pop() {
            let one = &mut self.tracks[index];
            one.reader.read(store, work)?;
            // Its place in the order may have been a guess: now it is read, and known.
            let heard = if one.time().is_some_and(|known| known > at) { None } else { one.take() };
            self.queue(index);
            if let Some(heard) = heard {
                return Ok(Some((index, heard)));
            }
        }
        Ok(None)
    }

    fn queue(&mut self, index: usize) {
        self.next.extend(self.tracks[index].time().map(|time| Reverse((time, index))));
    }

    /// A packet as a block.
    fn block<'b>(&self, index: usize, heard: &'b Heard) -> Block<'b> {
        let one = &self.tracks[index];
        let time = heard.time.saturating_add(one.delay()).saturating_sub(self.zero);
        Block { track: one.number, time, duration: heard.duration, data: &heard.data }
    }

    fn damaged(&self) -> bool {
        self.tracks.iter().any(|one| one.reader.damaged())
    }
}

impl One<'_> {
    /// What is thrown away at the track's start is before its time 0 for a player, so a block comes later by that.
    fn delay(&self) -> Ticks {
        Ticks::new(self.head.pre_skip.into())
    }

    /// When its next block is, at the earliest.
    fn time(&self) -> Option<Ticks> {
        let next = self.reader.next_at()?;
        Some(self.gap(next).map_or(next, |(from, _)| from).saturating_add(self.delay()))
    }

    /// Where the gap before a packet of this time begins, and its length, if there is one.
    fn gap(&self, next: Ticks) -> Option<(Ticks, Ticks)> {
        let end = self.end?;
        let length = next.checked_sub(end).filter(|length| *length >= SHORTEST_GAP)?;
        Some((end, length))
    }

    /// The next packet, or silence up to it; `None` at the end.
    fn take(&mut self) -> Option<Heard> {
        let gap = self.gap(self.reader.next_at()?);
        let silence = gap.and_then(|(time, length)| {
            let (data, duration) = opus::silence(length).0.next()?;
            Some(Heard { part: 0, time, duration, data: Bytes::from_static(data) })
        });
        let heard = silence.or_else(|| self.reader.take())?;
        self.end = Some(heard.time.saturating_add(heard.duration));
        Some(heard)
    }
}
