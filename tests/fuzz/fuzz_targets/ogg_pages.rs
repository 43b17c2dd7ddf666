//! Any bytes, cut any way: the Ogg readers do not panic and give the same; what is read as a page is where it says.

#![no_main]

mod checksums;

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

fuzz_target!(|bytes: &[u8]| {
    let size = 1 + bytes.len() % 61;
    let mut right = bytes.to_vec();
    checksums::put_right_ogg(&mut right);
    for bytes in [bytes, right.as_slice()] {
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
