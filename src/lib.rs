//! roomtone: a self-hosted live audio hub in one binary.
//!
//! The hub understands the sound it carries: a publisher's bytes are demuxed into packets as they arrive, everything
//! after that works on packets on one clock, and is muxed again into whatever container the reader wants.
//!
//! Layers, each importing only what stands below it (`tests/main/layers.rs` keeps that true):
//!
//! | layer | what belongs in it |
//! |---|---|
//! | [`app`], [`cli`] | composition: the only place that sees every layer |
//! | [`edge`] | HTTP, WebSocket, pages: thin, one file a protocol |
//! | [`hub`] | actors: hub, room, connection, fan-out, recorder; and the decisions they are shells around |
//! | [`archive`] | the SQLite index and the files, and the promises about both |
//! | [`container`] | WebM and Ogg: push bytes, pull packets; packets to bytes. No IO, no clock |
//! | [`wire`] | our WebSocket protocol: bytes to values and back. No IO |
//! | [`media`] | time, packet, track, opus |

#![forbid(unsafe_code)]
#![deny(warnings)]
#![warn(missing_docs)]
#![warn(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::cast_lossless
)]

pub mod app;
pub mod archive;
pub mod cli;
pub mod container;
pub mod edge;
pub mod hub;
pub mod media;
pub mod wire;
