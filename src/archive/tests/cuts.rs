//! What was chosen of a recording: a span, some of its tracks. A cut is that slice of the whole.

use std::fs;

use crate::archive::derived::Most;
use crate::archive::model::{BadEdit, Container, Derived, Edit, Edition, EndReason, Time};
use crate::archive::{Error, Found};
use crate::container::stream::Demux;
use crate::container::webm;

use super::mix::{self, CLICKS, decode, make, path};
use super::render::{self, anchor, pcm_part, plain, samples};
use super::*;

/// An edition by what stands in an address.
pub(super) fn edition(of: Derived, query: &str) -> Edition {
    let fields = query.split('&').map(|field| field.split_once('=').unwrap());
    let edit = fields.into_iter().fold(Edit::WHOLE, |edit, (key, value)| edit.with(key, value).unwrap());
    Edition { of, edit }
}

/// The samples of a WAV file of 16 bits, without its header.
fn frames(root: &Path, what: impl Into<Edition>, channels: usize) -> Vec<[u8; 4]> {
    let file = fs::read(path(root, what)).unwrap();
    let samples = file[44..].as_chunks::<2>().0;
    samples
        .chunks(channels)
        .map(|frame| [frame[0][0], frame[0][1], frame[channels - 1][0], frame[channels - 1][1]])
        .collect()
}

#[tokio::test]
async fn a_cut_is_that_slice_of_the_whole_sample_for_sample() {
    let dir = scratch();
    let mut rig = render::record(dir.path()).await;
    let mix = Derived::Mix(Container::Wav);
    let ben = Derived::Track(TWO, Container::Wav);
    // To the end, and past it by less than a millisecond; within one packet; over edges of parts and gaps.
    let spans =
        ["from=0.05&to=2.001", "from=3.3&to=3.4", "from=5.001", "from=7.123&to=7.124", "to=0.001", "from=6.9&to=8.5"];
    let wholes = [Edition::from(mix), edition(mix, "tracks=1,2"), ben.into()];
    let frame = |time: Option<Time>| time.map(|time| usize::try_from(time.ticks().get()).unwrap());
    make(&mut rig, dir.path(), &wholes).await;
    for (whole, channels) in wholes.into_iter().zip([2, 1, 1]) {
        let of_ben = whole == ben;
        // He has not begun.
        let spans = spans.into_iter().filter(|span| !of_ben || *span != "to=0.001");
        let chosen = if whole.edit.is_whole() { "" } else { "tracks=1,2&" };
        let cuts: Vec<_> = spans.map(|span| edition(whole.of, &format!("{chosen}{span}"))).collect();
        make(&mut rig, dir.path(), &cuts).await;
        let all = frames(dir.path(), whole, channels);
        // Ben's file begins and ends with his own sound; around it his cuts are silent.
        let zero = if of_ben { 48_000 + 312 } else { 0 };
        for what in cuts {
            let cut = frames(dir.path(), what, channels);
            let from = frame(what.edit.from).unwrap_or(zero);
            let length = frame(what.edit.to).unwrap_or(zero + all.len()) - from;
            assert_eq!(cut.len(), length, "{what}");
            for (at, found) in (from..).zip(cut) {
                let expected = at.checked_sub(zero).and_then(|at| all.get(at)).copied().unwrap_or_default();
                assert_eq!(found, expected, "{what} at {at}");
            }
        }
    }
}

#[tokio::test]
async fn where_the_whole_is_limited_a_cut_is_limited_alike() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    for (track, hertz) in [(ONE, 440.0), (TWO, 550.0)] {
        writer.begin_part(pcm_part(track, 1, plain(48_000, 1), anchor(0, 0)));
        for second in 0..20 {
            let level = if second % 7 == 3 { 0.8 } else { 0.45 };
            writer.append(track, samples(plain(48_000, 1), second * 50..second * 50 + 50, hertz, level));
        }
    }
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 20_000));
    rig.round().await;
    let mix = Derived::Mix(Container::Wav);
    let cuts = ["from=3.5&to=3.6", "from=4.01&to=4.2", "from=2.9&to=2.998", "from=17.5&to=18.5"]
        .map(|span| edition(mix, span));
    make(&mut rig, dir.path(), &[mix]).await;
    make(&mut rig, dir.path(), &cuts).await;
    let all = frames(dir.path(), mix, 1);
    for cut in cuts {
        let at = |time: Option<Time>| usize::try_from(time.unwrap().ticks().get()).unwrap();
        assert!(frames(dir.path(), cut, 1) == all[at(cut.edit.from)..at(cut.edit.to)], "{cut}");
    }
}

