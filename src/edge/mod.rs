//! HTTP, WebSocket, Socket.IO, pages: thin, one file a protocol.
//!
//! What belongs here: a protocol's words into the hub's messages and back; errors into statuses and close codes. What does
//! not: the state of a room, SQL, paths.

pub mod close;
pub mod declared;
pub mod doorstep;
pub mod events;
pub mod feed;
pub mod pages;
pub mod plain;
pub mod problem;
pub mod query;
pub mod replay_socket;
pub mod rest;
pub mod room_socket;
pub mod serve;
pub mod socket;
pub mod socket_io;
pub mod upgrade;
pub mod v1;

use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::{Ready, ready};

use self::problem::{Kind, Problem};
use crate::archive::Archive;
use crate::hub::fanout::Worker;
use crate::hub::registry::Hub;
use crate::hub::time::Clock;

/// What the handlers of one worker thread work with.
pub struct Edge {
    /// The rooms.
    pub hub: Addr<Hub>,
    /// The recordings.
    pub archive: Archive,
    /// This thread's fan-outs.
    pub worker: Rc<Worker>,
    /// This thread's sockets.
    pub sockets: Rc<socket::Sockets>,
    /// The clocks.
    pub clock: Clock,
    /// What all threads have in common of Socket.IO.
    pub socket_io: Arc<socket_io::Common>,
    /// Where the hub is for the world, without a slash at its end, where it was told.
    pub public_url: Option<String>,
}

/// A handler's way to [`Edge`]. It never leaves its thread, so it is not behind an `Arc`.
#[derive(Clone)]
pub struct Here(Rc<Edge>);

impl std::ops::Deref for Here {
    type Target = Edge;

    fn deref(&self) -> &Edge {
        &self.0
    }
}

impl FromRequest for Here {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let edge = request.app_data::<Rc<Edge>>().map(|edge| Self(Rc::clone(edge)));
        ready(edge.ok_or_else(|| Problem::new(Kind::Internal, "The hub was put together wrongly.")))
    }
}

/// Every address that the hub answers at. What is at none of them is a problem of its own.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(room_socket::configure)
        .configure(replay_socket::configure)
        .configure(socket_io::configure)
        .configure(rest::configure)
        .configure(feed::configure)
        .configure(pages::configure)
        .default_service(web::to(problem::not_found));
}
