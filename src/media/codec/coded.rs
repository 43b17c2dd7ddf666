//! AAC, FLAC, MP3 and Vorbis by `symphonia`'s decoders; its readers of containers are not used.
//!
//! What belongs here: the library kept at arm's length, and what it must be told. What does not: which samples a track keeps
//! of it (`transcode`), Opus.
//!
//! Memory: what the library makes of the codec's own head, bounded before it does (`vorbis_setup` for the codec whose head
//! could ask for anything), and the sound of one packet: 65535 frames of FLAC, 8192 of Vorbis, 1152 of MP3, 1024 of AAC.

use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia_bundle_flac::FlacDecoder;
use symphonia_bundle_mp3::MpaDecoder;
use symphonia_codec_aac::AacDecoder;
use symphonia_codec_vorbis::VorbisDecoder;
use symphonia_core::audio::GenericAudioBufferRef;
use symphonia_core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use super::pcm::finite;
use super::{DecodeError, vorbis_setup};
use crate::media::pcm::{Head, Sample};
use crate::media::source::{Codec, Coded};

/// Decodes one stream of packets to frames of its own rate.
pub struct Decoder {
    coded: Coded,
    library: Box<dyn AudioDecoder>,
    head: Head,
    /// Bits of a sample, where they are whole numbers.
    bits: u32,
    floats: Vec<f32>,
    integers: Vec<i32>,
}

impl Decoder {
    /// A decoder for a stream that begins.
    ///
    /// # Errors
    /// Where the library, or we, do not read what the head says, with a sentence about what is read.
    pub fn new(coded: &Coded) -> Result<Self, DecodeError> {
        if coded.codec == Codec::Vorbis {
            vorbis_setup::check(&coded.private)?;
        }
        let library = begin(coded)?;
        let (rate, channels) = match library.last_decoded() {
            // MP3 says in its packets what it is.
            buffer if buffer.is_unused() => (coded.rate, coded.channels.into()),
            buffer => (buffer.spec().rate(), u32::try_from(buffer.num_planes()).unwrap_or(u32::MAX)),
        };
        let bits = if coded.codec == Codec::Flac { library.codec_params().bits_per_sample.unwrap_or(0) } else { 0 };
        let sample = match (coded.codec, bits) {
            (Codec::Flac, 4..=16) => Sample::S16,
            (Codec::Flac, 17..=24) => Sample::S24,
            (Codec::Flac, _) => return Err(DecodeError::Bits(bits)),
            _ => Sample::F32,
        };
        let head = Head::new(sample, rate, channels)?;
        Ok(Self { coded: coded.clone(), library, head, bits, floats: Vec::new(), integers: Vec::new() })
    }

    /// What its sound is: whole numbers for FLAC, floats for the others.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Decodes a packet to samples, full scale being 1, its channels interleaved. What is no number is silence.
    ///
    /// # Errors
    /// Where it is none. The next may follow.
    pub fn floats(&mut self, packet: &[u8]) -> Result<&[f32], DecodeError> {
        let floats = &mut self.floats;
        decode(&mut self.library, self.head, packet, |buffer| buffer.copy_to_vec_interleaved(floats))
            .or_else(|error| self.mend(error))?;
        for sample in &mut self.floats {
            *sample = finite(*sample);
        }
        Ok(&self.floats)
    }

    /// Decodes a packet to the bytes of its samples, exactly: those of fewer bits are louder by what the others have more.
    ///
    /// # Errors
    /// Where it is none. The next may follow.
    pub fn exact(&mut self, packet: &[u8], bytes: &mut Vec<u8>) -> Result<(), DecodeError> {
        flac_header(self.head, self.bits, packet)?;
        let integers = &mut self.integers;
        decode(&mut self.library, self.head, packet, |buffer| buffer.copy_to_vec_interleaved(integers))
            .or_else(|error| self.mend(error))?;
        // Every sample has 32 bits, of which the lowest are 0.
        let skip = 4 - self.head.sample().bytes();
        bytes.clear();
        bytes.extend(self.integers.iter().flat_map(|sample| sample.to_le_bytes().into_iter().skip(skip)));
        Ok(())
    }

