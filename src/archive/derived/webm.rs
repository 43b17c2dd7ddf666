//! The WebM files: the mix and all tracks of a recording on the session's timeline, the mix alone, or one track from its own
//! start on.
//!
//! What belongs here: tracks side by side in the order of their packets, read twice. What does not: the layout of the
//! file (`container::webm::file`).
//!
//! Time without packets within a track is coded silence, whether its part holds that or there is none: Chromium runs past
//! a gap as if it were not there, and loses its place where it is to seek into one. Before a track begins and after it has
//! ended there is nothing: that costs no player anything, and a session of many short tracks would be mostly silence. A cut of one
//! track is silent there, so that it is as long as its span.
//!
//! A span begins at its sample, whatever packet that is in; it ends with the packet that its end is in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::edition;
use super::files::Sink;
use super::gains::{self, Regain};
use super::mixed::Mixed;
use super::recipe::{self, Origin, Stopped, Work};
use super::sound::{As, Heard, Reader};
use super::tags::Tags;
use crate::archive::model::{Derived, Edition, Part, Track};
use crate::archive::store::Store;
use crate::container::webm::file::{self, Block, Plan, Unplanned, Writer};
use crate::media::codec::transcode::Transcoder;
use crate::media::opus;
use crate::media::source::Source;
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

/// A shorter time between two packets is the clock's drift, and is left.
const SHORTEST_GAP: Ticks = Ticks::from_millis(20);

/// How long before a place a decoder begins, so that it has come to itself (RFC 7845 §4.6).
const BEFORE: Ticks = Ticks::from_millis(80);

/// How much of a file is gathered before it is written.
const WRITE: usize = 256 * 1024;

/// How often the parts are read.
pub(super) const PASSES: u64 = 2;

/// The name of the mix, where it is one of several.
const MIX: &str = "Mix";

/// Makes a file of an edition's tracks; of all of them together the mix that was made is the first. Says whether some sound could
/// not be read.
pub(super) fn webm(origin: &Origin, what: Edition, sink: &mut dyn Sink, work: &Work) -> Result<bool, Stopped> {
    let mut plan = Plan::new();
    let mut sound = Tracks::new(sink.store(), origin, what, work)?;
    while let Some((track, heard)) = sound.next(sink.store(), work)? {
        plan.add(&sound.block(track, &heard));
    }
    let damaged = sound.damaged();

    let tags = Tags::of(&origin.recording, what);
    let entries: Vec<_> =
        sound.tracks.iter().map(|one| file::Track { number: one.number, name: one.name, head: one.head }).collect();
    let (mut writer, mut bytes, most) = Writer::begin(plan, &tags.info(), &entries);
    let unplanned = |unplanned: Unplanned| Stopped::file(&origin.folder, io::Error::other(unplanned));
    sink.expect(most)?;
    let mut sound = Tracks::new(sink.store(), origin, what, work)?;
    while let Some((track, heard)) = sound.next(sink.store(), work)? {
        writer.put(&mut bytes, &sound.block(track, &heard)).map_err(unplanned)?;
        if bytes.len() >= WRITE {
            sink.append(&bytes)?;
            bytes.clear();
        }
    }
    writer.finish().map_err(unplanned)?;
    sink.append(&bytes)?;
    Ok(damaged)
}

/// One head for all parts of a track: every packet says itself how it is to be decoded, so stereo stands for mono too, and of gains
/// there is one ([`gains`]). What comes late, because it was encoded for the file, is thrown away with the first part's pre-skip.
///
/// What a later part's pre-skip throws away is heard here, some milliseconds in which an encoder came to itself, as it is where an
/// encoder starts again within a part: the part's packets are where they belong all the same, and no block can say otherwise.
fn head(track: &Track) -> opus::Head {
    let none = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
    let gain = gains::gain(track);
    let first = track.parts.first().map_or(none, |part| {
        let heard = part.format.heard();
        let pre_skip = Ticks::new(heard.pre_skip.into()).saturating_add(late(part, gain));
        heard.with_pre_skip(u16::try_from(pre_skip.get()).unwrap_or(u16::MAX))
    });
    let channels = track.parts.iter().map(|part| part.format.heard().channels).max().unwrap_or(none.channels);
    opus::Head { channels, output_gain: gain, ..first }
}

