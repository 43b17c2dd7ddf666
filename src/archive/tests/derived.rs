//! What is derived from recordings: made by the maker without its thread, on a disk that a test stands in for.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::atomic::Ordering;

use crate::archive::derived::{Maker, SPARED, Stopped};
use crate::archive::model::{Container, Derived, DerivedFile, EndReason, Words};
use crate::archive::writer::DerivedNews;
use crate::archive::{Change, Error, Found, NotMade};
use crate::container::stream::Demux;
use crate::container::webm;

use super::crash::{Copies, copying};
use super::recovery::copy_all;
use super::stand_in::{Asked, StandIn};
use super::*;

/// All that is derived from a recording of Ann and Ben.
const ALL: [Derived; 7] = [
    Derived::Waveform(ONE),
    Derived::Waveform(TWO),
    Derived::Session,
    Derived::Track(ONE, Container::WebM),
    Derived::Track(TWO, Container::WebM),
    Derived::Mix(Container::Ogg),
    Derived::MixWaveform,
];

impl Rig {
    pub(super) fn maker(&self, root: &Path, store: Box<dyn Store>) -> Maker {
        let readers = index::readers(&root.join(names::INDEX));
        let (orders, commands) = (self.orders.clone(), self.commands.downgrade());
        Maker { orders, root: root.to_owned(), readers, commands, store }
    }

    /// Makes what a recording lacks.
    pub(super) async fn derive(&mut self, root: &Path, id: RecordingId) -> Result<(), Stopped> {
        let mut maker = self.maker(root, Box::new(Disk));
        self.ask(maker.visit(id)).await
    }

    /// What the index says is derived, in its order.
    pub(super) async fn derived(&self, id: RecordingId) -> Vec<DerivedFile> {
        self.archive.recording(id).await.unwrap().unwrap().derived
    }

    async fn news(&mut self, id: RecordingId, news: DerivedNews) {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.commands.send(Command::Derived { id, news, reply }).unwrap();
        self.ask(answer).await.unwrap().unwrap();
    }
}

/// What is said of a recording that nobody has named or marked.
const NO_WORDS: Words = Words { title: None, markers: Vec::new() };

/// Records Ann in two parts that are apart, with a clock that drifts, and Ben beside her.
async fn record(folder: &Path) -> Rig {
    record_apart(folder, 90_000).await
}

/// The same, with the second part from so many ms of her track on.
pub(super) async fn record_apart(folder: &Path, apart: u64) -> Rig {
    let mut rig = Rig::open(folder).await;
    let millis = Ticks::from_millis;
    let writer = rig.begin(id(1));
    writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(50) }, ..part(ONE, 1) });
    writer.append(ONE, packets(0..500));
    writer.anchor(ONE, Anchor { track: millis(10_000), session: millis(10_055) });
    writer.end_part(ONE);
    let start = Anchor { track: millis(apart), session: millis(apart + 55) };
    writer.begin_part(NewPart { start, first: Sequence::new(500), ..part(ONE, 2) });
    writer.append(ONE, packets(500..600));
    writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(3000) }, ..part(TWO, 1) });
    writer.append(TWO, packets(0..100));
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 92_000));
    rig.round().await;
    rig
}

