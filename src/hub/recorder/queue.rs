//! What is on its way from a room to the disk: the bounds of `room to recorder`.
//!
//! What belongs here: how much waits, whether more may. What does not: who hands it on. In memory are sequence numbers and lengths of
//! messages; the sound itself is where it waits, and what is written next is there twice (`archive`'s writer).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::media::packet::Sequence;
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// Bytes that may wait to be durable: the bound of `room to recorder`, in bytes.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Sound that may wait to be durable, of each track: the bound of `room to recorder`, in seconds.
pub const LONGEST_WAIT: Ticks = Ticks::from_secs(60);

/// What of a session waits to be durable.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    bytes: Bytes,
    /// For each track, the sequence numbers that were sent and are not durable, with their sound.
    tracks: Vec<OfTrack>,
}

/// Bytes that wait, for those who are told on other threads that they no longer do.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes(Arc<AtomicUsize>);

/// A track's packets that are on their way to the disk.
#[derive(Debug, Default)]
struct OfTrack {
    /// Messages: the number after their last packet, and their sound.
    messages: VecDeque<(Sequence, Ticks)>,
    sound: Ticks,
    taking: Taking,
}

/// Whether a track's packets are taken. One that has lost some has lost a gap: were the next taken as soon as it fits, a disk that is
/// a little too slow would make a gap of every few packets.
#[derive(Clone, Copy, Debug, Default)]
enum Taking {
    /// As long as less waits than may.
    #[default]
    UntilFull,
    /// Not before half of what may wait is free.
    OnceClear,
}

impl Taking {
    /// Whether so much may wait.
    const fn takes(self, bytes: usize, sound: Ticks) -> bool {
        match self {
            Self::UntilFull => bytes <= MOST_BYTES && sound.get() <= LONGEST_WAIT.get(),
            Self::OnceClear => bytes <= MOST_BYTES / 2 && sound.get() <= LONGEST_WAIT.get() / 2,
        }
    }
}

/// A message of packets of a track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub track: TrackNumber,
    /// The number after its last packet.
    pub end: Sequence,
    pub bytes: usize,
    pub sound: Ticks,
}

impl Bytes {
    /// So many are durable.
    pub fn release(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl InFlight {
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Whether there is room for a message, which waits from now on if `hand_on` takes it.
    pub fn send(&mut self, sent: Sent, hand_on: impl FnOnce() -> bool) -> bool {
        let Sent { track, end, bytes, sound } = sent;
        let index = usize::from(track.get());
        if self.tracks.len() <= index {
            self.tracks.resize_with(index + 1, OfTrack::default);
        }
        let track = &mut self.tracks[index];
        let together = track.sound.saturating_add(sound);
        if !track.taking.takes(self.bytes.get().saturating_add(bytes), together) {
            track.taking = Taking::OnceClear;
            return false;
        }
        track.taking = Taking::UntilFull;
        // Counted first: it may be durable before we look again.
        self.bytes.0.fetch_add(bytes, Ordering::AcqRel);
        if !hand_on() {
            self.bytes.release(bytes);
            return false;
        }
        track.sound = together;
        track.messages.push_back((end, sound));
        true
    }

    /// Packets of a track are durable: they wait no longer.
    pub fn durable(&mut self, track: TrackNumber, next: Sequence) {
        let Some(track) = self.tracks.get_mut(usize::from(track.get())) else { return };
        while let Some((_, sound)) = track.messages.pop_front_if(|(end, _)| *end <= next) {
            track.sound = track.sound.saturating_sub(sound);
        }
    }

    /// Whether far less waits than may, of every track.
    pub fn is_clear(&self) -> bool {
        self.tracks.iter().all(|track| Taking::OnceClear.takes(self.bytes.get(), track.sound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: TrackNumber = TrackNumber::new(1);
    const TWO: TrackNumber = TrackNumber::new(2);

    fn second(track: TrackNumber, number: u64, bytes: usize) -> Sent {
        Sent { track, end: Sequence::new(number + 1), bytes, sound: Ticks::from_secs(1) }
    }

    #[test]
    fn a_minute_of_each_track_may_wait_and_no_more() {
        let mut waits = InFlight::default();
        for number in 0..60 {
            assert!(waits.send(second(ONE, number, 1), || true), "{number}");
        }
        assert!(!waits.send(second(ONE, 60, 1), || panic!("there is no room")));
        assert!(waits.send(second(TWO, 0, 1), || true) && !waits.is_clear(), "another track has its own minute");
        waits.durable(ONE, Sequence::new(29));
        waits.bytes().release(29);
        assert!(!waits.is_clear());
        assert!(!waits.send(second(ONE, 60, 1), || panic!("it lost some, and half is not free")));
        waits.durable(ONE, Sequence::new(31));
        assert!(waits.is_clear());
        assert!((60..91).all(|number| waits.send(second(ONE, number, 1), || true)));
        assert!(!waits.send(second(ONE, 91, 1), || true));
    }

    #[test]
    fn the_bytes_of_all_tracks_have_one_bound() {
        let mut waits = InFlight::default();
        let half = MOST_BYTES / 2;
        assert!(waits.send(second(ONE, 0, half), || true) && waits.is_clear());
        assert!(waits.send(second(TWO, 0, half), || true) && !waits.is_clear());
        assert!(!waits.send(second(ONE, 1, 1), || true));
        waits.bytes().release(half);
        assert!(
            !waits.send(second(ONE, 1, 1), || true) && waits.send(second(TWO, 1, 1), || true),
            "who lost none is taken"
        );
        waits.bytes().release(2);
        assert!(!waits.send(second(ONE, 1, 1), || false), "what is not handed on does not wait");
        assert!(waits.send(second(ONE, 1, half), || true));
    }
}
