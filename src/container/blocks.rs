//! Plain samples as packets: blocks of 20 ms, counted.
//!
//! What belongs here: where a stream of frames is cut, and when each block is. What does not: containers, and how samples
//! are written in them.
//!
//! The blocks are those that a track keeps, so nothing that comes after has to cut them again; and they do not depend on how
//! the stream was cut on its way.

use bytes::Bytes;

use super::counter::Counter;
use crate::media::packet::SourcePacket;
use crate::media::pcm::Head;

/// Counts the frames of a stream, and cuts them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocks {
    counter: Counter,
    /// Blocks so far.
    blocks: u64,
}

impl Blocks {
    pub const fn new(head: Head) -> Self {
        Self { counter: Counter::new(head), blocks: 0 }
    }

    pub const fn head(&self) -> Head {
        self.counter.head()
    }

    /// How many frames the next block has: 160 to 3840. Only the last of a stream has fewer.
    pub fn next_frames(&self) -> usize {
        let end = self.head().block_begin(self.blocks + 1);
        usize::try_from(end.saturating_sub(self.counter.frames())).expect("a block has at most 3840 frames")
    }

    /// The next block, of whole frames.
    pub fn packet(&mut self, data: Bytes) -> SourcePacket {
        self.blocks += 1;
        self.counter.packet((data.len() / self.head().frame_bytes()) as u64, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::pcm::Sample;
    use crate::media::time::Ticks;

    #[test]
    fn blocks_of_an_odd_rate_neither_drift_nor_leave_a_gap() {
        let head = Head::new(Sample::S24, 11_025, 2).unwrap();
        let mut blocks = Blocks::new(head);
        let mut end = Ticks::ZERO;
        for block in 1..=180_000_u64 {
            let frames = blocks.next_frames();
            assert!(frames == 220 || frames == 221, "{frames}");
            let packet = blocks.packet(vec![0; frames * 6].into());
            assert_eq!(packet.time, end);
            end = packet.time.saturating_add(packet.duration);
            assert!(end.get().abs_diff(block * 960) <= 3, "half a frame of 11025 Hz is 2.2 ticks");
        }
        assert_eq!(end, Ticks::from_secs(3600));
    }
}
