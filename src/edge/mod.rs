//! HTTP, WebSocket, pages: thin, one file a protocol.

pub mod pages;
