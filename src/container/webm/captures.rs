//! What real browsers sent, through the demuxer, judged by what ffmpeg finds in the same bytes (`tests/captures`).

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Demuxer, Event, Ignored};
use crate::container::judge::{self, Capture};
use crate::container::testing::{
    self, are_the_same_bytes, changes, is_read_or_refused, is_the_same_in_pieces, packets, pieces, sizes,
};
use crate::media::opus;
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

/// More than an element of an audio stream has, in bytes.
const BOUND: usize = 8 * 1024;

/// All events of a stream that is cut into these pieces.
pub(super) fn demux<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    testing::read(Demuxer::new(), pieces, BOUND)
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
        are_the_same_bytes(name, &found, &golden);
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
        let whole = capture.joined();
        assert!(testing::events(Demuxer::new(), &whole) == demux(capture.messages()), "{name}, in messages");
        is_the_same_in_pieces(Demuxer::new, &whole, 1..=4096, BOUND);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_packets_are_the_same_in_pieces_of_any_sizes(name in proptest::sample::select(&ALL[..]), sizes in sizes()) {
        let whole = Capture::read(name).joined();
        prop_assert!(demux(pieces(&whole, &sizes)) == testing::events(Demuxer::new(), &whole));
    }

    #[test]
    fn a_capture_with_any_bytes_changed_is_read_or_refused_however_it_is_cut(
        name in proptest::sample::select(&["chromium-webm-vp8-opus", "chromium-webm-pcm", "firefox-webm-opus"][..]),
        changes in changes(4096),
        sizes in sizes(),
    ) {
        let mut bytes = Capture::read(name).joined();
        bytes.truncate(16 * 1024);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        is_read_or_refused(Demuxer::new, &bytes, &sizes, bytes.len());
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
