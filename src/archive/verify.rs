//! Whether a file of a recording is what was written: read from its start to its end, every byte of it held against a
//! checksum.
//!
//! What belongs here: what is damaged in one file, and where. What does not: which files there should be, opening them, and what
//! is done about it. Each function reads a file once, holds at most a page and a packet of Ogg or an extent of samples, and
//! tells of each damage as it comes upon it, in order.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use super::extents::{Extent, LONGEST_EXTENT, Sum};
use crate::container::ogg::{self, PACKET_LIMIT, Page, PageReader, Piece};
use crate::container::wav::{data_offset, header_for};
use crate::media::opus;
use crate::media::pcm;
use crate::media::time::Ticks;

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// Bytes of a file that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// Which; none where something is missing that would stand there.
    pub bytes: Range<u64>,
    /// What is wrong with them.
    pub wrong: Wrong,
}

/// What is wrong with some bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    /// They are no whole page.
    #[error("no Ogg page: {0}")]
    Page(ogg::Damage),
    /// A good page of some other stream.
    #[error("an Ogg page of the stream {found:#010x}, where {written:#010x} was written (RFC 3533 §4)")]
    Stream {
        /// Its serial number.
        found: u32,
        /// That of the file.
        written: u32,
    },
    /// A good page, but not the one that follows.
    #[error("the Ogg page {found}, where {written} was written (RFC 3533 §6)")]
    Order {
        /// Its number.
        found: u32,
        /// The number that follows.
        written: u32,
    },
    /// A page does not say how long the sound is that ends on it.
    #[error("an Ogg page that ends at tick {found}, with packets that end at {counted} (RFC 7845 §4)")]
    Granule {
        /// What it says.
        found: u64,
        /// What its packets come to.
        counted: u64,
    },
    /// A packet on a page is not Opus.
    #[error("a packet that is no Opus: {0}")]
    Packet(opus::PacketError),
    /// A packet goes on where none was open, is not ended, or is longer than any.
    #[error("a packet that is not whole (RFC 3533 §5)")]
    Torn,
    /// The page that says that nothing follows is not there.
    #[error("the last Ogg page is missing")]
    NoEnd,
    /// It is another count of pages than the index says.
    #[error("the file has {found} Ogg pages, and {written} were written")]
    Pages {
        /// How many there are.
        found: u32,
        /// How many the index says.
        written: u32,
    },
    /// It is another length than the index says.
    #[error("the file sounds for {found} ticks, and {written} were written")]
    Length {
        /// How long it is.
        found: u64,
        /// How long the index says.
        written: u64,
    },
    /// The header of a WAV file.
    #[error("a header that does not say what follows it")]
    Header,
    /// Samples.
    #[error("samples that are not those that were written")]
    Samples,
    /// Samples of which the index has no checksum.
    #[error("samples that no checksum vouches for")]
    Unsummed,
    /// The file ends early.
    #[error("the file ends before what was durable in it")]
    CutOff,
    /// The file goes on.
    #[error("more than was written")]
    More,
    /// A derived file, as long as it was made, whose sum is that of the whole: where in it that is, nobody can say.
    #[error("not what was made, by its checksum")]
    Made,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes: Range { start, end }, wrong } = self;
        if start >= end { write!(f, "at byte {start}: {wrong}") } else { write!(f, "bytes {start} to {end}: {wrong}") }
    }
}

/// What the index says of an Ogg file: a part, or the spool beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ogg {
    /// Durable bytes.
    pub bytes: u64,
    /// The serial number of its stream: a spool has that of its part.
    pub serial: u32,
    /// Durable pages; of a spool that is not known.
    pub pages: Option<u32>,
    /// How long it sounds; of a spool that is not known.
    pub length: Option<Ticks>,
    /// Whether nothing will be added: its last page is there then, and nothing stands behind it.
    pub ended: bool,
}

/// What the index says of a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wav<'a> {
    /// Durable bytes.
    pub bytes: u64,
    /// What its samples are.
    pub head: pcm::Head,
    /// The sums of its samples, in order.
    pub extents: &'a [Extent],
    /// Whether nothing will be added.
    pub ended: bool,
}

/// Looks through an Ogg file, from its start, and tells of each damage.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn ogg(file: impl Read, written: &Ogg, tell: impl FnMut(Damage)) -> io::Result<()> {
    let mut look = Look { tell, told: false, from: None, next: 0, granule: Some(0), open: None, last: false };
    let mut file = file.take(written.bytes);
    let mut pages = PageReader::new();
    let mut buffer = vec![0; READ];
    let mut at = 0;
    loop {
        let read = read(&mut file, &mut buffer)?;
        at += read as u64;
        pages.push(&buffer[..read]);
        loop {
            match pages.pull() {
                Ok(Some(page)) => look.page(&page, written),
                Ok(None) if read > 0 => break,
                // At the end there may be whole pages in what looks like the rest of one.
                Ok(None) => match pages.end() {
                    Ok(_) => break,
                    Err(torn) => look.skip(&mut pages, torn),
                },
                Err(torn) => look.skip(&mut pages, torn),
            }
        }
        if read == 0 {
            break;
        }
    }
    look.end(at, written);
    more(file.into_inner(), at, written.bytes, written.ended, &mut look.tell)
}

