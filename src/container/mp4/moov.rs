//! `moov`: which tracks there are, and what fragments take over from it (ISO/IEC 14496-12 §8.2 to §8.5, §8.8.1 to §8.8.3).

use super::boxes::{Kind, Whole};
use super::error::{Error, Malformed, Unsupported};
use super::sound::{self, Sound, unsupported};
use crate::container::stream::Ignored;
use crate::media::source::Source;

/// The track that we demux.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub id: u32,
    /// Units of time in a second, never 0.
    pub timescale: u32,
    pub sound: Sound,
    pub defaults: Defaults,
}

/// What samples have where a fragment does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    /// In units of the timescale.
    pub duration: u32,
    /// In bytes.
    pub size: u32,
}

/// What a `moov` says.
pub(super) struct Movie {
    pub track: Track,
    pub source: Source,
    /// What else is there.
    pub ignored: Option<Ignored>,
}

/// Chooses the first audio track that we read; says what else is there. Where we read none, the first is the reason.
pub(super) fn read(moov: &Whole<'_>) -> Result<Movie, Error> {
    let mut chosen: Option<(Track, Source)> = None;
    let mut refused = None;
    let mut extends = None;
    let mut ignored = Ignored { audio: 0, video: 0, other: 0 };
    for child in moov.children() {
        let child = child?;
        match &child.kind.0 {
            b"mvex" => extends = Some(child),
            b"trak" => match handler(&child)? {
                sound::SOUND if chosen.is_some() => ignored.audio += 1,
                sound::SOUND => match track(&child) {
                    Ok(track) => chosen = Some(track),
                    Err(error @ Error::Unsupported { .. }) => {
                        ignored.audio += 1;
                        refused.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                },
                Kind([b'v', b'i', b'd', b'e']) => ignored.video += 1,
                _ => ignored.other += 1,
            },
            _ => {}
        }
    }
    let Some(extends) = extends else { return Err(unsupported(moov, Unsupported::Unfragmented)) };
    let Some((mut track, source)) = chosen else {
        return Err(refused.unwrap_or_else(|| unsupported(moov, Unsupported::NoAudio)));
    };
    track.defaults = defaults(&extends, track.id)?;
    let any = ignored != Ignored { audio: 0, video: 0, other: 0 };
    Ok(Movie { track, source, ignored: any.then_some(ignored) })
}

/// What kind of track it is (§8.4.3).
fn handler(trak: &Whole<'_>) -> Result<Kind, Error> {
    let (_, _, mut fields) = trak.child(b"mdia")?.child(b"hdlr")?.full()?;
    fields.u32()?;
    fields.kind()
}

/// Reads an audio track.
fn track(trak: &Whole<'_>) -> Result<(Track, Source), Error> {
    let id = after_dates(&trak.child(b"tkhd")?)?;
    let media = trak.child(b"mdia")?;
    let header = media.child(b"mdhd")?;
    let timescale = after_dates(&header)?;
    if timescale == 0 {
        return Err(header.malformed(Malformed::Timescale));
    }
    let table = media.child(b"minf")?.child(b"stbl")?;
    let (source, sound) = sound::read(&table.child(b"stsd")?)?;
    for child in table.children() {
        let child = child?;
        // Sizes of samples that lie outside of fragments (§8.7.3).
        if [b"stsz", b"stz2"].contains(&&child.kind.0) {
            let (_, _, mut fields) = child.full()?;
            fields.u32()?;
            if fields.u32()? != 0 {
                return Err(unsupported(&child, Unsupported::Unfragmented));
            }
        }
    }
    Ok((Track { id, timescale, sound, defaults: Defaults::default() }, source))
}

/// The number behind two dates, which are longer in version 1: of `tkhd` the track's ID (§8.3.2), of `mdhd` the timescale
/// (§8.4.2).
fn after_dates(element: &Whole<'_>) -> Result<u32, Error> {
    let (version, _, mut fields) = element.full()?;
    fields.bytes(if version == 1 { 16 } else { 8 })?;
    fields.u32()
}

/// What a track's fragments take over (§8.8.3).
fn defaults(extends: &Whole<'_>, track: u32) -> Result<Defaults, Error> {
    for child in extends.children() {
        let child = child?;
        if child.kind.0 == *b"trex" {
            let (_, _, mut fields) = child.full()?;
            let id = fields.u32()?;
            fields.u32()?;
            if id == track {
                return Ok(Defaults { duration: fields.u32()?, size: fields.u32()? });
            }
        }
    }
    Err(extends.malformed(Malformed::Missing(Kind(*b"trex"))))
}
