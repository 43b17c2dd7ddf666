//! The disk, as far as the writer needs it: a trait so small that a test can stand in for it and see in which order
//! things reach it.
//!
//! The disk itself touches nothing that is not ours: it refuses a place at which a symbolic link stands, or that is reached
//! through one, and does not take a folder for a file ([`Foreign`](super::foreign::Foreign)).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::foreign::{self, Kind};

/// A file that is being written, with its path for whoever reports an error.
#[derive(Debug)]
pub(super) struct Handle {
    /// Where it is.
    pub path: PathBuf,
    file: File,
}

/// What the archive is at, for a store that tells one from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Recordings are written.
    Write,
    /// Start-up puts in order what the last run left.
    Recover,
    /// A recording goes.
    Delete,
    /// Something is derived from a recording.
    Make,
}

/// What the writer does to the disk. Nothing here is durable before a sync says so.
pub(super) trait Store: Send {
    /// Creates a folder in one that exists; [`io::ErrorKind::AlreadyExists`] where it is there.
    fn create_folder(&mut self, path: &Path) -> io::Result<()>;
    /// Creates a file that is not there yet.
    fn create(&mut self, path: &Path) -> io::Result<Handle>;
    /// Opens a file that is there, to write at its end.
    fn open(&mut self, path: &Path) -> io::Result<Handle>;
    /// Writes at the file's end.
    fn append(&mut self, handle: &mut Handle, bytes: &[u8]) -> io::Result<()>;
    /// Writes over what is in the file from byte `at` on, which may go past its end.
    fn overwrite(&mut self, handle: &mut Handle, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes durable what was written to the file, and its length.
    fn sync(&mut self, handle: &Handle) -> io::Result<()>;
    /// Makes durable which files are in the folder, and their names.
    fn sync_folder(&mut self, path: &Path) -> io::Result<()>;
    /// Cuts the file at `bytes`.
    fn truncate(&mut self, handle: &mut Handle, bytes: u64) -> io::Result<()>;
    /// Puts a file in another's place, at once.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Unlinks a file. Whoever has it open keeps it.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Removes a folder, if it is empty.
    fn remove_folder(&mut self, path: &Path) -> io::Result<()>;
    /// The names in a folder.
    fn list(&mut self, path: &Path) -> io::Result<Vec<String>>;
    /// Opens a file to be read from byte `from` on, with its length in bytes.
    fn read(&mut self, path: &Path, from: u64) -> io::Result<(Box<dyn Read>, u64)>;
    /// Bytes that are free to us on the disk that a folder is on.
    fn free(&mut self, path: &Path) -> io::Result<u64>;
    /// Bytes that the disk has that a folder is on.
    fn capacity(&mut self, path: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(path)?;
        Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
    }
    /// Told after each transaction of the index. The disk has nothing to do for it.
    fn committed(&mut self) {}
    /// Told what the archive is at from now on. It is all the same to the disk.
    fn phase(&mut self, _phase: Phase) {}
}

/// The disk itself.
#[derive(Debug)]
pub(super) struct Disk;

impl Store for Disk {
    fn create_folder(&mut self, path: &Path) -> io::Result<()> {
        match foreign::reached(path).and_then(|()| fs::create_dir(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                foreign::expect(path, Kind::Folder).and(Err(error))
            }
            created => created,
        }
    }

    fn create(&mut self, path: &Path) -> io::Result<Handle> {
        foreign::reached(path)?;
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Handle { path: path.to_owned(), file })
    }

    fn open(&mut self, path: &Path) -> io::Result<Handle> {
        let file = foreign::open_with(path, OpenOptions::new().write(true))?;
        Ok(Handle { path: path.to_owned(), file })
    }

    fn append(&mut self, handle: &mut Handle, bytes: &[u8]) -> io::Result<()> {
        handle.file.seek(SeekFrom::End(0))?;
        handle.file.write_all(bytes)
    }

    fn overwrite(&mut self, handle: &mut Handle, at: u64, bytes: &[u8]) -> io::Result<()> {
        handle.file.seek(SeekFrom::Start(at))?;
        handle.file.write_all(bytes)
    }

    fn sync(&mut self, handle: &Handle) -> io::Result<()> {
        handle.file.sync_data()
    }

    fn sync_folder(&mut self, path: &Path) -> io::Result<()> {
        foreign::expect(path, Kind::Folder)?;
        File::open(path)?.sync_all()
    }

    fn truncate(&mut self, handle: &mut Handle, bytes: u64) -> io::Result<()> {
        handle.file.set_len(bytes)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        foreign::expect(from, Kind::File)?;
        foreign::expect(to, Kind::File)?;
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        foreign::expect(path, Kind::File)?;
        fs::remove_file(path)
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        foreign::expect(path, Kind::Folder)?;
        fs::remove_dir(path)
    }

    fn list(&mut self, path: &Path) -> io::Result<Vec<String>> {
        foreign::expect(path, Kind::Folder)?;
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn read(&mut self, path: &Path, from: u64) -> io::Result<(Box<dyn Read>, u64)> {
        let mut file = foreign::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let bytes = file.metadata()?.len();
        Ok((Box::new(file), bytes))
    }

    fn free(&mut self, path: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