/// What was seen of an Ogg file so far.
struct Look<F> {
    tell: F,
    /// Whether anything was.
    told: bool,
    /// Where what is no page begins, and what it is instead.
    from: Option<(u64, ogg::Damage)>,
    /// The number of the page that follows.
    next: u32,
    /// Where the packets so far end; not known behind damage.
    granule: Option<u64>,
    /// The start of a packet that the next page goes on with.
    open: Option<Vec<u8>>,
    /// Whether the last page was there.
    last: bool,
}

impl<F: FnMut(Damage)> Look<F> {
    fn tell(&mut self, bytes: Range<u64>, wrong: Wrong) {
        self.told = true;
        (self.tell)(Damage { bytes, wrong });
    }

    /// Passes over what is no page.
    fn skip(&mut self, pages: &mut PageReader, torn: ogg::Torn) {
        self.from.get_or_insert((torn.offset, torn.damage));
        pages.skip();
    }

    /// What was passed over ends here.
    fn skipped(&mut self, until: u64) {
        if let Some((from, damage)) = self.from.take() {
            (self.open, self.granule) = (None, None);
            self.tell(from..until, Wrong::Page(damage));
        }
    }

    fn page(&mut self, page: &Page, written: &Ogg) {
        let behind_damage = self.from.is_some();
        self.skipped(page.offset);
        let here = page.offset..page.end();
        if page.serial != written.serial {
            return self.tell(here, Wrong::Stream { found: page.serial, written: written.serial });
        }
        let follows = page.sequence == self.next && !self.last;
        if !follows {
            (self.open, self.granule) = (None, None);
            // Of what was damaged it is told already that it is missing.
            if !behind_damage || page.sequence < self.next || self.last {
                self.tell(here.clone(), Wrong::Order { found: page.sequence, written: self.next });
            }
        }
        self.next = page.sequence.saturating_add(1);
        self.last = page.last;
        // The first two are the head and the tags, at granule position 0 (RFC 7845 §3).
        if page.granule == Some(0) {
            self.granule = Some(0);
            return;
        }
        match self.sound(page, follows && !behind_damage) {
            Ok(sound) => {
                let counted = self.granule.map(|granule| granule.saturating_add(sound));
                if let (Some(counted), Some(found)) = (counted, page.granule)
                    && counted != found
                {
                    self.tell(here, Wrong::Granule { found, counted });
                }
                self.granule = page.granule.or(counted);
            }
            Err(wrong) => {
                self.tell(here, wrong);
                self.granule = page.granule;
            }
        }
    }

    /// How many ticks the packets sound that end on a page. What goes on from a page that is damaged is not counted as damage
    /// once more.
    fn sound(&mut self, page: &Page, follows: bool) -> Result<u64, Wrong> {
        let mut open = self.open.take();
        let mut orphan = false;
        if page.continued != open.is_some() && !page.lacing.is_empty() {
            if follows {
                return Err(Wrong::Torn);
            }
            orphan = page.continued;
        }
        let mut sound: u64 = 0;
        for Piece { data, ends } in page.pieces() {
            let mut packet = open.take().unwrap_or_default();
            packet.extend_from_slice(data);
            if orphan {
                // Not known either where it began.
                orphan = !ends;
                continue;
            }
            if packet.len() > PACKET_LIMIT {
                return Err(Wrong::Torn);
            }
            if ends {
                sound = sound.saturating_add(opus::duration(&packet).map_err(Wrong::Packet)?.get());
            } else {
                open = Some(packet);
            }
        }
        self.open = open;
        Ok(sound)
    }

    /// The file, or what is durable of it, ends here.
    fn end(&mut self, at: u64, written: &Ogg) {
        self.skipped(at);
        if at < written.bytes {
            self.tell(at..written.bytes, Wrong::CutOff);
        }
        if self.told {
            // The rest follows from that.
            return;
        }
        if self.open.is_some() {
            self.tell(at..at, Wrong::Torn);
        }
        if written.ended && !self.last {
            self.tell(at..at, Wrong::NoEnd);
        }
        if let Some(pages) = written.pages.filter(|pages| *pages != self.next) {
            self.tell(at..at, Wrong::Pages { found: self.next, written: pages });
        }
        if let (Some(length), Some(found)) = (written.length, self.granule)
            && found != length.get()
        {
            self.tell(at..at, Wrong::Length { found, written: length.get() });
        }
    }
}

