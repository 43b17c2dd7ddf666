//! Plain samples with nothing around them, which their publisher declares.
//!
//! What belongs here: frames out of messages. What does not: the declaration (`media::pcm`), samples in a container.
//!
//! There is nothing in such a stream to find its place by: one byte lost, and all that follows is noise. So every push, which
//! is a message, must be whole frames. Not more than a block of 20 ms, at most 30,720 bytes, is held for what comes next.

use bytes::Bytes;

use super::blocks::Blocks;
use super::input::Input;
use super::stream::{self, Demux, Event};
use crate::media::pcm::Head;
use crate::media::source::Source;

/// Cuts declared samples into packets of 20 ms, whatever the messages were; the last may be shorter.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, less than one block is held. A push adds its own length.
#[derive(Debug)]
pub struct Demuxer {
    blocks: Blocks,
    input: Input,
    /// The head was pulled.
    told: bool,
    /// What was refused; nothing more is taken.
    failed: Option<Error>,
}

/// A message that is not whole frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "broken samples at byte {offset}: a message of {bytes} bytes is not whole frames; a frame of {head} has {} bytes",
    head.frame_bytes()
)]
pub struct Error {
    /// Where the message begins, in bytes from the first that was pushed.
    pub offset: u64,
    /// Bytes of the message.
    pub bytes: usize,
    /// What was declared.
    pub head: Head,
}

impl Demuxer {
    /// A demuxer of samples that are declared so.
    #[must_use]
    pub fn new(head: Head) -> Self {
        Self { blocks: Blocks::new(head), input: Input::default(), told: false, failed: None }
    }
}

impl Demux for Demuxer {
    fn push(&mut self, bytes: &[u8]) {
        let head = self.blocks.head();
        if self.failed.is_some() {
            return;
        }
        if bytes.len().is_multiple_of(head.frame_bytes()) {
            self.input.push(bytes);
        } else {
            let offset = self.input.offset() + self.input.bytes().len() as u64;
            self.failed = Some(Error { offset, bytes: bytes.len(), head });
        }
    }

    fn pull(&mut self) -> Result<Option<Event>, stream::Error> {
        if !self.told {
            self.told = true;
            return Ok(Some(Event::Head(Source::Pcm(self.blocks.head()))));
        }
        let there = self.input.bytes();
        let whole = self.blocks.next_frames() * self.blocks.head().frame_bytes();
        let last = self.input.is_finished() || self.failed.is_some();
        if there.len() >= whole || (last && !there.is_empty()) {
            let data = Bytes::copy_from_slice(&there[..whole.min(there.len())]);
            self.input.consume(data.len());
            return Ok(Some(Event::Packet(self.blocks.packet(data))));
        }
        self.input.compact();
        self.failed.as_ref().map_or(Ok(None), |error| Err(error.clone().into()))
    }

    fn finish(&mut self) {
        self.input.finish();
    }

    fn held(&self) -> usize {
        self.input.bytes().len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{drain, packets};
    use super::*;
    use crate::media::pcm::Sample;
    use crate::media::time::Ticks;

    fn head() -> impl Strategy<Value = Head> {
        (proptest::sample::select(&Sample::ALL[..]), 8_000..=192_000_u32, 1..=2_u32)
            .prop_map(|(sample, rate, channels)| Head::new(sample, rate, channels).unwrap())
    }

    #[test]
    fn a_message_that_is_not_whole_frames_is_refused_with_the_reason_and_what_came_before_is_given() {
        let head = Head::new(Sample::F32, 48_000, 2).unwrap();
        let mut demuxer = Demuxer::new(head);
        demuxer.push(&[1; 8 * 961]);
        demuxer.push(&[2; 13]);
        demuxer.push(&[3; 8]);
        let (events, end) = drain(&mut demuxer);
        assert_eq!(events[0], Event::Head(Source::Pcm(head)));
        let durations: Vec<u64> = packets(&events).iter().map(|packet| packet.duration.get()).collect();
        assert_eq!(durations, [960, 1]);
        let error = end.unwrap_err();
        assert_eq!(
            error.to_string(),
            "broken samples at byte 7688: a message of 13 bytes is not whole frames; a frame of f32le, 48000 Hz, 2 channels has 8 bytes"
        );
        assert!(!error.is_unsupported());
        assert_eq!(demuxer.pull(), Err(error));
        assert_eq!(demuxer.held(), 0);
    }

    proptest! {
        #[test]
        fn every_sample_comes_out_once_in_blocks_of_20_ms_however_it_was_cut(
            head in head(), lengths in prop::collection::vec(0..5000_usize, 0..20),
        ) {
            let mut demuxer = Demuxer::new(head);
            let mut sent = Vec::new();
            let mut events = Vec::new();
            for (index, frames) in lengths.into_iter().enumerate() {
                let message: Vec<u8> = (0..frames * head.frame_bytes()).map(|at| (at + index).to_le_bytes()[0]).collect();
                demuxer.push(&message);
                sent.extend(message);
                events.extend(drain(&mut demuxer).0);
                prop_assert!(demuxer.held() < 30_720);
            }
            demuxer.finish();
            events.extend(drain(&mut demuxer).0);
            let data: Vec<u8> = packets(&events).iter().flat_map(|packet| packet.data.to_vec()).collect();
            prop_assert!(data == sent);
            let mut end = Ticks::ZERO;
            for packet in packets(&events) {
                prop_assert_eq!(packet.time, end);
                end = packet.time.saturating_add(packet.duration);
                prop_assert!(packet.duration.get() <= 966 && packet.heard.is_none());
            }
            prop_assert_eq!(end, head.ticks((sent.len() / head.frame_bytes()) as u64));
            let mut whole = Demuxer::new(head);
            whole.push(&sent);
            whole.finish();
            prop_assert!(drain(&mut whole).0 == events);
        }
    }
}
