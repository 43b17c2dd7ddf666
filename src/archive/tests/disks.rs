//! A stand-in for the disk that writes down what it is asked, and what a disk could have kept of that when the power went.
//!
//! What a sync has made durable is there. Of all else any subset may be: of what was written any block of 512 or 4096 bytes as
//! it was at any time since the sync, whole, each for itself; any length that the file had, or that lies in between; of what was created,
//! renamed and removed each name as it was at any time since its folder was synced. That is more than any file
//! system loses. The index is SQLite's to keep: it is as its last transaction left it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::archive::store::{Disk, Handle, Store};

use super::names;
use super::power::Said;

/// What happened, in order.
#[derive(Clone, Debug)]
pub enum Entry {
    /// The disk was asked for something.
    Asked(Op),
    /// A transaction of the index.
    Index(Arc<Index>),
    /// Someone was told something.
    Told(Said),
}

/// What the disk was asked for, with the path below the folder of all recordings.
#[derive(Clone, Debug)]
pub enum Op {
    CreateFolder(PathBuf),
    Create(PathBuf),
    Append(PathBuf, Arc<[u8]>),
    Overwrite(PathBuf, u64, Arc<[u8]>),
    Sync(PathBuf),
    /// The disk could not: what was written since the last sync it may never write, whatever it says of later ones.
    SyncFailed(PathBuf),
    SyncFolder(PathBuf),
    Truncate(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// SQLite's files: the index, and its log of transactions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Index {
    database: Vec<u8>,
    log: Vec<u8>,
}

/// What is written down, shared by all who write.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    /// SQLite's count of transactions, and more.
    seen: Vec<u8>,
    /// How many more things the disk does before the process is killed; it lives on where there is no such number.
    left: Option<usize>,
    /// What the disk says it has done, and has not.
    lies: Option<Lie>,
    /// How many more things it does before it fails at one, and with which error.
    fails: Vec<(usize, i32)>,
}

/// What a disk may say it has made durable, and has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Parts of this kind: the end of their names.
    Part(&'static str),
    Spools,
    SessionFiles,
    Derived,
    Folders,
}

impl Lie {
    pub const ALL: [Self; 6] =
        [Self::Part(".ogg"), Self::Part(".wav"), Self::Spools, Self::SessionFiles, Self::Derived, Self::Folders];

    fn is(self, op: &Op) -> bool {
        let (Op::Sync(path) | Op::SyncFolder(path)) = op else { return false };
        let name = path.to_string_lossy();
        match self {
            Self::Folders => matches!(op, Op::SyncFolder(_)),
            Self::Part(end) => name.ends_with(end),
            Self::Spools => name.contains(".late"),
            Self::SessionFiles => name.ends_with("session.json.next"),
            Self::Derived => matches!(op, Op::Sync(_)) && name.contains("/derived/"),
        }
    }
}

/// What a process that is killed panics with.
pub struct Killed;

impl Ledger {
    pub fn say(&self, said: Said) {
        self.inner.lock().unwrap().entries.push(Entry::Told(said));
    }

    /// The process is to be killed when the disk has done so many things more.
    pub fn kill_after(&self, left: Option<usize>) {
        self.inner.lock().unwrap().left = left;
    }

    /// The disk fails after so many things more, each time with this error.
    pub fn fail_after(&self, fails: Vec<(usize, i32)>) {
        self.inner.lock().unwrap().fails = fails;
    }

    /// The disk does not do what it says.
    pub fn lie(&self, lies: Option<Lie>) {
        self.inner.lock().unwrap().lies = lies;
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.inner.lock().unwrap().entries.clone()
    }

    /// A disk that writes down what it is asked.
    pub fn disk(&self, root: &Path) -> Box<Recorder> {
        // Another run of SQLite counts anew.
        self.inner.lock().unwrap().seen.clear();
        Box::new(Recorder { root: root.to_owned(), disk: Disk, ledger: self.clone() })
    }

    /// Writes down what the index is by now, where that is news.
    fn look(&self, root: &Path) {
        let mut inner = self.inner.lock().unwrap();
        let beside = |suffix: &str| root.join(format!("{}{suffix}", names::INDEX));
        // The head of what SQLite's connections share: it is another after each transaction (WAL-mode File Format, §2.1).
        let mut seen = vec![0; 48];
        if fs::File::open(beside("-shm")).and_then(|mut file| file.read_exact(&mut seen)).is_err() || seen == inner.seen
        {
            return;
        }
        inner.seen = seen;
        // In this order: what is put into the database meanwhile is in the log before.
        let log = fs::read(beside("-wal")).unwrap_or_default();
        let index = Index { log, database: fs::read(beside("")).unwrap() };
        inner.entries.push(Entry::Index(Arc::new(index)));
    }
}

