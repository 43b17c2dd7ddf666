//! Finished files, judged by our demuxer, by a walk over their elements, and by ffmpeg.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::captures::{demux, heads};
use super::super::ebml::{Child, Children};
use super::*;
use crate::container::judge;
use crate::container::testing::packets;
use crate::media::marker::Chapter;
use crate::media::time::UnixMillis;

const DATE: UnixMillis = UnixMillis::new(1_795_339_680_123);

fn head(channels: u8, pre_skip: u16) -> opus::Head {
    opus::Head { channels, pre_skip, input_rate: 48_000, output_gain: 0 }
}

fn about<'a>(title: &'a str, chapters: &'a [Chapter]) -> Info<'a> {
    Info { title, date: DATE, people: &["Ann", "Ben"], collection: "studio", chapters }
}

/// A block with its data owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    track: u16,
    time: Ticks,
    data: Bytes,
}

impl Owned {
    fn block(&self) -> Block<'_> {
        let duration = opus::duration(&self.data).unwrap();
        Block { track: TrackNumber::new(self.track), time: self.time, duration, data: &self.data }
    }
}

/// A file of these blocks, all at once.
fn file(title: &str, tracks: &[Track<'_>], blocks: &[Owned]) -> Vec<u8> {
    file_of(&about(title, &[]), tracks, blocks)
}

fn file_of(info: &Info<'_>, tracks: &[Track<'_>], blocks: &[Owned]) -> Vec<u8> {
    let mut plan = Plan::new();
    blocks.iter().for_each(|block| plan.add(&block.block()));
    let (mut writer, mut file, all) = Writer::begin(plan, info, tracks);
    blocks.iter().for_each(|block| writer.put(&mut file, &block.block()).unwrap());
    writer.finish().unwrap();
    assert_eq!(file.len() as u64, all);
    file
}

fn track(number: u16, name: &str) -> Track<'_> {
    Track { number: TrackNumber::new(number), name, head: head(1, 312) }
}

/// Silence of 20 ms on each of these tracks, from these seconds to those.
fn silence(tracks: &[(u16, std::ops::Range<u64>)]) -> Vec<Owned> {
    let mut blocks = Vec::new();
    for (track, seconds) in tracks {
        let offset = u64::from(*track) * 7;
        let times = (seconds.start * 50..seconds.end * 50).map(|at| Ticks::from_millis(at * 20 + offset));
        let data = Bytes::from_static(opus::SILENCE_20_MS.0);
        blocks.extend(times.map(|time| Owned { track: *track, time, data: data.clone() }));
    }
    blocks.sort_by_key(|block| block.time);
    blocks
}

/// The elements of a file's Segment, with where its data begin.
fn segment(file: &[u8]) -> (u64, Vec<Child<'_>>) {
    let top: Vec<_> = Children::new(Id::EBML, file, 0).map(Result::unwrap).collect();
    assert_eq!(top.iter().map(|child| child.id).collect::<Vec<_>>(), [Id::EBML, Id::SEGMENT]);
    (top[1].offset, top[1].children().map(Result::unwrap).collect())
}

fn unsigned(parent: &Child<'_>, id: Id) -> u64 {
    parent.children().map(Result::unwrap).find(|child| child.id == id).unwrap().unsigned().unwrap()
}

/// Where an element begins: its data begin behind its ID and a size of 8 bytes, if it is a Cluster.
fn cluster_at(child: &Child<'_>) -> u64 {
    child.offset - 12
}

/// The track and the time of a SimpleBlock in a Cluster.
fn place(cluster: &Child<'_>, block: &Child<'_>) -> (u64, u64) {
    let number = ebml::vint(block.data).unwrap();
    let relative = i16::from_be_bytes([block.data[number.length], block.data[number.length + 1]]);
    (number.value, unsigned(cluster, Id::TIMESTAMP) + u64::try_from(relative).unwrap())
}

/// The blocks of a file, by track and time in ms.
fn blocks(file: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    let mut found = Vec::new();
    for cluster in segment(file).1.iter().filter(|child| child.id == Id::CLUSTER) {
        for block in cluster.children().map(Result::unwrap).filter(|child| child.id == Id::SIMPLE_BLOCK) {
            let (track, millis) = place(cluster, &block);
            found.push((track, millis, block.data[ebml::vint(block.data).unwrap().length + 3..].to_vec()));
        }
    }
    found
}

