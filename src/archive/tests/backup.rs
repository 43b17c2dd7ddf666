//! A backup, with what may come between its snapshot and its files.

use crate::archive::backup::{Backup, BackupError, Copying, backup};
use crate::archive::check::{self, Outcome};
use crate::archive::model::{EndReason, State};

use super::*;

/// A folder of recordings, and one for its copy.
fn folders(dir: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    (dir.path().join("recordings"), dir.path().join("copy"))
}

/// Opens a copy as a hub would, and makes sure that nothing in it is strange.
async fn restored(copy: &Path) -> Rig {
    let rig = Rig::open(copy).await;
    for recording in &rig.recovered.recordings {
        assert_eq!((recording.cut, recording.damaged, recording.trouble.as_deref()), (0, 0, None), "{recording:?}");
    }
    assert!(!rig.recovered.unindexed && rig.recovered.deletions == 0);
    rig
}

/// What `check` finds in a copy that nobody has open: it must be nothing.
async fn agrees(copy: &Path, recordings: u64) {
    let mut found = Vec::new();
    let mut tell = |told: check::Told<'_>| {
        if let check::Told::Found(difference) = told {
            found.push(difference.to_string());
        }
    };
    let outcome = check::check(copy, &mut tell).await.unwrap();
    assert_eq!(outcome, Outcome { recordings, differences: 0, mended: 0 }, "{found:#?}");
}

#[tokio::test]
async fn what_was_durable_when_it_began_is_in_the_copy_and_plays() {
    let dir = scratch();
    let (from, to) = folders(&dir);
    let mut rig = Rig::open(&from).await;
    rig.record(id(1), 5).await;
    let live = rig.begin(id(2));
    live.begin_part(part(ONE, 1));
    live.append(ONE, packets(0..10));
    live.begin_part(part(TWO, 1));
    live.append(TWO, packets(0..3));
    live.spool(TWO, Ticks::from_secs(2), packets(3..8));
    rig.round().await;
    let mut copying = Copying::begin(&from, &to).await.unwrap();
    let copy = copying.snapshot().await.unwrap();
    // It goes on: the part grows, the spool is settled and removed, the first recording is renamed.
    live.append(ONE, packets(10..20));
    live.settle(TWO, None);
    rig.round().await;
    let title = Some(Some("Another".to_owned()));
    let archive = rig.archive.clone();
    let change = crate::archive::Change { title, ..Default::default() };
    rig.ask(archive.change(id(1), change)).await.unwrap();
    let done = copying.fill(copy).await.unwrap().expect("the spool was held");
    assert_eq!((done.recordings, done.damaged), (2, Vec::<PathBuf>::new()));

    let restored = restored(&to).await;
    assert_eq!(restored.recovered.recordings.len(), 1);
    let recording = restored.archive.recording(id(2)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::Crashed));
    let folder = to.join(names::folder(&"studio".parse().unwrap(), NOW, id(2)));
    let heard = |name: &str| hear(&std::fs::read(folder.join(name)).unwrap()).numbers;
    assert_eq!(heard("01-ann.ogg"), (0..10).collect::<Vec<_>>());
    assert_eq!(heard("02-ben.ogg"), (0..8).collect::<Vec<_>>(), "what was in the spool is there");
    let first = restored.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(first.summary.title, None, "it is of one moment");
    restored.close().await;
    agrees(&to, 2).await;
    drop(live);
}

#[tokio::test]
async fn a_spool_that_came_and_went_unseen_means_another_attempt() {
    let dir = scratch();
    let (from, to) = folders(&dir);
    let mut rig = Rig::open(&from).await;
    let live = rig.begin(id(2));
    live.begin_part(part(ONE, 1));
    live.append(ONE, packets(0..3));
    live.spool(ONE, Ticks::from_secs(2), packets(3..8));
    rig.round().await;
    let mut copying = Copying::begin(&from, &to).await.unwrap();
    let copy = copying.snapshot().await.unwrap();
    copying.forget_spools();
    live.settle(ONE, None);
    rig.round().await;
    assert!(copying.fill(copy).await.unwrap().is_none());
    let copy = copying.snapshot().await.unwrap();
    assert_eq!(copying.fill(copy).await.unwrap().map(|done| done.recordings), Some(1));
    let restored = restored(&to).await;
    let heard = hear(&std::fs::read(only_folder(&to).join("01-ann.ogg")).unwrap()).numbers;
    assert_eq!(heard, (0..8).collect::<Vec<_>>());
    restored.close().await;
    drop(live);
}

