//! An ear, told of packets that are only their numbers.

use bytes::Bytes;

use super::*;
use crate::container::stream::Demux;
use crate::hub::outbox::Frame;
use crate::hub::rendition::{Layout, Placed, Recent};
use crate::media::mix::{Made, Output};
use crate::media::packet::Sequence;
use crate::media::time::Moment;

const ANN: TrackNumber = TrackNumber::new(1);
const BEN: TrackNumber = TrackNumber::new(2);
const MONO: Head = Head { channels: 1, pre_skip: 312, input_rate: 44_100, output_gain: 0 };
const BUS: BusId = BusId { without: None, output: Output::Packets };

fn packet(number: u64) -> Packet {
    let (sequence, time, duration) = (Sequence::new(number), Ticks::new(960 * number), Ticks::new(960));
    Packet {
        sequence,
        time,
        duration,
        data: Bytes::copy_from_slice(&[0xF8, u8::try_from(number).unwrap()]),
        heard: None,
    }
}

/// An ear with what is kept of the two tracks.
struct Rig {
    ear: Ear,
    recent: [Recent; 2],
    orders: Vec<Order>,
    frames: Vec<Frame>,
}

impl Rig {
    fn new(layout: Layout) -> Self {
        let mut ear = Ear::new(None);
        ear.read(layout);
        Self { ear, recent: [Recent::default(), Recent::default()], orders: Vec::new(), frames: Vec::new() }
    }

    /// Packets of a track come, while so many tracks are heard.
    fn hear(&mut self, track: TrackNumber, packets: std::ops::Range<u64>, tracks: usize) {
        let recent = &mut self.recent[usize::from(track.get()) - 1];
        let at = Ticks::new(960 * packets.end);
        let placed = Placed { packets: packets.map(packet).collect(), discontinuity: false };
        let heard = Heard { track, head: MONO, recent, placed: &placed, tracks, now: Moment::START, at };
        let frames = self.ear.hear(heard, &mut self.orders);
        self.frames.extend(frames.into_iter().map(|(_, frame)| frame));
        placed.packets.into_iter().for_each(|packet| recent.push(packet));
    }

    fn take(&mut self, made: Made) {
        let recent = |track: TrackNumber| Some((MONO, &self.recent[usize::from(track.get()) - 1]));
        let frames = self.ear.take(made, recent, Moment::START);
        self.frames.extend(frames.into_iter().map(|(_, frame)| frame));
    }

    /// The second bytes of the packets of each message, pre-roll and all.
    fn messages(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.frames).iter().map(read).collect()
    }
}

fn read(frame: &Frame) -> Vec<u8> {
    let begin = frame.bytes.windows(4).position(|bytes| bytes == [0x1A, 0x45, 0xDF, 0xA3]).unwrap();
    let mut demuxer = crate::container::webm::Demuxer::new();
    demuxer.push(&frame.bytes[begin..]);
    let mut packets = Vec::new();
    while let Some(event) = demuxer.pull().unwrap() {
        if let crate::container::webm::Event::Packet(packet) = event {
            packets.push(packet.data[1]);
        }
    }
    packets
}

#[test]
fn a_lone_track_passes_untouched() {
    let mut rig = Rig::new(Layout::Continuing);
    rig.hear(ANN, 0..30, 1);
    assert_eq!(rig.messages(), [(0..12).collect::<Vec<_>>(), (12..24).collect()]);
    assert!(rig.orders.is_empty() && !rig.ear.is_mixed());
    rig.frames.extend(rig.ear.end(ANN).into_iter().map(|(_, frame)| frame));
    assert_eq!(rig.messages(), [(24..30).collect::<Vec<_>>()]);
}

