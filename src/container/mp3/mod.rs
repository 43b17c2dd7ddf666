//! MP3: frames of MPEG audio, layer III (ISO/IEC 11172-3 §2.4, ISO/IEC 13818-3 §2.4, and the halved rates that are called
//! MPEG 2.5), with the tags that players put around them.
//!
//! What belongs here: where frames begin and end, and what is no sound. What does not: decoding (`media::codec`), what tags
//! say.
//!
//! symphonia has a reader of its own, which blocks on what it reads from. Ours is pushed.

mod demux;
mod error;
mod header;
mod tag;

#[cfg(test)]
mod tests;

pub use demux::{Demuxer, GARBAGE_LIMIT, PASSED_LIMIT};
pub use error::{Element, Error, Malformed, Unsupported};
pub(in crate::container) use header::kind;
