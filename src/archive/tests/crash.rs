//! A session of everything, and a crash at every step of it: the process killed, and the power lost.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::archive::ListQuery;
use crate::archive::index::read;
use crate::archive::model::{Chat, EndReason, Recording, State};
use crate::archive::session_file::SessionFile;

use super::flipped::damage;
use super::pcm::{assert_extents, blocks, hear_wav, pcm_part};
use super::stand_in::{Known, StandIn};
use super::*;

/// What a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    /// `kill -9`: all that was written is there.
    Killed,
    /// Power loss: only what was synced is there.
    PowerLost,
    /// Power loss, and of what was not synced every file has kept one half, which may end in the middle of a page.
    Torn,
}

/// A copy of the folder after a crash, and what had been told by then.
pub(super) struct Left {
    pub crash: Crash,
    pub folder: PathBuf,
    pub step: usize,
    told: Vec<Event>,
}

/// Copies what a crash leaves of `from`.
pub(super) fn copy(from: &Path, to: &Path, crash: Crash, known: &HashMap<PathBuf, Known>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&path, &target, crash, known);
            continue;
        }
        let length = entry.metadata().unwrap().len();
        // SQLite's own files are SQLite's to keep.
        let all = || Known { synced: length, named: true, over: Vec::new() };
        let Known { synced, named, over } = known.get(&path).cloned().unwrap_or_else(all);
        let keep = match crash {
            Crash::Killed => Some(length),
            Crash::PowerLost => named.then_some(synced),
            Crash::Torn => Some(synced + (length - synced) / 2),
        };
        if let Some(keep) = keep {
            let mut bytes = fs::read(&path).unwrap();
            for (at, before) in over.iter().rev() {
                // Of what was written over something else, one half is as it was.
                let stays = match crash {
                    Crash::Killed => before.len(),
                    Crash::PowerLost => 0,
                    Crash::Torn => before.len() / 2,
                };
                let begin = usize::try_from(*at).unwrap();
                bytes[begin + stays..begin + before.len()].copy_from_slice(&before[stays..]);
            }
            bytes.truncate(usize::try_from(keep).unwrap());
            fs::write(&target, bytes).unwrap();
            match crash {
                Crash::Killed => as_old_as(&target, fs::metadata(&path).unwrap().modified().unwrap()),
                Crash::PowerLost | Crash::Torn => age(&target),
            }
        }
    }
}

/// Makes a file one that was written before the machine started.
pub(super) fn age(path: &Path) {
    as_old_as(path, SystemTime::UNIX_EPOCH);
}

