//! In which order things reach the disk, the index and the hub.

use std::io;
use std::sync::{Arc, Mutex};

use crate::archive::model::{EndReason, State};

use super::stand_in::{Asked, StandIn};
use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Asked(Asked),
    Told(Event),
}

impl From<Asked> for Seen {
    fn from(asked: Asked) -> Self {
        Self::Asked(asked)
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;

fn begin(rig: &Rig, log: &Log) -> RecordingWriter {
    let log = log.clone();
    let new = NewRecording { id: id(1), room: "studio".parse().unwrap(), started: NOW };
    rig.archive.begin(new, Box::new(move |event| log.lock().unwrap().push(Seen::Told(event))))
}

fn taken(log: &Log) -> Vec<Seen> {
    std::mem::take(&mut log.lock().unwrap())
}

const fn durable(next: u64, packets: usize) -> Seen {
    Seen::Told(Event::Durable { track: ONE, next: Sequence::new(next), bytes: packets * 89 })
}

#[tokio::test]
async fn files_are_synced_before_the_index_names_them_and_both_before_anyone_is_told() {
    let dir = scratch();
    let log = Log::default();
    let mut rig = Rig::open_on(dir.path(), StandIn::logging(dir.path(), &log)).await.unwrap();
    let writer = begin(&rig, &log);
    taken(&log);

    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.take().await;
    assert_eq!(taken(&log), [], "nothing reaches the disk before the round");
    rig.round().await;
    let folder = format!("studio/{}-{}", NOW.to_compact(), id(1));
    let file = |name: &str| format!("{folder}/{name}");
    let sound = || file("01-ann.ogg");
    let session = || {
        let next = || file("session.json.next");
        let (create, append, sync) = (Asked::Create(next()), Asked::Append(next()), Asked::Sync(next()));
        [create, append, sync, Asked::Rename(file("session.json")), Asked::SyncFolder(folder.clone())]
    };
    let asked = |asked: Vec<Asked>| asked.into_iter().map(Seen::Asked);
    let first = [
        Asked::CreateFolder("studio".to_owned()),
        Asked::SyncFolder(String::new()),
        Asked::CreateFolder(folder.clone()),
        Asked::SyncFolder("studio".to_owned()),
        Asked::Create(sound()),
        Asked::Append(sound()),
        Asked::Sync(sound()),
        Asked::SyncFolder(folder.clone()),
        Asked::Committed,
    ];
    let first = asked(first.to_vec()).chain(asked(session().to_vec())).chain([durable(3, 3)]);
    assert_eq!(taken(&log), first.collect::<Vec<_>>());

    // Sound alone leaves the session file as it is.
    writer.append(ONE, packets(3..5));
    rig.round().await;
    let more = [Asked::Append(sound()), Asked::Sync(sound()), Asked::Committed];
    assert_eq!(taken(&log), asked(more.to_vec()).chain([durable(5, 2)]).collect::<Vec<_>>());

    // A state alone leaves the sound as it is.
    writer.state(State::Grace);
    rig.round().await;
    let more = asked(vec![Asked::Committed]).chain(asked(session().to_vec()));
    assert_eq!(taken(&log), more.collect::<Vec<_>>());

    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let more = [Asked::Append(sound()), Asked::Sync(sound()), Asked::Committed];
    let more = asked(more.to_vec()).chain(asked(session().to_vec())).chain([Seen::Told(Event::Ended)]);
    assert_eq!(taken(&log), more.collect::<Vec<_>>());
    rig.round().await;
    assert_eq!(taken(&log), []);
}

#[tokio::test]
async fn a_spool_goes_only_after_the_index_says_that_its_part_holds_it() {
    let dir = scratch();
    let log = Log::default();
    let mut rig = Rig::open_on(dir.path(), StandIn::logging(dir.path(), &log)).await.unwrap();
    let writer = begin(&rig, &log);
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    taken(&log);

    writer.spool(ONE, Ticks::from_secs(2), packets(3..5));
    rig.round().await;
    let folder = format!("studio/{}-{}", NOW.to_compact(), id(1));
    let (part, spool) = (|| format!("{folder}/01-ann.ogg"), || format!("{folder}/01-ann.late"));
    let asked = |asked: Vec<Asked>| asked.into_iter().map(Seen::Asked);
    let created = vec![
        Asked::Create(spool()),
        Asked::Append(spool()),
        Asked::Sync(spool()),
        Asked::SyncFolder(folder.clone()),
        Asked::Committed,
    ];
    assert_eq!(taken(&log), asked(created).chain([durable(5, 2)]).collect::<Vec<_>>());

    writer.settle(ONE, None);
    rig.round().await;
    let settled = vec![
        Asked::Append(part()),
        Asked::Sync(part()),
        Asked::Committed,
        Asked::Remove(spool()),
        Asked::SyncFolder(folder.clone()),
    ];
    assert_eq!(taken(&log), asked(settled).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deletion_marks_unlinks_syncs_and_drops_in_this_order() {
    let dir = scratch();
    let log = Log::default();
    let mut rig = Rig::open_on(dir.path(), StandIn::logging(dir.path(), &log)).await.unwrap();
    rig.record(id(1), 3).await;
    taken(&log);
    let archive = rig.archive.clone();
    rig.ask(archive.delete(id(1))).await.unwrap();
    let folder = format!("studio/{}-{}", NOW.to_compact(), id(1));
    let expected = [
        Asked::Committed,
        Asked::Remove(format!("{folder}/01-ann.ogg")),
        Asked::Remove(format!("{folder}/session.json")),
        Asked::RemoveFolder(folder),
        Asked::SyncFolder("studio".to_owned()),
        // The room's last one: its folder goes too.
        Asked::RemoveFolder("studio".to_owned()),
        Asked::SyncFolder(String::new()),
        Asked::Committed,
    ];
    assert_eq!(taken(&log), expected.map(Seen::Asked));
}

#[tokio::test]
async fn a_fault_is_told_once_and_only_to_the_recording_that_it_hit() {
    let dir = scratch();
    let bad = id(1).to_string();
    let store = StandIn::new(dir.path(), move |asked, _| match asked {
        Asked::Append(path) if path.contains(&bad) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let mut rig = Rig::open_on(dir.path(), store).await.unwrap();
    let bad = rig.begin(id(1));
    let told = Told::default();
    let good = {
        let told = told.clone();
        let new = NewRecording { id: id(2), room: "studio".parse().unwrap(), started: NOW };
        rig.archive.begin(new, Box::new(move |event| told.lock().unwrap().push(event)))
    };
    for writer in [&bad, &good] {
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..2));
    }
    rig.round().await;
    for writer in [&bad, &good] {
        writer.append(ONE, packets(2..3));
    }
    rig.round().await;
    assert!(
        matches!(&rig.told()[..], [Event::Failed { reason: EndReason::DiskFull, message }] if message.contains("01-ann.ogg"))
    );
    let next = |next, bytes| Event::Durable { track: ONE, next: Sequence::new(next), bytes };
    assert_eq!(*told.lock().unwrap(), [next(2, 178), next(3, 89)]);
    assert!(rig.archive.recording(id(1)).await.unwrap().is_none(), "nothing of it was ever durable");
}

#[tokio::test]
async fn what_the_index_refuses_of_one_recording_does_not_take_the_others_with_it() {
    let dir = scratch();
    drop(Rig::open(dir.path()).await);
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let trigger =
        "CREATE TRIGGER refuse BEFORE INSERT ON tracks WHEN NEW.name = 'Ben' BEGIN SELECT RAISE(ABORT, 'no'); END";
    sqlx::query(trigger).execute(&mut connection).await.unwrap();
    drop(connection);
    let mut rig = Rig::open(dir.path()).await;
    let (bad, good) = (rig.begin(id(1)), rig.begin(id(2)));
    good.begin_part(part(ONE, 1));
    bad.begin_part(part(ONE, 1));
    for writer in [&bad, &good] {
        writer.append(ONE, packets(0..2));
    }
    rig.round().await;
    rig.told();
    bad.begin_part(part(TWO, 1));
    good.append(ONE, packets(2..3));
    rig.round().await;
    rig.round().await;
    assert!(matches!(
        &rig.told()[..],
        [Event::Failed { reason: EndReason::IoError, .. }, Event::Durable { bytes: 89, .. }]
    ));
    let state = async |n| rig.archive.recording(id(n)).await.unwrap().unwrap().summary.state;
    assert_eq!((state(1).await, state(2).await), (State::Ended(EndReason::IoError), State::Live));
}
