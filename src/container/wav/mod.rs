//! WAV: plain samples in RIFF (Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft, 1991), and
//! past 4 GiB in RF64 (EBU Tech 3306).
//!
//! What belongs here: the samples out of what programs stream; headers, for parts and for downloads; the messages of plain
//! listeners. What does not: files, syncs, gaps, and what samples sound like.
//!
//! The reader is our own: `hound` reads whole files, by sizes that a stream does not know. Headers are written by `hound`,
//! which is not given the samples: it takes them one at a time, and they are in a file what they are in a packet. So the
//! bytes go in untouched, and the two sizes of the header are ours.

mod demux;
mod error;
mod format;
mod header;
mod message;

#[cfg(test)]
mod tests;

pub use demux::{DESCRIBED_LIMIT, Demuxer, PASSED_LIMIT};
pub use error::{Error, Limit, Malformed, Name, Unsupported};
pub use header::{MOST_DATA, data_offset, finished, header_for};
pub use message::message;
