//! Power loss: a session of everything, killed here and there, on disks that fail here and there, and the disks that the power
//! going at any moment of it could have left. On each of them every promise holds.
//!
//! `ROOMTONE_DISKS` is how many disks are looked at, `ROOMTONE_SEED` which ones; where a disk is not as it should be, the test
//! says which seed brings it again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use sqlx::ConnectOptions as _;

use crate::archive::Change;
use crate::archive::model::{EndReason, State};

use super::crash::{assert_whole, everything};
use super::disks::{Entry, Failure, Kept, Killed, Ledger, Lie, Model, Mood, Op, Random};
use super::looks::{is_left, sound, track_of};
use super::pcm::{blocks, pcm_part};
use super::*;

/// How many disks are looked at, where nobody says.
const DISKS: usize = 500;
/// How many of them are of one session.
const OF_A_SESSION: usize = 50;

/// What someone who is not the archive was told, or asked for.
#[derive(Clone, Debug)]
pub enum Said {
    /// The writer told something of a recording.
    Event(RecordingId, Event),
    /// Someone asked for a recording to be deleted.
    Deleting(RecordingId),
    /// They were told that it is gone.
    Deleted(RecordingId),
    /// Someone gave a recording a title, and was told that it has it.
    Titled(RecordingId, &'static str),
    /// All is there that is derived from a recording.
    Derived(RecordingId),
}

/// A session on a disk that writes down what it is asked.
pub(super) struct Stage {
    rig: Rig,
    ledger: Ledger,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Opens the archive on what a process that is gone has left.
    /// Nothing where the disk fails at once.
    pub(super) async fn open(ledger: &Ledger, kept: &Kept) -> Option<Self> {
        let folder = scratch();
        kept.write(folder.path());
        let rig = Rig::open_on(folder.path(), ledger.disk(folder.path())).await.ok()?;
        Some(Self { rig, ledger: ledger.clone(), folder })
    }

    pub(super) fn begin(&self, id: RecordingId) -> RecordingWriter {
        let ledger = self.ledger.clone();
        let new = NewRecording { id, room: "studio".parse().unwrap(), started: NOW };
        self.rig.archive.begin(new, Box::new(move |event| ledger.say(Said::Event(id, event))))
    }

    /// A round; then the log of the index is put into it, so that there is less to copy.
    pub(super) async fn round(&mut self) {
        self.rig.round().await;
        self.fold().await;
    }

    async fn fold(&self) {
        let mut connection = index::writing(&self.folder.path().join(names::INDEX)).connect().await.unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
    }

    async fn derive(&mut self, id: RecordingId) {
        let mut maker = self.rig.maker(self.folder.path(), self.ledger.disk(self.folder.path()));
        if self.rig.ask(maker.visit(id)).await.is_ok() {
            self.ledger.say(Said::Derived(id));
        }
    }

    async fn title(&mut self, id: RecordingId, title: &'static str) {
        let archive = self.rig.archive.clone();
        let change = Change { title: Some(Some(title.to_owned())), ..Change::default() };
        if self.rig.ask(archive.change(id, change)).await.is_ok() {
            self.ledger.say(Said::Titled(id, title));
        }
    }

    async fn delete(&mut self, id: RecordingId) {
        let archive = self.rig.archive.clone();
        self.ledger.say(Said::Deleting(id));
        if self.rig.ask(archive.delete(id)).await.is_ok() {
            self.ledger.say(Said::Deleted(id));
        }
    }

    /// Records three sessions, one of everything, in each other's time; renames and deletes, and derives so many times, which
    /// takes the longest.
    async fn play(&mut self, derives: usize) {
        let millis = Ticks::from_millis;
        let (one, two, three) = (self.begin(id(1)), self.begin(id(2)), self.begin(id(3)));
        two.begin_part(part(ONE, 1));
        two.append(ONE, packets(0..3));
        everything(&mut self.rig, one).await;
        self.fold().await;
        if derives > 0 {
            self.derive(id(1)).await;
        }
        // More than a page, and more than a few blocks.
        two.append(ONE, packets(3..150));
        two.begin_part(pcm_part(TWO, 1));
        two.append(TWO, blocks(0..40));
        three.begin_part(pcm_part(ONE, 1));
        three.append(ONE, blocks(0..3));
        self.round().await;
        self.title(id(1), "Once").await;
        two.spool(ONE, millis(1500), packets(150..220));
        two.spool(TWO, millis(1500), blocks(40..60));
        two.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(5000) }, ..part(THREE, 1) });
        two.append(THREE, packets(0..1));
        three.append(ONE, blocks(3..4));
        self.round().await;
        if derives > 1 {
            self.derive(id(1)).await;
        }
        two.settle(ONE, None);
        two.append(ONE, packets(220..300));
        two.settle(TWO, Some(gap(millis(800), millis(1500), GapCause::Pause)));
        two.append(THREE, packets(1..60));
        self.round().await;
        self.delete(id(1)).await;
        three.end(EndReason::Stopped, UnixMillis::new(NOW.get() + 80));
        two.spool(ONE, millis(1200), packets(300..305));
        two.end_part(THREE);
        self.round().await;
        self.title(id(3), "Twice").await;
        two.spool(ONE, millis(1200), packets(305..310));
        two.append(TWO, blocks(60..75));
        self.round().await;
        two.append(ONE, packets(310..320));
        self.round().await;
    }

    /// Goes on after a start: the room has another session, and what was there is derived from and goes.
    async fn go_on(&mut self) {
        let four = self.begin(id(4));
        four.begin_part(part(ONE, 1));
        four.append(ONE, packets(0..20));
        self.round().await;
        for id in [id(3), id(1)] {
            if self.rig.archive.recording(id).await.unwrap().is_some() {
                self.derive(id).await;
                self.delete(id).await;
            }
        }
        four.append(ONE, packets(20..40));
        four.end(EndReason::Finished, UnixMillis::new(NOW.get() + 800));
        self.round().await;
    }
}

