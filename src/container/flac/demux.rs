//! The demuxer: metadata blocks, which say how long they are, and frames, which do not.

use std::fmt;

use bytes::Bytes;
use crc::{CRC_16_UMTS, Crc, Digest, Table};

use super::error::{Element, Error, Malformed};
use super::header::{FrameHeader, MARKER, StreamInfo};
use crate::container::counter::Counter;
use crate::container::input::Input;
use crate::container::steps::{Step, Steps};
use crate::container::stream::Event;
use crate::media::source::{Codec, Coded, Source};

/// The most bytes before the first frame and between one stream's last and the next's first, what is passed over included: a picture has up to 16 MiB.
pub const METADATA_LIMIT: u64 = 17 * 1024 * 1024;

/// CRC-16 of a whole frame (RFC 9639 §9.3): polynomial 0x8005, from 0. Of a frame with its checksum behind it, it is 0.
static CRC_16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_UMTS);

/// Reads one FLAC stream, however it is cut; a packet is a frame, and its time is counted.
///
/// A frame does not say how long it is. It ends where the header of another begins, which has a checksum and fits STREAMINFO,
/// or another stream does, and the frame's own checksum agrees. So each frame waits for the first bytes of the next.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, at most the longest frame that an encoder makes of what STREAMINFO
/// says ([`StreamInfo::longest_frame`]) and the header of another are held: 410 KB for 2 channels of 24 bits, 65,535 to a
/// frame, and 38 KB for what encoders do with 48 kHz. A push adds its own length. Metadata is never held but for STREAMINFO.
#[derive(Debug)]
pub struct Demuxer {
    input: Input,
    state: State,
    /// Bytes since the last frame, of markers and metadata.
    passed: u64,
    failed: Option<Error>,
}

/// Where the demuxer stands.
#[derive(Debug)]
enum State {
    /// Before the marker.
    Marker,
    /// Before a metadata block; what STREAMINFO said.
    Metadata(Option<Stream>),
    /// Among frames.
    Frames { stream: Stream, search: Search },
}

/// What is known of a stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    info: StreamInfo,
    counter: Counter,
}

/// How far the end of a frame has been looked for.
#[derive(Clone)]
struct Search {
    /// Bytes of the frame that are known to go before its end, its header among them; 0 where that is not read yet.
    at: usize,
    /// The checksum of those.
    digest: Digest<'static, u16, Table<16>>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Default for Search {
    fn default() -> Self {
        Self { at: 0, digest: CRC_16.digest() }
    }
}

