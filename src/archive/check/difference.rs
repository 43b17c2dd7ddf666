//! What a check finds, and the words for it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::archive::foreign::Kind;
use crate::archive::model::RecordingId;
use crate::archive::verify;

/// Something on disk that is not as the index says, or the other way round, or not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, below the folder of all recordings.
    pub path: PathBuf,
    /// Of which recording, where it is of one.
    pub recording: Option<RecordingId>,
    /// What.
    pub what: What,
}

/// What is different.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The index names it, and it is not there.
    #[error("is missing")]
    Missing,
    /// Something in it is not what was written.
    #[error("{0}")]
    Damaged(Damage),
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It is another length than the index says.
    #[error("has {found} bytes, and the index says {indexed}")]
    Length {
        /// Its length.
        found: u64,
        /// What the index says.
        indexed: u64,
    },
    /// It is a session file, and none that can be read.
    #[error("says nothing that can be understood: {0}")]
    NotUnderstood(String),
    /// It is a session file, and says something else than the index.
    #[error("says something else than the index")]
    SaysOtherwise,
    /// The index says of a recording that it has not ended, and no hub runs.
    #[error("has not ended, and no hub runs; the next start ends it")]
    Unfinished,
    /// Someone deleted it, no hub runs, and some of it may still be there.
    #[error("was being deleted, and no hub runs; the next start goes on with it")]
    BeingDeleted,
    /// A crash left it, and nothing needs it.
    #[error("was begun and never finished")]
    Leftover,
    /// It may hold sound, and the index does not name it.
    #[error("is not in the index")]
    NotIndexed,
    /// A recording's folder that calls itself by an ID that another has.
    #[error("is another folder of the recording {0}")]
    Copy(RecordingId),
    /// The index names a path that is none of ours.
    #[error("is named by the index, which names only names of its own")]
    NoNameOfOurs,
    /// It is not ours: nothing reads, follows, overwrites or removes it.
    #[error("is {0} that is not ours")]
    Foreign(Kind),
    /// The index itself is not as it should be.
    #[error("{0}")]
    Index(String),
    /// There is no index, and there are recordings.
    #[error("is missing, and there are recordings")]
    NoIndex,
}

/// Bytes of a file that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage(pub(super) verify::Damage);

impl Damage {
    /// Whether this is what is wrong.
    pub(in crate::archive) fn is(&self, wrong: verify::Wrong) -> bool {
        self.0.wrong == wrong
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Difference {
    pub(in crate::archive) fn new(path: impl AsRef<Path>, recording: Option<RecordingId>, what: What) -> Self {
        Self { path: path.as_ref().to_owned(), recording, what }
    }
}

impl fmt::Display for Difference {
    /// The path and what is with it, on one line, whatever the path is called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", printable(&self.path.to_string_lossy()), printable(&self.what.to_string()))
    }
}

/// A text without what would do something to a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|letter| if letter.is_control() { letter.escape_default().collect() } else { vec![letter] })
        .collect()
}
