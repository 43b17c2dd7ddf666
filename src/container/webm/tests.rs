//! Streams made by hand: what no capture has, and what nobody should send.

use super::captures::{demux, heads};
use super::ebml::{self, Id};
use super::{
    BLOCK_LIMIT, Demuxer, Error, Event, HEAD_ELEMENT_LIMIT, HEAD_LIMIT, Ignored, Limit, Malformed, Unsupported,
};
use super::{SKIPPED_LIMIT, mux};
use crate::container::judge::Capture;
use crate::container::stream::{self, Demux};
use crate::container::testing::{self, packets};
use crate::media::opus;
use crate::media::time::Ticks;

/// A packet of 20 ms.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };

fn element(id: Id, children: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ebml::put(&mut bytes, id, &children.concat());
    bytes
}

fn number(id: Id, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    ebml::put_unsigned(&mut bytes, id, value);
    bytes
}

/// The header of an element of any size, with none of its data.
fn opening(id: Id, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    ebml::put_id(&mut bytes, id);
    bytes.extend_from_slice(&(size | 1 << 56).to_be_bytes());
    bytes
}

/// A size that is not known.
const UNKNOWN: u64 = (1 << 56) - 1;

fn ebml_header() -> Vec<u8> {
    element(Id::EBML, &[element(Id::DOC_TYPE, &[b"webm".to_vec()])])
}

fn entry(number_: u64, kind: u64, codec: &str, more: &[Vec<u8>]) -> Vec<u8> {
    let codec = element(Id::CODEC_ID, &[codec.into()]);
    element(Id::TRACK_ENTRY, &[number(Id::TRACK_NUMBER, number_), number(Id::TRACK_TYPE, kind), codec, more.concat()])
}

fn opus_entry(number: u64) -> Vec<u8> {
    entry(number, 2, "A_OPUS", &[element(Id::CODEC_PRIVATE, &[HEAD.to_bytes().to_vec()])])
}

/// A head whose Segment and last Cluster are of unknown size, at time 0.
fn start(tracks: &[Vec<u8>]) -> Vec<u8> {
    let head = [ebml_header(), opening(Id::SEGMENT, UNKNOWN), element(Id::TRACKS, tracks)].concat();
    [head, opening(Id::CLUSTER, UNKNOWN), number(Id::TIMESTAMP, 0)].concat()
}

fn block(track: u8, relative: i16, flags: u8, data: &[u8]) -> Vec<u8> {
    [&[0x80 | track][..], &relative.to_be_bytes(), &[flags], data].concat()
}

fn simple(track: u8, relative: i16) -> Vec<u8> {
    element(Id::SIMPLE_BLOCK, &[block(track, relative, 0x80, &SILENCE)])
}

/// The error that a stream ends in, with what was held when it came.
fn fails(bytes: &[u8]) -> Error {
    let mut whole = Demuxer::new();
    whole.push(bytes);
    let error = drain(&mut whole).expect_err("an error");
    // Cut into single bytes it fails alike.
    let mut cut = Demuxer::new();
    let also = bytes.iter().find_map(|&byte| {
        cut.push(&[byte]);
        drain(&mut cut).err()
    });
    assert_eq!(also.as_ref(), Some(&error));
    error
}

fn drain(demuxer: &mut Demuxer) -> Result<(), Error> {
    match testing::drain(demuxer).1 {
        Err(stream::Error::WebM(error)) => Err(error),
        end => end.map_err(|error| panic!("another container's: {error}")),
    }
}

fn times(events: &[Event]) -> Vec<u64> {
    packets(events).iter().map(|packet| packet.time.get()).collect()
}

fn malformed(error: &Error) -> Malformed {
    let Error::Malformed { what, .. } = error else { panic!("{error}") };
    what.clone()
}

fn unsupported(error: Error) -> Unsupported {
    let Error::Unsupported { what, .. } = error else { panic!("{error}") };
    what
}

fn limit(error: &Error) -> Limit {
    let Error::Limit { what, .. } = error else { panic!("{error}") };
    *what
}

