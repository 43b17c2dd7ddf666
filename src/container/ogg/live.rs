//! Small whole files out of a few packets: what the message of a plain listener of Ogg is.
//!
//! What belongs here: the layout that was seen to play, alone and appended (RFC 3533, RFC 7845). What does not: which
//! packets go together, and when.
//!
//! Every message is OpusHead and OpusTags, a page each, and pages of packets. Of one stream's messages:
//!
//! - the serial is the same, and the pages' numbers run on through all pages, the repeated heads included. So appended
//!   messages are one stream without a hole: with numbers that begin anew opusdec loses the first packets of every message.
//!   A file that begins with another number than 0 is a stream that was joined in the middle (RFC 7845 §4.3);
//! - the repeated OpusHead bears the flag of a first page, without which a message is no file, and both heads the granule
//!   position 0 that RFC 7845 §3 asks for. The granule positions of the packets run on, also over a gap, which begins a page;
//! - the pre-skip is 0, so nothing of a message is thrown away, and no page is the last: a reader of appended messages would
//!   stop there.
//!
//! Seen with messages of 240 ms and of one packet, from tick 0 and from hour 1 on: one alone has its exact length in
//! ffmpeg 5.1, in opusdec 0.2, and by `decodeAudioData` and `<audio>` of Chromium 156 and Firefox 153; appended, from
//! the first or from a later one on, they have all samples in all of these. ffmpeg remarks that the repeated heads are
//! no Opus packets, and leaves them out; opusinfo warns of all that makes a message other than a file of its own.
//! Chromium counts an `<audio>`'s time from the granule position, Firefox from 0. At the joint of two messages that
//! were decoded apart there is a click: a decoder begins there without pre-roll.

use super::mux::PartMuxer;
use crate::media::opus;
use crate::media::packet::Packet;

/// The messages of one stream.
#[derive(Clone, Debug)]
pub struct Messages {
    head: opus::Head,
    pages: PartMuxer,
}

impl Messages {
    /// The messages of a stream that begins. Another head is another stream, with a serial of its own.
    #[must_use]
    pub fn new(serial: u32, head: opus::Head) -> Self {
        Self { head: head.with_pre_skip(0), pages: PartMuxer::resume(serial, 0, 0) }
    }

    /// The next message: what is heard of these packets, at their times as granule positions. A packet that begins before
    /// the end of the one before it begins there, since granule positions never run back. Without packets it is a head
    /// without sound.
    #[must_use]
    pub fn message(&mut self, packets: &[Packet]) -> Vec<u8> {
        self.pages.push_head(self.head, &[]);
        for packet in packets {
            self.pages.go_on_at(packet.time.get());
            // The last of a stream of PCM may be shorter than the Opus packet beside it, which is heard whole.
            let duration = opus::duration(packet.opus()).unwrap_or(packet.duration);
            self.pages.push(packet.opus(), duration);
        }
        self.pages.take()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Page, PageReader};
    use super::*;
    use crate::container::judge::{self, Capture};
    use crate::media::packet::Sequence;
    use crate::media::time::Ticks;