/// How much later than what was kept a part is heard in a file whose head asks for this gain.
fn late(part: &Part, gain: i16) -> Ticks {
    match part.format {
        Format::Opus(_) => {
            let regain = Regain::of(&part.format, gain).ok().flatten();
            regain.map_or(Ticks::ZERO, |regain| regain.late())
        }
        Format::Pcm(head) => Transcoder::new(&Source::Pcm(head)).map_or(Ticks::ZERO, |transcoder| transcoder.delay()),
    }
}

/// The packets of several tracks in the order of their blocks. A track's file is open from its first packet to its last.
struct Tracks<'a> {
    tracks: Vec<One<'a>>,
    /// When the next block of each track that is not at its end is, at the earliest.
    next: BinaryHeap<Reverse<(Ticks, usize)>>,
}

/// One of them.
struct One<'a> {
    number: TrackNumber,
    name: &'a str,
    /// What of its start is thrown away, among others.
    head: opus::Head,
    from: From<'a>,
    /// How much later than the samples a packet of each part is.
    late: Vec<Ticks>,
    /// What of its own times is in the file.
    span: Range<Ticks>,
    /// Where its last packet ended.
    end: Option<Ticks>,
    /// Whether the span is silent before it and behind it.
    fills: bool,
}

impl<'a> Tracks<'a> {
    fn new(store: &mut dyn Store, origin: &'a Origin, what: Edition, work: &Work) -> Result<Self, Stopped> {
        let span = edition::span(what, &origin.recording);
        let mut all = Self { tracks: Vec::new(), next: BinaryHeap::new() };
        let tracks = edition::tracks(what, &origin.recording);
        let made_of = recipe::made_of(what);
        if let Some(of) = made_of {
            let mixed = Mixed::open(store, origin, of)?;
            let numbers = origin.recording.tracks.iter().map(|track| track.number.get());
            let (number, name) = match tracks.first().filter(|_| what.of.track().is_some()) {
                Some(track) => (track.number, track.name.as_str()),
                None => (TrackNumber::new(numbers.max().unwrap_or(0).saturating_add(1)), MIX),
            };
            // What its encoder is late by is counted in its times, which begin where the span does.
            let (head, late) = (mixed.head(), vec![Ticks::new(mixed.head().pre_skip.into())]);
            let from = From::Mix(Box::new(mixed));
            let span = Ticks::ZERO..Ticks::MAX;
            all.tracks.push(One { number, name, head, from, late, span, end: None, fills: false });
        }
        // Its own sound alone is as long as it is.
        let fills = what.of.track().is_some() && (what.edit.from.is_some() || what.edit.to.is_some());
        let packets = tracks.into_iter().filter(|_| made_of.is_none() || what.of == Derived::Session);
        for track in packets {
            let gain = gains::gain(track);
            let late = track.parts.iter().map(|part| late(part, gain)).collect();
            let from = From::Track(Reader::new(&origin.folder, track, &origin.sums, As::Heard));
            let (number, name) = (track.number, track.name.as_str());
            let (head, span) = (head(track), span.clone());
            all.tracks.push(One { number, name, head, from, late, span, end: None, fills });
        }
        if what.edit.from.is_some() {
            all.tracks.iter_mut().try_for_each(|one| one.begin(store, work))?;
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
            let heard = if one.time().is_some_and(|known| known <= at) { one.take(work)? } else { None };
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
        Block {
            track: one.number,
            time: one.stamp(heard.time, Some(heard.part)),
            duration: heard.duration,
            data: &heard.data,
        }
    }

    fn damaged(&self) -> bool {
        self.tracks.iter().any(|one| one.from.damaged())
    }
}

impl One<'_> {
    /// Passes what lies before the span. Where that cuts into the track, a decoder is given the packets from [`BEFORE`] the cut on,
    /// and throws away what it makes of them up to there: to the sample, and nothing is encoded again. Where it begins in silence,
    /// that is heard from its first sample on.
    fn begin(&mut self, store: &mut dyn Store, work: &Work) -> Result<(), Stopped> {
        let from = self.span.start;
        while self.from.next_at().is_some_and(|next| next < from.saturating_add(self.latest())) {
            self.from.read(store, work)?;
            let Some((time, duration)) = self.ahead() else { break };
            // What is heard of it at `from`, and how long before that it begins.
            let late = self.late(self.from.next_part());
            let before = from.saturating_add(late).saturating_sub(time);
            if duration.saturating_add(BEFORE) <= before {
                self.take(work)?;
                continue;
            }
            let pre_skip = before.max(Ticks::new(self.head.pre_skip.into()));
            self.head = self.head.with_pre_skip(u16::try_from(pre_skip.get()).unwrap_or(u16::MAX));
            return Ok(());
        }
        let begin = from.saturating_add(self.late(self.from.next_part()));
        let silent = self.next_at().is_some_and(|next| next >= begin.saturating_add(SHORTEST_GAP));
        if silent && (self.fills || self.end.is_some()) {
            self.end = Some(begin);
            self.head = self.head.with_pre_skip(0);
        }
        Ok(())
    }

