//! Tracks of plain samples: WAV parts, their extents, what start-up makes of them.

use std::fs;

use sqlx::SqliteConnection;

use crate::archive::extents::LONGEST_EXTENT;
use crate::archive::index::read;
use crate::archive::model::{EndReason, Recording, State};
use crate::archive::session_file::SessionFile;
use crate::container::wav::{data_offset, header_for};
use crate::media::pcm::{self, Sample};
use crate::media::source::Codec;

use super::recovery::copy_all;
use super::*;

/// A rate at which 20 ms are no whole frames.
fn head() -> pcm::Head {
    pcm::Head::new(Sample::S16, 11_025, 1).unwrap()
}

/// A part of PCM.
pub(super) fn pcm_part(track: TrackNumber, number: u32) -> NewPart {
    NewPart { format: Format::Pcm(head()), source: Codec::Flac, ..part(track, number) }
}

/// The first frame of a block of 20 ms.
fn begin_of(block: u64) -> u64 {
    (block * 11_025 * 2 + 50) / 100
}

/// Blocks that each say their number, and have no silence in them.
pub(super) fn blocks(numbers: std::ops::Range<u64>) -> Vec<Packet> {
    let block = |number| {
        let (begin, end) = (begin_of(number), begin_of(number + 1));
        let mut data = vec![0x55; usize::try_from(end - begin).unwrap() * 2];
        data[..10].copy_from_slice(&[&[0x7E, 0x7E][..], &number.to_be_bytes()].concat());
        let (time, end) = (head().ticks(begin), head().ticks(end));
        let heard = Some(Bytes::from_static(opus::SILENCE_20_MS.0));
        let duration = end.saturating_sub(time);
        Packet { sequence: Sequence::new(number), time, duration, data: data.into(), heard }
    };
    numbers.map(block).collect()
}

/// A WAV part, read to its end, which must be as it should.
pub(super) fn hear_wav(bytes: &[u8]) -> Heard {
    let offset = usize::try_from(data_offset(head())).unwrap();
    let samples = &bytes[offset..];
    assert!(bytes[..offset] == header_for(head(), samples.len() as u64), "the header says what there is");
    let length = head().ticks(samples.len() as u64 / 2);
    let (mut numbers, mut silence, mut at) = (Vec::new(), 0, 0);
    while at < samples.len() {
        if samples[at..at + 2] == [0, 0] {
            (silence, at) = (silence + 1, at + 2);
            continue;
        }
        assert_eq!(samples[at..at + 2], [0x7E, 0x7E], "a block, whole, begins at byte {at}");
        let number = u64::from_be_bytes(samples[at + 2..at + 10].try_into().unwrap());
        numbers.push(number);
        at += usize::try_from(begin_of(number + 1) - begin_of(number)).unwrap() * 2;
    }
    assert_eq!(at, samples.len());
    Heard { numbers, length, silence: head().ticks(silence) }
}

/// Fails where the extents of a recording's WAV parts are not what is in the files, all of it and no more.
pub(super) async fn assert_extents(c: &mut SqliteConnection, recording: &Recording, folder: &Path, at: &str) {
    let (place, _) = read::summary(c, recording.summary.id).await.unwrap().unwrap();
    for track in &recording.tracks {
        for part in &track.parts {
            let extents = read::extents(c, place.row, track.number, part.number, 0..u64::MAX).await.unwrap();
            if part.format.codec() == Codec::Opus {
                assert!(extents.is_empty());
                continue;
            }
            let bytes = fs::read(folder.join(&part.file)).unwrap();
            let mut next = data_offset(head());
            for extent in extents {
                assert_eq!(extent.begin, next, "{at}: {}", part.file);
                next = extent.range().end;
                let inside = usize::try_from(extent.begin).unwrap()..usize::try_from(next).unwrap();
                assert!(extent.holds(&bytes[inside]), "{at}: {} {extent:?}", part.file);
            }
            assert_eq!(next, part.bytes, "{at}: {}", part.file);
        }
    }
}

async fn connection(rig: &Rig) -> sqlx::pool::PoolConnection<sqlx::Sqlite> {
    rig.archive.readers().acquire().await.unwrap()
}

