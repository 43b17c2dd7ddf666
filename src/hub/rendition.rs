//! A room's packets muxed into one format for its readers: made once, shared by all of them.
//!
//! What belongs here: when a message is full, what pre-roll it gets, and its frame. What does not: who gets it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::outbox::{Cargo, Frame};
use crate::container::webm;
use crate::media::opus;
use crate::media::packet::Packet;
use crate::media::time::{Moment, Ticks};
use crate::media::track::{Format, TrackNumber};
use crate::wire::{frame, packets};

/// A plain message is full with this much sound and [`LEAST_PACKETS`].
pub const MESSAGE: Ticks = Ticks::from_millis(240);
/// A message of one packet fails in Media Source Extensions.
pub const LEAST_PACKETS: usize = 2;
/// The shortest pre-roll, in whole packets: a decoder that starts there is 28 dB below the signal at worst when it ends.
pub const PRE_ROLL: Ticks = Ticks::from_millis(180);
/// What is not full but has waited this long since its last packet is sent all the same.
pub const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// What a plain listener reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plain {
    /// Each message decodes on its own, with hidden pre-roll: `?as=webm`.
    PreRoll,
    /// Without pre-roll, times running on from message to message: `?as=webm&preroll=0`.
    Continuing,
}

/// The packets of one message of a publisher, placed, as the room hands them to its readers.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The packets, each beginning where the one before it ends.
    pub packets: Vec<Packet>,
    /// Whether the first does not go on where the track's last one ended.
    pub discontinuity: bool,
}

/// The frame of `roomtone.v1` that carries these packets as they are heard: Opus.
#[must_use]
pub fn v1(track: TrackNumber, placed: &Placed) -> Option<Frame> {
    v1_of(track, &placed.packets, placed.discontinuity, Packet::opus)
}

/// The frames that carry them as they are kept: the blocks of a PCM track. Each frame is at most as long as a plain message,
/// so that a listener who is behind can do without some of them.
pub fn v1_pcm(track: TrackNumber, placed: &Placed) -> impl Iterator<Item = Frame> {
    // A block is 20 ms, or what its publisher made of it: up to 60.
    let length = placed.packets.first().map_or(MESSAGE, |packet| packet.duration).max(Ticks::new(1));
    let blocks = usize::try_from(MESSAGE.get() / length.get()).unwrap_or(1).max(1);
    placed.packets.chunks(blocks).enumerate().filter_map(move |(index, blocks)| {
        v1_of(track, blocks, placed.discontinuity && index == 0, |packet| &packet.data)
    })
}

fn v1_of(track: TrackNumber, placed: &[Packet], discontinuity: bool, data: fn(&Packet) -> &Bytes) -> Option<Frame> {
    let first = placed.first()?;
    let flags = packets::Flags { discontinuity, backlog: false };
    let mut message =
        BytesMut::with_capacity(packets::HEADER + placed.iter().map(|packet| data(packet).len() + 2).sum::<usize>());
    let data = placed.iter().map(|packet| &data(packet)[..]);
    packets::write(&mut message, track.get(), flags, first.sequence, first.time, data);
    Some(Frame { bytes: frame::binary(&message), cargo: Cargo::Sound(sound(placed)) })
}

/// The newest packets of a track, kept whether anyone listens or not, so that the first message for the first listener
/// has its pre-roll.
#[derive(Debug, Default)]
pub struct Recent {
    packets: VecDeque<Packet>,
}

impl Recent {
    /// Adds a packet, and forgets what no pre-roll needs any more.
    pub fn push(&mut self, packet: Packet) {
        self.packets.push_back(packet);
        let mut length: Ticks = self.length();
        while let Some(oldest) = self.packets.front()
            && length.saturating_sub(oldest.duration) >= PRE_ROLL
        {
            length = length.saturating_sub(oldest.duration);
            self.packets.pop_front();
        }
    }

    /// Forgets everything: a decoder for what comes now must not see it.
    pub fn clear(&mut self) {
        self.packets.clear();
    }

    fn length(&self) -> Ticks {
        self.packets.iter().fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration))
    }
}

/// One plain rendition of a room: what is gathered of each track until a message is full.
#[derive(Debug)]
pub struct Rendition {
    layout: Plain,
    tracks: HashMap<TrackNumber, Gathering>,
    /// What is added to a session's times, in ticks, so that those of the next session run on.
    base: i64,
    /// The latest end of a sound that was sent, with the base in it.
    latest: Ticks,
}

#[derive(Debug)]
struct Gathering {
    head: opus::Head,
    pre_roll: Vec<Packet>,
    packets: Vec<Packet>,
    /// When the last packet came.
    heard: Moment,
}

impl Rendition {
    /// A rendition that nobody has read yet.
    #[must_use]
    pub fn new(layout: Plain) -> Self {
        Self { layout, tracks: HashMap::new(), base: 0, latest: Ticks::ZERO }
    }

