//! FLAC (RFC 9639): frames out of a native stream, and what the headers of streams and frames say.
//!
//! What belongs here: STREAMINFO and frame headers, for every container that carries FLAC; where a frame of a native stream
//! ends; files of our own (`mux`). What does not: decoding (`media::codec`), FLAC in Ogg and in Matroska, whose packets are frames already.
//!
//! symphonia has a reader of its own, which blocks on what it reads from. Ours is pushed.

mod demux;
mod error;
mod header;
mod mux;

#[cfg(test)]
mod tests;

pub use demux::{Demuxer, METADATA_LIMIT};
pub use error::{Element, Error, Malformed, Unsupported};
pub use header::{StreamInfo, frame_frames};
pub use mux::{Muxer, Sound};
