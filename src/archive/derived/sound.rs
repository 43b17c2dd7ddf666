//! The packets of a recording's tracks on the session's clock, read out of the parts page by page, or extent by extent.
//!
//! What belongs here: reading past whatever is missing or damaged, and telling that it was. What does not: what becomes
//! of the packets.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use super::gains::{self, Regain};
use super::recipe::{Stopped, Work};
use super::samples::Samples;
use crate::archive::extents::Extent;
use crate::archive::model::{Part, Pins, Track};
use crate::archive::store::Store;
use crate::container::ogg::Salvager;
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// The sums of a recording's WAV parts, by track and part.
pub(in crate::archive) type Sums = HashMap<(TrackNumber, u32), Vec<Extent>>;

/// What is wanted of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// The Opus that listeners hear, made of samples where those were kept, all of it for one head ([`gains`]).
    Heard,
    /// What was kept: Opus, or whole frames.
    Kept,
}

/// A packet of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Where in the track's parts it is from: an index.
    pub part: usize,
    /// Where it begins, on the track's own count.
    pub at: Ticks,
    /// When it begins, on the session's clock.
    pub time: Ticks,
    /// How long it sounds.
    pub duration: Ticks,
    /// Its bytes.
    pub data: Bytes,
}

/// Reads a track: its parts one after another, each opened when it is its turn. Holds what a [`Salvager`] holds and
/// twice [`READ`], or what [`Samples`] holds.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    track: &'a Track,
    sums: &'a Sums,
    kind: As,
    timeline: Pins,
    /// The part that is read, or the one to be opened next.
    index: usize,
    open: Option<Open<'a>>,
    waiting: VecDeque<Heard>,
    /// No packet begins before this.
    from: Ticks,
    damaged: bool,
}

/// A part that is being read.
enum Open<'a> {
    Ogg { file: Box<dyn Read>, left: u64, salvager: Box<Salvager>, ended: bool, regain: Option<Box<Regain>> },
    Wav(Box<Samples<'a>>),
}

impl<'a> Reader<'a> {
    pub fn new(folder: &'a Path, track: &'a Track, sums: &'a Sums, kind: As) -> Self {
        let waiting = VecDeque::new();
        let timeline = Pins::of(track);
        Self { folder, track, sums, kind, timeline, index: 0, open: None, waiting, from: Ticks::ZERO, damaged: false }
    }

    /// The same, from one of its parts on: an index.
    pub fn begin_at(self, part: usize) -> Self {
        Self { index: part, ..self }
    }

    /// When the next packet begins at the earliest; `None` at the end. Opens nothing.
    pub fn next_at(&self) -> Option<Ticks> {
        if let Some(heard) = self.waiting.front() {
            return Some(heard.time);
        }
        match &self.open {
            Some(_) => Some(self.from),
            None => self.track.parts.get(self.index).map(|part| part.start.session.max(self.from)),
        }
    }

    /// The next packet, if it is read.
    pub fn ahead(&self) -> Option<&Heard> {
        self.waiting.front()
    }

    /// Which part the next packet is of, if it is read.
    pub fn next_part(&self) -> Option<usize> {
        self.waiting.front().map(|heard| heard.part)
    }

    /// The next packet; `None` at the end.
    pub fn next(&mut self, store: &mut dyn Store, work: &Work) -> Result<Option<Heard>, Stopped> {
        self.read(store, work)?;
        Ok(self.take())
    }

    /// Takes the next packet, if it is read.
    pub fn take(&mut self) -> Option<Heard> {
        self.waiting.pop_front()
    }

    /// Reads on until the next packet, or the end, is known.
    pub fn read(&mut self, store: &mut dyn Store, work: &Work) -> Result<(), Stopped> {
        while self.waiting.is_empty() {
            let Some(part) = self.track.parts.get(self.index) else { break };
            let got = match &mut self.open {
                Some(open) => open.read(work)?,
                None => {
                    match Open::new(store, self.folder, part, self.sums_of(part), self.kind, gains::gain(self.track)) {
                        Some(open) => {
                            self.open = Some(open);
                            continue;
                        }
                        None => Got::End { damaged: true },
                    }
                }
            };
            match got {
                Got::Some => self.place(part),
                Got::End { damaged } => {
                    self.damaged |= damaged;
                    self.open = None;
                    self.index += 1;
                }
            }
        }
        Ok(())
    }

