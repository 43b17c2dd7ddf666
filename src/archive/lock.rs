//! The lock on the folder of all recordings: one process writes.
//!
//! The lock is the operating system's, on an open file, so that a process that falls gives it up. What the file says is
//! only for the sentence that a refusal gives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::media::time::UnixMillis;

/// The name of the file.
pub(super) const FILE: &str = ".lock";

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
    /// The file cannot be opened, locked or written.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock of `folder`, and says in it who holds it.
    pub(super) fn take(folder: &Path, pid: u32, now: UnixMillis) -> Result<Self, Refused> {
        let path = folder.join(FILE);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let mut file = options.open(path).map_err(Refused::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refused::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "process {pid} since {}", now.to_rfc3339())
        };
        write(&mut file).map_err(Refused::Io)?;
        Ok(Self { file })
    }
}

/// Who holds the lock, by what stands in the file: one short line, or a holder that has not written it yet.
fn holder(file: &mut File) -> String {
    let mut said = String::new();
    let line = match file.take(200).read_to_string(&mut said) {
        Ok(_) => said.lines().next().unwrap_or_default().trim(),
        Err(_) => "",
    };
    if line.starts_with("process ") { line.to_owned() } else { "another process".to_owned() }
}