/// The files in a recording's folder of derived ones.
pub(super) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = only_folder(root).join("derived");
    listing(&folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// Fails where what the index names is not there as it says.
async fn assert_named_is_there(rig: &Rig, root: &Path, whole: &BTreeMap<String, Vec<u8>>, at: &str) {
    for file in rig.derived(id(1)).await {
        let name = names::derived(file.what);
        let bytes = fs::read(only_folder(root).join("derived").join(&name))
            .unwrap_or_else(|error| panic!("{at}: {name}: {error}"));
        assert!(bytes == whole[&name] && file.bytes == bytes.len() as u64, "{at}: {name}");
    }
}

#[tokio::test]
async fn everything_is_made_once_and_goes_with_its_recording() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let names: Vec<_> = files(dir.path()).into_keys().collect();
    assert_eq!(
        names,
        [
            "mix.ogg",
            "session.webm",
            "track-1.webm",
            "track-2.webm",
            "waveform-1.peaks",
            "waveform-2.peaks",
            "waveform.peaks"
        ]
    );
    let derived = rig.derived(id(1)).await;
    assert_eq!(derived.len(), ALL.len());
    assert!(
        derived.iter().all(|file| ALL.contains(&file.what.of) && file.recipe == file.what.of.recipe() && !file.damaged)
    );
    // There is nothing left to do.
    let log = Arc::default();
    let mut maker = rig.maker(dir.path(), StandIn::logging::<Asked>(dir.path(), &log));
    rig.ask(maker.visit(id(1))).await.unwrap();
    assert_eq!(*log.lock().unwrap(), []);
    for what in ALL {
        let Ok(Found::Made(file)) = rig.archive.derived(id(1), what).await else { panic!("{what:?}") };
        assert!(file.bytes > 0);
    }
    assert!(matches!(
        rig.archive.derived(id(1), Derived::Track(TrackNumber::new(3), Container::WebM)).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(rig.archive.derived(id(2), Derived::Session).await, Err(Error::NotFound)));
    let archive = rig.archive.clone();
    rig.ask(archive.delete(id(1))).await.unwrap();
    assert_eq!(listing(&dir.path().join("studio")), Vec::<String>::new());
    assert!(matches!(archive.derived(id(1), Derived::Session).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn blocks_stand_where_the_sessions_clock_has_their_packets() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let files = files(dir.path());
    // The first of the session's file is the mix.
    let session = only_folder(dir.path()).join("derived/session.webm");
    let arguments =
        ["-v", "error", "-select_streams", "a:1", "-show_entries", "packet=pts_time,size", "-of", "csv=p=0"];
    let told = tool("ffprobe", &arguments, &session).0;
    let packets = told.lines().map(|line| line.split_once(',').unwrap()).filter(|(_, size)| *size != "3");
    let times: Vec<f64> = packets.map(|(time, _)| time.parse().unwrap()).collect();
    assert_eq!(times.len(), 600);
    for (number, time) in (0..).zip(times) {
        let on_track = if number < 500 { number * 960 } else { 90_000 * 48 + (number - 500) * 960 };
        let expected = recording.tracks[0].session(Ticks::new(on_track)).as_secs_f64();
        assert!((time - expected).abs() <= 0.001, "{number} at {time}, {expected} expected");
    }
    for (name, zero) in [("track-1.webm", Ticks::from_millis(50).saturating_add(Ticks::new(312)))] {
        let mut demuxer = webm::Demuxer::new();
        demuxer.push(&files[name]);
        let mut packets = Vec::new();
        let mut silence = 0;
        while let Some(event) = demuxer.pull().unwrap() {
            if let webm::Event::Packet(packet) = event {
                if packet.data.len() == 3 {
                    silence += packet.duration.get();
                    continue;
                }
                packets.push((u64::from_be_bytes(packet.data[1..9].try_into().unwrap()), packet.time));
            }
        }
        assert_eq!(packets.len(), 600);
        // Between the parts there is silence, so that no player runs past it.
        assert_eq!(Ticks::new(silence), Ticks::from_millis(80_000));
        for (at, (number, time)) in packets.into_iter().enumerate() {
            assert_eq!(number, at as u64);
            let on_track = if number < 500 { number * 960 } else { 90_000 * 48 + (number - 500) * 960 };
            let sound = recording.tracks[0].session(Ticks::new(on_track));
            let expected = sound.saturating_add(Ticks::new(312)).saturating_sub(zero);
            assert!(time.signed_since(expected).abs() <= 24, "{name}: {number} at {time}, {expected} expected");
        }
        // The drift is in it: 5 ms over 10 s.
        assert_eq!(recording.tracks[0].session(Ticks::from_secs(10)), Ticks::from_millis(10_055));
        let folder = only_folder(dir.path()).join("derived");
        assert_eq!(tool("ffprobe", &["-v", "warning"], &folder.join(name)).1, "");
    }
}

#[tokio::test]
async fn a_crash_at_any_step_of_the_making_leaves_nothing_half_and_names_nothing_that_is_not_there() {
    let (whole, before) = (scratch(), scratch());
    // Nobody touches the index any more when it is copied.
    record_apart(whole.path(), 11_000).await.close().await;
    copy_all(whole.path(), before.path());
    let mut rig = Rig::open(whole.path()).await;
    rig.derive(whole.path(), id(1)).await.unwrap();
    let whole = files(whole.path());

    let to = scratch();
    let root = before.path();
    let (copies, told): (Arc<Mutex<Copies>>, _) = (Arc::default(), Told::default());
    // Each has a mix made once more, so not at every step; those of a file are no multiple of five.
    let store = copying(root, to.path(), (0, 5), &copies, &told);
    let mut rig = Rig::open_on(root, copying(root, to.path(), (0, 5), &copies, &told)).await.unwrap();
    let mut maker = rig.maker(root, store);
    rig.ask(maker.visit(id(1))).await.unwrap();
    // What was committed last, on a disk that knows what was synced.
    maker.store.sync_folder(root).unwrap();
    let copies = std::mem::take(&mut *copies.lock().unwrap());
    assert!(copies.steps > 30, "{}", copies.steps);
    for left in &copies.left {
        let at = format!("{:?} at step {}", left.crash, left.step);
        let mut rig = Rig::open(&left.folder).await;
        assert_named_is_there(&rig, &left.folder, &whole, &at).await;
        rig.derive(&left.folder, id(1)).await.unwrap();
        assert_named_is_there(&rig, &left.folder, &whole, &at).await;
        assert_eq!(files(&left.folder), whole, "{at}");
        assert_eq!(rig.derived(id(1)).await.len(), ALL.len(), "{at}");
    }
}

#[tokio::test]
async fn what_is_missing_or_not_as_it_was_or_of_an_older_recipe_is_made_again() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let whole = files(dir.path());
    let folder = only_folder(dir.path()).join("derived");
    fs::remove_file(folder.join("session.webm")).unwrap();
    fs::write(folder.join("waveform-1.peaks"), "{}").unwrap();
    fs::write(folder.join("track-1.webm.next"), "half").unwrap();
    // Who asks is told to wait, and what is not there any more goes first.
    assert!(matches!(rig.archive.derived(id(1), Derived::Session).await, Ok(Found::Making(_))));
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert_eq!(files(dir.path()), whole);

    let older = DerivedFile { what: Derived::Session.into(), recipe: 0, bytes: 3, crc: None, damaged: false };
    fs::write(folder.join("session.webm"), "old").unwrap();
    rig.news(id(1), DerivedNews::Made(older, NO_WORDS)).await;
    rig.news(id(1), DerivedNews::All(1, NO_WORDS)).await;
    // The older one is served until the newer is there.
    let Ok(Found::Made(file)) = rig.archive.derived(id(1), Derived::Session).await else { panic!() };
    assert_eq!(file.bytes, 3);
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert_eq!(files(dir.path()), whole);
    assert!(rig.derived(id(1)).await.iter().all(|file| file.recipe == file.what.of.recipe()));
}

#[tokio::test]
async fn another_title_is_another_file_even_where_it_came_while_that_was_made() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let untitled = files(dir.path());
    let archive = rig.archive.clone();
    let made = rig.derived(id(1)).await;
    let titled = Change { title: Some(Some("A talk".to_owned())), ..Change::default() };
    rig.ask(archive.change(id(1), titled)).await.unwrap();
    let has_words = |file: &DerivedFile| !file.what.to_string().ends_with(".peaks");
    assert!(rig.derived(id(1)).await.iter().all(|file| (file.recipe == 0) == has_words(file)));
    // The maker was at it meanwhile, with the title of before.
    for file in made {
        rig.news(id(1), DerivedNews::Made(file, NO_WORDS)).await;
        let there = rig.derived(id(1)).await.into_iter().find(|one| one.what == file.what).unwrap();
        assert_eq!(there.recipe == 0, has_words(&file), "{}", file.what);
    }
    rig.news(id(1), DerivedNews::All(99, NO_WORDS)).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let titled = files(dir.path());
    let has_title = |file: &[u8]| file.windows(6).any(|bytes| bytes == b"A talk");
    assert!(has_title(&titled["session.webm"]) && has_title(&titled["track-2.webm"]));
    assert!(!has_title(&untitled["session.webm"]));
    // Whether it is kept stands in none of them.
    rig.ask(archive.change(id(1), Change { keep: Some(true), ..Change::default() })).await.unwrap();
    assert!(rig.derived(id(1)).await.iter().all(|file| file.recipe == file.what.of.recipe()));
}

#[tokio::test]
async fn damage_costs_what_it_hit_and_is_told() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    let folder = only_folder(dir.path());
    rig.derive(dir.path(), id(1)).await.unwrap();
    let whole = files(dir.path());
    let mut part = fs::read(folder.join("01-ann.ogg")).unwrap();
    let middle = part.len() / 2;
    part[middle] ^= 1;
    fs::write(folder.join("01-ann.ogg"), &part).unwrap();
    fs::remove_file(folder.join("02-ben.ogg")).unwrap();
    fs::remove_dir_all(folder.join("derived")).unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    let derived = rig.derived(id(1)).await;
    assert_eq!(derived.len(), ALL.len());
    assert!(derived.iter().all(|file| file.damaged));
    let damaged = files(dir.path());
    // Of Ann at most the page, which is a second, is missing; of Ben all.
    let (before, after) = (whole["track-1.webm"].len(), damaged["track-1.webm"].len());
    assert!(after < before && after > before - 51 * 100, "{after} of {before}");
    assert_eq!(damaged["waveform-2.peaks"].len(), 32, "nothing but the header");
    for name in ["session.webm", "track-1.webm", "track-2.webm"] {
        assert_eq!(tool("ffprobe", &["-v", "warning"], &folder.join("derived").join(name)).1, "", "{name}");
    }
    assert_eq!(fs::read(folder.join("01-ann.ogg")).unwrap(), part, "a recording's own files are only read");
}

