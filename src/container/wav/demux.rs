//! The demuxer: elements up to the samples, the samples as they stream in, and elements behind them.

use bytes::Bytes;

use super::error::{Error, Limit, Malformed, Name, Unsupported};
use super::format::{Format, Wrong, too_short};
use crate::container::blocks::Blocks;
use crate::container::input::Input;
use crate::container::steps::{Step, Steps};
use crate::container::stream::Event;
use crate::media::source::Source;

/// The longest element that describes the samples (`fmt `, `ds64`), in bytes.
pub const DESCRIBED_LIMIT: u64 = 1024;

/// The most bytes before the samples, and between them and the next header, what is passed over included.
pub const PASSED_LIMIT: u64 = 16 * 1024 * 1024;

/// A size that is not known, or stands in `ds64`.
const UNKNOWN: u32 = u32::MAX;

/// Reads one WAV stream, however it is cut, into packets of 20 ms; the last of its samples may be shorter.
///
/// A size of 0 or of all ones says that samples follow up to the end of the stream. Behind samples of a known size another
/// stream may begin, with a header of its own. The size that the header itself states is not needed, and often wrong: it is
/// not read. A byte of padding is passed over where it is zero, as it has to be; some writers leave it out.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, at most [`DESCRIBED_LIMIT`] bytes and the header of an element, or
/// less than one block (30,720 bytes) are held. A push adds its own length. What is passed over is never held.
#[derive(Debug)]
pub struct Demuxer {
    input: Input,
    state: State,
    /// Bytes since the last packet that were not samples.
    passed: u64,
    failed: Option<Error>,
}

/// Where the demuxer stands.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the header of a stream.
    Header,
    /// Among elements that are not samples.
    Elements(Elements),
    /// In the samples.
    Samples(Samples),
}

/// What the elements have said so far.
#[derive(Clone, Copy, Debug, Default)]
struct Elements {
    format: Option<Format>,
    /// Bytes of samples, where `ds64` has told.
    long_size: Option<u64>,
    /// A byte of padding may come.
    padded: bool,
    /// The samples have been.
    behind: bool,
}

/// Samples that are being read.
#[derive(Clone, Copy, Debug)]
struct Samples {
    format: Format,
    blocks: Blocks,
    /// Bytes that are left of them, more than none, where that is known.
    left: Option<u64>,
    /// A byte of padding may come behind them.
    padded: bool,
}

