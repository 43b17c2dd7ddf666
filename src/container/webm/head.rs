//! What stands before the first Cluster: the EBML header, Info, Tracks.
//!
//! What belongs here: elements that are collected whole and read once (RFC 8794 §11.2, RFC 9559 §5.1.2 and §5.1.4).

use super::ebml::{Child, Id};
use super::error::{Error, Malformed, Unsupported};
use crate::container::stream::Ignored;
use crate::media::opus;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Track {
    pub number: u64,
    pub head: opus::Head,
}

/// Chooses the first Opus track of a Tracks element; says what else is there.
pub(super) fn choose_track(tracks: &Child<'_>) -> Result<(Track, Option<Ignored>), Error> {
    let mut chosen = None;
    let mut other_codec = None;
    let mut ignored = Ignored { audio: 0, video: 0, other: 0 };
    for child in tracks.children() {
        let child = child?;
        if child.id != Id::TRACK_ENTRY {
            continue;
        }
        let entry = Entry::read(&child)?;
        match entry.kind {
            Entry::AUDIO if chosen.is_none() && entry.codec == "A_OPUS" => chosen = Some(entry.into_track(&child)?),
            Entry::AUDIO => {
                ignored.audio += 1;
                other_codec.get_or_insert((child, entry.codec));
            }
            Entry::VIDEO => ignored.video += 1,
            _ => ignored.other += 1,
        }
    }
    match (chosen, other_codec) {
        (Some(track), _) => {
            let any = ignored != Ignored { audio: 0, video: 0, other: 0 };
            Ok((track, any.then_some(ignored)))
        }
        (None, Some((entry, codec))) => Err(unsupported(&entry, Unsupported::Codec(codec))),
        (None, None) => Err(unsupported(tracks, Unsupported::NoAudio)),
    }
}

/// What we read of a TrackEntry.
struct Entry<'a> {
    number: u64,
    kind: u64,
    codec: String,
    private: Option<Child<'a>>,
    encodings: Option<Child<'a>>,
}

impl<'a> Entry<'a> {
    /// TrackType of video and of audio (RFC 9559 §5.1.4.1.3).
    const VIDEO: u64 = 1;
    const AUDIO: u64 = 2;

    fn read(entry: &Child<'a>) -> Result<Self, Error> {
        let mut read = Self { number: 0, kind: 0, codec: String::new(), private: None, encodings: None };
        for child in entry.children() {
            let child = child?;
            match child.id {
                Id::TRACK_NUMBER => read.number = child.unsigned()?,
                Id::TRACK_TYPE => read.kind = child.unsigned()?,
                Id::CODEC_ID => read.codec = child.text(),
                Id::CODEC_PRIVATE => read.private = Some(child),
                Id::CONTENT_ENCODINGS => read.encodings = Some(child),
                _ => {}
            }
        }
        Ok(read)
    }

    /// The track of an Opus entry.
    fn into_track(self, entry: &Child<'_>) -> Result<Track, Error> {
        if let Some(encodings) = &self.encodings {
            return Err(unsupported(encodings, Unsupported::Encoded));
        }
        if self.number == 0 {
            return Err(entry.malformed(Malformed::Missing(Id::TRACK_NUMBER)));
        }
        let private = self.private.ok_or_else(|| entry.malformed(Malformed::Missing(Id::CODEC_PRIVATE)))?;
        let head = opus::Head::parse(private.data).map_err(|error| match error {
            opus::HeadError::Family(_) | opus::HeadError::Version(_) => unsupported(&private, Unsupported::Head(error)),
            _ => private.malformed(Malformed::Head(error)),
        })?;
        Ok(Track { number: self.number, head })
    }
}

fn unsupported(element: &Child<'_>, what: Unsupported) -> Error {
    Error::Unsupported { offset: element.offset, element: Some(element.id), what }
}
