//! Socket.IO, through the running hub: the protocols point by point, as `socketio/engine.io-protocol` (revision 4) and
//! `socketio/socket.io-protocol` (revision 5) describe them, and what its clients have in common with all others.
//!
//! What the library itself does with it is tested in `tests/interop`.

mod client;
mod engine;
mod limits;
mod namespace;
mod recordings;
mod rooms;
mod upgrade;

/// Without a session.
const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
