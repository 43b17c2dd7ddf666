//! What start-up makes of what it finds.

use std::{fs, io};

use crate::archive::model::{Attendance, EndReason, State};
use crate::archive::session_file::SessionFile;
use crate::archive::{ListQuery, repair};

use super::crash::age;
use super::pcm::{blocks, hear_wav, pcm_part};
use super::stand_in::{Asked, StandIn};
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
    // What looks like a part is not to become one.
    assert_eq!(listing(&folder), ["01-ann.2.ogg", "01-ann.late", "02-ben.ogg", "deleted.txt", "notes.txt"]);
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

/// Copies what is in a recording's folder and not in another into that.
fn add(from: &Path, to: &Path) {
    for name in listing(from).iter().filter(|name| *name != "session.json") {
        if !to.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// A folder as a kill leaves it that came after the files of a second round were written and before the index knew of them: in it are
/// another part of Ann's, Ben's first, a spool of samples, and a first part of samples.
async fn killed_before_the_index_knew() -> tempfile::TempDir {
    let (dir, before) = (scratch(), scratch());
    let mut rig = Rig::open(dir.path()).await;
    let millis = Ticks::from_millis;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    writer.begin_part(pcm_part(THREE, 1));
    writer.append(THREE, blocks(0..4));
    rig.round().await;
    copy_all(dir.path(), before.path());
    let start = Anchor { track: millis(500), session: millis(510) };
    writer.end_part(ONE);
    writer.begin_part(NewPart { start, first: Sequence::new(3), ..part(ONE, 2) });
    writer.append(ONE, packets(3..7));
    let start = Anchor { track: Ticks::ZERO, session: millis(300) };
    writer.begin_part(NewPart { start, ..part(TWO, 1) });
    writer.append(TWO, packets(0..2));
    writer.spool(THREE, millis(1500), blocks(4..6));
    writer.begin_part(NewPart { start, ..pcm_part(TrackNumber::new(4), 1) });
    writer.append(TrackNumber::new(4), blocks(0..4));
    rig.round().await;
    add(&only_folder(dir.path()), &only_folder(before.path()));
    before
}

#[tokio::test]
async fn sound_that_a_kill_left_before_the_index_knew_of_it_becomes_parts_of_its_recording() {
    let dir = killed_before_the_index_knew().await;
    let folder = only_folder(dir.path());
    fs::write(folder.join("05-eve.ogg"), "OggS").unwrap();
    fs::write(folder.join("06-eve.ogg"), "mine").unwrap();
    let mut rig = Rig::open(dir.path()).await;
    assert!(rig.recovered.recordings[0].trouble.is_none());
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let parts: Vec<_> = recording.parts().map(|(_, part)| (&*part.file, part.start, part.length.as_millis())).collect();
    let at = |track, session| Anchor { track: Ticks::from_millis(track), session: Ticks::from_millis(session) };
    assert_eq!(
        parts,
        [
            ("01-ann.ogg", at(0, 0), 60),
            ("01-ann.2.ogg", at(500, 510), 80),
            ("02-ben.ogg", at(0, 300), 40),
            ("03-ben.wav", at(0, 0), 80),
            // After the pause that its name tells of.
            ("03-ben.2.wav", at(1580, 1580), 40),
            // Samples do not say where they begin: where the recording had ended by then.
            ("04-ben.wav", at(0, 1620), 80),
        ]
    );
    for (part, count) in recording.parts().map(|(_, part)| part).zip([3, 4, 2, 4, 2, 4]) {
        let bytes = fs::read(folder.join(&part.file)).unwrap();
        let heard = if part.file.ends_with(".wav") { hear_wav(&bytes) } else { hear(&bytes) };
        assert_eq!(heard.numbers.len(), count, "{}", part.file);
    }
    // What is not ours stays, also in a place of ours; what holds no sound goes.
    let mut left = listing(&folder);
    left.retain(|name| !parts.iter().any(|(file, ..)| file == name));
    assert_eq!(left, ["06-eve.ogg", "session.json"]);
    let archive = rig.archive.clone();
    rig.ask(archive.delete(id(1))).await.unwrap();
    assert_eq!(listing(&folder), ["06-eve.ogg", "deleted.txt"]);
}

#[tokio::test]
async fn samples_that_were_written_before_the_machine_last_started_stay_where_they_are_until_a_repair() {
    let dir = killed_before_the_index_knew().await;
    let folder = only_folder(dir.path());
    listing(&folder).iter().for_each(|name| age(&folder.join(name)));
    let rig = Rig::open(dir.path()).await;
    let files = async |rig: &Rig| {
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        recording.parts().map(|(_, part)| part.file.clone()).collect::<Vec<_>>()
    };
    assert_eq!(files(&rig).await, ["01-ann.ogg", "01-ann.2.ogg", "02-ben.ogg", "03-ben.wav"]);
    assert!(folder.join("04-ben.wav").exists() && folder.join("03-ben.75840.late").exists());
    rig.close().await;
    repair::repair(dir.path(), NOW, &mut |_| {}).await.unwrap();
    let rig = Rig::open(dir.path()).await;
    let all = ["01-ann.ogg", "01-ann.2.ogg", "02-ben.ogg", "03-ben.wav", "03-ben.2.wav", "04-ben.wav"];
    assert_eq!(files(&rig).await, all);
}

#[tokio::test]
async fn a_recording_whose_first_round_a_kill_cut_off_is_one_with_its_samples_too() {
    let (dir, before) = (scratch(), scratch());
    let mut rig = Rig::open(dir.path()).await;
    copy_all(dir.path(), before.path());
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(ONE, 1));
    writer.append(ONE, blocks(0..5));
    rig.round().await;
    copy_all(&dir.path().join("studio"), &before.path().join("studio"));
    fs::remove_file(only_folder(before.path()).join("session.json")).unwrap();
    // Whatever the clock says where this runs, the folder is of that hub.
    let room = fs::File::open(before.path().join("studio")).unwrap();
    room.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(NOW.get().unsigned_abs())).unwrap();
    let rig = Rig::open(before.path()).await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::Crashed));
    let heard = hear_wav(&fs::read(only_folder(before.path()).join("01-ann.wav")).unwrap());
    assert_eq!((heard.numbers, recording.tracks[0].parts[0].length.as_millis()), ((0..5).collect(), 100));
}

