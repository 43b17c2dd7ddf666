//! Streams made by hand: what no capture has, and what nobody should send.

use super::captures::demux;
use super::*;
use crate::container::aac;
use crate::container::stream::{self, Demux, Event, Ignored};
use crate::container::testing::{self, heads, packets};
use crate::media::opus;
use crate::media::source::Source;
use crate::media::time::Ticks;

/// A packet of 20 ms.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];

fn boxed(kind: &[u8; 4], contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    [&u32::try_from(contents.len() + 8).unwrap().to_be_bytes()[..], kind, &contents].concat()
}

/// The header of a box of any size, with none of its contents.
fn opening(kind: &[u8; 4], contents: u64) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], kind, &(contents + 16).to_be_bytes()].concat()
}

/// A full box, of its flags and fields.
fn full(kind: &[u8; 4], flags: u32, fields: &[u32]) -> Vec<u8> {
    let fields: Vec<u8> = fields.iter().flat_map(|field| field.to_be_bytes()).collect();
    boxed(kind, &[&flags.to_be_bytes(), &fields])
}

fn ftyp() -> Vec<u8> {
    boxed(b"ftyp", &[b"iso5\0\0\x02\0"])
}

fn entry(kind: &[u8; 4], specific: &[u8]) -> Vec<u8> {
    let fields = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 16, 0, 0, 0, 0, 0xBB, 0x80, 0, 0];
    boxed(kind, &[&fields, specific])
}

fn opus_entry(family: u8) -> Vec<u8> {
    entry(b"Opus", &boxed(b"dOps", &[&[0, 2, 1, 56, 0, 0, 0xAC, 0x44, 0xFF, 0, family]]))
}

fn aac_entry(object_type: u8, config: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).unwrap();
    let config = [&[5, length(config.len())], config].concat();
    // Sizes may be written longer than they need be.
    let decoder = [&[4, 0x80, 0x80, 0x80, length(config.len() + 13), object_type][..], &[0; 12], &config].concat();
    let stream = [&[3, length(decoder.len() + 3), 0, 1, 0][..], &decoder].concat();
    entry(b"mp4a", &boxed(b"esds", &[&[0; 4], &stream]))
}

fn described(id: u32, handler: &[u8; 4], timescale: u32, entries: &[&[u8]], sizes: u32) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap().to_be_bytes();
    let stsd = boxed(b"stsd", &[&[0; 4], &count, &entries.concat()]);
    let stbl = boxed(b"stbl", &[&stsd, &full(b"stsz", 0, &[0, sizes])]);
    let hdlr = full(b"hdlr", 0, &[0, u32::from_be_bytes(*handler), 0, 0, 0]);
    let mdhd = full(b"mdhd", 0, &[0, 0, timescale, 0, 0]);
    boxed(b"trak", &[&full(b"tkhd", 7, &[0, 0, id, 0]), &boxed(b"mdia", &[&mdhd, &hdlr, &boxed(b"minf", &[&stbl])])])
}

fn sound(id: u32, entry: &[u8]) -> Vec<u8> {
    described(id, b"soun", 48_000, &[entry], 0)
}

/// A `ftyp` and a `moov` of these tracks, whose fragments have packets of 20 ms and 3 bytes where they do not say.
fn start(tracks: &[Vec<u8>]) -> Vec<u8> {
    let extends: Vec<u8> = (1..=9).flat_map(|id| full(b"trex", 0, &[id, 1, 960, 3, 0])).collect();
    [ftyp(), boxed(b"moov", &[&full(b"mvhd", 0, &[0; 24]), &tracks.concat(), &boxed(b"mvex", &[&extends])])].concat()
}

fn started() -> Vec<u8> {
    start(&[sound(1, &opus_entry(0))])
}

/// A `moof` of one track whose samples begin so far behind its start.
fn moof(track: u32, time: Option<u32>, count: u32, offset: u32) -> Vec<u8> {
    let tfdt = time.map_or_else(Vec::new, |time| full(b"tfdt", 0, &[time]));
    let runs = [full(b"tfhd", 0x2_0000, &[track]), tfdt, full(b"trun", 1, &[count, offset])].concat();
    boxed(b"moof", &[&full(b"mfhd", 0, &[1]), &boxed(b"traf", &[&runs])])
}

