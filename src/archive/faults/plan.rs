//! The plan of faults: the rules that a test writes into a file, and what is counted against them.
//!
//! What belongs here: reading the file, telling which rule an operation meets, counting. What does not: the disk. In memory is
//! the file and a counter for each of its lines.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::archive::names;
use crate::archive::store::Phase;

/// What the disk is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    CreateFolder,
    Create,
    Open,
    Append,
    Overwrite,
    Sync,
    SyncFolder,
    Truncate,
    Rename,
    Remove,
    RemoveFolder,
    List,
    Read,
    /// A transaction of the index was committed.
    Commit,
}

/// What of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Part,
    Spool,
    Session,
    Derived,
    Folder,
    Probe,
    Other,
}

/// What happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The process is killed before it is done.
    Kill,
    /// It is done, and then the process is killed.
    KillAfter,
    /// The disk fails (`EIO`).
    Eio,
    /// The disk is full (`ENOSPC`).
    Enospc,
    /// The disk takes so long, and then does it.
    Block(Duration),
}

/// Which of the operations that a rule is for meet it, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Nth(u64),
    From(u64),
}

/// One line; `None` is any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    operation: Option<Operation>,
    phase: Option<Phase>,
    kind: Option<Kind>,
    when: When,
    action: Action,
    seen: u64,
}

/// What stands in the file.
#[derive(Debug, Default)]
struct Read {
    text: String,
    rules: Vec<Rule>,
    quota: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    read: Read,
    /// Bytes that were written, and bytes of files that went, since the process began.
    written: u64,
    removed: u64,
}

/// The plan of a process.
#[derive(Debug)]
pub(in crate::archive) struct Plan {
    file: PathBuf,
    state: Mutex<State>,
}

impl Plan {
    /// The plan in a file. That need not be there yet.
    pub fn new(file: PathBuf) -> Self {
        Self { file, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state by the file as it is now.
    fn now(&self) -> io::Result<MutexGuard<'_, State>> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut state = self.state();
        if state.read.text != text {
            state.read = Read::of(text)?;
        }
        Ok(state)
    }

    /// Counts an operation; says what happens to it, if anything does.
    pub(super) fn ask(&self, operation: Operation, phase: Phase, path: &Path) -> io::Result<Option<Action>> {
        let kind = Kind::of(operation, path);
        let mut state = self.now()?;
        let mut action = None;
        for rule in state.read.rules.iter_mut().filter(|rule| rule.is_for(operation, phase, kind)) {
            rule.seen += 1;
            if action.is_none() && rule.when.holds(rule.seen) {
                action = Some(rule.action);
            }
        }
        drop(state);
        if let Some(action) = action {
            tracing::info!(path = %path.display(), "{operation:?} meets a fault by order: {action:?}");
        }
        Ok(action)
    }

    /// How many bytes may still be written.
    pub fn left(&self) -> io::Result<u64> {
        Ok(self.now()?.left())
    }

    /// Counts as written as many of these bytes as there is space for, and says how many.
    pub fn write(&self, bytes: u64) -> io::Result<u64> {
        let mut state = self.now()?;
        let fit = state.left().min(bytes);
        state.written = state.written.saturating_add(fit);
        Ok(fit)
    }

    /// Counts bytes that are free again.
    pub fn free(&self, bytes: u64) {
        let mut state = self.state();
        state.removed = state.removed.saturating_add(bytes);
    }
}

impl State {
    fn left(&self) -> u64 {
        self.read.quota.map_or(u64::MAX, |quota| quota.saturating_add(self.removed).saturating_sub(self.written))
    }
}

impl Read {
    fn of(text: String) -> io::Result<Self> {
        let (mut rules, mut quota) = (Vec::new(), None);
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let read = match words[..] {
                [] => Some(()),
                [first, ..] if first.starts_with('#') => Some(()),
                ["quota", bytes] => bytes.parse().ok().map(|bytes| quota = Some(bytes)),
                [operation, kind, when, action] => Rule::of(operation, kind, when, action).map(|rule| rules.push(rule)),
                _ => None,
            };
            read.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} is no fault")))?;
        }
        Ok(Self { text, rules, quota })
    }
}

