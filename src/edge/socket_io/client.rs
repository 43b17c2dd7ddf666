//! A client of Socket.IO: what its packets mean to the hub.
//!
//! What belongs here: the namespace, events, acknowledgements. What does not: how packets come and go (`session`).

use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use super::super::close::Close;
use super::super::plain::Plain;
use super::super::problem::Problem;
use super::super::room_socket::{self, Wish};
use super::super::socket::Socket;
use super::super::{Edge, Here};
use super::greeting::AudioFile;
use super::session::Session;
use crate::archive::model::RecordingId;
use crate::archive::settings::Greet;
use crate::archive::{self, Changed};
use crate::hub::connection::{self, Connection, Said};
use crate::hub::fanout::{MemberId, Reads};
use crate::hub::outbox::Outbox;
use crate::hub::registry::Find;
use crate::hub::room::Describe;
use crate::media::room::RoomName;
use crate::media::time::{Moment, Ticks};
use crate::wire::socket_io::{self, CHAT, CHUNK, Decoder, Event, FromClient, NAMESPACE, PLAY};
use crate::wire::v1::Participant;

/// The room that the query names and what else it wishes, or what is wrong with it.
pub(super) type Invitation = Result<(RoomName, Wish), String>;

/// A message of the client, without what Engine.IO put before it.
#[derive(Debug)]
pub(super) enum Message<'a> {
    Text(&'a str),
    Binary(Bytes),
}

/// How often a client may come in at most: everyone in the room hears of it, and in each place it has a budget anew.
const COMES: Duration = Duration::from_secs(1);

/// A client.
pub(super) struct Client {
    invitation: Invitation,
    decoder: Decoder,
    place: Option<Place>,
    /// When it may come in.
    may_come: Moment,
}

/// Its place in the room.
struct Place {
    room: RoomName,
    member: MemberId,
    connection: Addr<Connection>,
    plain: Plain,
    /// While it is there, and no longer, what greets the client goes on.
    _greeted: DropGuard,
}

/// What an event was answered: what its acknowledgement says.
type Answer = Result<Json, Close>;

impl Client {
    pub fn new(invitation: Invitation, largest: usize) -> Self {
        Self { invitation, decoder: Decoder::new(largest), place: None, may_come: Moment::START }
    }

    /// Takes a message.
    ///
    /// # Errors
    /// Where the session has to end for it.
    pub async fn hear(&mut self, session: &Rc<Session>, message: Message<'_>) -> Result<(), Close> {
        let said = match message {
            Message::Text(text) => self.decoder.text(text),
            Message::Binary(bytes) => self.decoder.binary(bytes),
        };
        match said.map_err(refusal)? {
            None | Some(FromClient::Acknowledgement) => Ok(()),
            Some(FromClient::Connect { namespace }) => {
                self.connect(session, &namespace).await;
                Ok(())
            }
            Some(FromClient::Disconnect { namespace }) => {
                if namespace == NAMESPACE {
                    self.leave(session).await;
                }
                Ok(())
            }
            Some(FromClient::Event(event)) => self.event(session, event).await,
        }
    }

