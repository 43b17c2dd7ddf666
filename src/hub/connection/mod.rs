//! The connection: one actor for each client, on the thread of its socket. It owns the demuxers of what the client
//! publishes and the client's place in the room: a bad stream ends its own connection and nobody else's.
//!
//! What belongs here: what a client says, in words that no protocol owns; pacing; leaving. What does not: frames, JSON,
//! close codes (the edge translates).

mod budget;
mod publishing;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, Context, Handler, Message, ResponseActFuture, WrapFuture};
use bytes::Bytes;

use self::budget::Budget;
use self::publishing::{Batch, Decoded, Pace, Stream};
use super::fanout::{MemberId, Place, Reads, Worker};
use super::outbox::Outbox;
use super::registry::{Enter, Entered, Hub};
use super::room::{
    Announce, Join, Lease, Leave, MOST_TRACKS, Mute, Ping, Publish, Refused, Relay, Role, Room, Say, Unpublish,
};
use super::time::Clock;
use crate::container::stream;
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
}

/// Why a client's connection has to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its stream is broken, or of a kind that is not accepted.
    #[error(transparent)]
    Stream(stream::Error),
    /// A packet is none.
    #[error(transparent)]
    Packet(opus::PacketError),
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

/// Brings a client into its room, and gives the actor that speaks for it. It leaves when the address is dropped.
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
    room.send(Join { participant, role, reads, fanout }).await.map_err(|_| Refusal::Stopping)?;
    Ok(connection)
}

/// The actor.
pub struct Connection {
    member: MemberId,
    room: Addr<Room>,
    clock: Clock,
    streams: HashMap<u16, Rc<RefCell<Stream>>>,
    budget: Budget,
    _place: Place,
    lease: Lease,
}

impl Connection {
    /// What of a message needs the room, in order; what does not is done.
    fn take(&mut self, said: Said) -> Result<ForRoom, Refusal> {
        Ok(match said {
            Said::OpenContainer { local, announced } => {
                self.begin(local, Stream::container())?;
                if announced { ForRoom::Announce(local) } else { ForRoom::Nothing }
            }
            Said::OpenPackets { local, format } => {
                self.begin(local, Stream::packets(format))?;
                ForRoom::Announce(local)
            }
            Said::Bytes { local, bytes } => {
                let stream = self.streams.get(&local).ok_or(Refusal::NoTrack(local))?;
                stream.borrow_mut().push(&bytes)?;
                ForRoom::Container { local, stream: Rc::clone(stream) }
            }
            Said::Packets { local, first, time, packets } => {
                let mut stream = self.streams.get(&local).ok_or(Refusal::NoTrack(local))?.borrow_mut();
                let decoded = stream.numbered(first, time, packets);
                ForRoom::Sound { local, decoded, pace: Rc::clone(&stream.pace) }
            }
            Said::Close { local } => {
                self.streams.remove(&local).ok_or(Refusal::NoTrack(local))?;
                ForRoom::Unpublish(local)
            }
            Said::Mute { local, muted } => ForRoom::Mute(local, muted),
            Said::Text(text) => ForRoom::Say(text),
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
        self.streams.insert(local, Rc::new(RefCell::new(stream)));
        Ok(())
    }
}

/// What goes to the room of one message.
enum ForRoom {
    Nothing,
    Announce(u16),
    Container { local: u16, stream: Rc<RefCell<Stream>> },
    Sound { local: u16, decoded: Decoded, pace: Rc<Pace> },
    Unpublish(u16),
    Mute(u16, bool),
    Say(String),
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
            Self::Container { local, stream } => {
                let pace = Rc::clone(&stream.borrow().pace);
                let mut publisher = Publisher { room, member, local, clock, arrived, pace };
                let mut warnings = Vec::new();
                loop {
                    let decoded = stream.borrow_mut().decode();
                    let more = decoded.more;
                    warnings.extend(publisher.send_all(decoded).await?);
                    if !more {
                        return Ok(warnings);
                    }
                }
            }
            Self::Sound { local, decoded, pace } => {
                return Publisher { room, member, local, clock, arrived, pace }.send_all(decoded).await;
            }
            Self::Unpublish(local) => gone(room.send(Unpublish { member, local }).await)?,
            Self::Mute(local, muted) => gone(room.send(Mute { member, local, muted }).await)?,
            Self::Say(text) => gone(room.send(Say { member, text }).await)?,
            Self::Relay(bytes) => gone(room.send(Relay { member, bytes }).await)?,
            Self::Ping(time) => gone(room.send(Ping { member, time }).await)?,
        }
        Ok(Vec::new())
    }
}

/// Hands one message's packets to the room, no faster than the room's clock allows.
struct Publisher {
    room: Addr<Room>,
    member: MemberId,
    local: u16,
    clock: Clock,
    /// When the packets arrived; once they had to wait, when the wait was over.
    arrived: Moment,
    pace: Rc<Pace>,
}

impl Publisher {
    async fn send_all(&mut self, decoded: Decoded) -> Result<Vec<Warning>, Refusal> {
        for batch in decoded.batches {
            self.send(batch).await?;
        }
        decoded.refusal.map_or(Ok(decoded.warnings), Err)
    }

    async fn send(&mut self, batch: Batch) -> Result<(), Refusal> {
        let Batch { format, mut restarted, mut first, packets } = batch;
        // Taken from the front, a few at a time: what is left of a long message is not moved for each of them.
        let mut packets = packets.into_iter();
        loop {
            let count = match self.pace.fitting(self.clock.now(), packets.as_slice()) {
                Ok(count) => count,
                Err(wait) => {
                    tokio::time::sleep(wait.as_duration()).await;
                    self.arrived = self.clock.now();
                    continue;
                }
            };
            let fitting = packets.by_ref().take(count).collect();
            let Self { member, local, arrived, .. } = *self;
            let format = format.clone();
            let publish = Publish { member, local, format, restarted, first, packets: fitting, arrived };
            let ahead = gone(self.room.send(publish).await)??;
            self.pace.told(arrived, ahead);
            if packets.as_slice().is_empty() {
                return Ok(());
            }
            restarted = false;
            first = first.map(|first| first.after(count as u64));
        }
    }
}

/// A room whose mailbox is closed is gone with its hub: it is not forgotten while a connection holds it.
fn gone<T>(answer: Result<T, actix::MailboxError>) -> Result<T, Refusal> {
    answer.map_err(|_| Refusal::Stopping)
}

impl Actor for Connection {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // The socket's task says one thing at a time.
        context.set_mailbox_capacity(1);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.room.do_send(Leave { member: self.member });
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
