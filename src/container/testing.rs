//! What the tests of every demuxer ask of it, whatever it reads.

use proptest::prelude::*;

use super::judge::{Probed, adler32};
use super::stream::{Demux, Error, Event};
use crate::media::packet::SourcePacket;
use crate::media::source::Source;

/// Pulls all that there is: the events, and the error behind them.
pub fn drain(demuxer: &mut dyn Demux) -> (Vec<Event>, Result<(), Error>) {
    let mut events = Vec::new();
    loop {
        match demuxer.pull() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

/// The packets among events.
pub fn packets(events: &[Event]) -> Vec<&SourcePacket> {
    events.iter().filter_map(|event| if let Event::Packet(packet) = event { Some(packet) } else { None }).collect()
}

/// The heads among events.
pub fn heads(events: &[Event]) -> Vec<&Source> {
    events.iter().filter_map(|event| if let Event::Head(source) = event { Some(source) } else { None }).collect()
}

/// The packets are those that ffprobe found: as many, and the same bytes.
pub fn are_the_same_bytes(name: &str, found: &[&SourcePacket], golden: &[Probed]) {
    assert_eq!(found.len(), golden.len(), "{name}");
    for (index, (found, golden)) in found.iter().zip(golden).enumerate() {
        assert_eq!(found.data.len(), golden.size, "{name}, packet {index}");
        assert_eq!(adler32(&found.data), golden.adler32, "{name}, packet {index}");
    }
}

/// A stream cut into these pieces, to its end: its events, the error that it ended in, and the most that was held.
pub fn demux<'a>(
    demuxer: &mut dyn Demux,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Result<(), Error>, usize) {
    let mut events = Vec::new();
    let mut most = 0;
    for piece in pieces {
        demuxer.push(piece);
        let (more, end) = drain(demuxer);
        events.extend(more);
        most = most.max(demuxer.held());
        if end.is_err() {
            assert_eq!(demuxer.held(), 0, "a demuxer that failed holds nothing");
            assert_eq!(demuxer.pull().map(|_| ()), end, "it stays failed");
            return (events, end, most);
        }
    }
    demuxer.finish();
    let (more, end) = drain(demuxer);
    events.extend(more);
    (events, end, most)
}

/// The events of a stream that is cut into these pieces and read without an error, of which never more than so much is held.
pub fn read<'a>(mut demuxer: impl Demux, pieces: impl IntoIterator<Item = &'a [u8]>, bound: usize) -> Vec<Event> {
    let (events, end, most) = demux(&mut demuxer, pieces);
    end.unwrap();
    assert!(most <= bound, "{most} bytes are held, more than {bound}");
    events
}

/// The events of a stream that is read to its end without an error.
pub fn events(mut demuxer: impl Demux, stream: &[u8]) -> Vec<Event> {
    let (events, end, _) = demux(&mut demuxer, [stream]);
    end.unwrap();
    events
}

/// The error that a stream ends in.
pub fn error(mut demuxer: impl Demux, stream: &[u8]) -> Error {
    demux(&mut demuxer, [stream]).1.expect_err("it is refused")
}

/// The stream gives the same in pieces of each of these sizes as in one, and never more than so much is held.
pub fn is_the_same_in_pieces<D: Demux>(
    new: impl Fn() -> D,
    stream: &[u8],
    sizes: impl IntoIterator<Item = usize>,
    bound: usize,
) {
    let (expected, expected_end, _) = demux(&mut new(), [stream]);
    for size in sizes {
        let (events, end, most) = demux(&mut new(), stream.chunks(size));
        assert!(events == expected, "in pieces of {size} bytes other events come");
        assert_eq!(end, expected_end, "in pieces of {size} bytes");
        assert!(most <= bound, "in pieces of {size} bytes {most} are held, more than {bound}");
    }
}

/// Sizes to cut a stream into.
pub fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..3_usize, 1..100_usize, 1..9000_usize], 1..32)
}

/// Bytes to change in a stream, by place and value.
pub fn changes(within: usize) -> impl Strategy<Value = Vec<(usize, u8)>> {
    prop::collection::vec((0..within, any::<u8>()), 0..16)
}

/// A stream in pieces of these sizes, over and over.
pub fn pieces<'a>(mut stream: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let (piece, rest) = stream.split_at((*sizes.next()?).min(stream.len()));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Whatever the bytes are and however they are cut, they are read or refused alike, and never more than so much is held.
pub fn is_read_or_refused<D: Demux>(new: impl Fn() -> D, stream: &[u8], sizes: &[usize], bound: usize) {
    let (expected, expected_end, _) = demux(&mut new(), [stream]);
    let (events, end, most) = demux(&mut new(), pieces(stream, sizes));
    assert!(events == expected, "cut otherwise, other events come");
    assert_eq!(end, expected_end);
    assert!(most <= bound, "{most} bytes are held, more than {bound}");
}
