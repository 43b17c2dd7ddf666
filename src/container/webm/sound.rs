//! The codecs that a track may have, and how a frame of each becomes a packet (Matroska codec specifications,
//! draft-ietf-cellar-codec).
//!
//! What belongs here: CodecID and CodecPrivate to a source, frames to packets with their lengths. What does not: blocks and
//! their times.

use bytes::Bytes;

use super::error::{Malformed, Unsupported};
use crate::container::counter::Counter;
use crate::container::flac::{self, StreamInfo};
use crate::container::{aac, mp3, vorbis};
use crate::media::opus;
use crate::media::pcm::{self, Sample};
use crate::media::source::{Codec, Coded, Source};
use crate::media::time::Ticks;

/// What a TrackEntry says of its sound.
pub(super) struct Said<'a> {
    pub codec: &'a str,
    /// CodecPrivate; empty where there is none.
    pub private: &'a [u8],
    /// SamplingFrequency in Hz, to the nearest.
    pub rate: u32,
    /// Channels.
    pub channels: u64,
    /// BitDepth, 0 where it is not said.
    pub bits: u64,
}

/// How a track's frames become packets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sound {
    /// Each is a packet, which tells its length.
    Opus,
    /// Each is frames of samples.
    Pcm { head: pcm::Head, counter: Counter, coding: Coding },
    /// Each is a packet, which tells its frames.
    Flac(Counter),
    /// Each is a packet of so many frames, whatever it says.
    Aac(Counter),
    /// Each is a packet, whose frames follow from the headers and the packet before.
    Vorbis { headers: vorbis::Headers, counter: Counter, previous: Option<vorbis::Block> },
    /// Each is a packet, which tells its frames.
    Mp3(Counter),
}

/// How plain samples stand in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As we keep them.
    Little,
    /// The highest byte first.
    Big,
    /// Bytes around 128, which become 16 bits around 0.
    Unsigned,
}

/// Why a track's sound is not read.
pub(super) enum Refused {
    /// Another track may be.
    Unsupported(Unsupported),
    /// What should describe it is broken.
    Malformed(Malformed),
}

impl From<Unsupported> for Refused {
    fn from(what: Unsupported) -> Self {
        Self::Unsupported(what)
    }
}

impl From<pcm::Unfit> for Refused {
    fn from(unfit: pcm::Unfit) -> Self {
        Self::Unsupported(Unsupported::Sound(unfit))
    }
}

impl From<opus::HeadError> for Refused {
    fn from(error: opus::HeadError) -> Self {
        if error.is_unsupported() { Unsupported::Head(error).into() } else { Self::Malformed(Malformed::Head(error)) }
    }
}

impl From<aac::Error> for Refused {
    fn from(error: aac::Error) -> Self {
        if error.is_unsupported() { Unsupported::Aac(error).into() } else { Self::Malformed(Malformed::Aac(error)) }
    }
}

impl From<vorbis::Error> for Refused {
    fn from(error: vorbis::Error) -> Self {
        if error.is_unsupported() {
            Unsupported::Vorbis(error).into()
        } else {
            Self::Malformed(Malformed::Vorbis(error))
        }
    }
}

impl Sound {
    /// The source that a track is, and how its frames are read.
    pub fn new(said: &Said<'_>) -> Result<(Source, Self), Refused> {
        let channels = u32::try_from(said.channels).unwrap_or(u32::MAX);
        let coded = |codec, counter: Counter, private: &[u8]| {
            let (rate, channels) = (counter.rate(), counter.channels());
            Source::Coded(Coded { codec, rate, channels, private: Bytes::copy_from_slice(private) })
        };
        match said.codec {
            "A_OPUS" => Ok((Source::Opus(opus::Head::parse(said.private)?), Self::Opus)),
            "A_PCM/INT/LIT" | "A_PCM/INT/BIG" | "A_PCM/FLOAT/IEEE" => {
                let (sample, coding) = samples(said)?;
                let head = pcm::Head::new(sample, said.rate, channels)?;
                Ok((Source::Pcm(head), Self::Pcm { head, counter: Counter::new(head), coding }))
            }
            "A_FLAC" => {
                let no_info = || Refused::Malformed(Malformed::StreamInfo);
                let private = StreamInfo::behind_marker(said.private).ok_or_else(no_info)?;
                let info = StreamInfo::read(private).ok_or_else(no_info)?;
                let counter = Counter::new(info.head().map_err(Unsupported::Flac)?);
                Ok((coded(Codec::Flac, counter, private), Self::Flac(counter)))
            }
            "A_VORBIS" => {
                let (ident, setup) = vorbis::laced(said.private)?;
                let headers = vorbis::Headers::parse(ident, setup)?;
                let counter = Counter::new(headers.sound);
                let source = coded(Codec::Vorbis, counter, &[ident, setup].concat());
                Ok((source, Self::Vorbis { headers, counter, previous: None }))
            }
            "A_AAC" => {
                let counter = aac::parse(said.private)?;
                Ok((coded(Codec::Aac, counter, said.private), Self::Aac(counter)))
            }
            "A_MPEG/L3" => {
                let counter = Counter::of(said.rate, channels)?;
                Ok((coded(Codec::Mp3, counter, &[]), Self::Mp3(counter)))
            }
            other => Err(Unsupported::Codec(other.to_owned()).into()),
        }
    }

