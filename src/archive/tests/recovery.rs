//! What start-up makes of what it finds.

use std::fs;

use crate::archive::ListQuery;
use crate::archive::model::{Attendance, EndReason, State};
use crate::archive::session_file::SessionFile;

use super::*;

/// Five packets told durable in two rounds, and no end.
async fn left_open(folder: &Path) {
    let mut rig = Rig::open(folder).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    writer.append(ONE, packets(3..5));
    rig.round().await;
    // The handle goes, but the writer is dead before it could hear of that.
    rig.close().await;
    drop(writer);
}

#[tokio::test]
async fn a_part_cut_at_any_byte_or_followed_by_rubbish_is_whole_again_up_to_its_last_good_page() {
    let dir = scratch();
    left_open(dir.path()).await;
    let file = only_folder(dir.path()).join("01-ann.ogg");
    let whole = fs::read(&file).unwrap();
    // Two pages of headers, then one for each round.
    let ends: Vec<usize> = (0..=whole.len() - 4).filter(|&at| &whole[at..at + 4] == b"OggS").collect();
    let [0, _, three, five] = ends[..] else { panic!("{ends:?}") };
    let damaged = |cut: usize, rubbish: &[u8]| [&whole[..cut], rubbish].concat();
    let mut flipped = whole.clone();
    flipped[five + 40] ^= 1;
    let mut cases: Vec<(Vec<u8>, u64)> =
        (three..whole.len()).map(|cut| (damaged(cut, b""), if cut >= five { 3 } else { 0 })).collect();
    cases.extend([
        (damaged(whole.len(), b""), 5),
        (damaged(whole.len(), b"OggS and then nothing of the kind"), 5),
        (damaged(whole.len(), &[0; 4096]), 5),
        (damaged(whole.len(), &whole[three..five]), 5),
    ]);
    for (bytes, expected) in cases {
        let copy = scratch();
        copy_all(dir.path(), copy.path());
        let file = only_folder(copy.path()).join("01-ann.ogg");
        fs::write(&file, &bytes).unwrap();
        let rig = Rig::open(copy.path()).await;
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        assert_eq!(recording.summary.state, State::Ended(EndReason::Crashed));
        let heard = hear(&fs::read(&file).unwrap());
        assert_eq!(heard.numbers, (0..expected).collect::<Vec<_>>(), "of {} bytes", bytes.len());
        let part = &recording.tracks[0].parts[0];
        assert_eq!((part.length, part.next), (heard.length, Sequence::new(expected)));
        assert_eq!(part.bytes, fs::metadata(&file).unwrap().len());
        assert_eq!(rig.recovered.recordings[0].id, id(1));
    }
    // A flipped bit in what the index knows to be durable is no reason to cut what comes after it.
    fs::write(&file, &flipped).unwrap();
    let rig = Rig::open(dir.path()).await;
    assert_eq!(rig.archive.recording(id(1)).await.unwrap().unwrap().tracks[0].parts[0].next, Sequence::new(5));
    assert_eq!(fs::read(&file).unwrap()[..whole.len()], flipped);
}

#[tokio::test]
async fn whole_pages_beyond_the_index_are_kept() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    let before = scratch();
    copy_all(dir.path(), before.path());
    writer.append(ONE, packets(3..5));
    writer.gap(ONE, gap(Ticks::from_millis(100), Ticks::from_millis(100), GapCause::Jump));
    rig.round().await;
    let newer = fs::read(only_folder(dir.path()).join("01-ann.ogg")).unwrap();
    fs::write(only_folder(before.path()).join("01-ann.ogg"), newer).unwrap();

    let rig = Rig::open(before.path()).await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let part = &recording.tracks[0].parts[0];
    assert_eq!((part.next, part.length), (Sequence::new(5), Ticks::from_millis(200)));
    assert_eq!(recording.summary.length, Ticks::from_millis(200));
    assert_eq!(recording.summary.ended.unwrap().get(), NOW.get() + 200);
    assert_eq!(rig.recovered.recordings[0].cut, 0);
}

#[tokio::test]
async fn what_the_index_does_not_name_is_left_alone() {
    let dir = scratch();
    left_open(dir.path()).await;
    let folder = only_folder(dir.path());
    for file in ["studio/notes.txt", "holiday.jpg", "studio/20200101T000000Z-x/01-ann.ogg"] {
        fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
        fs::write(dir.path().join(file), "mine").unwrap();
    }
    for file in ["01-ann.2.ogg", "02-ben.ogg", "01-ann.late", "notes.txt"] {
        fs::write(folder.join(file), "mine").unwrap();
    }
    let mut rig = Rig::open(dir.path()).await;
    assert_eq!(rig.recovered.recordings[0].trouble, None);
    let archive = rig.archive.clone();
    rig.ask(archive.delete(id(1))).await.unwrap();
    assert!(rig.archive.recording(id(1)).await.unwrap().is_none());
    assert_eq!(listing(&folder), ["01-ann.2.ogg", "01-ann.late", "02-ben.ogg", "notes.txt"]);
    assert!(dir.path().join("holiday.jpg").exists() && dir.path().join("studio/notes.txt").exists());
    assert!(dir.path().join("studio/20200101T000000Z-x/01-ann.ogg").exists());
}

#[tokio::test]
async fn a_deletion_that_was_begun_is_finished() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    rig.record(id(1), 3).await;
    drop(rig);
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    sqlx::query("UPDATE recordings SET deleting = 1").execute(&mut connection).await.unwrap();
    drop(connection);
    // Half of it was unlinked already.
    fs::remove_file(only_folder(dir.path()).join("01-ann.ogg")).unwrap();
    let rig = Rig::open(dir.path()).await;
    assert_eq!(rig.recovered, Recovered { deletions: 1, ..Recovered::default() });
    assert_eq!(listing(&dir.path().join("studio")), Vec::<String>::new());
    assert!(rig.archive.recordings(&ListQuery::default()).await.unwrap().recordings.is_empty());
}

#[tokio::test]
async fn a_missing_file_is_said_and_does_not_keep_the_hub_from_starting() {
    let dir = scratch();
    left_open(dir.path()).await;
    fs::remove_file(only_folder(dir.path()).join("01-ann.ogg")).unwrap();
    let rig = Rig::open(dir.path()).await;
    let trouble = rig.recovered.recordings[0].trouble.as_ref().unwrap();
    assert!(trouble.contains("01-ann.ogg"), "{trouble}");
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::Crashed));
}

/// Copies a folder with all that is in it.
pub(super) fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn who_came_and_went_is_kept_and_who_was_there_at_the_crash_stayed() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    let stay = |n: u128, name: &str, joined| {
        let (participant, name) = (Uuid::from_u128(n), name.parse().unwrap());
        Attendance { participant, name, joined: Ticks::from_secs(joined), left: None }
    };
    writer.joined(stay(1, "Ann", 0));
    writer.joined(stay(2, "Ben", 1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    writer.left(Uuid::from_u128(2), Ticks::from_secs(5));
    writer.joined(stay(2, "Ben", 7));
    rig.round().await;
    drop(rig);
    drop(writer);
    let rig = Rig::open(dir.path()).await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let first = Attendance { left: Some(Ticks::from_secs(5)), ..stay(2, "Ben", 1) };
    assert_eq!(recording.attendance, [stay(1, "Ann", 0), first, stay(2, "Ben", 7)]);
    let session = fs::read(only_folder(dir.path()).join("session.json")).unwrap();
    let session = SessionFile::read(&session).unwrap();
    assert_eq!(session.attendance.len(), 3);
    assert_eq!(session, SessionFile::of(&recording));
}
