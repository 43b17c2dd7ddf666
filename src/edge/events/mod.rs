//! `/api/v1/events`: what goes on in all rooms and recordings, as JSON over a WebSocket, for pages that show lists of them.
//!
//! What belongs here: what hub and archive tell, as events; a client's stay. What does not: what is told and how often (the
//! room and the archive decide), lists (REST has them).
//!
//! The first event restates all live rooms, and so does every [`Event::State`] after it: a client that fell behind what
//! may wait for it gets a new one in place of what it missed. A client has nothing to say here; its text is thrown away
//! unread.

use std::time::Duration;

use actix::Addr;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Item, Message, MessageStream, ProtocolError, Session};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout};

use super::Here;
use super::problem::{Kind, Problem};
use super::rest::json::Summary;
use super::rest::only;
use super::socket::{Handshake, Limits, Seat};
use crate::archive::model::RecordingId;
use crate::archive::{Archive, Changed};
use crate::hub::registry::{Hub, RoomChange, Watch, Watched};
use crate::hub::room::Description;
use crate::media::room::RoomName;

/// The largest frame that a client may send, in bytes.
const MOST_SAID: usize = 4096;

/// The address.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(only(web::resource("/events").route(web::get().to(events)), "GET"));
}

/// What the hub says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<'a> {
    /// All rooms that are live. What was told before counts no more, and recordings may have changed.
    State {
        /// By name.
        rooms: &'a [Description],
    },
    /// A room is live, or something in it has changed.
    Room {
        /// What it is like now.
        room: &'a Description,
    },
    /// Nobody is in a room any more.
    RoomGone {
        /// Which.
        name: &'a RoomName,
    },
    /// A recording began, ended, was renamed, or someone new speaks in it.
    Recording {
        /// What lists show of it now.
        recording: Box<Summary>,
    },
    /// A recording is gone.
    RecordingDeleted {
        /// Which.
        id: RecordingId,
    },
    /// The connection lives. Sent where its client was quiet for a while, since a page does not see a ping.
    Alive {},
}

impl Event<'_> {
    fn to_json(&self) -> String {
        // Strings, numbers and lists of them: nothing that has no JSON.
        serde_json::to_string(self).expect("an event is JSON")
    }
}

async fn events(request: HttpRequest, body: web::Payload, edge: Here) -> Result<HttpResponse, Problem> {
    let seat = Handshake::check(&request, &edge.sockets, None)?.into_seat();
    let refused = |error: actix_web::Error| Problem::new(Kind::InvalidHandshake, error.to_string());
    let (response, session, messages) = actix_ws::handle(&request, body).map_err(refused)?;
    let feed = Feed { hub: edge.hub.clone(), archive: edge.archive.clone(), watched: None };
    let stay =
        Stay { session, messages: messages.max_frame_size(MOST_SAID), feed, limits: edge.sockets.limits(), seat };
    actix_web::rt::spawn(stay.last());
    Ok(response)
}

/// What one client is told, as it comes.
struct Feed {
    hub: Addr<Hub>,
    archive: Archive,
    /// None before the first event, and where the client has fallen behind.
    watched: Option<(Receiver<RoomChange>, Receiver<Changed>)>,
}

/// The hub stops: nothing more will come.
#[derive(Debug)]
struct Stopped;

impl Feed {
    /// The next event. Nothing is lost where the wait is given up.
    async fn next(&mut self) -> Result<String, Stopped> {
        loop {
            let Some((rooms, recordings)) = &mut self.watched else { return self.begin().await };
            let event = tokio::select! {
                change = rooms.recv() => change.map(|change| Some(match &change {
                    RoomChange::Live(room) => Event::Room { room }.to_json(),
                    RoomChange::Gone(name) => Event::RoomGone { name }.to_json(),
                })),
                change = recordings.recv() => change.map(|change| match change {
                    Changed::Recording(summary) => {
                        let recording = Box::new(Summary::from((*summary).clone()));
                        Some(Event::Recording { recording }.to_json())
                    }
                    Changed::Deleted(id) => Some(Event::RecordingDeleted { id }.to_json()),
                    Changed::Mixed(..) => None,
                }),
            };
            match event {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "one who watches has fallen behind, and begins anew");
                    self.watched = None;
                }
                Err(RecvError::Closed) => return Err(Stopped),
            }
        }
    }

    /// All that is, and from then on what changes.
    async fn begin(&mut self) -> Result<String, Stopped> {
        let recordings = self.archive.watch();
        let Watched { rooms, changes } = self.hub.send(Watch).await.map_err(|_| Stopped)?;
        self.watched = Some((changes, recordings));
        Ok(Event::State { rooms: &rooms }.to_json())
    }
}

