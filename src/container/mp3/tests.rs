//! MP3 streams: what LAME makes through ffmpeg, and what nobody should send.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{Demuxer, Error, GARBAGE_LIMIT, Malformed, PASSED_LIMIT, Unsupported};
use crate::container::judge;
use crate::container::stream::{self, Event};
use crate::container::testing;
use crate::media::source::{Codec, Coded, Source};
use crate::media::time::Ticks;

/// The most that is held: a frame and the start of a tag.
const BOUND: usize = 1441 + 32;

/// A frame of 192 bytes: layer III, 64 kbit/s, 48 kHz, one channel.
const HEADER: [u8; 4] = [0xFF, 0xFB, 0x54, 0xC0];

fn frame(fill: u8) -> Vec<u8> {
    [&HEADER[..], &[fill; 188]].concat()
}

/// Two seconds of tones that come and go, as ffmpeg has LAME code them.
fn made(rate: u32, channels: u32, more: &[&str]) -> Vec<u8> {
    let (hz, count) = (rate.to_string(), channels.to_string());
    let source = "sine=f=440:b=4:r=48000:d=2,volume='0.7+0.3*sin(9*t)':eval=frame";
    // With the tag of its own that ffmpeg puts before a stream.
    let coded = ["-fflags", "-bitexact", "-ar", &hz, "-ac", &count, "-c:a", "libmp3lame"];
    judge::made(source, &[&coded[..], more, &["-f", "mp3"]].concat())
}

/// A stream as a file, for whose start ffmpeg goes back to write a table.
fn file(stream: &[u8], more: &[&str]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    judge::ffmpeg(&[&["-i", "-", "-y"], more, &["-f", "mp3", path]].concat(), stream);
    std::fs::read(path).unwrap()
}

/// One of them, for tests that need no more.
static STREAM: LazyLock<Vec<u8>> = LazyLock::new(|| made(44_100, 2, &["-b:a", "128k", "-write_xing", "0"]));

fn coded(events: &[Event]) -> Vec<(u32, u8)> {
    let coded = |event: &Event| {
        let Event::Head(Source::Coded(Coded { codec, rate, channels, private })) = event else { return None };
        assert!(*codec == Codec::Mp3 && private.is_empty());
        Some((*rate, *channels))
    };
    events.iter().filter_map(coded).collect()
}

fn data(events: &[Event]) -> Vec<Vec<u8>> {
    testing::packets(events).iter().map(|packet| packet.data.to_vec()).collect()
}

fn error(stream: &[u8]) -> Error {
    let stream::Error::Mp3(error) = testing::error(Demuxer::new(), stream) else { panic!("another container") };
    error
}

#[test]
fn the_packets_are_those_that_ffprobe_finds_at_every_cut() {
    for (rate, channels, more) in [
        (44_100, 2, &["-b:a", "128k"][..]),
        (48_000, 1, &["-q:a", "2"]),
        (32_000, 2, &["-b:a", "320k", "-write_xing", "0"]),
        (22_050, 2, &["-abr", "1", "-b:a", "64k"]),
        (16_000, 1, &["-q:a", "7", "-write_id3v1", "1", "-metadata", "title=Tones"]),
        (8_000, 1, &["-b:a", "8k", "-id3v2_version", "0"]),
        (11_025, 2, &["-b:a", "160k"]),
    ] {
        let stream = made(rate, channels, more);
        let events = testing::events(Demuxer::new(), &stream);
        assert_eq!(coded(&events), [(rate, u8::try_from(channels).unwrap())], "{rate}");
        let (found, golden) = (testing::packets(&events), judge::probe(&stream));
        testing::are_the_same_bytes(&rate.to_string(), &found, &golden);
        let mut end = Ticks::ZERO;
        for packet in &found {
            assert_eq!(packet.time, end, "{rate}");
            end = packet.time.saturating_add(packet.duration);
        }
        // ffprobe's unit is the least that all rates share (14.112 MHz, 294 to a tick).
        let between = (golden.last().unwrap().pts - golden[0].pts) / 294;
        let last = found.last().unwrap();
        assert!(last.time.signed_since(Ticks::ZERO).abs_diff(between) <= 1, "{rate}");
        testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 2, 3, 5, 417, 418, 419, 4096], BOUND);
    }
}

#[test]
fn the_packets_alone_sound_as_the_file_does() {
    let stream = made(44_100, 2, &["-q:a", "4", "-write_xing", "0"]);
    let packets = data(&testing::events(Demuxer::new(), &stream)).concat();
    assert!(judge::decode(&packets).0 == judge::decode(&stream).0);
}

