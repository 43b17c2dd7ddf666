//! One sum of tracks, on its own time.
//!
//! What belongs here: when a bus goes on and how far, limiting and encoding what it sums up, and how it meets the packets of
//! a track that is left alone. What does not: where a track's sound lies (`track.rs`).
//!
//! The limiter and the encoder are late by what they look ahead. So the bus reads that much further than it gives, and what a
//! decoder makes of a packet is the sum at the packet's own time, sample for sample. It begins to read well before its
//! first packet, so that the encoder has settled there; what that gives is the pre-roll for the first listener.
//!
//! Where one track is left, its packets are to go on exactly where those of the bus end. Its packets begin anywhere on the
//! grid of 20 ms that the bus is on: the last packets of the bus are of 10, 5 or 2.5 ms, and for the rest, 1.25 ms at most,
//! the bus reads by up to 600 ppm faster or slower until they meet: for two seconds at most, by a hundredth of a semitone.
//! Pre-skip would do it for one layout only, and there in steps that are heard.

use super::limiter::{self, Limiter};
use super::track::{FASTEST, Track};
use super::{BusId, HEAD, Made, Output, float, int};
use crate::media::codec::{self, Encoder};
use crate::media::opus;
use crate::media::packet::{Packet, Sequence};
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// An ordinary packet.
const PACKET: usize = 960;
/// The packets that Opus has up to that, the longest first.
const LENGTHS: [usize; 4] = [960, 480, 240, 120];
/// The shortest, as the grid on which a bus and a track can meet.
const GRID: f64 = 120.0;
/// What is read and encoded before the first packet: nine packets, which are a pre-roll.
const WARMING: u64 = 9 * 960;
/// A silence up to this, in ticks, is given as it is; after a longer one the bus begins again.
const SHORT_SILENCE: f64 = 24_000.0;
/// A shift that is not needed any more goes in this time, in ticks.
const RETURN: f64 = 48_000.0;
/// Where a second track comes in, the joint's own overlap is the first one's alone: 2.5 ms.
const OVERLAP: f64 = 120.0;

pub struct Bus {
    pub id: BusId,
    state: State,
    /// The time of what is given next. Before the bus has begun it lies before its beginning.
    time: i64,
    /// When it begins.
    begins: i64,
    /// What is read next: its time, and its place on the session's clock.
    read: i64,
    place: f64,
    /// Whose packets were passed through before the bus, and where the others come in.
    alone: Option<(TrackNumber, f64)>,
    limiter: Limiter,
    encoder: Option<Box<dyn Encoder>>,
    /// Limited, and not given yet; interleaved.
    limited: Vec<f32>,
    pre_roll: Vec<Packet>,
    sequence: Sequence,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Sound is read and encoded that nobody hears.
    Warming,
    Running,
    /// At this time the packets of this track go on.
    Landing(TrackNumber, Sequence, i64),
    /// Nothing flows.
    Silent,
    Over,
}

impl Bus {
    /// A bus that begins at this time, which is this place on the session's clock.
    pub fn begin(id: BusId, time: Ticks, place: f64, alone: Option<TrackNumber>) -> Self {
        let begins = time.get().cast_signed();
        let encoder = match id.output {
            Output::Packets => codec::encoder(HEAD.channels, codec::STEREO_BITS).ok(),
            Output::Sound => None,
        };
        let lookahead = encoder.as_ref().map_or(0, |encoder| encoder.lookahead().get());
        let warming = if id.output == Output::Packets { WARMING } else { 0 };
        let first = begins - warming.cast_signed();
        Self {
            id,
            state: State::Warming,
            time: first,
            begins,
            read: first + lookahead.cast_signed(),
            place: place - float(warming) + float(lookahead),
            alone: alone.map(|track| (track, place + OVERLAP)),
            limiter: Limiter::new(),
            encoder,
            limited: Vec::new(),
            pre_roll: Vec::new(),
            sequence: Sequence::ZERO,
        }
    }

    /// Whether a track is in the sum.
    pub fn hears(&self, track: &Track) -> bool {
        self.id.without != Some(track.owner)
    }