#[tokio::test]
async fn pcm_is_kept_as_it_came_under_a_header_that_is_right_after_every_round() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    for round in 0..20 {
        // 13 s, so that an extent is full now and then.
        writer.append(ONE, blocks(round * 650..(round + 1) * 650));
        rig.round().await;
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        let folder = only_folder(dir.path());
        let bytes = fs::read(folder.join("01-ann.wav")).unwrap();
        let heard = hear_wav(&bytes);
        assert_eq!(heard.numbers, (0..(round + 1) * 650).collect::<Vec<_>>());
        let part = &recording.tracks[0].parts[0];
        assert_eq!((part.length, part.bytes), (Ticks::from_secs((round + 1) * 13), bytes.len() as u64));
        assert_eq!((&part.format, part.source), (&Format::Pcm(head()), Codec::Flac));
        assert_extents(&mut *connection(&rig).await, &recording, &folder, "").await;
    }
    let told: Vec<_> = rig.told();
    let blocks: usize = blocks(0..650).iter().map(|block| block.data.len()).sum();
    assert_eq!(told[0], Event::Durable { track: ONE, next: Sequence::new(650), bytes: blocks }, "what is kept counts");
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let folder = only_folder(dir.path());
    let (said, complaints) = tool("ffprobe", &["-v", "warning", "-show_streams"], &folder.join("01-ann.wav"));
    assert!(complaints.is_empty() && said.contains("codec_name=pcm_s16le") && said.contains("duration=260.000000"));
    assert!(!recording.tracks[0].parts[0].open);
    let session = SessionFile::read(&fs::read(folder.join("session.json")).unwrap()).unwrap();
    assert!(SessionFile::of(&recording).is_said_by(&session), "{session:#?}");
    assert_eq!(
        (&session.tracks[0].parts[0].format, session.tracks[0].parts[0].source),
        (&Format::Pcm(head()), Codec::Flac)
    );
    let extents = read::extents(&mut *connection(&rig).await, 1, ONE, 1, 0..u64::MAX).await.unwrap();
    assert_eq!(
        extents[..extents.len() - 1].iter().map(|extent| extent.bytes).collect::<Vec<_>>(),
        [LONGEST_EXTENT; 21]
    );
}

#[tokio::test]
async fn gaps_in_pcm_are_silence_to_the_frame_however_many_there_are() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    let mut count = Ticks::ZERO;
    for (number, block) in (0..).zip(blocks(0..200)) {
        count = count.saturating_add(block.duration);
        writer.append(ONE, vec![block]);
        // Of no whole frames, which are 4.35 ticks each.
        let length = Ticks::new(1001 + number % 7);
        writer.gap(ONE, gap(count, length, GapCause::Jump));
        count = count.saturating_add(length);
        rig.round().await;
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        let length = recording.tracks[0].parts[0].length;
        assert!(length.signed_since(count).abs() <= 3, "{length:?} of {count:?}");
    }
    let heard = hear_wav(&fs::read(only_folder(dir.path()).join("01-ann.wav")).unwrap());
    assert_eq!(heard.numbers, (0..200).collect::<Vec<_>>());
    writer.gap(ONE, gap(count, Ticks::from_secs(60), GapCause::Pause));
    writer.append(ONE, blocks(200..201));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_extents(&mut *connection(&rig).await, &recording, &only_folder(dir.path()), "").await;
}

#[tokio::test]
async fn a_pcm_spool_is_settled_as_a_stall_or_a_pause() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let second = Ticks::from_secs(1);
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    writer.append(ONE, blocks(0..2));
    writer.spool(ONE, second, blocks(2..4));
    rig.round().await;
    let folder = only_folder(dir.path());
    assert_eq!(listing(&folder), ["01-ann.49920.late", "01-ann.wav", "session.json"]);
    assert_eq!(hear_wav(&fs::read(folder.join("01-ann.49920.late")).unwrap()).numbers, [2, 3]);
    writer.spool(ONE, second, blocks(4..5));
    writer.settle(ONE, None);
    writer.append(ONE, blocks(5..6));
    rig.round().await;
    writer.spool(ONE, second, blocks(6..8));
    writer.settle(ONE, Some(gap(Ticks::from_millis(120), second, GapCause::Pause)));
    rig.round().await;
    writer.spool(ONE, second, blocks(8..9));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    assert_eq!(listing(&folder), ["01-ann.wav", "session.json"]);
    let heard = hear_wav(&fs::read(folder.join("01-ann.wav")).unwrap());
    assert_eq!((heard.numbers, heard.silence.as_millis()), ((0..9).collect(), 2000));
}

#[tokio::test]
async fn a_block_that_is_not_whole_frames_fails_its_recording_and_says_so() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    writer.append(ONE, vec![Packet { data: Bytes::from_static(&[1, 2, 3]), ..blocks(0..1).remove(0) }]);
    rig.round().await;
    let message = "01-ann.wav cannot hold what it was told to: it is not whole frames, or the file is full".to_owned();
    assert_eq!(rig.told(), [Event::Failed { reason: EndReason::IoError, message }]);
}

