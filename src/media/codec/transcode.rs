//! What a publisher sends, made into what a track keeps and others hear.
//!
//! What belongs here: one plain struct that is given a source's packets in order and gives the track's. What does not:
//! threads (the hub keeps it away from those that serve), the session's clock.

use super::DecodeError;
use super::blocks::{Blocks, Times};
use super::coded::Decoder;
use super::heard::Heard;
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::source::{Codec, Source};
use crate::media::time::Ticks;
use crate::media::track::Format;

pub use super::blocks::{BlockTranscoder, length};

/// The most silence that stands for a packet which cannot be decoded, whatever its container says.
const LONGEST_SILENCE: Ticks = Ticks::from_secs(10);

/// Makes a track's packets out of a source's.
///
/// Opus passes untouched. PCM and FLAC become blocks of PCM at the rate that came, each with the Opus packet that listeners
/// hear beside it, 7.1 ms later at most. What else there is becomes Opus, whose pre-skip says how late it is.
///
/// A packet's time is that of the source's packet that holds its first sample, and what lies between: jumps and wobbling of
/// the source's times are left to the session's clock.
pub struct Transcoder {
    format: Format,
    way: Way,
}

enum Way {
    Untouched,
    Blocks(Box<Blocks>),
    Exact(Box<Exact>),
    Encoded(Box<Encoded>),
}

impl Transcoder {
    /// A transcoder for a source that begins.
    ///
    /// # Errors
    /// Where no decoder reads it, with a sentence that says so.
    pub fn new(source: &Source) -> Result<Self, DecodeError> {
        let (format, way) = match source {
            Source::Opus(head) => (Format::Opus(*head), Way::Untouched),
            Source::Pcm(head) => (Format::Pcm(*head), Way::Blocks(Box::new(Blocks::new(*head)?))),
            Source::Coded(coded) => {
                let decoder = Decoder::new(coded)?;
                if coded.codec == Codec::Flac {
                    let blocks = Blocks::new(decoder.head())?;
                    (Format::Pcm(decoder.head()), Way::Exact(Box::new(Exact { decoder, blocks, bytes: Vec::new() })))
                } else {
                    let encoded = Encoded::new(decoder)?;
                    (Format::Opus(encoded.opus_head()), Way::Encoded(Box::new(encoded)))
                }
            }
        };
        Ok(Self { format, way })
    }

    /// How the packets are encoded that it gives.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Whether it costs so little that any thread may do it: packets pass untouched.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self.way, Way::Untouched)
    }

    /// Whether it is of plain samples, and all blocks are whole that it was given: others may follow as one sound with them.
    #[must_use]
    pub fn is_between_blocks(&self) -> bool {
        matches!(&self.way, Way::Blocks(blocks) if blocks.are_whole())
    }

    /// How much later than it was sent sound is heard: 2.5 ms of the encoder, and at most 4.5 ms of the resampler. Nothing for
    /// Opus.
    #[must_use]
    pub fn delay(&self) -> Ticks {
        match &self.way {
            Way::Untouched => Ticks::ZERO,
            Way::Blocks(blocks) => blocks.delay(),
            Way::Exact(exact) => exact.blocks.delay(),
            Way::Encoded(encoded) => encoded.heard.delay(),
        }
    }

    /// Takes a packet of the source, and adds the track's packets that are whole by now to `out`.
    ///
    /// # Errors
    /// Where the packet cannot be decoded. It costs that packet alone: the next may follow, and a packet that had to be decoded
    /// is silence of its length, which is in `out`.
    pub fn push(&mut self, packet: SourcePacket, out: &mut Vec<SourcePacket>) -> Result<(), DecodeError> {
        match &mut self.way {
            Way::Untouched => {
                out.push(packet);
                Ok(())
            }
            // Ogg may end with one, and Vorbis has them for no sound at all.
            _ if packet.data.is_empty() => Ok(()),
            Way::Blocks(blocks) => blocks.push(packet.time, &packet.data, out),
            Way::Exact(exact) => exact.push(&packet, out),
            Way::Encoded(encoded) => encoded.push(&packet, out),
        }
    }

    /// The source ends, or another head follows: what was held is given, however short.
    pub fn finish(&mut self, out: &mut Vec<SourcePacket>) {
        match &mut self.way {
            Way::Untouched => {}
            Way::Blocks(blocks) => blocks.finish(out),
            Way::Exact(exact) => exact.blocks.finish(out),
            Way::Encoded(encoded) => encoded.finish(out),
        }
    }
}

