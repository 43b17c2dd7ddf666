//! Any bytes, cut any way: the Ogg readers do not panic and give the same; what is read as a page is where it says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomtone::container::ogg::{Demuxer, Error, Event, Page, PageReader, Torn};

/// All pages, and where and how they end.
fn pages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Page>, Result<u64, Torn>) {
    let mut reader = PageReader::new();
    let mut pages = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.pull() {
                Ok(Some(page)) => pages.push(page),
                Ok(None) => break,
                Err(torn) => return (pages, Err(torn)),
            }
        }
    }
    (pages, reader.end())
}

/// All events, and the error that ends them.
fn demux<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<Error>) {
    let mut demuxer = Demuxer::new();
    let mut events = Vec::new();
    for piece in pieces {
        demuxer.push(piece);
        loop {
            match demuxer.pull() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

/// The input with the checksums of its pages put right, so that what is behind them is reached.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut from = 0;
    while let Some(rest) = bytes.get_mut(from..) {
        let Some(&count) = rest.get(26) else { break };
        let Some(lacing) = rest.get(27..27 + usize::from(count)) else { break };
        let length = 27 + lacing.len() + lacing.iter().map(|&value| usize::from(value)).sum::<usize>();
        let Some(page) = rest.get_mut(..length) else { break };
        page[..4].copy_from_slice(b"OggS");
        page[22..26].fill(0);
        let crc = page.iter().fold(0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
        });
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        from += length;
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let size = 1 + bytes.len() % 61;
    for bytes in [bytes, &with_checksums(bytes)] {
        let whole = pages([bytes]);
        assert_eq!(pages(bytes.chunks(size)), whole);
        let (pages, end) = whole;
        let mut offset = 0;
        for page in &pages {
            assert_eq!(page.offset, offset);
            assert_eq!(page.pieces().map(|piece| piece.data.len()).sum::<usize>(), page.body.len());
            assert_eq!(page.pieces().filter(|piece| piece.ends).count(), page.packets_ended());
            offset = page.end();
        }
        assert_eq!(end.unwrap_or_else(|torn| torn.offset), offset);
        assert_eq!(demux(bytes.chunks(size)), demux([bytes]));
    }
});
