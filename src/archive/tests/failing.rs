//! A disk that fails: nothing that it has taken is lost, and what it refuses goes where it takes it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::archive::Health;
use crate::archive::model::{EndReason, Recording, State};
use crate::archive::session_file::SessionFile;

use super::crash::play;
use super::pcm::{assert_extents, blocks, hear_wav, pcm_part};
use super::stand_in::{Asked, StandIn};
use super::*;

/// The path that the disk was asked about.
fn path(asked: &Asked) -> &str {
    match asked {
        Asked::CreateFolder(path)
        | Asked::Create(path)
        | Asked::Append(path)
        | Asked::Overwrite(path)
        | Asked::Sync(path)
        | Asked::SyncFolder(path)
        | Asked::Truncate(path)
        | Asked::Rename(path)
        | Asked::Remove(path)
        | Asked::RemoveFolder(path) => path,
        Asked::Committed => "",
    }
}

fn is_part(asked: &Asked) -> bool {
    path(asked).ends_with(".ogg") || path(asked).ends_with(".wav")
}

/// A disk that fails where `fails` says so.
fn failing(root: &Path, mut fails: impl FnMut(&Asked) -> bool + Send + 'static) -> Box<StandIn> {
    StandIn::new(root, move |asked, _| if fails(asked) { Err(io::ErrorKind::Other.into()) } else { Ok(()) })
}

/// The numbers of each track's packets, in the order of its parts, each of which must be whole, where the one before it ends or
/// later, and no longer or shorter than the index says.
fn numbers(recording: &Recording, folder: &Path, at: &str) -> Vec<Vec<u64>> {
    let mut all = Vec::new();
    for track in &recording.tracks {
        let (mut numbers, mut end) = (Vec::new(), Anchor { track: Ticks::ZERO, session: Ticks::ZERO });
        for part in &track.parts {
            let bytes = fs::read(folder.join(&part.file)).unwrap();
            assert_eq!(bytes.len() as u64, part.bytes, "{at}: {}", part.file);
            let heard = if part.file.ends_with(".wav") { hear_wav(&bytes) } else { hear(&bytes) };
            assert_eq!(heard.length, part.length, "{at}: {}", part.file);
            assert!(!part.open, "{at}: {}", part.file);
            assert!(part.start.track >= end.track && part.start.session >= end.session, "{at}: {part:?}");
            assert_eq!(part.first.get(), numbers.len() as u64, "{at}: {}", part.file);
            numbers.extend(heard.numbers);
            assert_eq!(part.next.get(), numbers.len() as u64, "{at}: {}", part.file);
            let length = part.length;
            end = Anchor { track: part.start.track.saturating_add(length), session: part.start.session };
        }
        all.push(numbers);
    }
    all
}

/// Looks whether a recording is all that it should be, and nothing else is there.
async fn is_whole(root: &Path, at: &str) -> Recording {
    let rig = Rig::open(root).await;
    assert_eq!(rig.recovered, Recovered::default(), "{at}: nothing is left for the next start");
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let folder = only_folder(root);
    let session = SessionFile::read(&fs::read(folder.join("session.json")).unwrap()).unwrap();
    assert!(SessionFile::of(&recording).is_said_by(&session), "{at}: {session:#?}");
    assert_extents(&mut rig.archive.readers().acquire().await.unwrap(), &recording, &folder, at).await;
    let named = recording.tracks.iter().flat_map(|track| &track.parts).map(|part| part.file.clone());
    let named: HashSet<_> = named.chain(["session.json".to_owned()]).collect();
    assert_eq!(listing(&folder).into_iter().collect::<HashSet<_>>(), named, "{at}");
    recording
}

