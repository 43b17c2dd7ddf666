//! Containers: push bytes, pull packets; packets to bytes.
//!
//! What belongs here: parsers and writers that own no IO and no clock, with a bound on memory that their docs state, and
//! errors that say at which byte and in which element. What does not: sockets and files, and the session's clock; times
//! go out as the container says them.

pub mod ogg;
pub mod sniff;
pub mod stream;
pub mod wav;
pub mod webm;

#[cfg(test)]
pub(crate) mod judge;