/// Runs something until it is done or killed.
pub(super) async fn survives(run: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(run).catch_unwind().await
        && !panic.is::<Killed>()
    {
        resume_unwind(panic);
    }
}

/// What happened in a session, which may have been killed, and in the one after it; and whether the disk failed.
async fn session(random: &mut Random, lies: Option<Lie>) -> (Vec<Entry>, bool) {
    let ledger = Ledger::default();
    ledger.lie(lies);
    // About as many things as the disk does in each; some live to the end, and some disks do not fail.
    ledger.kill_after((random.one_of(3) > 0).then(|| random.one_of(450)));
    let failures = [failures(random, 450), failures(random, 150)];
    let failing = failures.iter().any(|some| !some.is_empty());
    let [before, after] = failures;
    ledger.fail(before);
    let derives = random.one_of(4).saturating_sub(1);
    survives(async {
        if let Some(mut stage) = Stage::open(&ledger, &Kept::default()).await {
            stage.play(derives).await;
        }
    })
    .await;
    // A process that is killed leaves all that it wrote.
    let mut model = Model::new(&Kept::default());
    ledger.entries().iter().for_each(|entry| model.enter(entry));
    let mut left = model.kept(Mood::Most, random);
    left.killed = true;
    ledger.kill_after((random.one_of(3) > 0).then(|| random.one_of(150)));
    ledger.fail(after);
    survives(async {
        if let Some(mut stage) = Stage::open(&ledger, &left).await {
            stage.go_on().await;
        }
    })
    .await;
    (ledger.entries(), failing)
}

/// When a disk fails that does about so many things, and how (EIO, ENOSPC).
fn failures(random: &mut Random, most: usize) -> Vec<Failure> {
    let count = random.one_of(6).saturating_sub(2);
    let one = |_| {
        let of_syncs = random.one_of(2) == 0;
        let left = random.one_of(if of_syncs { most / 4 } else { most });
        Failure { left, of_syncs, error: [5, 5, 28][random.one_of(3)] }
    };
    (0..count).map(one).collect()
}

/// What was promised by some moment.
#[derive(Clone, Default)]
pub(super) struct Promised {
    /// For each track of a recording, the number behind the packets that are durable.
    pub(super) durable: HashMap<(RecordingId, TrackNumber), u64>,
    pub(super) ended: HashSet<RecordingId>,
    pub(super) deleting: HashSet<RecordingId>,
    pub(super) deleted: HashSet<RecordingId>,
    /// The last title, and that which the recording may have by now.
    pub(super) titles: HashMap<RecordingId, &'static str>,
    pub(super) derived: HashSet<RecordingId>,
    /// Whether the disk failed: what it did not remove then stays where it is, until a check.
    pub(super) failing: bool,
}

impl Promised {
    pub(super) fn hear(&mut self, said: &Said) {
        match said {
            Said::Event(id, Event::Durable { track, next, .. }) => {
                self.durable.insert((*id, *track), next.get());
            }
            Said::Event(id, Event::Ended) => drop(self.ended.insert(*id)),
            Said::Event(_, Event::Failed { .. }) => {}
            Said::Deleting(id) => drop(self.deleting.insert(*id)),
            Said::Deleted(id) => drop(self.deleted.insert(*id)),
            Said::Titled(id, title) => drop(self.titles.insert(*id, title)),
            Said::Derived(id) => drop(self.derived.insert(*id)),
        }
    }
}

