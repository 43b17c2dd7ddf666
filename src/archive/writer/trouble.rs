//! What can be wrong with a recording, and which end that is for it.
//!
//! What belongs here: errors, and plain decisions about them. What does not: who acts on them.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::index;
use crate::archive::model::EndReason;
use crate::media::track::TrackNumber;

/// What is wrong with the disk or the index.
#[derive(Debug, thiserror::Error)]
pub(in crate::archive) enum Trouble {
    /// A file or folder.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The index.
    #[error("the index: {0}")]
    Index(#[from] sqlx::Error),
}

/// What the hub must not tell, and what cannot be: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum Misuse {
    /// A packet, gap or spool for a track without an open part.
    #[error("track {0} has no open part")]
    NoPart(TrackNumber),
    /// A second part before the first has ended.
    #[error("track {0} has an open part already")]
    PartOpen(TrackNumber),
    /// A packet or a gap that its file cannot hold.
    #[error("{0} cannot hold what it was told to: it is not whole frames, or the file is full")]
    Unfit(String),
    /// A spool that reads back as something else than what was written.
    #[error("{0} does not hold what was written to it")]
    Spool(String),
}

/// Why a recording cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// What it is about to write would take from what is held in reserve.
    #[error("only {free} bytes are free on the disk, and {wanted} are wanted beside the reserve")]
    Space {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to be written.
        wanted: u64,
    },
}

impl Trouble {
    pub fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }

    /// Whether it is no more than that there is no space.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Index(error) => index::has_no_room(error),
        }
    }
}

impl Fault {
    /// The end that this is for a recording.
    pub fn reason(&self) -> EndReason {
        match self {
            Self::Space { .. } => EndReason::DiskFull,
            Self::Trouble(trouble) if trouble.is_full() => EndReason::DiskFull,
            Self::Trouble(_) | Self::Misuse(_) => EndReason::IoError,
        }
    }

    /// Whether files may hold less than the index will turn out to say, if they are cut: a commit that failed may be there
    /// all the same after a crash.
    pub const fn leaves_files(&self) -> bool {
        matches!(self, Self::Trouble(Trouble::Index(_)))
    }
}