#[tokio::test]
async fn a_click_is_where_it_was_in_a_cut_of_every_container() {
    let dir = scratch();
    let mut rig = mix::record(dir.path()).await;
    // In the middle of packets of both tracks.
    let span = "from=2.013&to=3.95";
    let all: Vec<_> = Container::ALL
        .into_iter()
        .flat_map(|container| [Derived::Mix(container), Derived::Track(ONE, container), Derived::Track(TWO, container)])
        .chain([Derived::Session])
        .map(|of| edition(of, span))
        .collect();
    make(&mut rig, dir.path(), &all).await;
    for what in all {
        let file = path(dir.path(), what);
        for stream in 0..if what.of == Derived::Session { 3 } else { 1 } {
            let sound = decode(&file, stream);
            let webm = what.of.extension() == "webm";
            let (zero, length) = (2013 * 48, 1937 * 48);
            // WebM ends with a packet.
            let longer = if webm { 960 + 312 } else { 0 };
            assert!(sound.len() >= length && sound.len() <= length + longer, "{what}: {} and {length}", sound.len());
            for at in &CLICKS[1..] {
                let at = usize::try_from(at * 48).unwrap() + 12 - zero;
                let near = at - 400..at + 400;
                let highest = sound[near.clone()].iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
                let found = near.start + highest.unwrap().0;
                // A block's time has whole milliseconds; Ben's own sound is late by what his encoder was.
                let most = if webm { 48 + 120 } else { 122 };
                assert!(found.abs_diff(at) <= most, "{what}, stream {stream}: {found}, {at} expected");
            }
        }
    }
}

#[tokio::test]
async fn a_cut_of_a_track_in_webm_is_as_long_as_its_span_silent_where_the_track_is_not() {
    let dir = scratch();
    let mut rig = super::derived::record_apart(dir.path(), 11_000).await;
    // Ben is there from 3 s to 5 s, Ann not between 10 s and 11 s; what is heard of each, in packets of 20 ms.
    let cuts = [
        (TWO, "from=1&to=8", 1000, 8000, 100),
        (TWO, "from=6&to=8", 6000, 8000, 0),
        (TWO, "from=1&to=2", 1000, 2000, 0),
        (TWO, "from=4&to=8", 4000, 8000, 54),
        (ONE, "from=10.5&to=12", 10_500, 12_000, 48),
    ];
    for (track, query, from, to, heard) in cuts {
        let what = edition(Derived::Track(track, Container::WebM), query);
        make(&mut rig, dir.path(), &[what]).await;
        let mut demuxer = webm::Demuxer::new();
        demuxer.push(&fs::read(path(dir.path(), what)).unwrap());
        let (mut end, mut count) = (Ticks::ZERO, 0);
        while let Some(event) = demuxer.pull().unwrap() {
            if let webm::Event::Packet(packet) = event {
                // Times are whole milliseconds, and less than a packet's length is no gap.
                assert!(packet.time.signed_since(end).abs() <= 960 + 48, "{query}: {} behind {end}", packet.time);
                end = packet.time.saturating_add(packet.duration);
                count += u64::from(packet.data.len() > 3);
            }
        }
        let length = Ticks::from_millis(to - from);
        // Its last packet is whole, and what is thrown away at its start is before its time 0.
        let more = end.signed_since(length);
        assert!((-200..=80 * 48 + 960 * 2).contains(&more), "{query}: {end}");
        assert_eq!(count, heard, "{query}");
    }
}

#[tokio::test]
async fn what_a_recording_does_not_have_is_told_and_the_whole_has_one_name() {
    let dir = scratch();
    let mut rig = mix::record(dir.path()).await;
    let mix = Derived::Mix(Container::Wav);
    let refused = async |of, query: &str| match rig.archive.derived(id(1), edition(of, query)).await {
        Err(Error::Edit(error)) => error,
        other => panic!("{query}: {other:?}"),
    };
    assert_eq!(refused(mix, "tracks=1,3").await, BadEdit::NoTrack(THREE));
    assert_eq!(refused(mix, "from=9").await.to_string(), "9 s is behind the end: the recording is 4 s long");
    assert_eq!(
        refused(mix, "from=1&to=4.001").await.to_string(),
        "4.001 s is behind the end: the recording is 4 s long"
    );
    for empty in ["from=2&to=2", "from=2&to=1.999", "from=4", "to=0"] {
        assert!(matches!(refused(mix, empty).await, BadEdit::Empty(..)), "{empty}");
    }
    let track = Derived::Track(ONE, Container::Wav);
    assert_eq!(refused(track, "tracks=1").await.to_string(), "tracks cannot be chosen of track-1.wav");
    assert_eq!(refused(Derived::Waveform(ONE), "from=1").await, BadEdit::NotOf("from", "waveform-1.peaks".to_owned()));
    for short in ["from=1&to=1.399&loudness=-16", "from=3.7&loudness=-16"] {
        assert_eq!(refused(mix, short).await, BadEdit::TooShort, "{short}");
    }
    for (query, whole) in [("from=0", true), ("to=4", true), ("from=0&to=4", true), ("from=0.001", false)] {
        // Ann begins at 0: her own file is what she has.
        let found = rig.archive.edition(id(1), edition(track, query)).await.unwrap();
        assert_eq!(found == Derived::Track(ONE, Container::Wav), whole, "{query}");
    }
    make(&mut rig, dir.path(), &[mix]).await;
    for whole in ["tracks=2,1", "from=0", "to=4", "from=0&to=4&tracks=1,2"] {
        let found = rig.archive.derived(id(1), edition(mix, whole)).await;
        assert!(matches!(found, Ok(Found::Made(file)) if file.what == mix), "{whole}");
    }
}