    /// A session begins, and its clock with it: the times of messages run on for those who were here before.
    pub fn session_begins(&mut self) {
        self.go_on_at(Ticks::ZERO);
    }

    /// What comes next lies at `at` on the session's clock, wherever it was before: the times of messages run on.
    fn go_on_at(&mut self, at: Ticks) {
        self.base = self.latest.signed_since(at);
    }

    /// A replay goes to another place: what was gathered is forgotten, and the times of messages run on.
    pub fn move_to(&mut self, at: Ticks) {
        self.tracks.clear();
        self.go_on_at(at);
    }

    /// Takes placed packets of a track, `recent` being what went before them; gives the messages that are full.
    pub fn push(
        &mut self,
        track: TrackNumber,
        format: &Format,
        recent: &Recent,
        placed: &Placed,
        now: Moment,
    ) -> Vec<Frame> {
        let mut frames = Vec::new();
        if placed.discontinuity {
            frames.extend(self.end(track));
        }
        let mut before: VecDeque<Packet> = VecDeque::new();
        if !self.tracks.contains_key(&track) {
            before.clone_from(&recent.packets);
        }
        let gathering = self.tracks.entry(track).or_insert_with(|| Gathering {
            head: format.heard(),
            pre_roll: before.into(),
            packets: Vec::new(),
            heard: now,
        });
        gathering.heard = now;
        if let Some(last) = placed.packets.last() {
            self.latest = self.latest.max(last.end().saturating_add_signed(self.base));
        }
        for packet in &placed.packets {
            gathering.packets.push(packet.clone());
            if gathering.is_full() {
                frames.push(gathering.message(self.layout, self.base));
            }
        }
        frames
    }

    /// Ends a track: what was gathered of it is sent, however short.
    ///
    /// A lone packet gets 20 ms of coded silence behind it, since a message of one packet fails in browsers.
    pub fn end(&mut self, track: TrackNumber) -> Option<Frame> {
        let mut gathering = self.tracks.remove(&track)?;
        if let [last] = &gathering.packets[..] {
            let (silence, duration) = opus::SILENCE_20_MS;
            gathering.packets.push(Packet {
                sequence: last.sequence.next(),
                time: last.end(),
                duration,
                data: bytes::Bytes::from_static(silence),
                heard: None,
            });
        }
        (!gathering.packets.is_empty()).then(|| gathering.message(self.layout, self.base))
    }

    /// Sends what has waited too long for more.
    pub fn tick(&mut self, now: Moment) -> Vec<(TrackNumber, Frame)> {
        let mut frames = Vec::new();
        for (track, gathering) in &mut self.tracks {
            if gathering.packets.len() >= LEAST_PACKETS && now.since(gathering.heard) >= LONGEST_WAIT {
                frames.push((*track, gathering.message(self.layout, self.base)));
            }
        }
        frames
    }
}

impl Gathering {
    fn is_full(&self) -> bool {
        self.packets.len() >= LEAST_PACKETS && sound(&self.packets) >= MESSAGE
    }

    fn message(&mut self, layout: Plain, base: i64) -> Frame {
        let bytes = match layout {
            Plain::PreRoll => webm::mux::self_contained(self.head, &self.pre_roll, &self.packets),
            Plain::Continuing => {
                let shifted = self.packets.iter().cloned();
                let shifted = shifted.map(|packet| Packet { time: packet.time.saturating_add_signed(base), ..packet });
                webm::mux::continuing(self.head, &shifted.collect::<Vec<_>>())
            }
        };
        let cargo = Cargo::Sound(sound(&self.packets));
        self.pre_roll = tail(std::mem::take(&mut self.pre_roll), std::mem::take(&mut self.packets));
        Frame { bytes: frame::binary(&bytes), cargo }
    }
}

/// The last packets of both that make a pre-roll.
fn tail(before: Vec<Packet>, packets: Vec<Packet>) -> Vec<Packet> {
    let mut recent = Recent { packets: before.into() };
    for packet in packets {
        recent.push(packet);
    }
    recent.packets.into()
}