    /// Up to where the session's clock was read.
    pub const fn place(&self) -> f64 {
        self.place
    }

    /// The time of the bus minus the session's clock.
    pub fn shift(&self) -> f64 {
        signed(self.read) - self.place
    }

    /// Whether a track has taken over.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Gives what can be made by now.
    pub fn pull(&mut self, tracks: &mut [Track], made: &mut Vec<Made>) {
        let mut heard: Vec<&mut Track> = tracks.iter_mut().filter(|track| self.hears(track)).collect();
        let flowing = heard.iter().filter_map(|track| track.ready()).reduce(f64::min);
        match flowing {
            Some(until) => {
                if matches!(self.state, State::Silent) {
                    self.wake(&heard);
                }
                self.run(&mut heard, until, made);
            }
            None => self.run_out(&mut heard, made),
        }
    }

    /// Something flows again.
    fn wake(&mut self, heard: &[&mut Track]) {
        self.state = State::Running;
        let next = heard.iter().filter_map(|track| track.goes_on(self.place)).reduce(f64::min);
        if let Some(next) = next.filter(|next| *next > self.place + SHORT_SILENCE) {
            let time = self.time.max(int((next + self.shift()).round()));
            let place = signed(time) - self.shift();
            *self = Self::begin(self.id, Ticks::new(u64::try_from(time).unwrap_or(0)), place, None);
        }
    }

    /// Reads up to a place, and gives what that makes.
    fn run(&mut self, heard: &mut [&mut Track], until: f64, made: &mut Vec<Made>) {
        let ahead = f64::from(limiter::AHEAD_TICKS) + signed(self.lookahead());
        loop {
            self.give(made);
            let step = match self.state {
                State::Over => return,
                State::Running if self.id.output == Output::Packets && heard.len() == 1 => {
                    if let Some((next, place, frames)) = self.landing(heard[0], until - ahead) {
                        let time = self.read + i64::try_from(frames).unwrap_or(0);
                        self.state = State::Landing(heard[0].number, next, time);
                        self.read(heard, frames, (place - self.place) / usize_float(frames));
                        self.place = place;
                        continue;
                    }
                    self.approach(heard[0])
                }
                State::Landing(..) | State::Warming => 1.0,
                State::Running | State::Silent => self.come_back(),
            };
            if self.place + step * usize_float(PACKET) > until {
                return;
            }
            self.read(heard, PACKET, step);
        }
    }

    /// Nothing flows: what is there is given to its end, and then nothing.
    fn run_out(&mut self, heard: &mut [&mut Track], made: &mut Vec<Made>) {
        if matches!(self.state, State::Silent) {
            return;
        }
        let end = heard.iter().filter_map(|track| track.end()).reduce(f64::max);
        let end = end.unwrap_or(f64::MIN).max(signed(self.begins) - self.shift());
        if matches!(self.state, State::Landing(..)) {
            self.state = State::Running;
        }
        while signed(self.time) - self.shift() < end {
            self.read(heard, PACKET, 1.0);
            self.give(made);
        }
        if matches!(self.state, State::Running) {
            self.state = State::Silent;
            made.push(Made::Silent(self.id));
        }
    }

    /// Reads so many frames, a step of the session's clock for each.
    fn read(&mut self, heard: &mut [&mut Track], frames: usize, step: f64) {
        let mut sum = vec![0.0; 2 * frames];
        for track in heard {
            let begin = self.alone.filter(|(alone, _)| *alone != track.number).map_or(f64::MIN, |(_, begin)| begin);
            track.add(self.place, step, begin, &mut sum);
        }
        self.limiter.push(&sum, &mut self.limited);
        self.read += i64::try_from(frames).unwrap_or(0);
        self.place += step * usize_float(frames);
        if self.shift().abs() < 1e-6 {
            self.place = signed(self.read);
        }
    }