#[test]
fn the_frame_that_holds_a_table_is_no_sound_and_a_frame_that_names_one_is() {
    let stream = made(48_000, 2, &["-b:a", "96k"]);
    let expected = data(&testing::events(Demuxer::new(), &stream));
    for more in [&["-c", "copy"][..], &["-c:a", "libmp3lame", "-q:a", "5"], &["-c:a", "libmp3lame", "-b:a", "64k"]] {
        let file = file(&stream, more);
        assert!(file.windows(4).any(|four| four == b"Xing" || four == b"Info"), "{more:?}");
        let found = data(&testing::events(Demuxer::new(), &file));
        assert_eq!(found.len(), judge::probe(&file).len(), "{more:?}");
        assert!(more != ["-c", "copy"] || found == expected);
    }
    let table = |mark: &[u8; 4], at: usize, fill| {
        let mut frame = frame(fill);
        frame[4..21].fill(0);
        frame[at..at + 4].copy_from_slice(mark);
        frame
    };
    for (mark, at) in [(b"Xing", 21), (b"Info", 21), (b"VBRI", 36)] {
        let stream = [table(mark, at, 7), frame(1), frame(2)].concat();
        assert_eq!(data(&testing::events(Demuxer::new(), &stream)), [frame(1), frame(2)]);
        let mut loud = table(mark, at, 7);
        loud[5] = 1;
        let stream = [loud.clone(), frame(1)].concat();
        assert_eq!(data(&testing::events(Demuxer::new(), &stream)), [loud, frame(1)]);
    }
}

#[test]
fn tags_are_passed_over_wherever_they_stand() {
    let id3 = |flags: u8, length: u8, body: usize| {
        [&b"ID3\x04\0"[..], &[flags, 0, 0, length, 0x11], &vec![0xFF; body]].concat()
    };
    let ape = |flags: u8, body: usize| {
        let size = u32::try_from(body).unwrap().to_le_bytes();
        [b"APETAGEX\xD0\x07\0\0", &size[..], &[0, 0, 0, 0, 0, 0, 0, flags], &[0; 8], &vec![0xFF; body]].concat()
    };
    let tags = [
        id3(0, 1, 128 + 0x11),
        id3(0x10, 0, 0x11 + 10),
        ape(0xA0, 100),
        ape(0x80, 0),
        [&b"TAG"[..], &[0xFF; 125]].concat(),
        [&b"TAG+"[..], &[0xFF; 223], b"TAG", &[1; 125]].concat(),
    ];
    for tag in tags {
        let stream = [&tag[..], &frame(1), &frame(2), &tag, &tag, &frame(3), &tag].concat();
        let events = testing::events(Demuxer::new(), &stream);
        assert_eq!(data(&events), [frame(1), frame(2), frame(3)], "{:?}", &tag[..4]);
        assert_eq!(coded(&events), [(48_000, 1)]);
        testing::is_the_same_in_pieces(Demuxer::new, &stream, 1..stream.len(), BOUND);
        // One frame between tags is believed.
        let stream = [&tag[..], &frame(1), &tag].concat();
        assert_eq!(data(&testing::events(Demuxer::new(), &stream)), [frame(1)], "{:?}", &tag[..4]);
    }
}

#[test]
fn a_stream_that_is_joined_anywhere_is_read_from_the_next_frame() {
    let whole = data(&testing::events(Demuxer::new(), &STREAM));
    for from in (1..2000).step_by(7) {
        let events = testing::events(Demuxer::new(), &STREAM[from..]);
        let found = data(&events);
        assert!(whole.ends_with(&found) && found.len() + 7 > whole.len(), "from byte {from} {} frames", found.len());
        assert_eq!(testing::packets(&events)[0].time, Ticks::ZERO);
    }
}

#[test]
fn garbage_between_frames_is_passed_over_up_to_the_limit() {
    let limit = usize::try_from(GARBAGE_LIMIT).unwrap();
    // Four bytes that look like a header, with nothing of its kind behind the frame they promise.
    let garbage = |bytes: usize| {
        [b"x", &HEADER[..], &[0xFF, 0xFB, 0x90, 0x00], &[7; 100], b"TAX", &[0xFF]].concat().repeat(700)[..bytes]
            .to_vec()
    };
    let stream = |bytes| [&frame(1)[..], &frame(2), &garbage(bytes), &frame(3), &frame(4), &frame(5)].concat();
    let events = testing::events(Demuxer::new(), &stream(limit / 2));
    assert_eq!(data(&events)[2..], [frame(3), frame(4), frame(5)]);
    testing::is_the_same_in_pieces(Demuxer::new, &stream(5000), (1..400).chain([1441]), BOUND);
    testing::is_the_same_in_pieces(Demuxer::new, &stream(70_000), [1, 7, 1000, 70_000], BOUND);
    let said = error(&stream(70_000));
    assert_eq!(said, Error::Malformed { offset: 384, what: Malformed::NoFrame });
    assert_eq!(
        said.to_string(),
        "broken MP3 at byte 384 (a frame): none begins here, nor within 65536 bytes (ISO/IEC 11172-3 §2.4.1.2)"
    );
    assert_eq!(error(&vec![b'x'; limit + 1]), Error::Malformed { offset: 0, what: Malformed::NoFrame });
    // Exactly the limit is not too much.
    let mut demuxer = Demuxer::new();
    assert!(testing::demux(&mut demuxer, [vec![b'x'; limit].as_slice()]).1.is_ok());
}

