//! The demuxer of what a publisher sends as Ogg: Opus (RFC 7845), Vorbis (Vorbis I, appendix A) and FLAC (RFC 9639 §10.1).
//!
//! What belongs here: pages to packets and their times, streams side by side and one after another (RFC 3533 §4). What does
//! not: the parts that a recording is made of (the demuxer beside), and what packets of a codec are (`mapping`).
//!
//! Of streams that begin together the first is used that is Opus, Vorbis or FLAC; the others are counted and passed over. A
//! first page after other pages begins anew, with or without an end before it: `stop()` and `start()` on one socket.
//!
//! Times are the page's: its granule position is where its last packet ends, and the packets before it are counted back
//! from there. So the pre-skip is counted in, as in WebM, and a stream that was joined in the middle (RFC 7845 §4.3) begins
//! where it was joined. The last page may say less than its packets have (RFC 7845 §4.4): there they are counted on, for
//! what it would cut off is kept. Durations are the packets' own, counted in one sum.
//!
//! A page that is missing, damaged, or not the next of its stream is an error. Only between the headers and the first sound
//! may numbers jump, and a packet be without its start: so begins what a relay sends to whom comes late.

mod error;
mod flac;
mod mapping;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use self::error::What;
use self::mapping::{Kind, Mapping};
use super::page::{Page, PageReader};
use crate::container::stream::{Demux, Event, Ignored};
use crate::media::packet::SourcePacket;

pub use error::{Error, Limit, Malformed, Unsupported};
pub use flac::Error as FlacError;

/// The longest packet of Opus or Vorbis, in bytes. The longest Opus packet without padding has 61,298.
pub const PACKET_LIMIT: usize = 64 * 1024;

/// The longest packet of FLAC, in bytes: 65,535 samples of two channels at 24 bits, uncompressed, have 393,210.
pub const FLAC_PACKET_LIMIT: usize = 512 * 1024;

/// The longest comments, in bytes; they may have pictures. They are passed over.
pub const COMMENTS_LIMIT: usize = 16 * 1024 * 1024;

/// The most streams that begin together.
pub const STREAMS_LIMIT: usize = 16;

/// What is held of a packet that is passed over: enough to tell what it is.
const PASSED: usize = 16;

const NOTHING: Ignored = Ignored { audio: 0, video: 0, other: 0 };

/// Demuxes one byte stream, however it is cut: push until empty, pull until none.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, at most one incomplete page is held ([`LONGEST_PAGE`]) and one
/// incomplete packet ([`PACKET_LIMIT`], of FLAC [`FLAC_PACKET_LIMIT`]); of what a decoder is told once, one Vorbis setup
/// header. A push adds its own length. Events that wait to be pulled are those of one page, at most 255 packets. What is
/// passed over is never held.
///
/// [`LONGEST_PAGE`]: super::LONGEST_PAGE
#[derive(Debug, Default)]
pub struct Demuxer {
    pages: PageReader,
    link: Option<Link>,
    /// What was last said to be dropped.
    told: Option<Ignored>,
    events: VecDeque<Event>,
    failed: Option<Error>,
}

/// Streams that began together.
#[derive(Debug)]
struct Link {
    /// Where the first of their first pages begins.
    offset: u64,
    chosen: Option<Chosen>,
    /// The serials of the others.
    others: Vec<u32>,
    ignored: Ignored,
    /// Sound that is not read.
    not_read: Option<&'static str>,
    /// Whether all of them have begun.
    begun: bool,
}

/// The stream that is used.
#[derive(Debug)]
struct Chosen {
    serial: u32,
    /// The number of the page that is to come.
    next: u32,
    mapping: Mapping,
    /// Whether its head was given.
    told: bool,
    open: Option<Open>,
    /// The granule position where the sound so far ends.
    end: Option<u64>,
    /// How long all packets so far sound, in units of the granule position.
    counted: u64,
    /// Whether its last page was read.
    ended: bool,
}

