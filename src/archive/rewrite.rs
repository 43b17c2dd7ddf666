//! What a process that is gone has written, written again: a sync of its may have failed. What it wrote can be read then as if nothing
//! had happened, but the system takes it for written, and no later sync writes it (Linux, as PostgreSQL learned in 2018).
//!
//! What belongs here: whether it was written since the machine started, and writing it again. What does not: which files need it.
//!
//! When a file was written is told by the wall's clock, and that may have been set since: a machine without one of its own learns the
//! time some while after it has started. So little hangs on it. What a start takes in is small, and is written again whenever it was
//! written. Only two ask:
//!
//! - A repair, which may put every file of years into a lost index, passes over what seems to be from before the machine started. That is
//!   wrong for what was written in this run of the machine before its clock was set forward; and costs something only where a sync of
//!   that had failed, too, and the power goes before the disk is well.
//! - A start leaves samples to a repair that seem to be from before the machine started, or from a time that is still to come: the disk
//!   may not have them all. Where the clock was set back since, and that time has passed, they are taken in as they are. Nobody was told that
//!   they are durable.

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

/// Makes a file and its name durable, before the index names it: who wrote it may have been killed before that, or after a sync of it
/// failed.
///
/// # Errors
/// Where the disk refuses it.
pub(super) fn make_durable(store: &mut dyn Store, path: &Path) -> io::Result<()> {
    let mut handle = store.open(path)?;
    let (_, bytes) = store.read(path, 0)?;
    rewrite(store, &mut handle, 0..bytes)?;
    make_known_durable(store, &handle)
}

/// The same for one of many, which is written again unless it seems to be from before the machine started: what can be read of that
/// is on the disk.
///
/// # Errors
/// Where the disk refuses it.
pub(super) fn make_one_of_many_durable(store: &mut dyn Store, path: &Path) -> io::Result<()> {
    match written(path)? {
        Written::BeforeBoot => {
            let handle = store.open(path)?;
            make_known_durable(store, &handle)
        }
        Written::SinceBoot | Written::Unknown => make_durable(store, path),
    }
}

fn make_known_durable(store: &mut dyn Store, handle: &Handle) -> io::Result<()> {
    store.sync(handle)?;
    handle.path.parent().map_or(Ok(()), |folder| store.sync_folder(folder))
}

/// When a file was last written, as far as the wall's clock can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Before the machine started.
    BeforeBoot,
    /// Since the machine started: then it holds all that was written, whoever was killed meanwhile.
    SinceBoot,
    /// The system does not say when it started; or the file is from a time that is still to come, so the clock was set back.
    Unknown,
}

/// When a file was written.
pub(super) fn written(path: &Path) -> io::Result<Written> {
    let (now, modified) = (SystemTime::now(), fs::symlink_metadata(path)?.modified()?);
    let booted = || {
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let uptime = uptime.split(' ').next()?.parse().ok()?;
        now.checked_sub(Duration::try_from_secs_f64(uptime).ok()?)
    };
    Ok(match booted() {
        Some(booted) if modified < booted => Written::BeforeBoot,
        Some(_) if modified <= now => Written::SinceBoot,
        _ => Written::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_this_run_of_the_machine_only_where_the_clock_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let at = |modified| {
            file.as_file().set_modified(modified).unwrap();
            written(file.path()).unwrap()
        };
        let now = SystemTime::now();
        assert_eq!(at(now), Written::SinceBoot);
        assert_eq!(at(SystemTime::UNIX_EPOCH), Written::BeforeBoot);
        assert_eq!(at(now + Duration::from_secs(3600)), Written::Unknown);
    }
}
