//! A disk that fills and empties as a test wants: a small tmpfs where mounting is allowed, else a quota in the hub's store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::helpers::Hub;

const MIB: u64 = 1024 * 1024;
/// The size of the tmpfs.
const SIZE: u64 = 64 * MIB;

pub struct Small {
    pub folder: Arc<TempDir>,
    kind: Kind,
}

enum Kind {
    Tmpfs { recordings: PathBuf },
    Quota { faults: PathBuf },
}

impl Small {
    /// A disk with room.
    pub fn new() -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let recordings = folder.path().join("recordings");
        fs::create_dir(&recordings).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"]).arg(&recordings);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Self { folder, kind: Kind::Tmpfs { recordings } };
        }
        Self::by_quota_in(folder)
    }

    /// A disk with room, of which the index takes nothing: with none left, that goes on.
    pub fn by_quota() -> Self {
        Self::by_quota_in(Arc::new(TempDir::new().unwrap()))
    }

    fn by_quota_in(folder: Arc<TempDir>) -> Self {
        let faults = folder.path().join("faults");
        fs::write(&faults, "").unwrap();
        Self { folder, kind: Kind::Quota { faults } }
    }

    /// Whether the index, too, finds no room where it is full.
    pub fn is_real(&self) -> bool {
        matches!(self.kind, Kind::Tmpfs { .. })
    }

    /// A hub whose recordings are on it.
    pub fn hub(&self) -> Hub {
        match &self.kind {
            Kind::Tmpfs { .. } => Hub::start_in(Arc::clone(&self.folder), &[]),
            Kind::Quota { faults } => Hub::start_in(Arc::clone(&self.folder), &["--faults", faults.to_str().unwrap()]),
        }
    }

    /// Fills it, but for a little less than so many bytes.
    pub fn fill(&self, but_for: u64) {
        match &self.kind {
            Kind::Tmpfs { recordings } => {
                let ballast = fs::File::create(recordings.join("ballast")).unwrap();
                rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, free(recordings) - but_for)
                    .unwrap();
            }
            Kind::Quota { faults } => fs::write(faults, format!("quota {but_for}")).unwrap(),
        }
    }

    /// Empties it again.
    pub fn empty(&self) {
        match &self.kind {
            Kind::Tmpfs { recordings } => fs::remove_file(recordings.join("ballast")).unwrap(),
            Kind::Quota { faults } => fs::write(faults, "").unwrap(),
        }
    }

    /// Bytes that are free, where that can be seen from outside.
    pub fn free(&self) -> Option<u64> {
        match &self.kind {
            Kind::Tmpfs { recordings } => Some(free(recordings)),
            Kind::Quota { .. } => None,
        }
    }
}

fn free(folder: &Path) -> u64 {
    let disk = rustix::fs::statvfs(folder).unwrap();
    disk.f_bavail * disk.f_frsize
}

impl Drop for Small {
    fn drop(&mut self) {
        if let Kind::Tmpfs { recordings } = &self.kind {
            // Lazily: whoever has a file open there keeps it.
            let _ = Command::new("umount").arg("-l").arg(recordings).status();
        }
    }
}
