//! `GET /rooms`, `GET /rooms/{room}`: what is going on now; `/rooms/{room}/settings`: what someone has set of a room.

use actix_web::{HttpResponse, web};
use futures_util::future::join_all;
use serde_json::json;

use super::super::Here;
use super::super::problem::{Kind, Problem};
use super::{only, read_only, readable};
use crate::archive::settings::Wanted;
use crate::hub::registry::{Entered, Find, Rooms};
use crate::hub::room::{Describe, Description};
use crate::media::room::RoomName;

pub fn configure(config: &mut web::ServiceConfig) {
    let settings = readable("/rooms/{room}/settings", settings).route(web::patch().to(set));
    config
        .service(read_only("/rooms", list))
        .service(read_only("/rooms/{room}", one))
        .service(only(settings, "GET, HEAD, PATCH"));
}

/// The live rooms, by name.
async fn list(edge: Here) -> Result<HttpResponse, Problem> {
    let rooms = edge.hub.send(Rooms).await?;
    let mut rooms: Vec<Description> = join_all(rooms.iter().map(describe)).await.into_iter().flatten().collect();
    rooms.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(HttpResponse::Ok().json(json!({ "rooms": rooms })))
}

async fn one(edge: Here, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let name: RoomName = name.parse()?;
    let found = edge.hub.send(Find(name.clone())).await?;
    let description = match &found {
        Some(entered) => describe(entered).await,
        None => None,
    };
    let gone = || Problem::new(Kind::RoomNotFound, format!("Nobody is in the room {name}."));
    Ok(HttpResponse::Ok().json(description.ok_or_else(gone)?))
}

/// What is set of a room, whether anybody is in it or not.
async fn settings(edge: Here, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let name: RoomName = name.parse()?;
    Ok(HttpResponse::Ok().json(edge.archive.settings(&name)))
}

/// Sets some of it.
async fn set(edge: Here, name: web::Path<String>, wanted: web::Json<Wanted>) -> Result<HttpResponse, Problem> {
    let name: RoomName = name.parse()?;
    Ok(HttpResponse::Ok().json(edge.archive.set(&name, wanted.into_inner()).await?))
}

/// A room as it is; none, where nobody is in it: it is not live then, though its session may not have ended.
async fn describe(entered: &Entered) -> Option<Description> {
    // A room that has just closed has nobody in it.
    let description = entered.room.send(Describe).await.ok()?;
    (!description.is_empty()).then_some(description)
}
