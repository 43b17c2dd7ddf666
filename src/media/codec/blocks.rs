//! Plain samples of any lengths, made into a track's blocks of 20 ms.
//!
//! What belongs here: cutting, counting, and when each block was sent. What does not: what listeners hear (`heard`).

use std::collections::VecDeque;

use bytes::Bytes;

use super::DecodeError;
use super::heard::Heard;
use super::pcm::{finite, read, whole_frames};
use crate::media::packet::SourcePacket;
use crate::media::pcm::{Head, Sample};
use crate::media::time::Ticks;

/// How long what is heard of a block is.
const HEARD: Ticks = Ticks::from_millis(20);

/// Cuts samples into blocks: each holds the frames from where it begins ([`Head::block_begin`]) to where the next does.
///
/// Between calls it holds less than a block, the times of the packets that are in it, and what [`Heard`] holds.
pub struct Blocks {
    head: Head,
    pending: Vec<u8>,
    /// Blocks that were given, and their frames.
    blocks: u64,
    frames: u64,
    times: Times,
    heard: Heard,
    samples: Vec<f32>,
}

impl Blocks {
    pub fn new(head: Head) -> Result<Self, DecodeError> {
        Ok(Self {
            head,
            pending: Vec::new(),
            blocks: 0,
            frames: 0,
            times: Times::default(),
            heard: Heard::new(head)?,
            samples: Vec::new(),
        })
    }

    /// How much later than it was sent sound is heard.
    pub fn delay(&self) -> Ticks {
        self.heard.delay()
    }

    /// Whether all that was pushed was given.
    pub const fn are_whole(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes samples that were sent at this time, and adds the blocks that are whole by now.
    pub fn push(&mut self, time: Ticks, bytes: &[u8], out: &mut Vec<SourcePacket>) -> Result<(), DecodeError> {
        if whole_frames(self.head, bytes)? == 0 {
            return Ok(());
        }
        self.times.begin(self.frames + self.frames_of(self.pending.len()), time);
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = self.bytes_of(self.head.block_begin(self.blocks + 1) - self.frames);
            let (now, later) = rest.split_at(rest.len().min(whole - self.pending.len()));
            let start = self.pending.len();
            self.pending.extend_from_slice(now);
            make_finite(self.head.sample(), &mut self.pending[start..]);
            self.samples.clear();
            read(self.head.sample(), &self.pending[start..], &mut self.samples);
            self.heard.push(&self.samples);
            if self.pending.len() == whole {
                self.give(out);
            }
            rest = later;
        }
        Ok(())
    }

    /// Gives what is left, as a block that may be shorter.
    pub fn finish(&mut self, out: &mut Vec<SourcePacket>) {
        if !self.pending.is_empty() {
            self.give(out);
        }
    }

    fn give(&mut self, out: &mut Vec<SourcePacket>) {
        let time = self.times.at(self.head, self.frames);
        let end = self.frames + self.frames_of(self.pending.len());
        let duration = self.head.ticks(end).saturating_sub(self.head.ticks(self.frames));
        let data = Bytes::from(std::mem::take(&mut self.pending));
        self.frames = end;
        self.blocks += 1;
        out.push(SourcePacket { time, duration, data, heard: Some(self.heard.packet(HEARD)) });
    }

    fn frames_of(&self, bytes: usize) -> u64 {
        (bytes / self.head.frame_bytes()) as u64
    }

    /// Bytes of so many frames of a block, which are at most 3840.
    fn bytes_of(&self, frames: u64) -> usize {
        usize::try_from(frames).expect("20 ms") * self.head.frame_bytes()
    }
}

/// Makes the packets of a publisher who numbers them into the track's, one by one: each is a block as it came, of 10,
/// 20, 40 or 60 ms, in whole frames, and what is heard of it is as long.
///
/// Packets are one sound, in order: what comes late, or again, needs one of its own. It holds an encoder,
/// a resampler, and the sound of a packet.
pub struct BlockTranscoder {
    head: Head,
    heard: Heard,
    samples: Vec<f32>,
}

impl BlockTranscoder {
    /// For a publisher's track that begins.
    ///
    /// # Errors
    /// Where a library refuses, which none does for a head that we accept.
    pub fn new(head: Head) -> Result<Self, DecodeError> {
        Ok(Self { head, heard: Heard::new(head)?, samples: Vec::new() })
    }

    /// Gives the packet as it is kept, with its own length and what listeners hear.
    ///
    /// # Errors
    /// Where it is not whole frames, or of another length. It costs that packet alone.
    pub fn push(&mut self, packet: SourcePacket) -> Result<SourcePacket, DecodeError> {
        let duration = length(self.head, &packet.data)?;
        let mut data = packet.data;
        self.samples.clear();
        if self.head.sample() == Sample::F32 {
            let mut bytes = data.to_vec();
            make_finite(Sample::F32, &mut bytes);
            data = bytes.into();
        }
        read(self.head.sample(), &data, &mut self.samples);
        self.heard.push(&self.samples);
        Ok(SourcePacket { time: packet.time, duration, data, heard: Some(self.heard.packet(duration)) })
    }
}

/// How long a publisher's own packet of plain samples is: exactly 10, 20, 40 or 60 ms.
///
/// # Errors
/// Where it is not whole frames, or of another length.
pub fn length(head: Head, data: &[u8]) -> Result<Ticks, DecodeError> {
    let frames = whole_frames(head, data)?;
    let exact = (frames * Ticks::PER_SECOND).is_multiple_of(head.rate().into());
    match head.ticks(frames) {
        ticks if exact && [10, 20, 40, 60].map(Ticks::from_millis).contains(&ticks) => Ok(ticks),
        _ => Err(DecodeError::Length { frames, rate: head.rate() }),
    }
}

/// Silences the floats that are no numbers; nothing else is touched.
fn make_finite(sample: Sample, bytes: &mut [u8]) {
    if sample == Sample::F32 {
        for four in bytes.as_chunks_mut().0 {
            *four = finite(f32::from_le_bytes(*four)).to_le_bytes();
        }
    }
}

/// When the frames were sent that are not given yet: the packets that hold them, by their first frame.
#[derive(Default)]
pub struct Times(VecDeque<(u64, Ticks)>);

impl Times {
    /// A packet begins with this frame.
    pub fn begin(&mut self, frame: u64, time: Ticks) {
        self.0.push_back((frame, time));
    }

    /// When this frame was sent: the time of the packet that holds it, and what lies between. Earlier ones are forgotten.
    pub fn at(&mut self, head: Head, frame: u64) -> Ticks {
        while self.0.get(1).is_some_and(|(next, _)| *next <= frame) {
            self.0.pop_front();
        }
        let (first, time) = self.0.front().copied().unwrap_or_default();
        time.saturating_add(head.ticks(frame.saturating_sub(first)))
    }
}
