//! Any bytes, cut any way: the WebM demuxer does not panic, holds no more than it says, and gives the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roomtone::container::stream::{Demux, Error, Event};
use roomtone::container::webm::{BLOCK_LIMIT, Demuxer, HEAD_ELEMENT_LIMIT};

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
                Err(error) => {
                    assert_eq!(demuxer.pull(), Err(error.clone()), "a demuxer that failed stays failed");
                    return (events, Some(error));
                }
            }
        }
        assert!(demuxer.held() as u64 <= HEAD_ELEMENT_LIMIT.max(BLOCK_LIMIT) + 12);
    }
    (events, None)
}

fuzz_target!(|bytes: &[u8]| {
    let whole = demux([bytes]);
    assert_eq!(demux(bytes.chunks(1)), whole);
    assert_eq!(demux(bytes.chunks(2 + bytes.len() % 61)), whole);
});
