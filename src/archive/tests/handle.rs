//! The handle on the archive: opening, changing, deleting, and the thread.

use std::fs;
use std::io::Read as _;

use crate::archive::model::{EndReason, State};
use crate::archive::session_file::SessionFile;
use crate::archive::{Change, Changed, Error, ListQuery};

use super::*;

fn options(folder: &Path) -> Options {
    Options { sync_period: Duration::ZERO, ..Options::new(folder.to_owned()) }
}

#[tokio::test]
async fn a_recording_goes_through_the_thread_and_close_frees_the_lock() {
    let dir = scratch();
    let folder = dir.path().join("new").join("recordings");
    let (archive, recovered) = Archive::open(options(&folder), NOW).await.unwrap();
    assert_eq!(recovered, Recovered::default());
    archive.healthy().await.unwrap();
    let (send, mut events) = mpsc::unbounded_channel();
    let new = NewRecording { id: id(1), room: "studio".parse().unwrap(), started: NOW };
    let writer = archive.begin(new, Box::new(move |event| drop(send.send(event))));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..5));
    writer.end(EndReason::Finished, NOW);
    let mut told = 0;
    while let Some(event) = events.recv().await {
        match event {
            Event::Durable { bytes, .. } => told += bytes,
            Event::Ended => break,
            Event::Failed { message, .. } => panic!("{message}"),
        }
    }
    assert_eq!(told, 5 * 89);
    assert_eq!(archive.recording(id(1)).await.unwrap().unwrap().summary.state, State::Ended(EndReason::Finished));
    archive.close().await;
    assert!(matches!(archive.delete(id(1)).await, Err(Error::Closed)));
    let (archive, _) = Archive::open(options(&folder), NOW).await.unwrap();
    assert_eq!(archive.recordings(&ListQuery::default()).await.unwrap().recordings.len(), 1);
    archive.close().await;
}

#[tokio::test]
async fn closing_writes_what_waits_and_leaves_what_has_not_ended_to_the_next_start() {
    let dir = scratch();
    let long = Options { sync_period: Duration::from_secs(3600), ..options(dir.path()) };
    let (archive, _) = Archive::open(long, NOW).await.unwrap();
    let new = NewRecording { id: id(1), room: "studio".parse().unwrap(), started: NOW };
    let writer = archive.begin(new, Box::new(drop));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..5));
    archive.close().await;
    drop(writer);
    let (archive, recovered) = Archive::open(options(dir.path()), NOW).await.unwrap();
    assert_eq!((recovered.recordings[0].id, recovered.recordings[0].length), (id(1), Ticks::from_millis(100)));
    archive.close().await;
}

#[tokio::test]
async fn a_refused_lock_names_its_holder_in_one_sentence() {
    let dir = scratch();
    let _rig = Rig::open(dir.path()).await;
    let refused = Archive::open(options(dir.path()), NOW).await.unwrap_err().to_string();
    let expected = format!(
        "the recordings in {} are held by process {} since 2026-11-22T09:28:00.000Z; one process at a time may write them",
        dir.path().display(),
        std::process::id()
    );
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn an_index_from_a_newer_version_is_refused_and_left_as_it_is() {
    let dir = scratch();
    drop(Rig::open(dir.path()).await);
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let query = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)";
    sqlx::query(query).execute(&mut connection).await.unwrap();
    sqlx::query("CREATE TABLE later (x)").execute(&mut connection).await.unwrap();
    drop(connection);
    let refused = Archive::open(options(dir.path()), NOW).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { .. }), "{refused:?}");
    assert!(refused.to_string().contains("was made by a newer version of roomtone"), "{refused}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_and_an_index_that_is_none_are_each_one_sentence() {
    let dir = scratch();
    fs::write(dir.path().join("file"), "").unwrap();
    let refused = Archive::open(options(&dir.path().join("file/recordings")), NOW).await.unwrap_err();
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused:?}");
    assert!(refused.to_string().contains("file/recordings cannot be written: "), "{refused}");

    fs::write(dir.path().join(names::INDEX), "not a database, but long enough to be taken for one".repeat(100))
        .unwrap();
    let refused = Archive::open(options(dir.path()), NOW).await.unwrap_err();
    assert!(matches!(refused, OpenError::Index { .. }), "{refused:?}");
    assert!(!refused.to_string().contains('\n'), "{refused}");
}

