//! A stand-in for the disk that writes down what it is asked, kills who asks, fails and lies, as a test orders it. What a disk
//! could have kept of what was written down when the power went is in `model.rs`.

mod model;

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::archive::store::{Disk, Handle, Store};

pub use self::model::{Kept, Model, Mood, Random};
use super::crash::age;
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

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(Op::Append(path, bytes)) => write!(f, "append {} to {}", bytes.len(), path.display()),
            Self::Asked(Op::Overwrite(path, at, bytes)) => {
                write!(f, "overwrite {} at {at} of {}", bytes.len(), path.display())
            }
            Self::Asked(op) => write!(f, "{op:?}"),
            Self::Index(_) => f.write_str("a transaction"),
            Self::Told(said) => write!(f, "{said:?}"),
        }
    }
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
    /// When it fails.
    fails: Vec<Failure>,
}

/// A disk that fails once.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// How many things more it does before.
    pub left: usize,
    /// Whether only syncs are counted, and fail.
    pub of_syncs: bool,
    /// The system's error.
    pub error: i32,
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

    /// When the disk fails.
    pub fn fail(&self, fails: Vec<Failure>) {
        self.inner.lock().unwrap().fails = fails;
    }

    /// Whether it has failed as often as it was to.
    pub fn has_failed(&self) -> bool {
        self.inner.lock().unwrap().fails.is_empty()
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
        let is_sync = matches!(op, Op::Sync(_) | Op::SyncFolder(_));
        let (mut failed, mut fails) = (None, std::mem::take(&mut inner.fails));
        for failure in fails.iter_mut().filter(|failure| is_sync || !failure.of_syncs) {
            match failure.left.checked_sub(1) {
                Some(left) => failure.left = left,
                None => failed = Some(failure.error),
            }
        }
        if failed.is_some() {
            fails.retain(|failure| failure.left > 0 || (failure.of_syncs && !is_sync));
        }
        inner.fails = fails;
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