fn as_old_as(path: &Path, modified: SystemTime) {
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// How many times the session is gone through: each time every so manyth step is kept, so that few copies are there at once.
const TURNS: usize = 8;

/// What crashes leave.
#[derive(Default)]
pub(super) struct Copies {
    pub steps: usize,
    pub left: Vec<Left>,
}

/// A disk that keeps what a crash would leave before each `every`th thing that it is asked, from the `first` on.
pub(super) fn copying(
    root: &Path,
    to: &Path,
    (first, every): (usize, usize),
    copies: &Arc<Mutex<Copies>>,
    told: &Told,
) -> Box<StandIn> {
    let (from, to, copies, told) = (root.to_owned(), to.to_owned(), copies.clone(), told.clone());
    StandIn::new(root, move |_, known| {
        let mut copies = copies.lock().unwrap();
        let step = copies.steps;
        copies.steps += 1;
        if step % every != first {
            return Ok(());
        }
        for crash in [Crash::Killed, Crash::PowerLost, Crash::Torn] {
            let folder = to.join(format!("{step}-{crash:?}"));
            copy(&from, &folder, crash, known);
            copies.left.push(Left { crash, folder, step, told: told.lock().unwrap().clone() });
        }
        Ok(())
    })
}

/// Goes through a session of everything; gives what a crash leaves before each thing that the disk is asked in this turn.
async fn session(root: &Path, to: &Path, turn: usize) -> Copies {
    let (copies, told) = (Arc::default(), Told::default());
    let mut rig = Rig::open_on(root, copying(root, to, (turn, TURNS), &copies, &told)).await.unwrap();
    rig.told = told;
    play(&mut rig).await;
    std::mem::take(&mut copies.lock().unwrap())
}

/// Such a session: packets 0..45, 0..12 and blocks 0..19, with an end.
pub(super) async fn play(rig: &mut Rig) {
    let writer = rig.begin(id(1));
    everything(rig, writer).await;
}

/// Makes a recording with two tracks of Opus and one of PCM, gaps, stalls, pauses and second parts.
pub(super) async fn everything(rig: &mut Rig, writer: RecordingWriter) {
    let millis = Ticks::from_millis;
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..10));
    writer.begin_part(pcm_part(THREE, 1));
    writer.append(THREE, blocks(0..5));
    rig.round().await;
    // A jump, the second track, chat.
    writer.gap(ONE, gap(millis(200), Ticks::new(4807), GapCause::Jump));
    writer.append(ONE, packets(10..15));
    writer.begin_part(part(TWO, 1));
    writer.append(TWO, packets(0..5));
    writer.gap(THREE, gap(millis(100), Ticks::new(4807), GapCause::Jump));
    writer.append(THREE, blocks(5..8));
    let name = "Ann".parse().unwrap();
    writer.chat(Chat { at: millis(300), participant: Uuid::from_u128(1), name, text: "hello".to_owned() });
    rig.round().await;
    // A silence that turns out a stall, over three rounds.
    writer.spool(ONE, millis(1500), packets(15..20));
    writer.append(TWO, packets(5..10));
    writer.spool(THREE, millis(1500), blocks(8..10));
    rig.round().await;
    writer.spool(ONE, millis(1500), packets(20..25));
    writer.spool(THREE, millis(1500), blocks(10..12));
    rig.round().await;
    writer.settle(ONE, None);
    writer.settle(THREE, None);
    writer.append(THREE, blocks(12..14));
    writer.append(ONE, packets(25..30));
    rig.round().await;
    // One that turns out a pause, beside sound that no round has seen yet.
    writer.append(ONE, packets(30..32));
    writer.spool(ONE, millis(1300), packets(32..35));
    writer.spool(THREE, millis(1300), blocks(14..16));
    rig.round().await;
    writer.settle(ONE, Some(gap(millis(740), millis(1300), GapCause::Pause)));
    writer.settle(THREE, Some(gap(millis(380), millis(1300), GapCause::Pause)));
    rig.round().await;
    // One that is settled before any round.
    writer.spool(ONE, millis(1200), packets(35..40));
    writer.settle(ONE, Some(gap(millis(2100), millis(1200), GapCause::Pause)));
    writer.append(ONE, packets(40..42));
    writer.anchor(ONE, Anchor { track: millis(3000), session: millis(3001) });
    rig.round().await;
    // A second part, and a spool that nobody settles.
    writer.end_part(ONE);
    let start = Anchor { track: millis(90_000), session: millis(90_000) };
    writer.begin_part(NewPart { start, first: Sequence::new(42), ..part(ONE, 2) });
    writer.append(ONE, packets(42..45));
    writer.spool(TWO, millis(80_000), packets(10..12));
    writer.end_part(THREE);
    writer.begin_part(NewPart { start, first: Sequence::new(16), ..pcm_part(THREE, 2) });
    writer.append(THREE, blocks(16..17));
    writer.spool(THREE, millis(1100), blocks(17..19));
    rig.round().await;
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 91_000));
    rig.round().await;
}

/// How far a track is durable by what was told.
fn told_of(told: &[Event], track: TrackNumber) -> u64 {
    let next = |event: &Event| match event {
        Event::Durable { track: other, next, .. } if *other == track => Some(next.get()),
        _ => None,
    };
    told.iter().rev().find_map(next).unwrap_or(0)
}