/// A fragment of so many packets, whose `mdat` follows at once.
fn fragment(time: Option<u32>, count: u32) -> Vec<u8> {
    let length = u32::try_from(moof(1, time, count, 0).len()).unwrap();
    let sound = SILENCE.repeat(usize::try_from(count).unwrap());
    [moof(1, time, count, length + 8), boxed(b"mdat", &[&sound])].concat()
}

fn drain(demuxer: &mut Demuxer) -> Result<(), Error> {
    match testing::drain(demuxer).1 {
        Err(stream::Error::Mp4(error)) => Err(error),
        end => end.map_err(|error| panic!("another container's: {error}")),
    }
}

/// The error that a stream ends in.
fn fails(bytes: &[u8]) -> Error {
    let mut whole = Demuxer::new();
    whole.push(bytes);
    let error = drain(&mut whole).expect_err("an error");
    assert_eq!(whole.held(), 0);
    // Cut into single bytes it fails alike.
    let mut cut = Demuxer::new();
    let also = bytes.iter().find_map(|&byte| {
        cut.push(&[byte]);
        drain(&mut cut).err()
    });
    assert_eq!(also.as_ref(), Some(&error));
    assert_eq!(cut.pull(), Err(error.clone().into()));
    error
}

fn malformed(error: &Error) -> Malformed {
    let Error::Malformed { what, .. } = error else { panic!("{error}") };
    what.clone()
}

fn unsupported(bytes: &[u8]) -> Unsupported {
    match fails(bytes) {
        Error::Unsupported { what, .. } => what,
        other => panic!("{other}"),
    }
}

fn limit(error: &Error) -> Limit {
    let Error::Limit { what, .. } = error else { panic!("{error}") };
    *what
}

fn times(events: &[Event]) -> Vec<u64> {
    packets(events).iter().map(|packet| packet.time.get()).collect()
}

#[test]
fn times_go_on_where_a_fragment_does_not_say_and_an_orphan_costs_nothing() {
    let orphan = moof(1, Some(99_999), 2, 500);
    let other = [moof(2, Some(0), 1, 80), boxed(b"mdat", &[&[0; 400]])].concat();
    let bytes = [
        started(),
        boxed(b"free", &[&[0; 30]]),
        fragment(Some(4800), 2),
        other,
        fragment(None, 2),
        orphan,
        fragment(Some(48_000), 1),
        moof(1, Some(7), 9, 500),
    ]
    .concat();
    for size in 1..bytes.len() {
        let events = demux(bytes.chunks(size));
        assert_eq!(times(&events), [4800, 5760, 6720, 7680, 48_000], "{size}");
        let head = opus::Head { channels: 2, pre_skip: 312, input_rate: 44_100, output_gain: -256 };
        assert_eq!(heads(&events), [&Source::Opus(head)]);
        assert!(packets(&events).iter().all(|packet| packet.duration == Ticks::from_millis(20)));
    }
}

#[test]
fn a_second_head_in_mid_stream_begins_again_and_offsets_count_from_it() {
    let again = start(&[sound(1, &aac_entry(0x40, &[0x11, 0x90]))]);
    let at = |moof: usize| u32::try_from(ftyp().len() + again.len() + moof + 8).unwrap();
    let based = |base: u32| {
        let runs = [full(b"tfhd", 1, &[1, 0, base]), full(b"trun", 0, &[2])].concat();
        boxed(b"moof", &[&boxed(b"traf", &[&runs])])
    };
    let moof = based(at(based(0).len()));
    // The ftyp is doubled, as WebKit sends it.
    let bytes =
        [started(), fragment(Some(960), 1), ftyp(), again, moof, boxed(b"mdat", &[&[1, 2, 3, 4, 5, 6]])].concat();
    let events = demux(bytes.chunks(50));
    assert_eq!(times(&events), [960, 0, 960]);
    assert_eq!(heads(&events).len(), 2);
    assert_eq!(packets(&events)[2].data, [4, 5, 6][..]);
    // 1024 frames at 48 kHz, whatever the fragment says.
    assert_eq!(packets(&events)[2].duration, Ticks::new(1024));
}