fn sound(packets: &[Packet]) -> Ticks {
    packets.iter().fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::packet::Sequence;
    use crate::media::source::Source;

    const TRACK: TrackNumber = TrackNumber::new(1);
    const FORMAT: Format = Format::Opus(opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 });

    /// `count` packets of 60 ms from packet `first` on.
    fn placed(first: u64, count: u64) -> Placed {
        let packet = |number| Packet {
            sequence: Sequence::new(number),
            time: Ticks::from_millis(60 * number),
            duration: Ticks::from_millis(60),
            data: Bytes::copy_from_slice(&[0x18, u8::try_from(number).unwrap()]),
            heard: None,
        };
        Placed { packets: (first..first + count).map(packet).collect(), discontinuity: false }
    }

    /// The data bytes of the packets in a message, and its pre-skip in ms.
    fn read(frame: &Frame) -> (Vec<u8>, u64) {
        let payload = frame.bytes.windows(4).position(|bytes| bytes == [0x1A, 0x45, 0xDF, 0xA3]).unwrap();
        let mut demuxer = webm::Demuxer::new();
        demuxer.push(&frame.bytes[payload..]);
        let (mut packets, mut skip) = (Vec::new(), 0);
        while let Some(event) = demuxer.pull().unwrap() {
            match event {
                webm::Event::Head(Source::Opus(head)) => skip = Ticks::new(head.pre_skip.into()).as_millis(),
                webm::Event::Packet(packet) => packets.push(packet.data[1]),
                other => panic!("a message of ours has nothing else: {other:?}"),
            }
        }
        (packets, skip)
    }

    #[test]
    fn a_message_holds_240_ms_and_the_next_one_its_pre_roll() {
        let mut rendition = Rendition::new(Plain::PreRoll);
        let frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 9), Moment::START);
        let messages: Vec<_> = frames.iter().map(read).collect();
        assert_eq!(messages, [(vec![0, 1, 2, 3], 0), (vec![1, 2, 3, 4, 5, 6, 7], 180)]);
        assert_eq!(frames[1].cargo, Cargo::Sound(Ticks::from_millis(240)));
    }

    #[test]
    fn without_pre_roll_every_packet_is_in_one_message() {
        let mut rendition = Rendition::new(Plain::Continuing);
        let mut frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 9), Moment::START);
        frames.extend(rendition.end(TRACK));
        let messages: Vec<_> = frames.iter().map(read).collect();
        // The last one is alone, and gets silence for company.
        assert_eq!(messages, [(vec![0, 1, 2, 3], 0), (vec![4, 5, 6, 7], 0), (vec![8, 0xFF], 0)]);
    }

    #[test]
    fn times_run_on_into_the_next_session() {
        let mut rendition = Rendition::new(Plain::Continuing);
        let mut times = Vec::new();
        for _ in 0..2 {
            rendition.session_begins();
            let frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 8), Moment::START);
            for frame in frames {
                let mut demuxer = webm::Demuxer::new();
                demuxer.push(&frame.bytes[4..]);
                while let Some(event) = demuxer.pull().unwrap() {
                    if let webm::Event::Packet(packet) = event {
                        times.push(packet.time.as_millis());
                    }
                }
            }
            rendition.end(TRACK);
        }
        assert_eq!(times, (0..16).map(|packet| packet * 60).collect::<Vec<_>>());
    }

    #[test]
    fn a_late_rendition_begins_with_the_pre_roll_of_what_nobody_heard() {
        let mut recent = Recent::default();
        for packet in placed(0, 20).packets {
            recent.push(packet);
        }
        assert_eq!(recent.packets.len(), 3);
        let mut rendition = Rendition::new(Plain::PreRoll);
        let frames = rendition.push(TRACK, &FORMAT, &recent, &placed(20, 4), Moment::START);
        assert_eq!(read(&frames[0]), (vec![17, 18, 19, 20, 21, 22, 23], 180));
    }

    #[test]
    fn a_discontinuity_ends_the_message_before_it() {
        let mut rendition = Rendition::new(Plain::PreRoll);
        assert!(rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 2), Moment::START).is_empty());
        let after = Placed { discontinuity: true, ..placed(50, 1) };
        let frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &after, Moment::START);
        assert_eq!(frames.iter().map(read).collect::<Vec<_>>(), [(vec![0, 1], 0)]);
    }

    #[test]
    fn what_waits_for_half_a_second_is_sent() {
        let mut rendition = Rendition::new(Plain::PreRoll);
        rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 2), Moment::START);
        let later = |millis| Moment::START.after(Duration::from_millis(millis));
        assert!(rendition.tick(later(499)).is_empty());
        assert_eq!(read(&rendition.tick(later(500))[0].1).0, [0, 1]);
        assert!(rendition.tick(later(5000)).is_empty());
    }

    #[test]
    fn a_v1_frame_carries_the_packets_with_their_place() {
        let placed = Placed { discontinuity: true, ..placed(7, 2) };
        let frame = v1(TRACK, &placed).unwrap();
        let message = Bytes::copy_from_slice(&frame.bytes[2..]);
        let packets::Message::Packets { track, flags, first, time, packets } = packets::read(&message).unwrap() else {
            panic!("packets")
        };
        assert_eq!((track, first, time), (1, Sequence::new(7), Ticks::from_millis(420)));
        assert!(flags.discontinuity && !flags.backlog);
        assert_eq!(packets.len(), 2);
    }
}