#[tokio::test]
async fn a_mix_that_was_damaged_is_made_again_before_anything_is_made_of_it() {
    let dir = scratch();
    let mut rig = record_apart(dir.path(), 11_000).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let whole = files(dir.path());
    let folder = only_folder(dir.path()).join("derived");
    let mut mix = whole["mix.ogg"].clone();
    let middle = mix.len() / 2;
    mix[middle] ^= 1;
    fs::write(folder.join("mix.ogg"), mix).unwrap();
    fs::remove_file(folder.join("session.webm")).unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(files(dir.path()) == whole);
}

#[tokio::test]
async fn who_waits_is_told_why_also_where_nothing_could_be_begun() {
    let dir = scratch();
    let mut rig = record_apart(dir.path(), 11_000).await;
    fs::write(only_folder(dir.path()).join("derived"), "no folder").unwrap();
    let what = Derived::Mix(Container::Wav);
    rig.orders.want(id(1), what.into()).unwrap();
    assert!(matches!(rig.derive(dir.path(), id(1)).await, Err(Stopped::Trouble(_))));
    assert_eq!(rig.orders.want(id(1), what.into()), Err(NotMade::Failed));
}

#[tokio::test]
async fn nobody_takes_a_new_file_for_the_old_one_while_it_takes_its_place() {
    let dir = scratch();
    let mut rig = record_apart(dir.path(), 11_000).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let crc = async |rig: &Rig| {
        let derived = rig.derived(id(1)).await;
        derived.iter().find(|file| file.what == Derived::Session).unwrap().crc
    };
    assert!(crc(&rig).await.is_some());
    let archive = rig.archive.clone();
    let titled = Change { title: Some(Some("A talk".to_owned())), ..Change::default() };
    rig.ask(archive.change(id(1), titled)).await.unwrap();
    // As far as to its new name.
    let store = StandIn::new(dir.path(), |asked, _| match asked {
        Asked::Rename(path) if path.ends_with("session.webm") => Err(io::ErrorKind::Other.into()),
        _ => Ok(()),
    });
    let mut maker = rig.maker(dir.path(), store);
    assert!(rig.ask(maker.visit(id(1))).await.is_err());
    assert_eq!(crc(&rig).await, None);
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(crc(&rig).await.is_some());
}

