//! What stands before the first Cluster: the EBML header, Info, Tracks.
//!
//! What belongs here: elements that are collected whole and read once (RFC 8794 §11.2, RFC 9559 §5.1.2 and §5.1.4).

use super::ebml::{Child, Id};
use super::error::{Error, Malformed, Unsupported};
use super::sound::{Refused, Said, Sound};
use crate::container::stream::Ignored;
use crate::media::source::Source;

/// Nanoseconds of one unit of time, where Info does not say (RFC 9559 §5.1.2.9).
pub(super) const DEFAULT_SCALE: u64 = 1_000_000;

/// Checks that we can read what the EBML header announces.
pub(super) fn check_ebml(ebml: &Child<'_>) -> Result<(), Error> {
    let mut doc_type = None;
    for child in ebml.children() {
        let child = child?;
        let accepted = match child.id {
            Id::EBML_READ_VERSION => 1,
            Id::EBML_MAX_ID_LENGTH | Id::DOC_TYPE_READ_VERSION => 4,
            Id::EBML_MAX_SIZE_LENGTH => 8,
            Id::DOC_TYPE => {
                doc_type = Some(child);
                continue;
            }
            _ => continue,
        };
        let asked = child.unsigned()?;
        if asked > accepted {
            return Err(unsupported(&child, Unsupported::Version { asked, accepted }));
        }
    }
    let doc_type = doc_type.ok_or_else(|| ebml.malformed(Malformed::Missing(Id::DOC_TYPE)))?;
    match doc_type.text().as_str() {
        "webm" | "matroska" => Ok(()),
        other => Err(unsupported(&doc_type, Unsupported::DocType(other.to_owned()))),
    }
}

/// Reads the TimestampScale of an Info: nanoseconds of one unit, never 0.
pub(super) fn timestamp_scale(info: &Child<'_>) -> Result<u64, Error> {
    let mut scale = DEFAULT_SCALE;
    for child in info.children() {
        let child = child?;
        if child.id == Id::TIMESTAMP_SCALE {
            scale = child.unsigned()?;
            if scale == 0 {
                return Err(child.malformed(Malformed::Zero));
            }
        }
    }
    Ok(scale)
}

/// The track that we demux.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub number: u64,
    pub sound: Sound,
}

/// What a Tracks element says.
pub(super) struct Tracks {
    pub track: Track,
    pub source: Source,
    /// What else is there.
    pub ignored: Option<Ignored>,
}

/// Chooses the first audio track of a Tracks element that we read; says what else is there. Where we read none, the first
/// is the reason.
pub(super) fn choose_track(tracks: &Child<'_>) -> Result<Tracks, Error> {
    let mut chosen = None;
    let mut refused = None;
    let mut ignored = Ignored { audio: 0, video: 0, other: 0 };
    for child in tracks.children() {
        let child = child?;
        if child.id != Id::TRACK_ENTRY {
            continue;
        }
        let entry = Entry::read(&child)?;
        match entry.kind {
            Entry::AUDIO if chosen.is_some() => ignored.audio += 1,
            Entry::AUDIO => match entry.into_track(&child) {
                Ok(track) => chosen = Some(track),
                Err(error @ Error::Unsupported { .. }) => {
                    ignored.audio += 1;
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            },
            Entry::VIDEO => ignored.video += 1,
            _ => ignored.other += 1,
        }
    }
    let Some((track, source)) = chosen else {
        return Err(refused.unwrap_or_else(|| unsupported(tracks, Unsupported::NoAudio)));
    };
    let any = ignored != Ignored { audio: 0, video: 0, other: 0 };
    Ok(Tracks { track, source, ignored: any.then_some(ignored) })
}

/// What we read of a TrackEntry.
struct Entry<'a> {
    number: u64,
    kind: u64,
    codec: String,
    private: Option<Child<'a>>,
    encodings: Option<Child<'a>>,
    /// Hz (RFC 9559 §5.1.4.1.29.1).
    rate: u32,
    channels: u64,
    bits: u64,
}

impl<'a> Entry<'a> {
    /// TrackType of video and of audio (RFC 9559 §5.1.4.1.3).
    const VIDEO: u64 = 1;
    const AUDIO: u64 = 2;

    fn read(entry: &Child<'a>) -> Result<Self, Error> {
        let mut read = Self {
            number: 0,
            kind: 0,
            codec: String::new(),
            private: None,
            encodings: None,
            rate: 8000,
            channels: 1,
            bits: 0,
        };
        for child in entry.children() {
            let child = child?;
            match child.id {
                Id::TRACK_NUMBER => read.number = child.unsigned()?,
                Id::TRACK_TYPE => read.kind = child.unsigned()?,
                Id::CODEC_ID => read.codec = child.text(),
                Id::CODEC_PRIVATE => read.private = Some(child),
                Id::CONTENT_ENCODINGS => read.encodings = Some(child),
                Id::AUDIO => read.audio(&child)?,
                _ => {}
            }
        }
        Ok(read)
    }

    /// Reads an Audio element, whose rate and channels have defaults (RFC 9559 §5.1.4.1.29).
    fn audio(&mut self, audio: &Child<'_>) -> Result<(), Error> {
        for child in audio.children() {
            let child = child?;
            match child.id {
                Id::SAMPLING_FREQUENCY => {
                    self.rate = child.float().and_then(hertz).ok_or_else(|| child.malformed(Malformed::Rate))?;
                }
                Id::CHANNELS => self.channels = child.unsigned()?,
                Id::BIT_DEPTH => self.bits = child.unsigned()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The track of an audio entry.
    fn into_track(self, entry: &Child<'_>) -> Result<(Track, Source), Error> {
        if let Some(encodings) = &self.encodings {
            return Err(unsupported(encodings, Unsupported::Encoded));
        }
        if self.number == 0 {
            return Err(entry.malformed(Malformed::Missing(Id::TRACK_NUMBER)));
        }
        if self.private.is_none() && ["A_OPUS", "A_FLAC", "A_VORBIS", "A_AAC"].contains(&self.codec.as_str()) {
            return Err(entry.malformed(Malformed::Missing(Id::CODEC_PRIVATE)));
        }
        let private = self.private.map_or(&[][..], |private| private.data);
        let (codec, rate, channels, bits) = (self.codec.as_str(), self.rate, self.channels, self.bits);
        let (source, sound) = Sound::new(&Said { codec, private, rate, channels, bits }).map_err(|refused| {
            let element = self.private.as_ref().unwrap_or(entry);
            match refused {
                Refused::Unsupported(what @ Unsupported::Codec(_)) => unsupported(entry, what),
                Refused::Unsupported(what) => unsupported(element, what),
                Refused::Malformed(what) => element.malformed(what),
            }
        })?;
        Ok((Track { number: self.number, sound }, source))
    }
}

/// A rate to the nearest Hz; `None` where it is none.
fn hertz(rate: f64) -> Option<u32> {
    let rate = rate.round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, and whole")]
    (0.0..=f64::from(u32::MAX)).contains(&rate).then_some(rate as u32)
}

fn unsupported(element: &Child<'_>, what: Unsupported) -> Error {
    Error::Unsupported { offset: element.offset, element: Some(element.id), what }
}