/// The disk itself, with a ledger.
pub struct Recorder {
    root: PathBuf,
    disk: Disk,
    ledger: Ledger,
}

impl Recorder {
    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).expect("all of it is below the root").to_owned()
    }

    /// Does something, and writes it down where it was done.
    fn done<T>(&mut self, op: Op, act: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        self.next(&op)?;
        let done = act(&mut self.disk)?;
        let mut inner = self.ledger.inner.lock().unwrap();
        if !inner.lies.is_some_and(|lie| lie.is(&op)) {
            inner.entries.push(Entry::Asked(op));
        }
        Ok(done)
    }

    /// Whether the disk does what is next, and whether anyone is left to ask for it.
    fn next(&mut self, op: &Op) -> io::Result<()> {
        self.ledger.look(&self.root);
        let mut inner = self.ledger.inner.lock().unwrap();
        let killed = inner.left == Some(0);
        inner.left = inner.left.map(|left| left.saturating_sub(1));
        let failed = inner.fails.iter().find(|(left, _)| *left == 0).map(|(_, error)| *error);
        inner.fails.retain_mut(|(left, _)| {
            let waits = *left > 0;
            *left = left.saturating_sub(1);
            waits
        });
        if killed {
            drop(inner);
            resume_unwind(Box::new(Killed));
        }
        let Some(error) = failed else { return Ok(()) };
        if let Op::Sync(path) = op {
            inner.entries.push(Entry::Asked(Op::SyncFailed(path.clone())));
        }
        Err(io::Error::from_raw_os_error(error))
    }
}

impl Store for Recorder {
    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        self.done(Op::CreateFolder(self.below(path)), |disk| disk.create_folder(path))
    }

    fn create(&mut self, path: &Path) -> io::Result<Handle> {
        self.done(Op::Create(self.below(path)), |disk| disk.create(path))
    }

    fn open(&mut self, path: &Path) -> io::Result<Handle> {
        self.disk.open(path)
    }

    fn append(&mut self, handle: &mut Handle, bytes: &[u8]) -> io::Result<()> {
        let op = |bytes: &[u8]| Op::Append(self.below(&handle.path), bytes.into());
        let (all, half) = (op(bytes), op(&bytes[..bytes.len() / 2]));
        let appended = self.done(all, |disk| disk.append(handle, bytes));
        if appended.is_err() && handle.path.exists() {
            // It had begun.
            self.disk.append(handle, &bytes[..bytes.len() / 2])?;
            self.ledger.inner.lock().unwrap().entries.push(Entry::Asked(half));
        }
        appended
    }

    fn overwrite(&mut self, handle: &mut Handle, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.done(Op::Overwrite(self.below(&handle.path), at, bytes.into()), |disk| disk.overwrite(handle, at, bytes))
    }

    fn sync(&mut self, handle: &Handle) -> io::Result<()> {
        self.done(Op::Sync(self.below(&handle.path)), |disk| disk.sync(handle))
    }

    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        self.done(Op::SyncFolder(self.below(path)), |disk| disk.sync_folder(path))
    }

    fn truncate(&mut self, handle: &mut Handle, bytes: u64) -> io::Result<()> {
        self.done(Op::Truncate(self.below(&handle.path), bytes), |disk| disk.truncate(handle, bytes))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.done(Op::Rename(self.below(from), self.below(to)), |disk| disk.rename(from, to))
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.done(Op::Remove(self.below(path)), |disk| disk.remove(path))
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        self.done(Op::Remove(self.below(path)), |disk| disk.remove_folder(path))
    }

    fn list(&mut self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn read(&mut self, path: &Path, from: u64) -> io::Result<(Box<dyn Read>, u64)> {
        self.disk.read(path, from)
    }

    fn free(&mut self, path: &Path) -> io::Result<u64> {
        self.disk.free(path)
    }

    fn committed(&mut self) {
        self.ledger.look(&self.root);
    }
}

/// What the files and folders were at each time since they were synced.
#[derive(Debug)]
pub struct Model {
    files: Vec<File>,
    folders: Vec<Folder>,
    index: Option<Arc<Index>>,
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder(usize),
}

