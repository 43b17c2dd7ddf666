//! Several tracks as one sound, as it is made for listeners while it is spoken.
//!
//! What belongs here: one plain struct that is given tracks' packets, and the time, and gives sound. What does not: threads,
//! rooms, who listens to what; when a room passes a lone track through and when it has it mixed (the hub's).
//!
//! A [`BusId`] names one sum of tracks: all of them, or all but those of one participant, who never hears its own. Each track
//! is decoded once, whatever the number of buses. A bus gives Opus packets of 20 ms, or plain sound, stereo at 48 kHz, on a
//! clock of its own that runs on without a step: its *time*. It is the session's clock but for a *shift* of a
//! millisecond or so, which is what lets a bus meet the packets of a track that is passed through.
//!
//! A bus goes on when every track that flows has sound up to there. A track that stalls is waited for no longer than its own
//! habit explains (`track.rs`); then the others go on without it.
//!
//! Memory: what `track.rs` says for each track, and less than 100 ms of sound for each bus.

mod bus;
pub mod interpolate;
pub mod level;
pub mod limiter;
pub mod runs;
#[cfg(test)]
mod tests;
mod track;

use uuid::Uuid;

use self::bus::Bus;
use self::track::{KEPT_BEHIND, Track};
use super::opus::Head;
use super::packet::{Packet, Sequence};
use super::time::Ticks;
use super::track::TrackNumber;

/// The head of the packets that a bus gives: stereo, nothing to skip.
pub const HEAD: Head = Head { channels: 2, pre_skip: 0, input_rate: 48_000, output_gain: 0 };

/// Names a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BusId {
    /// Whose tracks are left out.
    pub without: Option<Uuid>,
    /// What it gives.
    pub output: Output,
}

/// What a bus gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Opus packets.
    Packets,
    /// Sound that is not encoded.
    Sound,
}

/// Where a bus begins in the session's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// Where its time says.
    Free,
    /// Where this track's packet of this number begins: what came before was passed through.
    Track(TrackNumber, Sequence),
    /// Where the other bus is at that time: its listener heard that one until then.
    Bus(BusId),
}

/// What a bus has made.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// The bus begins, or begins again after a silence: what is made next does not go on from what was made last. A
    /// decoder settles in these packets before it.
    Begun(BusId, Vec<Packet>),
    /// Packets, on the time of the bus.
    Packets(BusId, Vec<Packet>),
    /// Sound, interleaved stereo, and its time.
    Sound(BusId, Ticks, Vec<f32>),
    /// All that flowed has stopped, and all of it was given. The bus goes on when something does.
    Silent(BusId),
    /// One track alone is left, and its packets go on exactly here: the bus is no more.
    Handed {
        /// The bus that was.
        bus: BusId,
        /// Whose packets are passed through from here on.
        track: TrackNumber,
        /// The number of the first.
        next: Sequence,
        /// Its place on the time of the bus.
        time: Ticks,
    },
}

impl Made {
    /// Which bus has made it.
    #[must_use]
    pub const fn bus(&self) -> BusId {
        match self {
            Self::Begun(bus, _)
            | Self::Packets(bus, _)
            | Self::Sound(bus, ..)
            | Self::Silent(bus)
            | Self::Handed { bus, .. } => *bus,
        }
    }
}

/// Mixes the tracks of one session.
#[derive(Default)]
pub struct Mixer {
    tracks: Vec<Track>,
    buses: Vec<Bus>,
}

impl Mixer {
    /// A mixer without tracks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes packets of a track, each beginning where the one before it ends, which came at `now` on the session's clock.
    /// The track begins with its first.
    pub fn push(
        &mut self,
        number: TrackNumber,
        owner: Uuid,
        head: Head,
        packets: &[Packet],
        discontinuity: bool,
        now: Ticks,
    ) {
        let index = match self.tracks.iter().position(|track| track.number == number && !track.has_ended()) {
            Some(index) => index,
            None => {
                let Some(mut track) = Track::new(number, owner, head) else { return };
                // What of it lies before that is late.
                let read = self.buses.iter().filter(|bus| bus.hears(&track)).map(Bus::place).reduce(f64::max);
                read.into_iter().for_each(|read| track.begin_at(read));
                self.tracks.push(track);
                self.tracks.len() - 1
            }
        };
        let track = &mut self.tracks[index];
        track.take_head(head);
        track.push(packets, discontinuity, now);
    }

    /// A track has ended: it fades out, and its number may be another's.
    pub fn end(&mut self, number: TrackNumber) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.number == number && !track.has_ended()) {
            track.finish();
        }
    }

    /// Begins a bus at this time. One that is there already begins anew.
    pub fn begin(&mut self, id: BusId, time: Ticks, joint: Joint) {
        let at = float(time.get());
        let (place, alone) = match joint {
            Joint::Free => (None, None),
            Joint::Track(number, next) => {
                let track = self.tracks.iter().find(|track| track.number == number && !track.has_ended());
                (track.and_then(|track| track.place_of(next)), Some(number))
            }
            Joint::Bus(other) => {
                let bus = self.buses.iter().find(|bus| bus.id == other);
                (bus.map(|bus| at - bus.shift()), None)
            }
        };
        self.stop(id);
        self.buses.push(Bus::begin(id, time, place.unwrap_or(at), alone));
    }

    /// Ends a bus.
    pub fn stop(&mut self, id: BusId) {
        self.buses.retain(|bus| bus.id != id);
    }

    /// Gives what can be made by now.
    pub fn pull(&mut self, now: Ticks) -> Vec<Made> {
        for track in &mut self.tracks {
            track.tick(now);
        }
        let mut made = Vec::new();
        for bus in &mut self.buses {
            bus.pull(&mut self.tracks, &mut made);
        }
        self.buses.retain(|bus| !bus.is_over());
        self.forget();
        made
    }

    /// Forgets the sound that everyone has heard, and the tracks that have ended in it.
    fn forget(&mut self) {
        for track in &mut self.tracks {
            let read = self.buses.iter().filter(|bus| bus.hears(track)).map(Bus::place).reduce(f64::min);
            let read = read.or_else(|| track.end());
            if let Some(read) = read {
                track.forget(read - float(KEPT_BEHIND));
            }
        }
        let buses = &self.buses;
        self.tracks.retain(|track| {
            let heard = |end| buses.iter().filter(|bus| bus.hears(track)).all(|bus| bus.place() >= end);
            !track.has_ended() || !track.end().is_none_or(heard)
        });
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ticks, six thousand years")]
fn float(ticks: u64) -> f64 {
    ticks as f64
}

/// A whole number as an integer, held at its ends.
#[expect(clippy::cast_possible_truncation, reason = "float to integer saturates")]
fn int(whole: f64) -> i64 {
    whole as i64
}
