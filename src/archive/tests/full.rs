//! A disk that is full: the recording ends whole, and the reserve is there for that.

use std::fs;
use std::io;
use std::sync::atomic::Ordering;

use crate::archive::model::{Chat, EndReason, State};
use crate::archive::{Change, Error, Health};

use super::pcm::{blocks, hear_wav, pcm_part};
use super::stand_in::{Asked, StandIn};
use super::*;

const MIB: u64 = 1024 * 1024;

/// A recording of two tracks with a spool, whose disk is as full as `full` makes it before the third round.
async fn filled(full: impl FnOnce(&StandIn) + 'static, refuses: bool) -> (tempfile::TempDir, Rig, RecordingWriter) {
    let dir = scratch();
    let refusing = Arc::new(Mutex::new(false));
    let refused = refusing.clone();
    let disk = StandIn::new(dir.path(), move |asked, _| match asked {
        Asked::Append(_) | Asked::Create(_) if *refused.lock().unwrap() => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let free = disk.free.clone();
    let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..10));
    writer.begin_part(pcm_part(THREE, 1));
    writer.append(THREE, blocks(0..5));
    rig.round().await;
    writer.spool(THREE, Ticks::from_secs(1), blocks(5..7));
    rig.round().await;
    rig.told();
    let measured = StandIn::new(dir.path(), |_, _| Ok(()));
    full(&measured);
    free.store(measured.free.load(Ordering::Relaxed), Ordering::Relaxed);
    *refusing.lock().unwrap() = refuses;
    writer.append(ONE, packets(10..20));
    writer.spool(THREE, Ticks::from_secs(1), blocks(7..9));
    let name = "Ann".parse().unwrap();
    writer.chat(Chat { at: Ticks::ZERO, participant: Uuid::nil(), name, text: "late".to_owned() });
    rig.round().await;
    *refusing.lock().unwrap() = false;
    (dir, rig, writer)
}

/// What was durable is there, each part with its end, and nothing else.
async fn ended_whole(root: &Path, rig: &Rig) {
    let told = rig.told();
    assert!(matches!(&told[..], [Event::Failed { reason: EndReason::DiskFull, .. }]), "{told:?}");
    assert_eq!(rig.archive.health(), Health::Full);
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::DiskFull));
    let folder = only_folder(root);
    assert_eq!(listing(&folder), ["01-ann.ogg", "03-ben.wav", "session.json"]);
    let [ann, ben] = &recording.tracks[..] else { panic!("{recording:?}") };
    for (track, file, expected) in [(ann, "01-ann.ogg", 10), (ben, "03-ben.wav", 7)] {
        let bytes = fs::read(folder.join(file)).unwrap();
        let heard = if file.ends_with("wav") { hear_wav(&bytes) } else { hear(&bytes) };
        assert_eq!(heard.numbers, (0..expected).collect::<Vec<_>>(), "{file}");
        let part = &track.parts[0];
        assert_eq!((part.bytes, part.length, part.open), (bytes.len() as u64, heard.length, false));
        assert_eq!(part.next, Sequence::new(expected));
    }
    assert_eq!((ann.gaps.len(), ben.gaps.len()), (0, 1), "what was held had paused");
    assert!(ffmpeg_complains(&folder.join("01-ann.ogg")).is_empty());
}

#[tokio::test]
async fn a_recording_that_would_take_of_the_reserve_ends_whole_where_it_is_durable() {
    let (dir, rig, _writer) = filled(|disk| disk.free.store(16 * MIB + 10, Ordering::Relaxed), false).await;
    ended_whole(dir.path(), &rig).await;
    rig.close().await;
    assert_eq!(Rig::open(dir.path()).await.recovered, Recovered::default(), "nothing is left for the next start");
}