/// What stands behind a frame that may end here.
enum Behind {
    /// Something else: it goes on.
    Nothing,
    /// The header of another, or another stream.
    Another,
    /// The first bytes of either.
    Unclear,
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
        Self { input: Input::default(), state: State::Marker, passed: 0, failed: None }
    }

    /// Reads the marker.
    fn marker(&mut self) -> Result<Step, Error> {
        let Some(marker) = self.input.bytes().first_chunk::<4>() else { return Ok(Step::NeedsMore) };
        if marker != MARKER {
            return Err(self.malformed(Element::Marker, Malformed::NoMarker));
        }
        self.pass(4, Element::Marker)?;
        self.input.consume(4);
        self.state = State::Metadata(None);
        Ok(Step::Done)
    }

    /// Reads STREAMINFO, or passes over another metadata block.
    fn metadata(&mut self, stream: Option<Stream>) -> Result<Step, Error> {
        let &[first, l0, l1, l2, ..] = self.input.bytes() else { return Ok(Step::NeedsMore) };
        let (last, kind, length) = (first >> 7 == 1, first & 0x7F, u32::from_be_bytes([0, l0, l1, l2]));
        let element = Element::Metadata(kind);
        match (kind, &stream) {
            (0x7F, _) => Err(self.malformed(element, Malformed::Type)),
            (0, None) => {
                if length != 34 {
                    return Err(self.malformed(element, Malformed::StreamInfo));
                }
                let Some(body) = self.input.bytes()[4..].first_chunk::<{ StreamInfo::BYTES }>() else {
                    return Ok(Step::NeedsMore);
                };
                let private = Bytes::copy_from_slice(body);
                let info = StreamInfo::read(body).ok_or_else(|| self.malformed(element, Malformed::StreamInfo))?;
                let offset = self.input.offset();
                let head = info.head().map_err(|what| Error::Unsupported { offset, what })?;
                self.pass(38, element)?;
                self.input.consume(4 + StreamInfo::BYTES);
                self.state = Self::behind(last, Stream { info, counter: Counter::new(head) });
                let (rate, channels) = (head.rate(), head.channels());
                let coded = Coded { codec: Codec::Flac, rate, channels, private };
                Ok(Step::Event(Event::Head(Source::Coded(coded))))
            }
            (0, Some(_)) | (_, None) => Err(self.malformed(element, Malformed::NoStreamInfo)),
            (_, Some(stream)) => {
                self.pass(4 + u64::from(length), element)?;
                self.input.consume(4);
                self.input.pass_over(length.into());
                self.state = Self::behind(last, *stream);
                Ok(Step::Done)
            }
        }
    }

    /// Counts what is no frame.
    fn pass(&mut self, bytes: u64, element: Element) -> Result<(), Error> {
        self.passed += bytes;
        if self.passed > METADATA_LIMIT {
            return Err(Error::Limit { offset: self.input.offset(), element });
        }
        Ok(())
    }

    /// The state behind a metadata block.
    fn behind(last: bool, stream: Stream) -> State {
        if last { State::Frames { stream, search: Search::default() } } else { State::Metadata(Some(stream)) }
    }

    /// Looks for the end of the frame that begins here.
    fn frame(&mut self) -> Result<Step, Error> {
        let State::Frames { stream, search } = &mut self.state else { return Ok(Step::Done) };
        let bytes = self.input.bytes();
        if bytes.starts_with(MARKER) {
            self.state = State::Marker;
            return Ok(Step::Done);
        }
        let header = match FrameHeader::read(bytes) {
            Ok(Some(header)) if header.fits(&stream.info) => header,
            Ok(None) => return Ok(Step::NeedsMore),
            Err(_) if MARKER.starts_with(bytes) => return Ok(Step::NeedsMore),
            _ => return Err(self.malformed(Element::Frame, Malformed::NoFrame)),
        };
        let most = stream.info.longest_frame();
        let Some(end) = search.end(bytes, header.bytes, most, &stream.info, self.input.is_finished()) else {
            if search.at > most {
                return Err(self.malformed(Element::Frame, Malformed::NoEnd(most)));
            }
            return Ok(Step::NeedsMore);
        };
        let data = Bytes::copy_from_slice(&bytes[..end]);
        *search = Search::default();
        let packet = stream.counter.packet(header.frames.into(), data);
        self.input.consume(end);
        self.passed = 0;
        Ok(Step::Event(Event::Packet(packet)))
    }

    fn malformed(&self, element: Element, what: Malformed) -> Error {
        Error::Malformed { offset: self.input.offset(), element, what }
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
        match &self.state {
            State::Marker => self.marker(),
            &State::Metadata(stream) => self.metadata(stream),
            State::Frames { .. } => self.frame(),
        }
    }
}

impl Search {
    /// The end of the frame that `bytes` begin with, where it is found; else how far it was looked for is known, more than
    /// `most` where there is none.
    fn end(&mut self, bytes: &[u8], header: usize, most: usize, info: &StreamInfo, finished: bool) -> Option<usize> {
        self.go_to(bytes, self.at.max(header));
        loop {
            let begins = |byte: &u8| matches!(byte, 0xFF | b'f');
            let Some(next) = bytes[self.at..].iter().take(most + 1 - self.at).position(begins) else {
                self.go_to(bytes, bytes.len().min(most + 1));
                return (finished && self.at <= most && self.agrees()).then_some(self.at);
            };
            self.go_to(bytes, self.at + next);
            if self.at > most {
                return None;
            }
            if self.agrees() {
                match behind(&bytes[self.at..], info) {
                    Behind::Another => return Some(self.at),
                    Behind::Unclear if finished => return Some(self.at),
                    Behind::Unclear => return None,
                    Behind::Nothing => {}
                }
            }
            self.go_to(bytes, self.at + 1);
        }
    }

    fn go_to(&mut self, bytes: &[u8], at: usize) {
        self.digest.update(&bytes[self.at..at]);
        self.at = at;
    }

    /// Whether the last two bytes are the checksum of those before.
    fn agrees(&self) -> bool {
        self.digest.clone().finalize() == 0
    }
}

/// What stands behind a frame, if it ends here.
fn behind(bytes: &[u8], info: &StreamInfo) -> Behind {
    match FrameHeader::read(bytes) {
        Ok(Some(header)) if header.fits(info) => Behind::Another,
        Ok(None) => Behind::Unclear,
        _ if bytes.starts_with(MARKER) => Behind::Another,
        _ if MARKER.starts_with(bytes) => Behind::Unclear,
        _ => Behind::Nothing,
    }
}
