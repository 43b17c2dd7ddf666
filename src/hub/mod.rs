//! Actors, and the decisions that they are shells around.
//!
//! What belongs here: rooms and who is in them, sessions and their clock, fan-out, recording. What does not: HTTP and
//! sockets (a member is an [`outbox::Outbox`]), SQL and paths (the archive's), bytes of containers and frames.

pub mod acknowledge;
pub mod clock;
pub mod connection;
pub mod fanout;
pub mod outbox;
pub mod recorder;
pub mod registry;
pub mod rendition;
pub mod room;
pub mod session;
pub mod time;
