//! Any bytes as any stream, cut any way: no demuxer panics, holds more than it may, or gives anything else than in one piece.

#![no_main]

mod input;

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use roomtone::container::stream::{Error, Event};
use roomtone::media::packet::SourcePacket;
use roomtone::media::source::Source;
use roomtone::media::time::Ticks;

use input::{Input, pull};

/// What a demuxer may hold between two pushes, in bytes: that of the most generous.
const HELD: usize = 2 << 20;

/// An input whose first byte has this bit has its end sent again and again: so much of it, and so much in all.
const ENDLESSLY: u8 = 0x80;
const END: usize = 4096;
const ENDLESS: usize = 4 << 20;

/// What came out, but for how plain samples were divided: that may depend on how they came.
#[derive(Default, PartialEq, Debug)]
struct Heard {
    events: Vec<Event>,
    /// Where samples begin among the events, how long they sound, and what they are.
    samples: Vec<(usize, Ticks, BytesMut)>,
    plain: bool,
}

impl Heard {
    fn take(&mut self, event: Event) {
        match event {
            Event::Packet(SourcePacket { duration, data, .. }) if self.plain => {
                let at = self.events.len();
                match self.samples.last_mut().filter(|last| last.0 == at) {
                    Some((_, length, samples)) => {
                        *length = length.saturating_add(duration);
                        samples.extend_from_slice(&data);
                    }
                    None => self.samples.push((at, duration, Bytes::into(data))),
                }
            }
            event => {
                if let Event::Head(source) = &event {
                    self.plain = matches!(source, Source::Pcm(_));
                }
                self.events.push(event);
            }
        }
    }
}

/// All that came out, and the error that ended it.
fn demux<'a>(input: &Input, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Heard, Option<Error>) {
    let mut demuxer = input.demuxer();
    let mut heard = Heard::default();
    for piece in pieces {
        demuxer.push(piece);
        if let Err(error) = pull(&mut *demuxer, |event| heard.take(event)) {
            return (heard, Some(error));
        }
        assert!(demuxer.held() <= HELD, "{} bytes are held", demuxer.held());
    }
    demuxer.finish();
    let error = pull(&mut *demuxer, |event| heard.take(event)).err();
    (heard, error)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(input) = Input::read(bytes) else { return };
    assert_eq!(demux(&input, input.pieces()), demux(&input, [input.bytes.as_slice()]));
    if bytes[0] & ENDLESSLY != 0 {
        let end = &input.bytes[input.bytes.len().saturating_sub(END)..];
        let again = std::iter::repeat_n(end, ENDLESS / END);
        demux(&input, [input.bytes.as_slice()].into_iter().chain(again));
    }
});