#[tokio::test]
async fn what_is_deleted_meanwhile_goes_from_the_copy_and_what_is_damaged_is_told() {
    let dir = scratch();
    let (from, to) = folders(&dir);
    let mut rig = Rig::open(&from).await;
    for n in 1..=3 {
        rig.record(id(n), 5).await;
    }
    let mut copying = Copying::begin(&from, &to).await.unwrap();
    let copy = copying.snapshot().await.unwrap();
    let archive = rig.archive.clone();
    rig.ask(archive.delete(id(2))).await.unwrap();
    let lost = from.join(names::folder(&"studio".parse().unwrap(), NOW, id(3))).join("01-ann.ogg");
    std::fs::remove_file(&lost).unwrap();
    let done = copying.fill(copy).await.unwrap().unwrap();
    assert_eq!((done.recordings, done.damaged), (2, vec![lost]));
    let restored = restored(&to).await;
    assert!(restored.archive.recording(id(2)).await.unwrap().is_none());
    assert!(restored.archive.recording(id(1)).await.unwrap().is_some());
    assert_eq!(listing(&to.join("studio")).len(), 2);
    restored.close().await;
}

#[tokio::test]
async fn derived_files_are_copied_where_they_are_those_that_the_index_means() {
    let dir = scratch();
    let (from, to) = folders(&dir);
    let mut rig = Rig::open(&from).await;
    rig.record(id(1), 50).await;
    let mut maker = crate::archive::derived::Maker {
        orders: rig.orders.clone(),
        root: from.clone(),
        readers: rig.archive.readers().clone(),
        commands: rig.commands.downgrade(),
        store: Box::new(Disk),
    };
    rig.ask(maker.visit(id(1))).await.unwrap();
    let derived = only_folder(&from).join(names::DERIVED);
    let made = listing(&derived);
    assert_eq!(made, ["mix.ogg", "session.webm", "track-1.webm", "waveform-1.peaks", "waveform.peaks"]);
    // Another stands in its place by now.
    let other = std::fs::read(derived.join("waveform-1.peaks")).unwrap();
    std::fs::write(derived.join("waveform-1.peaks"), [&other[..], b" "].concat()).unwrap();
    backup(&from, &to).await.unwrap();
    let copied = only_folder(&to).join(names::DERIVED);
    let same: Vec<_> = made.iter().filter(|name| *name != "waveform-1.peaks").cloned().collect();
    assert_eq!(listing(&copied), same);
    for name in &same {
        assert!(std::fs::read(copied.join(name)).unwrap() == std::fs::read(derived.join(name)).unwrap(), "{name}");
    }
    let mut restored = restored(&to).await;
    maker = crate::archive::derived::Maker {
        orders: restored.orders.clone(),
        root: to.clone(),
        readers: restored.archive.readers().clone(),
        commands: restored.commands.downgrade(),
        store: Box::new(Disk),
    };
    restored.ask(maker.visit(id(1))).await.unwrap();
    assert_eq!(listing(&copied), made, "what is missing is made again");
    assert!(std::fs::read(copied.join("waveform-1.peaks")).unwrap() == other);
}

#[tokio::test]
async fn a_copy_needs_recordings_and_a_folder_of_its_own() {
    let dir = scratch();
    let (from, to) = folders(&dir);
    assert!(matches!(backup(&from, &to).await, Err(BackupError::NoIndex { .. })));
    assert!(!to.exists(), "nothing is left behind");
    let rig = Rig::open(&from).await;
    assert!(matches!(backup(&from, &from).await, Err(BackupError::NotEmpty { .. })));
    assert_eq!(backup(&from, &to).await.unwrap(), Backup::default());
    assert!(matches!(backup(&from, &to).await, Err(BackupError::NotEmpty { .. })));
    rig.close().await;
    agrees(&to, 0).await;
}
