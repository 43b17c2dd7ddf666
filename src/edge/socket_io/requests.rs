//! The requests of a client: handshake, poll, post, upgrade (Engine.IO 4, "Transports").
//!
//! What belongs here: the query, bodies, and how a request is refused. What does not: the session, which is found by its
//! ID on whatever thread it lives.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _, web};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::super::Here;
use super::super::close::Close;
use super::super::problem::{Kind, Problem};
use super::super::query::Query;
use super::super::room_socket;
use super::super::socket::Handshake;
use super::answer::Answer as Written;
use super::client::Invitation;
use super::session::Session;
use super::table::{Command, Handle, Over};
use super::{MOST_POSTED, cors};
use crate::hub::time::Clock;
use crate::media::room::RoomName;
use crate::wire::engine_io::{self, BadPayload, Sid};

/// How much more than its limit a client may send in one request before it is not even read any more, as a multiple.
const READ_ON: usize = 16;

/// The query of every request.
#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(rename = "EIO")]
    version: Option<String>,
    transport: Option<String>,
    sid: Option<String>,
    room: Option<String>,
}

/// Why a request is refused: most of it as clients of Engine.IO know it, a number and a word, with status 400.
#[derive(Debug)]
enum Refused {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    UnknownVersion,
    /// More than is even read.
    FarTooLarge,
    /// What every address of the hub refuses.
    Here(Problem),
}

impl Refused {
    fn answer(self) -> HttpResponse {
        let (code, message) = match self {
            Self::UnknownTransport => (0, "Transport unknown"),
            Self::UnknownSession => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::UnknownVersion => (5, "Unsupported protocol version"),
            Self::FarTooLarge => return HttpResponse::build(StatusCode::PAYLOAD_TOO_LARGE).force_close().finish(),
            Self::Here(problem) => return problem.error_response(),
        };
        HttpResponse::BadRequest().json(json!({ "code": code, "message": message }))
    }
}

/// What is answered.
type Answer = Result<HttpResponse, Refused>;

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

impl From<Over> for Refused {
    fn from(_: Over) -> Self {
        Self::UnknownSession
    }
}

/// Answers a request.
pub(super) async fn serve(request: HttpRequest, body: web::Payload, edge: Here) -> HttpResponse {
    let common = Arc::clone(&edge.socket_io);
    let origins = &common.options.origins;
    let mut response = match *request.method() {
        Method::OPTIONS => cors::preflight(&request, origins),
        _ => exchange(&request, body, edge).await.unwrap_or_else(Refused::answer),
    };
    cors::mark(&request, &mut response, origins);
    response
}

async fn exchange(request: &HttpRequest, body: web::Payload, edge: Here) -> Answer {
    let Query(asked) = Query::<Asked>::of(request)?;
    if asked.version.as_deref() != Some(engine_io::VERSION) {
        return Err(Refused::UnknownVersion);
    }
    let socket = match asked.transport.as_deref() {
        Some("polling") => false,
        Some("websocket") => true,
        _ => return Err(Refused::UnknownTransport),
    };
    let is_post = request.method() == Method::POST;
    if !is_post && request.method() != Method::GET {
        return Err(Refused::BadMethod);
    }
    let Some(sid) = &asked.sid else {
        return match (is_post, socket) {
            (true, _) => Err(Refused::BadMethod),
            (false, true) => open_socket(request, edge, invitation(request, asked.room)),
            (false, false) => open_polling(edge, invitation(request, asked.room)),
        };
    };
    let session = sid.parse::<Sid>().ok().and_then(|sid| edge.socket_io.table.find(sid));
    let session = session.ok_or(Refused::UnknownSession)?;
    match (is_post, socket) {
        (false, true) => upgrade(request, &edge, session),
        (false, false) => poll(session, edge.clock).await,
        (true, false) => post(body, &session, edge.sockets.limits().message, edge.socket_io.options.patience()).await,
        (true, true) => Err(Refused::BadRequest),
    }
}

/// The room that the query names, and what else it wishes: as of a plain WebSocket. What is wrong with it the client is
/// told when it connects, since it knows no other way.
fn invitation(request: &HttpRequest, room: Option<String>) -> Invitation {
    let read = || {
        let Query(query) = Query::<room_socket::Query>::of(request)?;
        let room = room.map_or_else(|| Ok(RoomName::lobby()), |room| room.parse())?;
        Ok((room, query.wish()?))
    };
    read().map_err(|problem: Problem| problem.to_string())
}

fn open_polling(edge: Here, invitation: Invitation) -> Answer {
    let full = || Problem::new(Kind::TooManyConnections, "The hub has too many connections.");
    let seat = edge.sockets.seat().ok_or_else(full)?;
    let clock = edge.clock;
    let open = Session::poll(edge, invitation, seat);
    Ok(payload(Written::of(vec![open], clock.now()), None, clock))
}

