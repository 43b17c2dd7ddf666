//! What the packets of one stream are, by its codec: which describe it, and how long each of the others sounds.
//!
//! What belongs here: Opus (RFC 7845), Vorbis (Vorbis I, appendix A), FLAC (RFC 9639 §10.1). What does not: pages.

use bytes::Bytes;

use super::error::{Malformed, Unsupported, What};
use super::flac;
use crate::container::vorbis;
use crate::media::opus;
use crate::media::pcm;
use crate::media::source::{Codec, Coded, Source};
use crate::media::time::Ticks;

/// A stream of sound, as far as its packets have told what it is.
#[derive(Debug)]
pub(super) struct Mapping {
    codec: CodecState,
    stage: Stage,
}

#[derive(Debug)]
enum CodecState {
    Opus(opus::Head),
    Vorbis {
        ident: Bytes,
        /// Known from the setup header on.
        headers: Option<vorbis::Headers>,
        setup: Bytes,
        previous: Option<vorbis::Block>,
    },
    Flac {
        sound: pcm::Head,
        info: Bytes,
    },
}

/// Which packet comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Comments,
    Setup,
    Sound,
}

/// What a stream is, by the start of its first packet.
pub(super) enum Kind {
    /// Sound that is read.
    Read(Mapping),
    /// Sound that is not, by its name.
    Audio(&'static str),
    Video,
    Other,
}

impl Kind {
    /// Tells what begins with this packet; `read` where it is read if it can be.
    pub(super) fn of(packet: &Bytes, read: bool) -> Result<Self, What> {
        const OTHERS: [(&[u8], Kind); 12] = [
            (b"OpusHead", Kind::Audio("Opus")),
            (b"\x01vorbis", Kind::Audio("Vorbis")),
            (b"\x7FFLAC", Kind::Audio("FLAC")),
            (b"Speex   ", Kind::Audio("Speex")),
            (b"CELT    ", Kind::Audio("CELT")),
            (b"PCM     ", Kind::Audio("PCM in Ogg")),
            (b"fLaC", Kind::Audio("FLAC of a mapping before 1.0")),
            (b"\x80theora", Kind::Video),
            (b"OVP80", Kind::Video),
            (b"BBCD\0", Kind::Video),
            (b"\x80daala", Kind::Video),
            (b"\x01video", Kind::Video),
        ];
        let begins = |magic: &[u8]| packet.starts_with(magic);
        let codec = if read && begins(b"OpusHead") {
            CodecState::Opus(opus::Head::parse(packet)?)
        } else if read && begins(b"\x01vorbis") {
            CodecState::Vorbis { ident: packet.clone(), headers: None, setup: Bytes::new(), previous: None }
        } else if read && begins(b"\x7FFLAC") {
            let (sound, info) = flac::head(packet)?;
            CodecState::Flac { sound, info }
        } else {
            let known = OTHERS.into_iter().find(|(magic, _)| begins(magic));
            return Ok(known.map_or(Self::Other, |(_, kind)| kind));
        };
        Ok(Self::Read(Mapping { codec, stage: Stage::Comments }))
    }
}

impl Mapping {
    /// Whether the packet that begins with this byte is passed over: comments, and whatever else FLAC has.
    pub(super) fn passes(&self, first: Option<u8>) -> bool {
        match (&self.codec, self.stage) {
            (CodecState::Flac { .. }, _) => !first.is_some_and(flac::is_frame),
            (_, stage) => stage == Stage::Comments,
        }
    }

    /// The longest packet that is held, in bytes.
    pub(super) fn limit(&self) -> usize {
        match self.codec {
            CodecState::Opus(_) | CodecState::Vorbis { .. } => super::PACKET_LIMIT,
            CodecState::Flac { .. } => super::FLAC_PACKET_LIMIT,
        }
    }

    /// What the stream is, once all is known that a decoder must be told.
    pub(super) fn source(&self) -> Option<Source> {
        if self.stage != Stage::Sound {
            return None;
        }
        let coded = |codec, sound: pcm::Head, private| {
            Source::Coded(Coded { codec, rate: sound.rate(), channels: sound.channels(), private })
        };
        Some(match &self.codec {
            CodecState::Opus(head) => Source::Opus(*head),
            CodecState::Vorbis { ident, headers, setup, .. } => {
                coded(Codec::Vorbis, headers.as_ref()?.sound, [&ident[..], setup].concat().into())
            }
            CodecState::Flac { sound, info } => coded(Codec::Flac, *sound, info.clone()),
        })
    }

    /// How long so many units of the granule position are.
    pub(super) fn ticks(&self, units: u64) -> Ticks {
        match &self.codec {
            CodecState::Opus(_) => Ticks::new(units),
            CodecState::Vorbis { headers, .. } => headers.map_or(Ticks::ZERO, |headers| headers.sound.ticks(units)),
            CodecState::Flac { sound, .. } => sound.ticks(units),
        }
    }

    /// Reads a packet after the first: of what is passed over, its first bytes. Gives how long it sounds in units of the
    /// granule position, `None` where it describes the stream.
    pub(super) fn read(&mut self, packet: &Bytes) -> Result<Option<u64>, What> {
        match (&mut self.codec, self.stage) {
            (CodecState::Opus(_), Stage::Comments) => {
                self.stage = Stage::Sound;
                comments(packet, b"OpusTags", "OpusTags (RFC 7845 §5.2)")
            }
            (CodecState::Opus(_), _) => Ok(Some(opus::duration(packet)?.get())),
            (CodecState::Vorbis { .. }, Stage::Comments) => {
                self.stage = Stage::Setup;
                comments(packet, b"\x03vorbis", "comment header of Vorbis (Vorbis I §5)")
            }
            (CodecState::Vorbis { ident, headers, setup, .. }, Stage::Setup) => {
                *headers = Some(vorbis::Headers::parse(ident, packet)?);
                setup.clone_from(packet);
                self.stage = Stage::Sound;
                Ok(None)
            }
            (CodecState::Vorbis { headers, previous, .. }, Stage::Sound) => {
                let headers = headers.as_ref().ok_or(Malformed::NoBeginning)?;
                Ok(Some(headers.duration(previous, packet)?))
            }
            (CodecState::Flac { .. }, _) => {
                self.stage = Stage::Sound;
                Ok(if packet.first().copied().is_some_and(flac::is_frame) { Some(flac::frames(packet)?) } else { None })
            }
        }
    }
}

/// Why a stream whose sound has this name is not read.
pub(super) fn not_read(name: Option<&'static str>) -> Unsupported {
    name.map_or(Unsupported::NoAudio, Unsupported::Codec)
}

fn comments(packet: &[u8], magic: &[u8], name: &'static str) -> Result<Option<u64>, What> {
    if packet.starts_with(magic) { Ok(None) } else { Err(Malformed::Comments(name).into()) }
}
