//! A track of container bytes: from its publisher's bytes to the track's packets, a bounded piece at a time.
//!
//! What belongs here: which demuxer, which transcoder for which head, and where a piece ends. What does not: on which
//! thread that happens (`publishing.rs`), and when its packets may go to the room (`publisher.rs`).

use super::publishing::{Batch, Decoded};
use super::{Refusal, Warning};
use crate::container::sniff::{Sniffed, sniff};
use crate::container::stream::{Demux, Event, Opening, demuxer};
use crate::media::codec::transcode::Transcoder;
use crate::media::packet::SourcePacket;
use crate::media::source::{Codec, Source};
use crate::media::time::Ticks;
use crate::media::track::Format;

/// The packets of a piece: a message may hold a million of a byte each. More than the room takes at once.
const MOST_PACKETS: usize = 4096;
/// The sound of a piece that a decoder or an encoder works on: some ten milliseconds of work.
const MOST_WORK: Ticks = Ticks::from_secs(1);
/// What making a decoder, a resampler and an encoder counts as: a message may hold twenty thousand heads.
const HEAD_WORK: Ticks = Ticks::from_millis(100);

/// A stream of container bytes.
pub struct Container {
    opened: Opened,
    /// A head that was read; what its packets go through is made with the first of them.
    next: Option<Source>,
    /// What the packets go through that are read; none before the first head, and after the end.
    current: Option<Current>,
    ended: bool,
}

enum Opened {
    /// Its first bytes will tell what it is: these, which are fewer than eight, do not.
    Sniffing(Vec<u8>),
    As(Box<dyn Demux>),
}

struct Current {
    codec: Codec,
    transcoder: Transcoder,
    /// Whether no packet of it has come out yet.
    begins: bool,
    /// Room for what comes out.
    out: Vec<SourcePacket>,
}

impl Container {
    /// A stream that begins so, or that its first bytes tell of.
    pub fn new(opening: Option<Opening>) -> Self {
        let opened = opening.map_or_else(|| Opened::Sniffing(Vec::new()), |opening| Opened::As(demuxer(opening)));
        Self { opened, next: None, current: None, ended: false }
    }

    /// Takes a piece of the bytes, for [`Self::decode`].
    ///
    /// # Errors
    /// Where the first bytes are none that are accepted.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        match &mut self.opened {
            Opened::As(demuxer) => demuxer.push(bytes),
            Opened::Sniffing(held) => {
                held.extend_from_slice(bytes);
                match sniff(held) {
                    Sniffed::Prefix => {}
                    Sniffed::Other => return Err(Refusal::Unknown),
                    Sniffed::Kind(kind) => {
                        let mut demuxer = demuxer(Opening::Sniffed(kind));
                        demuxer.push(held);
                        self.opened = Opened::As(demuxer);
                    }
                }
            }
        }
        Ok(())
    }

    /// No more bytes will come: what is held of the stream is decoded too.
    pub fn finish(&mut self) {
        self.ended = true;
        if let Opened::As(demuxer) = &mut self.opened {
            demuxer.finish();
        }
    }

    /// Whether decoding costs so little that any thread may do it.
    pub fn is_free(&self) -> bool {
        match &self.next {
            Some(source) => matches!(source, Source::Opus(_)),
            None => self.current.as_ref().is_none_or(|current| current.transcoder.is_free()),
        }
    }

    /// Decodes what has come: all of it, or a piece. A piece ends also where what follows is free and what came before it
    /// is not, or the other way round.
    pub fn decode(&mut self) -> Decoded {
        let mut decoded = Decoded::default();
        let (mut packets, mut work) = (0, Ticks::ZERO);
        while packets < MOST_PACKETS && work < MOST_WORK {
            let Opened::As(demuxer) = &mut self.opened else { return decoded };
            match demuxer.pull() {
                Ok(Some(Event::Head(source))) => {
                    if let Some(current) = self.current.as_mut().filter(|current| current.goes_on_as(&source)) {
                        current.begins = true;
                        packets += 1;
                        continue;
                    }
                    let was_free = self.is_free();
                    if self.current.is_some() && !was_free {
                        work = work.saturating_add(HEAD_WORK);
                    }
                    self.end_current(&mut decoded);
                    self.next = Some(source);
                    packets += 1;
                    if self.is_free() != was_free {
                        break;
                    }
                }
                Ok(Some(Event::Packet(packet))) => {
                    if let Some(source) = self.next.take() {
                        match Current::new(&source) {
                            Ok(current) => self.current = Some(current),
                            Err(refusal) => return decoded.refused(refusal),
                        }
                    }
                    // The demuxer gives a head before the first packet.
                    let Some(current) = &mut self.current else { continue };
                    packets += 1;
                    if !current.transcoder.is_free() {
                        work = work.saturating_add(packet.duration);
                    }
                    current.push(packet, &mut decoded);
                }
                Ok(Some(Event::Ignored(ignored))) => decoded.warnings.push(Warning::Ignored(ignored)),
                Ok(None) => {
                    if self.ended {
                        self.end_current(&mut decoded);
                    }
                    return decoded;
                }
                Err(error) => {
                    self.end_current(&mut decoded);
                    return decoded.refused(Refusal::Stream(error));
                }
            }
        }
        decoded.more = true;
        decoded
    }

    /// Nothing more will come of the last head: what its transcoder holds is given.
    fn end_current(&mut self, decoded: &mut Decoded) {
        if let Some(mut current) = self.current.take() {
            current.transcoder.finish(&mut current.out);
            current.give(decoded);
        }
    }
}

