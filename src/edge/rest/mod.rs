//! REST: `/api/v1`, `/healthz`, `/readyz`.
//!
//! What belongs here: JSON of what the hub and the archive say, downloads, conditions. What does not: SQL, paths, rooms.

mod condition;
mod download;
pub mod json;
mod markers;
mod recordings;
mod rooms;
mod storage;
mod tracks;
mod waveform;

use std::time::Duration;

use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};
use serde_json::json;

pub(super) use self::condition::is_known;
use super::problem::{self, Kind, Problem};
use super::{Here, events};
use crate::archive;

/// How long the disk may take to say that it is well.
const READY: Duration = Duration::from_secs(2);
/// The largest body that a request may have.
const BODY: usize = 64 * 1024;

/// The addresses.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .app_data(web::JsonConfig::default().limit(BODY).error_handler(problem::body))
        .app_data(web::PathConfig::default().error_handler(problem::path))
        .service(
            web::scope("/api/v1")
                .configure(rooms::configure)
                .configure(recordings::configure)
                .configure(markers::configure)
                .configure(storage::configure)
                .configure(events::configure),
        )
        .service(read_only("/healthz", alive))
        .service(read_only("/readyz", ready));
}

/// A resource that is only read: GET, and HEAD for its head alone.
fn read_only<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only(readable(path, handler), "GET, HEAD")
}

/// A resource that can be read, for one that can do more.
fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::get().to(handler.clone())).route(web::head().to(handler))
}

/// A resource that tells, to any other method, which ones it knows.
pub(super) fn only(resource: Resource, allowed: &'static str) -> Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(problem::not_allowed(&request, allowed))
    }))
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "alive" }))
}

async fn ready(edge: Here) -> Result<HttpResponse, Problem> {
    let detail = match tokio::time::timeout(READY, edge.archive.healthy()).await {
        Ok(Ok(())) => return Ok(HttpResponse::Ok().json(json!({ "status": "ready" }))),
        Ok(Err(archive::Error::Full { .. })) => "The disk is full: nothing is recorded until there is space again.",
        Ok(Err(error)) => {
            tracing::warn!("not ready: {error}");
            "Index or disk cannot be used. The log says why."
        }
        Err(_) => "The disk does not answer.",
    };
    Err(Problem::new(Kind::NotReady, detail))
}