/// Looks through a WAV file, from its start, and tells of each damage. Of one that is being written the header may be that of
/// a later round than the index.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn wav(file: impl Read, written: &Wav<'_>, mut tell: impl FnMut(Damage)) -> io::Result<()> {
    let mut file = file.take(written.bytes);
    let mut bytes = vec![0; usize::try_from(data_offset(written.head)).unwrap_or(0)];
    let read = fill(&mut file, &mut bytes)?;
    let mut at = read as u64;
    if read == bytes.len() && !says(&bytes, written) {
        tell(Damage { bytes: 0..at, wrong: Wrong::Header });
    }
    let mut buffer = Vec::new();
    for extent in written.extents {
        // What lies before it, or again what lies in the one before: the index has them one behind the other.
        let unsummed = pass(&mut file, extent.begin.saturating_sub(at))?;
        if unsummed > 0 {
            tell(Damage { bytes: at..at + unsummed, wrong: Wrong::Unsummed });
        }
        at += unsummed;
        let Range { start, end } = extent.range();
        if start != at || end > written.bytes || extent.bytes > LONGEST_EXTENT {
            continue;
        }
        buffer.resize(usize::try_from(extent.bytes).unwrap_or(0), 0);
        let read = fill(&mut file, &mut buffer)?;
        at += read as u64;
        if read == buffer.len() && !extent.holds(&buffer) {
            tell(Damage { bytes: start..at, wrong: Wrong::Samples });
        }
    }
    let unsummed = pass(&mut file, u64::MAX)?;
    if unsummed > 0 {
        tell(Damage { bytes: at..at + unsummed, wrong: Wrong::Unsummed });
    }
    at += unsummed;
    if at < written.bytes {
        tell(Damage { bytes: at..written.bytes, wrong: Wrong::CutOff });
    }
    more(file.into_inner(), at, written.bytes, written.ended, &mut tell)
}

/// Looks through the spool beside a WAV part, whose samples have one sum, and tells of each damage.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn wav_spool(
    file: impl Read,
    bytes: u64,
    head: pcm::Head,
    crc: u32,
    mut tell: impl FnMut(Damage),
) -> io::Result<()> {
    let mut file = file.take(bytes);
    let mut buffer = vec![0; usize::try_from(data_offset(head)).unwrap_or(0)];
    let begin = fill(&mut file, &mut buffer)?;
    let written = Wav { bytes, head, extents: &[], ended: false };
    if begin == buffer.len() && !says(&buffer, &written) {
        tell(Damage { bytes: 0..begin as u64, wrong: Wrong::Header });
    }
    let (mut sum, mut at) = (Sum::new(), begin as u64);
    buffer.resize(READ, 0);
    loop {
        let read = fill(&mut file, &mut buffer)?;
        if read == 0 {
            break;
        }
        sum.push(&buffer[..read]);
        at += read as u64;
    }
    if at < bytes {
        tell(Damage { bytes: at..bytes, wrong: Wrong::CutOff });
    } else if sum.crc() != crc {
        tell(Damage { bytes: begin as u64..at, wrong: Wrong::Samples });
    }
    Ok(())
}

/// Looks through a derived file, which has this sum, and tells where it has another. How long it is was looked at.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn made(mut file: impl Read, bytes: u64, crc: u32, mut tell: impl FnMut(Damage)) -> io::Result<()> {
    let (mut sum, mut buffer) = (crc32fast::Hasher::new(), vec![0; READ]);
    loop {
        let read = fill(&mut file, &mut buffer)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
    }
    if sum.finalize() != crc {
        tell(Damage { bytes: 0..bytes, wrong: Wrong::Made });
    }
    Ok(())
}

/// Whether this header says what the samples are, and how many.
fn says(header: &[u8], written: &Wav<'_>) -> bool {
    let Some(size) = header.last_chunk().map(|size| u64::from(u32::from_le_bytes(*size))) else { return false };
    let durable = written.bytes.saturating_sub(data_offset(written.head));
    (size == durable || !written.ended) && header == header_for(written.head, size)
}

/// Tells of what stands behind what is durable, where nothing should.
fn more(mut file: impl Read, at: u64, bytes: u64, ended: bool, tell: &mut impl FnMut(Damage)) -> io::Result<()> {
    if ended && at == bytes {
        let more = pass(&mut file, u64::MAX)?;
        if more > 0 {
            tell(Damage { bytes: bytes..bytes.saturating_add(more), wrong: Wrong::More });
        }
    }
    Ok(())
}

/// Reads past so many bytes, fewer where the file ends; gives how many.
fn pass(file: impl Read, bytes: u64) -> io::Result<u64> {
    io::copy(&mut file.take(bytes), &mut io::sink())
}

/// Reads as many bytes as there is room for, fewer where the file ends.
fn fill(mut file: impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(&mut file, &mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn read(mut file: impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests;