impl Current {
    fn new(source: &Source) -> Result<Self, Refusal> {
        let transcoder = Transcoder::new(source).map_err(Refusal::Decoder)?;
        Ok(Self { codec: source.codec(), transcoder, begins: true, out: Vec::new() })
    }

    /// Whether what follows such a head is heard as one sound with what came before: else whoever sends a small WAV in each
    /// message would be heard with a click at every edge.
    fn goes_on_as(&self, source: &Source) -> bool {
        let same = matches!(source, Source::Pcm(head) if *self.transcoder.format() == Format::Pcm(*head));
        same && self.codec == Codec::Pcm && self.transcoder.is_between_blocks()
    }

    fn push(&mut self, packet: SourcePacket, decoded: &mut Decoded) {
        if let Err(error) = self.transcoder.push(packet, &mut self.out) {
            // It costs that packet alone: what comes out in its place is silence.
            tracing::debug!(codec = %self.codec, "a packet is left out: {error}");
        }
        self.give(decoded);
    }

    /// Puts what has come out behind what is there.
    fn give(&mut self, decoded: &mut Decoded) {
        if self.out.is_empty() {
            return;
        }
        let restarted = std::mem::take(&mut self.begins);
        match decoded.batches.last_mut() {
            Some(batch) if !restarted => batch.packets.append(&mut self.out),
            _ => decoded.batches.push(Batch {
                format: self.transcoder.format().clone(),
                source: self.codec,
                restarted,
                first: None,
                packets: std::mem::take(&mut self.out),
            }),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;

    use super::*;
    use crate::container::stream::Error;
    use crate::container::webm;
    use crate::media::packet::{Packet, Sequence};
    use crate::media::{opus, pcm};

    impl Container {
        /// A stream that this demuxer reads.
        pub fn with(demuxer: Box<dyn Demux>) -> Self {
            Self { opened: Opened::As(demuxer), next: None, current: None, ended: false }
        }
    }

    /// A demuxer that gives these events, and at the end those that it held.
    pub struct Script {
        events: VecDeque<Event>,
        held: Option<Event>,
    }

    impl Script {
        pub fn new(events: impl IntoIterator<Item = Event>) -> Self {
            Self { events: events.into_iter().collect(), held: None }
        }
    }

    impl Demux for Script {
        fn push(&mut self, _: &[u8]) {}

        fn pull(&mut self) -> Result<Option<Event>, Error> {
            Ok(self.events.pop_front())
        }

        fn finish(&mut self) {
            self.events.extend(self.held.take());
        }

        fn held(&self) -> usize {
            0
        }
    }

    /// A packet of plain samples that begins after so many milliseconds; no two samples near each other are equal.
    pub fn samples(head: pcm::Head, at: u64, length: u64) -> SourcePacket {
        let (time, duration) = (Ticks::from_millis(at), Ticks::from_millis(length));
        let bytes = usize::try_from(head.frames(duration)).unwrap() * head.frame_bytes();
        let first = usize::try_from(at).unwrap();
        let data = (0..bytes).map(|byte| u8::try_from((first + byte) % 251).unwrap()).collect::<Vec<_>>();
        SourcePacket { time, duration, data: data.into(), heard: None }
    }

    fn head(rate: u32) -> pcm::Head {
        pcm::Head::new(pcm::Sample::S16, rate, 1).unwrap()
    }

    /// Everything that comes out, until more has to be pushed.
    fn all(container: &mut Container) -> Vec<Batch> {
        let mut batches = Vec::new();
        loop {
            let decoded = container.decode();
            assert_eq!(decoded.refusal, None);
            batches.extend(decoded.batches);
            if !decoded.more {
                return batches;
            }
        }
    }

    fn kept(batches: &[Batch]) -> Vec<u8> {
        batches.iter().flat_map(|batch| &batch.packets).flat_map(|packet| packet.data.to_vec()).collect()
    }

    #[test]
    fn another_head_loses_nothing_of_what_came_before_it() {
        let (one, other) = (head(48_000), head(44_100));
        let sent = [samples(one, 0, 30), samples(one, 30, 25), samples(other, 0, 50)];
        let mut container = Container::with(Box::new(Script::new([
            Event::Head(Source::Pcm(one)),
            Event::Packet(sent[0].clone()),
            Event::Packet(sent[1].clone()),
            Event::Head(Source::Pcm(other)),
            Event::Packet(sent[2].clone()),
        ])));
        let mut batches = all(&mut container);
        let told = |batches: &[Batch]| -> Vec<_> {
            batches.iter().map(|batch| (batch.format.clone(), batch.restarted, batch.packets.len())).collect()
        };
        // Blocks of 20 ms: of 55 ms three, the last one short; of 50 ms two, and 10 ms are held.
        let expected = [(Format::Pcm(one), true, 3), (Format::Pcm(other), true, 2)];
        batches.dedup_by(|next, last| {
            !next.restarted && {
                last.packets.append(&mut next.packets);
                true
            }
        });
        assert_eq!(told(&batches), expected);
        container.finish();
        batches.extend(all(&mut container));
        assert_eq!(told(&batches)[2], (Format::Pcm(other), false, 1));
        let bytes: Vec<u8> = sent.iter().flat_map(|packet| packet.data.to_vec()).collect();
        assert_eq!(kept(&batches), bytes);
        assert!(all(&mut container).is_empty(), "it is given once");
    }

    #[test]
    fn what_the_demuxer_held_comes_before_what_the_transcoder_held() {
        let sent = [samples(head(8000), 0, 30), samples(head(8000), 30, 15)];
        let events = [Event::Head(Source::Pcm(head(8000))), Event::Packet(sent[0].clone())];
        let script = Script { held: Some(Event::Packet(sent[1].clone())), ..Script::new(events) };
        let mut container = Container::with(Box::new(script));
        let mut batches = all(&mut container);
        assert_eq!(kept(&batches), sent[0].data[..320]);
        container.finish();
        batches.extend(all(&mut container));
        assert_eq!(kept(&batches), [&sent[0].data[..], &sent[1].data[..]].concat());
    }

    #[test]
    fn sound_that_costs_work_comes_in_pieces_of_a_second() {
        let sound = (0..30).map(|number| Event::Packet(samples(head(8000), number * 100, 100)));
        let events = [Event::Head(Source::Pcm(head(8000)))].into_iter().chain(sound);
        let mut container = Container::with(Box::new(Script::new(events)));
        let mut pieces = Vec::new();
        loop {
            let decoded = container.decode();
            pieces.push(decoded.batches.iter().map(|batch| batch.packets.len()).sum::<usize>());
            if !decoded.more {
                break;
            }
        }
        // Behind the head it is known that what follows costs work.
        assert_eq!(pieces, [0, 50, 50, 50, 0]);
    }

    #[test]
    fn plain_samples_under_a_head_in_each_message_are_heard_as_one_sound() {
        let sound: Vec<_> = (0..4).map(|number| samples(head(8000), number * 100, 100)).collect();
        let packets = || sound.iter().cloned().map(Event::Packet);
        let one: Vec<_> = [Event::Head(Source::Pcm(head(8000)))].into_iter().chain(packets()).collect();
        let many: Vec<_> = packets().flat_map(|packet| [Event::Head(Source::Pcm(head(8000))), packet]).collect();
        let [one, many] = [one, many].map(|events| all(&mut Container::with(Box::new(Script::new(events)))));
        assert_eq!(many.iter().map(|batch| (batch.restarted, batch.packets.len())).collect::<Vec<_>>(), [(true, 5); 4]);
        let packets = |batches: Vec<Batch>| batches.into_iter().flat_map(|batch| batch.packets).collect::<Vec<_>>();
        assert_eq!(packets(one), packets(many));
    }

    #[test]
    fn a_message_of_many_heads_comes_in_pieces_of_a_few() {
        let one = [Event::Head(Source::Pcm(head(8000))), Event::Packet(samples(head(8000), 0, 10))];
        let mut container = Container::with(Box::new(Script::new(one.into_iter().cycle().take(200))));
        let mut pieces = Vec::new();
        loop {
            let decoded = container.decode();
            pieces.push(decoded.batches.len());
            if !decoded.more {
                break;
            }
        }
        assert!(pieces.iter().all(|piece| *piece <= 10), "{pieces:?}");
        assert_eq!(
            (pieces[0], pieces.iter().sum::<usize>()),
            (0, 99),
            "nothing is made of the first head where it is read"
        );
        container.finish();
        assert_eq!(container.decode().batches.len(), 1);
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
        let mut container = Container::new(None);
        let bytes = webm::mux::continuing(head, &packets);
        // Cut within the first bytes, which tell what it is.
        container.push(&bytes[..1]).unwrap();
        container.push(&[]).unwrap();
        assert!(all(&mut container).is_empty());
        container.push(&bytes[1..]).unwrap();
        let mut counts = Vec::new();
        let mut begins = Vec::new();
        loop {
            let Decoded { batches, refusal, more, .. } = container.decode();
            assert_eq!(refusal, None);
            counts.push(batches.iter().map(|batch| batch.packets.len()).sum::<usize>());
            begins.extend(batches.iter().map(|batch| batch.restarted));
            if !more {
                break;
            }
        }
        // The head counts as one.
        assert_eq!(counts, [4095, 4096, 10_000 - 4095 - 4096]);
        assert_eq!(begins, [true, false, false]);
    }

    #[test]
    fn bytes_that_begin_nothing_that_is_known_are_refused() {
        let mut container = Container::new(None);
        container.push(b"Og").unwrap();
        assert_eq!(container.push(b"h"), Err(Refusal::Unknown));
    }
}
