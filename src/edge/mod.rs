//! HTTP, WebSocket, pages: thin, one file a protocol.

pub mod serve;
pub mod socket;
pub mod upgrade;
