//! The WebSocket of a replay: `/recordings/{id}/ws`.
//!
//! What belongs here: the query, a listener's way in and out, and what their messages mean. What does not: what they
//! hear (`hub::replay`).

use std::rc::Rc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::Here;
use super::close::Close;
use super::problem::{Kind, Problem};
use super::query;
use super::room_socket::{self, Arrival, cannot_be};
use super::socket::{Incoming, Socket};
use super::v1;
use crate::archive::model::RecordingId;
use crate::hub::replay::{Command, From, Opening, Replay};
use crate::hub::room::Role;
use crate::media::time::Ticks;
use crate::wire::v1::{FromClient, Notice};

/// The address.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/recordings/{id}/ws", web::get().to(replay));
}

/// What of the query only a replay knows, as it was written.
#[derive(Debug, Default, Deserialize)]
struct Query {
    from: Option<String>,
    speed: Option<String>,
}

impl Query {
    /// Where the replay begins.
    fn place(self) -> Result<From, Problem> {
        if let Some(speed) = self.speed.filter(|speed| speed.parse() != Ok(1.0)) {
            return Err(Problem::new(Kind::NotSupported, format!("speed={speed:?} is not supported, only 1.")));
        }
        let from = match self.from.as_deref() {
            None | Some("start") => return Ok(From::Start(Ticks::ZERO)),
            Some(from) => from,
        };
        let seconds: f64 = from.parse().map_err(|_| cannot_be("from", from, "start or a number of seconds"))?;
        if seconds.is_nan() {
            return Err(cannot_be("from", from, "start or a number of seconds"));
        }
        Ok(if seconds < 0.0 {
            From::End(Ticks::from_secs_f64(-seconds))
        } else {
            From::Start(Ticks::from_secs_f64(seconds))
        })
    }
}

async fn replay(
    request: HttpRequest,
    edge: Here,
    id: web::Path<String>,
    place: query::Query<Query>,
    query: query::Query<room_socket::Query>,
) -> Result<HttpResponse, Problem> {
    let recording: RecordingId = id.parse()?;
    room_socket::must_upgrade(&request, "This address is a WebSocket; the recording's page is the same without /ws.")?;
    let from = place.0.place()?;
    let mut query = query.0;
    query.from = None;
    let publishes = query.publish.is_some();
    let wish = query.wish()?;
    if publishes && wish.role == Role::Speaker {
        return Err(Problem::new(Kind::NotSupported, "A replay only listens: publish= cannot be yes."));
    }
    if wish.declared.is_some() {
        return Err(Problem::new(Kind::NotSupported, "A replay only listens: format= is for those who publish."));
    }
    let Arrival { handshake, participant, reads, doorstep, v1 } = Arrival::check(&request, &edge, wish)?;
    let outbox = Rc::clone(&doorstep) as Rc<_>;
    let opening = Opening { recording, from, participant, reads, outbox };
    let mut replay = Replay::open(edge.archive.clone(), edge.clock, opening).await?;
    Ok(handshake.accept(
        |_| None,
        move |socket| async move {
            doorstep.leave(&socket, edge.clock.now());
            drop(doorstep);
            replay.speak_to(Rc::clone(&socket) as Rc<_>);
            if let Err(close) = play(&socket, &mut replay, v1).await {
                if v1 {
                    replay.tell(&Notice::Error { code: close.word.to_owned(), message: close.reason.clone() });
                }
                socket.close(close.code, &close.reason);
            }
        },
    ))
}

/// Until the listener goes, or has to. What they have said already comes before the next turn, so that of many seeks only
/// the last is carried out.
async fn play(socket: &Socket, replay: &mut Replay, v1: bool) -> Result<(), Close> {
    loop {
        let incoming = tokio::select! {
            biased;
            incoming = socket.next() => incoming,
            () = replay.turn() => continue,
        };
        match incoming {
            Incoming::Text(text) if v1 => hear(replay, v1::message(&text)?)?,
            Incoming::Text(text) => match FromClient::from_json(&text) {
                Ok(message @ (FromClient::Seek { .. } | FromClient::Pause | FromClient::Play)) => {
                    hear(replay, message)?;
                }
                _ => replay.warn("no_command", "A replay takes the commands seek, pause and play, as JSON.".to_owned()),
            },
            Incoming::Binary(_) => return Err(only_listens()),
            Incoming::Closed(_) => return Ok(()),
        }
    }
}

fn hear(replay: &mut Replay, message: FromClient) -> Result<(), Close> {
    match message {
        FromClient::Seek { at } => replay.command(Command::Seek(Ticks::from_secs_f64(at))),
        FromClient::Pause => replay.command(Command::Pause),
        FromClient::Play => replay.command(Command::Play),
        FromClient::Ping { time } => {
            replay.tell(&Notice::Pong { time, session_ticks: Some(replay.position()) });
        }
        FromClient::Marker { .. } => {
            replay.warn("ignored", "A replay sets no markers: POST them to the recording.".to_owned());
        }
        FromClient::Chat { .. } => replay.warn("ignored", "Nobody else is in a replay to read it.".to_owned()),
        FromClient::Publish { .. } | FromClient::Unpublish { .. } | FromClient::Mute { .. } => {
            return Err(only_listens());
        }
        FromClient::Unknown => {}
    }
    Ok(())
}

fn only_listens() -> Close {
    Close::rule("a replay only listens")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(query: &str) -> Result<From, String> {
        let query = web::Query::<Query>::from_query(query).unwrap().into_inner();
        query.place().map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_place_is_told_from_the_start_or_from_the_end() {
        let millis = |millis| Ticks::from_millis(millis);
        assert_eq!(place(""), Ok(From::Start(Ticks::ZERO)));
        assert_eq!(place("from=start&speed=1"), Ok(From::Start(Ticks::ZERO)));
        assert_eq!(place("from=12.5&speed=1.0"), Ok(From::Start(millis(12_500))));
        assert_eq!(place("from=-3"), Ok(From::End(millis(3000))));
        assert_eq!(place("from=1e300"), Ok(From::Start(Ticks::MAX)));
        assert_eq!(place("from=-inf"), Ok(From::End(Ticks::MAX)));
        for (query, word) in [("from=soon", "from"), ("from=", "from"), ("from=NaN", "from"), ("speed=2", "speed")] {
            let problem = place(query).unwrap_err();
            assert!(problem.contains(word), "{query}: {problem}");
        }
    }
}