#[test]
fn a_block_group_and_laced_blocks_give_their_packets() {
    let group = element(
        Id::BLOCK_GROUP,
        &[element(Id::BLOCK, &[block(1, 100, 0, &SILENCE)]), element(Id(0x75A2), &[vec![0; 3]])],
    );
    let laced = element(Id::SIMPLE_BLOCK, &[block(1, 120, 0x04, &[&[2][..], &SILENCE, &SILENCE, &SILENCE].concat())]);
    let bytes = [start(&[opus_entry(1)]), simple(1, 0), group, laced].concat();
    for size in 1..bytes.len() {
        let events = demux(bytes.chunks(size));
        assert_eq!(times(&events), [0, 4800, 5760, 6720, 7680], "{size}");
        assert_eq!(heads(&events), [HEAD]);
    }
}

#[test]
fn void_crc_and_unknown_elements_are_passed_over_anywhere() {
    let void = element(Id::VOID, &[vec![0xA3; 9]]);
    let crc = element(Id::CRC_32, &[vec![1; 4]]);
    let unknown = element(Id(0x1234_5678), &[vec![0x1A; 300]]);
    let tracks = element(Id::TRACKS, &[crc.clone(), opus_entry(1), void.clone()]);
    let bytes = [
        ebml_header(),
        void.clone(),
        opening(Id::SEGMENT, UNKNOWN),
        crc.clone(),
        element(Id::SEEK_HEAD, &[]),
        unknown.clone(),
        tracks,
        void.clone(),
        element(Id::CLUSTER, &[crc, number(Id::TIMESTAMP, 10), void.clone(), unknown, simple(1, 10)]),
        element(Id::TAGS, &[vec![0; 200]]),
        element(Id::CLUSTER, &[number(Id::TIMESTAMP, 30), simple(1, 10), void]),
    ]
    .concat();
    for size in 1..bytes.len() {
        assert_eq!(times(&demux(bytes.chunks(size))), [20 * 48, 40 * 48], "{size}");
    }
}

#[test]
fn an_element_of_known_size_within_unknown_ones_closes_where_it_ends() {
    let cluster = |time| element(Id::CLUSTER, &[number(Id::TIMESTAMP, time), simple(1, 0)]);
    let body =
        [element(Id::TRACKS, &[opus_entry(1)]), cluster(0), opening(Id::CLUSTER, UNKNOWN), number(Id::TIMESTAMP, 20)];
    let body = [body.concat(), simple(1, 0)].concat();
    let stream = [ebml_header(), opening(Id::SEGMENT, body.len() as u64), body].concat();
    // The Segment's end closes the Cluster of unknown size too: a stream may begin.
    let events = demux([[stream.clone(), stream].concat().as_slice()]);
    assert_eq!(times(&events), [0, 960, 0, 960]);
    assert_eq!(heads(&events).len(), 2);
}

#[test]
fn the_time_scale_counts_and_wild_times_are_held() {
    let stream = |scale, time, relative| {
        let info = element(Id::INFO, &[number(Id::TIMESTAMP_SCALE, scale)]);
        let tracks = element(Id::TRACKS, &[opus_entry(1)]);
        let cluster = [opening(Id::CLUSTER, UNKNOWN), number(Id::TIMESTAMP, time), simple(1, relative)].concat();
        [ebml_header(), opening(Id::SEGMENT, UNKNOWN), tracks, info, cluster].concat()
    };
    let time = |scale, time, relative| times(&demux([stream(scale, time, relative).as_slice()]))[0];
    assert_eq!(time(1_000_000, 1000, -1), 999 * 48);
    assert_eq!(time(1_000_000, 0, -5), 0);
    assert_eq!(time(1_000_000, 1 << 31, 0), (1 << 31) * 48);
    assert_eq!(time(20_833, 1, 0), 1);
    assert_eq!(time(1_000_000_000, 7, 3), 480_000);
    assert_eq!(time(u64::MAX, u64::MAX, i16::MAX), Ticks::MAX.get());
    assert_eq!(malformed(&fails(&stream(0, 0, 0))), Malformed::Zero);
}

