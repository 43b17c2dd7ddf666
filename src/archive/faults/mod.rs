//! A disk that fails where a test says so, in the real program: `--faults FILE` or `ROOMTONE_FAULTS`, which no help names. It is
//! for tests alone: it kills the process, or loses what it is given, when it is told to.
//!
//! What belongs here: the store in front of the disk, and the rules (`plan`). What does not: what a crash or a fault is to be
//! answered with. Without the option there is only the disk.
//!
//! The file is read before each operation, so that faults come and go while the hub runs. One rule a line:
//!
//! ```text
//! OPERATION KIND WHEN ACTION
//! quota BYTES
//! # a remark
//! ```
//!
//! | word | is one of |
//! |---|---|
//! | OPERATION | `create-folder create open append overwrite sync sync-folder truncate rename remove remove-folder list read commit any`; a `commit` is one of the index, which cannot fail here |
//! | KIND | `part spool session derived folder probe other any`, after the file's name (a `rename`'s new one); with `write/`, `recover/`, `delete/` or `maker/` before it, only while that is done |
//! | WHEN | `3`: the third such operation; `3+`: from the third on; `*`: all. Counted from when the file was last changed |
//! | ACTION | `kill`: SIGKILL before it is done; `kill-after`: after; `eio`, `enospc`: it fails so and is not done; `block:10s`, `block:50ms`: it takes so long |
//!
//! Of several rules that an operation meets, the first acts. With a quota, files and folders are refused with `ENOSPC` once the
//! process has written so many bytes (what it removes is free again), and an append that does not fit is written as far as it
//! does: as on a disk that is full.

mod plan;

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

pub(super) use plan::Plan;
use plan::{Action, Operation};

use super::store::{Disk, Handle, Phase, Store};

/// The disk, as it is or with faults; to begin with it is at `phase`.
pub(super) fn store(plan: Option<&Arc<Plan>>, phase: Phase) -> Box<dyn Store> {
    match plan {
        None => Box::new(Disk),
        Some(plan) => Box::new(Faulty { disk: Disk, plan: Arc::clone(plan), phase }),
    }
}

/// The disk behind faults.
struct Faulty {
    disk: Disk,
    plan: Arc<Plan>,
    phase: Phase,
}

impl Faulty {
    /// Does what the disk is asked, or what the plan has in its place.
    fn ask<T>(
        &mut self,
        operation: Operation,
        path: &Path,
        act: impl FnOnce(&mut Disk, &Plan) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.plan.ask(operation, self.phase, path)? {
            None => {}
            Some(Action::Kill) => die(),
            Some(Action::KillAfter) => {
                let _ = act(&mut self.disk, &self.plan);
                die();
            }
            Some(Action::Eio) => return Err(Errno::IO.into()),
            Some(Action::Enospc) => return Err(Errno::NOSPC.into()),
            Some(Action::Block(time)) => std::thread::sleep(time),
        }
        act(&mut self.disk, &self.plan)
    }
}