/// The name and the size of an element, and where it begins.
#[derive(Clone, Copy)]
struct Element {
    offset: u64,
    name: Name,
    size: u32,
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
        Self { input: Input::default(), state: State::Header, passed: 0, failed: None }
    }

    /// Reads a stream's header.
    fn header(&mut self) -> Result<Step, Error> {
        let &[n0, n1, n2, n3, s0, s1, s2, s3, f0, f1, f2, f3, ..] = self.input.bytes() else {
            return Ok(Step::NeedsMore);
        };
        let (name, form) = (Name([n0, n1, n2, n3]), Name([f0, f1, f2, f3]));
        let header = Element { offset: self.input.offset(), name, size: u32::from_le_bytes([s0, s1, s2, s3]) };
        match (&name.0, &form.0) {
            (b"RIFX", _) => return Err(header.unsupported(Unsupported::BigEndian)),
            (name, b"WAVE") if begins_stream(*name) => {}
            (name, _) if begins_stream(*name) => return Err(header.unsupported(Unsupported::Form(form))),
            _ => return Err(header.malformed(Malformed::NoHeader)),
        }
        self.pass(12, header)?;
        self.input.consume(12);
        self.state = State::Elements(Elements::default());
        Ok(Step::Done)
    }

    /// Reads an element before or behind the samples, or enters these.
    fn elements(&mut self, mut elements: Elements) -> Result<Step, Error> {
        let Some(element) = self.element(elements.padded) else { return Ok(Step::NeedsMore) };
        match &element.name.0 {
            name if begins_stream(*name) => self.state = State::Header,
            b"fmt " | b"ds64" if !elements.behind => {
                if u64::from(element.size) > DESCRIBED_LIMIT {
                    return Err(element.limit(Limit::Described, element.size.into(), DESCRIBED_LIMIT));
                }
                let size = usize::try_from(element.size).expect("at most 1024");
                let Some(body) = self.input.bytes().get(8..8 + size) else { return Ok(Step::NeedsMore) };
                if element.name.0 == *b"fmt " {
                    elements.format = Some(Format::read(body).map_err(|wrong| element.wrong(wrong))?);
                } else {
                    elements.long_size = Some(long_size(body).map_err(|wrong| element.wrong(wrong))?);
                }
                self.pass(8 + u64::from(element.size), element)?;
                self.input.consume(8 + size);
                self.state = State::Elements(Elements { padded: element.padded(), ..elements });
            }
            b"data" if elements.behind => return Err(element.malformed(Malformed::SecondData)),
            b"data" => {
                let format = elements.format.ok_or_else(|| element.malformed(Malformed::NoFormat))?;
                let size = match element.size {
                    UNKNOWN => elements.long_size.unwrap_or(0),
                    size => size.into(),
                };
                let left = Some(size).filter(|size| ![0, u64::MAX].contains(size));
                self.pass(8, element)?;
                self.input.consume(8);
                let blocks = Blocks::new(format.head);
                self.state = State::Samples(Samples { format, blocks, left, padded: size % 2 == 1 });
                return Ok(Step::Event(Event::Head(Source::Pcm(format.head))));
            }
            _ if !element.name.is_one() => return Err(element.malformed(Malformed::NoName)),
            _ => {
                self.pass(8 + u64::from(element.size), element)?;
                self.input.consume(8);
                self.input.pass_over(element.size.into());
                self.state = State::Elements(Elements { padded: element.padded(), ..elements });
            }
        }
        Ok(Step::Done)
    }

    /// The element that begins here, behind a byte of padding where one may come.
    fn element(&mut self, padded: bool) -> Option<Element> {
        let padding = usize::from(padded && self.input.bytes().first() == Some(&0));
        let &[n0, n1, n2, n3, s0, s1, s2, s3, ..] = &self.input.bytes()[padding..] else { return None };
        self.input.consume(padding);
        let size = u32::from_le_bytes([s0, s1, s2, s3]);
        Some(Element { offset: self.input.offset(), name: Name([n0, n1, n2, n3]), size })
    }

    /// Counts what is not samples.
    fn pass(&mut self, bytes: u64, element: Element) -> Result<(), Error> {
        self.passed += bytes;
        if self.passed > PASSED_LIMIT {
            return Err(element.limit(Limit::PassedOver, self.passed, PASSED_LIMIT));
        }
        Ok(())
    }

    /// Reads a block of samples, shorter where they end.
    fn samples(&mut self, mut samples: Samples) -> Step {
        let format = samples.format;
        let left = samples.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let there = self.input.bytes();
        let there = &there[..there.len().min(left)];
        let block = samples.blocks.next_frames() * format.frame_bytes();
        let bytes = match there.len() {
            length if length >= block => block,
            length if length == left || self.input.is_finished() => length,
            _ => return Step::NeedsMore,
        };
        // What is left of a frame at the end is no sound.
        let data = Bytes::from(format.kept(&there[..bytes - bytes % format.frame_bytes()]));
        self.input.consume(bytes);
        samples.left = samples.left.map(|left| left - bytes as u64);
        let packet = (!data.is_empty()).then(|| samples.blocks.packet(data));
        self.state = if samples.left == Some(0) {
            State::Elements(Elements { padded: samples.padded, behind: true, ..Elements::default() })
        } else {
            State::Samples(samples)
        };
        match packet {
            Some(packet) => {
                self.passed = 0;
                Step::Event(Event::Packet(packet))
            }
            None if bytes == 0 => Step::NeedsMore,
            None => Step::Done,
        }
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
        match self.state {
            State::Header => self.header(),
            State::Elements(elements) => self.elements(elements),
            State::Samples(samples) => Ok(self.samples(samples)),
        }
    }
}

impl Element {
    const fn padded(self) -> bool {
        self.size % 2 == 1
    }

    const fn malformed(self, what: Malformed) -> Error {
        Error::Malformed { offset: self.offset, element: self.name, what }
    }

    const fn unsupported(self, what: Unsupported) -> Error {
        Error::Unsupported { offset: self.offset, element: self.name, what }
    }

    const fn limit(self, what: Limit, size: u64, limit: u64) -> Error {
        Error::Limit { offset: self.offset, element: self.name, what, size, limit }
    }

    fn wrong(self, wrong: Wrong) -> Error {
        match wrong {
            Wrong::Malformed(what) => self.malformed(what),
            Wrong::Unsupported(what) => self.unsupported(what),
        }
    }
}

/// Whether a stream's header is named so (EBU Tech 3306 §3, ITU-R BS.2088), or is a big-endian one, to be refused.
const fn begins_stream(name: [u8; 4]) -> bool {
    matches!(&name, b"RIFF" | b"RF64" | b"BW64" | b"RIFX")
}

/// The bytes of samples that `ds64` tells, behind those of the file (EBU Tech 3306 §3.2).
fn long_size(body: &[u8]) -> Result<u64, Wrong> {
    body.get(8..16).and_then(|size| size.try_into().ok()).map(u64::from_le_bytes).ok_or_else(|| too_short(body, 16))
}
