//! Pages, to and from bytes (RFC 3533 §6).

use std::ops::Range;

use crc::{Algorithm, Crc, Table};

/// The longest page: a header of 27 bytes, 255 lacing values, and as many times 255 bytes.
pub const LONGEST_PAGE: usize = HEADER + 255 + 255 * 255;

/// Bytes of a page before its lacing values.
const HEADER: usize = 27;

/// Where its checksum stands.
const CHECKSUM: Range<usize> = 22..26;

/// What every page begins with.
pub(super) const CAPTURE: &[u8; 4] = b"OggS";

/// Flags of a page: it begins with the rest of a packet, it is its stream's first, it is its last.
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// A granule position that says that no packet ends on the page.
const NO_GRANULE: u64 = u64::MAX;

/// One page, whose checksum is right or is yet to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Where it begins, in bytes from the first that was pushed.
    pub offset: u64,
    /// The stream it belongs to.
    pub serial: u32,
    /// Its number in its stream, from 0.
    pub sequence: u32,
    /// The position that its last whole packet ends at: for Opus ticks of 48 kHz, the pre-skip counted in (RFC 7845 §4).
    /// `None` where no packet ends on it.
    pub granule: Option<u64>,
    /// It begins with the rest of a packet.
    pub continued: bool,
    /// It is the first of its stream.
    pub first: bool,
    /// It is the last of its stream.
    pub last: bool,
    /// Its lacing values: a packet is a run of 255 and one below.
    pub lacing: Vec<u8>,
    /// The packets' bytes, one after another.
    pub body: Vec<u8>,
}

/// The bytes of one packet that are on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// Whether the packet ends here; else the next page goes on with it.
    pub ends: bool,
}

impl Page {
    /// Bytes of the whole page.
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER + self.lacing.len() + self.body.len()
    }

    /// The byte after the page, counted as `offset` is: what a file is cut to where nothing good follows.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.length() as u64
    }

    /// How many packets end on the page.
    #[must_use]
    pub fn packets_ended(&self) -> usize {
        self.lacing.iter().filter(|&&value| value < 255).count()
    }

    /// The packets on the page, the first being the rest of one where the page is `continued`.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.runs().map(|(range, ends)| Piece { data: &self.body[range], ends })
    }

    /// Where in the body the packets are, and whether each ends there.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        let (mut lacing, mut from) = (self.lacing.as_slice(), 0);
        std::iter::from_fn(move || {
            let whole = lacing.iter().position(|&value| value < 255);
            let (values, rest) = lacing.split_at(whole.map_or(lacing.len(), |last| last + 1));
            lacing = rest;
            let begin = from;
            from += values.iter().map(|&value| usize::from(value)).sum::<usize>();
            (!values.is_empty()).then_some((begin..from, whole.is_some()))
        })
    }

    /// Appends the page with its checksum.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let from = to.len();
        let flag = |set, flag| if set { flag } else { 0 };
        to.extend_from_slice(CAPTURE);
        to.push(0);
        to.push(flag(self.continued, CONTINUED) | flag(self.first, FIRST) | flag(self.last, LAST));
        to.extend_from_slice(&self.granule.unwrap_or(NO_GRANULE).to_le_bytes());
        to.extend_from_slice(&self.serial.to_le_bytes());
        to.extend_from_slice(&self.sequence.to_le_bytes());
        to.extend_from_slice(&[0; 4]);
        to.push(u8::try_from(self.lacing.len()).expect("the muxer ends a page at 255 lacing values"));
        to.extend_from_slice(&self.lacing);
        to.extend_from_slice(&self.body);
        let checksum = checksum(&to[from..]).to_le_bytes();
        to[from..][CHECKSUM].copy_from_slice(&checksum);
    }

    /// Reads the page at the start of `bytes`; `None` where it is not whole.
    pub(super) fn read(bytes: &[u8], offset: u64) -> Result<Option<Self>, Damage> {
        let begins = bytes.len().min(CAPTURE.len());
        if bytes[..begins] != CAPTURE[..begins] {
            return Err(Damage::NoCapture);
        }
        let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        if header[4] != 0 {
            return Err(Damage::Version(header[4]));
        }
        let count = usize::from(header[26]);
        let Some(lacing) = bytes[HEADER..].get(..count) else { return Ok(None) };
        let size: usize = lacing.iter().map(|&value| usize::from(value)).sum();
        let Some(body) = bytes[HEADER + count..].get(..size) else { return Ok(None) };
        let number =
            |from: usize| u32::from_le_bytes([header[from], header[from + 1], header[from + 2], header[from + 3]]);
        if checksum(&bytes[..HEADER + count + size]) != number(CHECKSUM.start) {
            return Err(Damage::Checksum);
        }
        let granule = u64::from(number(10)) << 32 | u64::from(number(6));
        Ok(Some(Self {
            offset,
            serial: number(14),
            sequence: number(18),
            granule: (granule != NO_GRANULE).then_some(granule),
            continued: header[5] & CONTINUED != 0,
            first: header[5] & FIRST != 0,
            last: header[5] & LAST != 0,
            lacing: lacing.to_vec(),
            body: body.to_vec(),
        }))
    }
}

