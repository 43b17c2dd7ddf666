//! What a client publishes, from bytes to packets: plain structs, no room and no runtime.
//!
//! What belongs here: the demuxer of each track, and what goes to the room of each message. What does not: when it may go
//! there (`mod.rs`).

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;

use super::{Refusal, Warning};
use crate::container::stream::{Demux, Event};
use crate::container::webm;
use crate::hub::clock::{AHEAD, LONGEST_START};
use crate::media::opus;
use crate::media::packet::{Sequence, SourcePacket};
use crate::media::source;
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;

/// Packets of one track that go to the room together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How they are encoded.
    pub format: Format,
    /// Whether an encoder started with the first of them.
    pub restarted: bool,
    /// The number of the first, where the publisher numbers them.
    pub first: Option<Sequence>,
    /// The packets.
    pub packets: Vec<SourcePacket>,
}

/// What a message held: what came before an error is kept, whatever comes after.
#[derive(Debug, Default)]
pub struct Decoded {
    /// In order.
    pub batches: Vec<Batch>,
    /// What was left out of the stream.
    pub warnings: Vec<Warning>,
    /// Why the stream cannot go on.
    pub refusal: Option<Refusal>,
    /// Whether more can be decoded of what has come.
    pub more: bool,
}

/// The packets that are decoded at a time, of container bytes: a message may hold a million of a byte each. More than the
/// room takes at once, which is five seconds.
const MOST_DECODED: usize = 4096;

/// A track of this connection.
pub struct Stream {
    source: Source,
    /// How far its sound may run ahead.
    pub pace: Rc<Pace>,
}

enum Source {
    /// `begins` is the format of an encoder whose first packet has not come.
    Container {
        demuxer: Box<dyn Demux>,
        format: Option<Format>,
        begins: bool,
    },
    Packets {
        format: Format,
        begun: bool,
    },
}

impl Stream {
    /// A stream of WebM bytes.
    #[must_use]
    pub fn container() -> Self {
        let source = Source::Container { demuxer: Box::new(webm::Demuxer::new()), format: None, begins: false };
        Self { source, pace: Rc::default() }
    }

    /// A stream of packets of this format.
    #[must_use]
    pub fn packets(format: Format) -> Self {
        Self { source: Source::Packets { format, begun: false }, pace: Rc::default() }
    }

    /// Takes a piece of the container's bytes, for [`Self::decode`].
    ///
    /// # Errors
    /// Where the track is one of packets.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let Source::Container { demuxer, .. } = &mut self.source else { return Err(Refusal::OtherSource) };
        demuxer.push(bytes);
        Ok(())
    }

    /// Decodes the container's bytes that have come: all of them, or as many packets as there may be at a time.
    pub fn decode(&mut self) -> Decoded {
        let mut decoded = Decoded::default();
        let Source::Container { demuxer, format: known, begins } = &mut self.source else { return decoded };
        let mut packets = 0;
        loop {
            if packets == MOST_DECODED {
                decoded.more = true;
                break;
            }
            match demuxer.pull() {
                Ok(Some(Event::Head(source::Source::Opus(head)))) => {
                    *known = Some(Format::Opus(head));
                    *begins = true;
                }
                Ok(Some(Event::Packet(packet))) => {
                    // The demuxer gives a head before the first packet.
                    let Some(format) = known else { continue };
                    packets += 1;
                    let restarted = std::mem::take(begins);
                    match decoded.batches.last_mut() {
                        Some(batch) if !restarted => batch.packets.push(packet),
                        _ => {
                            let (format, packets) = (format.clone(), vec![packet]);
                            decoded.batches.push(Batch { format, restarted, first: None, packets });
                        }
                    }
                }
                // No demuxer gives these yet.
                Ok(Some(Event::Head(source::Source::Pcm(_) | source::Source::Coded(_)))) => {}
                Ok(Some(Event::Ignored(ignored))) => decoded.warnings.push(Warning::Ignored(ignored)),
                Ok(None) => break,
                Err(error) => {
                    decoded.refusal = Some(Refusal::Stream(error));
                    break;
                }
            }
        }
        decoded
    }

    /// Takes packets that the publisher numbered and timed.
    pub fn numbered(&mut self, first: Sequence, time: Ticks, packets: Vec<Bytes>) -> Decoded {
        let mut decoded = Decoded::default();
        let Source::Packets { format, begun } = &mut self.source else {
            decoded.refusal = Some(Refusal::OtherSource);
            return decoded;
        };
        let restarted = !std::mem::replace(begun, true);
        let mut batch = Batch { format: format.clone(), restarted, first: Some(first), packets: Vec::new() };
        let mut time = time;
        for data in packets {
            match opus::duration(&data) {
                Ok(duration) => {
                    batch.packets.push(SourcePacket { time, duration, data, heard: None });
                    time = time.saturating_add(duration);
                }
                Err(error) => {
                    decoded.refusal = Some(Refusal::Packet(error));
                    break;
                }
            }
        }
        decoded.batches.push(batch);
        decoded
    }
}