/// The start of a packet that the next page goes on with.
#[derive(Debug)]
enum Open {
    /// It is held.
    Held(Vec<u8>),
    /// It is passed over: its first bytes, and how many there were.
    Passed(Vec<u8>, usize),
}

impl Open {
    /// Bytes held.
    const fn held(&self) -> usize {
        let (Self::Held(bytes) | Self::Passed(bytes, _)) = self;
        bytes.len()
    }
}

impl Demuxer {
    /// A demuxer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&mut self, page: &mut Page) -> Result<(), Error> {
        let offset = page.offset;
        if page.first {
            let link = match self.link.take().filter(|link| !link.begun) {
                Some(link) => self.link.insert(link),
                None => self.link.insert(Link::new(offset)),
            };
            return link.begin(page).map_err(|what| what.at(offset));
        }
        let Some(link) = &mut self.link else { return Err(What::from(Malformed::NoBeginning).at(offset)) };
        link.begun = true;
        let Some(chosen) = &mut link.chosen else {
            return Err(What::from(mapping::not_read(link.not_read)).at(link.offset));
        };
        if link.others.contains(&page.serial) {
            return Ok(());
        }
        if page.serial != chosen.serial {
            return Err(What::from(Malformed::NoBeginning).at(offset));
        }
        let ignored = Some(link.ignored).filter(|ignored| *ignored != NOTHING && self.told != Some(*ignored));
        if chosen.read(page, ignored, &mut self.events).map_err(|what| what.at(offset))? {
            self.told = ignored.or(self.told);
        }
        Ok(())
    }
}

impl Demux for Demuxer {
    fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.pages.push(bytes);
        }
    }

    fn pull(&mut self) -> Result<Option<Event>, crate::container::stream::Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(error) = &self.failed {
                return Err(error.clone().into());
            }
            let read = match self.pages.pull() {
                Ok(None) => return Ok(None),
                Ok(Some(mut page)) => self.read(&mut page),
                Err(torn) => Err(torn.into()),
            };
            if let Err(error) = read {
                self.pages = PageReader::new();
                self.link = None;
                self.failed = Some(error);
            }
        }
    }

    fn held(&self) -> usize {
        let open = self.link.as_ref().and_then(|link| link.chosen.as_ref()).and_then(|chosen| chosen.open.as_ref());
        self.pages.held() + open.map_or(0, Open::held)
    }
}

impl Link {
    const fn new(offset: u64) -> Self {
        Self { offset, chosen: None, others: Vec::new(), ignored: NOTHING, not_read: None, begun: false }
    }

    /// Reads the first page of a stream.
    fn begin(&mut self, page: &mut Page) -> Result<(), What> {
        let serial = page.serial;
        if self.others.contains(&serial) || self.chosen.as_ref().is_some_and(|chosen| chosen.serial == serial) {
            return Err(Malformed::Serial(serial).into());
        }
        if self.others.len() + usize::from(self.chosen.is_some()) >= STREAMS_LIMIT {
            return Err(What::Limit(Limit::Streams, STREAMS_LIMIT));
        }
        let whole = page.packets_ended() == 1 && page.lacing.last().is_some_and(|&value| value < 255);
        let body = Bytes::from(mem::take(&mut page.body));
        match Kind::of(&body, self.chosen.is_none())? {
            Kind::Read(mapping) => {
                if !whole || page.continued {
                    return Err(Malformed::FirstPage.into());
                }
                self.chosen = Some(Chosen::new(page, mapping));
                return Ok(());
            }
            Kind::Audio(name) => {
                self.not_read.get_or_insert(name);
                self.ignored.audio += 1;
            }
            Kind::Video => self.ignored.video += 1,
            Kind::Other => self.ignored.other += 1,
        }
        self.others.push(serial);
        Ok(())
    }
}

impl Chosen {
    fn new(page: &Page, mapping: Mapping) -> Self {
        let next = page.sequence.wrapping_add(1);
        let (serial, ended) = (page.serial, page.last);
        Self { serial, next, mapping, told: false, open: None, end: None, counted: 0, ended }
    }