#[tokio::test]
async fn a_deletion_that_fails_leaves_what_was_to_be_made() {
    let dir = scratch();
    let mut rig = record_apart(dir.path(), 11_000).await;
    rig.archive.derived(id(1), Derived::Session).await.unwrap();
    let archive = rig.archive.clone();
    rig.ask(archive.change(id(1), Change { keep: Some(true), ..Change::default() })).await.unwrap();
    let expiry = crate::archive::retention::Expiry { reason: crate::archive::Reason::MaxDays, at: NOW };
    assert!(matches!(rig.ask(archive.delete_by(id(1), Some(expiry))).await, Err(Error::Kept)));
    assert!(rig.orders.waits_for(id(1), Derived::Session));
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_left_to_recordings() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    let store = StandIn::new(dir.path(), |_, _| Ok(()));
    let free = store.free.clone();
    // The peaks fit and what is short, all tracks in one do not.
    free.store(SPARED + 45_000, Ordering::Relaxed);
    let mut maker = rig.maker(dir.path(), store);
    assert!(matches!(rig.ask(maker.visit(id(1))).await, Err(Stopped::Full { .. })));
    let told = rig.archive.derived(id(1), Derived::Session).await;
    assert!(matches!(told, Err(Error::NotMade(NotMade::Full { .. }))), "{told:?}");
    let there: Vec<_> = files(dir.path()).into_keys().collect();
    assert_eq!(there, ["track-2.webm", "waveform-1.peaks", "waveform-2.peaks", "waveform.peaks"]);
    // It fills up while a file is made: that is given up halfway.
    let free = Arc::new(std::sync::OnceLock::<Arc<std::sync::atomic::AtomicU64>>::new());
    let fills = free.clone();
    let store = StandIn::new(dir.path(), move |asked, _| {
        if matches!(asked, Asked::Append(path) if path.contains("derived")) {
            fills.get().expect("a disk").store(SPARED - 1, Ordering::Relaxed);
        }
        Ok(())
    });
    let free = free.get_or_init(|| store.free.clone()).clone();
    maker.store = store;
    assert!(matches!(rig.ask(maker.visit(id(1))).await, Err(Stopped::Full { .. })));
    assert_eq!(files(dir.path()).into_keys().collect::<Vec<_>>(), there);
    free.store(u64::MAX, Ordering::Relaxed);
    maker.store = Box::new(Disk);
    rig.ask(maker.visit(id(1))).await.unwrap();
    assert_eq!(files(dir.path()).len(), ALL.len());
}

