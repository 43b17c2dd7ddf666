//! What real browsers sent, through the demuxer, judged by what ffmpeg finds in the same bytes (`tests/captures`).

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Demuxer, Event, Ignored};
use crate::container::judge::{self, Capture};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::pcm::{self, Sample};
use crate::media::source::Source;
use crate::media::time::Ticks;

/// All captures of WebM.
const ALL: [&str; 10] = {
    let mut all = ["chromium-webm-pcm"; 10];
    let (opus, _) = all.split_at_mut(OPUS.len());
    opus.copy_from_slice(&OPUS);
    all
};

/// The captures that are Opus.
const OPUS: [&str; 9] = [
    "chromium-webm-opus",
    "chromium-webm-opus-100ms",
    "chromium-webm-opus-ctxsuspend",
    "chromium-webm-opus-mic",
    "chromium-webm-opus-restart",
    "chromium-webm-vp8-opus",
    "firefox-webm-opus",
    "firefox-webm-opus-ctx44100",
    "firefox-webm-opus-restart",
];

/// All events of a stream that is cut into these pieces.
pub(super) fn demux<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut demuxer = Demuxer::new();
    let mut events = Vec::new();
    for piece in pieces {
        demuxer.push(piece);
        while let Some(event) = demuxer.pull().unwrap() {
            events.push(event);
        }
        assert!(demuxer.held() < 8 * 1024, "an audio stream's elements are small, {} bytes are held", demuxer.held());
    }
    events
}

/// The packets among events.
pub(super) fn packets(events: &[Event]) -> Vec<&SourcePacket> {
    let mut packets = Vec::new();
    for event in events {
        if let Event::Packet(packet) = event {
            packets.push(packet);
        }
    }
    packets
}

/// The heads among events.
pub(super) fn heads(events: &[Event]) -> Vec<opus::Head> {
    let head = |event: &Event| if let Event::Head(Source::Opus(head)) = event { Some(*head) } else { None };
    events.iter().filter_map(head).collect()
}

#[test]
fn the_packets_are_those_that_ffmpeg_finds() {
    for name in ALL {
        let capture = Capture::read(name);
        let events = demux(capture.messages());
        let found = packets(&events);
        let golden = capture.packets();
        assert_eq!(found.len(), golden.len(), "{name}");
        for (index, (found, golden)) in found.iter().zip(&golden).enumerate() {
            assert_eq!(found.data.len(), golden.size, "{name}, packet {index}");
            assert_eq!(judge::adler32(&found.data), golden.adler32, "{name}, packet {index}");
        }
        for (index, (found, golden)) in found.windows(2).zip(golden.windows(2)).enumerate() {
            let ours = found[1].time.signed_since(found[0].time);
            assert_eq!(ours, 48 * (golden[1].pts - golden[0].pts), "{name}, packet {}", index + 1);
        }
    }
}

