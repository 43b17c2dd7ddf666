//! The connection: one actor for each client, on the thread of its socket. It owns the demuxers of what the client
//! publishes and the client's place in the room: a bad stream ends its own connection and nobody else's.
//!
//! What belongs here: what a client says, in words that no protocol owns; pacing; leaving. What does not: frames, JSON,
//! close codes (the edge translates).

mod budget;
mod container;
mod numbered;
mod publisher;
mod publishing;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, Context, Handler, Message, ResponseActFuture, WrapFuture};
use bytes::Bytes;

use self::budget::Budget;
use self::publisher::{Publisher, gone};
use self::publishing::Stream;
use super::fanout::{HandOver, MemberId, Place, Reads, Worker};
use super::offload::Fell;
use super::outbox::Outbox;
use super::registry::{Enter, Entered, Hub};
use super::room::{
    Announce, Join, Lease, Leave, MOST_TRACKS, Mark, Mute, Ping, Refused, Relay, Role, Room, Say, Unmarked, Unpublish,
};
use super::time::Clock;
use crate::container::stream;
use crate::media::codec::DecodeError;
use crate::media::opus;
use crate::media::packet::Sequence;
use crate::media::room::RoomName;
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;
use crate::wire::v1::Participant;

/// What a client says. Each is answered when the room has taken all of it, so that a slow room slows its publishers.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Vec<Warning>, Refusal>")]
pub struct Inbound {
    /// What.
    pub said: Said,
    /// When it arrived.
    pub arrived: Moment,
}

/// The words of a client.
#[derive(Clone, Debug)]
pub enum Said {
    /// A track of container bytes begins.
    OpenContainer {
        /// The client's number for it.
        local: u16,
        /// What the bytes are; none where their first ones tell.
        opening: Option<stream::Opening>,
        /// Whether the room is told before the first packet; else the track begins with that, and ends by silence too.
        announced: bool,
    },
    /// A track of packets begins.
    OpenPackets {
        /// The client's number for it.
        local: u16,
        /// How they are encoded.
        format: Format,
    },
    /// A piece of a track's container.
    Bytes {
        /// The client's number for the track.
        local: u16,
        /// The piece; its edges mean nothing.
        bytes: Bytes,
    },
    /// Packets of a track.
    Packets {
        /// The client's number for the track.
        local: u16,
        /// The number of the first.
        first: Sequence,
        /// The client's own time of the first.
        time: Ticks,
        /// The packets.
        packets: Vec<Bytes>,
    },
    /// A track ends.
    Close {
        /// The client's number for it.
        local: u16,
    },
    /// A track is muted, or not any more.
    Mute {
        /// The client's number for it.
        local: u16,
        /// Whether it is.
        muted: bool,
    },
    /// A line of chat.
    Text(String),
    /// A marker is set.
    Mark {
        /// What is to be written on it.
        text: String,
        /// Where, in seconds from the recording's start; now, where it is none.
        at: Option<f64>,
    },
    /// A binary message that is no sound.
    Relay(Bytes),
    /// Asks for the session's clock.
    Ping(u64),
}

/// Something that a client should hear of, though its connection goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A part of its stream is left out.
    Ignored(stream::Ignored),
    /// Its marker is not set.
    Unmarked(Unmarked),
}

