//! WAV parts that are played: blocks of 20 ms, each with the Opus packet that listeners hear, made on the way.
//!
//! What belongs here: which frames are read next, whether they are what was written, and the blocks that become of them. What
//! does not: who plays them, and which thread does this (one that may wait: it reads and encodes).
//!
//! A block lies where it lay when it was live: block `i` of a part begins at frame `round(i * rate / 50)`.

use std::fmt;
use std::io;
use std::ops::Range;

use super::extents::Extent;
use super::model::Part;
use super::reading::PartFile;
use crate::container::wav::data_offset;
use crate::media::codec::transcode::Transcoder;
use crate::media::packet::{Sequence, SourcePacket};
use crate::media::pcm;
use crate::media::source::Source;
use crate::media::time::Ticks;

/// How many are read in one go: half a second, as much as a replay sends in a turn.
const PIECE: u64 = 25;
/// How many are encoded before the first that is heard, so that the encoder has settled.
const PRE_ROLL: u64 = 4;

/// A WAV part that is read, with the encoder that goes along. It holds what a [`Transcoder`] holds.
pub struct Blocks {
    head: pcm::Head,
    /// Made with the first read: to begin costs nothing, so that any thread may.
    transcoder: Option<Transcoder>,
    /// The next frame that is read.
    next: u64,
    /// The first frame of the next block that comes out.
    given: u64,
    /// What ends by this frame is left out.
    from: u64,
    /// Bytes of the file that were found as they were written.
    good: Range<u64>,
    /// Whether the last block came out.
    ended: bool,
}

/// What was read of a part.
#[derive(Debug, Default)]
pub struct BlocksRead {
    /// The blocks, each with its number and its time in ticks of the part.
    pub blocks: Vec<(Sequence, SourcePacket)>,
    /// Where the file is not what was written, in bytes: the next blocks are those behind.
    pub damaged: Option<Range<u64>>,
}

impl Blocks {
    /// Begins where this place is come upon, in ticks of the part.
    pub(super) fn begin(head: pcm::Head, at: Ticks) -> Self {
        let from = head.frames(at);
        let mut blocks = Self { head, transcoder: None, next: 0, given: 0, from, good: 0..0, ended: false };
        let first = head.block_at(from).saturating_sub(PRE_ROLL);
        // The encoder counts blocks from where it begins: only there are its blocks the part's.
        blocks.next = head.block_begin(first / head.even_block() * head.even_block());
        blocks.given = blocks.next;
        blocks
    }

    /// Whether there is more to be read of a part, to which more may come or not.
    #[must_use]
    pub fn wants(&self, part: &Part, grows: bool) -> bool {
        if grows { self.next < self.whole(part) } else { !self.ended }
    }

    /// The bytes that are read next.
    pub(super) fn bytes(&self, part: &Part, grows: bool) -> Range<u64> {
        let until = if grows { self.whole(part) } else { self.frames(part) };
        let until = self.head.block_begin(self.head.block_at(self.next) + PIECE).min(until).max(self.next);
        self.byte(self.next)..self.byte(until)
    }

    /// Reads on and encodes. Waits for the disk, and takes a hundredth of the time that it sounds.
    pub(super) fn read(
        &mut self,
        part: &Part,
        grows: bool,
        file: &PartFile,
        extents: &[Extent],
    ) -> io::Result<BlocksRead> {
        let mut wanted = self.bytes(part, grows);
        let transcoder = match &mut self.transcoder {
            Some(transcoder) => transcoder,
            none => none.insert(Transcoder::new(&Source::Pcm(self.head)).map_err(io::Error::other)?),
        };
        let mut out = Vec::new();
        let mut damaged = None;
        if !self.good.contains(&wanted.start)
            && let Some(extent) = extents.iter().find(|extent| extent.range().contains(&wanted.start))
        {
            let bytes = file.read(extent.begin, extent.bytes)?;
            if (bytes.len() as u64) < extent.bytes {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before what was durable in it"));
            }
            if extent.holds(&bytes) {
                self.good = extent.range();
            } else {
                damaged = Some(extent.range());
            }
        }
        if damaged.is_some() {
            transcoder.finish(&mut out);
        } else if wanted.is_empty() {
            self.ended = !grows;
            transcoder.finish(&mut out);
        } else {
            if self.good.contains(&wanted.start) {
                wanted.end = wanted.end.min(self.good.end);
            }
            let bytes = file.read(wanted.start, wanted.end - wanted.start)?;
            let frames = bytes.len() / self.head.frame_bytes();
            if frames == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before what was durable in it"));
            }
            let mut data = bytes::Bytes::from(bytes);
            data.truncate(frames * self.head.frame_bytes());
            let packet = SourcePacket { time: self.head.ticks(self.next), duration: Ticks::ZERO, data, heard: None };
            transcoder.push(packet, &mut out).map_err(io::Error::other)?;
            self.next += frames as u64;
        }
        let blocks = out.into_iter().filter_map(|block| self.place(part, block)).collect();
        if let Some(damaged) = &damaged {
            self.pass(damaged.end);
        }
        Ok(BlocksRead { blocks, damaged })
    }

    /// Gives a block its place.
    fn place(&mut self, part: &Part, block: SourcePacket) -> Option<(Sequence, SourcePacket)> {
        let begin = self.given;
        self.given += (block.data.len() / self.head.frame_bytes()) as u64;
        if self.given <= self.from {
            return None;
        }
        let time = self.head.ticks(begin);
        let duration = self.head.ticks(self.given).saturating_sub(time);
        Some((part.first.after(self.head.block_at(begin)), SourcePacket { time, duration, ..block }))
    }

    /// Goes on behind this byte of the file.
    fn pass(&mut self, byte: u64) {
        let frame = byte.saturating_sub(data_offset(self.head)).div_ceil(self.head.frame_bytes() as u64);
        let even = self.head.even_block();
        let mut block = self.head.block_at(frame) / even * even;
        while self.head.block_begin(block) < frame {
            block += even;
        }
        (self.next, self.given) = (self.head.block_begin(block), self.head.block_begin(block));
        self.transcoder = None;
    }

    /// The frames of a part.
    fn frames(&self, part: &Part) -> u64 {
        part.bytes.saturating_sub(data_offset(self.head)) / self.head.frame_bytes() as u64
    }

    /// Those of its whole blocks.
    fn whole(&self, part: &Part) -> u64 {
        let frames = self.frames(part);
        let nearest = self.head.block_begin(self.head.block_at(frames));
        if nearest <= frames { nearest } else { self.head.block_begin(self.head.block_at(frames).saturating_sub(1)) }
    }

    /// Where a frame is in the file.
    const fn byte(&self, frame: u64) -> u64 {
        data_offset(self.head).saturating_add(frame.saturating_mul(self.head.frame_bytes() as u64))
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").field("head", &self.head).field("next", &self.next).finish_non_exhaustive()
    }
}
