//! The demuxer: from box to box, and through an `mdat` from sample to sample.

use std::collections::VecDeque;

use bytes::Bytes;

use super::boxes::{self, Header, Kind, Whole};
use super::error::{Error, Limit, Malformed, Unsupported};
use super::fragment::{self, Place, Sample};
use super::moov::{self, Movie, Track};
use crate::container::input::Input;
use crate::container::steps::{Step, Steps};
use crate::container::stream::{Event, Ignored};
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;

/// The longest `moov`, in bytes.
pub const MOOV_LIMIT: u64 = 64 * 1024;

/// The longest `moof`, in bytes.
pub const MOOF_LIMIT: u64 = 128 * 1024;

/// The longest sample of sound, in bytes. The longest Opus packet without padding has 61,298, the longest of AAC-LC 1536.
pub const SAMPLE_LIMIT: u64 = 64 * 1024;

/// The most bytes from a `ftyp` to the end of the `moov` after it, what is passed over included.
pub const HEAD_LIMIT: u64 = 1024 * 1024;

/// The most bytes that are passed over in one piece: a box that is not read, or another track's part of an `mdat`.
pub const SKIPPED_LIMIT: u64 = 16 * 1024 * 1024;

/// Demuxes one byte stream, however it is cut: push until empty, pull until none.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, at most one incomplete box or sample is held, and only of the
/// kinds that are collected: [`MOOV_LIMIT`], [`MOOF_LIMIT`] or [`SAMPLE_LIMIT`] bytes and its header; and where the samples
/// of one fragment lie, 24 bytes for each of at most [`MOST_SAMPLES`]. A push adds its own length. One packet at a time waits
/// to be pulled. What is passed over is never held.
///
/// [`MOST_SAMPLES`]: fragment::MOST_SAMPLES
#[derive(Debug)]
pub struct Demuxer {
    input: Input,
    /// The first byte of the file: its first `ftyp`.
    file: Option<u64>,
    /// Whether that file's `moov` has not come yet.
    in_head: bool,
    track: Option<Track>,
    /// What the last `moof` announced and has not come yet.
    samples: VecDeque<Sample>,
    /// When the next sample begins, in units of the timescale, where no fragment says.
    time: u64,
    /// The byte after the `mdat` that is open.
    data_end: Option<u64>,
    /// What was last said to be dropped.
    told: Option<Ignored>,
    events: VecDeque<Event>,
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
            file: None,
            in_head: false,
            track: None,
            samples: VecDeque::new(),
            time: 0,
            data_end: None,
            told: None,
            events: VecDeque::new(),
            failed: None,
        }
    }

    /// Reads a box once it is whole.
    fn collect(&mut self, header: Header, what: Limit, limit: u64) -> Result<Step, Error> {
        let offset = self.input.offset();
        let size = self.known_size(header, what, limit)?;
        let size = usize::try_from(size).expect("a collected box is at most 128 KiB");
        let Some(data) = self.input.bytes().get(header.length..header.length + size) else {
            return Ok(Step::NeedsMore);
        };
        let end = offset + (header.length + size) as u64;
        let whole = Whole { kind: header.kind, offset: offset + header.length as u64, data };
        match &mut self.track {
            Some(track) if what == Limit::Moof => {
                let place = Place { file: self.file.unwrap_or(0), start: offset, end };
                // What an earlier one announced and no mdat brought is no more: WebKit says the last one twice.
                self.samples = fragment::read(&whole, place, track, &mut self.time)?;
            }
            _ => {
                let movie = moov::read(&whole)?;
                self.begin(movie);
            }
        }
        self.input.consume(header.length + size);
        Ok(Step::Done)
    }

    /// A stream begins.
    fn begin(&mut self, Movie { track, source, ignored }: Movie) {
        (self.track, self.time, self.in_head) = (Some(track), 0, false);
        self.samples.clear();
        self.events.push_back(Event::Head(source));
        if let Some(ignored) = ignored.filter(|ignored| self.told != Some(*ignored)) {
            self.told = Some(ignored);
            self.events.push_back(Event::Ignored(ignored));
        }
    }

    /// Gives the next sample of an `mdat`, or passes over what is not ours.
    fn sample(&mut self, end: u64) -> Result<Step, Error> {
        let offset = self.input.offset();
        let next = self.samples.front().copied().filter(|sample| sample.at < end);
        let Some((sample, track)) = next.zip(self.track.as_mut()) else {
            // The rest is another track's, or nobody's.
            self.pass_to(end)?;
            self.data_end = None;
            return Ok(Step::Done);
        };
        if sample.at < offset {
            return Err(malformed(offset, MDAT, Malformed::Place { at: sample.at.into() }));
        }
        if sample.at > offset {
            self.pass_to(sample.at)?;
            return Ok(Step::Done);
        }
        let size = u64::from(sample.size);
        if offset.saturating_add(size) > end {
            return Err(malformed(offset, MDAT, Malformed::PastData { at: offset, size }));
        }
        if size > SAMPLE_LIMIT {
            let (element, what, limit) = (Some(MDAT), Limit::Sample, SAMPLE_LIMIT);
            return Err(Error::Limit { offset, element, what, size, limit });
        }
        let size = usize::try_from(size).expect("a sample is at most 64 KiB");
        let Some(bytes) = self.input.bytes().get(..size) else { return Ok(Step::NeedsMore) };
        let duration = track.sound.duration(bytes).map_err(|what| malformed(offset, MDAT, what))?;
        let time = ticks(sample.time, track.timescale);
        let data = Bytes::copy_from_slice(bytes);
        self.events.push_back(Event::Packet(SourcePacket { time, duration, data, heard: None }));
        self.samples.pop_front();
        self.input.consume(size);
        Ok(Step::Done)
    }

    /// Passes over the bytes of an `mdat` up to this one.
    fn pass_to(&mut self, at: u64) -> Result<(), Error> {
        let offset = self.input.offset();
        let size = at.saturating_sub(offset);
        if size > SKIPPED_LIMIT {
            let (element, what, limit) = (Some(MDAT), Limit::Skipped, SKIPPED_LIMIT);
            return Err(Error::Limit { offset, element, what, size, limit });
        }
        self.input.pass_over(size);
        Ok(())
    }

    /// The size of a box that is not entered, where it is known and within its limit, and that of the whole head.
    fn known_size(&self, header: Header, what: Limit, limit: u64) -> Result<u64, Error> {
        let offset = self.input.offset();
        let element = Some(header.kind);
        let size = header.size.ok_or_else(|| malformed(offset, header.kind, Malformed::UnknownSize))?;
        if size > limit {
            return Err(Error::Limit { offset, element, what, size, limit });
        }
        let head = (offset - self.file.unwrap_or(offset)).saturating_add(header.length as u64 + size);
        if self.in_head && head > HEAD_LIMIT {
            return Err(Error::Limit { offset, element, what: Limit::Head, size: head, limit: HEAD_LIMIT });
        }
        Ok(size)
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
        if let Some(event) = self.events.pop_front() {
            return Ok(Step::Event(event));
        }
        if let Some(end) = self.data_end {
            return self.sample(end);
        }
        let offset = self.input.offset();
        let Some(header) = boxes::header(self.input.bytes(), offset)? else { return Ok(Step::NeedsMore) };
        match &header.kind.0 {
            b"ftyp" if !self.in_head => {
                (self.file, self.in_head) = (Some(offset), true);
                Ok(Step::Done)
            }
            _ if self.file.is_none() => Err(malformed(offset, header.kind, Malformed::NoType)),
            b"moov" => self.collect(header, Limit::Moov, MOOV_LIMIT),
            b"moof" if self.track.is_none() || self.in_head => Err(malformed(offset, header.kind, Malformed::NoTrack)),
            b"moof" => self.collect(header, Limit::Moof, MOOF_LIMIT),
            b"mdat" if self.track.is_none() || self.in_head => {
                Err(Error::Unsupported { offset, element: Some(header.kind), what: Unsupported::Unfragmented })
            }
            b"mdat" => {
                let size = header.size.ok_or_else(|| malformed(offset, header.kind, Malformed::UnknownSize))?;
                self.data_end = Some((offset + header.length as u64).saturating_add(size));
                self.input.consume(header.length);
                Ok(Step::Done)
            }
            _ => {
                let size = self.known_size(header, Limit::Skipped, SKIPPED_LIMIT)?;
                self.input.consume(header.length);
                self.input.pass_over(size);
                Ok(Step::Done)
            }
        }
    }
}

const MDAT: Kind = Kind(*b"mdat");

const fn malformed(offset: u64, element: Kind, what: Malformed) -> Error {
    Error::Malformed { offset, element: Some(element), what }
}

/// A time in units of the timescale, to the nearest tick, held at [`Ticks::MAX`].
fn ticks(time: u64, timescale: u32) -> Ticks {
    let scale = u128::from(timescale);
    let ticks = (u128::from(time) * u128::from(Ticks::PER_SECOND) * 2 + scale) / (2 * scale);
    Ticks::new(u64::try_from(ticks).unwrap_or(u64::MAX))
}
