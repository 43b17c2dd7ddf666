//! FLAC streams: what ffmpeg writes into a pipe, and what nobody should send.

use crc::{CRC_8_SMBUS, CRC_16_UMTS, Crc};
use proptest::prelude::*;

use super::{Demuxer, Element, Error, METADATA_LIMIT, Malformed, StreamInfo, frame_frames};
use crate::container::judge;
use crate::container::stream::{self, Event};
use crate::container::testing;
use crate::media::pcm;
use crate::media::source::{Codec, Coded, Source};

/// Noise of 16 bits, mixed with itself so that frames are coded in several ways: loud, soft, silent.
fn sound(rate: u32, channels: u32, millis: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut sample = |index: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [high, low, ..] = state.to_be_bytes();
        match index * 8 / (rate / 1000 * millis) % 4 {
            0 => [low, high],
            1 => [high / 16, 0],
            2 => [index.to_le_bytes()[0], 3],
            _ => [0, 0],
        }
    };
    (0..rate / 1000 * millis)
        .flat_map(|index| vec![sample(index); usize::try_from(channels).unwrap()].concat())
        .collect()
}

/// A stream as ffmpeg writes it into a pipe.
fn made(rate: u32, channels: u32, more: &[&str]) -> Vec<u8> {
    let (hz, count) = (rate.to_string(), channels.to_string());
    let input = ["-f", "s16le", "-ar", &hz, "-ac", &count, "-i", "-", "-c:a", "flac"];
    judge::ffmpeg(&[&input[..], more, &["-f", "flac", "-"]].concat(), &sound(rate, channels, 700))
}

fn mono() -> Vec<u8> {
    made(8_000, 1, &["-sample_fmt", "s16", "-frame_size", "192"])
}

/// What STREAMINFO says of a stream.
fn info(stream: &[u8]) -> StreamInfo {
    StreamInfo::read(stream[8..].first_chunk().unwrap()).unwrap()
}

fn bound(stream: &[u8]) -> usize {
    info(stream).longest_frame() + 16
}

fn coded(events: &[Event]) -> Vec<&Coded> {
    let coded = |event| if let &Event::Head(Source::Coded(ref coded)) = event { Some(coded) } else { None };
    events.iter().filter_map(coded).collect()
}

fn error(stream: &[u8]) -> Error {
    let stream::Error::Flac(error) = testing::error(Demuxer::new(), stream) else { panic!("another container") };
    error
}

fn malformed(stream: &[u8]) -> (u64, Malformed) {
    let Error::Malformed { offset, what, .. } = error(stream) else { panic!("{}", error(stream)) };
    (offset, what)
}

fn block(kind: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes()[1..], body].concat()
}

/// STREAMINFO of a stream of 4096 frames a frame.
fn stream_info(rate: u32, channels: u8, bits: u8) -> Vec<u8> {
    let mut body = [0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0].to_vec();
    body.extend((u64::from(rate) << 44 | u64::from(channels - 1) << 41 | u64::from(bits - 1) << 36).to_be_bytes());
    body.resize(StreamInfo::BYTES, 0);
    body
}

