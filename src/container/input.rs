//! The bytes of a stream that have come and are not done with.
//!
//! What belongs here: the buffer of a push demuxer, and where in the stream it stands. What does not: what the bytes mean.

/// A buffer that is filled at its end and read from its start.
#[derive(Debug, Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    /// Where in `buffer` the bytes begin that are not done with.
    from: usize,
    /// The offset of those in the stream.
    offset: u64,
    /// Bytes to pass over first.
    to_skip: u64,
    /// No more bytes will come.
    finished: bool,
}

impl Input {
    /// Capacity that is kept for the next push.
    const KEPT: usize = 64 * 1024;

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes will come.
    pub const fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether no more bytes will come.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// The bytes that are there.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.from..]
    }

    /// The offset of the first of them in the stream.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Is done with bytes that are there.
    pub fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.bytes().len(), "only what is there can be done with");
        self.from += bytes;
        self.offset += bytes as u64;
    }

    /// Begins to pass over bytes, which need not be there.
    pub const fn pass_over(&mut self, bytes: u64) {
        self.to_skip = bytes;
    }

    /// Passes over what is to be; false where more bytes must come for it.
    pub fn skip(&mut self) -> bool {
        let there = usize::try_from(self.to_skip).unwrap_or(usize::MAX).min(self.bytes().len());
        self.consume(there);
        self.to_skip -= there as u64;
        self.to_skip == 0
    }

    /// Gives back the room of what is done with.
    pub fn compact(&mut self) {
        self.buffer.drain(..self.from);
        self.from = 0;
        if self.buffer.capacity() > Self::KEPT {
            self.buffer.shrink_to(Self::KEPT);
        }
    }
}
