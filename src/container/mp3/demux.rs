//! The demuxer: frames and tags, and what is neither.

use bytes::Bytes;

use super::error::{Element, Error, Malformed};
use super::header::{Header, Kind, Read};
use super::tag::{self, Tag};
use crate::container::input::Input;
use crate::container::stream::{self, Demux, Event};
use crate::media::packet::SourcePacket;
use crate::media::pcm::{Head, Sample};
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
    /// What was last told.
    kind: Option<Kind>,
    /// A frame is expected here: the last one ended, or a tag did.
    expected: bool,
    /// Frames of sound since the last head.
    frames: u64,
    /// Where the bytes begin that are neither frames nor tags, where such go before this.
    garbage_from: Option<u64>,
    /// Bytes since the last packet that are neither frames nor tags.
    garbage: u64,
    /// Bytes since the last packet, of tags and of frames without sound.
    passed: u64,
    /// No more bytes will come.
    finished: bool,
    failed: Option<Error>,
}

/// How far a step came.
enum Step {
    /// To something that is told.
    Event(Event),
    /// Past something that is not.
    Done,
    /// Nowhere, until more bytes come.
    NeedsMore,
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
            frames: 0,
            garbage_from: None,
            garbage: 0,
            passed: 0,
            finished: false,
            failed: None,
        }
    }

    fn step(&mut self) -> Result<Step, Error> {
        if !self.input.skip() {
            return Ok(Step::NeedsMore);
        }
        let bytes = self.input.bytes();
        match tag::read(bytes) {
            Tag::Whole(length) => {
                self.pass(length, Element::Tag)?;
                self.input.pass_over(length);
                self.garbage_from = None;
                return Ok(Step::Done);
            }
            Tag::Unclear if !self.finished => return Ok(Step::NeedsMore),
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
        let goes_on = self.kind == Some(header.kind);
        if !(goes_on && self.expected) {
            match self.is_followed(header.kind, behind) {
                None => return Ok(Step::NeedsMore),
                Some(false) => return self.garbage(),
                Some(true) => self.expected = true,
            }
        }
        if !goes_on {
            return Ok(self.begin(header.kind));
        }
        if header.is_table(frame) {
            self.pass(header.length as u64, Element::Frame)?;
            self.input.consume(header.length);
            return Ok(Step::Done);
        }
        let data = Bytes::copy_from_slice(frame);
        self.input.consume(header.length);
        (self.passed, self.garbage, self.garbage_from) = (0, 0, None);
        let head = sound(header.kind);
        let time = head.ticks(self.frames);
        self.frames += header.kind.frames();
        let duration = head.ticks(self.frames).saturating_sub(time);
        Ok(Step::Event(Event::Packet(SourcePacket { time, duration, data, heard: None })))
    }

    /// Whether a frame that may be one is followed by another of its kind, by a tag, or by the end of the stream; `None` where
    /// more bytes must come to tell.
    fn is_followed(&self, kind: Kind, behind: &[u8]) -> Option<bool> {
        match tag::read(behind) {
            Tag::Whole(_) => return Some(true),
            Tag::Unclear if !self.finished => return None,
            Tag::Unclear | Tag::Nothing => {}
        }
        match behind.first_chunk() {
            Some(&start) => Some(matches!(Header::read(start), Read::Header(next) if next.kind == kind)),
            None if self.finished => Some(behind.is_empty()),
            None => None,
        }
    }

    /// Begins a stream of this kind, with times of its own.
    fn begin(&mut self, kind: Kind) -> Step {
        self.kind = Some(kind);
        self.frames = 0;
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

/// The frames of sound of a kind of stream, to count them.
fn sound(kind: Kind) -> Head {
    let head = Head::new(Sample::S16, kind.rate, kind.channels.into());
    head.expect("layer III has rates from 8 to 48 kHz, and 1 or 2 channels")
}

impl Demux for Demuxer {
    fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.input.push(bytes);
        }
    }

    fn pull(&mut self) -> Result<Option<Event>, stream::Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        loop {
            match self.step() {
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::Done) => {}
                Ok(Step::NeedsMore) => {
                    self.input.compact();
                    return Ok(None);
                }
                Err(error) => {
                    self.input = Input::default();
                    self.failed = Some(error.clone());
                    return Err(error.into());
                }
            }
        }
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn held(&self) -> usize {
        self.input.bytes().len()
    }
}
