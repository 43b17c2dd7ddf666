//! WAV streams: what ffmpeg writes into a pipe, what it does not write, and what nobody should send.

use proptest::prelude::*;

use super::{DESCRIBED_LIMIT, Demuxer, Error, Limit, Malformed, Name, PASSED_LIMIT, Unsupported};
use crate::container::judge;
use crate::container::stream::{self, Event};
use crate::container::testing;
use crate::media::pcm::{self, Head, Sample};
use crate::media::source::Source;
use crate::media::time::Ticks;

/// The most that is held: less than a block of 192 kHz, 2 channels of 4 bytes.
const BOUND: usize = 30_720;

/// A stream of these elements.
fn riff(elements: &[Vec<u8>]) -> Vec<u8> {
    [b"RIFF\0\0\0\0WAVE", &elements.concat()[..]].concat()
}

/// An element, padded.
fn element(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = open(name, u32::try_from(body.len()).unwrap());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// The header of an element.
fn open(name: &[u8; 4], size: u32) -> Vec<u8> {
    [&name[..], &size.to_le_bytes()].concat()
}

/// The element `fmt `.
fn format(encoding: u16, channels: u16, rate: u32, bits: u16, longer: &[u8]) -> Vec<u8> {
    let alignment = channels.wrapping_mul(bits) / 8;
    let mut body = [encoding.to_le_bytes(), channels.to_le_bytes()].concat();
    body.extend(rate.to_le_bytes());
    body.extend(rate.wrapping_mul(alignment.into()).to_le_bytes());
    body.extend(alignment.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body.extend(longer);
    element(b"fmt ", &body)
}

fn mono16() -> Vec<u8> {
    format(1, 1, 8_000, 16, &[])
}

fn head(sample: Sample, rate: u32, channels: u32) -> Head {
    Head::new(sample, rate, channels).unwrap()
}

fn heads(events: &[Event]) -> Vec<Head> {
    let head = |event: &Event| if let Event::Head(Source::Pcm(head)) = event { Some(*head) } else { None };
    events.iter().filter_map(head).collect()
}

fn samples(events: &[Event]) -> Vec<u8> {
    testing::packets(events).iter().flat_map(|packet| packet.data.to_vec()).collect()
}

fn error(stream: &[u8]) -> Error {
    let stream::Error::Wav(error) = testing::error(Demuxer::new(), stream) else { panic!("another container") };
    error
}

fn malformed(stream: &[u8]) -> Malformed {
    let Error::Malformed { what, .. } = error(stream) else { panic!("{}", error(stream)) };
    what
}

fn unsupported(stream: &[u8]) -> Unsupported {
    let Error::Unsupported { what, .. } = error(stream) else { panic!("{}", error(stream)) };
    assert!(stream::Error::from(error(stream)).is_unsupported());
    what
}

/// A quarter of a second of noise, as ffmpeg's own samples of 16 bits.
fn noise(rate: u32, channels: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..rate / 4 * channels * 2).map(|_| next()).collect()
}

/// What ffmpeg makes of the noise: a WAV stream as it writes it into a pipe, and the samples alone.
fn made(codec: &str, rate: u32, channels: u32) -> (Vec<u8>, Vec<u8>) {
    let (hz, count) = (rate.to_string(), channels.to_string());
    let input = ["-f", "s16le", "-ar", &hz, "-ac", &count, "-i", "-", "-c:a", codec];
    let noise = noise(rate, channels);
    let make = |format: &[&str]| judge::ffmpeg(&[&input[..], format, &["-"]].concat(), &noise);
    let bare = if codec == "pcm_u8" { "u8" } else { codec.strip_prefix("pcm_").unwrap() };
    (make(&["-f", "wav"]), make(&["-f", bare]))
}

#[test]
fn what_ffmpeg_pipes_comes_out_sample_exact_at_every_cut() {
    for (codec, sample, rate, channels) in [
        ("pcm_s16le", Sample::S16, 44_100, 2),
        ("pcm_s24le", Sample::S24, 48_000, 1),
        ("pcm_s24le", Sample::S24, 11_025, 1),
        ("pcm_s32le", Sample::S32, 8_000, 2),
        ("pcm_f32le", Sample::F32, 192_000, 2),
    ] {
        let (stream, expected) = made(codec, rate, channels);
        let events = testing::events(Demuxer::new(), &stream);
        assert_eq!(heads(&events), [head(sample, rate, channels)], "{codec}");
        assert!(samples(&events) == expected, "{codec}");
        let last = testing::packets(&events).pop().unwrap();
        assert_eq!(
            last.time.saturating_add(last.duration),
            head(sample, rate, channels).ticks((rate / 4).into()),
            "{codec}"
        );
        testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 2, 3, 7, 12, 43, 44, 45, 4096], BOUND);
    }
}