/// Fails where a recording that start-up has put in order is not whole: every packet once, up to those that were told to be durable,
/// every file as the index says and to be played, the session file as the index is.
pub(super) async fn assert_whole(
    rig: &Rig,
    recording: &Recording,
    folder: &Path,
    told: impl Fn(TrackNumber) -> u64,
    at: &str,
) -> BTreeMap<TrackNumber, Vec<u64>> {
    let mut all = BTreeMap::new();
    for track in &recording.tracks {
        let (mut numbers, mut silence) = (Vec::new(), 0);
        for part in &track.parts {
            let bytes = fs::read(folder.join(&part.file)).unwrap();
            assert_eq!(bytes.len() as u64, part.bytes, "{at}: {}", part.file);
            let heard = if part.file.ends_with(".wav") { hear_wav(&bytes) } else { hear(&bytes) };
            assert_eq!(heard.length, part.length, "{at}: {}", part.file);
            // Where nobody was told of them, packets may be lost before a file that is there, and never within one.
            let follow = heard.numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
            assert!(follow, "{at}: {}: {:?}", part.file, heard.numbers);
            numbers.extend(heard.numbers);
            silence += heard.silence.get();
            assert!(part.next.get() <= numbers.last().map_or(0, |last| last + 1), "{at}: {}", part.file);
        }
        let told = told(track.number);
        let expected: Vec<u64> = (0..told).collect();
        assert_eq!(numbers[..numbers.len().min(expected.len())], expected, "{at}: track {}", track.number);
        assert!(numbers.is_sorted_by(|a, b| a < b), "{at}: packets are twice in track {}: {numbers:?}", track.number);
        assert!(track.parts.last().unwrap().next.get() >= told, "{at}");
        // A gap that the index knows is in the sound. (One that no round has seen may be there without.)
        let gaps: u64 = track.gaps.iter().filter(|gap| gap.filled).map(|gap| gap.length.get()).sum();
        assert!(silence + 119 >= gaps, "{at}: {silence} of {gaps}");
        all.insert(track.number, numbers);
    }
    assert_eq!(damage(rig, recording, folder).await, [], "{at}");
    let mut connection = rig.archive.readers().acquire().await.unwrap();
    let (place, _) = read::summary(&mut connection, recording.summary.id).await.unwrap().unwrap();
    let sums = read::all_extents(&mut connection, place.row, recording).await.unwrap();
    let session = SessionFile::read(&fs::read(folder.join("session.json")).unwrap()).unwrap();
    assert_eq!(session, SessionFile::of(recording).with_sums(&sums), "{at}");
    assert_extents(&mut connection, recording, folder, at).await;
    let spools: i64 = sqlx::query_scalar("SELECT count(*) FROM spools").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(spools, 0, "{at}");
    all
}

/// Opens what a crash left, and looks whether every promise was kept.
async fn recovers(left: &Left) {
    let at = format!("{:?} at step {}, told {:?}", left.crash, left.step, left.told);
    let rig = Rig::open(&left.folder).await;
    let page = rig.archive.recordings(&ListQuery::default()).await.unwrap();
    let durable = left.told.iter().any(|event| matches!(event, Event::Durable { .. }));
    let Some(summary) = page.recordings.first() else {
        assert!(!durable, "{at}: a recording is lost");
        return;
    };
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(&recording.summary, summary, "{at}");
    match summary.state {
        State::Ended(EndReason::Crashed) => {
            assert!(rig.recovered.recordings.iter().all(|recovered| recovered.trouble.is_none()), "{at}");
            assert!(!left.told.contains(&Event::Ended), "{at}");
        }
        State::Ended(EndReason::Finished) => {}
        state => panic!("{at}: {state:?}"),
    }
    let folder = only_folder(&left.folder);
    let heard = assert_whole(&rig, &recording, &folder, |track| told_of(&left.told, track), &at).await;
    if left.crash == Crash::Killed {
        // The disk has all that was written: nothing is missing before anything.
        for (track, numbers) in heard {
            assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{at}: track {track}");
        }
    }

    // Start-up has nothing left to do, and has left the index as it should be.
    drop(rig);
    let rig = Rig::open(&left.folder).await;
    assert_eq!(rig.recovered, Recovered::default(), "{at}");
    assert_eq!(rig.archive.recording(id(1)).await.unwrap().unwrap(), recording, "{at}");
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_that_was_told_durable_and_repeats_nothing() {
    for turn in 0..TURNS {
        let (root, to) = (scratch(), scratch());
        let copies = session(root.path(), to.path(), turn).await;
        assert!(copies.steps > 60, "{}", copies.steps);
        for left in &copies.left {
            recovers(left).await;
        }
        if turn > 0 {
            continue;
        }
        // Without a crash all of it is there.
        let rig = Rig::open(root.path()).await;
        assert_eq!(rig.recovered, Recovered::default());
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        assert_eq!(recording.summary.state, State::Ended(EndReason::Finished));
        let next: Vec<_> = recording.tracks.iter().map(|track| track.parts.last().unwrap().next.get()).collect();
        assert_eq!(next, [45, 12, 19]);
        assert_eq!(
            listing(&only_folder(root.path())),
            ["01-ann.2.ogg", "01-ann.ogg", "02-ben.ogg", "03-ben.2.wav", "03-ben.wav", "session.json"]
        );
    }
}

#[tokio::test]
async fn a_crash_at_any_step_of_the_start_up_after_a_crash_changes_nothing() {
    let (root, to) = (scratch(), scratch());
    for first in &session(root.path(), to.path(), 5).await.left {
        let to = scratch();
        let (copies, told) = (Arc::default(), Arc::new(Mutex::new(first.told.clone())));
        drop(Rig::open_on(&first.folder, copying(&first.folder, to.path(), (0, 1), &copies, &told)).await.unwrap());
        let copies: Copies = std::mem::take(&mut copies.lock().unwrap());
        for second in &copies.left {
            recovers(second).await;
        }
    }
}
