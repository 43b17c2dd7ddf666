//! The peaks of one recording, gathered while it is made.
//!
//! What belongs here: decoding its tracks as far as they are durable, each once, for their own peaks and for those of their sum.
//! What does not: which recordings there are, files.
//!
//! What is gathered while a recording is made is what is gathered of it when it has ended, byte for byte, and that for three
//! reasons. A track's packets are the same, in the same order, into the same decoder, in however many steps they are read
//! (`follow`). A packet is placed by what the index said of the clock before it, which is not changed by what it says later; and
//! if it were, [`Gathering::holds`] says so, and it is gathered anew. And a sum does not depend on which track comes first
//! (`media::peaks::Sum`), unless one comes twenty seconds late, as after a broken connection: then it is gathered anew as well.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::super::recipe::{Stopped, Work};
use super::super::sound::Sums;
use super::follow::{Follow, Placed};
use crate::archive::model::Track;
use crate::archive::store::Store;
use crate::media::codec::{self, Decoder};
use crate::media::peaks::{Peaks, Sum};
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

/// How far one track may be read ahead of the others: far less than a sum waits.
const AHEAD: Ticks = Ticks::from_secs(1);
/// How many packets are decoded in a step: ten seconds of sound, some 20 ms of work.
const STEP: usize = 512;

/// The peaks of a recording's tracks and of all of them together, so far.
#[derive(Default)]
pub struct Gathering {
    tracks: BTreeMap<TrackNumber, Gathered>,
    sum: Sum,
    /// Whether the recording had ended when its first packet was read, and when its last was.
    at_once: bool,
    whole: bool,
}

/// The peaks of a track.
#[derive(Default)]
struct Gathered {
    follow: Follow,
    decoding: Option<Decoding>,
    peaks: Peaks,
    refused: bool,
}

/// What decodes a part.
struct Decoding {
    part: usize,
    decoder: Box<dyn Decoder>,
    /// What of its start is still to be thrown away.
    skip: Ticks,
}

/// A recording as the index has it at one moment.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    pub folder: &'a Path,
    pub tracks: &'a [Track],
    pub sums: &'a Sums,
    /// Whether it has ended: nothing is added to it any more.
    pub ended: bool,
}

impl Gathering {
    /// Whether this goes on with what was gathered.
    pub fn holds(&self, tracks: &[Track]) -> bool {
        self.tracks.iter().all(|(number, gathered)| {
            tracks.iter().find(|track| track.number == *number).is_some_and(|track| gathered.follow.holds(track))
        })
    }

    /// Reads on for a while; says whether there is more to read just now.
    pub fn step(&mut self, store: &mut dyn Store, now: Snapshot<'_>, work: &Work) -> Result<bool, Stopped> {
        if self.tracks.is_empty() {
            self.at_once = now.ended;
        }
        let mut left = STEP;
        while left > 0 {
            let next = |track: &Track| match self.tracks.get(&track.number) {
                Some(gathered) => gathered.follow.next_at(track, now.ended),
                None => Follow::begin_of(track),
            };
            let mut soonest: Vec<_> =
                now.tracks.iter().filter_map(|track| Some((next(track)?, track.number))).collect();
            soonest.sort_unstable();
            let Some(&(_, number)) = soonest.first() else {
                self.whole |= now.ended;
                return Ok(false);
            };
            let Some(track) = now.tracks.iter().find(|track| track.number == number) else { return Ok(false) };
            let until = soonest.get(1).map_or(Ticks::MAX, |(at, _)| at.saturating_add(AHEAD));
            let gathered = self.tracks.entry(number).or_default();
            gathered.follow.read(&mut *store, now.folder, (track, now.sums), now.ended, work)?;
            while let Some(packet) = gathered.follow.take(until) {
                gathered.decode(track, &packet, &mut self.sum);
                left = left.saturating_sub(1);
            }
            left = left.saturating_sub(1);
        }
        Ok(true)
    }

    /// Reads to the end of a recording that has ended; anew, where what was gathered cannot stand for that.
    pub fn finish(&mut self, store: &mut dyn Store, now: Snapshot<'_>, work: &Work) -> Result<(), Stopped> {
        if !self.holds(now.tracks) {
            *self = Self::default();
        }
        while self.step(store, now, work)? {}
        if !self.stands() {
            *self = Self::default();
            while self.step(store, now, work)? {}
        }
        Ok(())
    }

    /// Which part of a track is read next, an index, and from which byte on.
    pub fn next_of(&self, number: TrackNumber) -> (usize, u64) {
        self.tracks.get(&number).map_or((0, 0), |gathered| gathered.follow.next())
    }

    /// Whether all of a recording that has ended was read.
    pub const fn whole(&self) -> bool {
        self.whole
    }

    /// Whether what was gathered can stand for what is gathered at the end: all of it could be read, and the sum is one. Or it was
    /// gathered at the end.
    pub fn stands(&self) -> bool {
        self.at_once || (!self.sum.late() && !self.tracks.values().any(Gathered::damaged))
    }

    /// The peaks of a track so far, and whether some of it could not be read.
    pub fn track(&self, number: TrackNumber) -> Option<(Peaks, bool)> {
        self.tracks.get(&number).map(|gathered| (gathered.peaks.clone(), gathered.damaged()))
    }

    /// Where what was gathered ends, on the session's clock.
    pub fn end(&self) -> Ticks {
        let end = |peaks: &Peaks| (peaks.first() + peaks.pixels().len() as u64).saturating_mul(peaks.ticks_per_pixel());
        Ticks::new(self.tracks.values().map(|gathered| end(&gathered.peaks)).max().unwrap_or(0))
    }

    /// Those of all tracks together.
    pub fn all(&self) -> (Peaks, bool) {
        (self.sum.peaks(), self.tracks.values().any(Gathered::damaged))
    }
}

impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering")
            .field("tracks", &self.tracks.len())
            .field("whole", &self.whole)
            .finish_non_exhaustive()
    }
}

impl Gathered {
    fn damaged(&self) -> bool {
        self.refused || self.follow.damaged()
    }

    fn decode(&mut self, track: &Track, packet: &Placed, sum: &mut Sum) {
        if self.decoding.as_ref().is_none_or(|decoding| decoding.part != packet.part) {
            self.decoding = Decoding::new(track, packet.part);
        }
        let Some(Decoding { decoder, skip, .. }) = &mut self.decoding else {
            self.refused = true;
            return;
        };
        let (channels, delay) = (decoder.channels(), decoder.delay());
        match decoder.decode(&packet.data) {
            Ok(samples) => {
                // What the decoder throws away at the start of a stream is not heard anywhere (RFC 7845 §4.2).
                let skipped = (*skip).min(packet.duration);
                *skip = skip.saturating_sub(skipped);
                let from = usize::try_from(skipped.get()).unwrap_or(usize::MAX).saturating_mul(channels.into());
                let samples = samples.get(from..).unwrap_or_default();
                let time = packet.time.saturating_add(skipped).saturating_sub(delay);
                self.peaks.put(time, channels, samples);
                sum.put(time, channels, samples);
            }
            Err(error) => {
                tracing::debug!("a packet has no peaks: {error}");
                self.refused = true;
            }
        }
    }
}

impl Decoding {
    fn new(track: &Track, part: usize) -> Option<Self> {
        let format = &track.parts.get(part)?.format;
        let decoder = codec::decoder(format).ok()?;
        let skip = match format {
            Format::Opus(head) => Ticks::new(head.pre_skip.into()),
            Format::Pcm(_) => Ticks::ZERO,
        };
        Some(Self { part, decoder, skip })
    }
}