fn open_socket(request: &HttpRequest, edge: Here, invitation: Invitation) -> Answer {
    let handshake = handshake(request, &edge)?;
    Ok(handshake.pass_on(move |io, early, seat| {
        actix_rt::spawn(Session::socket(edge, invitation, io, early, seat));
    }))
}

/// Sends the socket to where the session lives.
fn upgrade(request: &HttpRequest, edge: &Here, session: Handle) -> Answer {
    let handshake = handshake(request, edge)?;
    Ok(handshake.pass_on(move |io, early, seat| {
        // Neither fails but where the session is gone, or has too much to do: then the client stays without.
        if let Ok(io) = io.into_std() {
            session.try_send(Command::Upgrade(io, early, seat));
        }
    }))
}

fn handshake(request: &HttpRequest, edge: &Here) -> Result<Handshake, Refused> {
    if !request.headers().contains_key(header::UPGRADE) {
        return Err(Refused::BadRequest);
    }
    Handshake::check(request, &edge.sockets, None).map_err(|refused| Refused::Here(refused.into()))
}

/// While it lives a client waits for an answer; where it goes without, the session is told.
struct Waiting(Option<Handle>);

impl Waiting {
    fn is_over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            // Where it has so much to do it ends by its heartbeat.
            session.try_send(Command::Abandoned);
        }
    }
}

async fn poll(session: Handle, clock: Clock) -> Answer {
    let (poll, answer) = oneshot::channel();
    session.send(Command::Poll(poll)).await?;
    let mut waiting = Waiting(Some(session));
    match answer.await {
        Ok(answer) => Ok(payload(answer, Some(waiting), clock)),
        Err(_) => {
            waiting.is_over();
            Err(Refused::BadRequest)
        }
    }
}

/// What a client gets: sent piece by piece.
fn payload(answer: Arc<Written>, waiting: Option<Waiting>, clock: Clock) -> HttpResponse {
    let length = answer.left();
    let pieces = stream::unfold((answer, waiting), move |(answer, mut waiting)| async move {
        let next = answer.next(clock.now()).transpose();
        if !matches!(next, Some(Ok(_))) {
            waiting.iter_mut().for_each(Waiting::is_over);
        }
        next.map(|piece| (piece, (answer, waiting)))
    });
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=UTF-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(SizedStream::new(length, pieces))
}

async fn post(body: web::Payload, session: &Handle, largest: usize, patience: Duration) -> Answer {
    // Before anything is read: what a client sends in many requests at once would be held for each of them.
    let Some(posting) = session.post() else {
        session.send(Command::Broken).await?;
        return Err(Refused::BadRequest);
    };
    // Binary is base64 here, and other packets may stand beside a message at its limit.
    let most = largest.div_ceil(3) * 4 + super::MAX_PAYLOAD;
    let body = tokio::select! {
        body = read(body, most) => match body {
            Err(Refused::FarTooLarge) => {
                // Whoever polls hears why; the request is not read to its end.
                refuse(session, too_large(largest)).await?;
                return Err(Refused::FarTooLarge);
            }
            body => body?,
        },
        () = session.over() => return Err(Refused::UnknownSession),
        () = tokio::time::sleep(patience) => {
            session.send(Command::Broken).await?;
            return Err(Refused::BadRequest);
        }
    };
    let Some(body) = body else {
        return refuse(session, too_large(largest)).await;
    };
    let packets = match engine_io::payload(&body, MOST_POSTED) {
        Ok(packets) => packets,
        Err(error @ BadPayload::TooMany(_)) => {
            return refuse(session, Close::too_large(error.to_string())).await;
        }
        Err(error) => {
            tracing::debug!(%error, "a post is no payload");
            session.send(Command::Broken).await?;
            return Err(Refused::BadRequest);
        }
    };
    drop(body);
    let (reply, answer) = oneshot::channel();
    session.send(Command::Post(packets, posting, reply)).await?;
    answer.await.map_err(|_| Refused::BadRequest)?;
    Ok(taken())
}

/// Ends a session for what a request brought. The client hears why by its next poll; after a status of failure it would not ask any
/// more.
async fn refuse(session: &Handle, close: Close) -> Answer {
    let (told, is_told) = oneshot::channel();
    session.send(Command::Refuse(close, told)).await?;
    is_told.await.map_err(|_| Refused::BadRequest)?;
    Ok(taken())
}

/// A message is longer than `most` bytes.
pub(super) fn too_large(most: usize) -> Close {
    Close::too_large(format!("a message is larger than {most} bytes"))
}

fn taken() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; charset=UTF-8")).body("ok")
}

/// Reads a body; none where it is longer than that.
async fn read(mut body: web::Payload, most: usize) -> Result<Option<Bytes>, Refused> {
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| Refused::BadRequest)?;
        length = length.saturating_add(piece.len());
        if length > most.saturating_mul(READ_ON) {
            return Err(Refused::FarTooLarge);
        }
        if length > most {
            bytes = BytesMut::new();
        } else {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok((length <= most).then(|| bytes.freeze()))
}