impl Rule {
    fn of(operation: &str, kind: &str, when: &str, action: &str) -> Option<Self> {
        let operation = match operation {
            "any" => None,
            "create-folder" => Some(Operation::CreateFolder),
            "create" => Some(Operation::Create),
            "open" => Some(Operation::Open),
            "append" => Some(Operation::Append),
            "overwrite" => Some(Operation::Overwrite),
            "sync" => Some(Operation::Sync),
            "sync-folder" => Some(Operation::SyncFolder),
            "truncate" => Some(Operation::Truncate),
            "rename" => Some(Operation::Rename),
            "remove" => Some(Operation::Remove),
            "remove-folder" => Some(Operation::RemoveFolder),
            "list" => Some(Operation::List),
            "read" => Some(Operation::Read),
            "commit" => Some(Operation::Commit),
            _ => return None,
        };
        let (phase, kind) = match kind.split_once('/') {
            None => (None, kind),
            Some(("write", kind)) => (Some(Phase::Write), kind),
            Some(("recover", kind)) => (Some(Phase::Recover), kind),
            Some(("delete", kind)) => (Some(Phase::Delete), kind),
            Some(("maker", kind)) => (Some(Phase::Make), kind),
            Some(_) => return None,
        };
        let kind = match kind {
            "any" => None,
            "part" => Some(Kind::Part),
            "spool" => Some(Kind::Spool),
            "session" => Some(Kind::Session),
            "derived" => Some(Kind::Derived),
            "folder" => Some(Kind::Folder),
            "probe" => Some(Kind::Probe),
            "other" => Some(Kind::Other),
            _ => return None,
        };
        let (when, action) = (when.parse().ok()?, action.parse().ok()?);
        Some(Self { operation, phase, kind, when, action, seen: 0 })
    }

    fn is_for(&self, operation: Operation, phase: Phase, kind: Kind) -> bool {
        self.operation.is_none_or(|of| of == operation)
            && self.phase.is_none_or(|of| of == phase)
            && self.kind.is_none_or(|of| of == kind)
    }
}

impl Kind {
    fn of(operation: Operation, path: &Path) -> Self {
        use Operation::{Commit, CreateFolder, List, RemoveFolder, SyncFolder};
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file = name(path).unwrap_or_default();
        match operation {
            CreateFolder | SyncFolder | RemoveFolder | List => Self::Folder,
            Commit => Self::Other,
            _ if file == names::PROBE => Self::Probe,
            _ if file == names::SESSION || file == names::SESSION_NEXT => Self::Session,
            _ if path.parent().and_then(name).as_deref() == Some(names::DERIVED) => Self::Derived,
            _ if file.ends_with(".late") || file.contains(".late.") => Self::Spool,
            _ if file.ends_with(".ogg") || file.ends_with(".wav") => Self::Part,
            _ => Self::Other,
        }
    }
}

impl When {
    const fn holds(self, seen: u64) -> bool {
        match self {
            Self::Nth(nth) => seen == nth,
            Self::From(first) => seen >= first,
        }
    }
}

impl FromStr for When {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.strip_suffix('+') {
            _ if text == "*" => Ok(Self::From(1)),
            Some(first) => first.parse().map(Self::From).map_err(drop),
            None => text.parse().map(Self::Nth).map_err(drop),
        }
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "kill" => Ok(Self::Kill),
            "kill-after" => Ok(Self::KillAfter),
            "eio" => Ok(Self::Eio),
            "enospc" => Ok(Self::Enospc),
            _ => {
                let time = text.strip_prefix("block:").ok_or(())?;
                let (number, unit): (&str, fn(u64) -> Duration) = match time.strip_suffix("ms") {
                    Some(number) => (number, Duration::from_millis),
                    None => (time.strip_suffix('s').ok_or(())?, Duration::from_secs),
                };
                number.parse().map(unit).map(Self::Block).map_err(drop)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> (tempfile::TempDir, Plan) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults");
        fs::write(&file, text).unwrap();
        (folder, Plan::new(file))
    }

    /// What happens to three such operations, one after another.
    fn thrice(plan: &Plan, operation: Operation, phase: Phase, path: &str) -> [Option<Action>; 3] {
        [(); 3].map(|()| plan.ask(operation, phase, Path::new(path)).unwrap())
    }

