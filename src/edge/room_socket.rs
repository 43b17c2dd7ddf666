//! The WebSocket of a room: `/rooms/{room}/ws`, and `/` with an upgrade, which is the room `lobby`.
//!
//! What belongs here: the query, and a client's way in and out. What does not: what its messages mean (`plain.rs`,
//! `v1.rs`).

use std::rc::Rc;

use actix::Addr;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use serde::Deserialize;
use uuid::Uuid;

use super::close::Close;
use super::declared;
use super::doorstep::Doorstep;
use super::plain::Plain;
use super::problem::{Kind, Problem};
use super::query;
use super::socket::{Handshake, Incoming, OnSkipped, Socket};
use super::v1;
use super::{Edge, Here};
use crate::container::stream::Opening;
use crate::hub::connection::{self, Connection, Inbound, Refusal, Said, Warning};
use crate::hub::fanout::Reads;
use crate::hub::outbox::Outbox;
use crate::hub::rendition::{self, Layout};
use crate::hub::room::Role;
use crate::media::room::{ParticipantName, RoomName};
use crate::wire::v1::{PROTOCOL, Participant};

/// The addresses.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/rooms/{room}/ws", web::get().to(room));
    config.route("/", web::get().guard(guard::fn_guard(asks_for_websocket)).to(lobby));
}

/// Whether a request for a page is really one for a socket.
fn asks_for_websocket(context: &guard::GuardContext<'_>) -> bool {
    let upgrade = context.head().headers.get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The query of a room's socket, as it was written.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    name: Option<String>,
    pub(super) publish: Option<String>,
    #[serde(rename = "as")]
    wants: Option<String>,
    preroll: Option<String>,
    mix: Option<String>,
    format: Option<String>,
    rate: Option<String>,
    channels: Option<String>,
    pcm: Option<String>,
    pub(super) from: Option<String>,
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) name: ParticipantName,
    pub(super) role: Role,
    pub(super) plain: rendition::Plain,
    /// What the binary of a plain client is, where its first bytes do not tell.
    pub(super) declared: Option<Opening>,
    /// Whether a client of `roomtone.v1` gets tracks of PCM as PCM.
    pcm: bool,
}

impl Query {
    pub(super) fn wish(self) -> Result<Wish, Problem> {
        let unsupported = |detail: &str| Err(Problem::new(Kind::NotSupported, detail));
        if self.from.is_some() {
            return unsupported("Rewinding (from=) is not supported.");
        }
        let role = if flag("publish", self.publish.as_deref(), true)? { Role::Speaker } else { Role::Listener };
        let mixed = flag("mix", self.mix.as_deref(), true)?;
        let pre_roll = match self.preroll.as_deref() {
            None | Some("1") => true,
            Some("0") => false,
            Some(other) => return Err(cannot_be("preroll", other, "0 or 1")),
        };
        let layout = match self.wants.as_deref() {
            None | Some("webm") if pre_roll => Layout::PreRoll,
            None | Some("webm") => Layout::Continuing,
            Some("ogg") => Layout::Ogg,
            Some("wav") if mixed => Layout::Wav,
            Some("wav") => {
                return unsupported("Samples (as=wav) are those of one sound: mix=no is for as=webm and as=ogg.");
            }
            Some(other) => return Err(cannot_be("as", other, "webm, ogg or wav")),
        };
        let plain = rendition::Plain { layout, mixed };
        let name = self.name.map_or_else(|| Ok(ParticipantName::nobody()), |name| name.parse())?;
        let declared = declared::in_query(self.format.as_deref(), self.rate.as_deref(), self.channels.as_deref())?;
        let pcm = flag("pcm", self.pcm.as_deref(), false)?;
        Ok(Wish { name, role, plain, declared, pcm })
    }
}

fn flag(name: &str, value: Option<&str>, unset: bool) -> Result<bool, Problem> {
    match value {
        None => Ok(unset),
        Some("true" | "yes" | "1") => Ok(true),
        Some("false" | "no" | "0") => Ok(false),
        Some(other) => Err(cannot_be(name, other, "yes or no")),
    }
}

