//! How long packets sound, counted.
//!
//! What belongs here: the one counter that all demuxers use whose packets have frames. What does not: how many frames a
//! packet has.

use bytes::Bytes;

use crate::media::packet::SourcePacket;
use crate::media::pcm::{Head, Sample, Unfit};
use crate::media::time::Ticks;

/// Counts the frames of a stream. A packet lasts from the end of the one before to the end of the total, so that rounding
/// never adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) struct Counter {
    head: Head,
    frames: u64,
}

impl Counter {
    /// A counter of frames of this kind.
    pub const fn new(head: Head) -> Self {
        Self { head, frames: 0 }
    }

    /// A counter for sound that is not plain samples.
    ///
    /// # Errors
    /// Where the rate or the channels are not accepted.
    pub fn of(rate: u32, channels: u32) -> Result<Self, Unfit> {
        Head::new(Sample::F32, rate, channels).map(Self::new)
    }

    /// Frames in a second.
    pub const fn rate(self) -> u32 {
        self.head.rate()
    }

    /// 1 or 2.
    pub const fn channels(self) -> u8 {
        self.head.channels()
    }

    /// What is counted.
    pub const fn head(self) -> Head {
        self.head
    }

    /// Frames so far.
    pub const fn frames(self) -> u64 {
        self.frames
    }

    /// The packet of the next `frames`, at the time where those before it end.
    pub fn packet(&mut self, frames: u64, data: Bytes) -> SourcePacket {
        let time = self.head.ticks(self.frames);
        SourcePacket { time, duration: self.count(frames), data, heard: None }
    }

    /// How long the next `frames` sound.
    pub fn count(&mut self, frames: u64) -> Ticks {
        let from = self.head.ticks(self.frames);
        self.frames = self.frames.saturating_add(frames);
        self.head.ticks(self.frames).saturating_sub(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_odd_packets_is_an_hour() {
        for rate in [8000, 11_025, 22_050, 44_100, 96_000, 192_000] {
            let mut counter = Counter::of(rate, 1).unwrap();
            let packets = u64::from(rate) * 3600 / 441;
            let total: u64 = (0..packets).map(|_| counter.count(441).get()).sum();
            assert!(total.abs_diff(packets * 441 * 48_000 / u64::from(rate)) <= 1, "{rate}");
        }
    }
}
