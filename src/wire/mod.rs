//! What travels on our sockets: bytes to values and back.
//!
//! What belongs here: the messages of `roomtone.v1`, its binary header, Engine.IO, Socket.IO, WebSocket frames as bytes.
//! What does not: sockets, rooms, clocks; which message is sent when is decided in `hub` and `edge`.

pub mod engine_io;
pub mod frame;
pub mod packets;
pub mod socket_io;
pub mod v1;