pub(super) fn cannot_be(name: &str, value: &str, known: &str) -> Problem {
    Problem::new(Kind::InvalidQuery, format!("{name}={value:?} is not known, only {known}."))
}

async fn lobby(request: HttpRequest, edge: Here, query: query::Query<Query>) -> Result<HttpResponse, Problem> {
    accept(&request, edge, RoomName::lobby(), query.0).await
}

async fn room(
    request: HttpRequest,
    edge: Here,
    name: web::Path<String>,
    query: query::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let name = name.parse()?;
    must_upgrade(&request, "This address is a WebSocket; the room's page is the same without /ws.")?;
    accept(&request, edge, name, query.0).await
}

/// Whoever asks for a page here is told so.
pub(super) fn must_upgrade(request: &HttpRequest, detail: &str) -> Result<(), Problem> {
    let upgrade = request.headers().contains_key(header::UPGRADE);
    if upgrade { Ok(()) } else { Err(Problem::new(Kind::InvalidHandshake, detail)) }
}

/// A client whose handshake may be answered, and who is brought in before it is.
pub(super) struct Arrival {
    pub(super) handshake: Handshake,
    pub(super) participant: Participant,
    pub(super) reads: Reads,
    /// Where what is for them waits until they are answered.
    pub(super) doorstep: Rc<Doorstep>,
    /// Whether they speak `roomtone.v1`.
    pub(super) v1: bool,
}

impl Arrival {
    pub(super) fn check(request: &HttpRequest, edge: &Edge, wish: Wish) -> Result<Self, Problem> {
        let v1 = offers_v1(request);
        let handshake = Handshake::check(request, &edge.sockets, v1.then_some(PROTOCOL))?;
        let participant = Participant { id: Uuid::new_v4(), name: wish.name };
        let reads = match v1 {
            true if wish.pcm => Reads::V1Pcm,
            true => Reads::V1,
            false => Reads::Plain(wish.plain),
        };
        Ok(Self { handshake, participant, reads, doorstep: Rc::default(), v1 })
    }
}

/// Brings the client into its room, and then answers it.
async fn accept(request: &HttpRequest, edge: Here, room: RoomName, query: Query) -> Result<HttpResponse, Problem> {
    let wish = query.wish()?;
    let (role, declared) = (wish.role, wish.declared);
    let Arrival { handshake, participant, reads, doorstep, v1 } = Arrival::check(request, &edge, wish)?;
    let outbox = Rc::clone(&doorstep) as Rc<dyn Outbox>;
    let (name, member) = (room.clone(), participant.id);
    let opening = connection::Opening { room, participant, role, reads, outbox };
    let connection = connection::open(&edge.hub, &edge.worker, edge.clock, opening).await?;
    let on_skipped: OnSkipped = if v1 { v1::skipped } else { |_| None };
    Ok(handshake.accept(on_skipped, move |socket| async move {
        doorstep.leave(&socket, edge.clock.now());
        drop(doorstep);
        edge.worker.replace(&name, member, Rc::clone(&socket) as Rc<dyn Outbox>);
        let client = Client { edge: &edge, socket: &socket, v1 };
        let end = if v1 { client.v1(&connection).await } else { client.plain(&connection, Plain::new(declared)).await };
        if let Err(close) = end {
            client.refuse(&close);
        }
    }))
}

/// Whether the client speaks `roomtone.v1`. One that offers only others gets none of them, and is told by that
/// (RFC 6455 §4.2.2).
fn offers_v1(request: &HttpRequest) -> bool {
    let offered = request.headers().get_all(HeaderName::from_static("sec-websocket-protocol"));
    offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == PROTOCOL)
}

/// A client's stay in a room. What is not waiting for the client is boxed: most clients only listen, and what a task may
/// ever hold it holds room for all the time.
struct Client<'a> {
    edge: &'a Edge,
    socket: &'a Rc<Socket>,
    v1: bool,
}