#[test]
fn another_rate_or_count_of_channels_is_another_stream() {
    let other = made(22_050, 1, &["-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0"]);
    let one = testing::events(Demuxer::new(), &STREAM);
    let two = testing::events(Demuxer::new(), &other);
    let stream = [STREAM.as_slice(), &other, &STREAM].concat();
    let events = testing::events(Demuxer::new(), &stream);
    assert_eq!(coded(&events), [(44_100, 2), (22_050, 1), (44_100, 2)]);
    assert!(events == [one.clone(), two, one].concat());
    testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 100, 1000], BOUND);
    // The same once more goes on.
    let twice = testing::events(Demuxer::new(), &[STREAM.as_slice(), &STREAM].concat());
    assert_eq!(coded(&twice).len(), 1);
}

#[test]
fn a_frame_is_given_as_soon_as_it_is_whole() {
    let mut demuxer = Demuxer::new();
    let mut count = |bytes: &[u8]| {
        stream::Demux::push(&mut demuxer, bytes);
        testing::packets(&testing::drain(&mut demuxer).0).len()
    };
    // The first is, once the next begins.
    assert_eq!(count(&frame(1)), 0);
    assert_eq!(count(&frame(2)[..3]), 0);
    assert_eq!(count(&frame(2)[3..4]), 1);
    assert_eq!(count(&frame(2)[4..191]), 0);
    assert_eq!(count(&frame(2)[191..]), 1);
    assert_eq!(count(&frame(3)), 1);
}

#[test]
fn other_layers_and_free_format_are_refused_and_it_is_said_what_is_accepted() {
    let with = |second: u8, third: u8| [&[0xFF, second, third, 0xC0][..], &[0; 2000]].concat();
    for (stream, what) in [
        (with(0xFD, 0x54), Unsupported::LayerTwo),
        (with(0xFF, 0x54), Unsupported::LayerOne),
        (with(0xFB, 0x04), Unsupported::FreeFormat),
    ] {
        assert_eq!(error(&stream), Error::Unsupported { offset: 0, what });
        let said = stream::Error::from(error(&stream));
        assert!(said.is_unsupported() && said.to_string().contains("accepted is layer III"), "{said}");
    }
    let layer_two = judge::made("sine=d=1", &["-c:a", "mp2", "-f", "mp2"]);
    assert_eq!(error(&layer_two), Error::Unsupported { offset: 0, what: Unsupported::LayerTwo });
    // Within garbage they are garbage.
    let stream = [&frame(1)[..], &frame(2), b"x", &[0xFF, 0xFD, 0x54, 0xC0], &frame(3), &frame(4)].concat();
    assert_eq!(data(&testing::events(Demuxer::new(), &stream)).len(), 4);
}

#[test]
fn endless_tags_and_tables_end_within_the_limit_and_are_not_held() {
    let mut table = frame(0);
    table[21..25].copy_from_slice(b"Info");
    let tag = [&b"ID3\x04\0\0\0\x7F\x7F\x7F"[..], &[0; 0x1F_FFFF]].concat();
    for again in [tag, b"ID3\x04\0\0\0\0\0\0".to_vec(), table] {
        let count = usize::try_from(PASSED_LIMIT).unwrap() / again.len() + 2;
        let pieces = std::iter::repeat_n(again.as_slice(), count).flat_map(|piece| piece.chunks(1000));
        let (_, end, most) = testing::demux(&mut Demuxer::new(), pieces);
        let Err(stream::Error::Mp3(Error::Limit { .. })) = end else { panic!("{end:?}") };
        assert!(most <= BOUND, "{most} bytes are held");
    }
    let Error::Limit { offset: 0, .. } = error(b"ID3\x04\0\0\x7F\x7F\x7F\x7F") else { panic!("256 MiB are too much") };
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_or_refused_alike(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"\xFF\xFB\x54\xC0TAGID3APE\0".to_vec())], 0..3000),
        sizes in testing::sizes(),
    ) {
        testing::is_read_or_refused(Demuxer::new, &bytes, &sizes, BOUND);
    }

    #[test]
    fn a_stream_with_any_bytes_changed_is_read_or_refused_alike(
        changes in testing::changes(30_000), sizes in testing::sizes(), cut in 0..3000_usize,
    ) {
        let mut bytes = STREAM.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.drain(2000..2000 + cut);
        testing::is_read_or_refused(Demuxer::new, &bytes, &sizes, BOUND);
    }
}