/// Sound that was coded without loss: it is kept as its samples.
struct Exact {
    decoder: Decoder,
    blocks: Blocks,
    bytes: Vec<u8>,
}

impl Exact {
    fn push(&mut self, packet: &SourcePacket, out: &mut Vec<SourcePacket>) -> Result<(), DecodeError> {
        let decoded = self.decoder.exact(&packet.data, &mut self.bytes);
        if decoded.is_err() {
            let head = self.decoder.head();
            self.bytes.clear();
            self.bytes.resize(silent_frames(&self.decoder, packet) * head.frame_bytes(), 0);
        }
        self.blocks.push(packet.time, &self.bytes, out)?;
        decoded
    }
}

/// Sound that was coded with loss: it is kept as Opus.
struct Encoded {
    decoder: Decoder,
    heard: Heard,
    /// Frames that were pushed, at the source's rate, and the packets that hold those which are in no packet yet.
    frames: u64,
    times: Times,
    /// The length of all packets that were given.
    given: Ticks,
}

impl Encoded {
    /// How long each packet is.
    const LENGTH: Ticks = Ticks::from_millis(20);

    fn new(decoder: Decoder) -> Result<Self, DecodeError> {
        let heard = Heard::new(decoder.head())?;
        Ok(Self { decoder, heard, frames: 0, times: Times::default(), given: Ticks::ZERO })
    }

    fn opus_head(&self) -> opus::Head {
        let head = self.decoder.head();
        let pre_skip = u16::try_from(self.heard.delay().get()).expect("it is some milliseconds");
        opus::Head { channels: head.channels(), pre_skip, input_rate: head.rate(), output_gain: 0 }
    }

    fn push(&mut self, packet: &SourcePacket, out: &mut Vec<SourcePacket>) -> Result<(), DecodeError> {
        let channels = usize::from(self.decoder.head().channels());
        let silence;
        let silent = silent_frames(&self.decoder, packet);
        let (sound, decoded) = match self.decoder.floats(&packet.data) {
            Ok(sound) => (sound, Ok(())),
            Err(error) => {
                silence = vec![0.0; silent * channels];
                (&*silence, Err(error))
            }
        };
        // The first packet of Vorbis has no sound of its own.
        if !sound.is_empty() {
            self.times.begin(self.frames, packet.time);
            self.frames += (sound.len() / channels) as u64;
            self.heard.push(sound);
        }
        while self.heard.owed() >= Self::LENGTH {
            self.give(out);
        }
        decoded
    }

    /// Gives what is left, and what is late: silence follows it, up to a whole packet.
    fn finish(&mut self, out: &mut Vec<SourcePacket>) {
        if self.frames == 0 {
            return;
        }
        let end = self.decoder.head().ticks(self.frames).saturating_add(self.heard.delay());
        while self.given < end {
            self.give(out);
        }
    }

    fn give(&mut self, out: &mut Vec<SourcePacket>) {
        let head = self.decoder.head();
        let time = self.times.at(head, head.frames(self.given));
        let data = self.heard.packet(Self::LENGTH);
        self.given = self.given.saturating_add(Self::LENGTH);
        out.push(SourcePacket { time, duration: Self::LENGTH, data, heard: None });
    }
}

/// How many frames of silence stand for this packet.
fn silent_frames(decoder: &Decoder, packet: &SourcePacket) -> usize {
    usize::try_from(decoder.head().frames(packet.duration.min(LONGEST_SILENCE))).unwrap_or(0)
}