#[tokio::test]
async fn a_disk_that_fails_while_a_file_is_made_keeps_nothing_of_it() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for bad in ["append", "sync", "rename"] {
            let dir = scratch();
            let mut rig = record_apart(dir.path(), 11_000).await;
            let store = StandIn::new(dir.path(), move |asked, _| {
                let hit = |path: &str, what| path.contains("session.webm") && bad == what;
                match asked {
                    Asked::Append(path) if hit(path, "append") => Err(kind.into()),
                    Asked::Sync(path) if hit(path, "sync") => Err(kind.into()),
                    Asked::Rename(path) if hit(path, "rename") => Err(kind.into()),
                    _ => Ok(()),
                }
            });
            let mut maker = rig.maker(dir.path(), store);
            assert!(matches!(rig.ask(maker.visit(id(1))).await, Err(Stopped::Trouble(_))));
            let there: Vec<_> = files(dir.path()).into_keys().collect();
            assert_eq!(
                there,
                ["mix.ogg", "track-1.webm", "track-2.webm", "waveform-1.peaks", "waveform-2.peaks", "waveform.peaks"],
                "{bad}"
            );
            assert_eq!(rig.derived(id(1)).await.len(), 6);
            rig.derive(dir.path(), id(1)).await.unwrap();
            assert_eq!(files(dir.path()).len(), ALL.len());
        }
    }
}

#[tokio::test]
async fn nothing_is_derived_from_a_recording_that_has_not_ended() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..5));
    rig.round().await;
    assert!(matches!(rig.archive.derived(id(1), Derived::Session).await, Err(Error::Live)));
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(!only_folder(dir.path()).join("derived").exists());
    drop(rig);
    drop(writer);
    // Start-up ends it, and then there is something to make; of a part that grew in between, too.
    let mut rig = Rig::open(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert_eq!(rig.derived(id(1)).await.len(), 5);
}

#[tokio::test]
async fn the_thread_makes_what_was_left_over_and_lets_go_of_what_is_deleted() {
    let dir = scratch();
    drop(record(dir.path()).await);
    let options = Options { sync_period: Duration::ZERO, ..Options::new(dir.path().to_owned()) };
    let (archive, _) = Archive::open(options, NOW).await.unwrap();
    // Nobody asks; the maker looks for itself.
    let until = async |wanted: usize| {
        while archive.recording(id(1)).await.unwrap().unwrap().derived.len() < wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), until(ALL.len())).await.expect("all of it is made");
    fs::remove_dir_all(only_folder(dir.path()).join("derived")).unwrap();
    assert!(matches!(archive.derived(id(1), Derived::Session).await, Ok(Found::Making(_))));
    archive.delete(id(1)).await.unwrap();
    assert_eq!(listing(&dir.path().join("studio")), Vec::<String>::new());
    archive.close().await;
    // The lock is free: the thread has gone.
    drop(Rig::open(dir.path()).await);
}