/// The moment that the power goes, and which disk it leaves.
struct Moment {
    seed: u64,
    entries: usize,
    at: usize,
    mood: Mood,
    starts: usize,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, entries, at, mood, starts } = self;
        write!(f, "ROOMTONE_SEED={seed}: {at} of {entries}, {mood:?}, power lost in {starts} starts")
    }
}

/// A disk on which the power went at some moment, and what was promised by then.
fn lost(before: &Kept, entries: &[Entry], promised: &mut Promised, random: &mut Random) -> (Kept, usize, Mood) {
    let at = random.one_of(entries.len());
    let mut model = Model::new(before);
    for entry in &entries[..at] {
        model.enter(entry);
        if let Entry::Told(said) = entry {
            promised.hear(said);
        }
    }
    match &entries[at] {
        // It was not over.
        Entry::Asked(Op::Sync(_) | Op::SyncFolder(_)) | Entry::Told(_) => {}
        under_way @ Entry::Asked(_) => model.enter(under_way),
        commit @ Entry::Index(_) => {
            if random.one_of(2) == 0 {
                model.enter(commit);
            }
        }
    }
    let mood = Mood::any(random);
    (model.kept(mood, random), at, mood)
}

/// Opens the archive on a disk, and looks whether every promise was kept; gives what start-up did.
pub(super) async fn holds(disk: &Kept, promised: &Promised, at: &str) -> Vec<Entry> {
    let folder = scratch();
    let ledger = Ledger::default();
    disk.write(folder.path());
    let before = sound(folder.path());
    let rig = Rig::open_on(folder.path(), ledger.disk(folder.path())).await;
    let rig = rig.unwrap_or_else(|error| panic!("{at}: {error}"));
    let well = rig.recovered.recordings.iter().all(|one| one.trouble.is_none() && one.damaged == 0);
    assert!(well, "{at}: {:?}", rig.recovered);
    // No file goes whose sound is not in another, but where all of the recording does.
    let after = sound(folder.path());
    for (path, numbers) in before.iter().filter(|(path, _)| !after.contains_key(*path)) {
        let whose = |path: &Path| (path.parent().map(Path::to_owned), track_of(path));
        let there: BTreeSet<_> =
            after.iter().filter(|(other, _)| whose(other) == whose(path)).flat_map(|(_, there)| there).collect();
        let deleted = promised.deleting.iter().any(|id| path.to_string_lossy().contains(&id.to_string()));
        let lost: Vec<_> = numbers.iter().filter(|number| !there.contains(number)).collect();
        assert!(deleted || lost.is_empty(), "{at}: with {} went {lost:?}", path.display());
    }
    let mut found = Vec::new();
    for id in (1..=4).map(id) {
        let folder = folder.path().join(names::folder(&"studio".parse().unwrap(), NOW, id));
        let durable = |track| promised.durable.get(&(id, track)).copied().unwrap_or(0);
        let Some(recording) = rig.archive.recording(id).await.unwrap() else {
            let told = promised.durable.keys().any(|(other, _)| *other == id);
            assert!(promised.deleting.contains(&id) || !told, "{at}: {id} is lost");
            let names = listing(&folder);
            let left = || names.iter().all(|name| names::track_file(name).is_some() && is_left(&folder.join(name)));
            let gone = !folder.exists() || (!promised.deleting.contains(&id) && !names.is_empty() && left());
            assert!(promised.failing || gone, "{at}: {id} is gone, and {:?} is there", listing(&folder));
            continue;
        };
        assert!(!promised.deleted.contains(&id), "{at}: {id} is back");
        match recording.summary.state {
            State::Ended(EndReason::Crashed) => assert!(!promised.ended.contains(&id), "{at}: {id} had ended"),
            State::Ended(_) => {}
            state => panic!("{at}: {id} is {state:?}"),
        }
        if let Some(title) = promised.titles.get(&id) {
            assert_eq!(recording.summary.title.as_deref(), Some(*title), "{at}: {id}");
        }
        assert_whole(&rig, &recording, &folder, durable, &format!("{at}: {id}")).await;
        let files = recording.tracks.iter().flat_map(|track| track.parts.iter().map(|part| part.file.as_str()));
        let named: Vec<_> = files.chain(["derived", "session.json"]).collect();
        let stray = |name: &String| !named.contains(&name.as_str());
        let strays = listing(&folder).into_iter().filter(stray);
        let strays: Vec<_> = strays.filter(|name| !is_left(&folder.join(name))).collect();
        assert!(promised.failing || strays.is_empty(), "{at}: {id} has {strays:?}");
        // What is derived is there as the index says.
        for file in &recording.derived {
            let bytes =
                std::fs::read(folder.join("derived").join(names::derived(file.what))).map(|all| all.len() as u64);
            // One that is no longer right may have another in its place that the index does not know yet.
            let right = bytes.as_ref().is_ok_and(|bytes| *bytes == file.bytes || file.recipe == 0);
            assert!(right, "{at}: {id}: {file:?} has {bytes:?}");
        }
        let made = recording.derived.len();
        assert!(!promised.derived.contains(&id) || made == 3 + 2 * recording.tracks.len(), "{at}: {id} has {made}");
        found.push(recording);
    }
    let done = ledger.entries();
    drop(rig);
    // Recovered twice is the same.
    let rig = Rig::open(folder.path()).await;
    // But for what is left to a repair.
    assert_eq!(Recovered { unindexed: false, ..rig.recovered.clone() }, Recovered::default(), "{at}");
    for recording in found {
        let again = rig.archive.recording(recording.summary.id).await.unwrap();
        assert_eq!(again, Some(recording), "{at}");
    }
    done
}

