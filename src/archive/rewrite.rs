//! What a process that is gone has written, written again: a sync of its may have failed. What it wrote can be read then as if nothing
//! had happened, but the system takes it for written, and no later sync writes it (Linux, as PostgreSQL learned in 2018).
//!
//! What belongs here: whether it was written since the machine started, and writing it again. What does not: which files need it.

use std::fs;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::store::{Handle, Store};

/// How much is in memory at a time.
const STEP: u64 = 256 * 1024;

/// Writes again what can be read between these bytes of a file, so that the next sync makes it durable.
///
/// # Errors
/// Where it cannot be read or written. The file holds then what it held.
pub(super) fn rewrite(store: &mut dyn Store, handle: &mut Handle, bytes: Range<u64>) -> io::Result<()> {
    let mut at = bytes.start;
    let mut step = Vec::new();
    while at < bytes.end {
        let (file, _) = store.read(&handle.path, at)?;
        step.clear();
        file.take(STEP.min(bytes.end - at)).read_to_end(&mut step)?;
        if step.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        store.overwrite(handle, at, &step)?;
        at += step.len() as u64;
    }
    Ok(())
}

/// Makes a file and its name durable, before the index names it: who wrote it may have been killed before that.
///
/// # Errors
/// Where the disk refuses it.
pub(super) fn make_durable(store: &mut dyn Store, path: &Path) -> io::Result<()> {
    let mut handle = store.open(path)?;
    if written_since_boot(path)? {
        let (_, bytes) = store.read(path, 0)?;
        rewrite(store, &mut handle, 0..bytes)?;
    }
    store.sync(&handle)?;
    path.parent().map_or(Ok(()), |folder| store.sync_folder(folder))
}

/// Whether a file was written since the machine started: then it holds all that was written, whoever was killed meanwhile. Where
/// the system does not say when that was, it was not.
pub(super) fn written_since_boot(path: &Path) -> io::Result<bool> {
    let Ok(uptime) = fs::read_to_string("/proc/uptime") else { return Ok(false) };
    let Some(Ok(uptime)) = uptime.split(' ').next().map(str::parse) else { return Ok(false) };
    let (now, modified) = (SystemTime::now(), fs::symlink_metadata(path)?.modified()?);
    let booted = Duration::try_from_secs_f64(uptime).ok().and_then(|uptime| now.checked_sub(uptime));
    Ok(booted.is_some_and(|booted| (booted..=now).contains(&modified)))
}
