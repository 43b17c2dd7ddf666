//! Following a track: its packets as they become durable, from where it was left, and at last to the end.
//!
//! What belongs here: what has been read of which part, and whether the index still tells of the same sound as then. What does
//! not: decoding, when it is read on.
//!
//! Nothing is open between two reads, so that a thousand tracks cost no file handles.

use std::collections::VecDeque;
use std::iter;
use std::path::Path;

use bytes::Bytes;

use super::super::recipe::{Stopped, Work};
use super::super::samples::{Samples, Unreadable};
use super::super::sound::Sums;
use crate::archive::extents::Extent;
use crate::archive::model::{Anchor, Part, Pins, Track};
use crate::archive::store::Store;
use crate::container::ogg::Salvager;
use crate::container::wav::data_offset;
use crate::media::packet::SourcePacket;
use crate::media::pcm;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// A packet and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where in the track's parts it is from: an index.
    pub part: usize,
    /// When it begins on the session's clock, by what was known of that when it was read.
    pub time: Ticks,
    pub duration: Ticks,
    pub data: Bytes,
}

/// How far a track was read.
///
/// It holds what a [`Salvager`] holds and the packets of one read.
#[derive(Debug, Default)]
pub struct Follow {
    /// The parts that were read to their end, and the one that is being read, by their files.
    parts: Vec<String>,
    /// How much was read of the last of them, in bytes.
    at: u64,
    /// How long it was when there was nothing to read of it.
    read_at: u64,
    salvager: Box<Salvager>,
    ended: bool,
    waiting: VecDeque<Placed>,
    /// The pins by which packets were placed, and up to where on the track's count.
    pins: Vec<Anchor>,
    placed: Option<Ticks>,
    /// No packet begins before this on the session's clock.
    from: Ticks,
    damaged: bool,
}

impl Follow {
    /// Whether what the index says of the track begins with what was read, and would be placed there.
    pub fn holds(&self, track: &Track) -> bool {
        let same = |(file, part): (&String, &Part)| *file == part.file;
        let (Some(last), Some(placed)) = (self.parts.len().checked_sub(1), self.placed) else { return true };
        self.parts.iter().zip(&track.parts).all(same)
            && track.parts.get(last).is_some_and(|part| part.bytes >= self.at)
            && pins_until(track, placed) == self.pins
    }

    /// When a track begins of which nothing was read.
    pub fn begin_of(track: &Track) -> Option<Ticks> {
        track.parts.first().map(|part| part.start.session)
    }

    /// When the next packet begins; of a part that was not begun, when that begins; `None` where there is no more for now.
    pub fn next_at(&self, track: &Track, all: bool) -> Option<Ticks> {
        if let Some(packet) = self.waiting.front() {
            return Some(packet.time);
        }
        let reading = self.parts.len().checked_sub(1);
        if let Some(index) = reading
            && let Some(part) = track.parts.get(index)
            && !self.ended
        {
            let more = (self.at < part.bytes && self.read_at < part.bytes) || all || !part.open;
            return more.then_some(self.from);
        }
        track.parts.get(self.parts.len()).map(|part| part.start.session.max(self.from))
    }

    /// Which part is read next, an index, and from which byte on.
    pub fn next(&self) -> (usize, u64) {
        match self.parts.len().checked_sub(1) {
            Some(index) if !self.ended => (index, self.at),
            _ => (self.parts.len(), 0),
        }
    }

    /// Takes the next packet, if it begins before this time.
    pub fn take(&mut self, before: Ticks) -> Option<Placed> {
        self.waiting.pop_front_if(|packet| packet.time <= before)
    }

