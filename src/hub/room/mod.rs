//! The room: one actor whose mailbox orders everything that happens in a room.
//!
//! What belongs here: the shell around [`State`]: messages in, effects out to workers and recorder, the timer. What does
//! not: every decision (`state.rs`, `session.rs`, `sound.rs`).

mod messages;
mod mixing;
mod pace;
mod session;
mod sound;
mod state;
#[cfg(test)]
mod tests;
mod track;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{
    Actor, ActorContext, Addr, AsyncContext, Context, Handler, MessageResult, Recipient, ResponseFuture, SpawnHandle,
};

#[cfg(test)]
pub use self::messages::Fall;
pub use self::messages::{
    Announce, Close, Describe, Description, Join, Leave, Mark, Mute, Ping, Publish, Refused, Relay, Role, Say,
    Unmarked, Unpublish,
};
pub use self::pace::EVERY;
pub use self::state::{Effect, LONGEST_KEPT_LINE, MOST_KEPT_CHAT, State};
pub use self::track::{MOST_CHANGES, MOST_RECORDED, MOST_TRACKS};
use super::fanout::{Deliver, Delivery, Fallen, Fanout, MemberId, Missed};
use super::mix::Order;
use super::mix::desk::{Desk, Mixed};
use super::outbox::Skipped;
use super::recorder::{Archived, Entry, Link};
use super::registry::News;
use super::session::Patience;
use super::time::Clock;
use crate::archive::model::RecordingId;
use crate::archive::{Archive, Event, Health};
use crate::media::marker::MarkerId;
use crate::media::room::RoomName;
use crate::wire::v1::Marker;

/// Messages of publishers that may wait: the bound of `publisher to room`.
const MAILBOX: usize = 64;
/// How often time is told: the pace of `received` acknowledgements.
const TICK: Duration = Duration::from_millis(100);

/// Keeps the hub from forgetting a room, while it is held.
pub type Lease = Arc<Fate>;

/// What has become of a room.
#[derive(Debug, Default)]
pub struct Fate(AtomicBool);

impl Fate {
    /// Whether the room was closed as it should be. One that is gone without it fell, by a fault of ours.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How a room tells the hub what has changed in it.
#[derive(Debug)]
pub struct Teller {
    /// The hub.
    pub hub: Recipient<News>,
    /// The room's number, which no other room of the hub has or had.
    pub number: u64,
}

/// The actor.
pub struct Room {
    state: State,
    teller: Teller,
    clock: Clock,
    archive: Archive,
    workers: Vec<Worker>,
    /// Which worker a member is on.
    homes: HashMap<MemberId, Addr<Fanout>>,
    recorder: Option<Link>,
    /// What mixes, while anybody hears what is mixed; and how many desks the room had.
    desk: Option<Desk>,
    desks: u64,
    /// The desk that did not keep up, until it has put down its work: no other begins beside it.
    given_up: Option<u64>,
    /// Whether sound is being lost on its way to the recorder.
    overloaded: bool,
    timer: Option<SpawnHandle>,
    lease: Lease,
    /// Held while a session has not ended.
    session: Option<Lease>,
}

/// A worker thread that has members of this room.
struct Worker {
    fanout: Addr<Fanout>,
    members: usize,
    missed: Skipped,
}

impl Room {
    /// An empty room. `lease` is the hub's own.
    #[must_use]
    pub fn new(
        name: RoomName,
        patience: Patience,
        clock: Clock,
        archive: Archive,
        lease: Lease,
        teller: Teller,
    ) -> Self {
        Self {
            state: State::new(name, patience),
            teller,
            clock,
            archive,
            workers: Vec::new(),
            homes: HashMap::new(),
            recorder: None,
            desk: None,
            desks: 0,
            given_up: None,
            overloaded: false,
            timer: None,
            lease,
            session: None,
        }
    }

    /// Carries out what the state asks for.
    fn carry_out(&mut self, context: &mut Context<Self>) {
        let (mut deliveries, mut orders) = (Vec::new(), Vec::new());
        loop {
            let effects = self.state.effects();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                match effect {
                    Effect::Deliver(delivery) => deliveries.push(delivery),
                    Effect::Begin(session) => {
                        let room = context.address().recipient();
                        self.recorder = Some(Link::start(&self.archive, self.state.name().clone(), session, room));
                        self.session = Some(Arc::clone(&self.lease));
                        self.overloaded = false;
                    }
                    Effect::Record(entry @ Entry::Finish(..)) => {
                        self.record(entry);
                        self.recorder = None;
                    }
                    Effect::Record(entry) => self.record(entry),
                    Effect::Mix(order) => orders.push(order),
                    Effect::NoMix => {
                        orders.clear();
                        self.desk = None;
                    }
                }
            }
            if !orders.is_empty() {
                self.order(std::mem::take(&mut orders), context);
            }
        }
        if !deliveries.is_empty() {
            self.deliver(deliveries.into());
        }
        if !self.state.has_session() {
            self.recorder = None;
            self.session = None;
        }
        self.tell_hub();
        self.set_timer(context);
    }

