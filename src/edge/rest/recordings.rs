//! `/recordings`: the list, one, its tracks, its title, its end.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::super::problem::{Kind, Problem};
use super::super::query::Query;
use super::super::{Edge, Here};
use super::download::{self, Served};
use super::json::{Recording, Summary};
use super::{only, read_only, readable, tracks, waveform};
use crate::archive::model::{Container, Derived, Edit, Edition, RecordingId, StateKind};
use crate::archive::{self, Change, Found, Limit, ListQuery, Search};
use crate::media::time::UnixMillis;

/// The longest title, in characters.
const LONGEST_TITLE: usize = 200;
/// What a request for a file gets.
pub(super) type Answer = Result<HttpResponse, Problem>;
/// The same, once it is known.
pub(super) type Answering = LocalBoxFuture<'static, Answer>;
/// The keys and values of a query.
pub(super) type Fields = Query<Vec<(String, String)>>;

/// When to ask again for what is being made.
const RETRY_SECONDS: u32 = 1;

pub fn configure(config: &mut web::ServiceConfig) {
    let one = readable("/recordings/{id}", one).route(web::patch().to(change)).route(web::delete().to(delete));
    config
        .service(read_only("/recordings", list))
        .service(only(one, "GET, HEAD, PATCH, DELETE"))
        .configure(waveform::configure)
        .service(read_only("/recordings/{id}/session.webm", of_all(Derived::Session)))
        .service(read_only("/recordings/{id}/tracks.zip", of_all(Derived::TracksZip)));
    for container in Container::ALL {
        let extension = container.extension();
        let mix = format!("/recordings/{{id}}/mix.{extension}");
        let track = format!("/recordings/{{id}}/tracks/{{number}}.{extension}");
        config
            .service(read_only(&mix, of_all(Derived::Mix(container))))
            .service(read_only(&track, tracks::of_track(container)));
    }
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

async fn list(edge: Here, Query(filters): Query<Filters>) -> Result<HttpResponse, Problem> {
    let page = edge.archive.recordings(&filters.query()?).await?;
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
    let recording = found.ok_or(archive::Error::NotFound)?;
    Ok(HttpResponse::Ok().json(Recording::new(recording, edge.archive.making(id))))
}

/// What someone changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    /// A title, or null for none; absent, it stays.
    #[serde(default, deserialize_with = "present")]
    title: Option<Option<String>>,
    keep: Option<bool>,
    published: Option<bool>,
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn change(edge: Here, id: web::Path<String>, patch: web::Json<Patch>) -> Result<HttpResponse, Problem> {
    let id: RecordingId = id.parse()?;
    let Patch { title, keep, published } = patch.into_inner();
    if let Some(Some(title)) = &title
        && (title.chars().count() > LONGEST_TITLE || title.chars().any(char::is_control))
    {
        let detail = format!("A title is at most {LONGEST_TITLE} characters without control characters.");
        return Err(Problem::new(Kind::InvalidBody, detail));
    }
    let published = published.map(|published| published.then(|| edge.clock.wall()));
    edge.archive.change(id, Change { title, keep, published }).await?;
    recording(&edge, id).await
}

async fn delete(edge: Here, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    edge.archive.delete(id.parse()?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What is chosen of a recording, as it stands in a query; nothing else may stand there, so that no slip of the pen gives the whole.
pub(super) fn edit(Query(fields): Fields) -> Result<Edit, Problem> {
    Ok(fields.iter().try_fold(Edit::WHOLE, |edit, (key, value)| edit.with(key, value))?)
}

/// What answers for a file of all tracks together.
fn of_all(of: Derived) -> impl Fn(HttpRequest, Here, web::Path<String>, Fields) -> Answering + Clone {
    move |request, edge, id, query| {
        async move {
            let edition = Edition { of, edit: edit(query)? };
            derived(&request, &edge, id.parse()?, edition).await
        }
        .boxed_local()
    }
}

/// A derived file, or how far it is.
pub(super) async fn derived(request: &HttpRequest, edge: &Edge, id: RecordingId, edition: Edition) -> Answer {
    match edge.archive.derived(id, edition).await? {
        Found::Made(file) => download::answer(request, Served::derived(id, *file)),
        Found::Making(progress) => Ok(making(progress)),
    }
}

/// What someone gets who asks for what is being made.
pub(super) fn making(progress: f64) -> HttpResponse {
    HttpResponse::Accepted()
        .insert_header((header::RETRY_AFTER, RETRY_SECONDS.to_string()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "progress": progress }))
}
