//! What a disk could have kept when the power went.
//!
//! What a sync has made durable is there. Of all else any subset may be: of what was written any block of 512 or 4096 bytes as
//! it was at any time since the sync, whole, each for itself; any length that the file had, or that lies in between; of what
//! was created, renamed and removed each name as it was at any time since its folder was synced. That is more than any file
//! system loses. The index is SQLite's to keep: it is as its last transaction left it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, Index, Op, age, names};

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
    /// Whether the machine ran on, and only the process was killed.
    pub killed: bool,
}

impl Kept {
    /// Puts it into a folder.
    pub fn write(&self, to: &Path) {
        for folder in &self.folders {
            fs::create_dir(to.join(folder)).unwrap();
        }
        for (path, bytes) in &self.files {
            fs::write(to.join(path), bytes).unwrap();
            if !self.killed {
                age(&to.join(path));
            }
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