#[tokio::test]
async fn a_change_is_in_the_index_and_in_the_session_file_also_while_live() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..1));
    rig.round().await;
    let archive = rig.archive.clone();
    let titled = Change { title: Some(Some("  The first one ".to_owned())), ..Change::default() };
    let summary = rig.ask(archive.change(id(1), titled)).await.unwrap();
    assert_eq!((summary.title.as_deref(), summary.keep), (Some("The first one"), false));
    let session = || SessionFile::read(&fs::read(only_folder(dir.path()).join("session.json")).unwrap()).unwrap();
    assert_eq!(session().title, summary.title);
    let kept = Change { keep: Some(true), ..Change::default() };
    let summary = rig.ask(archive.change(id(1), kept)).await.unwrap();
    assert_eq!((summary.title.as_deref(), summary.keep), (Some("The first one"), true));
    let untitled = Change { title: Some(Some(" ".to_owned())), ..Change::default() };
    assert_eq!(rig.ask(archive.change(id(1), untitled)).await.unwrap().title, None);
    assert_eq!((session().title, session().keep), (None, true));
    assert!(matches!(rig.ask(archive.change(id(2), Change::default())).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn only_what_has_ended_can_be_deleted_and_who_reads_it_keeps_it() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let archive = rig.archive.clone();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    assert!(matches!(rig.ask(archive.delete(id(1))).await, Err(Error::Live)));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;

    let derived = only_folder(dir.path()).join("derived");
    fs::create_dir(&derived).unwrap();
    fs::write(derived.join("session.webm"), "").unwrap();
    let mut sound = archive.track_sound(id(1), ONE).await.unwrap();
    rig.ask(archive.delete(id(1))).await.unwrap();
    let mut bytes = Vec::new();
    sound.parts[0].file.read_to_end(&mut bytes).unwrap();
    assert_eq!(hear(&bytes).numbers, [0, 1, 2]);
    assert_eq!(listing(&dir.path().join("studio")), Vec::<String>::new());
    assert!(archive.recording(id(1)).await.unwrap().is_none());
    assert!(matches!(archive.track_sound(id(1), ONE).await, Err(Error::NotFound)));
    assert!(matches!(rig.ask(archive.delete(id(1))).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_disk_that_takes_nothing_is_not_healthy() {
    let dir = scratch();
    let store = super::stand_in::StandIn::new(dir.path(), |asked, _| match asked {
        super::stand_in::Asked::Append(path) if path == ".probe" => Err(std::io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let mut rig = Rig::open_on(dir.path(), store).await.unwrap();
    let archive = rig.archive.clone();
    assert!(matches!(rig.ask(archive.healthy()).await, Err(Error::File { .. })));
}

#[tokio::test]
async fn a_recording_is_opened_once_for_all_who_play_it_and_a_live_one_anew() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let at = |millis| Moment::START.after(Duration::from_millis(millis));
    let live = rig.begin(id(1));
    live.begin_part(part(ONE, 1));
    live.append(ONE, packets(0..10));
    rig.record(id(2), 10).await;
    let archive = rig.archive.clone();

    let first = archive.open_recording(id(2), at(0)).await.unwrap();
    let second = archive.open_recording(id(2), at(60_000)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second), "what has ended does not change");
    let live_first = archive.open_recording(id(1), at(0)).await.unwrap();
    assert!(Arc::ptr_eq(&live_first, &archive.open_recording(id(1), at(300)).await.unwrap()));
    live.append(ONE, packets(10..20));
    rig.round().await;
    let grown = archive.open_recording(id(1), at(500)).await.unwrap();
    assert_eq!(grown.recording.summary.length, Ticks::from_millis(400));
    assert_eq!(live_first.recording.summary.length, Ticks::from_millis(200), "who has it open keeps what they know");

    rig.ask(archive.delete(id(2))).await.unwrap();
    assert!(matches!(archive.open_recording(id(2), at(60_000)).await, Err(Error::NotFound)));
    assert!(matches!(archive.open_recording(id(3), at(0)).await, Err(Error::NotFound)));
}

/// What those who watch were told since the last time.
fn changes(watched: &mut broadcast::Receiver<Changed>) -> Vec<Changed> {
    std::iter::from_fn(|| watched.try_recv().ok()).collect()
}

/// The one summary that was told.
fn only(watched: &mut broadcast::Receiver<Changed>) -> crate::archive::model::Summary {
    let told = changes(watched);
    match &told[..] {
        [Changed::Recording(summary)] => (**summary).clone(),
        other => panic!("one recording was to be told, not {other:?}"),
    }
}

#[tokio::test]
async fn those_who_watch_are_told_of_all_but_that_a_recording_grows() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let mut watched = rig.archive.watch();
    let writer = rig.begin(id(1));
    rig.round().await;
    assert_eq!(changes(&mut watched), [], "nothing is in the index before the first part");
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..5));
    rig.round().await;
    let told = only(&mut watched);
    assert_eq!((told.id, told.state, told.people.len()), (id(1), State::Live, 1));
    writer.append(ONE, packets(5..10));
    rig.round().await;
    assert_eq!(changes(&mut watched), []);
    writer.begin_part(part(TWO, 1));
    rig.round().await;
    assert_eq!(only(&mut watched).people.len(), 2);
    writer.state(State::Grace);
    rig.round().await;
    assert_eq!(only(&mut watched).state, State::Grace);
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 60_000));
    rig.round().await;
    let told = only(&mut watched);
    assert_eq!((told.state, told.length), (State::Ended(EndReason::Finished), Ticks::from_millis(200)));

    let archive = rig.archive.clone();
    let title = Some(Some("Morning show".to_owned()));
    let changed = rig.ask(archive.change(id(1), Change { title, ..Change::default() })).await.unwrap();
    assert_eq!(only(&mut watched), changed);
    assert!(rig.ask(archive.delete(id(2))).await.is_err());
    assert_eq!(changes(&mut watched), []);
    rig.ask(archive.delete(id(1))).await.unwrap();
    assert_eq!(changes(&mut watched), [Changed::Deleted(id(1))]);
}