    /// The packet that a frame is, and how long it sounds; none where the frame is empty, and may be.
    pub fn packet(&mut self, frame: &[u8]) -> Result<Option<(Bytes, Ticks)>, Malformed> {
        // A copy, so that a packet that is kept for long keeps no megabyte of video alive.
        let whole = |duration| Ok(Some((Bytes::copy_from_slice(frame), duration)));
        match self {
            Self::Opus => whole(opus::duration(frame).map_err(Malformed::Packet)?),
            Self::Pcm { head, counter, coding } => {
                let bytes = if *coding == Coding::Unsigned { head.channels().into() } else { head.frame_bytes() };
                if !frame.len().is_multiple_of(bytes) {
                    return Err(Malformed::Samples { block: frame.len(), frame: bytes });
                }
                let frames = frame.len() / bytes;
                let samples = coding.little(frame, head.sample());
                Ok((frames > 0).then(|| (samples, counter.count(frames as u64))))
            }
            Self::Flac(counter) => whole(counter.count(flac::frame_frames(frame).ok_or(Malformed::FlacFrame)?.into())),
            Self::Aac(_) if frame.is_empty() => Err(Malformed::Empty),
            Self::Aac(counter) => whole(counter.count(aac::FRAMES)),
            Self::Vorbis { headers, counter, previous } => {
                whole(counter.count(headers.duration(previous, frame).map_err(Malformed::Vorbis)?))
            }
            Self::Mp3(counter) => {
                let kind = mp3::kind(frame).ok_or(Malformed::Mp3Frame)?;
                if kind.rate != counter.rate() {
                    return Err(Malformed::Mp3Rate { frame: kind.rate, track: counter.rate() });
                }
                whole(counter.count(kind.frames()))
            }
        }
    }
}

/// How the samples of a PCM track are written, and how they are kept.
fn samples(said: &Said<'_>) -> Result<(Sample, Coding), Unsupported> {
    let coding = if said.codec.ends_with("BIG") { Coding::Big } else { Coding::Little };
    Ok(match (said.codec, said.bits) {
        ("A_PCM/FLOAT/IEEE", 32) => (Sample::F32, Coding::Little),
        ("A_PCM/FLOAT/IEEE", _) => return Err(Unsupported::Bits(said.codec.to_owned(), said.bits)),
        (_, 8) => (Sample::S16, Coding::Unsigned),
        (_, 16) => (Sample::S16, coding),
        (_, 24) => (Sample::S24, coding),
        (_, 32) => (Sample::S32, coding),
        _ => return Err(Unsupported::Bits(said.codec.to_owned(), said.bits)),
    })
}

impl Coding {
    /// The samples as we keep them.
    fn little(self, block: &[u8], sample: Sample) -> Bytes {
        match self {
            Self::Little => Bytes::copy_from_slice(block),
            Self::Big => {
                let mut block = block.to_vec();
                block.chunks_exact_mut(sample.bytes()).for_each(<[u8]>::reverse);
                block.into()
            }
            // The sign bit is the other way round, and full scale stays full scale.
            Self::Unsigned => block.iter().flat_map(|byte| [0, byte ^ 0x80]).collect::<Vec<_>>().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_every_kind_are_kept_as_we_write_them() {
        let kept = |codec, bits, block: &[u8]| {
            let said = Said { codec, private: &[], rate: 8000, channels: 1, bits };
            let Ok((Source::Pcm(head), mut sound)) = Sound::new(&said) else { panic!("{codec}") };
            let (bytes, duration) = sound.packet(block).unwrap_or_else(|error| panic!("{error}")).unwrap();
            assert_eq!(duration, Ticks::new(12));
            (head.sample(), bytes.to_vec())
        };
        assert_eq!(kept("A_PCM/INT/LIT", 8, &[0, 255]), (Sample::S16, vec![0, 0x80, 0, 0x7F]));
        assert_eq!(kept("A_PCM/INT/BIG", 8, &[128, 127]), (Sample::S16, vec![0, 0, 0, 0xFF]));
        assert_eq!(kept("A_PCM/INT/LIT", 16, &[1, 2, 3, 4]), (Sample::S16, vec![1, 2, 3, 4]));
        assert_eq!(kept("A_PCM/INT/BIG", 16, &[1, 2, 3, 4]), (Sample::S16, vec![2, 1, 4, 3]));
        assert_eq!(kept("A_PCM/INT/BIG", 24, &[1, 2, 3, 4, 5, 6]), (Sample::S24, vec![3, 2, 1, 6, 5, 4]));
        let block = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(kept("A_PCM/INT/BIG", 32, &block), (Sample::S32, vec![4, 3, 2, 1, 8, 7, 6, 5]));
        assert_eq!(kept("A_PCM/FLOAT/IEEE", 32, &block), (Sample::F32, block.to_vec()));
    }

    #[test]
    fn a_block_of_half_a_frame_is_broken_and_an_empty_one_is_nothing() {
        let said = Said { codec: "A_PCM/INT/LIT", private: &[], rate: 8000, channels: 2, bits: 16 };
        let Ok((_, mut sound)) = Sound::new(&said) else { panic!() };
        assert_eq!(sound.packet(&[0; 6]), Err(Malformed::Samples { block: 6, frame: 4 }));
        assert_eq!(sound.packet(&[]), Ok(None));
    }
}