/// The CRC of RFC 3533 §6: polynomial 0x04C11DB7, unreflected, from 0, of a page whose checksum field is 0.
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&Algorithm {
    width: 32,
    poly: 0x04C1_1DB7,
    init: 0,
    refin: false,
    refout: false,
    xorout: 0,
    check: 0x89A1_897F,
    residue: 0,
});

/// The checksum of a whole page, whatever stands in its field.
fn checksum(page: &[u8]) -> u32 {
    let (before, after) = page.split_at(CHECKSUM.start);
    let mut digest = CRC.digest();
    digest.update(before);
    digest.update(&[0; 4]);
    digest.update(&after[4..]);
    digest.finalize()
}

/// Where a file stops being whole pages, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no whole Ogg page at byte {offset}: {damage}")]
pub struct Torn {
    /// The first byte after the last good page: what a recovered file is cut to.
    pub offset: u64,
    /// What stands there instead of a page.
    pub damage: Damage,
}

/// What is wrong with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Something else stands there.
    #[error("it does not begin with \"OggS\" (RFC 3533 §6)")]
    NoCapture,
    /// Another version of Ogg.
    #[error("it is of version {0}, only 0 is known (RFC 3533 §6)")]
    Version(u8),
    /// A bit is wrong.
    #[error("its checksum is wrong (RFC 3533 §6)")]
    Checksum,
    /// The file ends in it.
    #[error("it is cut off after {0} bytes")]
    CutOff(usize),
}

/// Reads the pages of a file, up to the first that is not whole: push until empty, pull until none, then ask for the end.
///
/// Nothing is searched for: after damage there is no next page. It holds at most one incomplete page ([`LONGEST_PAGE`])
/// between a `pull` that gave `None` and the next `push`.
#[derive(Debug, Default)]
pub struct PageReader {
    buffer: Vec<u8>,
    /// Where in `buffer` the next page begins.
    from: usize,
    /// Where it begins in the file.
    offset: u64,
}

impl PageReader {
    /// A reader at the start of a file, or wherever a page begins: offsets count from there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives the next page, `None` where more bytes are needed.
    ///
    /// # Errors
    /// Where no good page begins. It gives the same again however often it is asked.
    pub fn pull(&mut self) -> Result<Option<Page>, Torn> {
        let page = Page::read(&self.buffer[self.from..], self.offset)
            .map_err(|damage| Torn { offset: self.offset, damage })?;
        if let Some(page) = &page {
            self.from += page.length();
            self.offset += page.length() as u64;
        } else {
            self.buffer.drain(..self.from);
            self.from = 0;
            // A reader may wait for long: it holds no more than it has to.
            self.buffer.shrink_to_fit();
        }
        Ok(page)
    }

    /// Passes over what is no good page, up to where the next may begin; gives how many bytes that is so far. For whoever
    /// would rather have what follows damage than nothing: what it finds has a right checksum, like every page.
    pub fn skip(&mut self) -> u64 {
        let rest = &self.buffer[self.from..];
        let next = (1..rest.len()).find(|&at| CAPTURE.starts_with(&rest[at..rest.len().min(at + CAPTURE.len())]));
        let skipped = next.unwrap_or(rest.len());
        self.from += skipped;
        self.offset += skipped as u64;
        skipped as u64
    }

    /// Bytes held: pushed, and not read yet.
    pub(super) fn held(&self) -> usize {
        self.buffer.len() - self.from
    }

    /// Where the file ends, in bytes, given that all of it was pushed and pulled.
    ///
    /// # Errors
    /// Where it ends within a page.
    pub fn end(&self) -> Result<u64, Torn> {
        match self.buffer.len() - self.from {
            0 => Ok(self.offset),
            left => Err(Torn { offset: self.offset, damage: Damage::CutOff(left) }),
        }
    }
}