#[test]
fn every_cue_points_at_a_block_of_its_track_and_time_and_none_is_far_from_one() {
    let blocks = silence(&[(1, 0..20), (2, 7..40), (300, 13..15), (1, 30..31)]);
    let file = file("talk", &[track(1, "Ann"), track(2, "Ben"), track(300, "Eve")], &blocks);
    let (start, children) = segment(&file);
    let element_at = |at: u64| &file[usize::try_from(at).unwrap()..];
    let cues = children.iter().find(|child| child.id == Id::CUES).unwrap();
    let mut times: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut last = 0;
    for point in cues.children().map(Result::unwrap) {
        let time = unsigned(&point, Id::CUE_TIME);
        assert!(time >= last, "cues are in the order of their times");
        last = time;
        let position = point.children().map(Result::unwrap).find(|child| child.id == Id::CUE_TRACK_POSITIONS).unwrap();
        let at = start + unsigned(&position, Id::CUE_CLUSTER_POSITION);
        let cluster = children.iter().find(|child| child.id == Id::CLUSTER && cluster_at(child) == at).unwrap();
        let block_at = cluster.offset + unsigned(&position, Id::CUE_RELATIVE_POSITION);
        let block = Children::new(Id::CLUSTER, element_at(block_at), block_at).next().unwrap().unwrap();
        assert_eq!(block.id, Id::SIMPLE_BLOCK);
        let track = unsigned(&position, Id::CUE_TRACK);
        assert_eq!(place(cluster, &block), (track, time));
        times.entry(track).or_default().push(time);
    }
    for block in &blocks {
        let before = times[&block.track.into()].iter().rev().find(|cue| **cue <= block.time.as_millis());
        assert!(block.time.as_millis() - before.unwrap() <= 5000);
    }
    // SeekHead leads to what it names.
    let seek_head = &children[0];
    assert_eq!(seek_head.id, Id::SEEK_HEAD);
    let mut named = Vec::new();
    for seek in seek_head.children().map(Result::unwrap) {
        let at = start + unsigned(&seek, Id::SEEK_POSITION);
        let id = seek.children().map(Result::unwrap).find(|child| child.id == Id::SEEK_ID).unwrap();
        assert!(element_at(at).starts_with(id.data));
        named.push(id.unsigned().unwrap());
    }
    assert_eq!(named, [Id::INFO, Id::TRACKS, Id::TAGS, Id::CUES].map(|id| u64::from(id.0)));
    // Cues stand before the sound.
    let ids: Vec<Id> = children.iter().map(|child| child.id).take(6).collect();
    assert_eq!(ids, [Id::SEEK_HEAD, Id::INFO, Id::TRACKS, Id::TAGS, Id::CUES, Id::CLUSTER]);
}

#[test]
fn a_cluster_is_short_and_small() {
    let mut long = silence(&[(1, 0..60), (2, 0..60)]);
    for block in &mut long[2000..] {
        let data = [&[0xE3, 0x30][..], &vec![0; 48 * 1275]].concat();
        block.data = data.into();
    }
    let file = file("talk", &[track(1, "Ann"), track(2, "Ben")], &long);
    let clusters: Vec<_> = segment(&file).1.into_iter().filter(|child| child.id == Id::CLUSTER).collect();
    let times: Vec<u64> = clusters.iter().map(|cluster| unsigned(cluster, Id::TIMESTAMP)).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 5020), "{times:?}");
    assert!(clusters.iter().all(|cluster| cluster.data.len() < 4 * 1024 * 1024 + 70_000));
    assert!(times.len() > 20, "{times:?}");
}

#[test]
fn ffmpeg_finds_titles_names_times_and_durations() {
    for (title, name) in [("talk", "Ann"), ("Ünder a 木 🎙", "Zoë 名前"), ("a\"b<c>&d\\e", "'; --"), ("", "x")] {
        let file = file(title, &[track(1, name), track(2, "Ben")], &silence(&[(1, 0..3), (2, 1..2)]));
        let told = judge::describe(&file);
        assert!(told.contains(&format!("TAG:title={name}\n")), "{told}");
        assert!(told.contains("TAG:title=Ben\n") && told.matches("TAG:language=und").count() <= 2, "{told}");
        assert!(title.is_empty() || told.contains(&format!("TAG:title={title}\n")), "{told}");
        assert!(told.contains("TAG:creation_time=2026-11-22T09:28:00.123000Z"), "{told}");
        assert!(told.contains("start_time=1.007000") || told.contains("start_time=1.0075"), "{told}");
        assert!(told.contains("nb_streams=2") && told.contains("duration=3.007000"), "{told}");
        // Of mono, the first stream: the pre-skip is thrown away.
        assert_eq!(judge::decode_quietly(&file).len(), 3 * 48_000 - 312);
    }
}

#[test]
fn a_file_without_sound_is_one_still() {
    let file = file("talk", &[track(1, "Ann")], &[]);
    assert!(judge::describe(&file).contains("codec_name=opus"));
    assert_eq!(heads(&demux([file.as_slice()])), [head(1, 312)]);
}