/// Three blocks told durable, then two more, and no end.
async fn left_open(folder: &Path) {
    let mut rig = Rig::open(folder).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    writer.append(ONE, blocks(0..3));
    rig.round().await;
    writer.append(ONE, blocks(3..5));
    rig.round().await;
    rig.close().await;
    drop(writer);
}

#[tokio::test]
async fn a_wav_part_is_cut_to_what_the_index_says_wherever_its_tail_is_torn() {
    let dir = scratch();
    left_open(dir.path()).await;
    let whole = fs::read(only_folder(dir.path()).join("01-ann.wav")).unwrap();
    let more: Vec<u8> = blocks(5..7).iter().flat_map(|block| block.data.to_vec()).collect();
    for cut in (0..more.len()).step_by(37).chain([1, more.len()]) {
        let copy = scratch();
        copy_all(dir.path(), copy.path());
        let file = only_folder(copy.path()).join("01-ann.wav");
        let mut bytes = [&whole[..], &more[..cut]].concat();
        // Of a round that the index never heard of: its header may have come before its samples.
        bytes[40..44].copy_from_slice(&123_456_u32.to_le_bytes());
        fs::write(&file, bytes).unwrap();
        let rig = Rig::open(copy.path()).await;
        assert!(fs::read(&file).unwrap() == whole);
        let [recovered] = &rig.recovered.recordings[..] else { panic!("{:?}", rig.recovered) };
        assert_eq!((recovered.cut, recovered.damaged, &recovered.trouble), (cut as u64, 0, &None));
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        let part = &recording.tracks[0].parts[0];
        let length = head().ticks(begin_of(5));
        assert_eq!((part.next, part.length, part.open), (Sequence::new(5), length, false));
        assert_eq!(recording.summary.state, State::Ended(EndReason::Crashed));
        assert_extents(&mut *connection(&rig).await, &recording, &only_folder(copy.path()), "").await;
    }
}

#[tokio::test]
async fn a_wav_part_that_is_shorter_than_was_durable_keeps_its_whole_frames_and_is_told_of() {
    let dir = scratch();
    left_open(dir.path()).await;
    let whole = fs::read(only_folder(dir.path()).join("01-ann.wav")).unwrap();
    for bytes in [0, 20, 44, 45, 46, 600, 999, whole.len() - 1] {
        let copy = scratch();
        copy_all(dir.path(), copy.path());
        let file = only_folder(copy.path()).join("01-ann.wav");
        fs::write(&file, &whole[..bytes]).unwrap();
        let rig = Rig::open(copy.path()).await;
        let samples = bytes.saturating_sub(44) / 2 * 2;
        let expected = [&header_for(head(), samples as u64)[..], &whole[44..44 + samples]].concat();
        assert!(fs::read(&file).unwrap() == expected, "{bytes}");
        assert_eq!(rig.recovered.recordings[0].damaged, 1);
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        assert_eq!(recording.tracks[0].parts[0].bytes, 44 + samples as u64);
        assert_extents(&mut *connection(&rig).await, &recording, &only_folder(copy.path()), "").await;
    }
}

#[tokio::test]
async fn a_flipped_bit_at_the_end_of_a_wav_part_is_seen_and_cuts_nothing() {
    let dir = scratch();
    left_open(dir.path()).await;
    let file = only_folder(dir.path()).join("01-ann.wav");
    let mut bytes = fs::read(&file).unwrap();
    bytes[700] ^= 0x10;
    fs::write(&file, &bytes).unwrap();
    let rig = Rig::open(dir.path()).await;
    assert_eq!((rig.recovered.recordings[0].damaged, rig.recovered.recordings[0].cut), (1, 0));
    assert!(fs::read(&file).unwrap() == bytes);
}

#[tokio::test]
async fn a_pcm_spool_that_a_crash_left_comes_to_the_end_of_its_part_as_a_pause() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    writer.append(ONE, blocks(0..3));
    writer.spool(ONE, Ticks::from_millis(1200), blocks(3..5));
    rig.round().await;
    rig.close().await;
    drop(writer);
    let rig = Rig::open(dir.path()).await;
    let folder = only_folder(dir.path());
    assert_eq!(listing(&folder), ["01-ann.wav", "session.json"]);
    let heard = hear_wav(&fs::read(folder.join("01-ann.wav")).unwrap());
    assert_eq!((heard.numbers, heard.silence.as_millis()), ((0..5).collect(), 1200));
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.tracks[0].parts[0].next, Sequence::new(5));
    assert_eq!(recording.tracks[0].gaps.len(), 1);
    assert_extents(&mut *connection(&rig).await, &recording, &folder, "").await;
}
