//! What is ours and what is not: nothing of ours is a symbolic link, nor reached through one.
//!
//! What belongs here: looking at a place without following it, and opening files only where nothing else stands in their
//! place. What does not: what the files are called, and what is in them.
//!
//! Paths begin at the folder of all recordings as `resolve` gives it, which may itself be reached through links: that is its
//! owner's choice. Below it there are none.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, whatever it leads to.
    Link,
    /// A pipe, a socket or a device.
    Other,
}

impl Kind {
    fn of(metadata: &Metadata) -> Self {
        if metadata.is_file() {
            Self::File
        } else if metadata.is_dir() {
            Self::Folder
        } else if metadata.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Other => "neither a file nor a folder",
        })
    }
}

/// Something that is not ours stands where something of ours should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is {kind}, which is not ours and is left alone", at.display())]
pub struct Foreign {
    /// Where.
    pub at: PathBuf,
    /// What.
    pub kind: Kind,
}

impl Foreign {
    /// Whether this is why a file or folder could not be touched.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }

    fn error(at: &Path, kind: Kind) -> io::Error {
        io::Error::other(Self { at: at.to_owned(), kind })
    }
}

/// The folder of all recordings without the links that lead to it.
pub(super) fn resolve(folder: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(folder)
}

/// What stands at a place, and how many bytes it has; `None` where nothing does.
pub(super) fn look(path: &Path) -> io::Result<Option<(Kind, u64)>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some((Kind::of(&metadata), metadata.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Refuses a place that is reached through anything but folders.
pub(super) fn reached(path: &Path) -> io::Result<()> {
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        match Kind::of(&fs::symlink_metadata(folder)?) {
            Kind::Folder => {}
            kind => return Err(Foreign::error(folder, kind)),
        }
    }
    Ok(())
}

/// Refuses a place at which something else stands. Nothing may: [`io::ErrorKind::NotFound`] is for who needs it.
pub(super) fn expect(path: &Path, wanted: Kind) -> io::Result<()> {
    reached(path)?;
    match look(path)? {
        Some((kind, _)) if kind != wanted => Err(Foreign::error(path, kind)),
        _ => Ok(()),
    }
}

/// Opens a file of ours to be read.
pub(super) fn open(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a file of ours.
pub(super) fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Before it is opened: to open a pipe would wait for who writes to it.
    expect(path, Kind::File)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Someone may have put a link there since.
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn neither_a_link_nor_what_is_behind_one_is_opened() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let root = resolve(dir.path()).unwrap();
        fs::create_dir(root.join("room")).unwrap();
        fs::write(root.join("room/part"), "sound").unwrap();
        symlink(root.join("room"), root.join("away")).unwrap();
        symlink("part", root.join("room/link")).unwrap();
        symlink("nowhere", root.join("room/dangling")).unwrap();
        assert!(open(&root.join("room/part")).is_ok());
        for foreign in ["away/part", "room/link", "room/dangling", "room"] {
            let error = open(&root.join(foreign)).unwrap_err();
            assert!(Foreign::is(&error), "{foreign}: {error}");
        }
        let mut creating = OpenOptions::new();
        creating.write(true).create(true);
        assert!(open_with(&root.join("room/dangling"), &mut creating).is_err());
        assert!(!root.join("room/nowhere").exists());
        assert_eq!(open(&root.join("room/none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(look(&root.join("room/link")).unwrap().map(|(kind, _)| kind), Some(Kind::Link));
    }
}