#[derive(Debug, Default)]
struct File {
    /// What was there at the last sync.
    synced: Vec<u8>,
    /// What it was after each change since.
    since: Vec<Vec<u8>>,
    /// What was written since the last sync, also one that failed.
    dirty: Vec<Range<usize>>,
    /// What was written before a sync that failed, and not again since: no sync makes it durable.
    stuck: Vec<Range<usize>>,
}

#[derive(Debug, Default)]
struct Folder {
    now: BTreeMap<String, Node>,
    synced: BTreeMap<String, Node>,
    since: BTreeMap<String, Vec<Option<Node>>>,
}

impl Folder {
    fn set(&mut self, name: String, node: Option<Node>) {
        match node {
            Some(node) => drop(self.now.insert(name.clone(), node)),
            None => drop(self.now.remove(&name)),
        }
        self.since.entry(name).or_default().push(node);
    }
}

impl File {
    fn now(&self) -> &Vec<u8> {
        self.since.last().unwrap_or(&self.synced)
    }

    /// Writes something; what lies in between is zeros.
    fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        let mut now = self.now().clone();
        now.resize(now.len().max(end), 0);
        now[at..end].copy_from_slice(bytes);
        self.since.push(now);
        self.stuck = without(&self.stuck, &(at..end));
        self.dirty.push(at..end);
    }

    fn cut(&mut self, bytes: usize) {
        let mut now = self.now().clone();
        now.resize(bytes, 0);
        self.since.push(now);
        self.stuck = without(&self.stuck, &(bytes..usize::MAX));
        self.dirty = without(&self.dirty, &(bytes..usize::MAX));
    }

    fn sync(&mut self) {
        self.dirty.clear();
        if let Some(now) = self.since.pop() {
            self.synced = now;
            self.since.clear();
        }
        for lost in self.stuck.drain(..) {
            self.synced[lost].fill(0xEE);
        }
    }

    fn fail_to_sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.stuck.extend(dirty);
    }
}

/// What of these ranges is not in that one.
fn without(ranges: &[Range<usize>], gone: &Range<usize>) -> Vec<Range<usize>> {
    let parts =
        ranges.iter().flat_map(|range| [range.start..range.end.min(gone.start), range.start.max(gone.end)..range.end]);
    parts.filter(|part| !part.is_empty()).collect()
}

/// What is on a disk: its folders, and what is in its files, below the folder of all recordings.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    folders: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    index: Option<Arc<Index>>,
}

impl Kept {
    /// Puts it into a folder.
    pub fn write(&self, to: &Path) {
        for folder in &self.folders {
            fs::create_dir(to.join(folder)).unwrap();
        }
        for (path, bytes) in &self.files {
            fs::write(to.join(path), bytes).unwrap();
        }
        if let Some(index) = &self.index {
            fs::write(to.join(names::INDEX), &index.database).unwrap();
            fs::write(to.join(format!("{}-wal", names::INDEX)), &index.log).unwrap();
        }
    }
}

/// How much a disk has kept of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Nothing.
    Least,
    /// All.
    Most,
    /// Any of it.
    Any {
        /// The bytes of a block, which is kept whole or not.
        block: usize,
        /// What stands in blocks that nothing was written to.
        rubbish: u8,
    },
}

impl Model {
    /// A disk with all of this on it, durable.
    pub fn new(kept: &Kept) -> Self {
        let mut model = Self { files: Vec::new(), folders: vec![Folder::default()], index: kept.index.clone() };
        for folder in &kept.folders {
            model.apply(&Op::CreateFolder(folder.clone()));
        }
        for (path, bytes) in &kept.files {
            model.apply(&Op::Create(path.clone()));
            model.apply(&Op::Append(path.clone(), bytes.as_slice().into()));
            model.apply(&Op::Sync(path.clone()));
        }
        for folder in kept.folders.iter().map(PathBuf::as_path).chain([Path::new("")]) {
            model.apply(&Op::SyncFolder(folder.to_owned()));
        }
        model
    }

    /// Something happened.
    pub fn enter(&mut self, entry: &Entry) {
        match entry {
            Entry::Asked(op) => self.apply(op),
            Entry::Index(index) => self.index = Some(Arc::clone(index)),
            Entry::Told(_) => {}
        }
    }