#[test]
fn the_first_audio_track_that_we_read_is_chosen_and_the_rest_said() {
    let video = described(1, b"vide", 0, &[], 3);
    let tracks = [video, sound(2, &entry(b"ac-3", &[])), sound(3, &opus_entry(0)), sound(4, &opus_entry(0)), {
        described(5, b"text", 0, &[], 0)
    }];
    let offset = u32::try_from(moof(3, None, 1, 0).len() + 8).unwrap();
    let stream = [start(&tracks), moof(3, None, 1, offset), boxed(b"mdat", &[&SILENCE])].concat();
    let events = demux([[stream.clone(), stream].concat().as_slice()]);
    let told: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Ignored(_))).collect();
    assert_eq!(told, [&Event::Ignored(Ignored { audio: 2, video: 1, other: 1 })]);
    assert_eq!(packets(&events).len(), 2);
}

#[test]
fn what_is_fine_but_not_ours_is_unsupported() {
    let whole = [ftyp(), boxed(b"free", &[]), boxed(b"mdat", &[&[0; 99]])].concat();
    assert_eq!(unsupported(&whole), Unsupported::Unfragmented);
    let to_the_end = [ftyp(), b"\0\0\0\0mdat".to_vec()].concat();
    assert_eq!(unsupported(&to_the_end), Unsupported::Unfragmented);
    let tables = [ftyp(), boxed(b"moov", &[&sound(1, &opus_entry(0))])].concat();
    assert_eq!(unsupported(&tables), Unsupported::Unfragmented);
    assert!(fails(&tables).to_string().contains("-movflags frag_keyframe+empty_moov"));
    let hybrid = start(&[described(1, b"soun", 48_000, &[&opus_entry(0)], 7)]);
    assert_eq!(unsupported(&hybrid), Unsupported::Unfragmented);

    assert_eq!(unsupported(&start(&[])), Unsupported::NoAudio);
    assert_eq!(unsupported(&start(&[described(1, b"vide", 1, &[], 0)])), Unsupported::NoAudio);
    let of = |entry: &[u8]| unsupported(&start(&[sound(1, entry)]));
    assert_eq!(of(&entry(b"ac-3", &[])), Unsupported::Codec(Kind(*b"ac-3")));
    assert_eq!(of(&entry(b"enca", &[])), Unsupported::Encrypted);
    assert_eq!(of(&opus_entry(1)), Unsupported::Head(opus::HeadError::Family(1)));
    assert_eq!(of(&aac_entry(0x6B, &[])), Unsupported::ObjectType(0x6B));
    assert_eq!(of(&aac_entry(0x40, &[0x2B, 0x92, 8, 0])), Unsupported::Aac(aac::Error::ObjectType(5)));
    let two = described(1, b"soun", 48_000, &[&opus_entry(0), &opus_entry(0)], 0);
    assert_eq!(unsupported(&start(&[two])), Unsupported::SampleEntry);
    let mut quick_time = opus_entry(0);
    quick_time[17] = 2;
    assert_eq!(of(&quick_time), Unsupported::SampleEntry);

    let traf = |track: u32| boxed(b"traf", &[&full(b"tfhd", 0, &[track]), &full(b"trun", 1, &[1, 99])]);
    let relative = [started(), boxed(b"moof", &[&traf(2), &traf(1)])].concat();
    assert_eq!(unsupported(&relative), Unsupported::Base);
    let encrypted = boxed(b"traf", &[&full(b"tfhd", 0, &[1]), &full(b"senc", 0, &[])]);
    assert_eq!(unsupported(&[started(), boxed(b"moof", &[&encrypted])].concat()), Unsupported::Encrypted);
}

