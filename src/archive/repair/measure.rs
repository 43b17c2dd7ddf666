//! The sound of a part, measured from its file, where no index tells: bytes, pages, ticks, and sums of samples anew.

use std::io::{self, Read};

use crate::archive::extents::{Extent, Extents};
use crate::archive::index::write::{Pages, Stream};
use crate::container::ogg::{PageReader, Salvager};
use crate::container::wav::{data_offset, header_for};
use crate::media::time::Ticks;
use crate::media::{opus, pcm};

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// Bytes of it that are ours.
    pub bytes: u64,
    /// How long it sounds.
    pub length: Ticks,
    /// Packets in it, but for coded silence, which may be one that fills a gap and has no number then. Of samples, none.
    pub packets: u64,
    /// Whether anything that is no good page stands before its end.
    pub damaged: bool,
    /// Its pages, and whether it lacks its end.
    pub stream: Stream,
    /// The sums of its samples.
    pub extents: Vec<Extent>,
}

impl Measured {
    /// A file that is not there, or that cannot be read.
    pub fn nothing(serial: Option<u32>) -> Self {
        let pages = serial.map(|serial| Pages { serial, count: 0 });
        let stream = Stream { pages, open: false };
        Self { bytes: 0, length: Ticks::ZERO, packets: 0, damaged: false, stream, extents: Vec::new() }
    }
}

/// Measures an Ogg part, up to its last whole page that ends with a whole packet. What is damaged before that counts: the pages
/// behind it say where they are. A file of no good page has this serial number.
pub(super) fn ogg(mut file: impl Read, serial: u32) -> io::Result<Measured> {
    let mut measured = Measured::nothing(Some(serial));
    measured.stream.open = true;
    let mut stream = None;
    let mut reached = measured.clone();
    let mut pages = PageReader::new();
    let mut skipped = false;
    let mut buffer = vec![0; READ];
    loop {
        let read = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        pages.push(&buffer[..read]);
        loop {
            let page = match pages.pull() {
                Ok(Some(page)) => page,
                Ok(None) if read > 0 || pages.end().is_ok() => break,
                // Also what looks like the rest of a page may have whole ones in it.
                Ok(None) | Err(_) => {
                    pages.skip();
                    skipped = true;
                    continue;
                }
            };
            if *stream.get_or_insert(page.serial) != page.serial {
                continue;
            }
            reached.damaged |= skipped;
            reached.bytes = page.end();
            reached.stream = Stream {
                pages: Some(Pages { serial: page.serial, count: page.sequence.saturating_add(1) }),
                open: !page.last,
            };
            reached.length = page.granule.map_or(reached.length, Ticks::new);
            // The first two pages are the head and the tags (RFC 7845 §3).
            if page.sequence >= 2 {
                let packets = page.pieces().filter(|piece| piece.ends && !opus::is_silence(piece.data)).count();
                reached.packets += packets as u64;
            }
            if page.lacing.last().is_none_or(|&lacing| lacing < 255) {
                measured = reached.clone();
            }
        }
        if read == 0 {
            return Ok(measured);
        }
    }
}

/// The sums of an Ogg file's packets, in order, but for coded silence.
pub(super) fn packets(mut file: impl Read) -> io::Result<Vec<u32>> {
    let (mut salvager, mut sums, mut buffer) = (Salvager::new(), Vec::new(), vec![0; READ]);
    loop {
        let read = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            salvager.finish();
        }
        salvager.push(&buffer[..read]);
        while let Some(packet) = salvager.pull() {
            sums.extend((!opus::is_silence(&packet.data)).then(|| crc32fast::hash(&packet.data)));
        }
        if read == 0 {
            return Ok(sums);
        }
    }
}

/// Measures a WAV part: all of its whole frames; where the recording has `ended`, those that its header counts, unless that cannot be.
pub(super) fn wav(mut file: impl Read, head: pcm::Head, ended: bool) -> io::Result<Measured> {
    let frame = head.frame_bytes();
    let offset = data_offset(head);
    let mut header = Vec::new();
    (&mut file).take(offset).read_to_end(&mut header)?;
    let mut measured = Measured::nothing(None);
    if (header.len() as u64) < offset {
        return Ok(measured);
    }
    let size = header.last_chunk().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    let counts = ended && header == header_for(head, size) && size.is_multiple_of(frame as u64);
    let mut sums = Extents::begin(offset, frame as u64);
    let mut file = file.take(if counts { size } else { u64::MAX });
    let mut data = 0;
    loop {
        let mut piece = Vec::with_capacity(READ * frame);
        (&mut file).take((READ * frame) as u64).read_to_end(&mut piece)?;
        let whole = piece.len() / frame * frame;
        sums.push(&piece[..whole]);
        data += whole as u64;
        measured.extents.extend(sums.full());
        if piece.len() < READ * frame {
            break;
        }
    }
    measured.extents.extend(sums.news());
    measured.bytes = offset + data;
    measured.length = head.ticks(data / frame as u64);
    // What is still to be made right is its header.
    measured.stream.open = header != header_for(head, data);
    Ok(measured)
}
