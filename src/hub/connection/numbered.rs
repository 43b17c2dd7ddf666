//! A track of packets that its publisher numbers and times: checked, and made into what the track keeps, a bounded piece at a
//! time.
//!
//! What belongs here: lengths, and what listeners hear of plain samples. What does not: numbers that come again or are left
//! out (the room), threads (`publishing.rs`).

use std::collections::VecDeque;

use bytes::Bytes;

use super::Refusal;
use super::publishing::{Batch, Decoded};
use crate::media::codec::transcode::{BlockTranscoder, length};
use crate::media::opus;
use crate::media::packet::{Sequence, SourcePacket};
use crate::media::pcm;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// The sound of a piece that an encoder works on: some ten milliseconds of work.
const MOST_WORK: Ticks = Ticks::from_secs(1);

/// A stream of packets.
pub struct Numbered {
    way: Way,
    /// Whether no packet has come out yet.
    begins: bool,
    /// The number of the first that waits.
    first: Sequence,
    waiting: VecDeque<SourcePacket>,
    /// What is wrong with the packet behind those that wait.
    broken: Option<Refusal>,
}

enum Way {
    /// Packets pass untouched.
    Opus(opus::Head),
    /// Each packet is a block, and gets the Opus beside it that listeners hear. What makes that is made with the first.
    Pcm(pcm::Head, Option<Box<BlockTranscoder>>),
}

impl Numbered {
    /// A stream of packets of this format.
    pub const fn new(format: &Format) -> Self {
        let way = match format {
            Format::Opus(head) => Way::Opus(*head),
            Format::Pcm(head) => Way::Pcm(*head, None),
        };
        Self { way, begins: true, first: Sequence::ZERO, waiting: VecDeque::new(), broken: None }
    }

    /// Takes a message's packets, for [`Self::decode`], which must have given all of the message before.
    pub fn take(&mut self, first: Sequence, time: Ticks, packets: Vec<Bytes>) {
        self.first = first;
        let mut time = time;
        for data in packets {
            match self.length(&data) {
                Ok(duration) => {
                    self.waiting.push_back(SourcePacket { time, duration, data, heard: None });
                    time = time.saturating_add(duration);
                }
                Err(refusal) => {
                    self.broken = Some(refusal);
                    return;
                }
            }
        }
    }

    fn length(&self, data: &[u8]) -> Result<Ticks, Refusal> {
        match &self.way {
            Way::Opus(_) => opus::duration(data).map_err(Refusal::Packet),
            Way::Pcm(head, _) => length(*head, data).map_err(Refusal::Block),
        }
    }

    /// Whether decoding costs so little that any thread may do it.
    pub const fn is_free(&self) -> bool {
        matches!(self.way, Way::Opus(_))
    }

    /// Gives the packets that have come: all of them, or a piece.
    pub fn decode(&mut self) -> Decoded {
        let (first, mut packets) = (self.first, Vec::new());
        let mut decoded = Decoded::default();
        let format = match &mut self.way {
            Way::Opus(head) => {
                packets.extend(self.waiting.drain(..));
                Format::Opus(*head)
            }
            Way::Pcm(head, transcoder) => {
                let transcoder = match transcoder {
                    Some(transcoder) => transcoder,
                    none => match BlockTranscoder::new(*head) {
                        Ok(transcoder) => none.insert(Box::new(transcoder)),
                        Err(error) => return decoded.refused(Refusal::Decoder(error)),
                    },
                };
                let mut work = Ticks::ZERO;
                while work < MOST_WORK
                    && let Some(packet) = self.waiting.pop_front()
                {
                    work = work.saturating_add(packet.duration);
                    match transcoder.push(packet) {
                        Ok(packet) => packets.push(packet),
                        Err(error) => {
                            self.waiting.clear();
                            self.broken = Some(Refusal::Block(error));
                        }
                    }
                }
                Format::Pcm(*head)
            }
        };
        self.first = first.after(packets.len() as u64);
        decoded.more = !self.waiting.is_empty();
        if !packets.is_empty() {
            let restarted = std::mem::take(&mut self.begins);
            let source = format.codec();
            decoded.batches.push(Batch { format, source, restarted, first: Some(first), packets });
        }
        if !decoded.more {
            decoded.refusal = self.broken.take();
        }
        decoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: Format = Format::Opus(opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 });

    fn pcm(rate: u32) -> Format {
        Format::Pcm(pcm::Head::new(pcm::Sample::F32, rate, 2).unwrap())
    }

    #[test]
    fn what_came_before_an_error_is_kept() {
        let silence = Bytes::from_static(opus::SILENCE_20_MS.0);
        let mut opus = Numbered::new(&OPUS);
        opus.take(Sequence::new(5), Ticks::new(7), vec![silence.clone(), silence, Bytes::new()]);
        let mut pcm = Numbered::new(&pcm(48_000));
        let block = Bytes::from(vec![0; 960 * 8]);
        pcm.take(Sequence::new(5), Ticks::new(7), vec![block.clone(), block, Bytes::from_static(&[0; 9])]);
        for (mut numbered, refusal) in [(opus, "empty"), (pcm, "9 bytes")] {
            let decoded = numbered.decode();
            let told = decoded.refusal.expect("it is refused").to_string();
            assert!(told.contains(refusal), "{told}");
            let [batch] = &decoded.batches[..] else { panic!("one batch") };
            assert_eq!((batch.first, batch.restarted, batch.packets.len()), (Some(Sequence::new(5)), true, 2));
            assert_eq!(batch.packets[1].time, Ticks::new(967));
        }
    }

    #[test]
    fn a_block_stays_a_packet_and_what_is_heard_of_it_is_as_long() {
        let mut numbered = Numbered::new(&pcm(44_100));
        let blocks: Vec<Bytes> = [441, 882, 1764, 2646].map(|frames: usize| vec![0; frames * 8].into()).into();
        numbered.take(Sequence::ZERO, Ticks::ZERO, blocks.clone());
        let decoded = numbered.decode();
        assert_eq!((decoded.refusal, decoded.more), (None, false));
        let packets = &decoded.batches[0].packets;
        let kept: Vec<_> = packets.iter().map(|packet| packet.data.clone()).collect();
        assert_eq!(kept, blocks);
        for (packet, millis) in packets.iter().zip([10, 20, 40, 60]) {
            assert_eq!(packet.duration.as_millis(), millis);
            let heard = packet.heard.as_ref().expect("others hear it");
            assert_eq!(opus::duration(heard), Ok(packet.duration));
        }
    }

    #[test]
    fn blocks_come_in_pieces_that_are_numbered_on() {
        let mut numbered = Numbered::new(&pcm(8000));
        numbered.take(Sequence::new(3), Ticks::ZERO, vec![Bytes::from(vec![0; 160 * 8]); 120]);
        let mut pieces = Vec::new();
        loop {
            let decoded = numbered.decode();
            for batch in &decoded.batches {
                pieces.push((batch.first.map(Sequence::get), batch.restarted, batch.packets.len()));
            }
            if !decoded.more {
                break;
            }
        }
        assert_eq!(pieces, [(Some(3), true, 50), (Some(53), false, 50), (Some(103), false, 20)]);
    }

    #[test]
    fn a_block_of_another_length_is_refused() {
        for frames in [1, 479, 481, 1440, 4800] {
            let mut numbered = Numbered::new(&pcm(48_000));
            numbered.take(Sequence::ZERO, Ticks::ZERO, vec![vec![0; frames * 8].into()]);
            let refusal = numbered.decode().refusal;
            assert!(matches!(refusal, Some(Refusal::Block(_))), "{frames}: {refusal:?}");
        }
    }
}