#[test]
fn bytes_become_16_bits_exactly() {
    let (stream, bytes) = made("pcm_u8", 22_050, 2);
    let events = testing::events(Demuxer::new(), &stream);
    assert_eq!(heads(&events), [head(Sample::S16, 22_050, 2)]);
    // As ffmpeg widens them.
    let wide = judge::ffmpeg(&["-f", "u8", "-i", "-", "-f", "s16le", "-"], &bytes);
    assert!(samples(&events) == wide);
    testing::is_the_same_in_pieces(Demuxer::new, &stream, [1, 5, 441, 883], BOUND);
}

#[test]
fn rf64_and_the_longer_form_are_read() {
    let noise = noise(48_000, 2);
    let input = ["-f", "s16le", "-ar", "48000", "-ac", "2", "-i", "-", "-rf64", "always"];
    let stream = judge::ffmpeg(&[&input[..], &["-f", "wav", "-"]].concat(), &noise);
    assert!(stream.starts_with(b"RF64"));
    assert!(samples(&testing::events(Demuxer::new(), &stream)) == noise);

    // Our own, of more than 4 GiB and cut off; and with sizes that say where it ends, so that another may follow.
    let head = head(Sample::F32, 96_000, 2);
    let stream = [super::header_for(head, 1 << 40), vec![1; 4000]].concat();
    assert!(samples(&testing::events(Demuxer::new(), &stream)) == [1; 4000]);
    let sized = |bytes: u64| {
        let mut header = super::header_for(head, 1 << 40);
        header[28..36].copy_from_slice(&bytes.to_le_bytes());
        header
    };
    let stream = [sized(16), vec![1; 16], sized(8), vec![2; 8]].concat();
    let events = testing::events(Demuxer::new(), &stream);
    assert_eq!(heads(&events), [head, head]);
    assert_eq!(samples(&events), [[1; 8], [1; 8], [2; 8]].concat());
    // Neither 0 nor all ones is a size.
    for unknown in [0, u64::MAX] {
        let stream = [sized(unknown), vec![1; 16], sized(8)].concat();
        assert_eq!(heads(&testing::events(Demuxer::new(), &stream)).len(), 1);
    }
}

#[test]
fn samples_of_unknown_size_go_on_to_the_end_whatever_they_look_like() {
    for unknown in [0, u32::MAX] {
        let inside = riff(&[mono16(), element(b"data", &[1, 2])]);
        let stream = riff(&[mono16(), open(b"data", unknown), inside.clone(), vec![7]]);
        let events = testing::events(Demuxer::new(), &stream);
        assert_eq!(heads(&events).len(), 1);
        // The last byte is half a sample.
        assert!(samples(&events) == inside);
        testing::is_the_same_in_pieces(Demuxer::new, &stream, 1..stream.len(), BOUND);
    }
}

#[test]
fn behind_samples_of_known_size_a_stream_may_begin_again() {
    let first = riff(&[mono16(), element(b"data", &[1; 1000]), element(b"LIST", &[9; 301]), element(b"id3 ", &[])]);
    let other = riff(&[format(3, 2, 16_000, 32, &[]), element(b"data", &[2; 24])]);
    let stream = [first.clone(), other.clone(), first].concat();
    let events = testing::events(Demuxer::new(), &stream);
    let mono = head(Sample::S16, 8_000, 1);
    assert_eq!(heads(&events), [mono, head(Sample::F32, 16_000, 2), mono]);
    let times: Vec<[u64; 2]> =
        testing::packets(&events).iter().map(|packet| [packet.time, packet.duration].map(Ticks::get)).collect();
    let times_of_mono = [[0, 960], [960, 960], [1920, 960], [2880, 120]];
    assert_eq!(times, [&times_of_mono[..], &[[0, 9]], &times_of_mono].concat());
    testing::is_the_same_in_pieces(Demuxer::new, &stream, 1..stream.len(), BOUND);
    // A stream of nothing but its head, and what a known size cuts off of the last frame.
    let stream = [riff(&[mono16()]), riff(&[format(1, 2, 8_000, 16, &[]), element(b"data", &[3; 7])]), other].concat();
    let events = testing::events(Demuxer::new(), &stream);
    assert_eq!(heads(&events).len(), 2);
    assert_eq!(samples(&events), [vec![3; 4], vec![2; 24]].concat());
}

