//! `/recordings/{id}/tracks/{number}.ogg` and `.wav`: a track as it is kept, or one of its parts; in the other of the two, or
//! where its parts are of several kinds, as it is derived.
//!
//! What belongs here: which file there is of a track, and the way to it for whoever asks for another. What does not: how it is
//! sent (`download.rs`).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::super::Here;
use super::super::problem::{Kind, Problem};
use super::super::query::Query;
use super::download::{self, Served};
use super::recordings;
use crate::archive::model::{Container, Derived, RecordingId};
use crate::archive::{self, TrackSound};
use crate::media::pcm;
use crate::media::track::{Format, TrackNumber};

/// Which part, from 1; all of them, where it does not say.
#[derive(Debug, Deserialize)]
pub struct Which {
    part: Option<u32>,
}

/// The number of a track, as it stands in an address: what is no number is no track.
pub fn number(number: &str) -> Result<TrackNumber, Problem> {
    let number = number.parse().map_err(|_| archive::Error::NotFound)?;
    Ok(TrackNumber::new(number))
}

/// What a track's files are, if all are of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Ogg Opus: one behind the other they are one file (RFC 3533 §4).
    Ogg,
    /// WAV with this head in all of them.
    Wav(pcm::Head),
    /// Not of one kind: each part is a file by itself.
    Apart,
}

impl Kept {
    /// What these parts are.
    pub fn of<'a>(formats: impl IntoIterator<Item = &'a Format>) -> Self {
        let kind = |format: &Format| match format {
            Format::Opus(_) => Self::Ogg,
            Format::Pcm(head) => Self::Wav(*head),
        };
        let one = formats.into_iter().map(kind).reduce(|one, other| if one == other { one } else { Self::Apart });
        one.unwrap_or(Self::Apart)
    }

    /// What the file's name ends with.
    pub const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Ogg => Some("ogg"),
            Self::Wav(_) => Some("wav"),
            Self::Apart => None,
        }
    }
}

/// The address of a track's file, without its extension.
pub fn address(id: RecordingId, track: TrackNumber) -> String {
    format!("/api/v1/recordings/{id}/tracks/{track}")
}

pub async fn ogg(
    request: HttpRequest,
    edge: Here,
    path: web::Path<(String, String)>,
    Query(Which { part }): Query<Which>,
) -> Result<HttpResponse, Problem> {
    let (id, track) = (path.0.parse()?, number(&path.1)?);
    let sound = chosen(edge.archive.track_sound(id, track).await?, part)?;
    match Kept::of(sound.parts.iter().map(|part| &part.format)) {
        Kept::Ogg => download::answer(&request, Served::ogg(id, track, part, sound)),
        _ if part.is_none() => recordings::derived(&request, &edge, id, Derived::Track(track, Container::Ogg)).await,
        other => Err(elsewhere(id, track, part, &sound, other)),
    }
}

pub async fn wav(
    request: HttpRequest,
    edge: Here,
    path: web::Path<(String, String)>,
    Query(Which { part }): Query<Which>,
) -> Result<HttpResponse, Problem> {
    let (id, track) = (path.0.parse()?, number(&path.1)?);
    let sound = chosen(edge.archive.track_sound(id, track).await?, part)?;
    match Kept::of(sound.parts.iter().map(|part| &part.format)) {
        Kept::Wav(head) => download::answer(&request, Served::wav(id, track, part, head, sound)),
        _ if part.is_none() => recordings::derived(&request, &edge, id, Derived::Track(track, Container::Wav)).await,
        other => Err(elsewhere(id, track, part, &sound, other)),
    }
}

/// The parts that are asked for.
fn chosen(mut sound: TrackSound, part: Option<u32>) -> Result<TrackSound, Problem> {
    let Some(part) = part else { return Ok(sound) };
    let numbers: Vec<_> = sound.parts.iter().map(|part| part.number.to_string()).collect();
    sound.parts.retain(|one| one.number == part);
    if sound.parts.is_empty() {
        let detail = format!("There is no part {part}: the track's parts are {}.", numbers.join(", "));
        return Err(Problem::new(Kind::RecordingNotFound, detail));
    }
    Ok(sound)
}

/// Where there is the part that somebody asked for as what it is not.
fn elsewhere(id: RecordingId, track: TrackNumber, part: Option<u32>, sound: &TrackSound, kept: Kept) -> Problem {
    let address = address(id, track);
    let query = part.map(|part| format!("?part={part}")).unwrap_or_default();
    let made = format!("All of the track, once the recording has ended: {address}.ogg, {address}.webm, {address}.wav.");
    let detail = match kept {
        Kept::Ogg => format!("The track is kept as Opus: {address}.ogg{query}. {made}"),
        Kept::Wav(head) => format!("The track is kept as plain samples ({head}): {address}.wav{query}. {made}"),
        Kept::Apart => {
            let parts = sound.parts.iter().map(|part| {
                let (what, extension) = match &part.format {
                    Format::Opus(_) => ("Opus".to_owned(), "ogg"),
                    Format::Pcm(head) => (head.to_string(), "wav"),
                };
                format!("part {} ({what}): {address}.{extension}?part={}", part.number, part.number)
            });
            let parts: Vec<_> = parts.collect();
            format!(
                "The parts of the track are kept in different formats, so that each is a file: {}. {made}",
                parts.join("; ")
            )
        }
    };
    Problem::new(Kind::OtherFormat, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::opus;
    use crate::media::pcm::Sample;

    #[test]
    fn parts_are_one_file_where_one_head_stands_for_all_of_them() {
        let opus = |channels| Format::Opus(opus::Head { channels, pre_skip: 0, input_rate: 0, output_gain: 0 });
        let head = |rate| pcm::Head::new(Sample::S16, rate, 1).unwrap();
        let wav = |rate| Format::Pcm(head(rate));
        assert_eq!(Kept::of(&[opus(1), opus(2)]), Kept::Ogg);
        assert_eq!(Kept::of(&[wav(8000), wav(8000)]), Kept::Wav(head(8000)));
        assert_eq!(Kept::of(&[wav(8000), wav(8001)]), Kept::Apart);
        assert_eq!(Kept::of(&[wav(8000), opus(1), wav(8000)]), Kept::Apart);
        assert_eq!(Kept::of(&[]), Kept::Apart);
    }
}