    /// Brings the client into the namespace, which is its room.
    async fn connect(&mut self, session: &Rc<Session>, namespace: &str) {
        if namespace != NAMESPACE {
            return session.say(socket_io::not_connected(namespace, "Invalid namespace"));
        }
        if self.place.is_some() {
            return;
        }
        let (room, wish) = match &self.invitation {
            Ok((room, wish)) => (room.clone(), wish),
            Err(wrong) => return session.say(socket_io::not_connected(namespace, wrong)),
        };
        let early = self.may_come.since(session.now());
        if !early.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(early) => {}
                () = session.ended() => return,
            }
        }
        self.may_come = session.now().after(COMES);
        let participant = Participant { id: Uuid::new_v4(), name: wish.name.clone() };
        let (member, role) = (participant.id, wish.role);
        session.set_deadline(None);
        let edge = &session.edge;
        let outbox = session.outbox();
        let opening = connection::Opening { room: room.clone(), participant, role, reads: Reads::SocketIo, outbox };
        match connection::open(&edge.hub, &edge.worker, edge.clock, opening).await {
            Ok(connection) => {
                // It may have upgraded meanwhile.
                edge.worker.replace(&room, member, session.outbox());
                let left = session.until_the_end();
                actix_rt::spawn(left.clone().run_until_cancelled_owned(greet(Rc::clone(session), room.clone())));
                let plain = Plain::new(wish.declared);
                self.place = Some(Place { room, member, connection, plain, _greeted: left.drop_guard() });
            }
            // The hub stops, which ends the session too.
            Err(refusal) => tracing::debug!(%refusal, "nobody comes in any more"),
        }
    }

    /// The client has upgraded to this socket.
    pub fn move_to(&self, edge: &Here, socket: &Rc<Socket>) {
        if let Some(place) = &self.place {
            edge.worker.replace(&place.room, place.member, Rc::clone(socket) as Rc<dyn Outbox>);
        }
    }

    /// Leaves the room.
    pub async fn leave(&mut self, session: &Session) {
        if let Some(mut place) = self.place.take() {
            let held = place.plain.expire();
            // Nobody is left to be told what is wrong with it.
            let _ = place.say(&session.edge, held).await;
            session.expect_it_in();
        }
    }

    /// Does what is due: what looked like the beginning of sound is none, or the client has not come in in time.
    ///
    /// # Errors
    /// Where the session has to end.
    pub async fn expire(&mut self, session: &Session) -> Result<(), Close> {
        let Some(place) = &mut self.place else {
            return Err(Close::rule("nobody stays without a namespace"));
        };
        if place.plain.deadline().is_some_and(|at| at <= session.now()) {
            let held = place.plain.expire();
            place.say(&session.edge, held).await?;
        }
        session.set_deadline(place.plain.deadline());
        Ok(())
    }

    async fn event(&mut self, session: &Rc<Session>, event: Event) -> Result<(), Close> {
        // What is said in a namespace in which the client is not is said to nobody.
        let Some(place) = self.place.as_mut().filter(|_| event.namespace == NAMESPACE) else { return Ok(()) };
        let Event { name, arguments, attachments, acknowledge, .. } = event;
        let answer = match name.as_str() {
            CHUNK => {
                // Parsed, a long list takes many times what it took as text: it does not wait for the room.
                drop(arguments);
                place.chunk(session, attachments).await?
            }
            CHAT => {
                let first = arguments.into_iter().next();
                place.chat(session, first).await?
            }
            PLAY => match asked(&arguments) {
                // Answered when it is there.
                Some((id, from)) if fetch(session, id, from, acknowledge) => return Ok(()),
                Some(_) => wrong(ON_ITS_WAY),
                None => wrong("a recording is asked for by its ID and the second from which on"),
            },
            name => wrong(&format!("there is no event {name:?}")),
        };
        if let Some(number) = acknowledge {
            session.say(socket_io::acknowledgement(number, &answer));
        }
        Ok(())
    }
}

impl Place {
    /// The client's sound, or what else it sends.
    async fn chunk(&mut self, session: &Session, attachments: Vec<Bytes>) -> Answer {
        if attachments.is_empty() {
            return Ok(wrong("a chunk is binary"));
        }
        for bytes in attachments {
            let said = self.plain.binary(bytes, session.now());
            self.say(&session.edge, said).await?;
        }
        session.set_deadline(self.plain.deadline());
        Ok(done())
    }

    async fn chat(&mut self, session: &Session, first: Option<Json>) -> Answer {
        match first {
            Some(Json::String(text)) => {
                self.say(&session.edge, vec![Said::Text(text)]).await?;
                Ok(done())
            }
            _ => Ok(wrong("a line of chat is text")),
        }
    }

    async fn say(&self, edge: &Edge, said: Vec<Said>) -> Result<(), Close> {
        for said in said {
            room_socket::say(edge, &self.connection, said).await?;
        }
        Ok(())
    }
}

/// How a session ends whose message is none.
fn refusal(error: socket_io::Error) -> Close {
    let reason = error.to_string();
    if error.is_too_large() { Close::too_large(reason) } else { Close::broken("broken_message", reason) }
}