#[test]
fn padding_is_passed_over_and_may_be_missing() {
    for padding in [&[0][..], &[]] {
        let odd = |name, size, body: &[u8]| [open(name, size), body.to_vec(), padding.to_vec()].concat();
        let elements =
            [odd(b"LIST", 3, &[1; 3]), mono16(), odd(b"junk", 1, &[1]), format(1, 1, 8_000, 24, &[])].concat();
        let stream = riff(&[elements, odd(b"data", 3, &[5; 3]), odd(b"LIST", 1, &[1])]);
        let events = testing::events(Demuxer::new(), &[stream.clone(), stream].concat());
        assert_eq!(heads(&events), [head(Sample::S24, 8_000, 1); 2]);
        assert_eq!(samples(&events), [5; 6]);
    }
    // Two bytes are no padding.
    let stream = riff(&[mono16(), open(b"data", 3), vec![5; 3], vec![0, 0], open(b"LIST", 0)]);
    assert_eq!(malformed(&stream), Malformed::NoName);
}

#[test]
fn other_encodings_are_refused_and_it_is_said_what_is_accepted() {
    for (encoding, bits, word) in
        [(6, 8, "A-law"), (7, 8, "µ-law"), (2, 4, "ADPCM"), (0x55, 0, "MP3"), (0x7777, 16, "0x7777")]
    {
        let stream = riff(&[format(encoding, 1, 8_000, bits, &[])]);
        assert_eq!(unsupported(&stream), Unsupported::Encoding(encoding));
        let said = error(&stream).to_string();
        assert!(said.contains(word) && said.contains("accepted are plain integers of 8, 16, 24 or 32 bits"), "{said}");
    }
    assert_eq!(unsupported(&riff(&[format(3, 1, 8_000, 64, &[])])), Unsupported::Floats(64));
    assert_eq!(unsupported(&riff(&[format(1, 1, 8_000, 20, &[])])), Unsupported::Integers(20));
    // What ffmpeg writes for them.
    for codec in ["pcm_alaw", "pcm_mulaw", "adpcm_ms", "pcm_f64le"] {
        let input = ["-f", "s16le", "-ar", "8000", "-ac", "1", "-i", "-", "-c:a", codec];
        let stream = judge::ffmpeg(&[&input[..], &["-f", "wav", "-"]].concat(), &noise(8_000, 1));
        unsupported(&stream);
    }
    let unfit = |rate, channels| unsupported(&riff(&[format(1, channels, rate, 16, &[])]));
    assert_eq!(unfit(0, 1), Unsupported::Unfit(pcm::Unfit::Rate(0)));
    assert_eq!(unfit(48_000, 9), Unsupported::Unfit(pcm::Unfit::Channels(9)));
    assert_eq!(unsupported(b"RIFF\0\0\0\0AVI LIST"), Unsupported::Form(Name(*b"AVI ")));
    assert_eq!(unsupported(b"RIFX\0\0\0\0WAVEfmt "), Unsupported::BigEndian);
    // The longer form, of an encoding that is none of the usual.
    let guid = [&[22, 0, 16, 0, 4, 0, 0, 0, 1, 0][..], &[0xAB; 14]].concat();
    assert_eq!(unsupported(&riff(&[format(0xFFFE, 1, 8_000, 16, &guid)])), Unsupported::Encoding(0xFFFE));
}