#[tokio::test]
async fn a_disk_that_another_program_fills_halfway_through_a_round_takes_nothing_that_was_told() {
    let (dir, rig, _writer) = filled(|_| {}, true).await;
    let told = rig.told();
    assert!(matches!(&told[..], [Event::Failed { reason: EndReason::DiskFull, .. }]), "{told:?}");
    // Not even a last page had room: the next start writes it.
    rig.close().await;
    let rig = Rig::open(dir.path()).await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::DiskFull));
    let folder = only_folder(dir.path());
    assert_eq!(hear(&fs::read(folder.join("01-ann.ogg")).unwrap()).numbers, (0..10).collect::<Vec<_>>());
    assert_eq!(hear_wav(&fs::read(folder.join("03-ben.wav")).unwrap()).numbers, (0..7).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_recording_that_ends_may_take_its_last_second_of_the_reserve_and_no_more() {
    for (sound, reason) in [(50, EndReason::Finished), (20_000, EndReason::DiskFull)] {
        let dir = scratch();
        let disk = StandIn::new(dir.path(), |_, _| Ok(()));
        let free = disk.free.clone();
        let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
        let writer = rig.begin(id(1));
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..10));
        rig.round().await;
        free.store(15 * MIB, Ordering::Relaxed);
        writer.append(ONE, packets(10..10 + sound));
        writer.end(EndReason::Finished, NOW);
        rig.round().await;
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        assert_eq!(recording.summary.state, State::Ended(reason));
        let heard = hear(&fs::read(only_folder(dir.path()).join("01-ann.ogg")).unwrap());
        assert_eq!(heard.numbers.len() as u64, if reason == EndReason::Finished { 10 + sound } else { 10 });
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_recording_that_never_had_room() {
    let dir = scratch();
    let disk = StandIn::new(dir.path(), |_, _| Ok(()));
    disk.free.store(16 * MIB, Ordering::Relaxed);
    let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..10));
    rig.round().await;
    assert!(matches!(&rig.told()[..], [Event::Failed { reason: EndReason::DiskFull, .. }]));
    assert!(rig.archive.recording(id(1)).await.unwrap().is_none() && !dir.path().join("studio").exists());
    assert!(!rig.writer.dirty());
    drop(writer);
}

#[tokio::test]
async fn a_full_disk_is_well_again_when_there_is_more_than_the_reserve() {
    let dir = scratch();
    let disk = StandIn::new(dir.path(), |_, _| Ok(()));
    let free = disk.free.clone();
    let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
    rig.record(id(1), 3).await;
    let archive = rig.archive.clone();
    rig.ask(archive.healthy()).await.unwrap();
    free.store(16 * MIB - 1, Ordering::Relaxed);
    assert!(matches!(rig.ask(archive.healthy()).await, Err(Error::Full { .. })));
    let change = Change { title: Some(Some("Monday".to_owned())), ..Change::default() };
    let refused = rig.ask(archive.change(id(1), change.clone())).await;
    assert!(matches!(refused, Err(Error::Full { .. })), "a title does not take of the reserve: {refused:?}");
    free.store(20 * MIB, Ordering::Relaxed);
    rig.writer.look_again().await;
    assert_eq!(archive.health(), Health::Full, "what began now would end at once");
    free.store(40 * MIB, Ordering::Relaxed);
    rig.writer.look_again().await;
    assert_eq!(archive.health(), Health::Well);
    rig.ask(archive.change(id(1), change)).await.unwrap();
    rig.ask(archive.healthy()).await.unwrap();
    assert!(!dir.path().join(names::PROBE).exists());
}

#[tokio::test]
async fn a_disk_that_failed_is_looked_at_by_a_file_and_by_the_index() {
    for kind in [".probe", "studio"] {
        let dir = scratch();
        let broken = Arc::new(Mutex::new(false));
        let fails = broken.clone();
        let disk = StandIn::new(dir.path(), move |asked, _| match asked {
            Asked::Sync(path) if path.starts_with(kind) && *fails.lock().unwrap() => Err(io::ErrorKind::Other.into()),
            _ => Ok(()),
        });
        let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
        let writer = rig.begin(id(1));
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..3));
        rig.round().await;
        *broken.lock().unwrap() = true;
        let archive = rig.archive.clone();
        let asked = rig.ask(archive.healthy()).await;
        assert_eq!(asked.is_err(), kind == ".probe");
        writer.append(ONE, packets(3..5));
        rig.round().await;
        assert_eq!(archive.health(), Health::Failing);
        *broken.lock().unwrap() = false;
        rig.writer.look_again().await;
        assert_eq!(archive.health(), Health::Well);
    }
}