#[test]
fn the_first_audio_track_that_we_read_is_chosen_and_the_rest_said() {
    let tracks =
        [entry(1, 1, "V_VP8", &[]), entry(2, 2, "A_AC3", &[]), opus_entry(3), opus_entry(4), entry(5, 17, "S", &[])];
    let bytes = [start(&tracks), simple(4, 1), simple(1, 2), simple(3, 3), simple(9, 4)].concat();
    let events = demux([bytes.as_slice()]);
    assert_eq!(times(&events), [3 * 48]);
    let ignored = Ignored { audio: 2, video: 1, other: 1 };
    assert_eq!(events[1], Event::Ignored(ignored));
    // The same again is not said again; something else is.
    let again = [bytes.clone(), bytes, start(&[opus_entry(1), entry(2, 1, "V_VP9", &[])])].concat();
    let told: Vec<Event> = demux([again.as_slice()]).into_iter().filter(|e| matches!(e, Event::Ignored(_))).collect();
    assert_eq!(told, [Event::Ignored(ignored), Event::Ignored(Ignored { audio: 0, video: 1, other: 0 })]);
}

#[test]
fn what_is_fine_but_not_ours_is_unsupported() {
    let doc = |child| [element(Id::EBML, &[element(Id::DOC_TYPE, &[b"webm".to_vec()]), child])].concat();
    let version = Unsupported::Version { asked: 2, accepted: 1 };
    assert_eq!(unsupported(fails(&doc(number(Id::EBML_READ_VERSION, 2)))), version);
    let version = Unsupported::Version { asked: 5, accepted: 4 };
    assert_eq!(unsupported(fails(&doc(number(Id::EBML_MAX_ID_LENGTH, 5)))), version);
    let other = element(Id::EBML, &[element(Id::DOC_TYPE, &[b"ogg".to_vec()])]);
    assert_eq!(unsupported(fails(&other)), Unsupported::DocType("ogg".to_owned()));

    assert_eq!(unsupported(fails(&start(&[entry(1, 1, "V_VP8", &[])]))), Unsupported::NoAudio);
    assert_eq!(unsupported(fails(&start(&[]))), Unsupported::NoAudio);
    assert_eq!(
        unsupported(fails(&start(&[entry(1, 2, "A_AC3", &[]), entry(2, 2, "A_DTS", &[])]))),
        Unsupported::Codec("A_AC3".to_owned())
    );
    let mut surround = HEAD.to_bytes().to_vec();
    surround[18] = 1;
    let surround = entry(1, 2, "A_OPUS", &[element(Id::CODEC_PRIVATE, &[surround])]);
    assert_eq!(unsupported(fails(&start(&[surround]))), Unsupported::Head(opus::HeadError::Family(1)));
    let private = element(Id::CODEC_PRIVATE, &[HEAD.to_bytes().to_vec()]);
    let encoded = entry(1, 2, "A_OPUS", &[private, element(Id::CONTENT_ENCODINGS, &[vec![0; 5]])]);
    assert_eq!(unsupported(fails(&start(&[encoded]))), Unsupported::Encoded);
    let encrypted = [start(&[opus_entry(1)]), element(Id::ENCRYPTED_BLOCK, &[vec![0; 9]])].concat();
    assert_eq!(unsupported(fails(&encrypted)), Unsupported::Encoded);
}

