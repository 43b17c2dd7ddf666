//! Fragmented MP4 (ISO/IEC 14496-12): a byte stream to packets of Opus or AAC.
//!
//! What belongs here: one track of sound out of what a browser's recorder or ffmpeg writes, as it streams in. What does
//! not: files whose samples are found by tables in `moov` (it may stand at the end, and then nothing can be read before),
//! video, encryption, edit lists, writing.
//!
//! Sample durations are only used to tell when the next sample begins: the last of each run lies in what Chromium sends.
//! How long a packet sounds is told by itself (Opus) or is 1024 frames (AAC).
//!
//! The reader is our own. It must pass over a video track without reading into it, say byte and box in every error, read
//! samples out of an `mdat` as it streams in, and keep within a bound whatever it is sent.

mod boxes;
mod demux;
mod error;
mod fragment;
mod moov;
mod sound;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod tests;

pub use boxes::Kind;
pub use demux::{Demuxer, HEAD_LIMIT, MOOF_LIMIT, MOOV_LIMIT, SAMPLE_LIMIT, SKIPPED_LIMIT};
pub use error::{Error, Limit, Malformed, Unsupported};
pub use fragment::MOST_SAMPLES;
