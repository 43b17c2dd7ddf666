//! A room's packets muxed into one format for its readers: made once, shared by all of them.
//!
//! What belongs here: when a message is full, what pre-roll it gets, and its frame. What does not: who gets it; one sound out
//! of several (`mix`).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::outbox::{Cargo, Frame};
use crate::container::{ogg, webm};
use crate::media::opus;
use crate::media::packet::{Packet, Sequence};
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
pub struct Plain {
    /// What a message is.
    pub layout: Layout,
    /// Whether all speakers are one sound, or each has messages of its own: `?mix=no`.
    pub mixed: bool,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// WebM that decodes on its own, with hidden pre-roll: `?as=webm`.
    PreRoll,
    /// WebM without pre-roll, times running on from message to message: `?as=webm&preroll=0`.
    Continuing,
    /// Ogg without pre-roll, pages running on from message to message: `?as=ogg`.
    Ogg,
    /// Samples of 16 bits, 48 kHz, stereo: `?as=wav`. Only of what is mixed.
    Wav,
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
    // A block is 20 ms, or what its publisher made of it: up to 60, and not each alike.
    let longest = placed.packets.iter().map(|packet| packet.duration).max();
    let length = longest.unwrap_or(MESSAGE).max(Ticks::new(1));
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

/// How much of a track is kept for who begins to read it: what a message may still hold when a second speaker begins, and
/// as much again as a decoder and an encoder settle in.
const KEPT: Ticks = Ticks::from_millis(600);

/// The newest packets of a track, kept whether anyone listens or not, so that the first message for the first listener
/// has its pre-roll.
#[derive(Debug, Default)]
pub struct Recent {
    packets: VecDeque<Packet>,
}

impl Recent {
    /// Adds a packet, and forgets what nobody needs any more.
    pub fn push(&mut self, packet: Packet) {
        self.packets.push_back(packet);
        keep(&mut self.packets, KEPT);
    }

    /// Forgets everything: a decoder for what comes now must not see it.
    pub fn clear(&mut self) {
        self.packets.clear();
    }

    /// The packets that are kept, the oldest first.
    pub fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter()
    }

    /// The pre-roll of the packet of this number.
    #[must_use]
    pub fn before(&self, next: Sequence) -> Vec<Packet> {
        pre_roll(self.packets.iter().filter(|packet| packet.sequence < next).cloned())
    }
}

/// The last of these packets that make a pre-roll.
pub(super) fn pre_roll(packets: impl Iterator<Item = Packet>) -> Vec<Packet> {
    let mut packets = packets.collect();
    keep(&mut packets, PRE_ROLL);
    packets.into()
}

/// Keeps the newest packets, as few as sound for so long.
fn keep(packets: &mut VecDeque<Packet>, length: Ticks) {
    let mut kept = sound(packets.iter());
    while let Some(oldest) = packets.front()
        && kept.saturating_sub(oldest.duration) >= length
    {
        kept = kept.saturating_sub(oldest.duration);
        packets.pop_front();
    }
}

/// Makes messages of packets in one layout.
#[derive(Clone, Debug)]
pub(super) struct Muxer {
    layout: Layout,
    /// The stream of Ogg that is open, its serial and its head.
    ogg: Option<(opus::Head, ogg::live::Messages)>,
    serial: u32,
}

impl Muxer {
    /// A muxer whose streams, where the layout has such, have this serial and those after it.
    pub(super) const fn new(layout: Layout, serial: u32) -> Self {
        Self { layout, ogg: None, serial }
    }

    /// A message of these packets, whose times are moved by `base`.
    pub(super) fn message(&mut self, head: opus::Head, pre_roll: &[Packet], packets: &[Packet], base: i64) -> Frame {
        let shifted = || -> Vec<Packet> {
            let shift = |packet: &Packet| Packet { time: packet.time.saturating_add_signed(base), ..packet.clone() };
            packets.iter().map(shift).collect()
        };
        let bytes = match self.layout {
            Layout::PreRoll => webm::mux::self_contained(head, pre_roll, packets),
            Layout::Continuing => webm::mux::continuing(head, &shifted()),
            Layout::Ogg => self.stream(head).message(&shifted()),
            // What is not decoded has no samples; whoever reads them is given what is mixed (`mix::Ear`).
            Layout::Wav => Vec::new(),
        };
        Frame { bytes: frame::binary(&bytes), cargo: Cargo::Sound(sound(packets)) }
    }

    /// The open stream of Ogg; another head begins another.
    fn stream(&mut self, head: opus::Head) -> &mut ogg::live::Messages {
        let open = self.ogg.take_if(|(open, _)| *open == head);
        let (_, messages) = self.ogg.insert(open.unwrap_or_else(|| {
            self.serial = self.serial.wrapping_add(1);
            (head, ogg::live::Messages::new(self.serial, head))
        }));
        messages
    }
}