#[test]
fn when_a_second_one_speaks_what_was_not_sent_of_the_first_is_taken_back_and_mixed() {
    let mut rig = Rig::new(Layout::PreRoll);
    rig.hear(ANN, 0..17, 1);
    rig.hear(BEN, 16..20, 2);
    assert_eq!(rig.orders, [Order::Begin(BUS, Ticks::new(960 * 12), Joint::Track(ANN, Sequence::new(12)))]);
    rig.hear(ANN, 17..40, 2);
    assert_eq!(rig.messages().len(), 1, "the desk makes what comes now");
    rig.take(Made::Begun(BUS, (100..109).map(packet).collect()));
    rig.take(Made::Packets(BUS, (12..24).map(packet).collect()));
    assert_eq!(rig.messages(), [(100..109).chain(12..24).collect::<Vec<_>>()]);
}

#[test]
fn a_lone_track_and_the_mix_after_it_are_one_stream_of_ogg_with_one_head() {
    let mut rig = Rig::new(Layout::Ogg);
    rig.hear(ANN, 0..12, 1);
    rig.hear(BEN, 12..16, 2);
    rig.take(Made::Packets(BUS, (12..24).map(packet).collect()));
    assert_eq!(rig.frames.len(), 2);
    // Firefox reads no further than to the first page of another serial.
    let stream = |frame: &Frame| {
        let begin = frame.bytes.windows(4).position(|bytes| bytes == b"OggS").unwrap();
        let head = frame.bytes.windows(8).position(|bytes| bytes == b"OpusHead").unwrap();
        (frame.bytes.slice(begin + 14..begin + 18), frame.bytes.slice(head..head + 19))
    };
    assert_eq!(stream(&rig.frames[0]), stream(&rig.frames[1]));
}

#[test]
fn what_the_desk_hands_back_goes_on_with_what_came_meanwhile_and_its_own_pre_roll() {
    let mut rig = Rig::new(Layout::PreRoll);
    rig.hear(BEN, 0..4, 2);
    assert_eq!(rig.orders, [Order::Begin(BUS, Ticks::ZERO, Joint::Free)]);
    rig.take(Made::Packets(BUS, (0..6).map(packet).collect()));
    rig.hear(ANN, 0..24, 1);
    let time = Ticks::new(960 * 6 + 30);
    rig.take(Made::Handed { bus: BUS, track: ANN, next: Sequence::new(12), time });
    assert!(!rig.ear.is_mixed());
    let expected = [(0..6).collect::<Vec<u8>>(), (3..24).collect()];
    assert_eq!(rig.messages(), expected, "nothing is lost, and each settles in packets of its own");
    rig.take(Made::Packets(BUS, vec![packet(99)]));
    rig.hear(ANN, 24..36, 1);
    assert_eq!(rig.messages(), [(15..36).collect::<Vec<u8>>()]);
}

#[test]
fn one_who_begins_to_speak_goes_on_hearing_what_it_heard() {
    let mut rig = Rig::new(Layout::Continuing);
    rig.hear(ANN, 0..17, 1);
    let member = Uuid::from_u128(7);
    let mut own = rig.ear.apart(member, Layout::Continuing, &mut rig.orders);
    assert!(!own.hears(member) && rig.ear.hears(member) && rig.orders.is_empty());
    std::mem::swap(&mut rig.ear, &mut own);
    rig.frames.clear();
    rig.hear(ANN, 17..24, 1);
    assert_eq!(rig.messages(), [(12..24).collect::<Vec<u8>>()]);
}

#[test]
fn another_desk_begins_at_the_live_edge_and_never_before_what_was_sent() {
    let mut rig = Rig::new(Layout::Continuing);
    rig.hear(BEN, 0..4, 2);
    rig.take(Made::Packets(BUS, (0..14).map(packet).collect()));
    rig.orders.clear();
    let ear = &mut rig.ear;
    assert_eq!(ear.begin_again(Ticks::new(960 * 5), &mut rig.orders).len(), 1);
    ear.begin_again(Ticks::new(960 * 50), &mut rig.orders);
    let begin = |packets: u64| Order::Begin(BUS, Ticks::new(960 * packets), Joint::Free);
    assert_eq!(rig.orders, [begin(14), begin(50)]);
}