/// A client's stay.
struct Stay {
    session: Session,
    messages: MessageStream,
    feed: Feed,
    limits: Limits,
    seat: Seat,
}

impl Stay {
    /// Until the client goes, or has to.
    async fn last(mut self) {
        let reason = self.serve().await;
        if let Some(reason) = reason {
            let _ = timeout(self.limits.close, self.session.close(Some(reason))).await;
        }
    }

    /// Gives how to say goodbye, where there is anyone to say it to.
    async fn serve(&mut self) -> Option<CloseReason> {
        let Limits { quiet, answer, .. } = self.limits;
        let mut asked = false;
        let mut deadline = Instant::now() + quiet;
        loop {
            tokio::select! {
                event = self.feed.next() => {
                    let Ok(event) = event else { return Some(stopping()) };
                    // What waits for a client that takes nothing is in the feed, which has a bound.
                    in_time(answer, self.session.text(event)).await?;
                }
                message = self.messages.recv() => {
                    if let Some(reply) = self.heard(message?).await? {
                        return Some(reply);
                    }
                    asked = false;
                    deadline = Instant::now() + quiet;
                }
                () = sleep_until(deadline) => {
                    if asked {
                        let seconds = answer.as_secs();
                        return Some(close(CloseCode::Policy, format!("no answer to a ping for {seconds} s")));
                    }
                    asked = true;
                    deadline = Instant::now() + answer;
                    in_time(answer, self.session.ping(b"")).await?;
                    in_time(answer, self.session.text(Event::Alive {}.to_json())).await?;
                }
                () = self.seat.stopped() => return Some(stopping()),
            }
        }
    }

    /// What the client said; gives how to close where that is its end, and nothing where it is gone.
    async fn heard(&mut self, message: Result<Message, ProtocolError>) -> Option<Option<CloseReason>> {
        match message {
            Ok(Message::Ping(payload)) => in_time(self.limits.answer, self.session.pong(&payload)).await?,
            Ok(Message::Binary(_) | Message::Continuation(Item::FirstBinary(_))) => {
                return Some(Some(close(
                    CloseCode::Unsupported,
                    "nothing is sent here, least of all sound".to_owned(),
                )));
            }
            Ok(Message::Close(reason)) => return Some(Some(reason.unwrap_or_else(|| CloseCode::Normal.into()))),
            Ok(Message::Text(_) | Message::Pong(_) | Message::Continuation(_) | Message::Nop) => {}
            Err(ProtocolError::Overflow) => {
                return Some(Some(close(CloseCode::Size, format!("more than {MOST_SAID} bytes at once"))));
            }
            Err(ProtocolError::Io(_)) => return None,
            Err(error) => return Some(Some(close(CloseCode::Protocol, error.to_string()))),
        }
        Some(None)
    }
}

/// Waits for a client to take something. Nothing where it does not, or is gone.
async fn in_time<E>(patience: Duration, sent: impl Future<Output = Result<(), E>>) -> Option<()> {
    timeout(patience, sent).await.ok()?.ok()
}

fn close(code: CloseCode, reason: String) -> CloseReason {
    CloseReason { code, description: Some(reason) }
}

fn stopping() -> CloseReason {
    close(CloseCode::Away, "the hub stops".to_owned())
}

#[cfg(test)]
mod tests;
