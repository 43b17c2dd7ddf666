//! The demuxer: frames and tags, and what is neither.

use bytes::Bytes;

use super::error::{Element, Error, Malformed};
use super::header::{Header, Kind, Read};
use super::tag::{self, Tag};
use crate::container::counter::Counter;
use crate::container::input::Input;
use crate::container::steps::{Step, Steps};
use crate::container::stream::Event;
use crate::media::source::{Codec, Coded, Source};

/// The most bytes between two frames that are neither frames nor tags.
pub const GARBAGE_LIMIT: u64 = 64 * 1024;

/// The most bytes between two frames that are tags, of which pictures are large, or frames without sound.
pub const PASSED_LIMIT: u64 = 16 * 1024 * 1024;

/// Reads one MP3 stream, however it is cut; a packet is a frame with its header, and its time is counted.
///
/// A stream may be joined anywhere, and may be several files one after another. Where a frame is expected, its header is
/// enough. Anywhere else, and where rate or channels change, a frame is only believed once another of its kind, or a tag,
/// begins where it ends: four bytes that look like a header are found in any sound.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, at most one frame (1441 bytes) and the start of a tag (32 bytes) are
/// held. A push adds its own length. Tags are never held.
#[derive(Debug)]
pub struct Demuxer {
    input: Input,
    /// What was last told, and its sound so far.
    kind: Option<(Kind, Counter)>,
    /// A frame is expected here: the last one ended, or a tag did.
    expected: bool,
    /// Where the bytes begin that are neither frames nor tags, where such go before this.
    garbage_from: Option<u64>,
    /// Bytes since the last packet that are neither frames nor tags.
    garbage: u64,
    /// Bytes since the last packet, of tags and of frames without sound.
    passed: u64,
    failed: Option<Error>,
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new()
    }
}

impl Demuxer {
    /// A demuxer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            input: Input::default(),
            kind: None,
            expected: false,
            garbage_from: None,
            garbage: 0,
            passed: 0,
            failed: None,
        }
    }

    /// Whether a frame that may be one is followed by another of its kind, by a tag, or by the end of the stream; `None` where
    /// more bytes must come to tell.
    fn is_followed(&self, kind: Kind, behind: &[u8]) -> Option<bool> {
        match tag::read(behind) {
            Tag::Whole(_) => return Some(true),
            Tag::Unclear if !self.input.is_finished() => return None,
            Tag::Unclear | Tag::Nothing => {}
        }
        match behind.first_chunk() {
            Some(&start) => Some(matches!(Header::read(start), Read::Header(next) if next.kind == kind)),
            None if self.input.is_finished() => Some(behind.is_empty()),
            None => None,
        }
    }

    /// Begins a stream of this kind, with times of its own.
    fn begin(&mut self, kind: Kind) -> Step {
        self.kind = Some((kind, sound(kind)));
        let Kind { rate, channels, .. } = kind;
        Step::Event(Event::Head(Source::Coded(Coded { codec: Codec::Mp3, rate, channels, private: Bytes::new() })))
    }

    /// Passes over bytes that are neither a frame nor a tag, up to the next that may begin one.
    fn garbage(&mut self) -> Result<Step, Error> {
        self.expected = false;
        let from = *self.garbage_from.get_or_insert(self.input.offset());
        let begins = |byte: &u8| matches!(byte, 0xFF | b'I' | b'A' | b'T');
        let rest = &self.input.bytes()[1..];
        let bytes = 1 + rest.iter().position(begins).unwrap_or(rest.len());
        self.input.consume(bytes);
        self.garbage += bytes as u64;
        if self.garbage > GARBAGE_LIMIT {
            return Err(Error::Malformed { offset: from, what: Malformed::NoFrame });
        }
        Ok(Step::Done)
    }

    /// Counts what is no sound.
    fn pass(&mut self, bytes: u64, element: Element) -> Result<(), Error> {
        self.passed += bytes;
        if self.passed > PASSED_LIMIT {
            return Err(Error::Limit { offset: self.input.offset(), element });
        }
        Ok(())
    }
}

impl Steps for Demuxer {
    type Error = Error;

    fn input(&self) -> &Input {
        &self.input
    }

    fn end(&mut self) -> (&mut Input, &mut Option<Error>) {
        (&mut self.input, &mut self.failed)
    }

    fn step(&mut self) -> Result<Step, Error> {
        let bytes = self.input.bytes();
        match tag::read(bytes) {
            Tag::Whole(length) => {
                self.pass(length, Element::Tag)?;
                self.input.pass_over(length);
                self.garbage_from = None;
                return Ok(Step::Done);
            }
            Tag::Unclear if !self.input.is_finished() => return Ok(Step::NeedsMore),
            Tag::Unclear | Tag::Nothing => {}
        }
        let Some(&start) = bytes.first_chunk() else { return Ok(Step::NeedsMore) };
        let header = match Header::read(start) {
            Read::Header(header) => header,
            Read::Unsupported(what) if self.garbage_from.is_none() => {
                return Err(Error::Unsupported { offset: self.input.offset(), what });
            }
            Read::Unsupported(_) | Read::Nothing => return self.garbage(),
        };
        let Some((frame, behind)) = bytes.split_at_checked(header.length) else { return Ok(Step::NeedsMore) };
        let known = self.kind.filter(|(kind, _)| *kind == header.kind);
        if !(known.is_some() && self.expected) {
            match self.is_followed(header.kind, behind) {
                None => return Ok(Step::NeedsMore),
                Some(false) => return self.garbage(),
                Some(true) => self.expected = true,
            }
        }
        let Some((kind, mut counter)) = known else { return Ok(self.begin(header.kind)) };
        if header.is_table(frame) {
            self.pass(header.length as u64, Element::Frame)?;
            self.input.consume(header.length);
            return Ok(Step::Done);
        }
        let packet = counter.packet(kind.frames(), Bytes::copy_from_slice(frame));
        self.kind = Some((kind, counter));
        self.input.consume(header.length);
        (self.passed, self.garbage, self.garbage_from) = (0, 0, None);
        Ok(Step::Event(Event::Packet(packet)))
    }
}

/// The frames of sound of a kind of stream, to count them.
fn sound(kind: Kind) -> Counter {
    let counter = Counter::of(kind.rate, kind.channels.into());
    counter.expect("layer III has rates from 8 to 48 kHz, and 1 or 2 channels")
}
