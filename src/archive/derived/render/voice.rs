//! One track, decoded and on the session's clock.
//!
//! What belongs here: which packets are read for a span, decoding them part by part, what is missing. What does not: where the
//! clock runs (`stretch`), edges (`media::mix::runs`), other tracks.

use std::ops::Range;
use std::path::Path;

use super::super::recipe::{Stopped, Work};
use super::super::sound::{As, Heard, Reader, Sums};
use super::stretch::{Stretch, stretches};
use crate::archive::model::Track;
use crate::archive::store::Store;
use crate::media::codec::{self, Decoder};
use crate::media::mix::interpolate::REACH;
use crate::media::mix::runs::Runs;
use crate::media::pcm;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// A track that is read from the beginning of a span to its end.
pub struct Voice<'a> {
    track: &'a Track,
    stretches: Vec<Stretch>,
    /// The first of them that is not behind what was read.
    next: usize,
    reader: Reader<'a>,
    /// Where plain samples are cut although their count runs on: the edges of the gaps that their parts hold as zeros.
    edges: Vec<u64>,
    decoding: Option<Decoding>,
    runs: Runs,
    /// There are no packets any more.
    ended: bool,
    refused: bool,
    /// How much of its parts from the first that is read on is still to be decoded.
    left: Ticks,
}

/// What decodes the packets that come next.
struct Decoding {
    part: usize,
    decoder: Box<dyn Decoder>,
    channels: u8,
    /// The place on the track's count of what it gives next; before zero where that is late.
    gives: i64,
    /// What comes before this place is not sound.
    from: u64,
    /// Where the packet to come begins, if none is missing.
    expects: u64,
    /// Where they are plain samples: what a decoder is late by comes out when it is given silence.
    plain: Option<pcm::Head>,
}

impl<'a> Voice<'a> {
    /// A track from this time on.
    pub fn new(folder: &'a Path, track: &'a Track, sums: &'a Sums, channels: u8, from: Ticks) -> Self {
        let stretches = stretches(track);
        let next = stretches.partition_point(|stretch| stretch.end <= from.get());
        // What goes on from the part before it is shaped by that.
        let mut first = stretches.get(next).map_or(track.parts.len(), |stretch| stretch.part);
        while let Some(before) = first.checked_sub(1)
            && let (Some(one), Some(other)) = (track.parts.get(before), track.parts.get(first))
            && one.start.track.saturating_add(one.length).saturating_add(Ticks::new(REACH.into())) >= other.start.track
        {
            first = before;
        }
        Self {
            track,
            stretches,
            next,
            reader: Reader::new(folder, track, sums, As::Kept).begin_at(first),
            edges: edges(track),
            decoding: None,
            runs: Runs::new(channels),
            ended: false,
            refused: false,
            left: track.parts.iter().skip(first).fold(Ticks::ZERO, |sum, part| sum.saturating_add(part.length)),
        }
    }

    /// Adds its sound of a span, which begins where the last one ended, to `out`.
    pub fn add(
        &mut self,
        store: &mut dyn Store,
        work: &Work,
        span: Range<u64>,
        channels: usize,
        out: &mut [f32],
    ) -> Result<(), Stopped> {
        while let Some(&stretch) = self.stretches.get(self.next).filter(|stretch| stretch.begin < span.end) {
            let times = stretch.within(&span);
            if times.start < times.end {
                let (first, _) = stretch.place(times.start);
                let (last, _) = stretch.place(times.end - 1);
                let reach = u64::from(REACH);
                self.read(store, work, first.saturating_sub(reach), last + reach + 1)?;
                let index = |time: u64| usize::try_from(time - span.start).unwrap_or(0) * channels;
                let out = &mut out[index(times.start)..index(times.end)];
                if stretch.is_even() {
                    self.runs.add(first, out);
                } else {
                    for (time, frame) in times.clone().zip(out.chunks_exact_mut(channels)) {
                        let (place, fraction) = stretch.place(time);
                        self.runs.add_between(place, fraction, frame);
                    }
                }
            }
            if stretch.end > span.end {
                break;
            }
            self.next += 1;
        }
        if self.next == self.stretches.len() {
            // Nobody needs what is left; whether it is whole is still to be known.
            self.read(store, work, u64::MAX, u64::MAX)?;
        }
        Ok(())
    }

    /// Whether something of it is missing, as far as it was read.
    pub const fn damaged(&self) -> bool {
        self.refused || self.reader.damaged()
    }

    /// How much of what should be there is not, and is silence: known once all of it was read.
    pub const fn missing(&self) -> Ticks {
        if self.ended { self.left } else { Ticks::ZERO }
    }

    /// Reads until nothing before `until` changes any more; what lies before `keep` is forgotten.
    fn read(&mut self, store: &mut dyn Store, work: &Work, keep: u64, until: u64) -> Result<(), Stopped> {
        self.runs.forget(keep);
        while !self.ended && self.runs.settled() < until {
            match self.reader.next(store, work)? {
                Some(heard) => self.decode(&heard),
                None => {
                    self.finish();
                    self.ended = true;
                }
            }
            self.runs.forget(keep);
        }
        Ok(())
    }