    /// When its next packet begins, or where the silence behind its last one ends; `None` where there is neither.
    fn next_at(&self) -> Option<Ticks> {
        let next = self.from.next_at();
        // A packet of it is begun where the span ends, at the latest.
        let behind = || self.span.end.saturating_add(self.latest()).saturating_add(SHORTEST_GAP);
        next.or_else(|| (self.fills && self.end.is_some()).then(behind))
    }

    /// How late a packet of a part is; of one that is not known yet, at most.
    fn late(&self, part: Option<usize>) -> Ticks {
        part.and_then(|part| self.late.get(part)).copied().unwrap_or_else(|| self.latest())
    }

    fn latest(&self) -> Ticks {
        self.late.iter().copied().max().unwrap_or_default()
    }

    /// When a packet's block is: what is thrown away at the track's start is before its time 0 for a player, so a block comes later
    /// by that.
    fn stamp(&self, time: Ticks, part: Option<usize>) -> Ticks {
        let lead = i64::from(self.head.pre_skip) - self.late(part).get().cast_signed();
        time.saturating_add_signed(lead).saturating_sub(self.span.start)
    }

    /// When its next block is, at the earliest; `None` at the end, or where the span ends.
    fn time(&self) -> Option<Ticks> {
        let next = self.next_at()?;
        let part = self.from.next_part();
        let at = self.gap(next).map_or(next, |(from, _)| from);
        (at < self.span.end.saturating_add(self.late(part))).then(|| self.stamp(at, part))
    }

    /// When what comes next begins, and how long it is, where that is read: a packet, or silence before it.
    fn ahead(&self) -> Option<(Ticks, Ticks)> {
        let next = self.from.ahead()?;
        let silence = |(from, length)| Some((from, opus::silence(length).0.next()?.1));
        self.gap(next.0).and_then(silence).or(Some(next))
    }

    /// Where the gap before a packet of this time begins, and its length, if there is one.
    fn gap(&self, next: Ticks) -> Option<(Ticks, Ticks)> {
        let end = self.end?;
        let length = next.checked_sub(end).filter(|length| *length >= SHORTEST_GAP)?;
        Some((end, length))
    }

    /// The next packet, or silence up to it; `None` at the end.
    fn take(&mut self, work: &Work) -> Result<Option<Heard>, Stopped> {
        let Some(next) = self.next_at() else { return Ok(None) };
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

    /// When the next packet begins, and how long it is, where that is read.
    fn ahead(&self) -> Option<(Ticks, Ticks)> {
        match self {
            Self::Track(reader) => reader.ahead().map(|heard| (heard.time, heard.duration)),
            // It is of the span already.
            Self::Mix(_) => None,
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
