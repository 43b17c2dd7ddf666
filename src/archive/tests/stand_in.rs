//! A stand-in for the disk: the disk itself, with a log of what reached it in which order, faults to order, and a look at
//! what a crash would leave at every step.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::archive::store::{Disk, Handle, Store};

/// What the disk was asked, with the path below the folder of all recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    CreateFolder(String),
    Create(String),
    Append(String),
    Overwrite(String),
    Sync(String),
    SyncFolder(String),
    Truncate(String),
    Rename(String),
    Remove(String),
    RemoveFolder(String),
    Committed,
}

/// What is known of a file that was created: how much of it a crash cannot take.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Bytes that were there at the last sync.
    pub synced: u64,
    /// Whether its folder was synced since it got its name.
    pub named: bool,
    /// What stood where something was written over it since the last sync, with where that was; the oldest first.
    pub over: Vec<(u64, Vec<u8>)>,
}

/// Called before each thing that the disk is asked; an error is what the disk says instead of doing it.
type Before = Box<dyn FnMut(&Asked, &HashMap<PathBuf, Known>) -> io::Result<()> + Send>;

pub struct StandIn {
    root: PathBuf,
    disk: Disk,
    known: HashMap<PathBuf, Known>,
    before: Before,
    /// Bytes that it says are free, if those are fewer than there are.
    pub free: Arc<AtomicU64>,
}

impl StandIn {
    pub fn new(
        root: &Path,
        before: impl FnMut(&Asked, &HashMap<PathBuf, Known>) -> io::Result<()> + Send + 'static,
    ) -> Box<Self> {
        Box::new(Self {
            root: root.to_owned(),
            disk: Disk,
            known: HashMap::new(),
            before: Box::new(before),
            free: Arc::new(u64::MAX.into()),
        })
    }

    /// One that keeps a log, in which the test may write, too.
    pub fn logging<T: From<Asked> + Send + 'static>(root: &Path, log: &Arc<Mutex<Vec<T>>>) -> Box<Self> {
        let log = log.clone();
        Self::new(root, move |asked, _| {
            log.lock().unwrap().push(asked.clone().into());
            Ok(())
        })
    }

    fn ask(&mut self, asked: fn(String) -> Asked, path: &Path) -> io::Result<()> {
        let path = path.strip_prefix(&self.root).expect("all of it is below the root").display().to_string();
        (self.before)(&asked(path), &self.known)
    }
}

impl Store for StandIn {
    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        self.ask(Asked::CreateFolder, path)?;
        self.disk.create_folder(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<Handle> {
        self.ask(Asked::Create, path)?;
        self.known.insert(path.to_owned(), Known::default());
        self.disk.create(path)
    }

    fn open(&mut self, path: &Path) -> io::Result<Handle> {
        let handle = self.disk.open(path)?;
        let synced = std::fs::metadata(path)?.len();
        self.known.entry(path.to_owned()).or_insert(Known { synced, named: true, over: Vec::new() });
        Ok(handle)
    }

    fn append(&mut self, handle: &mut Handle, bytes: &[u8]) -> io::Result<()> {
        self.ask(Asked::Append, &handle.path)?;
        self.disk.append(handle, bytes)
    }

    fn overwrite(&mut self, handle: &mut Handle, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.ask(Asked::Overwrite, &handle.path)?;
        let there = std::fs::read(&handle.path)?;
        let begin = usize::try_from(at).unwrap().min(there.len());
        let before = there[begin..(begin + bytes.len()).min(there.len())].to_vec();
        self.known.entry(handle.path.clone()).or_default().over.push((at, before));
        self.disk.overwrite(handle, at, bytes)
    }

    fn sync(&mut self, handle: &Handle) -> io::Result<()> {
        self.ask(Asked::Sync, &handle.path)?;
        self.disk.sync(handle)?;
        let known = self.known.entry(handle.path.clone()).or_default();
        known.synced = std::fs::metadata(&handle.path)?.len();
        known.over.clear();
        Ok(())
    }

    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        self.ask(Asked::SyncFolder, path)?;
        self.disk.sync_folder(path)?;
        for (_, known) in self.known.iter_mut().filter(|(file, _)| file.parent() == Some(path)) {
            known.named = true;
        }
        Ok(())
    }

    fn truncate(&mut self, handle: &mut Handle, bytes: u64) -> io::Result<()> {
        self.ask(Asked::Truncate, &handle.path)?;
        let known = self.known.entry(handle.path.clone()).or_default();
        known.synced = known.synced.min(bytes);
        self.disk.truncate(handle, bytes)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Asked::Rename, to)?;
        if let Some(known) = self.known.remove(from) {
            // Where a file had the name, either may be there after a crash; both are whole.
            self.known.insert(to.to_owned(), Known { named: to.exists(), ..known });
        }
        self.disk.rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.ask(Asked::Remove, path)?;
            self.known.remove(path);
        }
        self.disk.remove(path)
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.ask(Asked::RemoveFolder, path)?;
        }
        self.disk.remove_folder(path)
    }

    fn list(&mut self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn read(&mut self, path: &Path, from: u64) -> io::Result<(Box<dyn Read>, u64)> {
        self.disk.read(path, from)
    }

    fn free(&mut self, path: &Path) -> io::Result<u64> {
        Ok(self.disk.free(path)?.min(self.free.load(Ordering::Relaxed)))
    }

    fn committed(&mut self) {
        (self.before)(&Asked::Committed, &self.known).expect("a commit is told, not asked");
    }
}