    fn decode(&mut self, heard: &Heard) {
        let at = heard.at.get();
        if self.decoding.as_ref().is_none_or(|decoding| !decoding.goes_on(self.track, heard)) {
            self.finish();
            self.decoding = Decoding::new(self.track, heard);
        }
        let Some(decoding) = &mut self.decoding else {
            self.refused = true;
            return;
        };
        decoding.part = heard.part;
        decoding.expects = at.saturating_add(heard.duration.get());
        match decoding.decoder.decode(&heard.data) {
            Ok(sound) => {
                let edges = if decoding.plain.is_some() { &self.edges[..] } else { &[] };
                let lies = decoding.from..u64::MAX;
                decoding.gives += lay(&mut self.runs, decoding.gives, lies, decoding.channels, sound, edges);
                self.left = self.left.saturating_sub(heard.duration);
            }
            Err(error) => {
                tracing::debug!("a packet is silence: {error}");
                self.refused = true;
                decoding.gives = decoding.gives.saturating_add_unsigned(heard.duration.get());
                self.runs.cut();
            }
        }
    }

    /// What is held of the sound so far comes out, and it is over.
    fn finish(&mut self) {
        if let Some(mut decoding) = self.decoding.take()
            && let Some(head) = decoding.plain
        {
            // 10 ms of silence after another, until all has come out.
            let frames = usize::try_from(head.rate() / 100).unwrap_or(0);
            let silence = vec![0; frames * head.frame_bytes()];
            while u64::try_from(decoding.gives).map_or(true, |gives| gives < decoding.expects) {
                let Ok(sound) = decoding.decoder.decode(&silence) else { break };
                let lies = decoding.from..decoding.expects;
                let given = lay(&mut self.runs, decoding.gives, lies, decoding.channels, sound, &self.edges);
                decoding.gives += given;
                if given == 0 {
                    break;
                }
            }
        }
        self.runs.cut();
    }
}

impl Decoding {
    /// What decodes from this packet on.
    fn new(track: &Track, heard: &Heard) -> Option<Self> {
        let part = track.parts.get(heard.part)?;
        let decoder = codec::decoder(&part.format).ok()?;
        let at = heard.at.get();
        let late = decoder.delay().get().cast_signed();
        let (from, plain) = match &part.format {
            // It is thrown away at the part's start, and not where a decoder begins again behind damage (RFC 7845 §4.2).
            Format::Opus(head) => (part.start.track.get().saturating_add(head.pre_skip.into()), None),
            Format::Pcm(head) => (at, Some(*head)),
        };
        Some(Self {
            part: heard.part,
            channels: decoder.channels(),
            decoder,
            gives: at.cast_signed().saturating_sub(late),
            from,
            expects: at,
            plain,
        })
    }

    /// Whether a packet is one sound with those before it: nothing is missing between them, and another part is of plain
    /// samples too, with the same head.
    fn goes_on(&self, track: &Track, heard: &Heard) -> bool {
        let format = |part: usize| track.parts.get(part).map(|part| &part.format);
        let joined = heard.part == self.part
            || (heard.part == self.part + 1 && self.plain.is_some() && format(heard.part) == format(self.part));
        joined && heard.at.get() == self.expects
    }
}

/// Lays sound whose first frame is at a place, of which only some places are wanted; gives how many frames it had.
fn lay(runs: &mut Runs, at: i64, wanted: Range<u64>, channels: u8, sound: &[f32], edges: &[u64]) -> i64 {
    let channels_usize = usize::from(channels.max(1));
    let frames = i64::try_from(sound.len() / channels_usize).unwrap_or(0);
    let begin = u64::try_from(at).unwrap_or(0).max(wanted.start);
    let end = u64::try_from(at.saturating_add(frames)).unwrap_or(0).min(wanted.end);
    let index = |place: u64| usize::try_from(place.cast_signed() - at).unwrap_or(0) * channels_usize;
    let mut from = begin;
    while from < end {
        let next = edges.partition_point(|edge| *edge < from);
        let next = if edges.get(next) == Some(&from) {
            runs.cut();
            next + 1
        } else {
            next
        };
        let to = edges.get(next).map_or(end, |edge| end.min(*edge));
        runs.push(from, channels, &sound[index(from)..index(to)]);
        from = to;
    }
    frames
}

/// Where plain samples begin and end that are no sound, but a gap of zeros.
fn edges(track: &Track) -> Vec<u64> {
    let mut edges = Vec::new();
    for gap in track.gaps.iter().filter(|gap| gap.filled) {
        let part = track.parts.iter().rfind(|part| part.start.track <= gap.at);
        if let Some(Format::Pcm(head)) = part.map(|part| &part.format) {
            // Of another rate the edges of sound lie between ticks: rather a little of it on the gap's side, which fades, than a
            // little of the gap on the sound's, which hides that it is loud.
            let beside = if u64::from(head.rate()) == Ticks::PER_SECOND { 0 } else { 2 };
            let end = gap.at.saturating_add(gap.length);
            edges.extend([gap.at.get().saturating_sub(beside), end.get().saturating_add(beside)]);
        }
    }
    edges.sort_unstable();
    edges.dedup();
    edges
}