    /// After a failure the library may be in any state: it is as if nothing had come before.
    fn mend(&mut self, error: DecodeError) -> Result<(), DecodeError> {
        match &error {
            DecodeError::Fell => {
                let library = &mut self.library;
                if catch_unwind(AssertUnwindSafe(|| library.reset())).is_err() {
                    self.library = begin(&self.coded)?;
                }
            }
            // It keeps to what its first packet said.
            DecodeError::Changed { .. } => self.library = begin(&self.coded)?,
            // To that packet's elements, too, were it damaged: what is good would be refused for ever (ISO/IEC 14496-3 §4.4.2.1).
            DecodeError::Refused(_) if self.coded.codec == Codec::Aac => self.library = begin(&self.coded)?,
            _ => {}
        }
        Err(error)
    }
}

fn decode(
    library: &mut Box<dyn AudioDecoder>,
    head: Head,
    packet: &[u8],
    take: impl FnOnce(GenericAudioBufferRef<'_>),
) -> Result<(), DecodeError> {
    let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, packet);
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let buffer = library.decode_ref(&packet).map_err(|error| DecodeError::Refused(error.to_string()))?;
        let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
        if rate != head.rate() || channels != usize::from(head.channels()) {
            return Err(DecodeError::Changed { rate, channels });
        }
        take(buffer);
        Ok(())
    }));
    decoded.unwrap_or(Err(DecodeError::Fell))
}

fn begin(coded: &Coded) -> Result<Box<dyn AudioDecoder>, DecodeError> {
    let mut told = AudioCodecParameters::new();
    told.with_sample_rate(coded.rate);
    if !coded.private.is_empty() {
        told.with_extra_data(coded.private.to_vec().into());
    }
    let options = AudioDecoderOptions::default();
    let begun = catch_unwind(AssertUnwindSafe(|| -> symphonia_core::errors::Result<Box<dyn AudioDecoder>> {
        Ok(match coded.codec {
            Codec::Aac => Box::new(AacDecoder::try_new(told.for_codec(CODEC_ID_AAC), &options)?),
            Codec::Flac => Box::new(FlacDecoder::try_new(told.for_codec(CODEC_ID_FLAC), &options)?),
            Codec::Mp3 => Box::new(MpaDecoder::try_new(told.for_codec(CODEC_ID_MP3), &options)?),
            Codec::Vorbis => Box::new(VorbisDecoder::try_new(told.for_codec(CODEC_ID_VORBIS), &options)?),
            Codec::Opus | Codec::Pcm => {
                return symphonia_core::errors::unsupported_error("opus and pcm have decoders of their own");
            }
        })
    }));
    match begun {
        Ok(Ok(library)) => Ok(library),
        Ok(Err(error)) => Err(DecodeError::Head { codec: coded.codec, why: error.to_string() }),
        Err(_) => Err(DecodeError::Fell),
    }
}

/// Sees that a FLAC frame is of the channels and bits that STREAMINFO tells (RFC 9639 §9.1.3, §9.1.4): the library takes
/// others, and would leave channels as they were.
fn flac_header(head: Head, bits: u32, packet: &[u8]) -> Result<(), DecodeError> {
    let &[0xFF, sync, _, layout, ..] = packet else { return Err(DecodeError::Frame) };
    if sync & 0xFE != 0xF8 {
        return Err(DecodeError::Frame);
    }
    let channels = match layout >> 4 {
        independent @ 0..=7 => independent + 1,
        _ => 2,
    };
    let told = [bits, 8, 12, 0, 16, 20, 24, 32][usize::from(layout >> 1 & 0b111)];
    if channels != head.channels() || told != bits {
        return Err(DecodeError::Frame);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
