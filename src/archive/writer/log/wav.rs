//! Plain samples that become a WAV file: appended as they came, under a header that is right again after each round.
//!
//! Silence waits as a length, and is written a piece at a time: a gap of a minute costs no memory.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, Bytes};

use crate::archive::extents::{Extents, Sum};
use crate::archive::store::{Handle, Store};
use crate::container::wav;
use crate::media::pcm;
use crate::media::time::Ticks;

use super::{Piece, Unfit};

/// How many bytes of silence are written at a time; whole frames of every kind.
const SILENCE: usize = 48 * 1024;

/// The most bytes of samples in a file: what a header of 32 bits can count. The hub begins another part long before, so that
/// what it has announced by then, a gap of a minute at most, still fits.
const MOST_DATA: u64 = u32::MAX as u64 - 4096;

/// Samples, written and not written.
#[derive(Debug)]
pub(in crate::archive) struct Wav {
    head: pcm::Head,
    open: bool,
    /// What is not written yet.
    waiting: VecDeque<Waiting>,
    /// Frames pushed, written or not.
    frames: u64,
    /// How long they should be by what was told: each packet's length and each gap's. Silence makes up the difference, which is
    /// less than a frame from then on.
    count: Ticks,
    /// Bytes of samples written.
    written: u64,
    /// Whether there is a header in the file.
    headed: bool,
    extents: Extents,
    /// Of all samples written since it was begun: what a spool has in place of extents.
    sum: Sum,
    durable: Durable,
}

/// How far the index knows a file.
#[derive(Clone, Debug)]
struct Durable {
    /// Bytes of samples.
    written: u64,
    count: Ticks,
    headed: bool,
    sum: Sum,
}

/// Whole frames.
#[derive(Debug)]
enum Waiting {
    Sound(Vec<u8>),
    /// So many bytes.
    Silence(u64),
}

impl Wav {
    /// A file that is not there yet.
    pub fn begin(head: pcm::Head) -> Self {
        Self { headed: false, ..Self::resume(head, 0) }
    }

    /// A file that has so many bytes of samples, whole frames.
    pub fn resume(head: pcm::Head, data_bytes: u64) -> Self {
        let frames = data_bytes / head.frame_bytes() as u64;
        Self {
            head,
            open: true,
            waiting: VecDeque::new(),
            frames,
            count: head.ticks(frames),
            written: data_bytes,
            headed: true,
            extents: Extents::begin(wav::data_offset(head) + data_bytes, head.frame_bytes() as u64),
            sum: Sum::new(),
            durable: Durable { written: 0, count: Ticks::ZERO, headed: false, sum: Sum::new() },
        }
    }

    /// Appends whole frames, which sound so long.
    pub fn push(&mut self, block: &[u8], duration: Ticks) -> Result<(), Unfit> {
        if !block.len().is_multiple_of(self.head.frame_bytes()) {
            return Err(Unfit);
        }
        self.add((block.len() / self.head.frame_bytes()) as u64)?;
        self.count = self.count.saturating_add(duration);
        match self.waiting.back_mut() {
            Some(Waiting::Sound(bytes)) => bytes.extend_from_slice(block),
            _ => self.waiting.push_back(Waiting::Sound(block.to_vec())),
        }
        Ok(())
    }

    /// Appends silence, so that all of it is as long as was told by then.
    pub fn push_silence(&mut self, length: Ticks) -> Result<(), Unfit> {
        let count = self.count.saturating_add(length);
        let frames = self.head.frames(count).saturating_sub(self.frames);
        self.add(frames)?;
        self.count = count;
        self.waiting.push_back(Waiting::Silence(frames * self.head.frame_bytes() as u64));
        Ok(())
    }

    /// Counts frames in, where they fit.
    fn add(&mut self, frames: u64) -> Result<(), Unfit> {
        let sum = self.frames.saturating_add(frames);
        if sum.saturating_mul(self.head.frame_bytes() as u64) > MOST_DATA {
            return Err(Unfit);
        }
        self.frames = sum;
        Ok(())
    }