    /// Reads a page after the first; gives whether the head was given.
    fn read(&mut self, page: &mut Page, ignored: Option<Ignored>, events: &mut VecDeque<Event>) -> Result<bool, What> {
        let expected = mem::replace(&mut self.next, page.sequence.wrapping_add(1));
        if self.ended {
            return Err(Malformed::Ended.into());
        }
        let nothing_heard = self.told && self.open.is_none() && self.end.is_none();
        if page.sequence != expected && !nothing_heard {
            return Err(Malformed::Order { expected, found: page.sequence }.into());
        }
        let mut orphan = page.continued && nothing_heard;
        if page.continued != self.open.is_some() && !page.lacing.is_empty() && !orphan {
            return Err(Malformed::Continuation.into());
        }
        self.ended = page.last;
        let body = Bytes::from(mem::take(&mut page.body));
        let mut told = false;
        let mut sounds = Vec::new();
        for (range, ends) in page.runs() {
            if mem::take(&mut orphan) {
                continue;
            }
            let Some(packet) = self.gather(body.slice(range), ends)? else { continue };
            // Some end their stream with an empty packet, to have one on the last page.
            if packet.is_empty() && page.last {
                continue;
            }
            if let Some(length) = self.mapping.read(&packet)? {
                sounds.push((length, packet));
            }
            if let Some(source) = self.mapping.source().filter(|_| !self.told) {
                self.told = true;
                told = true;
                events.push_back(Event::Head(source));
                events.extend(ignored.map(Event::Ignored));
            }
        }
        if !sounds.is_empty() {
            let granule = page.granule.ok_or(Malformed::NoGranule)?;
            self.place(granule, page.last, sounds, events);
        }
        Ok(told)
    }

    /// Adds the bytes of a page to the packet that is open; gives the packet where it ends, or its start where it is
    /// passed over.
    fn gather(&mut self, data: Bytes, ends: bool) -> Result<Option<Bytes>, What> {
        let open = match self.open.take() {
            // A packet that lies whole on the page shares its body.
            None if ends => return Ok(Some(data)),
            None if self.mapping.passes(data.first().copied()) => Open::Passed(data[..PASSED].to_vec(), data.len()),
            None => Open::Held(data.to_vec()),
            Some(Open::Passed(start, size)) => Open::Passed(start, size + data.len()),
            Some(Open::Held(mut packet)) => {
                packet.extend_from_slice(&data);
                Open::Held(packet)
            }
        };
        let (size, limit, what) = match &open {
            Open::Held(packet) => (packet.len(), self.mapping.limit(), Limit::Packet),
            Open::Passed(_, size) => (*size, COMMENTS_LIMIT, Limit::Comments),
        };
        if size > limit {
            return Err(What::Limit(what, limit));
        }
        if ends {
            let (Open::Held(packet) | Open::Passed(packet, _)) = open;
            return Ok(Some(packet.into()));
        }
        self.open = Some(open);
        Ok(None)
    }

    /// Gives the packets that end on a page their times.
    fn place(&mut self, granule: u64, last: bool, sounds: Vec<(u64, Bytes)>, events: &mut VecDeque<Event>) {
        let total = sounds.iter().fold(0_u64, |total, (length, _)| total.saturating_add(*length));
        let mut begin = granule.saturating_sub(total);
        if last {
            begin = begin.max(self.end.unwrap_or(begin));
        }
        for (length, data) in sounds {
            let time = self.mapping.ticks(begin);
            let before = self.mapping.ticks(self.counted);
            begin = begin.saturating_add(length);
            self.counted = self.counted.saturating_add(length);
            let duration = self.mapping.ticks(self.counted).saturating_sub(before);
            events.push_back(Event::Packet(SourcePacket { time, duration, data, heard: None }));
        }
        self.end = Some(begin);
    }
}