#[test]
fn what_is_broken_says_where() {
    let said = |stream: &[u8]| error(stream).to_string();
    assert_eq!(
        said(b"OggSabcdefgh"),
        "broken WAV at byte 0 (\"OggS\"): a stream begins with \"RIFF\", \"RF64\" or \"BW64\""
    );
    assert_eq!(
        said(&riff(&[element(b"LIST", &[0; 4]), open(b"data", 0)])),
        "broken WAV at byte 24 (\"data\"): the samples come before the element \"fmt \", which says what they are"
    );
    assert_eq!(malformed(&riff(&[element(b"fmt ", &[0; 15])])), Malformed::TooShort { size: 15, least: 16 });
    let short = format(0xFFFE, 1, 8_000, 16, &[0; 23]);
    assert_eq!(malformed(&riff(&[short])), Malformed::TooShort { size: 39, least: 40 });
    assert_eq!(malformed(&riff(&[element(b"ds64", &[0; 15])])), Malformed::TooShort { size: 15, least: 16 });
    assert_eq!(malformed(&riff(&[vec![1, 2, 3, 4, 0, 0, 0, 0]])), Malformed::NoName);
    let twice = [mono16(), element(b"data", &[0; 2]), element(b"data", &[0; 2])];
    assert_eq!(malformed(&riff(&twice)), Malformed::SecondData);
    // 24 bits in 4 bytes.
    let mut loose = format(1, 1, 8_000, 24, &[]);
    loose[8 + 12] = 4;
    assert_eq!(malformed(&riff(&[loose])), Malformed::FrameLength { said: 4, counted: 3 });
}

#[test]
fn endless_elements_end_within_the_limit_and_are_not_held() {
    let limit = |stream: &[u8]| {
        let Error::Limit { what, .. } = error(stream) else { panic!("{}", error(stream)) };
        what
    };
    let too_long = u32::try_from(DESCRIBED_LIMIT).unwrap() + 1;
    assert_eq!(limit(&riff(&[open(b"fmt ", too_long)])), Limit::Described);
    assert_eq!(limit(&riff(&[open(b"ds64", u32::MAX)])), Limit::Described);
    assert_eq!(limit(&riff(&[open(b"LIST", u32::MAX)])), Limit::PassedOver);
    let behind = riff(&[mono16(), element(b"data", &[0; 2])]);
    for start in [riff(&[]), behind] {
        let again =
            [element(b"LIST", &[0; 50_001]), element(b"junk", &[]), riff(&[mono16(), open(b"data", 1), vec![0]])];
        for again in again {
            let count = 2 * usize::try_from(PASSED_LIMIT).unwrap() / again.len();
            let mut demuxer = Demuxer::new();
            let pieces = std::iter::once(start.as_slice()).chain(std::iter::repeat_n(again.as_slice(), count));
            let (_, end, most) = testing::demux(&mut demuxer, pieces);
            let Err(stream::Error::Wav(Error::Limit { what: Limit::PassedOver, .. })) = end else { panic!("{end:?}") };
            assert!(most < 16, "{most} bytes are held");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_or_refused_alike(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(b"RIFWAVEfmt data\0\x10\x01".to_vec())], 0..300),
        sizes in testing::sizes(),
    ) {
        let stream = [b"RIFF\0\0\0\0WAVE", &bytes[..]].concat();
        testing::is_read_or_refused(Demuxer::new, &stream, &sizes, BOUND);
        testing::is_read_or_refused(Demuxer::new, &bytes, &sizes, BOUND);
    }

    #[test]
    fn a_stream_with_any_bytes_changed_is_read_or_refused_alike(
        changes in testing::changes(200), sizes in testing::sizes(), known in any::<bool>(),
    ) {
        let stream = |format| {
            let data = if known { element(b"data", &[1; 999]) } else { [open(b"data", 0), vec![1; 999]].concat() };
            riff(&[element(b"ds64", &[0; 28]), element(b"LIST", &[3; 11]), format, data])
        };
        let float = format(0xFFFE, 2, 48_000, 32, &[&[22, 0, 32, 0, 3, 0, 0, 0, 3, 0][..], &super::format::GUID_TAIL].concat());
        let mut bytes = [stream(float), stream(mono16())].concat();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        testing::is_read_or_refused(Demuxer::new, &bytes, &sizes, BOUND);
    }
}