/// Why a client's connection has to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its stream is broken, or of a kind that is not accepted.
    #[error(transparent)]
    Stream(stream::Error),
    /// Its stream begins with bytes that none begins with that is accepted.
    #[error("the stream is no WebM, Matroska, Ogg, MP4, WAV or FLAC; raw PCM and MP3 have to be declared")]
    Unknown,
    /// No decoder reads what is in its stream.
    #[error(transparent)]
    Decoder(DecodeError),
    /// A packet is none.
    #[error(transparent)]
    Packet(opus::PacketError),
    /// A packet of plain samples is none.
    #[error(transparent)]
    Block(DecodeError),
    /// The hub fell over its sound.
    #[error(transparent)]
    Fell(#[from] Fell),
    /// The room does not take it.
    #[error(transparent)]
    Room(#[from] Refused),
    /// It speaks of a track that it has not begun.
    #[error("track {0} is not published on this connection")]
    NoTrack(u16),
    /// Container bytes for a track of packets, or the other way round.
    #[error("the track was published with another source: container bytes are of kind 2, packets of kind 1")]
    OtherSource,
    /// The hub stops.
    #[error("the hub stops")]
    Stopping,
    /// The room is gone by a fault of ours.
    #[error("the room fell by a fault of the hub; join again")]
    Fallen,
}

/// A client that comes into a room.
pub struct Opening {
    /// Which room.
    pub room: RoomName,
    /// Who.
    pub participant: Participant,
    /// What they may do.
    pub role: Role,
    /// What they read.
    pub reads: Reads,
    /// Where what they read goes.
    pub outbox: Rc<dyn Outbox>,
}

/// Brings a client into its room, and gives the actor that speaks for it. It leaves when the address is dropped. Its welcome is in
/// its outbox by then.
///
/// # Errors
/// [`Refusal::Stopping`] where the hub takes nobody in any more.
pub async fn open(
    hub: &Addr<Hub>,
    worker: &Rc<Worker>,
    clock: Clock,
    opening: Opening,
) -> Result<Addr<Connection>, Refusal> {
    let Opening { room: name, participant, role, reads, outbox } = opening;
    let member = participant.id;
    let Entered { room, lease } = hub.send(Enter(name.clone())).await.map_err(|_| Refusal::Stopping)?;
    let place = worker.register(&name, member, reads, outbox);
    let fanout = place.fanout.clone();
    // From here on the actor exists, so that whatever happens the room hears of the end.
    let connection = Connection {
        member,
        room: room.clone(),
        clock,
        streams: HashMap::new(),
        budget: Budget::default(),
        _place: place,
        lease,
    }
    .start();
    room.send(Join { participant, role, reads, fanout: fanout.clone() }).await.map_err(|_| Refusal::Stopping)?;
    fanout.send(HandOver).await.map_err(|_| Refusal::Stopping)?;
    Ok(connection)
}

/// The actor.
pub struct Connection {
    member: MemberId,
    room: Addr<Room>,
    clock: Clock,
    streams: HashMap<u16, Rc<Stream>>,
    budget: Budget,
    _place: Place,
    lease: Lease,
}

impl Connection {
    /// What of a message needs the room, in order; what does not is done.
    fn take(&mut self, said: Said) -> Result<ForRoom, Refusal> {
        Ok(match said {
            Said::OpenContainer { local, opening, announced } => {
                self.begin(local, Stream::container(opening))?;
                if announced { ForRoom::Announce(local) } else { ForRoom::Nothing }
            }
            Said::OpenPackets { local, format } => {
                self.begin(local, Stream::packets(&format))?;
                ForRoom::Announce(local)
            }
            Said::Bytes { local, bytes } => {
                let stream = self.stream(local)?;
                stream.push(&bytes)?;
                ForRoom::Sound { local, stream }
            }
            Said::Packets { local, first, time, packets } => {
                let stream = self.stream(local)?;
                stream.take(first, time, packets)?;
                ForRoom::Sound { local, stream }
            }
            Said::Close { local } => {
                let stream = self.streams.remove(&local).ok_or(Refusal::NoTrack(local))?;
                ForRoom::Unpublish { local, stream }
            }
            Said::Mute { local, muted } => ForRoom::Mute(local, muted),
            Said::Text(text) => ForRoom::Say(text),
            Said::Mark { text, at } => ForRoom::Mark(text, at),
            Said::Relay(bytes) => ForRoom::Relay(bytes),
            Said::Ping(time) => ForRoom::Ping(time),
        })
    }

    /// How long the client has to wait after this before it is listened to again. Sound is paced by itself.
    fn spend(&mut self, said: &Said) -> Duration {
        let now = self.clock.now();
        match said {
            Said::Text(text) => self.budget.say(now, text.len()),
            Said::Relay(bytes) => self.budget.relay(now, bytes.len()),
            // Everyone hears of these.
            Said::OpenContainer { .. } | Said::OpenPackets { .. } | Said::Close { .. } | Said::Mute { .. } => {
                self.budget.say(now, 0)
            }
            Said::Mark { text, .. } => self.budget.say(now, text.len()),
            Said::Bytes { .. } | Said::Packets { .. } | Said::Ping(_) => Duration::ZERO,
        }
    }

    fn begin(&mut self, local: u16, stream: Stream) -> Result<(), Refusal> {
        if self.streams.contains_key(&local) {
            return Err(Refusal::Room(Refused::Published(local)));
        }
        if self.streams.len() >= MOST_TRACKS {
            return Err(Refusal::Room(Refused::TooManyTracks));
        }
        self.streams.insert(local, Rc::new(stream));
        Ok(())
    }

    fn stream(&self, local: u16) -> Result<Rc<Stream>, Refusal> {
        self.streams.get(&local).map(Rc::clone).ok_or(Refusal::NoTrack(local))
    }
}

/// What goes to the room of one message.
enum ForRoom {
    Nothing,
    Announce(u16),
    Sound { local: u16, stream: Rc<Stream> },
    Unpublish { local: u16, stream: Rc<Stream> },
    Mute(u16, bool),
    Say(String),
    Mark(String, Option<f64>),
    Relay(Bytes),
    Ping(u64),
}

impl ForRoom {
    async fn send(
        self,
        room: Addr<Room>,
        member: MemberId,
        clock: Clock,
        arrived: Moment,
    ) -> Result<Vec<Warning>, Refusal> {
        match self {
            Self::Nothing => {}
            Self::Announce(local) => gone(room.send(Announce { member, local }).await)??,
            Self::Sound { local, stream } => {
                return Publisher { room, member, local, clock, arrived }.publish(&stream).await;
            }
            Self::Unpublish { local, stream } => {
                let warnings = Publisher { room: room.clone(), member, local, clock, arrived }.finish(&stream).await?;
                gone(room.send(Unpublish { member, local }).await)?;
                return Ok(warnings);
            }
            Self::Mute(local, muted) => gone(room.send(Mute { member, local, muted }).await)?,
            Self::Say(text) => gone(room.send(Say { member, text }).await)?,
            Self::Mark(text, at) => {
                let marked = match (text.parse(), at) {
                    (_, Some(at)) if at < 0.0 => Err(Unmarked::BeforeStart),
                    (Err(bad), _) => Err(Unmarked::Text(bad)),
                    (Ok(text), at) => {
                        let at = at.map(Ticks::from_secs_f64);
                        gone(room.send(Mark { by: Some(member), recording: None, text, at }).await)?
                    }
                };
                return Ok(marked.err().map(Warning::Unmarked).into_iter().collect());
            }
            Self::Relay(bytes) => gone(room.send(Relay { member, bytes }).await)?,
            Self::Ping(time) => gone(room.send(Ping { member, time }).await)?,
        }
        Ok(Vec::new())
    }
}

/// Lets the room know that a member has gone, when it is dropped: whatever happens before.
struct Leaving {
    room: Addr<Room>,
    member: MemberId,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.room.do_send(Leave { member: self.member });
    }
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // The socket's task says one thing at a time.
        context.set_mailbox_capacity(1);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let (room, member, clock) = (self.room.clone(), self.member, self.clock);
        let leaving = Leaving { room: room.clone(), member };
        let streams = std::mem::take(&mut self.streams);
        if streams.is_empty() {
            return;
        }
        let lease = Lease::clone(&self.lease);
        actix::spawn(async move {
            for (local, stream) in streams {
                let arrived = clock.now();
                let mut publisher = Publisher { room: room.clone(), member, local, clock, arrived };
                // Nobody is left to be told what is wrong with it.
                let _ = publisher.finish(&stream).await;
            }
            drop(leaving);
            drop(lease);
        });
    }
}

impl Handler<Inbound> for Connection {
    type Result = ResponseActFuture<Self, Result<Vec<Warning>, Refusal>>;

    fn handle(&mut self, Inbound { said, arrived }: Inbound, _: &mut Self::Context) -> Self::Result {
        let (room, member, clock) = (self.room.clone(), self.member, self.clock);
        let lease = Lease::clone(&self.lease);
        let wait = self.spend(&said);
        let taken = self.take(said);
        let sending = async move {
            let warnings = taken?.send(room, member, clock, arrived).await.map_err(|refusal| match refusal {
                Refusal::Stopping if !lease.is_closed() => Refusal::Fallen,
                refusal => refusal,
            })?;
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Ok(warnings)
        };
        Box::pin(sending.into_actor(self).map(|answer, _, _| answer))
    }
}