#[test]
fn what_is_broken_says_where() {
    let started = start(&[opus_entry(1)]);
    let at = started.len() as u64;
    let case = |tail: &[u8]| fails(&[started.as_slice(), tail].concat());

    assert_eq!(fails(&[0; 4]), Error::Malformed { offset: 0, element: None, what: Malformed::Id(0) });
    assert_eq!(malformed(&fails(&opening(Id::SEGMENT, 5))), Malformed::NoHeader);
    assert_eq!(malformed(&fails(&element(Id::VOID, &[]))), Malformed::NoHeader);
    assert_eq!(malformed(&fails(&element(Id::EBML, &[]))), Malformed::Missing(Id::DOC_TYPE));
    assert_eq!(malformed(&fails(&opening(Id::EBML, UNKNOWN))), Malformed::UnknownSize);
    assert_eq!(
        case(&[opening(Id::SIMPLE_BLOCK, UNKNOWN), block(1, 0, 0, &SILENCE)].concat()),
        Error::Malformed { offset: at, element: Some(Id::SIMPLE_BLOCK), what: Malformed::UnknownSize }
    );
    let misplaced = |parent| Malformed::Misplaced { parent };
    assert_eq!(malformed(&case(&element(Id::BLOCK, &[]))), misplaced(Id::CLUSTER));
    let group = element(Id::BLOCK_GROUP, &[simple(1, 0)]);
    assert_eq!(malformed(&case(&group)), misplaced(Id::BLOCK_GROUP));
    let loose = [ebml_header(), opening(Id::SEGMENT, UNKNOWN), simple(1, 0)].concat();
    assert_eq!(malformed(&fails(&loose)), misplaced(Id::SEGMENT));
    let group = element(Id::BLOCK_GROUP, &[ebml_header()]);
    assert_eq!(malformed(&case(&group)), misplaced(Id::BLOCK_GROUP));
    let nested = [opening(Id::CLUSTER, 100), number(Id::TIMESTAMP, 0), opening(Id::CLUSTER, 5)].concat();
    assert_eq!(malformed(&case(&nested)), misplaced(Id::CLUSTER));
    let overlong = [opening(Id::BLOCK_GROUP, 10), opening(Id::BLOCK, 100)].concat();
    assert_eq!(malformed(&case(&overlong)), Malformed::PastParent { parent: Id::BLOCK_GROUP });
    assert_eq!(malformed(&case(&element(Id::SIMPLE_BLOCK, &[]))), Malformed::BlockLength(0));
    assert_eq!(
        case(&element(Id::SIMPLE_BLOCK, &[block(1, 0, 0, &[])])),
        Error::Malformed {
            offset: at + 2,
            element: Some(Id::SIMPLE_BLOCK),
            what: Malformed::Packet(opus::PacketError::Empty)
        }
    );
    let untimed = [started.clone(), opening(Id::CLUSTER, UNKNOWN), simple(1, 0)].concat();
    assert_eq!(malformed(&fails(&untimed)), Malformed::NoTimestamp);
    let headless = [ebml_header(), opening(Id::SEGMENT, UNKNOWN), opening(Id::CLUSTER, UNKNOWN)].concat();
    assert_eq!(malformed(&fails(&headless)), Malformed::Missing(Id::TRACKS));
    let bare = start(&[entry(1, 2, "A_OPUS", &[])]);
    assert_eq!(malformed(&fails(&bare)), Malformed::Missing(Id::CODEC_PRIVATE));
    let broken = [ebml_header(), opening(Id::SEGMENT, UNKNOWN), element(Id::TRACKS, &[vec![0]])].concat();
    assert_eq!(fails(&broken).to_string(), "broken WebM at byte 29: no element's ID begins with 0x00 (RFC 8794 §5)");
    let broken = [started.clone(), element(Id::SIMPLE_BLOCK, &[block(1, 0, 0, &[])])].concat();
    let error = fails(&broken).to_string();
    assert!(error.contains("(SimpleBlock): an Opus packet is empty (RFC 6716 §3.4, R1)"), "{error}");
}

#[test]
fn sizes_of_2_to_the_56th_are_refused_at_once() {
    let huge = (1 << 56) - 2;
    let segment = [ebml_header(), opening(Id::SEGMENT, UNKNOWN)].concat();
    let in_segment = |id| fails(&[segment.clone(), opening(id, huge)].concat());
    assert_eq!(limit(&fails(&opening(Id::EBML, huge))), Limit::HeadElement);
    assert_eq!(limit(&in_segment(Id::TRACKS)), Limit::HeadElement);
    assert_eq!(limit(&in_segment(Id::INFO)), Limit::HeadElement);
    assert_eq!(limit(&in_segment(Id::VOID)), Limit::Head);
    assert_eq!(limit(&in_segment(Id(0x1234_5678))), Limit::Head);
    let in_cluster = |bytes: Vec<u8>| fails(&[start(&[opus_entry(1)]), bytes].concat());
    let block = |track| [opening(Id::SIMPLE_BLOCK, huge), block(track, 0, 0, &[0; 9])].concat();
    assert_eq!(limit(&in_cluster(block(1))), Limit::Block);
    assert_eq!(limit(&in_cluster(block(2))), Limit::Skipped);
    assert_eq!(limit(&in_cluster(opening(Id::VOID, huge))), Limit::Skipped);
    assert_eq!(limit(&in_cluster(opening(Id::TIMESTAMP, huge))), Limit::Block);
}