#[test]
fn the_packets_are_those_that_ffprobe_finds_at_every_cut() {
    for (rate, channels, more) in [
        (48_000, 2, &["-sample_fmt", "s16"][..]),
        (44_100, 2, &["-sample_fmt", "s32", "-bits_per_raw_sample", "24"]),
        (96_000, 1, &["-sample_fmt", "s16", "-compression_level", "12"]),
        (8_000, 1, &["-sample_fmt", "s16", "-frame_size", "192"]),
        (37_800, 2, &["-sample_fmt", "s16", "-frame_size", "1000", "-ch_mode", "mid_side"]),
        (192_000, 2, &["-sample_fmt", "s32", "-compression_level", "0"]),
    ] {
        let stream = made(rate, channels, more);
        let events = testing::events(Demuxer::new(), &stream);
        let private = stream[8..42].to_vec().into();
        let expected = Coded { codec: Codec::Flac, rate, channels: channels.try_into().unwrap(), private };
        assert_eq!(coded(&events), [&expected]);
        let head = info(&stream).head().unwrap();
        let found = testing::packets(&events);
        assert!(found.len() > 4, "{rate}");
        testing::are_the_same_bytes(&rate.to_string(), &found, &judge::probe(&stream));
        let mut frames = 0;
        for packet in found {
            assert_eq!(packet.time, head.ticks(frames), "{rate}");
            frames += u64::from(frame_frames(&packet.data).unwrap());
            assert_eq!(packet.time.saturating_add(packet.duration), head.ticks(frames), "{rate}");
        }
        assert_eq!(frames, u64::from(rate / 1000) * 700);
        testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 2, 15, 16, 17, 41, 42, 4096], bound(&stream));
    }
}

#[test]
fn a_frame_is_given_once_the_next_begins_and_the_last_at_the_end() {
    let stream = mono();
    let sizes: Vec<usize> = judge::probe(&stream).iter().map(|packet| packet.size).collect();
    let first = stream.len() - sizes.iter().sum::<usize>();
    let mut demuxer = Demuxer::new();
    let mut count = |pieces: &[u8], finish| {
        stream::Demux::push(&mut demuxer, pieces);
        if finish {
            stream::Demux::finish(&mut demuxer);
        }
        testing::packets(&testing::drain(&mut demuxer).0).len()
    };
    let second = first + sizes[0];
    // This rate and this block size are in the first 4 bytes of the header, the number is one, and so is the checksum.
    assert_eq!(count(&stream[..second + 5], false), 0);
    assert_eq!(count(&stream[second + 5..second + 6], false), 1);
    assert_eq!(count(&stream[second + 6..], false), sizes.len() - 2);
    assert_eq!(count(&[], true), 1);
}

#[test]
fn what_is_cut_off_is_dropped_and_what_is_whole_is_not() {
    let stream = mono();
    let sizes: Vec<usize> = judge::probe(&stream).iter().map(|packet| packet.size).collect();
    let last = stream.len() - sizes.last().unwrap();
    for (length, packets) in [
        (stream.len() - 1, sizes.len() - 1),
        (last + 1, sizes.len() - 1),
        (last, sizes.len() - 1),
        (last - 1, sizes.len() - 2),
    ] {
        let events = testing::events(Demuxer::new(), &stream[..length]);
        assert_eq!(testing::packets(&events).len(), packets, "{length} of {last}");
    }
}

#[test]
fn a_stream_may_begin_again() {
    let (first, second) = (mono(), made(48_000, 2, &["-sample_fmt", "s16"]));
    let stream = [first.clone(), second.clone(), first.clone()].concat();
    let events = testing::events(Demuxer::new(), &stream);
    let rates: Vec<u32> = coded(&events).iter().map(|coded| coded.rate).collect();
    assert_eq!(rates, [8_000, 48_000, 8_000]);
    let one = |stream: &[u8]| testing::events(Demuxer::new(), stream);
    assert!(events == [one(&first), one(&second), one(&first)].concat());
    testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 3, 1000], bound(&second));
    // Also where nothing has come of the first but its head.
    let head = first[..first.len() - judge::probe(&first).iter().map(|packet| packet.size).sum::<usize>()].to_vec();
    assert_eq!(coded(&one(&[head, second].concat())).len(), 2);
}

/// A frame of 192 samples of 8 bits as they are, of one channel (RFC 9639 §9.2.2).
fn verbatim(number: u8, samples: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF, 0xF8, 0x10, 0x02, number];
    frame.push(Crc::<u8>::new(&CRC_8_SMBUS).checksum(&frame));
    frame.push(0x02);
    frame.extend(samples.iter().chain(&[0; 192]).take(192));
    let checksum = Crc::<u16>::new(&CRC_16_UMTS).checksum(&frame);
    [&frame[..], &checksum.to_be_bytes()].concat()
}