#[tokio::test]
async fn a_cut_goes_and_comes_again_byte_for_byte_and_is_no_stranger_to_who_checks() {
    let dir = scratch();
    let mut rig = mix::record(dir.path()).await;
    let cuts = [edition(Derived::Mix(Container::WebM), "tracks=2&from=1"), edition(Derived::Session, "from=1.5&to=3")];
    make(&mut rig, dir.path(), &cuts).await;
    let mut whole = super::derived::files(dir.path());
    assert!(whole.contains_key("mix~tracks=2~from=1.webm") && whole.contains_key("mix~from=1.5~to=3.ogg"));
    assert!(
        rig.derived(id(1)).await.iter().filter(|file| !file.what.edit.is_whole()).all(|file| file.what.is_asked_for())
    );
    let mut maker = rig.maker(dir.path(), Box::new(Disk));
    rig.ask(maker.make_room((id(1), cuts[0]), Most { bytes: 0, files: 1000 })).await.unwrap();
    assert_eq!(super::derived::files(dir.path()).len(), whole.len() - 3);
    make(&mut rig, dir.path(), &cuts[1..]).await;
    // What the first was made of nobody needs any more.
    whole.remove("mix~tracks=2~from=1.ogg");
    assert!(super::derived::files(dir.path()) == whole);
    rig.close().await;
    let report = crate::archive::check::check(dir.path(), &mut |_| {}).await.unwrap();
    assert_eq!(report.differences, 0);
}

/// A tone with a pulse far above it twice a second.
fn pulses(level: f64) -> Vec<Packet> {
    let mut blocks = samples(plain(48_000, 1), 0..200, 440.0, level);
    for (at, block) in
        samples(plain(48_000, 1), 0..200, 900.0, 0.9).into_iter().enumerate().filter(|(at, _)| at % 25 == 3)
    {
        blocks[at].data = block.data;
    }
    blocks
}

#[tokio::test]
async fn what_is_levelled_is_as_loud_as_was_asked_for_and_below_its_true_peak() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1, plain(48_000, 1), anchor(0, 0)));
    writer.append(ONE, pulses(0.2));
    writer.begin_part(pcm_part(TWO, 1, plain(48_000, 1), anchor(0, 0)));
    writer.append(TWO, samples(plain(48_000, 1), 0..200, 0.0, 0.0));
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 4000));
    rig.round().await;
    let mix = |query: &str| edition(Derived::Mix(Container::Wav), query);
    let all = ["loudness=-30", "loudness=-16", "loudness=-12", "tracks=2&loudness=-16"].map(mix);
    make(&mut rig, dir.path(), &all).await;
    for (what, lufs) in all.into_iter().zip([-30.0, -16.0, -12.0, f64::NEG_INFINITY]) {
        let sound = decode(&path(dir.path(), what), 0);
        assert_eq!(sound.len(), 4 * 48_000, "{what}");
        let mode = ebur128::Mode::I | ebur128::Mode::TRUE_PEAK;
        let mut meter = ebur128::EbuR128::new(1, 48_000, mode).unwrap();
        meter.add_frames_f32(&sound).unwrap();
        let heard = meter.loudness_global().unwrap();
        if lufs.is_finite() {
            assert!((heard - lufs).abs() < 0.2, "{what}: {heard}");
            assert!(20.0 * meter.true_peak(0).unwrap().log10() <= -1.0, "{what}");
        } else {
            assert!(sound.iter().all(|sample| *sample == 0.0), "{what}: silence stays silence");
        }
    }
    // The pulses were at 0.9: the last is limited, and what lies between them is far louder.
    let [soft, _, loud, _] = all.map(|what| decode(&path(dir.path(), what), 0));
    let between = |sound: &[f32]| sound[90_000..92_000].iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
    assert!(between(&loud) > 8.0 * between(&soft));
}
