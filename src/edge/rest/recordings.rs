//! `/recordings`: the list, one, its tracks, its title, its end.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::super::problem::{Kind, Problem};
use super::super::{Edge, Here};
use super::json::{Recording, Summary};
use super::{download, only};
use crate::archive::model::{RecordingId, StateKind};
use crate::archive::{Change, Limit, ListQuery, Search};
use crate::media::time::UnixMillis;
use crate::media::track::TrackNumber;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;

pub fn configure(config: &mut web::ServiceConfig) {
    let list = web::resource("/recordings").route(web::get().to(list)).route(web::head().to(self::list));
    let one = web::resource("/recordings/{id}")
        .route(web::get().to(one))
        .route(web::head().to(self::one))
        .route(web::patch().to(change))
        .route(web::delete().to(delete));
    let track = web::resource("/recordings/{id}/tracks/{number}.ogg")
        .route(web::get().to(track))
        .route(web::head().to(self::track));
    config
        .service(only(list, "GET, HEAD"))
        .service(only(one, "GET, HEAD, PATCH, DELETE"))
        .service(only(track, "GET, HEAD"));
}

/// The query of a list, as it was written.
#[derive(Debug, Deserialize)]
struct Filters {
    room: Option<String>,
    from: Option<String>,
    to: Option<String>,
    state: Option<String>,
    search: Option<String>,
    limit: Option<u16>,
    cursor: Option<String>,
}

impl Filters {
    fn query(self) -> Result<ListQuery, Problem> {
        let unknown = |error: &dyn std::fmt::Display| Problem::new(Kind::InvalidQuery, format!("{error}."));
        let state = self.state.map(|word| word.parse::<StateKind>()).transpose();
        Ok(ListQuery {
            room: self.room.map(|room| room.parse()).transpose()?,
            from: self.from.as_deref().map(UnixMillis::from_rfc3339).transpose()?,
            to: self.to.as_deref().map(UnixMillis::from_rfc3339).transpose()?,
            state: state.map_err(|error| unknown(&error))?,
            search: self.search.as_deref().map(Search::read).transpose()?.flatten(),
            limit: self.limit.map(Limit::new).transpose()?.unwrap_or_default(),
            cursor: self.cursor.map(|cursor| cursor.parse()).transpose()?,
        })
    }
}

async fn list(edge: Here, filters: web::Query<Filters>) -> Result<HttpResponse, Problem> {
    let page = edge.archive.recordings(&filters.into_inner().query()?).await?;
    let recordings: Vec<Summary> = page.recordings.into_iter().map(Summary::from).collect();
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(HttpResponse::Ok().json(json!({ "recordings": recordings, "next": next })))
}

async fn one(edge: Here, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id: RecordingId = id.parse()?;
    recording(&edge, id).await
}

async fn recording(edge: &Edge, id: RecordingId) -> Result<HttpResponse, Problem> {
    let found = edge.archive.recording(id).await?;
    let recording = found.ok_or(crate::archive::Error::NotFound)?;
    Ok(HttpResponse::Ok().json(Recording::from(recording)))
}

/// What someone changes.
#[derive(Debug, Deserialize)]
struct Patch {
    /// A title, or null for none; absent, it stays.
    #[serde(default, deserialize_with = "present")]
    title: Option<Option<String>>,
    keep: Option<bool>,
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn change(edge: Here, id: web::Path<String>, patch: web::Json<Patch>) -> Result<HttpResponse, Problem> {
    let id: RecordingId = id.parse()?;
    let Patch { title, keep } = patch.into_inner();
    if let Some(Some(title)) = &title
        && (title.chars().count() > LONGEST_TITLE || title.chars().any(char::is_control))
    {
        let detail = format!("A title is at most {LONGEST_TITLE} characters without control characters.");
        return Err(Problem::new(Kind::InvalidBody, detail));
    }
    edge.archive.change(id, Change { title, keep }).await?;
    recording(&edge, id).await
}

async fn delete(edge: Here, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    edge.archive.delete(id.parse()?).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn track(request: HttpRequest, edge: Here, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (id, number) = path.into_inner();
    let id: RecordingId = id.parse()?;
    let number: u16 = number.parse().map_err(|_| crate::archive::Error::NotFound)?;
    let sound = edge.archive.track_sound(id, TrackNumber::new(number)).await?;
    download::answer(&request, id, number, sound)
}
