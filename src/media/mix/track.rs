//! One track in a mix: its decoded sound, and where each sample of it lies on the session's clock.
//!
//! What belongs here: decoding, following drift, fading in and out, how long a track is waited for. What does not: what its
//! sound is added to (`bus.rs`).
//!
//! The sound is kept at the track's own count. Each packet is laid on the session's clock where the one before it ends, and
//! stretched a little towards where the session's clock says that it lies: at most by 600 ppm, a hundredth of a semitone,
//! and within about a second. A track that does not drift is not stretched, and is read sample for sample.
//!
//! A *run* is sound without a gap. It fades in where it begins and out where it ends, and since nobody knows of an end
//! before it has come, the last 10 ms of a run are held back until it is known what follows.
//!
//! Memory: [`LONGEST_KEPT`] of sound in its own channels, 3 MB for a stereo track; in ordinary rooms a quarter of that.

use std::collections::VecDeque;

use uuid::Uuid;

use super::interpolate::{REACH, weights};
use super::{float, int};
use crate::media::codec::{self, Decoder};
use crate::media::opus::{self, Head};
use crate::media::packet::{Packet, Sequence};
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

/// The fade at each end of a run, and what is held back of one: 10 ms.
pub const FADE: u16 = 480;
/// The most that a sound is stretched.
pub const FASTEST: f64 = 600e-6;
/// An error in place is gone by and by in this time, in ticks.
const FOLLOW: f64 = 48_000.0;
/// The most sound that is kept of a track.
const LONGEST_KEPT: u64 = 8 * Ticks::PER_SECOND;
/// What is kept of a track's sound behind those who read it: who begins later begins there.
pub const KEPT_BEHIND: u64 = Ticks::PER_SECOND;
/// Messages whose distance tells how often a track speaks.
const MESSAGES: usize = 8;
/// How often a track is taken to speak, at least, that has not shown it yet.
const FIRST_INTERVAL: Ticks = Ticks::from_millis(300);
/// What a track is given beyond its usual interval, and half of that.
const GRACE: Ticks = Ticks::from_millis(100);
/// The longest that anybody waits for a track.
const LONGEST_WAIT: Ticks = Ticks::from_millis(1500);
/// A packet that lies so far from the end of the one before it, in ticks, does not go on from there.
const APART: f64 = 480.0;

/// A track that is heard.
pub struct Track {
    pub number: TrackNumber,
    /// Whose it is.
    pub owner: Uuid,
    head: Head,
    decoder: Box<dyn Decoder>,
    /// The decoded sound, interleaved in the track's own channels.
    samples: Vec<f32>,
    /// The place of the first of them on the track's count.
    first: u64,
    runs: VecDeque<Run>,
    /// Up to where anybody has read: what comes later than it was waited for begins there.
    read: f64,
    /// When the last message came, and the intervals of the last ones.
    arrived: Option<Ticks>,
    intervals: VecDeque<Ticks>,
    ended: bool,
}

/// Sound without a gap.
#[derive(Debug)]
struct Run {
    /// Where it fades in, on the session's clock.
    begin: f64,
    /// Where it has faded out; none while it goes on.
    end: Option<f64>,
    packets: VecDeque<Laid>,
}

/// A packet's sound on the session's clock.
#[derive(Clone, Copy, Debug)]
struct Laid {
    sequence: Sequence,
    /// Its place on the track's count.
    count: u64,
    length: u64,
    /// Its place on the session's clock, in ticks.
    start: f64,
    /// How many ticks of the session each of its own lasts.
    stretch: f64,
}

impl Laid {
    fn end(&self) -> f64 {
        self.start + self.length_laid()
    }

    fn length_laid(&self) -> f64 {
        float(self.length) * self.stretch
    }
}

impl Run {
    /// Up to where there is sound.
    fn edge(&self) -> f64 {
        self.packets.back().map_or(self.begin, Laid::end)
    }

    fn gain(&self, at: f64) -> f64 {
        let rise = (at - self.begin) / f64::from(FADE);
        let fall = self.end.map_or(1.0, |end| (end - at) / f64::from(FADE));
        fade(rise.min(fall))
    }
}

/// The gain so far along a fade: its first derivative is steady, too.
fn fade(along: f64) -> f64 {
    let along = along.clamp(0.0, 1.0);
    along * along * (3.0 - 2.0 * along)
}

impl Track {
    /// A track of which nothing was heard yet; none where its format cannot be decoded.
    pub fn new(number: TrackNumber, owner: Uuid, head: Head) -> Option<Self> {
        let decoder = codec::decoder(&Format::Opus(head)).ok()?;
        Some(Self {
            number,
            owner,
            head,
            decoder,
            samples: Vec::new(),
            first: 0,
            runs: VecDeque::new(),
            read: f64::MIN,
            arrived: None,
            intervals: VecDeque::new(),
            ended: false,
        })
    }

