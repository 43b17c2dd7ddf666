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
//! | [`edge`] | HTTP, WebSocket, Socket.IO, pages: thin, one file a protocol |
//! | [`hub`] | actors: hub, room, connection, fan-out, recorder; replays; and the decisions they are shells around |
//! | [`archive`] | the SQLite index and the files, and the promises about both |
//! | [`container`] | WebM, Ogg, MP4, WAV, FLAC, MP3: push bytes, pull packets; packets to bytes. No IO, no clock |
//! | [`wire`] | our WebSocket protocol, Engine.IO, Socket.IO: bytes to values and back. No IO |
//! | [`media`] | time, packet, track, opus, pcm; codec (encode, decode, resample), mix |
//!
//! The words, which mean the same everywhere in code, documents and messages:
//!
//! | word | meaning |
//! |---|---|
//! | room | a named place; exists while a participant, or a session that has not ended, is in it |
//! | participant | one connection in a room; may publish, listen, or both |
//! | track | one participant's stream, from its announcement to its end; live meanwhile, packets or not |
//! | part | one file of a track; a track is an ordered list of parts, most often one |
//! | source | what a publisher sends: a codec and its head, whatever the track keeps of it |
//! | packet | one encoded unit (an Opus packet; a block of PCM) with its time and duration; a *message* is what a WebSocket carries, and its edges mean nothing |
//! | block | plain samples that are one packet: 20 ms, or what their publisher numbered |
//! | session | a room from its first packet to its end |
//! | recording | what of a session is on disk |
//! | replay | a recording that is played to one listener, at its own pace: a room whose publisher is the archive |
//! | piece | what is read of a part at a time |
//! | rendition | a room's packets muxed into one format for its readers: made once, shared by all of them |
//! | ear | what a group of listeners hears as one sound: a lone track passed through, or a mix |
//! | bus | one sum of a room's tracks, encoded or not; the *desk* is the task that makes a room's buses |
//! | pre-roll | packets before the first that is to be heard, which a decoder needs to settle; hidden by the pre-skip |
//! | pre-skip | sound that a decoder throws away at the start (RFC 7845 §4.2) |
//! | live edge | the newest packet of a room |
//! | lag | how far behind the live edge a listener is |
//! | late joiner | a listener who comes when a track is live already |
//! | gap | time in a track for which no packet exists; always counted, never silent |
//! | hole | packets that a publisher has and the hub does not |
//! | sequence number | u64, given to each packet of a track; what acknowledgements speak of |
//! | tick | 1/48000 s, the Opus clock; the session's ticks count from its start |
//! | anchor | a place of a track pinned to the session's clock: (track tick, session tick) |
//! | extent | a piece of a WAV part that has its own checksum in the index |
//! | spool | a file beside a part, for what comes while it is not known where it belongs |
//! | recipe | how a file is derived from a recording, by version; what an older one made is made again |
//! | edit | what someone chose of a recording for a file: some of its tracks, a span of the session's clock, a loudness |
//! | edition | one of the files that a derived file can be: the whole, or what an edit makes of it |
//! | round | one turn of syncing: the files, then one transaction of the index, then the acknowledgements |
//!
//! Times, ticks, byte counts and wall-clock times are types of their own ([`media::time`]), or carry their unit in their
//! name.

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