#[test]
fn what_is_broken_says_where() {
    let started = started();
    let at = started.len() as u64;
    let case = |tail: &[u8]| fails(&[started.as_slice(), tail].concat());
    let of = |entry: &[u8]| malformed(&fails(&start(&[sound(1, entry)])));

    assert_eq!(malformed(&fails(&boxed(b"moov", &[]))), Malformed::NoType);
    assert_eq!(malformed(&fails(&[ftyp(), moof(1, None, 1, 0)].concat())), Malformed::NoTrack);
    assert_eq!(malformed(&case(&[ftyp(), moof(1, None, 1, 0)].concat())), Malformed::NoTrack);
    assert_eq!(
        case(b"\0\0\0\x05free").to_string(),
        format!("broken MP4 at byte {at} (free): a box of 5 bytes is shorter than its header (ISO/IEC 14496-12 §4.2)")
    );
    assert_eq!(malformed(&case(b"\0\0\0\0free")), Malformed::UnknownSize);
    assert_eq!(malformed(&case(b"\0\0\0\0mdat")), Malformed::UnknownSize);
    assert_eq!(malformed(&case(&boxed(b"moov", &[&[0, 0, 0, 9]]))), Malformed::PastParent { parent: Kind(*b"moov") });
    let overlong = boxed(b"moof", &[&opening(b"traf", 100)]);
    assert_eq!(
        case(&overlong),
        Error::Malformed {
            offset: at + 8,
            element: Some(Kind(*b"traf")),
            what: Malformed::PastParent { parent: Kind(*b"moof") }
        }
    );
    let zero = described(1, b"soun", 0, &[&opus_entry(0)], 0);
    assert_eq!(malformed(&fails(&start(&[zero]))), Malformed::Timescale);
    assert_eq!(malformed(&fails(&start(&[sound(77, &opus_entry(0))]))), Malformed::Missing(Kind(*b"trex")));
    assert_eq!(malformed(&case(&boxed(b"moov", &[&boxed(b"trak", &[])]))), Malformed::Missing(Kind(*b"mdia")));
    assert_eq!(of(&entry(b"Opus", &[])), Malformed::Missing(Kind(*b"dOps")));
    assert_eq!(of(&entry(b"Opus", &boxed(b"dOps", &[&[0; 9]]))), Malformed::Short);
    assert_eq!(of(&entry(b"Opus", &boxed(b"dOps", &[&[0; 11]]))), Malformed::Head(opus::HeadError::Channels(0)));
    assert_eq!(of(&aac_entry(0x40, &[0x12])), Malformed::Aac(aac::Error::Short(1)));
    assert_eq!(of(&entry(b"mp4a", &full(b"esds", 0, &[0x0480_8080]))), Malformed::Descriptor);

    assert_eq!(malformed(&case(&moof(1, None, 1, 20))), Malformed::Place { at: i128::from(at) + 20 });
    assert_eq!(malformed(&case(&moof(1, None, 1, u32::MAX))), Malformed::Place { at: i128::from(at) - 1 });
    let length = u32::try_from(moof(1, None, 2, 0).len()).unwrap();
    let short = [moof(1, None, 2, length + 8), boxed(b"mdat", &[&[0xF8, 0xFF, 0xFE, 0xF8]])].concat();
    let second = at + u64::from(length) + 8 + 3;
    assert_eq!(
        case(&short),
        Error::Malformed {
            offset: second,
            element: Some(Kind(*b"mdat")),
            what: Malformed::PastData { at: second, size: 3 }
        }
    );
    let headless = [moof(1, None, 1, length + 7), boxed(b"mdat", &[&SILENCE])].concat();
    assert_eq!(malformed(&case(&headless)), Malformed::Place { at: i128::from(at) + i128::from(length) + 7 });
    let none = [moof(1, None, 1, length + 8), boxed(b"mdat", &[&[0xFB, 0, 0]])].concat();
    assert_eq!(malformed(&case(&none)), Malformed::Packet(opus::PacketError::NoFrames));
}