#[tokio::test]
async fn whatever_the_disk_refuses_once_costs_no_packet() {
    let steps = Arc::new(AtomicUsize::new(0));
    let mut replaced = 0;
    for fault in 0.. {
        let dir = scratch();
        // To open the archive is not of this.
        let (step, what) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(Mutex::new(None)));
        let (counted, refused) = (step.clone(), what.clone());
        let disk = failing(dir.path(), move |asked| {
            let step = counted.load(Ordering::Relaxed);
            counted.store(step.saturating_add(1), Ordering::Relaxed);
            let fails = step == fault && !matches!(asked, Asked::Committed);
            if fails {
                *refused.lock().unwrap() = Some(asked.clone());
            }
            fails
        });
        let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
        step.store(0, Ordering::Relaxed);
        play(&mut rig).await;
        rig.round().await;
        let told = rig.told();
        rig.close().await;
        if step.load(Ordering::Relaxed) <= fault {
            break;
        }
        steps.fetch_add(1, Ordering::Relaxed);
        let Some(what) = what.lock().unwrap().take() else { continue };
        let at = format!("{what:?} at step {fault}");
        // Before there is a recording's folder there is nothing that could go on elsewhere.
        if matches!(&what, Asked::CreateFolder(_)) || matches!(&what, Asked::SyncFolder(path) if !path.contains('/')) {
            assert!(matches!(&told[..], [Event::Failed { reason: EndReason::IoError, .. }]), "{at}: {told:?}");
            continue;
        }
        assert_eq!(told.last(), Some(&Event::Ended), "{at}: {told:?}");
        let recording = is_whole(dir.path(), &at).await;
        assert_eq!(recording.summary.state, State::Ended(EndReason::Finished), "{at}");
        let counts: Vec<_> = numbers(&recording, &only_folder(dir.path()), &at).iter().map(Vec::len).collect();
        assert_eq!(counts, [45, 12, 19], "{at}");
        let parts: usize = recording.tracks.iter().map(|track| track.parts.len()).sum();
        replaced += usize::from(parts > 5);
        for (track, next) in [(ONE, 45), (TWO, 12), (THREE, 19)] {
            let last = told.iter().rev().find_map(|event| match event {
                Event::Durable { track: of, next, .. } if *of == track => Some(next.get()),
                _ => None,
            });
            assert_eq!(last, Some(next), "{at}");
        }
        let bytes: usize =
            told.iter().map(|event| if let Event::Durable { bytes, .. } = event { *bytes } else { 0 }).sum();
        let sent = |packets: Vec<Packet>| packets.iter().map(|packet| packet.data.len()).sum::<usize>();
        assert_eq!(bytes, sent(packets(0..45)) + sent(packets(0..12)) + sent(blocks(0..19)), "{at}: told once");
    }
    let steps = steps.load(Ordering::Relaxed);
    assert!(steps > 60 && replaced > 20, "{steps} steps, {replaced} of them with another part");
}

#[tokio::test]
async fn a_failed_sync_ends_the_file_where_it_was_durable_and_is_never_asked_again() {
    let dir = scratch();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, syncs) = (asked.clone(), AtomicUsize::new(0));
    let disk = failing(dir.path(), move |asked| {
        let sync = matches!(asked, Asked::Sync(path) if path.ends_with("01-ann.ogg"));
        log.lock().unwrap().push(asked.clone());
        sync && syncs.fetch_add(1, Ordering::Relaxed) == 1
    });
    let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    let before = fs::read(only_folder(dir.path()).join("01-ann.ogg")).unwrap();
    asked.lock().unwrap().clear();
    writer.append(ONE, packets(3..5));
    rig.round().await;
    let folder = format!("studio/{}-{}", NOW.to_compact(), id(1));
    let (one, two) = (|| format!("{folder}/01-ann.ogg"), || format!("{folder}/01-ann.2.ogg"));
    let all = std::mem::take(&mut *asked.lock().unwrap());
    let expected = [
        Asked::Append(one()),
        Asked::Sync(one()),
        // What it was about goes, and the last page comes: another sync, of other bytes.
        Asked::Truncate(one()),
        Asked::Append(one()),
        Asked::Sync(one()),
        Asked::Create(two()),
        Asked::Append(two()),
        Asked::Sync(two()),
        Asked::SyncFolder(folder.clone()),
        Asked::Committed,
    ];
    assert_eq!(all[..expected.len()], expected);
    assert_eq!(rig.archive.health(), Health::Well, "nothing ended by it");
    writer.append(ONE, packets(5..6));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    rig.close().await;
    let recording = is_whole(dir.path(), "").await;
    let [first, second] = &recording.tracks[0].parts[..] else { panic!("{:?}", recording.tracks[0].parts) };
    assert_eq!((first.next.get(), first.length), (3, Ticks::from_millis(60)));
    assert_eq!((second.number, second.first.get(), second.next.get()), (2, 3, 6));
    let place = Ticks::from_millis(60);
    assert_eq!(second.start, Anchor { track: place, session: place });
    assert!(fs::read(only_folder(dir.path()).join("01-ann.ogg")).unwrap().starts_with(&before));
}

