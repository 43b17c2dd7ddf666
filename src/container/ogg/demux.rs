//! The demuxer: one stream of Ogg Opus to its head, its tags and its packets (RFC 7845).

use std::collections::VecDeque;

use bytes::Bytes;

use super::page::{Page, PageReader, Torn};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;

/// The longest packet, OpusTags included, in bytes.
pub const PACKET_LIMIT: usize = 256 * 1024;

/// What comes out of a [`Demuxer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stream's head.
    Head(opus::Head),
    /// Its comments: names and values.
    Tags(Vec<(String, String)>),
    /// A packet. Its time is counted from the first packet, the pre-skip in it.
    Packet(SourcePacket),
    /// The stream has ended as it should, at this granule position: the last that a page of it says.
    End(Option<u64>),
}

/// Why a file cannot be demuxed any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No whole page.
    #[error(transparent)]
    Torn(#[from] Torn),
    /// A page of another stream, or out of order, or after the last.
    #[error("the Ogg page at byte {0} does not follow the one before it in one stream (RFC 3533 §4)")]
    Order(u64),
    /// A packet goes on where none was open, or a new one begins where one was.
    #[error("the Ogg page at byte {0} does not go on with the packet before it (RFC 3533 §5)")]
    Continuation(u64),
    /// A packet longer than [`PACKET_LIMIT`].
    #[error("a packet on the Ogg page at byte {0} has more than {PACKET_LIMIT} bytes")]
    Long(u64),
    /// The first packet is no head.
    #[error("the Ogg page at byte {offset}: {error}")]
    Head {
        /// Where the page begins.
        offset: u64,
        /// What is wrong.
        error: opus::HeadError,
    },
    /// The second packet is no OpusTags.
    #[error("the Ogg page at byte {0} has no good OpusTags (RFC 7845 §5.2)")]
    Tags(u64),
    /// A later packet is not Opus.
    #[error("the Ogg page at byte {offset}: {error}")]
    Packet {
        /// Where the page begins.
        offset: u64,
        /// What is wrong.
        error: opus::PacketError,
    },
}

impl Error {
    /// Where the page begins that is damaged, in bytes from where the demuxer began.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Torn(Torn { offset, .. })
            | Self::Order(offset)
            | Self::Continuation(offset)
            | Self::Long(offset)
            | Self::Head { offset, .. }
            | Self::Tags(offset)
            | Self::Packet { offset, .. } => *offset,
        }
    }
}

/// Demuxes a file of one Opus stream: push until empty, pull until none.
///
/// It holds at most one page, one packet of [`PACKET_LIMIT`], and the events of one page.
#[derive(Debug, Default)]
pub struct Demuxer {
    pages: PageReader,
    state: State,
    /// Serial and number of the page that is to come.
    next: Option<(u32, u32)>,
    /// The start of a packet that the next page goes on with.
    open: Option<Vec<u8>>,
    time: Ticks,
    granule: Option<u64>,
    events: VecDeque<Event>,
    failed: Option<Error>,
}

/// What the next packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Tags,
    Packets,
    Ended,
}

impl Demuxer {
    /// A demuxer at the start of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A demuxer where a page begins that goes on with no packet, behind the head and the tags: what comes before it ends at
    /// this granule position. Errors count bytes from there.
    #[must_use]
    pub fn resume(granule: u64) -> Self {
        Self { state: State::Packets, time: Ticks::new(granule), ..Self::default() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.pages.push(bytes);
        }
    }

    /// Gives the next event, `None` where more bytes are needed.
    ///
    /// # Errors
    /// Where the file is damaged or is no Opus, after all events before that. The demuxer stays failed.
    pub fn pull(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            let read = match self.pages.pull() {
                Ok(None) => return Ok(None),
                Ok(Some(page)) => self.read(page),
                Err(torn) => Err(torn.into()),
            };
            if let Err(error) = read {
                self.failed = Some(error);
                self.pages = PageReader::new();
            }
        }
    }

    /// Where the file ends, in bytes, given that all of it was pushed and pulled.
    ///
    /// # Errors
    /// Where it ends within a page, or in an error before.
    pub fn end(&self) -> Result<u64, Error> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(self.pages.end()?),
        }
    }

    fn read(&mut self, mut page: Page) -> Result<(), Error> {
        let expected = self.next.unwrap_or((page.serial, page.sequence));
        let begins = self.state == State::Head && self.open.is_none();
        if self.state == State::Ended || expected != (page.serial, page.sequence) || page.first != begins {
            return Err(Error::Order(page.offset));
        }
        self.next = Some((page.serial, page.sequence.wrapping_add(1)));
        self.granule = page.granule.or(self.granule);
        if page.continued != self.open.is_some() && !page.lacing.is_empty() {
            return Err(Error::Continuation(page.offset));
        }
        // Packets that lie whole on the page share its body.
        let body = Bytes::from(std::mem::take(&mut page.body));
        for (range, ends) in page.runs() {
            let data = body.slice(range);
            let Some(mut packet) = self.open.take() else {
                if ends {
                    self.read_packet(data, page.offset)?;
                } else {
                    self.open = Some(data.to_vec());
                }
                continue;
            };
            if packet.len() + data.len() > PACKET_LIMIT {
                return Err(Error::Long(page.offset));
            }
            packet.extend_from_slice(&data);
            if ends {
                self.read_packet(Bytes::from(packet), page.offset)?;
            } else {
                self.open = Some(packet);
            }
        }
        if page.last {
            self.state = State::Ended;
            self.events.push_back(Event::End(self.granule));
        }
        Ok(())
    }

    fn read_packet(&mut self, packet: Bytes, offset: u64) -> Result<(), Error> {
        let event = match self.state {
            State::Head => {
                self.state = State::Tags;
                Event::Head(opus::Head::parse(&packet).map_err(|error| Error::Head { offset, error })?)
            }
            State::Tags => {
                self.state = State::Packets;
                Event::Tags(read_tags(&packet).ok_or(Error::Tags(offset))?)
            }
            State::Packets | State::Ended => {
                let duration = opus::duration(&packet).map_err(|error| Error::Packet { offset, error })?;
                let time = self.time;
                self.time = time.saturating_add(duration);
                Event::Packet(SourcePacket { time, duration, data: packet, heard: None })
            }
        };
        self.events.push_back(event);
        Ok(())
    }
}

/// Reads OpusTags (RFC 7845 §5.2), `None` where the bytes are none. What follows the comments is left alone.
fn read_tags(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut rest = bytes.strip_prefix(b"OpusTags")?;
    take_text(&mut rest)?;
    // Each takes 4 bytes at least, so a count that lies ends at the first that is not there.
    let count = take_length(&mut rest)?;
    (0..count)
        .map(|_| {
            let text = take_text(&mut rest)?;
            let (name, value) = text.split_once('=').unwrap_or((&text, ""));
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn take_length(rest: &mut &[u8]) -> Option<u32> {
    let (length, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*length))
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(take_length(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(String::from_utf8_lossy(text).into_owned())
}