    fn folder(&mut self, path: &Path) -> &mut Folder {
        let mut at = 0;
        for name in path {
            let Some(Node::Folder(next)) = self.folders[at].now.get(name.to_str().unwrap()) else { panic!("{path:?}") };
            at = *next;
        }
        &mut self.folders[at]
    }

    /// The folder that something is in, and its name there.
    fn place(&mut self, path: &Path) -> (&mut Folder, String) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (self.folder(path.parent().unwrap()), name)
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let (folder, name) = self.place(path);
        let Some(&Node::File(file)) = folder.now.get(&name) else { panic!("{path:?}") };
        &mut self.files[file]
    }

    fn name(&mut self, path: &Path, node: Option<Node>) {
        let (folder, name) = self.place(path);
        folder.set(name, node);
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::CreateFolder(path) => {
                self.folders.push(Folder::default());
                self.name(path, Some(Node::Folder(self.folders.len() - 1)));
            }
            Op::Create(path) => {
                self.files.push(File::default());
                self.name(path, Some(Node::File(self.files.len() - 1)));
            }
            Op::Append(path, bytes) => {
                let file = self.file(path);
                file.write(file.now().len(), bytes);
            }
            Op::Overwrite(path, at, bytes) => self.file(path).write(usize::try_from(*at).unwrap(), bytes),
            Op::Truncate(path, bytes) => self.file(path).cut(usize::try_from(*bytes).unwrap()),
            Op::Sync(path) => self.file(path).sync(),
            Op::SyncFailed(path) => self.file(path).fail_to_sync(),
            Op::SyncFolder(path) => {
                let folder = self.folder(path);
                folder.synced = folder.now.clone();
                folder.since.clear();
            }
            Op::Rename(from, to) => {
                let (folder, name) = self.place(from);
                let node = folder.now.get(&name).copied();
                folder.set(name, None);
                self.name(to, node);
            }
            Op::Remove(path) => self.name(path, None),
        }
    }

    /// What a disk could have kept.
    pub fn kept(&self, mood: Mood, random: &mut Random) -> Kept {
        let mut kept = Kept { index: self.index.clone(), ..Kept::default() };
        self.keep(0, Path::new(""), mood, random, &mut kept);
        kept
    }

    fn keep(&self, folder: usize, at: &Path, mood: Mood, random: &mut Random, kept: &mut Kept) {
        let folder = &self.folders[folder];
        let mut names: Vec<_> = folder.synced.keys().chain(folder.since.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let since = folder.since.get(name).into_iter().flatten().copied();
            let states: Vec<_> = [folder.synced.get(name).copied()].into_iter().chain(since).collect();
            let path = at.join(name);
            match states[mood.pick(states.len(), random)] {
                None => {}
                Some(Node::Folder(folder)) => {
                    kept.folders.push(path.clone());
                    self.keep(folder, &path, mood, random, kept);
                }
                Some(Node::File(file)) => {
                    kept.files.insert(path, self.files[file].kept(mood, random));
                }
            }
        }
    }
}

impl File {
    fn kept(&self, mood: Mood, random: &mut Random) -> Vec<u8> {
        let states: Vec<_> = [&self.synced].into_iter().chain(&self.since).collect();
        let whole = states[mood.pick(states.len(), random)];
        let Mood::Any { block, rubbish } = mood else { return whole.clone() };
        let lengths = states.iter().map(|state| state.len());
        let (shortest, longest) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
        // A length that it had, or any in between.
        let length = if random.one_of(2) == 0 { whole.len() } else { shortest + random.one_of(longest - shortest + 1) };
        let mut bytes = vec![rubbish; length];
        for at in (0..length).step_by(block) {
            let state = states[mood.pick(states.len(), random)];
            let end = length.min(at + block).min(state.len());
            if at < end {
                bytes[at..end].copy_from_slice(&state[at..end]);
            }
        }
        bytes
    }
}

impl Mood {
    fn pick(self, count: usize, random: &mut Random) -> usize {
        match self {
            Self::Least => 0,
            Self::Most => count - 1,
            Self::Any { .. } => random.one_of(count),
        }
    }

    /// Any of them.
    pub fn any(random: &mut Random) -> Self {
        match random.one_of(6) {
            0 => Self::Least,
            1 => Self::Most,
            _ => Self::Any { block: [512, 4096][random.one_of(2)], rubbish: [0, 0, 0xA5][random.one_of(3)] },
        }
    }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, which is not 0.
    pub fn one_of(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap()
    }
}