#[test]
fn sound_that_looks_like_a_frame_or_a_stream_is_neither() {
    let header = verbatim(7, &[])[..6].to_vec();
    let frames = [
        verbatim(0, &[&[0xFF; 40][..], b"fLaC", &header, b"ff", &header, &header].concat()),
        verbatim(1, &[header.clone(), vec![9; 174], header.clone(), header].concat()),
        verbatim(2, &b"fLaCf".repeat(40)),
    ];
    let head = [b"fLaC".to_vec(), block(0x80, 34, &stream_info(8_000, 1, 8))].concat();
    let stream = [head, frames.concat()].concat();
    let events = testing::events(Demuxer::new(), &stream);
    let found: Vec<Vec<u8>> = testing::packets(&events).iter().map(|packet| packet.data.to_vec()).collect();
    assert!(found == frames);
    testing::is_the_same_in_pieces(Demuxer::new, &stream, 1..stream.len(), bound(&stream));
}

#[test]
fn a_wrong_bit_is_an_error_at_its_frame_and_what_came_before_is_given() {
    let stream = mono();
    let sizes: Vec<usize> = judge::probe(&stream).iter().map(|packet| packet.size).collect();
    let at = stream.len() - sizes[5..].iter().sum::<usize>();
    let mut broken = stream.clone();
    broken[at + 30] ^= 1;
    let (events, end, most) = testing::demux(&mut Demuxer::new(), broken.chunks(100));
    assert_eq!(testing::packets(&events).len(), 5);
    let what = Malformed::NoEnd(info(&stream).longest_frame());
    let error = Error::Malformed { offset: at as u64, element: Element::Frame, what };
    assert_eq!(end, Err(error.into()));
    assert!(most <= bound(&stream));
    // Its header alone is told at once.
    let mut broken = stream;
    broken[at + 2] ^= 0x10;
    let (events, ..) = testing::demux(&mut Demuxer::new(), broken.chunks(100));
    assert_eq!(testing::packets(&events).len(), 4, "the frame before does not end where no other begins");
}

#[test]
fn what_is_fine_but_not_ours_is_unsupported() {
    let stream =
        |rate, channels, bits| [b"fLaC".to_vec(), block(0x80, 34, &stream_info(rate, channels, bits))].concat();
    let unsupported = |rate, channels, bits| {
        let error = error(&stream(rate, channels, bits));
        assert!(stream::Error::from(error.clone()).is_unsupported(), "{error}");
        error.to_string()
    };
    let at = "unsupported FLAC at byte 4 (STREAMINFO): ";
    assert_eq!(unsupported(48_000, 2, 32), format!("{at}samples of 32 bits are not accepted, only 4 to 24"));
    assert_eq!(unsupported(48_000, 2, 25), format!("{at}samples of 25 bits are not accepted, only 4 to 24"));
    assert_eq!(unsupported(48_000, 6, 16), format!("{at}{}", pcm::Unfit::Channels(6)));
    assert_eq!(unsupported(655_350, 1, 16), format!("{at}{}", pcm::Unfit::Rate(655_350)));
    assert_eq!(unsupported(0, 1, 16), format!("{at}{}", pcm::Unfit::Rate(0)));
    for bits in [4, 8, 12, 16, 20, 24] {
        let events = testing::events(Demuxer::new(), &stream(44_100, 2, bits));
        assert_eq!(coded(&events).len(), 1, "{bits}");
    }
}

