//! One encoded unit of sound, before and after the hub has placed it on a session's clock.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::time::Ticks;

/// The place of a packet in its track, from 0: the address of everything that is acknowledged, resumed or handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// The first packet of a track.
    pub const ZERO: Self = Self(0);

    /// A sequence number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of the packet that is `packets` further on, held at `u64::MAX`.
    #[must_use]
    pub const fn after(self, packets: u64) -> Self {
        Self(self.0.saturating_add(packets))
    }

    /// The number of the next packet.
    #[must_use]
    pub const fn next(self) -> Self {
        self.after(1)
    }
}

/// A packet as its publisher sent it: demuxed, not yet placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePacket {
    /// The publisher's own time of it, from an origin that only the publisher knows. It wobbles, and may lie.
    pub time: Ticks,
    /// How long it sounds, counted from its own bytes (RFC 6716 §3.1, or its frames), never from the container. At most
    /// 120 ms, once it is what a track keeps.
    pub duration: Ticks,
    /// The bytes that are kept, untouched.
    pub data: Bytes,
    /// What listeners hear, where the bytes are not Opus: an Opus packet of 20 ms, of which the last of a stream may say
    /// more than the packet's duration.
    pub heard: Option<Bytes>,
}

/// A packet on a session's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its number in its track.
    pub sequence: Sequence,
    /// When it begins, from the session's start.
    pub time: Ticks,
    /// How long it sounds.
    pub duration: Ticks,
    /// The bytes that are kept, as the publisher sent them.
    pub data: Bytes,
    /// The Opus packet that listeners hear, where the bytes are not Opus.
    pub heard: Option<Bytes>,
}

impl Packet {
    /// The Opus packet that listeners hear.
    #[must_use]
    pub fn opus(&self) -> &Bytes {
        self.heard.as_ref().unwrap_or(&self.data)
    }

    /// When its sound ends, from the session's start.
    #[must_use]
    pub const fn end(&self) -> Ticks {
        self.time.saturating_add(self.duration)
    }
}
