//! What programs send as Ogg, made by ffmpeg, and by hand where it makes none.

use proptest::prelude::*;

use super::*;
use crate::container::judge::{self, adler32};
use crate::container::testing::{self, heads, packets};
use crate::container::{ogg, stream};
use crate::media::opus;
use crate::media::packet::{Packet, Sequence};
use crate::media::source::{Codec, Source};
use crate::media::time::Ticks;

const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
const TAGS: &[u8] = b"OpusTags\0\0\0\0\0\0\0\0";
const SILENCE: &[u8] = opus::SILENCE_20_MS.0;

/// All events of a stream that is cut into these pieces, and the error that ends them.
pub(super) fn demux<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<Error>) {
    let (events, end, most) = testing::demux(&mut Demuxer::new(), pieces);
    assert!(most < ogg::LONGEST_PAGE + FLAC_PACKET_LIMIT);
    match end {
        Ok(()) => (events, None),
        Err(stream::Error::Ogg(error)) => (events, Some(error)),
        Err(error) => panic!("another container's: {error}"),
    }
}

/// A page of a stream: its number, its flags, its granule position, its packets, each less than 255 bytes.
struct Made<'a>(u32, u32, &'a str, Option<u64>, &'a [&'a [u8]]);

/// Pages as bytes. Flags are letters: (f)irst, (l)ast, (c)ontinued, (o)pen at the end.
fn paged(pages: &[Made<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Made(serial, sequence, flags, granule, packets) in pages {
        let has = |flag| flags.contains(flag);
        let mut lacing: Vec<u8> = packets.iter().map(|packet| u8::try_from(packet.len()).unwrap()).collect();
        if has('o') {
            assert_eq!(lacing.last(), Some(&255));
        } else {
            assert!(!lacing.contains(&255));
        }
        let page = Page {
            serial: *serial,
            sequence: *sequence,
            granule: *granule,
            first: has('f'),
            last: has('l'),
            continued: has('c'),
            lacing: mem::take(&mut lacing),
            body: packets.concat(),
            ..Page::default()
        };
        page.write(&mut bytes);
    }
    bytes
}

/// A stream of Opus with these pages after its headers.
fn opus_with(pages: &[Made<'_>]) -> Vec<u8> {
    let head = paged(&[Made(7, 0, "f", Some(0), &[&HEAD.to_bytes()]), Made(7, 1, "", Some(0), &[TAGS])]);
    [head, paged(pages)].concat()
}

fn times(events: &[Event]) -> Vec<u64> {
    packets(events).iter().map(|packet| packet.time.get()).collect()
}

#[test]
fn what_ffmpeg_makes_of_each_codec_has_the_packets_and_times_that_ffprobe_finds() {
    for (arguments, codec, rate, channels) in [
        (&["-c:a", "libopus", "-ar", "48000", "-ac", "2"][..], Codec::Opus, 48_000, 2),
        (&["-c:a", "libopus", "-frame_duration", "60", "-page_duration", "1"], Codec::Opus, 48_000, 1),
        (&["-c:a", "libvorbis", "-ar", "44100", "-ac", "2"], Codec::Vorbis, 44_100, 2),
        (&["-c:a", "libvorbis", "-ar", "22050", "-ac", "1"], Codec::Vorbis, 22_050, 1),
        (&["-c:a", "flac", "-ar", "44100", "-ac", "1"], Codec::Flac, 44_100, 1),
        (&["-c:a", "flac", "-ar", "192000", "-ac", "2", "-sample_fmt", "s32"], Codec::Flac, 192_000, 2),
    ] {
        let file = judge::made("sine=sample_rate=48000", &[arguments, &["-f", "ogg"]].concat());
        let (events, error) = demux([file.as_slice()]);
        assert_eq!(error, None, "{arguments:?}");
        let [source] = heads(&events)[..] else { panic!("{arguments:?}") };
        assert_eq!(source.codec(), codec);
        match source {
            Source::Opus(head) => assert_eq!(head.channels, channels),
            Source::Coded(coded) => {
                assert_eq!((coded.rate, coded.channels), (rate, channels));
                assert!(coded.codec != Codec::Flac || coded.private.len() == 34);
            }
            Source::Pcm(_) => panic!("there is no PCM in Ogg"),
        }
        let found = packets(&events);
        let probed = judge::probe(&file);
        assert_eq!(found.len(), probed.len(), "{arguments:?}");
        for (index, (found, probed)) in found.iter().zip(&probed).enumerate() {
            assert_eq!(adler32(&found.data), probed.adler32, "{arguments:?}, packet {index}");
        }
        for (index, (pair, probed)) in found.windows(2).zip(probed.windows(2)).enumerate() {
            // The first packet of Vorbis sounds for nothing, which ffprobe does not know.
            if codec == Codec::Vorbis && index == 0 {
                continue;
            }
            let expected = (probed[1].pts - probed[0].pts) * 48_000 / i64::from(rate);
            let ours = pair[1].time.signed_since(pair[0].time);
            assert!((ours - expected).abs() <= 1, "{arguments:?}, packet {index}: {ours}, ffprobe {expected}");
            let duration = pair[0].duration.get();
            assert!(ours.unsigned_abs().abs_diff(duration) <= 1, "{arguments:?}, packet {index}: {duration}");
        }
        let total: u64 = found.iter().map(|packet| packet.duration.get()).sum();
        assert!((3 * 48_000..3 * 48_000 + 8192).contains(&total), "{arguments:?}: {total}");
        for size in [1, 2, 7, 100, 4096, 65_537] {
            assert!(demux(file.chunks(size)) == (events.clone(), None), "{arguments:?}, in pieces of {size}");
        }
    }
}

#[test]
fn a_vorbis_source_holds_its_identification_and_its_setup_header() {
    let file = judge::made("sine", &["-c:a", "libvorbis", "-f", "ogg"]);
    let (events, _) = demux([file.as_slice()]);
    let [Source::Coded(coded)] = heads(&events)[..] else { panic!("Vorbis") };
    assert!(coded.private.starts_with(b"\x01vorbis"));
    assert!(coded.private[30..].starts_with(b"\x05vorbis"));
}

#[test]
fn streams_one_after_another_each_begin_with_a_head() {
    let source = "sine=sample_rate=48000";
    let files = [
        judge::made(source, &["-c:a", "libopus", "-t", "1", "-f", "ogg"]),
        judge::made(source, &["-c:a", "libvorbis", "-t", "1", "-f", "ogg"]),
        judge::made(source, &["-c:a", "flac", "-t", "1", "-f", "ogg"]),
        judge::made(source, &["-c:a", "libopus", "-t", "1", "-f", "ogg"]),
    ];
    let mut expected = Vec::new();
    for file in &files {
        let (events, error) = demux([file.as_slice()]);
        assert_eq!(error, None);
        expected.extend(events);
    }
    let whole = files.concat();
    for size in [1, 4096, whole.len()] {
        assert!(demux(whole.chunks(size)) == (expected.clone(), None), "in pieces of {size}");
    }
    let codecs: Vec<Codec> = heads(&expected).iter().map(|source| source.codec()).collect();
    assert_eq!(codecs, [Codec::Opus, Codec::Vorbis, Codec::Flac, Codec::Opus]);
}

#[test]
fn a_recorder_that_was_killed_begins_anew_without_an_end() {
    let stream = opus_with(&[Made(7, 2, "", Some(1920), &[SILENCE, SILENCE])]);
    let (events, error) = demux([&stream[..], &stream]);
    assert_eq!(error, None);
    assert_eq!((heads(&events).len(), times(&events)), (2, vec![0, 960, 0, 960]));
}

#[test]
fn our_own_messages_are_read_one_after_another() {
    let mut messages = ogg::live::Messages::new(3, HEAD);
    let packet = |index: u64| Packet {
        sequence: Sequence::new(index),
        time: Ticks::new(index * 960),
        duration: Ticks::new(960),
        data: Bytes::from_static(SILENCE),
        heard: None,
    };
    let bytes: Vec<u8> =
        (0..5).flat_map(|message| messages.message(&[packet(2 * message), packet(2 * message + 1)])).collect();
    let (events, error) = demux([bytes.as_slice()]);
    assert_eq!(error, None);
    assert_eq!(times(&events), (0..10).map(|index| index * 960).collect::<Vec<_>>());
}

#[test]
fn times_are_counted_back_from_the_granule_position_and_on_where_the_last_page_cuts_off() {
    let (events, error) = demux([opus_with(&[
        Made(7, 2, "", Some(10_960), &[SILENCE]),
        Made(7, 3, "", Some(50_000), &[SILENCE, SILENCE]),
        Made(7, 4, "l", Some(50_001), &[SILENCE, SILENCE]),
    ])
    .as_slice()]);
    assert_eq!(error, None);
    assert_eq!(times(&events), [10_000, 48_080, 49_040, 50_000, 50_960]);
    // A gap before the last page is one; the first page that says less than it has begins at 0.
    let (events, _) = demux([opus_with(&[Made(7, 2, "l", Some(700), &[SILENCE, SILENCE])]).as_slice()]);
    assert_eq!(times(&events), [0, 960]);
    let last_is_late = [Made(7, 2, "", Some(960), &[SILENCE]), Made(7, 3, "l", Some(9_600), &[SILENCE])];
    assert_eq!(times(&demux([opus_with(&last_is_late).as_slice()]).0), [0, 8_640]);
}

#[test]
fn a_stream_that_was_joined_in_the_middle_begins_there() {
    let rest = [1; 20];
    let (events, error) = demux([opus_with(&[
        Made(7, 1000, "c", Some(96_960), &[&rest, SILENCE]),
        Made(7, 1001, "", Some(97_920), &[SILENCE]),
    ])
    .as_slice()]);
    assert_eq!(error, None);
    assert_eq!(times(&events), [96_000, 96_960]);
}

#[test]
fn a_page_that_does_not_follow_is_refused_with_its_place() {
    let sound = |sequence, flags| Made(7, sequence, flags, Some(960 * u64::from(sequence - 1)), &[SILENCE]);
    let good = opus_with(&[sound(2, "")]);
    let offset = good.len() as u64;
    let long = [0; 255];
    for (page, what) in [
        (sound(4, ""), Malformed::Order { expected: 3, found: 4 }),
        (sound(2, ""), Malformed::Order { expected: 3, found: 2 }),
        (sound(3, "c"), Malformed::Continuation),
        (Made(8, 0, "", Some(0), &[SILENCE]), Malformed::NoBeginning),
        (Made(7, 3, "", None, &[SILENCE]), Malformed::NoGranule),
        (Made(7, 3, "", Some(960), &[b""]), Malformed::Opus(opus::PacketError::Empty)),
    ] {
        let (events, error) = demux([[&good[..], &paged(&[page])].concat().as_slice()]);
        assert_eq!(error, Some(Error::Malformed { offset, what }));
        assert_eq!(events.len(), 2, "what came before counts");
    }
    let open = [&good[..], &paged(&[Made(7, 3, "o", None, &[&long])])].concat();
    let (_, error) = demux([[&open[..], &paged(&[sound(4, "")])].concat().as_slice()]);
    assert_eq!(error, Some(Error::Malformed { offset: open.len() as u64, what: Malformed::Continuation }));
    let ended = opus_with(&[sound(2, "l")]);
    let (_, error) = demux([[&ended[..], &paged(&[sound(3, "")])].concat().as_slice()]);
    assert_eq!(error, Some(Error::Malformed { offset, what: Malformed::Ended }));
    let (_, error) = demux([paged(&[sound(2, "")]).as_slice()]);
    assert_eq!(error, Some(Error::Malformed { offset: 0, what: Malformed::NoBeginning }));
    let (events, error) = demux([[&good[..], b"garbage"].concat().as_slice()]);
    assert_eq!(events.len(), 2);
    let said = error.unwrap().to_string();
    assert!(said.starts_with(&format!("no whole Ogg page at byte {offset}")), "{said}");
}

#[test]
fn an_empty_packet_on_the_last_page_is_no_sound() {
    let (events, error) = demux([opus_with(&[Made(7, 2, "l", Some(960), &[SILENCE, b""])]).as_slice()]);
    assert_eq!((times(&events), error), (vec![0], None));
}

#[test]
fn the_first_stream_that_is_read_is_used_and_the_others_are_counted_once() {
    let group = |from: u32| {
        paged(&[
            Made(1, 0, "f", Some(0), &[b"fishead\0"]),
            Made(2, 0, "f", Some(0), &[b"\x80theora"]),
            Made(3, 0, "f", Some(0), &[b"Speex   1"]),
            Made(7, 0, "f", Some(0), &[&HEAD.to_bytes()]),
            Made(9, 0, "f", Some(0), &[b"OpusHead and nothing more"]),
            Made(2, 5, "", None, &[b"video"]),
            Made(7, 1, "", Some(0), &[TAGS]),
            Made(9, from, "", Some(4), &[SILENCE]),
            Made(7, 2, "", Some(960), &[SILENCE]),
            Made(2, 9, "l", None, &[b"video"]),
            Made(7, 3, "", Some(1920), &[SILENCE]),
        ])
    };
    let (events, error) = demux([&group(1)[..], &group(77)]);
    assert_eq!(error, None);
    assert_eq!(events[1], Event::Ignored(Ignored { audio: 2, video: 1, other: 1 }));
    let told = events.iter().filter(|event| matches!(event, Event::Ignored(_))).count();
    assert_eq!((told, heads(&events).len(), times(&events)), (1, 2, vec![0, 960, 0, 960]));
}

#[test]
fn what_is_fine_and_not_read_is_unsupported_and_says_what_is() {
    let surround = [&HEAD.to_bytes()[..18], &[1, 1, 0, 0]].concat();
    let mut flac = b"\x7FFLAC\x01\0\0\x01fLaC\0\0\0\x22".to_vec();
    flac.extend([0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    flac.extend([0x0A, 0xC4, 0x4A, 0xF0]); // 44100 Hz, 6 channels, 16 bits
    flac.extend([0; 20]);
    for (head, words) in [
        (surround.as_slice(), "family 1 is not supported"),
        (&flac, "FLAC: 6 channels are not accepted, only 1 or 2"),
        (b"\x7FFLAC\x02\0\0\x01fLaC\0\0\0\x22", "version 2"),
        (b"Speex   1.2", "the sound is Speex; accepted are Opus, Vorbis and FLAC, mono or stereo"),
        (b"\x80theora", "no stream of sound that is read; accepted are Opus, Vorbis and FLAC"),
    ] {
        let bytes = paged(&[Made(1, 0, "f", Some(0), &[head]), Made(1, 1, "", Some(0), &[b"more"])]);
        let (events, error) = demux([bytes.as_slice()]);
        let error = error.expect("refused");
        assert!(error.to_string().contains(words), "{error}");
        assert!(stream::Error::from(error).is_unsupported());
        assert_eq!(events, []);
    }
}

#[test]
fn headers_that_are_none_are_broken() {
    let three = [&HEAD.to_bytes()[..9], &[3], &HEAD.to_bytes()[10..]].concat();
    for (pages, words) in [
        (vec![Made(1, 0, "f", Some(0), &[b"OpusHead"])], "OpusHead has 8 bytes"),
        (vec![Made(1, 0, "f", Some(0), &[&three])], "OpusHead says 3 channels, family 0 has 1 or 2"),
        (vec![Made(1, 0, "f", Some(0), &[b"\x7FFLAC\x01\0\0\0"])], "ends before what it announces"),
        (vec![Made(1, 0, "f", Some(0), &[&HEAD.to_bytes(), TAGS])], "a first page holds one whole packet"),
        (
            vec![Made(1, 0, "f", Some(0), &[&HEAD.to_bytes()]), Made(1, 1, "", Some(0), &[SILENCE])],
            "the packet is no OpusTags (RFC 7845 §5.2)",
        ),
        (
            vec![Made(1, 0, "f", Some(0), &[b"fishead\0"]), Made(1, 0, "f", Some(0), &[b"fishead\0"])],
            "have the serial number 1",
        ),
    ] {
        let (_, error) = demux([paged(&pages).as_slice()]);
        let error = error.expect("broken");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!stream::Error::from(error).is_unsupported());
    }
}

/// Pages of one packet without an end, of so many bytes in all, from a number on.
fn endless(from: u32, bytes: usize) -> impl Iterator<Item = Vec<u8>> {
    let pages = u32::try_from(bytes / 65_025).unwrap();
    (0..pages).map(move |page| {
        let (sequence, continued) = (from + page, page > 0);
        let mut bytes = Vec::new();
        Page { serial: 7, sequence, continued, lacing: vec![255; 255], body: vec![b'O'; 65_025], ..Page::default() }
            .write(&mut bytes);
        bytes
    })
}

#[test]
fn a_packet_that_never_ends_is_refused_within_its_limit() {
    let mut demuxer = Demuxer::new();
    demuxer.push(&opus_with(&[]));
    let error = endless(2, 4 << 20).find_map(|page| {
        demuxer.push(&page);
        let error = demuxer.pull().map(|event| assert!(matches!(event, Some(Event::Head(_)) | None))).err();
        let _head = demuxer.pull();
        assert!(demuxer.held() <= PACKET_LIMIT);
        error
    });
    let Some(stream::Error::Ogg(Error::Limit { what, limit, offset })) = error else { panic!("{error:?}") };
    assert_eq!((what, limit, offset), (Limit::Packet, PACKET_LIMIT, opus_with(&[]).len() as u64 + 65_307));
}

#[test]
fn long_comments_are_passed_over_without_being_held() {
    let head = paged(&[Made(7, 0, "f", Some(0), &[&HEAD.to_bytes()])]);
    for (megabytes, refused) in [(15, false), (17, true)] {
        let mut demuxer = Demuxer::new();
        demuxer.push(&head);
        let mut error = None;
        for (number, mut page) in endless(1, megabytes << 20).enumerate() {
            if number == 0 {
                let mut first = Page::read(&page, 0).unwrap().unwrap();
                first.body[..8].copy_from_slice(b"OpusTags");
                page.clear();
                first.write(&mut page);
            }
            demuxer.push(&page);
            error = error.or(demuxer.pull().err());
            assert!(demuxer.held() <= PASSED);
        }
        let limit = matches!(error, Some(stream::Error::Ogg(Error::Limit { what: Limit::Comments, .. })));
        assert_eq!((error.is_some(), limit), (refused, refused));
    }
}

#[test]
fn more_streams_than_are_counted_are_refused() {
    let pages: Vec<Made<'_>> = (0..17).map(|serial| Made(serial, 0, "f", Some(0), &[b"fishead\0"])).collect();
    assert_eq!(demux([paged(&pages[..16]).as_slice()]).1, None);
    let Some(Error::Limit { what: Limit::Streams, limit: STREAMS_LIMIT, .. }) = demux([paged(&pages).as_slice()]).1
    else {
        panic!("17 streams");
    };
}

/// The checksums of all pages put right, so that what is behind them is reached.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut right = Vec::new();
    let mut rest = bytes;
    while rest.len() > 27 {
        let count = usize::from(rest[26]);
        let Some(lacing) = rest.get(27..27 + count) else { break };
        let size = lacing.iter().map(|&value| usize::from(value)).sum::<usize>();
        let Some(body) = rest.get(27 + count..27 + count + size) else { break };
        let number = |from: usize| u32::from_le_bytes(rest[from..from + 4].try_into().unwrap());
        let granule = u64::from_le_bytes(rest[6..14].try_into().unwrap());
        let page = Page {
            offset: 0,
            serial: number(14),
            sequence: number(18),
            granule: (granule != u64::MAX).then_some(granule),
            continued: rest[5] & 1 != 0,
            first: rest[5] & 2 != 0,
            last: rest[5] & 4 != 0,
            lacing: lacing.to_vec(),
            body: body.to_vec(),
        };
        page.write(&mut right);
        rest = &rest[page.length()..];
    }
    right
}

#[test]
fn a_stream_with_any_byte_changed_is_read_or_refused_however_it_is_cut() {
    let source = "sine=sample_rate=48000:duration=0.3";
    for codec in ["libopus", "libvorbis", "flac"] {
        let file = judge::made(source, &["-c:a", codec, "-f", "ogg"]);
        for at in (0..file.len().min(6000)).filter(|at| *at < 400 || at % 17 == 0) {
            let mut changed = file.clone();
            changed[at] = changed[at].wrapping_add(u8::try_from(at % 255).unwrap() + 1);
            let changed = with_checksums(&changed);
            let whole = demux([changed.as_slice()]);
            assert!(demux(changed.chunks(997)) == whole, "{codec}, byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1..50_usize) {
        for start in [&b""[..], b"OggS\0\x02", &opus_with(&[])] {
            let bytes = [start, &bytes].concat();
            prop_assert_eq!(demux(bytes.chunks(piece)), demux([bytes.as_slice()]));
        }
    }

    #[test]
    fn any_pages_are_read_or_refused(
        pages in prop::collection::vec(
            (7..9_u32, 0..5_u32, prop::sample::select(vec!["", "", "", "f", "l", "c", "fl"]), any::<Option<u64>>(), 0..6_usize),
            0..12,
        ),
        piece in 1..200_usize,
    ) {
        let bodies: [&[&[u8]]; 6] =
            [&[SILENCE], &[&HEAD.to_bytes()], &[TAGS], &[SILENCE, b"", SILENCE], &[b"\x7FFLAC"], &[]];
        let pages: Vec<Made<'_>> =
            pages.into_iter().map(|(serial, number, flags, granule, body)| Made(serial, number, flags, granule, bodies[body])).collect();
        let bytes = opus_with(&pages);
        let whole = demux([bytes.as_slice()]);
        prop_assert_eq!(demux(bytes.chunks(piece)), whole);
    }
}