#[tokio::test]
async fn the_part_that_goes_on_lies_where_the_clock_was_pinned() {
    let dir = scratch();
    let syncs = AtomicUsize::new(0);
    let disk = failing(dir.path(), move |asked| {
        matches!(asked, Asked::Sync(_)) && is_part(asked) && syncs.fetch_add(1, Ordering::Relaxed) == 1
    });
    let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
    let millis = Ticks::from_millis;
    let writer = rig.begin(id(1));
    writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(500) }, ..part(ONE, 1) });
    writer.append(ONE, packets(0..3));
    writer.anchor(ONE, Anchor { track: millis(40), session: millis(543) });
    rig.round().await;
    writer.gap(ONE, gap(millis(60), millis(1), GapCause::Jump));
    rig.round().await;
    writer.append(ONE, packets(3..5));
    writer.anchor(ONE, Anchor { track: millis(101), session: millis(610) });
    rig.round().await;
    writer.begin_part(NewPart { first: Sequence::new(9), ..part(TWO, 1) });
    writer.end_part(ONE);
    let start = Anchor { track: millis(70_000), session: millis(70_600) };
    writer.begin_part(NewPart { start, first: Sequence::new(5), ..part(ONE, 2) });
    writer.append(ONE, packets(5..6));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let places: Vec<_> = recording.tracks[0].parts.iter().map(|part| (part.number, part.start)).collect();
    let begin = Anchor { track: Ticks::ZERO, session: millis(500) };
    let goes_on = Anchor { track: millis(60), session: millis(563) };
    assert_eq!(places, [(1, begin), (2, goes_on), (3, start)], "the hub's second part is the third");
    assert_eq!(recording.summary.length, millis(70_620));
}

#[tokio::test]
async fn a_disk_that_takes_no_file_any_more_ends_the_recording_with_all_that_was_told() {
    for taken in [0, 1, 2, 4, 7, 12, 15] {
        let dir = scratch();
        let mut syncs = 0;
        let disk = failing(dir.path(), move |asked| {
            syncs += usize::from(matches!(asked, Asked::Sync(_)) && is_part(asked));
            syncs > taken && is_part(asked)
        });
        let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
        play(&mut rig).await;
        rig.round().await;
        let told = rig.told();
        let failed = |event: &&Event| matches!(event, Event::Failed { reason: EndReason::IoError, .. });
        assert_eq!(told.iter().filter(failed).count(), 1, "{told:?}");
        assert!(matches!(told.last(), Some(Event::Failed { .. })), "nothing is told after it: {told:?}");
        assert_eq!(rig.archive.health(), Health::Failing);
        let files = fs::read_dir(dir.path().join("studio")).unwrap().count();
        assert!(files <= 1);
        let before = rig.archive.recording(id(1)).await.unwrap();
        rig.close().await;
        let Some(before) = before else {
            assert!(!told.iter().any(|event| matches!(event, Event::Durable { .. })));
            continue;
        };
        assert_eq!(before.summary.state, State::Ended(EndReason::IoError));
        // The next start ends what the disk did not, and keeps the reason.
        let rig = Rig::open(dir.path()).await;
        let after = rig.archive.recording(id(1)).await.unwrap().unwrap();
        assert_eq!(after.summary.state, State::Ended(EndReason::IoError));
        for track in &after.tracks {
            let mut numbers = Vec::new();
            for part in &track.parts {
                let bytes = fs::read(only_folder(dir.path()).join(&part.file)).unwrap();
                let bytes = &bytes[..usize::try_from(part.bytes).unwrap()];
                let heard = if part.file.ends_with(".wav") { hear_wav(bytes) } else { hear(bytes) };
                numbers.extend(heard.numbers);
            }
            assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{taken}: lost or twice");
            let durable = told.iter().rev().find_map(|event| match event {
                Event::Durable { track: of, next, .. } if *of == track.number => Some(next.get()),
                _ => None,
            });
            assert!(numbers.len() as u64 >= durable.unwrap_or(0), "{taken}: {numbers:?} of {durable:?}");
        }
    }
}

#[tokio::test]
async fn a_session_file_that_cannot_be_replaced_costs_no_sound_and_is_there_when_it_can() {
    let dir = scratch();
    let fails = Arc::new(AtomicUsize::new(0));
    let counted = fails.clone();
    let disk = failing(dir.path(), move |asked| {
        let renames = matches!(asked, Asked::Rename(path) if path.ends_with("session.json"));
        renames && counted.fetch_add(1, Ordering::Relaxed) < 3
    });
    let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    for round in 0..3 {
        writer.append(ONE, packets(round..round + 1));
        rig.round().await;
        let told = rig.told();
        let durable = Event::Durable { track: ONE, next: Sequence::new(round + 1), bytes: 89 };
        assert_eq!(told, [durable], "what is durable is told all the same");
    }
    let file = only_folder(dir.path()).join("session.json");
    assert!(!file.exists());
    assert!(rig.writer.dirty(), "it is tried again though nothing is new");
    rig.round().await;
    assert!(file.exists() && !rig.writer.dirty());
    assert_eq!(fails.load(Ordering::Relaxed), 4);
    assert_eq!(rig.archive.health(), Health::Well);
    drop(writer);
}