impl Client<'_> {
    /// Until the client goes, or has to.
    async fn v1(&self, connection: &Addr<Connection>) -> Result<(), Close> {
        loop {
            let said = match self.socket.next().await {
                Incoming::Text(text) => v1::text(&text)?,
                Incoming::Binary(bytes) => Some(v1::binary(&bytes)?),
                Incoming::Closed(_) => return Ok(()),
            };
            if let Some(said) = said {
                Box::pin(self.say(connection, said)).await?;
            }
        }
    }

    /// Until the client goes, or has to.
    async fn plain(&self, connection: &Addr<Connection>, mut plain: Plain) -> Result<(), Close> {
        loop {
            let said = match self.next(&mut plain).await {
                Some(Incoming::Text(text)) => vec![Said::Text(text.to_string())],
                Some(Incoming::Binary(bytes)) => plain.binary(bytes, self.edge.clock.now()),
                Some(Incoming::Closed(_)) => {
                    // What looked like a beginning was all there is.
                    Box::pin(self.say_all(connection, plain.expire())).await?;
                    return Ok(());
                }
                None => plain.expire(),
            };
            Box::pin(self.say_all(connection, said)).await?;
        }
    }

    /// What comes next; none, where it takes longer than what is held can wait.
    async fn next(&self, plain: &mut Plain) -> Option<Incoming> {
        let Some(deadline) = plain.deadline() else { return Some(self.socket.next().await) };
        let left = deadline.since(self.edge.clock.now());
        Box::pin(tokio::time::timeout(left, self.socket.next())).await.ok()
    }

    async fn say_all(&self, connection: &Addr<Connection>, said: Vec<Said>) -> Result<(), Close> {
        for said in said {
            self.say(connection, said).await?;
        }
        Ok(())
    }

    async fn say(&self, connection: &Addr<Connection>, said: Said) -> Result<(), Close> {
        for warning in say(self.edge, connection, said).await? {
            if self.v1 {
                let now = self.edge.clock.now();
                self.socket.push(&v1::warning(&warning), now);
                self.socket.flush(now);
            }
        }
        Ok(())
    }

    fn refuse(&self, close: &Close) {
        if self.v1 {
            self.socket.push(&v1::error(close), self.edge.clock.now());
        }
        self.socket.close(close.code, &close.reason);
    }
}

/// Says something in a room, and gives what its client should hear of, though it stays.
pub(super) async fn say(edge: &Edge, connection: &Addr<Connection>, said: Said) -> Result<Vec<Warning>, Close> {
    let arrived = edge.clock.now();
    let warnings = connection.send(Inbound { said, arrived }).await.map_err(|_| Refusal::Stopping)??;
    for warning in &warnings {
        tracing::info!(?warning, "a stream is carried in part");
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(query: &str) -> Result<Wish, String> {
        let query = web::Query::<Query>::from_query(query).unwrap().into_inner();
        query.wish().map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_a_plain_speaker() {
        let wish = wish("").unwrap();
        let plain = rendition::Plain { layout: Layout::PreRoll, mixed: true };
        assert_eq!((wish.role, wish.plain, wish.name.as_str()), (Role::Speaker, plain, "Guest"));
        for (query, layout, mixed) in [
            ("publish=false&preroll=0&mix=no&name=%C3%84", Layout::Continuing, false),
            ("as=ogg&preroll=0", Layout::Ogg, true),
            ("as=ogg&mix=no", Layout::Ogg, false),
            ("as=wav&mix=yes", Layout::Wav, true),
        ] {
            assert_eq!(super::tests::wish(query).unwrap().plain, rendition::Plain { layout, mixed }, "{query}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_word() {
        for (query, word) in [
            ("as=wav&mix=no", "mix=no"),
            ("as=gif", "gif"),
            ("format=opus", "f32le and mp3"),
            ("format=f32le&rate=0", "8000 to 192000"),
            ("format=f32le&channels=9", "1 or 2"),
            ("pcm=maybe", "pcm"),
            ("from=start", "from="),
            ("preroll=2", "preroll"),
            ("publish=maybe", "publish"),
            ("name=%0A", "name"),
        ] {
            let problem = wish(query).unwrap_err();
            assert!(problem.contains(word), "{query}: {problem}");
        }
    }
}