    /// Encodes what is limited, in whole packets.
    fn give(&mut self, made: &mut Vec<Made>) {
        let mut packets = Vec::new();
        loop {
            if matches!(self.state, State::Warming) && self.time >= self.begins {
                self.state = State::Running;
                made.push(Made::Begun(self.id, std::mem::take(&mut self.pre_roll)));
            }
            let length = match self.state {
                State::Landing(_, _, time) => {
                    LENGTHS.into_iter().find(|length| usize_signed(*length) <= time - self.time)
                }
                _ => Some(PACKET),
            };
            let Some(length) = length.filter(|length| self.limited.len() >= 2 * length) else { break };
            let sound: Vec<f32> = self.limited.drain(..2 * length).collect();
            let time = Ticks::new(u64::try_from(self.time).unwrap_or(0));
            self.time += usize_signed(length);
            if self.id.output == Output::Sound {
                made.push(Made::Sound(self.id, time, sound));
                continue;
            }
            let packet = self.encode(time, length, &sound);
            if matches!(self.state, State::Warming) { self.pre_roll.push(packet) } else { packets.push(packet) }
        }
        if !packets.is_empty() {
            made.push(Made::Packets(self.id, packets));
        }
        if let State::Landing(track, next, time) = self.state
            && time == self.time
        {
            self.state = State::Over;
            let time = Ticks::new(u64::try_from(time).unwrap_or(0));
            made.push(Made::Handed { bus: self.id, track, next, time });
        }
    }

    fn encode(&mut self, time: Ticks, length: usize, sound: &[f32]) -> Packet {
        let data = self.encoder.as_mut().and_then(|encoder| encoder.encode(sound).ok());
        // An encoder that fails begins anew; silence keeps the time.
        let duration = Ticks::new(length as u64);
        let silence = || opus::silence(duration).0.next().map_or(opus::SILENCE_20_MS.0, |(packet, _)| packet);
        let data = data.unwrap_or_else(|| bytes::Bytes::from_static(silence()));
        let sequence = self.sequence;
        self.sequence = sequence.next();
        Packet { sequence, time, duration, data, heard: None }
    }

    fn lookahead(&self) -> i64 {
        self.encoder.as_ref().map_or(0, |encoder| encoder.lookahead().get().cast_signed())
    }

    /// Where the packets of a track that is left alone can go on: the first of them, its place, which is not behind `until`,
    /// and the frames until there.
    fn landing(&self, track: &Track, until: f64) -> Option<(Sequence, f64, usize)> {
        let landing = |(next, place): (Sequence, f64)| {
            let frames = self.frames_to(place);
            let fits = frames > 0.0 && ((place - self.place) / frames - 1.0).abs() <= FASTEST;
            let frames = usize::try_from(int(frames)).ok().filter(|frames| fits && *frames > 0)?;
            Some((next, place, frames))
        };
        track.joints(self.place).take_while(|(_, place)| *place <= until).find_map(landing)
    }

    /// How many frames it takes to a place, in whole packets, as nearly as they can.
    fn frames_to(&self, place: f64) -> f64 {
        let rest = signed((self.time - self.read).rem_euclid(int(GRID)));
        ((place - self.place - rest) / GRID).round() * GRID + rest
    }

    /// The step that brings the packets of the bus nearer to those of a track.
    fn approach(&self, track: &Track) -> f64 {
        let Some((_, place)) = track.joints(self.place).last() else { return 1.0 };
        let error = place - self.place - self.frames_to(place);
        1.0 + (error / usize_float(PACKET)).clamp(-FASTEST, FASTEST)
    }

    /// The step that brings the time of the bus back to the session's clock.
    fn come_back(&self) -> f64 {
        let shift = self.shift();
        let follow = if shift.abs() < 0.05 { shift / usize_float(PACKET) } else { shift / RETURN };
        1.0 + follow.clamp(-FASTEST, FASTEST)
    }
}

fn signed(ticks: i64) -> f64 {
    if ticks < 0 { -float(ticks.unsigned_abs()) } else { float(ticks.unsigned_abs()) }
}

fn usize_float(count: usize) -> f64 {
    float(count as u64)
}

fn usize_signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