    fn look_at_settings(&mut self) {
        let record = self.archive.settings(self.state.name()).record;
        self.state.record(self.clock.wall(), record);
    }

    fn tell_hub(&mut self) {
        let now = self.clock.now();
        if let Some(description) = self.state.news(now) {
            // Control, not media, and at most once in [`EVERY`].
            self.teller.hub.do_send(News { room: self.teller.number, description, at: now });
        }
    }

    /// Hands orders to the desk. One that does not keep up is given up, and once it has put down its work another begins at the
    /// live edge.
    fn order(&mut self, orders: Vec<Order>, context: &mut Context<Self>) {
        if self.given_up.is_some() {
            return;
        }
        let desk = self.desk.get_or_insert_with(|| {
            self.desks += 1;
            Desk::start(self.desks, context.address().recipient())
        });
        if desk.order(orders).is_err() {
            tracing::warn!(room = %self.state.name(), desks = self.desks, "the mix does not keep up: it goes on at the live edge");
            self.desk = None;
            self.given_up = Some(self.desks);
        }
    }

    fn record(&mut self, entry: Entry) {
        let Some(recorder) = &mut self.recorder else { return };
        let is_sound = matches!(entry, Entry::Sound { .. });
        match recorder.send(entry) {
            Ok(()) if is_sound && self.overloaded && recorder.is_clear() => {
                self.overloaded = false;
                self.state.recording_goes_on();
            }
            Ok(()) => {}
            Err(full) => {
                self.state.not_recorded(full.track, full.begin, full.end);
                if !std::mem::replace(&mut self.overloaded, true) {
                    tracing::warn!(room = %self.state.name(), "the disk does not keep up: sound is not recorded");
                    self.state.recording_lags();
                }
            }
        }
    }

    /// One message to each worker. One that is full misses the sound of it, is told later how much, and still gets the rest.
    fn deliver(&mut self, deliveries: Arc<[Delivery]>) {
        for worker in &mut self.workers {
            if worker.missed != Skipped::default() && worker.fanout.try_send(Missed(worker.missed)).is_ok() {
                worker.missed = Skipped::default();
            }
            let full = worker.fanout.try_send(Deliver(Arc::clone(&deliveries))).is_err();
            if full {
                let (sound, kept): (Vec<_>, Vec<_>) =
                    deliveries.iter().cloned().partition(|delivery| delivery.sound().is_some());
                for ticks in sound.iter().filter_map(Delivery::sound) {
                    worker.missed.ticks = worker.missed.ticks.saturating_add(ticks);
                    worker.missed.messages += 1;
                }
                if !kept.is_empty() {
                    // Control, not media: it passes a full mailbox.
                    worker.fanout.do_send(Deliver(kept.into()));
                }
            }
        }
    }

    /// The timer runs while time changes anything.
    fn set_timer(&mut self, context: &mut Context<Self>) {
        match (self.timer, self.state.is_awake()) {
            (None, true) => {
                self.timer = Some(context.run_interval(TICK, |room, context| {
                    room.state.disk(room.archive.health() == Health::Well);
                    room.look_at_settings();
                    room.state.tick(room.clock.now(), room.clock.wall());
                    room.carry_out(context);
                }));
            }
            (Some(timer), false) => {
                context.cancel_future(timer);
                self.timer = None;
            }
            _ => {}
        }
    }

    fn enter(&mut self, member: MemberId, fanout: Addr<Fanout>) {
        match self.workers.iter_mut().find(|worker| worker.fanout == fanout) {
            Some(worker) => worker.members += 1,
            None => self.workers.push(Worker { fanout: fanout.clone(), members: 1, missed: Skipped::default() }),
        }
        self.homes.insert(member, fanout);
    }

    fn exit(&mut self, member: MemberId) {
        let Some(fanout) = self.homes.remove(&member) else { return };
        if let Some(index) = self.workers.iter().position(|worker| worker.fanout == fanout) {
            self.workers[index].members -= 1;
            if self.workers[index].members == 0 {
                self.workers.remove(index);
            }
        }
    }
}

/// A panic ends the task of its own room: the other rooms of the thread go on. What the room was recording ends with its
/// recorder, and who is in it is told to join again.
impl Drop for Room {
    fn drop(&mut self) {
        if self.lease.is_closed() {
            return;
        }
        tracing::error!(room = %self.state.name(), "the room fell, by a fault of ours");
        for worker in &self.workers {
            worker.fanout.do_send(Fallen);
        }
    }
}

impl Actor for Room {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Join> for Room {
    type Result = ();

