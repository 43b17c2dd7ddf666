//! `/recordings/{id}/tracks/{number}.ogg` and its like: a track as it is kept, or one of its parts; in any other container, where its
//! parts are of several kinds, or where something is chosen of it, as it is derived.
//!
//! What belongs here: which file there is of a track, and the way to it for whoever asks for another. What does not: how it is
//! sent (`download.rs`).

use actix_web::{HttpRequest, web};
use futures_util::FutureExt as _;

use super::super::Here;
use super::super::problem::{Kind, Problem};
use super::super::query::Query;
use super::download::{self, Served};
use super::recordings::{self, Answer, Answering, Fields};
use crate::archive::kept::Kept;
use crate::archive::model::{Container, Derived, Edition, RecordingId};
use crate::archive::{self, TrackSound};
use crate::media::track::{Format, TrackNumber};

/// The number of a track, as it stands in an address: what is no number is no track.
pub fn number(number: &str) -> Result<TrackNumber, Problem> {
    let number = number.parse().map_err(|_| archive::Error::NotFound)?;
    Ok(TrackNumber::new(number))
}

/// The address of a track's file, without its extension.
pub fn address(id: RecordingId, track: TrackNumber) -> String {
    format!("/api/v1/recordings/{id}/tracks/{track}")
}

/// What answers for a track in a container.
pub fn of_track(container: Container) -> impl Fn(HttpRequest, Here, Path, Fields) -> Answering + Clone {
    move |request, edge, path, query| track(container, request, edge, path, query).boxed_local()
}

/// The ID of a recording and the number of its track, as they stand in an address.
type Path = web::Path<(String, String)>;

async fn track(
    container: Container,
    request: HttpRequest,
    edge: Here,
    path: Path,
    Query(mut fields): Fields,
) -> Answer {
    let (id, track) = (path.0.parse()?, number(&path.1)?);
    let part = fields.iter().position(|(key, _)| key == "part").map(|index| fields.remove(index).1);
    let part: Option<u32> = match part.as_deref().map(str::parse) {
        None => None,
        Some(Ok(part)) => Some(part),
        Some(Err(_)) => return Err(Problem::new(Kind::InvalidQuery, "A part is a number from 1.")),
    };
    let mut edition = Edition { of: Derived::Track(track, container), edit: recordings::edit(Query(fields))? };
    if part.is_none() && !edition.edit.is_whole() {
        edition = edge.archive.edition(id, edition).await?;
    }
    let derived = async || recordings::derived(&request, &edge, id, edition).await;
    match (part, edition.edit.is_whole()) {
        (None, true) if container == Container::WebM => return derived().await,
        (None, false) => return derived().await,
        (Some(_), false) => {
            let detail = "A part is as it was kept: nothing can be chosen of it.";
            return Err(Problem::new(Kind::InvalidEdit, detail));
        }
        (_, true) => {}
    }
    let sound = chosen(edge.archive.track_sound(id, track).await?, part)?;
    let kept = Kept::of(sound.parts.iter().map(|part| &part.format));
    match (part, sound.parts.first()) {
        _ if kept.is(container, &edition.edit) => {
            download::answer(&request, Served::kept(id, track, part, (kept, container), sound))
        }
        (Some(part), Some(one)) => Err(elsewhere(id, track, part, &one.format)),
        _ => derived().await,
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
fn elsewhere(id: RecordingId, track: TrackNumber, part: u32, kept: &Format) -> Problem {
    let address = address(id, track);
    let made = format!("All of the track, once the recording has ended: {address}.ogg, {address}.webm, {address}.wav.");
    let detail = match kept {
        Format::Opus(_) => format!("The track is kept as Opus: {address}.ogg?part={part}. {made}"),
        Format::Pcm(head) => format!("The track is kept as plain samples ({head}): {address}.wav?part={part}. {made}"),
    };
    Problem::new(Kind::OtherFormat, detail)
}