/// What a client asks for: `{ recording, from }`, or one behind the other; from the start, where it does not say.
fn asked(arguments: &[Json]) -> Option<(RecordingId, Ticks)> {
    let (recording, from) = match arguments {
        [Json::Object(asked), ..] => (asked.get("recording")?, asked.get("from")),
        [recording, from @ ..] => (recording, from.first()),
        [] => return None,
    };
    let from = match from {
        None | Some(Json::Null) => Ticks::ZERO,
        Some(from) => Ticks::from_duration(Duration::try_from_secs_f64(from.as_f64()?).ok()?),
    };
    Some((recording.as_str()?.parse().ok()?, from))
}

/// How much may wait for a client that is brought a recording, in bytes: no whole one.
const MOST_WAITING: usize = 1024 * 1024;
/// Why it is not.
const ON_ITS_WAY: &str = "one recording at a time: the last one is still on its way";

/// Greets a client with what its room greets with. Where that is the last recording and there is none yet, the client gets the first
/// as soon as it is made; it goes on waiting until it leaves.
async fn greet(session: Rc<Session>, room: RoomName) {
    let archive = &session.edge.archive;
    let mut changes = archive.watch();
    let answer = match archive.settings(&room).greet {
        Greet::None => return,
        Greet::Session => so_far(&session, &room).await,
        Greet::LastRecording => loop {
            match archive.newest_mixed(&room).await {
                Ok(Some(id)) => break play(&session, id, Ticks::ZERO).await,
                Ok(None) => {}
                Err(error) => break wrong(&Problem::from(error).to_string()),
            }
            loop {
                match changes.recv().await {
                    Ok(Changed::Mixed(_, of)) if of == room => break,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                }
            }
            if archive.settings(&room).greet != Greet::LastRecording {
                return;
            }
        },
    };
    tracing::debug!(%room, %answer, "a client is greeted");
}

/// Fetches the recording that a client asks for, beside what else it says; not where one is on its way already.
fn fetch(session: &Rc<Session>, id: RecordingId, from: Ticks, acknowledge: Option<i64>) -> bool {
    if session.outbox().waiting() > MOST_WAITING || session.fetching.replace(true) {
        return false;
    }
    let session = Rc::clone(session);
    actix_rt::spawn(async move {
        tokio::select! {
            answer = play(&session, id, from) => {
                session.fetching.set(false);
                if let Some(number) = acknowledge {
                    session.say(socket_io::acknowledgement(number, &answer));
                }
            }
            () = session.ended() => {}
        }
    });
    true
}

/// Sends a recording from there on, and gives what is acknowledged.
async fn play(session: &Session, id: RecordingId, from: Ticks) -> Json {
    let edge = &session.edge;
    bring(session, id, edge.socket_io.files.get(&edge.archive, id, from)).await
}

/// Sends what there is of the session that is going on in a room.
async fn so_far(session: &Session, room: &RoomName) -> Json {
    let edge = &session.edge;
    let described = match edge.hub.send(Find(room.clone())).await {
        Ok(Some(found)) => found.room.send(Describe).await.ok(),
        _ => None,
    };
    let going_on = described.and_then(|room| room.session);
    let recording = going_on.and_then(|session| session.recording.to_string().parse::<RecordingId>().ok());
    let Some(id) = recording else { return wrong("no session is going on") };
    bring(session, id, edge.socket_io.files.so_far(&edge.archive, id)).await
}

/// Brings the client this file, where none waits for it that it does not take: it greets as often as it comes in, and what
/// waits is in nobody's bound.
async fn bring(
    session: &Session,
    id: RecordingId,
    file: impl Future<Output = Result<AudioFile, archive::Error>>,
) -> Json {
    let _turn = session.bringing.lock().await;
    if session.outbox().waiting() > MOST_WAITING {
        return wrong(ON_ITS_WAY);
    }
    match file.await {
        Ok(AudioFile { frame, seconds }) => {
            session.send_file(frame);
            json!({ "ok": true, "recording": id.uuid(), "seconds": seconds })
        }
        Err(error) => wrong(&Problem::from(error).to_string()),
    }
}

/// What an acknowledgement says where all is well.
fn done() -> Json {
    json!({ "ok": true })
}

/// What it says where something could not be done, and nothing has to end for it.
fn wrong(message: &str) -> Json {
    json!({ "ok": false, "error": message })
}