/// Looks at some disks of one session; gives how many.
async fn look(seed: u64, disks: usize, lies: Option<Lie>) -> usize {
    let mut random = Random(seed);
    let (session, failing) = session(&mut random, lies).await;
    let mut looked = 0;
    while looked < disks {
        let mut promised = Promised { failing, ..Promised::default() };
        let mut entries = session.clone();
        let (mut disk, at, mood) = lost(&Kept::default(), &entries, &mut promised, &mut random);
        let mut moment = Moment { seed, entries: entries.len(), at, mood, starts: 0 };
        loop {
            looked += 1;
            let said = moment.to_string();
            let held = AssertUnwindSafe(holds(&disk, &promised, &said)).catch_unwind().await;
            let done = held.unwrap_or_else(|panic| {
                let before = entries[..moment.at].iter().skip(moment.at.saturating_sub(20));
                before.for_each(|entry| eprintln!("{entry}"));
                eprintln!("a disk is not as it should be: {said}");
                resume_unwind(panic)
            });
            entries = done;
            // Now and then the power goes again while the hub starts.
            if random.one_of(3) > 0 || entries.is_empty() {
                break;
            }
            (disk, moment.at, moment.mood) = lost(&disk, &entries, &mut promised, &mut random);
            (moment.entries, moment.starts) = (entries.len(), moment.starts + 1);
        }
    }
    looked
}

#[tokio::test]
async fn whatever_a_disk_has_kept_when_the_power_went_every_promise_holds() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let disks = number("ROOMTONE_DISKS").map_or(DISKS, |disks| usize::try_from(disks).unwrap());
    let given = number("ROOMTONE_SEED");
    let mut seed = given.unwrap_or_else(|| RandomState::new().hash_one(disks));
    // Found once: what could be read after a sync that had failed was taken for what the next sync would keep.
    look(16_694_633_262_353_652_801, OF_A_SESSION, None).await;
    let mut looked = 0;
    while looked < disks {
        looked += look(seed, OF_A_SESSION.min(disks - looked), None).await;
        seed = seed.wrapping_add(1);
    }
}

#[tokio::test]
async fn a_disk_that_says_it_has_synced_what_it_has_not_is_found_out() {
    for lie in Lie::ALL {
        let mut found_out = false;
        for seed in 0..20 {
            found_out = AssertUnwindSafe(look(seed, OF_A_SESSION, Some(lie))).catch_unwind().await.is_err();
            if found_out {
                break;
            }
        }
        assert!(found_out, "{lie:?}");
    }
}

#[tokio::test]
async fn what_is_derived_is_there_though_who_made_its_folder_was_killed_before_that_was_durable() {
    async fn record(ledger: &Ledger) {
        let mut stage = Stage::open(ledger, &Kept::default()).await.unwrap();
        let writer = stage.begin(id(1));
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..10));
        writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 200));
        stage.round().await;
        stage.derive(id(1)).await;
    }
    // Killed later and later, until the folder is the last thing that there is.
    let mut ledger = Ledger::default();
    for left in 0.. {
        ledger = Ledger::default();
        ledger.kill_after(Some(left));
        survives(record(&ledger)).await;
        let made = |entry: &Entry| matches!(entry, Entry::Asked(Op::CreateFolder(path)) if path.ends_with("derived"));
        if ledger.entries().last().is_some_and(made) {
            break;
        }
    }
    let mut random = Random(0);
    let mut model = Model::new(&Kept::default());
    ledger.entries().iter().for_each(|entry| model.enter(entry));
    ledger.kill_after(None);
    Stage::open(&ledger, &model.kept(Mood::Most, &mut random)).await.unwrap().derive(id(1)).await;
    let (mut model, mut promised) = (Model::new(&Kept::default()), Promised::default());
    for entry in &ledger.entries() {
        model.enter(entry);
        if let Entry::Told(said) = entry {
            promised.hear(said);
        }
    }
    assert!(promised.derived.contains(&id(1)));
    holds(&model.kept(Mood::Least, &mut random), &promised, "").await;
}
