//! Markers: set in a room while it is recorded, or in a recording; changed; taken away; told as chapters.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::super::Here;
use super::super::problem::{Kind, Problem};
use super::json::Marker;
use super::{only, read_only};
use crate::archive::model::{self, RecordingId};
use crate::archive::{self, MarkerChange};
use crate::hub::registry::Find;
use crate::hub::room::{Mark, Unmarked};
use crate::media::marker::{Chapter, MarkerId, MarkerText};
use crate::media::room::RoomName;
use crate::media::time::Ticks;

pub fn configure(config: &mut web::ServiceConfig) {
    let (of_room, of_recording) = (web::resource("/rooms/{room}/markers"), web::resource("/recordings/{id}/markers"));
    let one = web::resource("/recordings/{id}/markers/{marker}");
    config.service(read_only("/recordings/{id}/chapters.json", chapters));
    config
        .service(only(of_room.route(web::post().to(in_room)), "POST"))
        .service(only(of_recording.route(web::post().to(in_recording)), "POST"))
        .service(only(one.route(web::patch().to(edit)).route(web::delete().to(remove)), "PATCH, DELETE"));
}

/// What someone says of a marker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    at: Option<f64>,
    text: Option<String>,
}

impl Body {
    /// Where it is to be, if that is said, from the recording's start.
    fn at(&self) -> Result<Option<Ticks>, Problem> {
        match self.at {
            Some(at) if !(at >= 0.0 && at.is_finite()) => {
                Err(Problem::new(Kind::InvalidBody, "A marker's at is seconds from the recording's start."))
            }
            at => Ok(at.map(Ticks::from_secs_f64)),
        }
    }

    fn text(&self) -> Result<Option<MarkerText>, Problem> {
        Ok(self.text.as_deref().map(str::parse).transpose()?)
    }
}

/// A marker in what a room is recording now.
async fn in_room(edge: Here, name: web::Path<String>, body: web::Json<Body>) -> Result<HttpResponse, Problem> {
    let name: RoomName = name.parse()?;
    let (at, text) = (body.at()?, body.text()?.unwrap_or_default());
    let found = edge.hub.send(Find(name.clone())).await?;
    let gone = || Problem::new(Kind::RoomNotFound, format!("Nobody is in the room {name}."));
    let entered = found.ok_or_else(gone)?;
    let mark = Mark { by: None, recording: None, text, at };
    let (recording, marker) = entered.room.send(mark).await.map_err(|_| gone())??;
    Ok(created(recording, marker.into()))
}

/// A marker in a recording. Where that is still being made, its room is told.
async fn in_recording(edge: Here, id: web::Path<String>, body: web::Json<Body>) -> Result<HttpResponse, Problem> {
    let id: RecordingId = id.parse()?;
    let missing = || Problem::new(Kind::InvalidBody, "A marker in a recording has an at, in seconds from its start.");
    let (at, text) = (body.at()?.ok_or_else(missing)?, body.text()?.unwrap_or_default());
    let recording = edge.archive.recording(id).await?.ok_or(archive::Error::NotFound)?;
    if recording.summary.state.end_reason().is_none()
        && let Some(entered) = edge.hub.send(Find(recording.summary.room)).await?
    {
        let mark = Mark { by: None, recording: Some(id), text: text.clone(), at: Some(at) };
        match entered.room.send(mark).await {
            Ok(Ok((_, marker))) => return Ok(created(id, marker.into())),
            // It has ended meanwhile.
            Ok(Err(Unmarked::NoSession)) | Err(_) => {}
            Ok(Err(unmarked)) => return Err(unmarked.into()),
        }
    }
    let random = *uuid::Uuid::new_v4().as_bytes();
    let marker = model::Marker { id: MarkerId::new(random), at, name: None, text };
    let marker = edge.archive.mark(id, MarkerChange::Set(marker)).await?;
    Ok(created(id, marker.into()))
}

fn created(recording: RecordingId, marker: Marker) -> HttpResponse {
    let address = format!("/api/v1/recordings/{recording}/markers/{}", marker.id());
    HttpResponse::Created().insert_header((header::LOCATION, address)).json(marker)
}

async fn edit(edge: Here, path: web::Path<(String, String)>, body: web::Json<Body>) -> Result<HttpResponse, Problem> {
    let (id, marker) = (path.0.parse()?, path.1.parse()?);
    let change = MarkerChange::Edit { id: marker, at: body.at()?, text: body.text()? };
    Ok(HttpResponse::Ok().json(Marker::from(edge.archive.mark(id, change).await?)))
}

async fn remove(edge: Here, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (id, marker) = (path.0.parse()?, path.1.parse()?);
    edge.archive.mark(id, MarkerChange::Remove(marker)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is marked in a recording, as players of podcasts read chapters (Podcasting 2.0, JSON Chapters 1.2).
async fn chapters(edge: Here, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id: RecordingId = id.parse()?;
    let recording = edge.archive.recording(id).await?.ok_or(archive::Error::NotFound)?;
    let chapters = recording.chapters(Ticks::ZERO..recording.summary.length);
    let chapter = |Chapter { start, title }: &Chapter| json!({ "startTime": start.as_secs_f64(), "title": title });
    let chapters: Vec<_> = chapters.iter().map(chapter).collect();
    let said = json!({ "version": "1.2.0", "title": recording.summary.name(), "chapters": chapters });
    let mut response = HttpResponse::Ok();
    if recording.summary.published.is_some() {
        // Players in other pages read it, too.
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    }
    Ok(response.content_type("application/json+chapters").body(said.to_string()))
}