#[tokio::test]
async fn a_spool_that_the_disk_refuses_goes_on_with_all_that_it_held() {
    for refused in 0..2 {
        let dir = scratch();
        let syncs = AtomicUsize::new(0);
        let disk = failing(dir.path(), move |asked| {
            let spool = matches!(asked, Asked::Sync(path) if path.contains(".late"));
            spool && syncs.fetch_add(1, Ordering::Relaxed) == refused
        });
        let mut rig = Rig::open_on(dir.path(), disk).await.unwrap();
        let second = Ticks::from_secs(1);
        let writer = rig.begin(id(1));
        writer.begin_part(part(ONE, 1));
        writer.begin_part(pcm_part(THREE, 1));
        writer.append(ONE, packets(0..3));
        writer.append(THREE, blocks(0..3));
        rig.round().await;
        for round in [3..5, 5..8] {
            writer.spool(ONE, second, packets(round.clone()));
            writer.spool(THREE, second, blocks(round));
            rig.round().await;
        }
        let spools: Vec<_> =
            listing(&only_folder(dir.path())).into_iter().filter(|name| name.contains("late")).collect();
        assert_eq!(spools.len(), 2, "{spools:?}");
        assert!(spools.iter().any(|name| name.ends_with("late.2")), "{spools:?}");
        // The hub falls; what the spools hold is there.
        rig.close().await;
        drop(writer);
        let rig = Rig::open(dir.path()).await;
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        let counts: Vec<_> = numbers(&recording, &only_folder(dir.path()), "").iter().map(Vec::len).collect();
        assert_eq!(counts, [8, 8]);
        assert!(recording.tracks.iter().all(|track| track.gaps.len() == 1));
    }
}

#[tokio::test]
async fn an_index_that_takes_nothing_ends_the_recording_and_acknowledges_nothing() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    rig.told();
    // No index may grow any more; the transaction needs another page for so much chat.
    sqlx::query("PRAGMA max_page_count = 1").execute(&mut rig.writer.connection).await.unwrap();
    writer.append(ONE, packets(3..5));
    let name = "Ann".parse().unwrap();
    let text = "x".repeat(100_000);
    writer.chat(crate::archive::model::Chat { at: Ticks::ZERO, participant: Uuid::nil(), name, text });
    rig.round().await;
    let told = rig.told();
    assert!(matches!(&told[..], [Event::Failed { reason: EndReason::DiskFull, .. }]), "{told:?}");
    assert_eq!(rig.archive.health(), Health::Full);
    // The end needs no page, and is said in the next round.
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::DiskFull));
    assert_eq!(recording.tracks[0].parts[0].next, Sequence::new(3));
    assert!(!rig.writer.dirty() && rig.told().is_empty());
    // A transaction that is rolled back now is one of its own, and leaves nothing open in which the next would be lost.
    sqlx::query("PRAGMA max_page_count = 1000000").execute(&mut rig.writer.connection).await.unwrap();
    let refuse =
        "CREATE TRIGGER refuse BEFORE INSERT ON tracks WHEN NEW.name = 'Ben' BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::query(refuse).execute(&mut rig.writer.connection).await.unwrap();
    let refused = rig.begin(id(3));
    refused.begin_part(part(TWO, 1));
    refused.append(TWO, packets(0..2));
    rig.round().await;
    assert!(matches!(&rig.told()[..], [Event::Failed { reason: EndReason::IoError, .. }]));
    // What is said to be durable from now on is: for another connection, too.
    let again = rig.begin(id(2));
    again.begin_part(part(ONE, 1));
    again.append(ONE, packets(0..2));
    rig.round().await;
    assert_eq!(rig.told(), [Event::Durable { track: ONE, next: Sequence::new(2), bytes: 2 * 89 }]);
    assert!(rig.archive.recording(id(2)).await.unwrap().is_some());
    again.end(EndReason::Finished, NOW);
    rig.round().await;
    sqlx::query("DROP TRIGGER refuse").execute(&mut rig.writer.connection).await.unwrap();
    rig.close().await;
    // The commit might have been there after a crash: its sound is left where it is, and the next start finds it.
    let rig = Rig::open(dir.path()).await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::DiskFull));
    let folder = dir.path().join(format!("studio/{}-{}", NOW.to_compact(), id(1)));
    assert_eq!(hear(&fs::read(folder.join("01-ann.ogg")).unwrap()).numbers, [0, 1, 2, 3, 4]);
    drop(writer);
}