/// One plain rendition of a room, each speaker for itself: what is gathered of each track until a message is full.
#[derive(Debug)]
pub struct Rendition {
    layout: Layout,
    tracks: HashMap<TrackNumber, Gathering>,
    muxers: HashMap<TrackNumber, Muxer>,
    /// The serial of the last stream that was begun.
    serial: u32,
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
    pub fn new(layout: Layout) -> Self {
        let (tracks, muxers) = (HashMap::new(), HashMap::new());
        Self { layout, tracks, muxers, serial: 0, base: 0, latest: Ticks::ZERO }
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
            frames.extend(self.flush(track));
        }
        let Some(first) = placed.packets.first() else { return frames };
        let muxer = self.muxers.entry(track).or_insert_with(|| {
            // A stream of another head takes the next one.
            self.serial = self.serial.wrapping_add(1 << 8);
            Muxer::new(self.layout, self.serial)
        });
        let gathering = self.tracks.entry(track).or_insert_with(|| Gathering {
            head: format.heard(),
            pre_roll: recent.before(first.sequence),
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
                frames.push(gathering.message(muxer, self.base));
            }
        }
        frames
    }

    /// Ends a track: what was gathered of it is sent, however short.
    pub fn end(&mut self, track: TrackNumber) -> Option<Frame> {
        let frame = self.flush(track);
        self.muxers.remove(&track);
        frame
    }

    /// What was gathered of a track is sent, however short.
    fn flush(&mut self, track: TrackNumber) -> Option<Frame> {
        let mut gathering = self.tracks.remove(&track)?;
        let muxer = self.muxers.get_mut(&track)?;
        keep_company(&mut gathering.packets);
        (!gathering.packets.is_empty()).then(|| gathering.message(muxer, self.base))
    }

    /// Sends what has waited too long for more.
    pub fn tick(&mut self, now: Moment) -> Vec<(TrackNumber, Frame)> {
        let mut frames = Vec::new();
        for (track, gathering) in &mut self.tracks {
            if gathering.packets.len() >= LEAST_PACKETS
                && now.since(gathering.heard) >= LONGEST_WAIT
                && let Some(muxer) = self.muxers.get_mut(track)
            {
                frames.push((*track, gathering.message(muxer, self.base)));
            }
        }
        frames
    }
}

impl Gathering {
    fn is_full(&self) -> bool {
        is_full(&self.packets)
    }

    fn message(&mut self, muxer: &mut Muxer, base: i64) -> Frame {
        let frame = muxer.message(self.head, &self.pre_roll, &self.packets, base);
        let (before, packets) = (std::mem::take(&mut self.pre_roll), std::mem::take(&mut self.packets));
        self.pre_roll = pre_roll(before.into_iter().chain(packets));
        frame
    }
}

/// Whether these packets make a message.
pub(super) fn is_full(packets: &[Packet]) -> bool {
    packets.len() >= LEAST_PACKETS && sound(packets) >= MESSAGE
}

/// A lone packet gets 20 ms of coded silence behind it, since a message of one packet fails in browsers.
pub(super) fn keep_company(packets: &mut Vec<Packet>) {
    if let [last] = &packets[..] {
        let (silence, duration) = opus::SILENCE_20_MS;
        packets.push(Packet {
            sequence: last.sequence.next(),
            time: last.end(),
            duration,
            data: bytes::Bytes::from_static(silence),
            heard: None,
        });
    }
}

pub(super) fn sound<'a>(packets: impl IntoIterator<Item = &'a Packet>) -> Ticks {
    packets.into_iter().fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::container::stream::Demux;
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
        let mut rendition = Rendition::new(Layout::PreRoll);
        let frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 9), Moment::START);
        let messages: Vec<_> = frames.iter().map(read).collect();
        assert_eq!(messages, [(vec![0, 1, 2, 3], 0), (vec![1, 2, 3, 4, 5, 6, 7], 180)]);
        assert_eq!(frames[1].cargo, Cargo::Sound(Ticks::from_millis(240)));
    }

    #[test]
    fn without_pre_roll_every_packet_is_in_one_message() {
        let mut rendition = Rendition::new(Layout::Continuing);
        let mut frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 9), Moment::START);
        frames.extend(rendition.end(TRACK));
        let messages: Vec<_> = frames.iter().map(read).collect();
        // The last one is alone, and gets silence for company.
        assert_eq!(messages, [(vec![0, 1, 2, 3], 0), (vec![4, 5, 6, 7], 0), (vec![8, 0xFF], 0)]);
    }

    #[test]
    fn times_run_on_into_the_next_session() {
        let mut rendition = Rendition::new(Layout::Continuing);
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
        assert_eq!(recent.packets.len(), 10);
        let mut rendition = Rendition::new(Layout::PreRoll);
        let frames = rendition.push(TRACK, &FORMAT, &recent, &placed(20, 4), Moment::START);
        assert_eq!(read(&frames[0]), (vec![17, 18, 19, 20, 21, 22, 23], 180));
    }

    #[test]
    fn a_discontinuity_ends_the_message_before_it() {
        let mut rendition = Rendition::new(Layout::PreRoll);
        assert!(rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 2), Moment::START).is_empty());
        let after = Placed { discontinuity: true, ..placed(50, 1) };
        let frames = rendition.push(TRACK, &FORMAT, &Recent::default(), &after, Moment::START);
        assert_eq!(frames.iter().map(read).collect::<Vec<_>>(), [(vec![0, 1], 0)]);
    }

    #[test]
    fn what_waits_for_half_a_second_is_sent() {
        let mut rendition = Rendition::new(Layout::PreRoll);
        rendition.push(TRACK, &FORMAT, &Recent::default(), &placed(0, 2), Moment::START);
        let later = |millis| Moment::START.after(Duration::from_millis(millis));
        assert!(rendition.tick(later(499)).is_empty());
        assert_eq!(read(&rendition.tick(later(500))[0].1).0, [0, 1]);
        assert!(rendition.tick(later(5000)).is_empty());
    }

    #[test]
    fn no_v1_frame_of_blocks_is_longer_than_a_message_however_long_each_block_is() {
        let block = |millis| Packet { duration: Ticks::from_millis(millis), ..placed(0, 1).packets.remove(0) };
        let blocks = [10].into_iter().chain([60; 20]).map(block).collect();
        let frames: Vec<_> = v1_pcm(TRACK, &Placed { packets: blocks, discontinuity: false }).collect();
        assert!(frames.iter().all(|frame| matches!(frame.cargo, Cargo::Sound(length) if length <= MESSAGE)));
        assert_eq!(frames.len(), 6, "and none is short without need");
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
