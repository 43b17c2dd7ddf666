//! Actors, and the decisions that they are shells around.
//!
//! What belongs here: rooms and who is in them, sessions and their clock, fan-out, recording, replaying. What does not: HTTP and
//! sockets (a member is an [`outbox::Outbox`]), SQL and paths (the archive's), bytes of containers and frames.
//!
//! The way of a packet:
//!
//! ```text
//! publisher's socket
//!   -> connection   bytes to packets; a bad stream ends its own connection and nobody else's
//!   -> room         the session's clock, tracks, members; one mailbox orders everything
//!   -> mix          one sound for those who want one: a lone track as it is, several decoded, summed, encoded
//!   -> rendition    packets to bytes, once for each format
//!   -> fan-out      one for each room and worker thread: one message across threads, then local
//!   -> outbox       of each listener, bounded; one write a turn
//!   -> listener's socket
//!
//! room -> recorder -> the archive's writer, on its own thread -> part -> index -> acknowledgement -> room
//! archive -> replay -> rendition -> outbox of its one listener
//! ```
//!
//! Every queue on it is bounded, and has an answer to "full":
//!
//! | queue | bound | when full |
//! |---|---|---|
//! | socket to connection | one message | the socket is not read, and TCP pushes back; so it is while a stream runs more than [`clock::AHEAD`] ahead of real time |
//! | connection to room | 64 messages | the connection waits, and does not read its socket meanwhile |
//! | room to fan-out | [`fanout::MAILBOX`] messages | the message is skipped for that worker's listeners, counted, told |
//! | connection or desk to a thread that may wait ([`offload`]) | one piece of work of each, of a second of sound or so; as many run as there are cores | waits its turn, in order; what is recorded goes before what is mixed |
//! | room to desk | [`mix::desk::MOST_WAITING`] messages | the mix is given up and begun again at the live edge, counted and told in the log |
//! | listener's outbox | 5 s or 512 KiB ([`outbox::Bounds`]) | skips to the live edge at the next message, counted; a listener of `roomtone.v1` is told; past 30 s of lag it is closed |
//! | recording to a client of Socket.IO | 10 MB, one at a time for each, 256 MiB for all | whoever asks waits until others have theirs |
//! | replay to its listener's outbox | [`replay::MOST_WAITING`] and a turn | the replay waits, and goes on where it stopped |
//! | archive to replay | one piece of each track, of half a second or 16 KiB | nothing more is read |
//! | room to recorder | [`recorder::LONGEST_WAIT`] for each track, or [`recorder::MOST_BYTES`] for all of them | the packets are not acknowledged and become a gap with its cause; the room is told, and plays on |
//!
//! `do_send` passes a mailbox's bound by in actix 0.13. Media never travels by it: it is sent with an await or with
//! `try_send`. Words and notices do, which are few and must not be lost.

pub mod acknowledge;
#[cfg(test)]
mod clicks;
pub mod clock;
pub mod connection;
pub mod fanout;
pub mod mix;
pub mod offload;
pub mod outbox;
pub mod recorder;
pub mod registry;
pub mod rendition;
pub mod replay;
pub mod room;
pub mod session;
pub mod time;
