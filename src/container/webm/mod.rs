//! WebM and Matroska (RFC 9559, on EBML, RFC 8794): a byte stream to packets, and Opus back.
//!
//! What belongs here: one track of sound out of whatever a browser's recorder or ffmpeg writes, as it streams in, of
//! Opus, PCM, FLAC, Vorbis, AAC-LC or MP3; small
//! whole files out of a few packets; finished files of several tracks, which seek. What does not: video, encryption.
//!
//! The reader is our own. It must pass over video without holding it, say byte and element in every error, and keep within
//! a bound whatever it is sent.

mod about;
mod block;
mod demux;
mod ebml;
mod error;
pub mod file;
mod head;
pub mod mux;
mod sound;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod ffmpeg;
#[cfg(test)]
mod tests;

pub use super::stream::{Event, Ignored};
pub use demux::{BLOCK_LIMIT, Demuxer, HEAD_ELEMENT_LIMIT, HEAD_LIMIT, SKIPPED_LIMIT};
pub use ebml::Id;
pub use error::{Error, Limit, Malformed, Unsupported};