#[test]
fn great_sizes_and_counts_are_refused_at_once() {
    let case = |tail: &[u8]| limit(&fails(&[started(), tail.to_vec()].concat()));
    let huge = 1 << 60;
    assert_eq!(limit(&fails(&[ftyp(), opening(b"moov", huge)].concat())), Limit::Moov);
    assert_eq!(case(&opening(b"moof", huge)), Limit::Moof);
    assert_eq!(case(&opening(b"free", huge)), Limit::Skipped);
    assert_eq!(case(&opening(b"mdat", huge)), Limit::Skipped);
    // Samples without any field of their own cost no bytes to announce.
    assert_eq!(case(&moof(1, None, u32::MAX, 500)), Limit::Samples);
    assert_eq!(case(&moof(1, None, 8193, 500)), Limit::Samples);
    let run = |size: u32| [full(b"tfhd", 0x10, &[1, size]), full(b"trun", 1, &[1, 72])].concat();
    let big = |size| [boxed(b"moof", &[&boxed(b"traf", &[&run(size)])]), opening(b"mdat", huge)].concat();
    assert_eq!(case(&big(65_537)), Limit::Sample);
    assert_eq!(case(&big(u32::MAX)), Limit::Sample);
}

#[test]
fn a_gigabyte_before_the_moov_ends_within_the_limit_and_is_not_held() {
    for repeated in [ftyp(), boxed(b"free", &[&[0; 50_000]]), boxed(b"uuid", &[])] {
        let mut demuxer = Demuxer::new();
        demuxer.push(&ftyp());
        let mut sent = 0;
        let error = loop {
            demuxer.push(&repeated);
            sent += repeated.len() as u64;
            if let Err(error) = drain(&mut demuxer) {
                break error;
            }
            assert!(demuxer.held() < 8, "{} bytes are held", demuxer.held());
            assert!(sent < 2 * HEAD_LIMIT, "it never ends");
        };
        assert_eq!(limit(&error), Limit::Head);
    }
}

#[test]
fn what_is_held_stays_within_one_box_or_sample() {
    let zeros = |bytes: u64| vec![0; usize::try_from(bytes).unwrap()];
    let sample = {
        let run = [full(b"tfhd", 0x10, &[1, 65_536]), full(b"trun", 1, &[1, 72])].concat();
        [boxed(b"moof", &[&boxed(b"traf", &[&run])]), opening(b"mdat", 1 << 16), zeros(1 << 16)].concat()
    };
    for (before, collected, limit) in [
        (ftyp(), [opening(b"moov", MOOV_LIMIT), zeros(MOOV_LIMIT)].concat(), MOOV_LIMIT),
        (started(), [opening(b"moof", MOOF_LIMIT), zeros(MOOF_LIMIT)].concat(), MOOF_LIMIT),
        (started(), sample, SAMPLE_LIMIT),
        (started(), [opening(b"free", SKIPPED_LIMIT), zeros(SKIPPED_LIMIT)].concat(), 2000),
        (started(), [opening(b"mdat", SKIPPED_LIMIT), zeros(SKIPPED_LIMIT)].concat(), 2000),
    ] {
        let mut demuxer = Demuxer::new();
        let mut most = 0;
        for piece in [before, collected].concat().chunks(1000) {
            demuxer.push(piece);
            let _refused_once_whole = drain(&mut demuxer);
            most = most.max(demuxer.held() as u64);
        }
        assert!(most < limit + 16 && (limit == 2000 || most > limit - 2000), "{most} of {limit}");
    }
}

#[test]
fn what_came_before_an_error_is_given_first() {
    let mut demuxer = Demuxer::new();
    demuxer.push(&[started(), fragment(Some(0), 2), b"\0\0\0\x01free\0\0\0\0\0\0\0\x03".to_vec()].concat());
    let (events, Err(stream::Error::Mp4(error))) = testing::drain(&mut demuxer) else { panic!("it is refused") };
    assert_eq!(times(&events), [0, 960]);
    assert_eq!(malformed(&error), Malformed::Size(3));
}