    /// Reads on, if nothing waits: a piece of the part that is being read, or of the next. Where this is `all` that there will ever
    /// be of the track, what is left of it is damage.
    pub fn read(
        &mut self,
        store: &mut dyn Store,
        folder: &Path,
        (track, sums): (&Track, &Sums),
        all: bool,
        work: &Work,
    ) -> Result<(), Stopped> {
        if !self.waiting.is_empty() {
            return Ok(());
        }
        if self.ended || self.parts.is_empty() {
            let Some(part) = track.parts.get(self.parts.len()) else { return Ok(()) };
            self.parts.push(part.file.clone());
            (self.at, self.read_at, self.ended) = (0, 0, false);
            *self.salvager = Salvager::new();
        }
        let index = self.parts.len() - 1;
        let Some(part) = track.parts.get(index) else { return Ok(()) };
        let closed = all || !part.open;
        let path = folder.join(&part.file);
        let mut packets = Vec::new();
        let begin = self.at;
        let read = match part.format {
            Format::Opus(_) => self.read_ogg(store, &path, part.bytes, closed, &mut packets),
            Format::Pcm(head) => {
                let sums = sums.get(&(track.number, part.number)).map(Vec::as_slice).unwrap_or_default();
                // The last extent may still grow: in whole ones the samples are the same whenever they are read.
                let end = if closed { part.bytes } else { sums.last().map_or(0, |extent| extent.begin) };
                self.read_wav(store, &path, (head, sums), end, closed, &mut packets)
            }
        };
        if self.at == begin {
            self.read_at = part.bytes;
        }
        if let Err(error) = read {
            tracing::warn!("{}: {error}; its peaks go without the rest of it", path.display());
            (self.damaged, self.ended) = (true, true);
        }
        self.place(track, index, packets);
        work.done(self.at.saturating_sub(begin))
    }

    fn read_ogg(
        &mut self,
        store: &mut dyn Store,
        path: &Path,
        end: u64,
        closed: bool,
        packets: &mut Vec<SourcePacket>,
    ) -> Result<(), Unreadable> {
        let left = end.saturating_sub(self.at);
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(READ).min(READ)];
        let read = if left > 0 { store.read(path, self.at)?.0.read(&mut buffer)? } else { 0 };
        self.at += read as u64;
        if read == 0 && (closed || left > 0) {
            // A page that says a wrong length may still hide good ones.
            self.salvager.finish();
            self.ended = true;
            self.damaged |= left > 0;
        }
        self.salvager.push(&buffer[..read]);
        packets.extend(iter::from_fn(|| self.salvager.pull()));
        self.damaged |= self.ended && self.salvager.damaged();
        Ok(())
    }

    fn read_wav(
        &mut self,
        store: &mut dyn Store,
        path: &Path,
        (head, sums): (pcm::Head, &[Extent]),
        end: u64,
        closed: bool,
        packets: &mut Vec<SourcePacket>,
    ) -> Result<(), Unreadable> {
        let begin = self.at.max(data_offset(head));
        if begin < end {
            let (file, _) = store.read(path, begin)?;
            let mut samples = Samples::go_on(file, head, begin..end, sums);
            self.at = begin.saturating_add(samples.step()?);
            packets.extend(iter::from_fn(|| samples.pull()));
            self.damaged |= samples.damaged();
        }
        self.ended = closed && begin.max(self.at) >= end;
        Ok(())
    }

    /// Puts what was read where the last pin before it has it. What the clock does after that pin, the index does not know yet, and
    /// is told of before it is 2 ms.
    fn place(&mut self, track: &Track, index: usize, packets: Vec<SourcePacket>) {
        let (Some(part), false) = (track.parts.get(index), packets.is_empty()) else { return };
        let pins = Pins::of(track);
        let pins = pins.anchors();
        for packet in packets {
            let at = part.start.track.saturating_add(packet.time);
            let before = pins.partition_point(|pin| pin.track <= at).saturating_sub(1);
            let pinned = pins.get(before).copied().unwrap_or(part.start);
            let time = pinned.session.saturating_add_signed(at.signed_since(pinned.track)).max(self.from);
            self.from = time;
            self.placed = Some(at);
            self.waiting.push_back(Placed { part: index, time, duration: packet.duration, data: packet.data });
        }
        self.pins = pins_until(track, self.placed.unwrap_or_default());
    }

    /// Whether something of the track is missing, as far as it was read.
    pub const fn damaged(&self) -> bool {
        self.damaged
    }
}

/// The pins of a track up to a place on its count.
fn pins_until(track: &Track, place: Ticks) -> Vec<Anchor> {
    Pins::of(track).anchors().iter().copied().take_while(|pin| pin.track <= place).collect()
}