#[test]
fn a_gigabyte_before_the_first_cluster_ends_within_the_limit_and_is_not_held() {
    let opening_ = [ebml_header(), opening(Id::SEGMENT, UNKNOWN)].concat();
    let tracks = element(Id::TRACKS, &[opus_entry(1)]);
    let endless: [(&[u8], Vec<u8>); 5] = [
        (&opening_, element(Id::VOID, &[vec![0; 50_000]])),
        (&opening_, element(Id(0x1234_5678), &[vec![0; 50_000]])),
        (&opening_, element(Id::SEEK_HEAD, &[])),
        (&[], [opening_.clone(), tracks].concat()),
        (&opening_, opening(Id::SEGMENT, UNKNOWN)),
    ];
    for (opening, repeated) in endless {
        let mut demuxer = Demuxer::new();
        demuxer.push(opening);
        let mut sent = opening.len() as u64;
        let error = loop {
            demuxer.push(&repeated);
            sent += repeated.len() as u64;
            if let Err(error) = drain(&mut demuxer) {
                break error;
            }
            assert!(demuxer.held() < 64, "{} bytes are held", demuxer.held());
            assert!(sent < 2 * HEAD_LIMIT, "it never ends");
        };
        assert_eq!(limit(&error), Limit::Head);
    }
}

#[test]
fn what_is_held_stays_within_one_element() {
    // An audio block and a Tracks element of the greatest size are held; a block of video never is.
    let big = |id, size: u64| [opening(id, size), vec![0x81], vec![0; usize::try_from(size).unwrap() - 1]].concat();
    let mut demuxer = Demuxer::new();
    let mut events = Vec::new();
    let mut most = 0;
    let video = [start(&[opus_entry(3)]), big(Id::SIMPLE_BLOCK, SKIPPED_LIMIT), simple(3, 0)].concat();
    for piece in video.chunks(1000) {
        demuxer.push(piece);
        events.extend(testing::drain(&mut demuxer).0);
        most = most.max(demuxer.held());
    }
    assert!(most < 1000, "{most}");
    assert_eq!(times(&events), [0]);
    for (before, id, limit) in [
        (start(&[opus_entry(1)]), Id::SIMPLE_BLOCK, BLOCK_LIMIT),
        ([ebml_header(), opening(Id::SEGMENT, UNKNOWN)].concat(), Id::TRACKS, HEAD_ELEMENT_LIMIT),
    ] {
        let mut demuxer = Demuxer::new();
        let mut most = 0;
        for piece in [before, big(id, limit)].concat().chunks(1000) {
            demuxer.push(piece);
            let _refused_once_whole = drain(&mut demuxer);
            most = most.max(demuxer.held() as u64);
        }
        assert!(most > limit - 2000 && most < limit + 12, "{most}");
    }
}

#[test]
fn empty_pushes_change_nothing() {
    let capture = Capture::read("firefox-webm-opus-ctx44100");
    let pieces = capture.messages().flat_map(|message| [&[][..], message, &[]]);
    assert!(demux(pieces) == demux(capture.messages()));
    let mut demuxer = Demuxer::new();
    demuxer.push(&[]);
    assert_eq!(demuxer.pull(), Ok(None));
}

#[test]
fn what_came_before_an_error_is_given_first_and_then_the_error_stays() {
    let mut demuxer = Demuxer::new();
    demuxer.push(&[start(&[opus_entry(1)]), simple(1, 0), simple(1, 20), vec![0]].concat());
    let (events, end) = testing::drain(&mut demuxer);
    assert_eq!(times(&events), [0, 960]);
    demuxer.push(&mux::continuing(HEAD, &[]));
    assert_eq!(demuxer.pull(), Err(end.unwrap_err()));
}