    fn handle(&mut self, join: Join, context: &mut Self::Context) {
        let Join { participant, role, reads, fanout } = join;
        self.enter(participant.id, fanout);
        self.state.join(self.clock.now(), participant, role, reads);
        self.carry_out(context);
    }
}

impl Handler<Leave> for Room {
    type Result = ();

    fn handle(&mut self, Leave { member }: Leave, context: &mut Self::Context) {
        self.state.leave(self.clock.now(), self.clock.wall(), member);
        self.exit(member);
        self.carry_out(context);
    }
}

impl Handler<Announce> for Room {
    type Result = Result<(), Refused>;

    fn handle(&mut self, Announce { member, local }: Announce, context: &mut Self::Context) -> Self::Result {
        let answer = self.state.announce(self.clock.now(), member, local);
        self.carry_out(context);
        answer
    }
}

impl Handler<Publish> for Room {
    type Result = Result<i64, Refused>;

    fn handle(&mut self, publish: Publish, context: &mut Self::Context) -> Self::Result {
        self.look_at_settings();
        let answer = self.state.publish(self.clock.wall(), publish);
        self.carry_out(context);
        answer
    }
}

impl Handler<Unpublish> for Room {
    type Result = ();

    fn handle(&mut self, Unpublish { member, local }: Unpublish, context: &mut Self::Context) {
        self.state.unpublish(self.clock.now(), self.clock.wall(), member, local);
        self.carry_out(context);
    }
}

impl Handler<Mute> for Room {
    type Result = ();

    fn handle(&mut self, Mute { member, local, muted }: Mute, context: &mut Self::Context) {
        self.state.mute(member, local, muted);
        self.carry_out(context);
    }
}

impl Handler<Say> for Room {
    type Result = ();

    fn handle(&mut self, Say { member, text }: Say, context: &mut Self::Context) {
        self.state.say(self.clock.now(), member, text);
        self.carry_out(context);
    }
}

impl Handler<Mark> for Room {
    type Result = Result<(RecordingId, Marker), Unmarked>;

    fn handle(&mut self, mark: Mark, context: &mut Self::Context) -> Self::Result {
        let marked = self.state.mark(self.clock.now(), MarkerId::new(*uuid::Uuid::new_v4().as_bytes()), mark);
        self.carry_out(context);
        marked
    }
}

impl Handler<Relay> for Room {
    type Result = ();

    fn handle(&mut self, Relay { member, bytes }: Relay, context: &mut Self::Context) {
        self.state.relay(member, &bytes);
        self.carry_out(context);
    }
}

impl Handler<Ping> for Room {
    type Result = ();

    fn handle(&mut self, Ping { member, time }: Ping, context: &mut Self::Context) {
        self.state.ping(self.clock.now(), member, time);
        self.carry_out(context);
    }
}

impl Handler<Describe> for Room {
    type Result = MessageResult<Describe>;

    fn handle(&mut self, Describe: Describe, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.describe(self.clock.now()))
    }
}

impl Handler<Archived> for Room {
    type Result = ();

    fn handle(&mut self, Archived { recording, event }: Archived, context: &mut Self::Context) {
        if !self.state.is_recording(recording) {
            return;
        }
        match event {
            Event::Durable { track, next, .. } => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.durable(track, next);
                }
                self.state.durable(track, next);
            }
            Event::Failed { reason, message } => {
                tracing::error!(room = %self.state.name(), %recording, ?reason, "the recording ended: {message}");
                self.recorder = None;
                self.state.recording_failed(self.clock.now(), reason);
            }
            Event::Ended => {}
        }
        self.carry_out(context);
    }
}

impl Handler<Mixed> for Room {
    type Result = ();

    fn handle(&mut self, Mixed { desk, made }: Mixed, context: &mut Self::Context) {
        if made.is_none() && self.given_up == Some(desk) {
            self.given_up = None;
            self.state.mix_again(self.clock.now());
            return self.carry_out(context);
        }
        if self.desk.as_ref().is_none_or(|at_work| at_work.number != desk) {
            return;
        }
        match made {
            Some(made) => self.state.mixed(self.clock.now(), made),
            None => {
                tracing::error!(room = %self.state.name(), desk, "the mix fell, by a fault of ours: it begins again");
                self.desk = None;
                self.state.mix_again(self.clock.now());
            }
        }
        self.carry_out(context);
    }
}

impl Handler<Close> for Room {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Close: Close, context: &mut Self::Context) -> Self::Result {
        self.lease.0.store(true, Ordering::Release);
        self.state.close(self.clock.now(), self.clock.wall());
        let recorder = self.recorder.as_ref().map(Link::waiter);
        self.carry_out(context);
        context.stop();
        Box::pin(async move {
            if let Some(recorder) = recorder {
                recorder.handed_on().await;
            }
        })
    }
}

#[cfg(test)]
impl Handler<Fall> for Room {
    type Result = ();

    fn handle(&mut self, Fall: Fall, _: &mut Self::Context) {
        panic!("a test wants it");
    }
}