#[test]
fn what_is_broken_says_where() {
    let marked = |blocks: &[Vec<u8>]| [b"fLaC".to_vec(), blocks.concat()].concat();
    let fine = stream_info(48_000, 2, 16);
    assert_eq!(malformed(b"fLaX"), (0, Malformed::NoMarker));
    assert_eq!(malformed(&marked(&[block(4, 34, &fine)])), (4, Malformed::NoStreamInfo));
    assert_eq!(malformed(&marked(&[block(0, 34, &fine), block(0, 34, &fine)])), (42, Malformed::NoStreamInfo));
    assert_eq!(malformed(&marked(&[block(0, 35, &fine)])), (4, Malformed::StreamInfo));
    assert_eq!(malformed(&marked(&[block(0, 34, &[0; 34])])), (4, Malformed::StreamInfo));
    assert_eq!(malformed(&marked(&[block(0, 34, &fine), block(0x7F, 0, &[])])), (42, Malformed::Type));
    assert_eq!(
        error(&marked(&[block(0, 34, &fine), block(0x84, 3, &[1; 3]), vec![0xFF, 0xF7]])).to_string(),
        "broken FLAC at byte 49 (a frame): no header of a frame that fits STREAMINFO begins here (RFC 9639 §9.1)"
    );
    // A frame of another stream.
    let other = mono();
    let frame = other.len() - judge::probe(&other).iter().map(|packet| packet.size).sum::<usize>();
    assert_eq!(malformed(&marked(&[block(0x80, 34, &fine), other[frame..].to_vec()])), (42, Malformed::NoFrame));
}

#[test]
fn endless_metadata_ends_within_the_limit_and_is_not_held() {
    let start = [b"fLaC".to_vec(), block(0, 34, &stream_info(48_000, 2, 16))].concat();
    let whole = [b"fLaC".to_vec(), block(0x80, 34, &stream_info(48_000, 2, 16))].concat();
    for (start, again) in
        [(start.clone(), block(4, 50_000, &[0xFF; 50_000])), (start, block(1, 0, &[])), (whole.clone(), whole)]
    {
        let count = usize::try_from(METADATA_LIMIT).unwrap() / again.len() + 2;
        let pieces = std::iter::once(start.as_slice()).chain(std::iter::repeat_n(again.as_slice(), count));
        let (_, end, most) = testing::demux(&mut Demuxer::new(), pieces);
        let Err(stream::Error::Flac(Error::Limit { .. })) = end else { panic!("{end:?}") };
        assert!(most < 64, "{most} bytes are held");
    }
}

#[test]
fn no_frame_is_waited_for_past_the_longest() {
    let (start, bound) = {
        let stream = mono();
        (
            stream[..stream.len() - judge::probe(&stream).iter().map(|packet| packet.size).sum::<usize>() + 40]
                .to_vec(),
            bound(&stream),
        )
    };
    for endless in [&[0xFF][..], &[0], b"fLaC", &[0xFF, 0xF8], b"fLa"] {
        let stream = [start.clone(), endless.repeat(bound)].concat();
        testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 7, 1000], bound);
        assert!(matches!(malformed(&stream).1, Malformed::NoEnd(_)), "{endless:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_stream_with_any_bytes_changed_is_read_or_refused_alike(
        changes in testing::changes(9000), sizes in testing::sizes(), cut in 0..200_usize,
    ) {
        use std::sync::LazyLock;
        static STREAM: LazyLock<Vec<u8>> = LazyLock::new(|| [mono(), mono()].concat());
        let mut bytes = STREAM.clone();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.drain(300..300 + cut);
        // STREAMINFO may have been changed to the worst.
        testing::is_read_or_refused(Demuxer::new, &bytes, &sizes, 420_000);
    }

    #[test]
    fn any_bytes_behind_a_head_are_read_or_refused_alike(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(0xF8), Just(b'f')], 0..2000),
        sizes in testing::sizes(),
    ) {
        let whole = [b"fLaC".to_vec(), block(0x80, 34, &stream_info(48_000, 2, 16)), bytes.clone()].concat();
        testing::is_read_or_refused(Demuxer::new, &whole, &sizes, bound(&whole));
        testing::is_read_or_refused(Demuxer::new, &bytes, &sizes, 64);
    }
}