    #[test]
    fn a_rule_holds_for_its_operation_its_phase_and_its_kind_of_file_and_for_no_other() {
        use Operation::{Append, Commit, Create, CreateFolder, Remove, Rename, Sync};
        use Phase::{Delete, Make, Recover, Write};
        let all = [
            ("append part", Append, Write, "a/01-ann.ogg"),
            ("append part", Append, Recover, "a/01-ann.2.wav"),
            ("append spool", Append, Write, "a/01-ann.late"),
            ("create spool", Create, Write, "a/01-ann.late.2"),
            ("rename session", Rename, Write, "a/session.json"),
            ("create session", Create, Write, "a/session.json.next"),
            ("sync derived", Sync, Make, "a/derived/session.webm.next"),
            ("create-folder folder", CreateFolder, Make, "a/derived"),
            ("create probe", Create, Write, ".probe"),
            ("append other", Append, Write, "anything"),
            ("append recover/part", Append, Recover, "a/01-ann.ogg"),
            ("remove delete/any", Remove, Delete, "a/02-ben.wav"),
            ("any maker/derived", Remove, Make, "a/derived/waveform-1.peaks"),
            ("commit write/any", Commit, Write, ""),
            ("any any", Commit, Delete, ""),
        ];
        for (rule, operation, phase, path) in all {
            let (_folder, plan) = plan(&format!("{rule} * eio"));
            assert_eq!(thrice(&plan, operation, phase, path), [Some(Action::Eio); 3], "{rule}");
        }
        for (rule, operation, phase, path) in [
            ("append part", Sync, Write, "a/01-ann.ogg"),
            ("append part", Append, Write, "a/01-ann.late"),
            ("append recover/part", Append, Write, "a/01-ann.ogg"),
            ("append part", Append, Write, "a/derived/01-ann.ogg"),
            ("create folder", Create, Write, "a/01-ann.ogg"),
        ] {
            let (_folder, plan) = plan(&format!("{rule} * eio"));
            assert_eq!(thrice(&plan, operation, phase, path), [None; 3], "{rule}");
        }
    }

    #[test]
    fn operations_are_counted_from_the_reading_of_a_rule_on() {
        let (_folder, plan) = plan("sync part 2 eio\nappend part 2+ enospc\n");
        let part = |plan: &Plan, operation| thrice(plan, operation, Phase::Write, "01-ann.ogg");
        assert_eq!(part(&plan, Operation::Sync), [None, Some(Action::Eio), None]);
        assert_eq!(part(&plan, Operation::Append), [None, Some(Action::Enospc), Some(Action::Enospc)]);
        fs::write(&plan.file, "# again\nsync part 2 eio").unwrap();
        assert_eq!(part(&plan, Operation::Sync), [None, Some(Action::Eio), None]);
        assert_eq!(part(&plan, Operation::Append), [None; 3]);
        fs::remove_file(&plan.file).unwrap();
        assert_eq!(part(&plan, Operation::Sync), [None; 3]);
    }

    #[test]
    fn every_action_is_read_and_what_is_none_fails_whatever_is_asked() {
        for (text, action) in [
            ("kill", Action::Kill),
            ("kill-after", Action::KillAfter),
            ("block:10s", Action::Block(Duration::from_secs(10))),
            ("block:20ms", Action::Block(Duration::from_millis(20))),
        ] {
            assert_eq!(text.parse(), Ok(action));
        }
        for text in [
            "sync part * burn",
            "sync part x eio",
            "sync what * eio",
            "what part * eio",
            "sync never/part * eio",
            "sync part *",
            "block:10",
            "quota many",
        ] {
            let (_folder, plan) = plan(text);
            let asked = plan.ask(Operation::Read, Phase::Write, Path::new("a"));
            assert_eq!(asked.map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData), "{text}");
        }
    }

    #[test]
    fn a_quota_counts_what_is_written_and_gives_back_what_is_removed() {
        let (_folder, plan) = plan("quota 100");
        assert_eq!((plan.write(70).unwrap(), plan.left().unwrap()), (70, 30));
        assert_eq!((plan.write(70).unwrap(), plan.left().unwrap()), (30, 0));
        plan.free(40);
        assert_eq!(plan.write(50).unwrap(), 40);
        fs::write(&plan.file, "quota 110").unwrap();
        assert_eq!(plan.left().unwrap(), 10);
        fs::write(&plan.file, "").unwrap();
        assert_eq!(plan.write(1000).unwrap(), 1000);
    }
}