    /// The track begins again with another head: what is there fades out.
    pub fn take_head(&mut self, head: Head) {
        if self.head == head {
            return;
        }
        let Ok(decoder) = codec::decoder(&Format::Opus(head)) else { return };
        if decoder.channels() != self.decoder.channels() {
            // What is left of the old sound is short, and would have to be told apart.
            self.close();
            self.samples.clear();
            self.runs.clear();
            self.first = 0;
        }
        (self.head, self.decoder) = (head, decoder);
    }

    /// Up to here the others were read without it: it fades in there, if it begins before.
    pub const fn begin_at(&mut self, read: f64) {
        self.read = read;
    }

    /// Takes a message's packets, which came at `now`.
    pub fn push(&mut self, packets: &[Packet], discontinuity: bool, now: Ticks) {
        if discontinuity {
            self.close();
        }
        let length = packets.iter().fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration));
        let first = length.max(FIRST_INTERVAL);
        self.intervals.push_back(self.arrived.map_or(first, |arrived| now.saturating_sub(arrived)));
        if self.intervals.len() > MESSAGES {
            self.intervals.pop_front();
        }
        self.arrived = Some(now);
        for packet in packets {
            self.lay(packet);
        }
        self.forget_before(self.count().saturating_sub(LONGEST_KEPT));
    }

    fn lay(&mut self, packet: &Packet) {
        let wanted = float(packet.time.get());
        let mut start = self.open().map_or(wanted, Run::edge);
        if (start - wanted).abs() > APART {
            self.close();
            start = wanted;
        }
        let error = wanted - start;
        // What is heard of PCM may be a tick or two longer or shorter than the block beside it.
        let length = opus::duration(packet.opus()).unwrap_or(packet.duration).get();
        // The last bit of an error goes at once, so that a track that drifts no more is read sample for sample.
        let follow = if error.abs() < 0.05 { error / float(length.max(1)) } else { error / FOLLOW };
        let stretch = 1.0 + follow.clamp(-FASTEST, FASTEST);
        let laid = Laid { sequence: packet.sequence, count: self.count(), length, start, stretch };
        self.decode(packet, length);
        let begin = start.max(self.read);
        match self.runs.back_mut().filter(|run| run.end.is_none()) {
            Some(run) => run.packets.push_back(laid),
            None => self.runs.push_back(Run { begin, end: None, packets: [laid].into() }),
        }
    }

    fn decode(&mut self, packet: &Packet, length: u64) {
        let channels = self.channels();
        let wanted = self.samples.len() + usize::try_from(length).unwrap_or(0) * channels;
        if let Ok(sound) = self.decoder.decode(packet.opus()) {
            self.samples.extend_from_slice(sound);
        }
        // One that cannot be decoded is silence of its length.
        self.samples.resize(wanted, 0.0);
    }

    /// Its sound ends here, for now or for good.
    pub fn close(&mut self) {
        if let Some(run) = self.runs.back_mut().filter(|run| run.end.is_none()) {
            run.end = Some(run.edge());
        }
    }

    /// Nothing more comes of it.
    pub fn finish(&mut self) {
        self.close();
        self.ended = true;
    }

    /// Whether nothing more comes of it.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Closes what is further behind, or has not gone on for longer, than the track's own habit explains.
    pub fn tick(&mut self, now: Ticks) {
        let patience = self.patience();
        let silent = self.arrived.is_some_and(|arrived| now.saturating_sub(arrived) > patience);
        let behind = self.open().is_some_and(|run| run.edge() + float(patience.get()) < float(now.get()));
        if silent || behind {
            self.close();
        }
    }

    /// How long the track is waited for.
    fn patience(&self) -> Ticks {
        let usual = self.intervals.iter().copied().max().unwrap_or_default();
        Ticks::new(usual.get().saturating_mul(3) / 2).saturating_add(GRACE).min(LONGEST_WAIT)
    }

    fn open(&self) -> Option<&Run> {
        self.runs.back().filter(|run| run.end.is_none())
    }

    /// Up to where its sound may be read; none where it does not flow, and nobody has to wait for it.
    pub fn ready(&self) -> Option<f64> {
        self.open().map(|run| run.edge() - f64::from(FADE))
    }

    /// Where what is there of its sound is over; none where there is none.
    pub fn end(&self) -> Option<f64> {
        self.runs.back().map(|run| run.end.unwrap_or_else(|| run.edge()))
    }

    /// Where its sound goes on after a place: that place, or later; none where there is nothing more.
    pub fn goes_on(&self, at: f64) -> Option<f64> {
        self.runs.iter().find(|run| run.end.unwrap_or(f64::MAX) > at).map(|run| run.begin.max(at))
    }

    /// The place of the first packet whose number is not below this; the end, where it has not come yet. None where the
    /// track does not flow.
    pub fn place_of(&self, next: Sequence) -> Option<f64> {
        let run = self.open()?;
        let laid = run.packets.iter().find(|laid| laid.sequence >= next);
        Some(laid.map_or_else(|| run.edge(), |laid| laid.start))
    }

    /// The beginnings of its packets after a place, while it flows; with the end of the last, where the next will begin.
    pub fn joints(&self, after: f64) -> impl Iterator<Item = (Sequence, f64)> {
        let packets = self.open().map(|run| &run.packets).into_iter().flatten();
        let next = self.open().and_then(|run| run.packets.back()).map(|last| (last.sequence.next(), last.end()));
        packets.map(|laid| (laid.sequence, laid.start)).chain(next).filter(move |(_, start)| *start > after)
    }

    /// Adds the track's sound from a place on the session's clock on to interleaved stereo, a `step` for each frame. Before
    /// `begin` it is not heard, and fades in there.
    pub fn add(&mut self, from: f64, step: f64, begin: f64, out: &mut [f32]) {
        let frames = out.len() / 2;
        let to = from + step * float(frames as u64);
        self.read = self.read.max(to);
        for run in &self.runs {
            if run.begin < to && run.edge() > from {
                self.add_run(run, from, step, begin, out);
            }
        }
    }

    fn add_run(&self, run: &Run, from: f64, step: f64, begin: f64, out: &mut [f32]) {
        let mut packets = run.packets.iter().peekable();
        for (index, frame) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let at = from + step * float(index as u64);
            while packets.peek().is_some_and(|laid| laid.end() <= at) {
                packets.next();
            }
            let Some(laid) = packets.peek() else { break };
            if at < laid.start {
                continue;
            }
            let gain = run.gain(at).min(fade((at - begin) / f64::from(FADE)));
            if gain > 0.0 {
                let place = float(laid.count) + (at - laid.start) / laid.stretch;
                let [left, right] = self.sample(run, place);
                #[expect(clippy::cast_possible_truncation, reason = "a gain of at most 1")]
                let gain = gain as f32;
                frame[0] += left * gain;
                frame[1] += right * gain;
            }
        }
    }

    /// The sound at a place of the count, on both sides.
    fn sample(&self, run: &Run, place: f64) -> [f32; 2] {
        let whole = place.round();
        if (place - whole).abs() < 1e-4 {
            return self.frame(run, int(whole));
        }
        let base = place.floor();
        let weights = weights(place - base);
        let first = int(base) - (i64::from(REACH) - 1);
        let mut sum = [0.0; 2];
        for (weight, count) in weights.into_iter().zip(first..) {
            let frame = self.frame(run, count);
            sum[0] += frame[0] * weight;
            sum[1] += frame[1] * weight;
        }
        sum
    }

    /// A decoded frame; silence outside of the run.
    fn frame(&self, run: &Run, count: i64) -> [f32; 2] {
        let begin = run.packets.front().map_or(0, |laid| laid.count).max(self.first);
        let end = run.packets.back().map_or(0, |laid| laid.count + laid.length);
        let Some(count) = u64::try_from(count).ok().filter(|count| (begin..end).contains(count)) else {
            return [0.0; 2];
        };
        let index = usize::try_from(count - self.first).unwrap_or(usize::MAX);
        if self.channels() == 1 {
            let sample = self.samples.get(index).copied().unwrap_or(0.0);
            [sample; 2]
        } else {
            let at = |channel: usize| self.samples.get(2 * index + channel).copied().unwrap_or(0.0);
            [at(0), at(1)]
        }
    }

    /// Forgets the sound that lies well before a place, or before anybody reads.
    pub fn forget(&mut self, before: f64) {
        while let Some(run) = self.runs.front() {
            if run.end.is_none_or(|end| end >= before) {
                break;
            }
            self.runs.pop_front();
        }
        let old = self.runs.front().and_then(|run| run.packets.iter().find(|laid| laid.end() >= before));
        let count = old.map_or_else(|| self.count(), |laid| laid.count);
        self.forget_before(count);
    }

    /// Forgets the sound before a place of the count.
    fn forget_before(&mut self, count: u64) {
        for run in &mut self.runs {
            while run.packets.len() > 1 && run.packets.front().is_some_and(|laid| laid.count + laid.length <= count) {
                run.packets.pop_front();
            }
        }
        let old = usize::try_from(count.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let old = old.saturating_mul(self.channels()).min(self.samples.len());
        // Moving the rest costs as much as what goes: seldom, and much at once.
        if old > self.samples.len() / 2 {
            self.samples.drain(..old);
            self.first += (old / self.channels()) as u64;
        }
    }

    fn count(&self) -> u64 {
        self.first + (self.samples.len() / self.channels()) as u64
    }

    fn channels(&self) -> usize {
        self.decoder.channels().into()
    }

    /// How many samples are kept.
    #[cfg(test)]
    pub fn samples(&self) -> usize {
        self.samples.len()
    }
}