    /// Puts what was read on the session's clock.
    fn place(&mut self, part: &Part) {
        let Some(open) = &mut self.open else { return };
        while let Some(packet) = open.pull() {
            let at = part.start.track.saturating_add(packet.time);
            let time = self.timeline.session(at).max(self.from);
            self.from = time;
            let data = match self.kind {
                As::Heard => packet.heard.unwrap_or(packet.data),
                As::Kept => packet.data,
            };
            self.waiting.push_back(Heard { part: self.index, at, time, duration: packet.duration, data });
        }
    }

    fn sums_of(&self, part: &Part) -> &'a [Extent] {
        self.sums.get(&(self.track.number, part.number)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether something of the track is missing, as far as it was read.
    pub const fn damaged(&self) -> bool {
        self.damaged
    }
}

/// What a read has given.
enum Got {
    Some,
    End { damaged: bool },
}

impl<'a> Open<'a> {
    /// A part that cannot be opened is missing: why does not matter to who listens, only to the log.
    fn new(store: &mut dyn Store, folder: &Path, part: &Part, sums: &'a [Extent], kind: As, gain: i16) -> Option<Self> {
        let path = folder.join(&part.file);
        let missing = |error: &dyn std::fmt::Display| {
            tracing::warn!("{}: {error}; what is derived goes without it", path.display());
        };
        let file = match store.read(&path, 0) {
            Ok((file, _)) => file,
            Err(error) => {
                missing(&error);
                return None;
            }
        };
        match part.format {
            Format::Opus(_) => {
                let regain = match kind {
                    As::Heard => Regain::of(&part.format, gain),
                    As::Kept => Ok(None),
                };
                match regain {
                    Ok(regain) => {
                        let (left, salvager, regain) = (part.bytes, Box::default(), regain.map(Box::new));
                        Some(Self::Ogg { file, left, salvager, ended: false, regain })
                    }
                    Err(error) => {
                        missing(&error);
                        None
                    }
                }
            }
            Format::Pcm(head) => match Samples::new(file, head, part.bytes, sums, kind) {
                Ok(samples) => Some(Self::Wav(Box::new(samples))),
                Err(error) => {
                    missing(&error);
                    None
                }
            },
        }
    }

    fn pull(&mut self) -> Option<SourcePacket> {
        match self {
            Self::Ogg { salvager, regain: Some(regain), .. } => regain.pull(|| salvager.pull()),
            Self::Ogg { salvager, .. } => salvager.pull(),
            Self::Wav(samples) => samples.pull(),
        }
    }

    fn read(&mut self, work: &Work) -> Result<Got, Stopped> {
        let (file, left, salvager, ended) = match self {
            Self::Ogg { file, left, salvager, ended, .. } => (file, left, salvager, ended),
            Self::Wav(samples) => {
                let more = samples.read(work)?;
                return Ok(if more { Got::Some } else { Got::End { damaged: samples.damaged() } });
            }
        };
        if *ended {
            return Ok(Got::End { damaged: *left > 0 || salvager.damaged() });
        }
        let most = usize::try_from(*left).unwrap_or(READ).min(READ);
        let mut buffer = vec![0; most];
        let read = match file.read(&mut buffer) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!("a part cannot be read to its end: {error}; what is derived goes without the rest");
                0
            }
        };
        work.done(read as u64)?;
        if read == 0 {
            // A page that says a wrong length may still hide good ones.
            *ended = true;
            salvager.finish();
        }
        *left -= read as u64;
        salvager.push(&buffer[..read]);
        Ok(Got::Some)
    }
}
