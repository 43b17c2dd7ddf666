//! The WebM files: the mix and all tracks of a recording on the session's timeline, the mix alone, or one track from its own
//! start on.
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

use super::files::{NewFile, Written};
use super::mixed::Mixed;
use super::recipe::{Stopped, Work};
use super::sound::{As, Heard, Reader, Sums};
use crate::archive::model::{Derived, Part, Recording, Track};
use crate::archive::names;
use crate::archive::store::Store;
use crate::container::webm::file::{self, Block, Info, Plan, Unplanned, Writer};
use crate::media::codec::transcode::Transcoder;
use crate::media::opus;
use crate::media::source::Source;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

/// A shorter time between two packets is the clock's drift, and is left.
const SHORTEST_GAP: Ticks = Ticks::from_millis(20);

/// How much of a file is gathered before it is written.
const WRITE: usize = 256 * 1024;

/// How often the parts are read.
pub(super) const PASSES: u64 = 2;

/// The name of the mix, where it is one of several.
const MIX: &str = "Mix";

/// Makes a file of these tracks of a recording, with times counted from `zero` on the session's clock; of all of them the mix
/// that was made is the first. Says whether some sound could not be read.
pub(super) fn webm(
    store: &mut dyn Store,
    folder: &Path,
    recording: &Recording,
    (tracks, sums): (&[&Track], &Sums),
    (what, zero): (Derived, Ticks),
    work: &Work,
) -> Result<(Written, bool), Stopped> {
    let mut plan = Plan::new();
    let mixed = what.track().is_none();
    let mut sound = Tracks::new(store, folder, (tracks, mixed), sums, zero)?;
    while let Some((track, heard)) = sound.next(store, work)? {
        plan.add(&sound.block(track, &heard));
    }
    let damaged = sound.damaged();

    let summary = &recording.summary;
    let title = summary.title.as_deref().unwrap_or(summary.room.as_str());
    let millis = i64::try_from(zero.as_millis()).unwrap_or(i64::MAX);
    let date = UnixMillis::new(summary.started.get().saturating_add(millis));
    let name = |number| tracks.iter().find(|track| track.number == number).map_or(MIX, |track| track.name.as_str());
    let entry = |one: &One| file::Track { number: one.number, name: name(one.number), head: one.head };
    let entries: Vec<_> = sound.tracks.iter().map(entry).collect();
    let (mut writer, mut bytes, most) = Writer::begin(plan, &Info { title, date }, &entries);
    let path = folder.join(names::DERIVED).join(names::derived(what));
    let unplanned = |unplanned: Unplanned| Stopped::file(&path, io::Error::other(unplanned));
    let written = NewFile::write(store, folder, what, most, |file| {
        let mut sound = Tracks::new(file.store(), folder, (tracks, mixed), sums, zero)?;
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

/// One head for all parts of a track: every packet says itself how it is to be decoded, so stereo stands for mono too. What
/// listeners hear of plain samples comes late, and that much is thrown away.
fn head(track: &Track) -> opus::Head {
    let mut heads = track.parts.iter().map(|part| match late(part) {
        Ticks::ZERO => part.format.heard(),
        late => part.format.heard().with_pre_skip(u16::try_from(late.get()).unwrap_or(u16::MAX)),
    });
    let none = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
    let first = heads.next().unwrap_or(none);
    heads.fold(first, |one, other| opus::Head { channels: one.channels.max(other.channels), ..one })
}

/// How much later than its samples what listeners hear of a part is.
fn late(part: &Part) -> Ticks {
    match part.format {
        Format::Opus(_) => Ticks::ZERO,
        Format::Pcm(head) => Transcoder::new(&Source::Pcm(head)).map_or(Ticks::ZERO, |transcoder| transcoder.delay()),
    }
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
    from: From<'a>,
    /// By how much a packet of each part comes later in the file than in the session, in ticks.
    leads: Vec<i64>,
    /// Where its last packet ended.
    end: Option<Ticks>,
}

impl<'a> Tracks<'a> {
    fn new(
        store: &mut dyn Store,
        folder: &'a Path,
        (tracks, mixed): (&[&'a Track], bool),
        sums: &'a Sums,
        zero: Ticks,
    ) -> Result<Self, Stopped> {
        let one = |track: &&'a Track| {
            let head = head(track);
            // What is thrown away at the track's start is before its time 0 for a player, so a block comes later by that.
            let lead = |part| i64::from(head.pre_skip) - late(part).get().cast_signed();
            let leads = track.parts.iter().map(lead).collect();
            let from = From::Track(Reader::new(folder, track, sums, As::Heard));
            One { number: track.number, head, from, leads, end: None }
        };
        let mut all = Self { tracks: tracks.iter().map(one).collect(), next: BinaryHeap::new(), zero };
        if mixed {
            let mixed = Mixed::open(store, folder)?;
            let number = tracks.iter().map(|track| track.number.get()).max().unwrap_or(0).saturating_add(1);
            // What its encoder is late by is counted in its times.
            let (number, head, leads) = (TrackNumber::new(number), mixed.head(), vec![0]);
            all.tracks.insert(0, One { number, head, from: From::Mix(Box::new(mixed)), leads, end: None });
        }
        (0..all.tracks.len()).for_each(|index| all.queue(index));
        Ok(all)
    }

    /// The next packet, and which of the tracks it is of.
    fn next(&mut self, store: &mut dyn Store, work: &Work) -> Result<Option<(usize, Heard)>, Stopped> {
        while let Some(Reverse((at, index))) = self.next.pop() {
            let one = &mut self.tracks[index];
            one.from.read(store, work)?;
            // Its place in the order may have been a guess: now it is read, and known.
            let heard = if one.time().is_some_and(|known| known > at) { None } else { one.take(work)? };
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
        let time = heard.time.saturating_add_signed(one.lead(Some(heard.part))).saturating_sub(self.zero);
        Block { track: one.number, time, duration: heard.duration, data: &heard.data }
    }

    fn damaged(&self) -> bool {
        self.tracks.iter().any(|one| one.from.damaged())
    }
}

impl One<'_> {
    /// By how much a packet of a part comes later; of one that is not known yet, at least.
    fn lead(&self, part: Option<usize>) -> i64 {
        let known = part.and_then(|part| self.leads.get(part)).copied();
        known.or_else(|| self.leads.iter().copied().min()).unwrap_or(0)
    }

    /// When its next block is, at the earliest.
    fn time(&self) -> Option<Ticks> {
        let next = self.from.next_at()?;
        let at = self.gap(next).map_or(next, |(from, _)| from);
        Some(at.saturating_add_signed(self.lead(self.from.next_part())))
    }

    /// Where the gap before a packet of this time begins, and its length, if there is one.
    fn gap(&self, next: Ticks) -> Option<(Ticks, Ticks)> {
        let end = self.end?;
        let length = next.checked_sub(end).filter(|length| *length >= SHORTEST_GAP)?;
        Some((end, length))
    }

    /// The next packet, or silence up to it; `None` at the end.
    fn take(&mut self, work: &Work) -> Result<Option<Heard>, Stopped> {
        let Some(next) = self.from.next_at() else { return Ok(None) };
        let gap = self.gap(next);
        let part = self.from.next_part().unwrap_or(0);
        let silence = gap.and_then(|(time, length)| {
            let (data, duration) = opus::silence(length).0.next()?;
            Some(Heard { part, at: Ticks::ZERO, time, duration, data: Bytes::from_static(data) })
        });
        let heard = match silence {
            Some(silence) => Some(silence),
            None => self.from.take(work)?,
        };
        self.end = heard.as_ref().map(|heard| heard.time.saturating_add(heard.duration)).or(self.end);
        Ok(heard)
    }
}

/// Where packets are from.
enum From<'a> {
    Track(Reader<'a>),
    Mix(Box<Mixed>),
}

impl From<'_> {
    fn next_at(&self) -> Option<Ticks> {
        match self {
            Self::Track(reader) => reader.next_at(),
            Self::Mix(mixed) => mixed.next_at(),
        }
    }

    /// Which part the next packet is of, where that is known.
    fn next_part(&self) -> Option<usize> {
        match self {
            Self::Track(reader) => reader.next_part(),
            Self::Mix(_) => Some(0),
        }
    }

    fn read(&mut self, store: &mut dyn Store, work: &Work) -> Result<(), Stopped> {
        match self {
            Self::Track(reader) => reader.read(store, work),
            Self::Mix(_) => Ok(()),
        }
    }

    fn take(&mut self, work: &Work) -> Result<Option<Heard>, Stopped> {
        match self {
            Self::Track(reader) => Ok(reader.take()),
            Self::Mix(mixed) => mixed.next(work),
        }
    }

    fn damaged(&self) -> bool {
        match self {
            Self::Track(reader) => reader.damaged(),
            Self::Mix(_) => false,
        }
    }
}
