//! Containers: push bytes, pull packets; packets to bytes.
//!
//! What belongs here: parsers and writers that own no IO and no clock, with a bound on memory that their docs state, and
//! errors that say at which byte and in which element. What does not: sockets and files, and the session's clock; times
//! go out as the container says them.

pub mod aac;
pub mod audiowaveform;
mod blocks;
mod counter;
pub mod flac;
mod input;
pub mod mp3;
pub mod mp4;
pub mod ogg;
pub mod raw;
pub mod sniff;
mod steps;
pub mod stream;
pub mod vorbis;
pub mod wav;
pub mod webm;

#[cfg(test)]
pub(crate) mod judge;
#[cfg(test)]
mod testing;