#[test]
fn the_packets_are_the_same_in_pieces_of_every_size_to_4_kib() {
    for name in OPUS {
        let capture = Capture::read(name);
        let expected = demux(capture.messages());
        let whole = capture.joined();
        assert!(demux([whole.as_slice()]) == expected, "{name}, in one piece");
        for size in 1..=4096 {
            assert!(demux(whole.chunks(size)) == expected, "{name}, in pieces of {size} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_packets_are_the_same_in_pieces_of_any_sizes(
        name in proptest::sample::select(&ALL[..]),
        sizes in prop::collection::vec(prop_oneof![0..3_usize, 0..100_usize, 0..9000_usize], 1..64),
    ) {
        let capture = Capture::read(name);
        let whole = capture.joined();
        let mut rest = whole.as_slice();
        let mut sizes = sizes.into_iter().chain([4096]).cycle();
        let pieces = std::iter::from_fn(|| {
            let (piece, after) = rest.split_at(sizes.next()?.min(rest.len()));
            rest = after;
            (!rest.is_empty() || !piece.is_empty()).then_some(piece)
        });
        prop_assert!(demux(pieces) == demux([whole.as_slice()]));
    }

    #[test]
    fn a_capture_with_any_bytes_changed_is_read_or_refused(
        name in proptest::sample::select(&["chromium-webm-vp8-opus", "chromium-webm-pcm", "firefox-webm-opus"][..]),
        changes in prop::collection::vec((0..4096_usize, any::<u8>()), 1..16),
        size in 1..8000_usize,
    ) {
        let mut bytes = Capture::read(name).joined();
        bytes.truncate(16 * 1024);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let mut demuxer = Demuxer::new();
        for piece in bytes.chunks(size) {
            demuxer.push(piece);
            while let Ok(Some(_)) = demuxer.pull() {}
        }
    }
}

#[test]
fn chromiums_pcm_is_blocks_of_10_ms_by_count_whatever_their_times_say() {
    let capture = Capture::read("chromium-webm-pcm");
    let events = demux(capture.messages());
    let head = pcm::Head::new(Sample::F32, 48_000, 1).unwrap();
    assert_eq!(events[0], Event::Head(Source::Pcm(head)));
    let found = packets(&events);
    assert!(found.iter().all(|packet| packet.duration == Ticks::from_millis(10)));
    let steps: BTreeSet<i64> = found.windows(2).map(|pair| pair[1].time.signed_since(pair[0].time)).collect();
    assert!(steps.len() > 2, "the times wobble: {steps:?}");
}

#[test]
fn video_beside_audio_is_dropped_and_said_once() {
    let events = demux(Capture::read("chromium-webm-vp8-opus").messages());
    let told: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Ignored(_))).collect();
    assert_eq!(told, [&Event::Ignored(Ignored { audio: 0, video: 1, other: 0 })]);
    assert_eq!(packets(&events).len(), 133);
}

#[test]
fn a_suspended_context_is_a_jump_in_time() {
    let events = demux(Capture::read("chromium-webm-opus-ctxsuspend").messages());
    let found = packets(&events);
    let gaps: Vec<u64> = found
        .windows(2)
        .map(|pair| pair[1].time.saturating_sub(pair[0].time).as_millis())
        .filter(|millis| *millis > 200)
        .collect();
    assert_eq!(gaps, [3047]);
}

#[test]
fn a_recorder_that_starts_again_begins_a_stream() {
    for (name, pre_skip) in [("chromium-webm-opus-restart", 0), ("firefox-webm-opus-restart", 312)] {
        let events = demux(Capture::read(name).messages());
        let [first, second] = heads(&events)[..] else { panic!("{name}") };
        assert_eq!(first, second, "{name}");
        assert_eq!(first.pre_skip, pre_skip, "{name}");
        let again = events.iter().rposition(|event| matches!(event, Event::Head(_))).unwrap();
        let Event::Packet(packet) = &events[again + 1] else { panic!("{name}") };
        assert!(packet.time < Ticks::from_millis(20), "{name}: {}", packet.time);
    }
}

#[test]
fn heads_and_durations_are_those_of_the_browser() {
    for name in OPUS {
        let events = demux(Capture::read(name).messages());
        let chromium = name.starts_with("chromium");
        let millis = if chromium { 60 } else { 20 };
        assert!(packets(&events).iter().all(|packet| packet.duration == Ticks::from_millis(millis)), "{name}");
        let head = heads(&events)[0];
        assert_eq!(head.pre_skip, if chromium { 0 } else { 312 }, "{name}");
        assert_eq!(head.input_rate, if name.contains("44100") { 44_100 } else { 48_000 }, "{name}");
    }
}

#[test]
fn ffprobe_finds_here_what_it_found_when_the_captures_were_taken() {
    for name in ALL {
        let capture = Capture::read(name);
        assert_eq!(judge::probe(&capture.joined()), capture.packets(), "{name}");
    }
}