#[test]
fn what_was_not_planned_is_refused() {
    let tracks = [track(1, "Ann")];
    let info = about("talk", &[]);
    let blocks = silence(&[(1, 0..12)]);
    let begin = || {
        let mut plan = Plan::new();
        blocks.iter().for_each(|block| plan.add(&block.block()));
        Writer::begin(plan, &info, &tracks)
    };
    let put = |blocks: &mut dyn Iterator<Item = &Owned>| {
        let (mut writer, mut file, _) = begin();
        for block in blocks {
            writer.put(&mut file, &block.block())?;
        }
        writer.finish()
    };
    assert_eq!(put(&mut blocks.iter()), Ok(()));
    assert_eq!(put(&mut blocks[..300].iter()), Err(Unplanned));
    assert_eq!(put(&mut blocks.iter().chain(&blocks[..1])), Err(Unplanned));
    let longer = Owned { data: vec![0xF8; 500].into(), ..blocks[249].clone() };
    assert_eq!(put(&mut blocks[..249].iter().chain([&longer]).chain(&blocks[250..])), Err(Unplanned));
}

#[test]
fn chapters_and_tags_are_where_players_look_for_them() {
    let chapter = |millis, title: &str| Chapter { start: Ticks::from_millis(millis), title: title.to_owned() };
    let chapters = [chapter(0, "Hello"), chapter(1250, "<News> & 名前")];
    let blocks = silence(&[(1, 0..3)]);
    let file = file_of(&about("Früh", &chapters), &[track(1, "Ann")], &blocks);
    let times = |start: &str, end: &str, title: &str| (start.to_owned(), end.to_owned(), title.to_owned());
    let expected = [
        times("0.000000", "1.250000", "Hello"),
        // The track begins 7 ms after the file.
        times("1.250000", "3.007000", "<News> & 名前"),
    ];
    assert_eq!(judge::chapters(&file), expected);
    let said = judge::describe(&file);
    for tag in ["TAG:title=Früh", "TAG:DATE_RECORDED=2026-11-22 09:28:00.123", "TAG:COLLECTION/TITLE=studio"] {
        assert!(said.contains(tag), "{tag}: {said}");
    }
    // Players tell of several people in ways of their own.
    let artist = said.lines().find_map(|line| line.trim().strip_prefix("TAG:ARTIST="));
    assert!(artist.is_some_and(|artist| artist.contains("Ann") || artist.contains("Ben")), "{said}");
    assert!(file.windows(3).any(|bytes| bytes == b"Ben"), "who has no track of that name here");
    let (_, children) = segment(&file);
    let ids: Vec<_> = children.iter().map(|child| child.id).take(6).collect();
    assert_eq!(ids, [Id::SEEK_HEAD, Id::INFO, Id::TRACKS, Id::CHAPTERS, Id::TAGS, Id::CUES]);
}

prop_compose! {
    fn arbitrary_blocks()(
        start in 0..1_u64 << 36,
        steps in prop::collection::vec((0..4_u64, 0..3_usize, 0..5_usize, 0..1275_usize), 0..60)
    ) -> Vec<Owned> {
        let mut time = Ticks::new(start);
        let block = |(gap, track, config, length): (u64, usize, usize, usize)| {
            let data = [&[[0xE0, 0xE8, 0xF0, 0xF8, 0x18][config]][..], &vec![7; length]].concat();
            let owned = Owned { track: [1, 126, 127][track], time, data: data.into() };
            time = time.saturating_add(Ticks::new([0, 313, 960, 48_000 * 9][usize::try_from(gap).unwrap()]));
            owned
        };
        steps.into_iter().map(block).collect()
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_at_its_time_to_the_millisecond(written in arbitrary_blocks()) {
        let tracks = [track(1, "Ann"), track(126, "Ben"), track(127, "Eve")];
        let file = file("talk", &tracks, &written);
        let read = blocks(&file);
        prop_assert_eq!(read.len(), written.len());
        for ((track, millis, data), written) in read.iter().zip(&written) {
            prop_assert_eq!((*track, &data[..]), (u64::from(written.track), &written.data[..]));
            prop_assert!(Ticks::from_millis(*millis).signed_since(written.time).abs() <= 24);
        }
        // Our demuxer takes the first track.
        let events = demux([file.as_slice()]);
        let first: Vec<_> = written.iter().filter(|block| block.track == 1).collect();
        let found = packets(&events);
        prop_assert_eq!(found.len(), first.len());
        prop_assert!(found.iter().zip(first).all(|(found, written)| found.data == written.data));
    }
}