    /// The samples of this file, as far as they are durable.
    pub(super) fn read(&self, file: Vec<u8>) -> Option<Vec<Piece>> {
        if file.is_empty() {
            return Some(Vec::new());
        }
        let mut data = Bytes::from(file);
        if data.len() as u64 != self.durable_bytes() {
            return None;
        }
        data.advance(offset(self.head).min(data.len()));
        Some(vec![Piece::Sound { data, duration: self.durable.count }])
    }

    /// The index says all of it.
    pub fn indexed(&mut self) {
        let sum = self.sum.clone();
        self.durable = Durable { written: self.written, count: self.count, headed: self.headed, sum };
        self.extents.indexed();
    }

    /// Forgets what the index does not say.
    pub fn rewind(&mut self) {
        let durable = self.durable.clone();
        let Durable { written, count, headed, sum } = durable.clone();
        *self = Self { count, headed, sum, durable, ..Self::resume(self.head, written) };
    }

    /// Cuts the file where it ends by now, and makes its header right.
    pub fn cut(&self, store: &mut dyn Store, handle: &mut Handle) -> io::Result<()> {
        store.truncate(handle, self.bytes())?;
        if self.headed { store.overwrite(handle, 0, &wav::header_for(self.head, self.written)) } else { Ok(()) }
    }

    pub const fn durable_bytes(&self) -> u64 {
        if self.durable.headed { wav::data_offset(self.head) + self.durable.written } else { 0 }
    }

    /// Bytes that are to be written.
    pub fn waiting(&self) -> u64 {
        let header = if self.headed { 0 } else { wav::data_offset(self.head) };
        let bytes = |waiting: &Waiting| match waiting {
            Waiting::Sound(bytes) => bytes.len() as u64,
            Waiting::Silence(bytes) => *bytes,
        };
        header + self.waiting.iter().map(bytes).sum::<u64>()
    }

    pub fn end(&mut self) {
        self.open = false;
    }

    pub const fn open(&self) -> bool {
        self.open
    }

    /// Counted from all frames.
    pub fn length(&self) -> Ticks {
        self.head.ticks(self.frames)
    }

    /// Bytes written, the header's and the samples'.
    pub const fn bytes(&self) -> u64 {
        if self.headed { wav::data_offset(self.head) + self.written } else { 0 }
    }

    /// CRC-32 of all samples written.
    pub fn crc(&self) -> u32 {
        self.sum.crc()
    }

    pub const fn extents(&self) -> &Extents {
        &self.extents
    }

    /// Appends what waits, then makes the header right; says whether there was anything to do. Between the two the header says
    /// less than there is.
    pub fn write(&mut self, store: &mut dyn Store, handle: &mut Handle) -> io::Result<bool> {
        let begins = !self.headed;
        if begins {
            store.append(handle, &wav::header_for(self.head, 0))?;
            self.headed = true;
        }
        let before = self.written;
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting {
                Waiting::Sound(bytes) => self.append(store, handle, &bytes)?,
                Waiting::Silence(bytes) => {
                    let silence = [0; SILENCE];
                    let mut left = bytes;
                    while left > 0 {
                        let piece = &silence[..usize::try_from(left).unwrap_or(SILENCE).min(SILENCE)];
                        self.append(store, handle, piece)?;
                        left -= piece.len() as u64;
                    }
                }
            }
        }
        if self.written > before {
            store.overwrite(handle, 0, &wav::header_for(self.head, self.written))?;
        }
        Ok(begins || self.written > before)
    }

    fn append(&mut self, store: &mut dyn Store, handle: &mut Handle, bytes: &[u8]) -> io::Result<()> {
        store.append(handle, bytes)?;
        self.written += bytes.len() as u64;
        self.extents.push(bytes);
        self.sum.push(bytes);
        Ok(())
    }
}

/// Where samples begin in a file.
fn offset(head: pcm::Head) -> usize {
    usize::try_from(wav::data_offset(head)).unwrap_or(usize::MAX)
}