    const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };

    /// The packets of a WebM capture, from `start` on without a gap.
    fn placed(capture: &str, start: Ticks) -> (opus::Head, Vec<Packet>) {
        let (head, sources) = Capture::read(capture).opus();
        let mut packets = Vec::<Packet>::new();
        for source in sources {
            packets.push(Packet {
                sequence: Sequence::ZERO.after(packets.len() as u64),
                time: packets.last().map_or(start, Packet::end),
                duration: source.duration,
                data: source.data,
                heard: None,
            });
        }
        (head, packets)
    }

    fn pages(bytes: &[u8]) -> Vec<Page> {
        let mut reader = PageReader::new();
        reader.push(bytes);
        let pages = std::iter::from_fn(|| reader.pull().unwrap()).collect();
        assert_eq!(reader.end(), Ok(bytes.len() as u64));
        pages
    }

    #[test]
    fn messages_decode_alone_and_appended_decode_whole() {
        for (capture, count, start) in [("chromium-webm-opus", 4, 0), ("firefox-webm-opus", 12, 3600)] {
            let (head, packets) = placed(capture, Ticks::from_secs(start));
            let packets = &packets[..8 * count];
            let mut one = Messages::new(7, head);
            let whole = judge::decode_quietly(&one.message(packets));
            assert_eq!(whole.len(), 8 * 11_520, "{capture}");
            let mut messages = Messages::new(7, head);
            let mut appended = Vec::new();
            for packets in packets.chunks(count) {
                let message = messages.message(packets);
                judge::describe(&message);
                assert_eq!(judge::decode_quietly(&message).len(), 11_520, "{capture}");
                appended.extend(message);
            }
            let (samples, said) = judge::decode(&appended);
            assert!(samples == whole, "{capture}: {} samples", samples.len());
            // Only the repeated heads, two in each message but the first.
            assert_eq!(said.lines().filter(|line| line.contains("Error parsing the packet header")).count(), 2 * 7);
        }
    }

    #[test]
    fn the_numbers_and_the_granule_positions_run_on() {
        let (head, packets) = placed("firefox-webm-opus", Ticks::from_secs(5));
        let mut messages = Messages::new(7, head);
        let appended: Vec<u8> = packets[..60].chunks(12).flat_map(|packets| messages.message(packets)).collect();
        for (index, page) in pages(&appended).iter().enumerate() {
            assert_eq!((page.serial, page.sequence as usize, page.last), (7, index, false));
            assert_eq!(page.first, index % 3 == 0);
            let end = 5 * 48_000 + 11_520 * (index as u64 / 3 + 1);
            assert_eq!(page.granule, Some(if index % 3 == 2 { end } else { 0 }));
        }
    }

    #[test]
    fn a_gap_begins_a_page_and_time_never_runs_back() {
        let (head, packets) = placed("firefox-webm-opus", Ticks::ZERO);
        let late = Packet { time: Ticks::from_secs(2), ..packets[1].clone() };
        let early = Packet { time: Ticks::from_secs(1), ..packets[2].clone() };
        let message = Messages::new(1, head).message(&[packets[0].clone(), late, early]);
        let found: Vec<_> = pages(&message)[2..].iter().map(|page| (page.granule, page.packets_ended())).collect();
        assert_eq!(found, [(Some(960), 1), (Some(96_000 + 2 * 960), 2)]);
    }

    #[test]
    fn what_is_heard_of_pcm_is_its_opus() {
        let heard = bytes::Bytes::from_static(opus::SILENCE_20_MS.0);
        let packet = Packet {
            sequence: Sequence::ZERO,
            time: Ticks::ZERO,
            duration: Ticks::new(7),
            data: vec![0; 28].into(),
            heard: Some(heard.clone()),
        };
        let message = Messages::new(1, HEAD).message(&[packet]);
        let last = pages(&message).pop().unwrap();
        assert_eq!((last.granule, &last.body[..]), (Some(960), &heard[..]));
        assert_eq!(judge::decode_quietly(&message).len(), 960);
    }

    #[test]
    fn a_message_without_packets_is_a_head() {
        let found = pages(&Messages::new(1, HEAD).message(&[]));
        assert_eq!(found.len(), 2);
        assert_eq!(opus::Head::parse(&found[0].body), Ok(HEAD.with_pre_skip(0)));
    }

    proptest! {
        #[test]
        fn every_packet_is_in_its_message(
            start in 0..1_u64 << 40,
            lengths in prop::collection::vec((0..3_u64, 1..1275_usize), 1..400),
            count in 1..50_usize,
        ) {
            let mut time = Ticks::new(start);
            let packet = |(gap, length): (u64, usize)| {
                let data = [&[0xF8][..], &vec![7; length]].concat();
                time = time.saturating_add(Ticks::from_millis(20 + 1000 * (gap / 2)));
                let duration = Ticks::from_millis(20);
                Packet { sequence: Sequence::ZERO, time, duration, data: data.into(), heard: None }
            };
            let packets: Vec<Packet> = lengths.into_iter().map(packet).collect();
            let mut messages = Messages::new(3, HEAD);
            for packets in packets.chunks(count) {
                let found = pages(&messages.message(packets));
                let bodies: Vec<u8> = found[2..].iter().flat_map(|page| page.body.clone()).collect();
                prop_assert_eq!(bodies, packets.iter().flat_map(|packet| packet.data.to_vec()).collect::<Vec<_>>());
                prop_assert_eq!(found.last().unwrap().granule, packets.last().map(|packet| packet.end().get()));
            }
        }
    }
}
