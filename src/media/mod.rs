//! Time, packets, tracks, Opus, PCM, and the codecs: the words that every other layer speaks.
//!
//! What belongs here: values and plain functions on them. What does not: containers, protocols, sockets, files, actors,
//! the system clock.

pub mod codec;
pub mod marker;
pub mod mix;
pub mod opus;
pub mod packet;
pub mod pcm;
pub mod peaks;
pub mod room;
pub mod source;
pub mod speech;
pub mod time;
pub mod track;