/// Falls as by `kill -9`.
fn die() -> ! {
    // Where there is no such signal, an end without a word comes near it.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}

/// Where no byte is left, nothing new begins.
fn space(plan: &Plan) -> io::Result<()> {
    if plan.left()? == 0 { Err(Errno::NOSPC.into()) } else { Ok(()) }
}

/// The length of a file; 0 where there is none.
fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

impl Store for Faulty {
    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        self.ask(Operation::CreateFolder, path, |disk, plan| space(plan).and_then(|()| disk.create_folder(path)))
    }

    fn create(&mut self, path: &Path) -> io::Result<Handle> {
        self.ask(Operation::Create, path, |disk, plan| space(plan).and_then(|()| disk.create(path)))
    }

    fn open(&mut self, path: &Path) -> io::Result<Handle> {
        self.ask(Operation::Open, path, |disk, _| disk.open(path))
    }

    fn append(&mut self, handle: &mut Handle, bytes: &[u8]) -> io::Result<()> {
        self.ask(Operation::Append, &handle.path.clone(), |disk, plan| {
            let fit = usize::try_from(plan.write(bytes.len() as u64)?).unwrap_or(bytes.len());
            disk.append(handle, &bytes[..fit])?;
            if fit < bytes.len() { Err(Errno::NOSPC.into()) } else { Ok(()) }
        })
    }

    fn overwrite(&mut self, handle: &mut Handle, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.ask(Operation::Overwrite, &handle.path.clone(), |disk, plan| {
            let grows = at.saturating_add(bytes.len() as u64).saturating_sub(length(&handle.path));
            let fit = plan.write(grows)?;
            if fit < grows {
                plan.free(fit);
                return Err(Errno::NOSPC.into());
            }
            disk.overwrite(handle, at, bytes)
        })
    }

    fn sync(&mut self, handle: &Handle) -> io::Result<()> {
        self.ask(Operation::Sync, &handle.path, |disk, _| disk.sync(handle))
    }

    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        self.ask(Operation::SyncFolder, path, |disk, _| disk.sync_folder(path))
    }

    fn truncate(&mut self, handle: &mut Handle, bytes: u64) -> io::Result<()> {
        self.ask(Operation::Truncate, &handle.path.clone(), |disk, plan| {
            let before = length(&handle.path);
            disk.truncate(handle, bytes)?;
            plan.free(before.saturating_sub(bytes));
            Ok(())
        })
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Operation::Rename, to, |disk, plan| {
            let before = length(to);
            disk.rename(from, to)?;
            plan.free(before);
            Ok(())
        })
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.ask(Operation::Remove, path, |disk, plan| {
            let before = length(path);
            disk.remove(path)?;
            plan.free(before);
            Ok(())
        })
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        self.ask(Operation::RemoveFolder, path, |disk, _| disk.remove_folder(path))
    }

    fn list(&mut self, path: &Path) -> io::Result<Vec<String>> {
        self.ask(Operation::List, path, |disk, _| disk.list(path))
    }

    fn read(&mut self, path: &Path, from: u64) -> io::Result<(Box<dyn Read>, u64)> {
        self.ask(Operation::Read, path, |disk, _| disk.read(path, from))
    }

    fn free(&mut self, path: &Path) -> io::Result<u64> {
        Ok(self.disk.free(path)?.min(self.plan.left()?))
    }

    fn committed(&mut self) {
        // What is committed cannot fail any more.
        let _ = self.ask(Operation::Commit, Path::new(""), |_, _| Ok(()));
    }

    fn phase(&mut self, phase: Phase) {
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(text: &str) -> (tempfile::TempDir, Box<dyn Store>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("faults");
        fs::write(&file, text).unwrap();
        let store = store(Some(&Arc::new(Plan::new(file))), Phase::Write);
        (folder, store)
    }

    #[test]
    fn what_fails_is_not_done_and_says_why() {
        let (folder, mut store) = faulty("create part 1 eio\nappend part 2 enospc\nremove recover/part * eio\n");
        let path = folder.path().join("01-ann.ogg");
        let failed = store.create(&path).expect_err("the first fails");
        assert_eq!(failed.raw_os_error(), Some(Errno::IO.raw_os_error()));
        assert!(!path.exists());
        let mut handle = store.create(&path).unwrap();
        store.append(&mut handle, b"one").unwrap();
        let failed = store.append(&mut handle, b"two").expect_err("the second fails");
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        store.append(&mut handle, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onethree");
        store.phase(Phase::Recover);
        assert!(store.remove(&path).is_err() && path.exists());
        store.phase(Phase::Write);
        assert!(store.remove(&path).is_ok());
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_then_nothing_until_something_goes() {
        let (folder, mut store) = faulty("quota 10");
        let [one, two] = ["01-ann.ogg", "02-ben.wav"].map(|name| folder.path().join(name));
        let mut handle = store.create(&one).unwrap();
        store.append(&mut handle, b"seven 7").unwrap();
        assert_eq!(store.free(folder.path()).unwrap(), 3);
        let failed = store.append(&mut handle, b"seven 7").expect_err("three fit");
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&one).unwrap(), b"seven 7sev");
        assert!(store.create(&two).is_err() && store.create_folder(&two).is_err() && !two.exists());
        store.overwrite(&mut handle, 0, b"SEVEN").unwrap();
        assert!(store.overwrite(&mut handle, 8, b"more").is_err());
        store.truncate(&mut handle, 7).unwrap();
        let mut other = store.create(&two).unwrap();
        store.append(&mut other, b"two").unwrap();
        store.remove(&one).unwrap();
        assert_eq!(store.free(folder.path()).unwrap(), 7);
        store.rename(&two, &one).unwrap();
        assert_eq!(store.free(folder.path()).unwrap(), 7);
    }
}
