//! The bytes of a stream that wait to be read.
//!
//! What belongs here: a buffer that knows its place in the stream, and passes over bytes without holding them. What does
//! not: what the bytes are.

/// The bytes that have come and are not done with.
#[derive(Debug, Default)]
pub(in crate::container) struct Input {
    buffer: Vec<u8>,
    /// Where in `buffer` the bytes begin that are not done with.
    from: usize,
    /// The offset of those in the stream.
    pub offset: u64,
    /// Bytes to pass over first.
    pub to_skip: u64,
}

impl Input {
    /// Capacity that is kept for the next push.
    const KEPT: usize = 64 * 1024;

    /// Takes bytes that come next.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What there is.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.from..]
    }

    /// Is done with bytes that are there.
    pub fn consume(&mut self, bytes: usize) {
        self.from += bytes;
        self.offset += bytes as u64;
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
