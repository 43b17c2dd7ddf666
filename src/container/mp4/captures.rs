//! What real browsers sent and what ffmpeg writes, through the demuxer, judged by what ffmpeg finds in the same bytes.

use proptest::prelude::*;

use super::Demuxer;
use crate::container::judge::{self, Capture, Probed};
use crate::container::stream::{Demux, Event};
use crate::container::testing::{
    self, are_the_same_bytes, changes, heads, is_read_or_refused, is_the_same_in_pieces, packets, pieces, sizes,
};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::source::{Codec, Source};
use crate::media::time::Ticks;

/// The captures, with their timescales.
const CAPTURES: [(&str, u64); 2] = [("chromium-mp4-opus", 48_000), ("webkitgtk-mp4-aac", 44_100)];

/// More than a box of an audio stream has, in bytes.
const BOUND: usize = 8 * 1024;

/// All events of a stream that is cut into these pieces.
pub(super) fn demux<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    testing::read(Demuxer::new(), pieces, BOUND)
}

/// Checks packets against those that ffprobe finds, whose times may begin anywhere.
fn compare(name: &str, found: &[&SourcePacket], golden: &[Probed], timescale: u64) {
    are_the_same_bytes(name, found, golden);
    for (found, golden) in found.windows(2).zip(golden.windows(2)) {
        let ours = u64::try_from(found[1].time.signed_since(found[0].time)).unwrap();
        let theirs = u64::try_from(golden[1].pts - golden[0].pts).unwrap() * 48_000;
        assert!((ours * timescale).abs_diff(theirs) <= timescale, "{name}: {ours} ticks, {theirs}");
    }
}

#[test]
fn the_packets_are_those_that_ffmpeg_finds() {
    for (name, timescale) in CAPTURES {
        let capture = Capture::read(name);
        compare(name, &packets(&demux(capture.messages())), &capture.packets(), timescale);
    }
}

#[test]
fn the_packets_are_the_same_in_pieces_of_every_size_to_4_kib() {
    for (name, _) in CAPTURES {
        let capture = Capture::read(name);
        let whole = capture.joined();
        assert!(testing::events(Demuxer::new(), &whole) == demux(capture.messages()), "{name}, in messages");
        is_the_same_in_pieces(Demuxer::new, &whole, 1..=4096, BOUND);
    }
}

#[test]
fn heads_and_durations_are_those_of_the_browser() {
    let events = demux(Capture::read("chromium-mp4-opus").messages());
    let head = opus::Head { channels: 1, pre_skip: 3840, input_rate: 48_000, output_gain: 0 };
    assert_eq!(heads(&events), [&Source::Opus(head)]);
    assert!(packets(&events).iter().all(|packet| packet.duration == Ticks::from_millis(60)));

    let events = demux(Capture::read("webkitgtk-mp4-aac").messages());
    let [Source::Coded(coded)] = heads(&events)[..] else { panic!("{:?}", heads(&events)) };
    assert_eq!((coded.codec, coded.rate, coded.channels, &coded.private[..]), (Codec::Aac, 44_100, 1, &[0x12, 8][..]));
    let total: u64 = packets(&events).iter().map(|packet| packet.duration.get()).sum();
    assert_eq!(total, (215 * 1024 * 48_000 + 22_050) / 44_100);
}

#[test]
fn what_ffmpeg_writes_is_read_as_ffprobe_reads_it() {
    const CUTS: [&str; 5] = [
        "frag_keyframe+empty_moov+default_base_moof",
        "frag_keyframe+empty_moov",
        "frag_keyframe+empty_moov+default_base_moof+delay_moov",
        "cmaf+delay_moov",
        "frag_keyframe+empty_moov+separate_moof+omit_tfhd_offset",
    ];
    for (codec, rate) in [("libopus", 48_000_u64), ("aac", 44_100), ("aac", 8000), ("aac", 96_000)] {
        for channels in ["1", "2"] {
            for flags in CUTS {
                let (rate_text, name) = (rate.to_string(), format!("{codec}, {rate} Hz, {channels}, {flags}"));
                let sound = ["-c:a", codec, "-ar", rate_text.as_str(), "-ac", channels];
                let fragments = ["-movflags", flags, "-frag_duration", "400000", "-f", "mp4"];
                let file = judge::made("sine=500:r=48000", &[&sound[..], &fragments].concat());
                let events = demux(file.chunks(777));
                compare(&name, &packets(&events), &judge::probe(&file), rate);
                match heads(&events)[..] {
                    [Source::Opus(head)] => {
                        assert_eq!((head.channels.to_string().as_str(), head.pre_skip), (channels, 312), "{name}");
                    }
                    [Source::Coded(coded)] => {
                        assert_eq!((coded.codec, u64::from(coded.rate)), (Codec::Aac, rate), "{name}");
                        assert_eq!(coded.channels.to_string(), channels, "{name}");
                    }
                    _ => panic!("{name}: {:?}", heads(&events)),
                }
            }
        }
    }
}

#[test]
fn video_beside_audio_is_passed_over() {
    let more = "-f lavfi -i testsrc=size=320x240:rate=25 -t 3 -c:a aac -c:v mpeg4 -g 10 -b:v 2M -f mp4 -movflags";
    for flags in ["frag_keyframe+empty_moov+default_base_moof", "frag_keyframe+empty_moov"] {
        let more: Vec<&str> = more.split(' ').chain([flags]).collect();
        let file = judge::made("sine=500:r=48000", &more);
        let events = demux(file.chunks(1000));
        assert!(events.iter().any(|event| matches!(event, Event::Ignored(ignored) if ignored.video == 1)));
        compare(flags, &packets(&events), &judge::probe(&file), 48_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_packets_are_the_same_in_pieces_of_any_sizes(
        name in proptest::sample::select(vec!["chromium-mp4-opus", "webkitgtk-mp4-aac"]),
        sizes in sizes(),
    ) {
        let whole = Capture::read(name).joined();
        prop_assert!(demux(pieces(&whole, &sizes)) == testing::events(Demuxer::new(), &whole));
    }

    #[test]
    fn a_capture_with_any_bytes_changed_is_read_or_refused_however_it_is_cut(
        name in proptest::sample::select(vec!["chromium-mp4-opus", "webkitgtk-mp4-aac"]),
        changes in changes(2048),
        sizes in sizes(),
    ) {
        let mut bytes = Capture::read(name).joined();
        bytes.truncate(16 * 1024);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        is_read_or_refused(Demuxer::new, &bytes, &sizes, bytes.len());
    }

    #[test]
    fn no_bytes_in_the_boxes_of_a_stream_make_it_panic(
        kinds in prop::collection::vec((0..8_usize, prop::collection::vec(any::<u8>(), 0..80)), 1..12),
    ) {
        const KINDS: [&[u8; 4]; 8] = [b"ftyp", b"moov", b"moof", b"mdat", b"trak", b"traf", b"trun", b"free"];
        let bytes: Vec<u8> = kinds.iter().fold(Vec::new(), |mut bytes, (kind, body)| {
            bytes.extend(u32::try_from(body.len() + 8).unwrap().to_be_bytes());
            bytes.extend(KINDS[*kind]);
            bytes.extend(body);
            bytes
        });
        let mut demuxer = Demuxer::new();
        let whole = Capture::read("chromium-mp4-opus").joined();
        demuxer.push(&[&whole[..641], &bytes].concat());
        while let Ok(Some(_)) = demuxer.pull() {}
    }
}