/// How much sound of a track may go to the room now: at most two seconds ahead of real time, as the room's clock has it.
#[derive(Debug)]
pub struct Pace {
    told: Cell<(Moment, Ticks)>,
}

impl Default for Pace {
    fn default() -> Self {
        // A track may begin three seconds before its first message arrives.
        Self { told: Cell::new((Moment::START, LONGEST_START.saturating_add(AHEAD))) }
    }
}

impl Pace {
    /// The room said at `now` how much more may come.
    pub fn told(&self, now: Moment, ahead: Ticks) {
        self.told.set((now, ahead));
    }

    /// How many of these packets may go now.
    ///
    /// # Errors
    /// Where it is none: how long until the first may.
    pub fn fitting(&self, now: Moment, packets: &[SourcePacket]) -> Result<usize, Ticks> {
        let (at, ahead) = self.told.get();
        let mut allowed =
            ahead.saturating_add(if at == Moment::START { Ticks::ZERO } else { Ticks::from_duration(now.since(at)) });
        let mut count = 0;
        for packet in packets {
            match allowed.checked_sub(packet.duration) {
                Some(rest) => allowed = rest,
                None if count == 0 => return Err(packet.duration.saturating_sub(allowed)),
                None => break,
            }
            count += 1;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::packet::Packet;

    fn packets(count: usize) -> Vec<SourcePacket> {
        let packet =
            SourcePacket { time: Ticks::ZERO, duration: Ticks::from_millis(20), data: Bytes::new(), heard: None };
        vec![packet; count]
    }

    #[test]
    fn sound_goes_in_as_far_as_the_room_lets_it_and_then_in_real_time() {
        let pace = Pace::default();
        let at = |millis| Moment::START.after(Duration::from_millis(millis));
        assert_eq!(pace.fitting(at(9000), &packets(1000)), Ok(250));
        pace.told(at(9000), Ticks::ZERO);
        assert_eq!(pace.fitting(at(9000), &packets(10)), Err(Ticks::from_millis(20)));
        assert_eq!(pace.fitting(at(9050), &packets(10)), Ok(2));
    }

    #[test]
    fn what_came_before_an_error_is_kept() {
        let mut stream =
            Stream::packets(Format::Opus(opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 }));
        let silence = Bytes::from_static(opus::SILENCE_20_MS.0);
        let decoded = stream.numbered(Sequence::new(5), Ticks::new(7), vec![silence.clone(), silence, Bytes::new()]);
        assert_eq!(decoded.refusal, Some(Refusal::Packet(opus::PacketError::Empty)));
        let [batch] = &decoded.batches[..] else { panic!("one batch") };
        assert_eq!((batch.first, batch.restarted, batch.packets.len()), (Some(Sequence::new(5)), true, 2));
        assert_eq!(batch.packets[1].time, Ticks::new(967));
    }

    #[test]
    fn a_message_of_many_packets_is_decoded_in_pieces() {
        let head = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
        let packet = |number: u64| Packet {
            sequence: Sequence::new(number),
            time: Ticks::from_millis(number * 20),
            duration: Ticks::from_millis(20),
            data: Bytes::from_static(opus::SILENCE_20_MS.0),
            heard: None,
        };
        let packets: Vec<_> = (0..10_000).map(packet).collect();
        let mut stream = Stream::container();
        stream.push(&webm::mux::continuing(head, &packets)).unwrap();
        let mut counts = Vec::new();
        let mut begins = Vec::new();
        loop {
            let Decoded { batches, refusal, more, .. } = stream.decode();
            assert_eq!(refusal, None);
            counts.push(batches.iter().map(|batch| batch.packets.len()).sum::<usize>());
            begins.extend(batches.iter().map(|batch| batch.restarted));
            if !more {
                break;
            }
        }
        assert_eq!(counts, [4096, 4096, 10_000 - 2 * 4096]);
        assert_eq!(begins, [true, false, false]);
    }

    #[test]
    fn bytes_for_a_track_of_packets_are_refused() {
        let mut stream = Stream::container();
        assert_eq!(stream.numbered(Sequence::ZERO, Ticks::ZERO, vec![]).refusal, Some(Refusal::OtherSource));
    }
}
