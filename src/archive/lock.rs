//! The lock on the folder of all recordings: one process writes.
//!
//! The lock is the operating system's, on an open file, so that a process that falls gives it up. What the file says is
//! only for the sentence that a refusal gives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::foreign;
use crate::media::time::UnixMillis;

/// The name of the file.
pub(super) const FILE: &str = ".lock";

/// What it says begins with this.
const SAYS: &str = "process ";
/// The most that is read of it, in bytes.
const LONGEST: u64 = 200;
/// Whoever only looks whether it is held, holds it for a moment: so it is tried again, so often and after so long.
const TRIES: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(20);

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a child that was just forked holds a copy of it. What cannot be unlocked is
        // free when the process is gone.
        let _ = self.file.unlock();
    }
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum Refused {
    /// Another process holds it; who, as far as it said.
    Held(String),
    /// The file cannot be opened, locked or written, or is none of ours.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of `folder`, and says in it who holds it.
    pub(super) fn take(folder: &Path, pid: u32, now: UnixMillis) -> Result<Self, Refused> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = foreign::open_with(&path, &mut options).map_err(Refused::Io)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(BETWEEN),
                Err(TryLockError::WouldBlock) => return Err(Refused::Held(holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
            }
        }
        let mut file = Self { file };
        file.say(&path, pid, now).map_err(Refused::Io)?;
        Ok(file)
    }

    /// Writes who holds it, unless the file is someone else's.
    fn say(&mut self, path: &Path, pid: u32, now: UnixMillis) -> io::Result<()> {
        let mut said = Vec::new();
        (&mut self.file).take(LONGEST).read_to_end(&mut said)?;
        // A crash of the machine may leave zeros of it.
        if !said.starts_with(SAYS.as_bytes()) && said.iter().any(|&byte| byte != 0) {
            return Err(io::Error::other(format!("{} is a file that is not ours", path.display())));
        }
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{SAYS}{pid} since {}", now.to_rfc3339())
    }
}

/// Who holds the lock of `folder`, if anyone does. Nothing is written.
pub(super) fn held(folder: &Path) -> io::Result<Option<String>> {
    let mut file = match foreign::open(&folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| None),
        Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Who holds the lock, by what stands in the file: one short line, or a holder that has not written it yet.
fn holder(file: &mut File) -> String {
    let mut said = String::new();
    let line = match file.take(LONGEST).read_to_string(&mut said) {
        Ok(_) => said.lines().next().unwrap_or_default().trim(),
        Err(_) => "",
    };
    if line.starts_with(SAYS) { line.to_owned() } else { "another process".to_owned() }
}