#[tokio::test]
async fn what_the_disk_refuses_of_a_first_round_stays_where_it_is_and_the_hub_starts() {
    let (dir, before) = (scratch(), scratch());
    let mut rig = Rig::open(dir.path()).await;
    copy_all(dir.path(), before.path());
    rig.record(id(1), 5).await;
    copy_all(&dir.path().join("studio"), &before.path().join("studio"));
    fs::remove_file(only_folder(before.path()).join("session.json")).unwrap();
    let room = fs::File::open(before.path().join("studio")).unwrap();
    room.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(NOW.get().unsigned_abs())).unwrap();
    let store = StandIn::new(before.path(), |asked, _| match asked {
        Asked::Sync(path) if path.ends_with("01-ann.ogg") => Err(io::Error::from_raw_os_error(5)),
        _ => Ok(()),
    });
    let rig = Rig::open_on(before.path(), store).await.unwrap();
    assert!(rig.archive.recording(id(1)).await.unwrap().is_none());
    assert_eq!(listing(&only_folder(before.path())), ["01-ann.ogg"]);
    rig.close().await;
    repair::repair(before.path(), NOW, &mut |_| {}).await.unwrap();
    let rig = Rig::open(before.path()).await;
    assert_eq!(rig.archive.recording(id(1)).await.unwrap().unwrap().tracks[0].parts[0].next, Sequence::new(5));
}

#[tokio::test]
async fn a_deletion_takes_what_says_that_it_is_ours_though_the_index_does_not_name_it() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    for (id, foreign) in [(id(1), false), (id(2), true)] {
        rig.record(id, 3).await;
        let folder = dir.path().join(names::folder(&"studio".parse().unwrap(), NOW, id));
        for left in ["01-ann.2.ogg", "01-ann.late"] {
            fs::copy(folder.join("01-ann.ogg"), folder.join(left)).unwrap();
        }
        if foreign {
            fs::write(folder.join("02-ben.ogg"), "mine").unwrap();
        }
        let archive = rig.archive.clone();
        rig.ask(archive.delete(id)).await.unwrap();
        assert_eq!(listing(&folder), if foreign { vec!["02-ben.ogg", "deleted.txt"] } else { vec![] });
        assert_eq!(folder.exists(), foreign);
    }
}
