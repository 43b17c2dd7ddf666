//! The SQLite index and the files of all recordings, and the promises about both.
//!
//! What belongs here: the only SQL and the only paths of the program; what is on disk, in which order it gets there, and
//! what start-up makes of what it finds. What does not: rooms, sockets, when a session ends or a gap begins (the hub
//! decides and tells), the clock (times and IDs are passed in).
//!
//! Invariants, and what keeps them:
//!
//! 1. What was told to be durable ([`Event::Durable`]) survives `kill -9` and power loss. A round (`writer`) writes
//!    and syncs the files, then commits one transaction about them, then tells.
//! 2. The index never names a file that may not be there. A file is created exclusively, synced, and its folder synced,
//!    before the transaction that names it.
//! 3. A file that goes is marked in the index first, then unlinked, then its folder synced, then its row dropped. Start-up
//!    finishes what was begun (`recovery`).
//! 4. A part is append-only, but for the header of a WAV file, which is made right again in every round. What the index says
//!    of it is never cut; what lies beyond is cut only where it is not a whole page with a right CRC, or samples, for which
//!    only the index vouches (`extents`), or a copy of a spool that is still there.
//! 5. A sync that failed is not tried again: the file ends where it was durable before, and what came since goes into another
//!    (`writer`). A full disk ends the recording there; what that takes is held in reserve.
//! 6. One process writes: it holds `lock`. Within it one thread writes (`writer`), and owns the only connection to
//!    the index that does; [`Archive`] reads by others.
//! 7. What is derived from a recording (`derived`) is written under another name and renamed when it is whole and durable;
//!    it is made by a thread of its own, and only after the recording has ended. It can always be made again.
//! 8. What goes by itself goes by a limit that a person set (`retention`): the oldest first, never what has not ended, is
//!    marked `keep`, or is being read.
//! 9. What is in `recordings/` and not named by the index is left alone, but for what a crash left of a round that was not over: where
//!    it is sound it becomes a part of its recording, though nothing of it was told to be durable (`repair::strays`). What is not ours (`foreign`), also in a place of ours, is
//!    neither followed nor overwritten nor removed.
//!
//! Whether index and disk are what they should be, [`check`] tells, and [`repair`] mends what can be.

pub mod backup;
mod blocks;
pub mod check;
mod derived;
mod episodes;
mod excerpt;
pub mod export;
mod extents;
mod faults;
pub mod foreign;
mod handle;
mod imprint;
mod index;
pub mod kept;
mod list;
mod lock;
pub mod model;
mod names;
pub mod offline;
mod open;
mod reading;
mod recovery;
pub mod repair;
mod retention;
mod rewrite;
mod search;
pub mod session_file;
pub mod settings;
mod sound;
mod store;
pub mod timeline;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use blocks::{Blocks, BlocksRead};
pub use derived::{Download, Found, FoundPeaks, FoundWaveform, Waveform};
pub use episodes::{Episode, MOST_EPISODES};
pub use excerpt::Excerpted;
pub use handle::{Archive, Change, Changed, Error, MarkerChange, NotMade};
pub use list::{BadCursor, BadLimit, Cursor, Limit, ListQuery, Page};
pub use open::{OpenError, Options};
pub use reading::{Content, OpenRecording, PartFile, Piece, ReadFrom, Wanted};
pub use recovery::{Recovered, RecoveredRecording};
pub use retention::{Count, Deleted, Deletion, InUse, Limits, Next, Reason, RoomStorage, Space, Storage};
pub use search::{BadSearch, Search};
pub use sound::{PartSound, TrackSound};
pub use writer::{Event, Events, Health, NewPart, NewRecording, RecordingWriter};
