//! Messages, judged by our demuxer and by ffmpeg.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::captures::{demux, heads};
use super::super::ebml::{self, Id};
use super::*;
use crate::container::judge::{self, Capture};
use crate::container::testing;
use crate::media::packet::Sequence;

/// The packets of a capture's first stream, from `start` on without a gap.
fn placed(capture: &str, start: Ticks) -> (opus::Head, Vec<Packet>) {
    let events = demux(Capture::read(capture).messages());
    let mut time = start;
    let mut sequence = Sequence::ZERO;
    let place = |source: &crate::media::packet::SourcePacket| {
        let packet = Packet { sequence, time, duration: source.duration, data: source.data.clone(), heard: None };
        time = packet.end();
        sequence = sequence.next();
        packet
    };
    (heads(&events)[0], testing::packets(&events).into_iter().map(place).collect())
}

/// Messages of 240 ms, each with the packets that end at most 240 ms before it.
fn messages(packets: &[Packet]) -> impl Iterator<Item = (&[Packet], &[Packet])> {
    let count = usize::try_from(240 / packets[0].duration.as_millis()).unwrap();
    (0..packets.len() / count).map(move |message| {
        let from = message * count;
        (&packets[from.saturating_sub(count)..from], &packets[from..from + count])
    })
}

/// The greatest difference of two sounds, of full scale 1.
fn greatest_difference(sound: &[f32], other: &[f32]) -> f32 {
    sound.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The sound of a capture as one stream.
fn whole(head: opus::Head, packets: &[Packet]) -> Vec<f32> {
    judge::decode_quietly(&continuing(head, packets))
}

#[test]
fn every_self_contained_message_is_taken_by_ffmpeg_and_sounds_like_its_part_of_the_whole() {
    for (capture, count) in [("chromium-webm-opus", 32), ("firefox-webm-opus", 96)] {
        let (head, packets) = placed(capture, Ticks::from_secs(7));
        let packets = &packets[..count];
        let sound = whole(head, packets);
        assert_eq!(sound.len() as u64, packets.last().unwrap().end().get() - packets[0].time.get());
        for (index, (pre_roll, packets)) in messages(packets).enumerate() {
            let message = self_contained(head, pre_roll, packets);
            let described = judge::describe(&message);
            assert!(
                described.contains("codec_name=opus\n") && described.contains("start_time=0.000000"),
                "{described}"
            );
            assert!(described.contains("duration=0.240000"), "{described}");
            let alone = judge::decode_quietly(&message);
            assert_eq!(alone.len(), 11_520, "{capture}, message {index}");
            let difference = greatest_difference(&sound[index * 11_520..][..11_520], &alone);
            assert!(difference < 1e-5, "{capture}, message {index}: {difference}");
        }
    }
}

#[test]
fn continuing_messages_decode_alone_and_appended_decode_whole() {
    for (capture, count) in [("chromium-webm-opus", 32), ("firefox-webm-opus", 96)] {
        let (head, packets) = placed(capture, Ticks::from_secs(3600));
        let packets = &packets[..count];
        let sound = whole(head, packets);
        let mut appended = Vec::new();
        for (_, packets) in messages(packets) {
            let message = continuing(head, packets);
            judge::describe(&message);
            assert_eq!(judge::decode_quietly(&message).len(), 11_520);
            appended.extend(message);
        }
        let (samples, said) = judge::decode(&appended);
        assert!(samples == sound, "{capture}: {} samples, {} are expected", samples.len(), sound.len());
        // The one thing that ffmpeg remarks on is the Segment that follows a Segment of unknown size.
        assert!(said.lines().all(|line| line.contains("unknown-length element with ID 0x18538067")), "{said}");
        let events = demux([appended.as_slice()]);
        assert_eq!(testing::packets(&events).len(), packets.len());
    }
}

#[test]
fn packets_of_every_length_that_opus_has_make_messages_without_a_remark() {
    // TOC and duration in ticks: CELT of 2.5, 5, 10, 20 ms, SILK of 40 and 60 ms, and two of those.
    for (toc, ticks) in [(0xE0, 120), (0xE8, 240), (0xF0, 480), (0xF8, 960), (0x10, 1920), (0x18, 2880), (0x19, 5760)] {
        let data = if toc == 0x19 {
            Bytes::from_static(&[0x19, 0xFF, 0xFE, 0xFF, 0xFE])
        } else {
            vec![toc, 0xFF, 0xFE].into()
        };
        let packet = |index: u64| Packet {
            sequence: Sequence::new(index),
            time: Ticks::new(123 + index * ticks),
            duration: Ticks::new(ticks),
            data: data.clone(),
            heard: None,
        };
        let packets: Vec<Packet> = (0..50).map(packet).collect();
        let head = opus::Head { channels: 2, pre_skip: 312, input_rate: 0, output_gain: 0 };
        for message in [continuing(head, &packets), self_contained(head, &packets[..10], &packets[10..])] {
            judge::describe(&message);
        }
        assert_eq!(judge::decode_quietly(&continuing(head, &packets)).len() as u64, 50 * ticks);
        let message = self_contained(head, &packets[..10], &packets[10..]);
        assert_eq!(judge::decode_quietly(&message).len() as u64, 40 * ticks, "packets of {ticks} ticks");
    }
}

#[test]
fn a_pre_roll_longer_than_a_pre_skip_loses_its_oldest_packets() {
    let (head, packets) = placed("firefox-webm-opus", Ticks::ZERO);
    let message = self_contained(head, &packets[..100], &packets[100..112]);
    let events = demux([message.as_slice()]);
    assert_eq!(heads(&events), [head.with_pre_skip(68 * 960)]);
    assert_eq!(testing::packets(&events).len(), 68 + 12);
}

#[test]
fn a_message_that_a_cluster_cannot_hold_has_several() {
    let (head, packets) = placed("firefox-webm-opus", Ticks::from_secs(1));
    let late = Packet { time: Ticks::from_secs(40), ..packets[1].clone() };
    let early = Packet { time: Ticks::from_secs(39), ..packets[2].clone() };
    let apart = [packets[0].clone(), late, early];
    for message in [continuing(head, &apart), self_contained(head, &[], &apart)] {
        let events = demux([message.as_slice()]);
        let times: Vec<u64> = testing::packets(&events).iter().map(|packet| packet.time.as_millis()).collect();
        let first = times[0];
        assert_eq!(times.iter().map(|time| time - first).collect::<Vec<_>>(), [0, 39_000, 38_000]);
    }
}

#[test]
fn a_message_has_less_than_200_bytes_beside_its_packets() {
    let (head, packets) = placed("chromium-webm-opus", Ticks::ZERO);
    let sound: usize = packets[..4].iter().map(|packet| packet.data.len()).sum();
    let overhead = self_contained(head, &[], &packets[..4]).len() - sound;
    assert!(overhead < 200, "{overhead} bytes beside the packets");
}

#[test]
fn a_message_without_packets_is_a_head() {
    let head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
    for message in [self_contained(head, &[], &[]), continuing(head, &[])] {
        assert_eq!(heads(&demux([message.as_slice()])), [head.with_pre_skip(0)]);
    }
}

prop_compose! {
    fn arbitrary_packets()(
        start in 0..1_u64 << 40,
        steps in prop::collection::vec((0..4_u64, 0..5_u8, 0..1275_usize), 1..20)
    ) -> Vec<Packet> {
        let mut time = Ticks::new(start);
        let packet = |(gap, config, length): (u64, u8, usize)| {
            let data = [&[[0xE0, 0xE8, 0xF0, 0xF8, 0x18][usize::from(config)]][..], &vec![config; length]].concat();
            let duration = opus::duration(&data).unwrap();
            let packet = Packet { sequence: Sequence::ZERO, time, duration, data: data.into(), heard: None };
            time = packet.end().saturating_add(Ticks::from_secs(gap / 3 * 20));
            packet
        };
        steps.into_iter().map(packet).collect()
    }
}

proptest! {
    #[test]
    fn what_is_muxed_is_demuxed_at_its_time_to_the_millisecond(
        packets in arbitrary_packets(),
        pre_roll in 0..5_usize,
        channels in 1..3_u8,
    ) {
        let head = opus::Head { channels, pre_skip: 312, input_rate: 44_100, output_gain: 3 };
        let (hidden, played) = packets.split_at(pre_roll.min(packets.len() - 1));

        let events = demux([continuing(head, &packets).as_slice()]);
        prop_assert_eq!(heads(&events), vec![head.with_pre_skip(0)]);
        let found = testing::packets(&events);
        prop_assert_eq!(found.len(), packets.len());
        for (found, packet) in found.into_iter().zip(&packets) {
            prop_assert_eq!(&found.data, &packet.data);
            prop_assert!(found.time.signed_since(packet.time).abs() <= 24);
        }

        let events = demux([self_contained(head, hidden, played).as_slice()]);
        let skipped: u64 = hidden.iter().map(|packet| packet.duration.get()).sum();
        prop_assert_eq!(heads(&events), vec![head.with_pre_skip(u16::try_from(skipped).unwrap())]);
        let found = testing::packets(&events);
        prop_assert_eq!(found.len(), packets.len());
        prop_assert!(found[..hidden.len()].iter().all(|packet| packet.time == Ticks::ZERO));
        for (found, packet) in found[hidden.len()..].iter().zip(played) {
            prop_assert_eq!(&found.data, &packet.data);
            let expected = packet.time.signed_since(played[0].time);
            prop_assert!((found.time.signed_since(Ticks::ZERO) - expected).abs() <= 24);
        }
    }
}

#[test]
fn the_segment_is_of_unknown_size_so_that_messages_append() {
    let head = opus::Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 };
    let mut segment = Vec::new();
    ebml::put_id(&mut segment, Id::SEGMENT);
    segment.extend_from_slice(&ebml::UNKNOWN_SIZE);
    let message = continuing(head, &[]);
    assert!(message.windows(segment.len()).any(|window| window == segment));
}
