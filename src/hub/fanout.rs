//! The fan-out: one actor for each room and worker thread that has members there. One message crosses threads, then it is
//! handed over locally.
//!
//! What belongs here: which member gets which frame, and that each gets one write a turn. What does not: what is in a
//! frame, and the sockets behind [`Outbox`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use uuid::Uuid;

use super::outbox::{Cargo, Frame, Outbox, Skipped};
use super::rendition::{Layout, Plain};
use super::time::Clock;
use crate::media::room::RoomName;
use crate::media::time::Ticks;
use crate::wire::frame;
use crate::wire::v1::Notice;

/// The ID of a member of a room: one connection, one ID.
pub type MemberId = Uuid;

/// Messages that may wait for a worker before it misses some: the bound of `room to fan-out`.
pub const MAILBOX: usize = 256;

/// What a member reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reads {
    /// `roomtone.v1`.
    V1,
    /// The same, with tracks of PCM as PCM.
    V1Pcm,
    /// A plain rendition, and others' text and binary.
    Plain(Plain),
    /// Events of Socket.IO: each speaker's messages as of `Plain` that decode on their own, others' text and binary, who
    /// comes and goes.
    SocketIo,
}

impl Reads {
    /// Those who speak `roomtone.v1`.
    pub const ANY_V1: [Self; 2] = [Self::V1, Self::V1Pcm];

    /// The layout of each speaker's own messages, where that is what is read.
    #[must_use]
    pub const fn each(self) -> Option<Layout> {
        match self {
            Self::Plain(Plain { layout, mixed: false }) => Some(layout),
            Self::SocketIo => Some(Layout::PreRoll),
            Self::Plain(Plain { mixed: true, .. }) | Self::V1 | Self::V1Pcm => None,
        }
    }

    /// Whether this is `roomtone.v1`.
    #[must_use]
    pub const fn is_v1(self) -> bool {
        matches!(self, Self::V1 | Self::V1Pcm)
    }
}

/// Who gets a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everyone who reads this, but not the one whose sound or word it is.
    Readers {
        /// What they read.
        of: Reads,
        /// Who made it.
        except: Option<MemberId>,
    },
    /// One member alone.
    Member(MemberId),
}

impl To {
    fn includes(self, member: MemberId, reads: Reads) -> bool {
        match self {
            Self::Readers { of, except } => of == reads && except != Some(member),
            Self::Member(one) => one == member,
        }
    }
}

/// What a room tells its workers.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A frame and who gets it.
    Send {
        /// Who.
        to: To,
        /// What.
        frame: Frame,
    },
    /// The room has taken a member in: from here on it gets what it reads, this first.
    Enter {
        /// Who.
        member: MemberId,
        /// The first frame, where the member's protocol has one.
        welcome: Option<Frame>,
    },
    /// A member has begun to speak: it does not hear the sound of all any more, but what is sent to it alone.
    Apart(MemberId),
}

impl Delivery {
    /// A frame for one member.
    #[must_use]
    pub const fn to(member: MemberId, frame: Frame) -> Self {
        Self::Send { to: To::Member(member), frame }
    }

    /// The sound that is lost where this is; none where it must not be lost.
    #[must_use]
    pub const fn sound(&self) -> Option<Ticks> {
        match self {
            Self::Send { frame, .. } => match frame.cargo {
                Cargo::Sound(ticks) => Some(ticks),
                Cargo::Relay | Cargo::Text => Some(Ticks::ZERO),
                Cargo::Kept | Cargo::File => None,
            },
            Self::Enter { .. } | Self::Apart(_) => None,
        }
    }
}

/// What a room has for a worker, in order.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Deliver(pub Arc<[Delivery]>);

/// What a worker missed because its mailbox was full; sent with the next message that fits.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Missed(pub Skipped);

/// Answered when everything that was sent before is handed over.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct HandOver;

/// The room has fallen: nothing more will come, and its members are told.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Fallen;

/// The fan-outs of one worker thread.
pub struct Worker {
    clock: Clock,
    rooms: RefCell<HashMap<RoomName, Rc<Local>>>,
}

/// A room's members on this thread.
struct Local {
    address: Addr<Fanout>,
    members: Rc<Members>,
}

struct Members {
    clock: Clock,
    list: RefCell<Vec<Member>>,
    waiting: RefCell<Vec<Arc<[Delivery]>>>,
}

struct Member {
    id: MemberId,
    reads: Reads,
    outbox: Rc<dyn Outbox>,
    /// Whether the room knows it yet.
    entered: Cell<bool>,
    /// Whether the sound that it hears is sent to it alone.
    apart: Cell<bool>,
}

impl Member {
    /// The frame that this delivery has for the member.
    fn takes<'a>(&self, delivery: &'a Delivery) -> Option<&'a Frame> {
        match delivery {
            Delivery::Send { to, frame } => {
                let own = !self.apart.get() || matches!(to, To::Member(_)) || !matches!(frame.cargo, Cargo::Sound(_));
                (self.entered.get() && own && to.includes(self.id, self.reads)).then_some(frame)
            }
            Delivery::Apart(member) => {
                self.apart.set(self.apart.get() || *member == self.id);
                None
            }
            Delivery::Enter { member, welcome } if *member == self.id => {
                self.entered.set(true);
                welcome.as_ref()
            }
            Delivery::Enter { .. } => None,
        }
    }
}

/// A member's place in a worker's fan-out; it leaves when this is dropped.
pub struct Place {
    worker: Rc<Worker>,
    room: RoomName,
    id: MemberId,
    /// Where the room sends what the member reads.
    pub fanout: Addr<Fanout>,
}

impl Worker {
    /// A worker thread without members.
    #[must_use]
    pub fn new(clock: Clock) -> Rc<Self> {
        Rc::new(Self { clock, rooms: RefCell::default() })
    }

    /// Gives a member of a room its place on this thread. What the room sends from [`Delivery::Enter`] on reaches it.
    ///
    /// Must be called within the thread's actix system, since it may start the room's fan-out here.
    #[must_use]
    pub fn register(self: &Rc<Self>, room: &RoomName, id: MemberId, reads: Reads, outbox: Rc<dyn Outbox>) -> Place {
        let mut rooms = self.rooms.borrow_mut();
        let local = rooms.entry(room.clone()).or_insert_with(|| {
            let members = Rc::new(Members { clock: self.clock, list: RefCell::default(), waiting: RefCell::default() });
            Rc::new(Local { address: Fanout { members: Rc::clone(&members) }.start(), members })
        });
        local.members.list.borrow_mut().push(Member {
            id,
            reads,
            outbox,
            entered: Cell::new(false),
            apart: Cell::new(false),
        });
        Place { worker: Rc::clone(self), room: room.clone(), id, fanout: local.address.clone() }
    }

    /// Puts another outbox in the place of a member's. What comes from here on goes there.
    pub fn replace(&self, room: &RoomName, id: MemberId, outbox: Rc<dyn Outbox>) {
        let rooms = self.rooms.borrow();
        let Some(local) = rooms.get(room) else { return };
        // From the end, where the newest are.
        if let Some(member) = local.members.list.borrow_mut().iter_mut().rev().find(|member| member.id == id) {
            member.outbox = outbox;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut rooms = self.worker.rooms.borrow_mut();
        let Some(local) = rooms.get(&self.room) else { return };
        let mut list = local.members.list.borrow_mut();
        list.retain(|member| member.id != self.id);
        let empty = list.is_empty();
        drop(list);
        if empty {
            rooms.remove(&self.room);
        }
    }
}

/// The actor: what crosses threads ends here.
pub struct Fanout {
    members: Rc<Members>,
}

impl Actor for Fanout {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Deliver> for Fanout {
    type Result = ();

    fn handle(&mut self, Deliver(deliveries): Deliver, _: &mut Self::Context) {
        let mut waiting = self.members.waiting.borrow_mut();
        waiting.push(deliveries);
        if waiting.len() == 1 {
            // Behind everything that is ready now: what else the mailbox holds is written together with this.
            let members = Rc::clone(&self.members);
            actix::spawn(async move {
                tokio::task::yield_now().await;
                members.turn();
            });
        }
    }
}

impl Handler<Missed> for Fanout {
    type Result = ();

    fn handle(&mut self, Missed(skipped): Missed, _: &mut Self::Context) {
        let notice = Notice::Lag { skipped_ticks: skipped.ticks, messages: skipped.messages };
        let frame = Frame { bytes: frame::text(&notice.to_json()), cargo: Cargo::Kept };
        let told = Reads::ANY_V1.map(|of| To::Readers { of, except: None });
        let told = told.map(|to| Delivery::Send { to, frame: frame.clone() });
        self.members.waiting.borrow_mut().push(Arc::new(told));
        self.members.turn();
    }
}

impl Handler<HandOver> for Fanout {
    type Result = ();

    fn handle(&mut self, HandOver: HandOver, _: &mut Self::Context) {
        self.members.turn();
    }
}

impl Handler<Fallen> for Fanout {
    type Result = ();

    fn handle(&mut self, Fallen: Fallen, _: &mut Self::Context) {
        for member in self.members.list.borrow().iter() {
            member.outbox.fail();
        }
    }
}

impl Members {
    /// Hands over everything that waits, with one write for each member.
    fn turn(&self) {
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        let now = self.clock.now();
        let list = self.list.borrow();
        let mut frames = Vec::new();
        for member in list.iter() {
            frames.clear();
            frames.extend(waiting.iter().flat_map(|deliveries| deliveries.iter()).filter_map(|one| member.takes(one)));
            if !frames.is_empty() {
                member.outbox.give(&frames, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::time::Moment;

    const PLAIN: Reads = Reads::Plain(Plain { layout: Layout::PreRoll, mixed: true });

    #[derive(Default)]
    struct Ear {
        heard: RefCell<Vec<Bytes>>,
        flushes: RefCell<usize>,
    }

    impl Outbox for Ear {
        fn push(&self, frame: &Frame, _: Moment) {
            self.heard.borrow_mut().push(frame.bytes.clone());
        }

        fn flush(&self, _: Moment) {
            *self.flushes.borrow_mut() += 1;
        }

        fn waiting(&self) -> usize {
            0
        }

        fn fail(&self) {}
    }

    fn delivery(to: To, bytes: &'static [u8]) -> Delivery {
        Delivery::Send { to, frame: sound(bytes) }
    }

    fn sound(bytes: &'static [u8]) -> Frame {
        Frame { bytes: Bytes::from_static(bytes), cargo: Cargo::Sound(Ticks::ZERO) }
    }

    #[actix::test]
    async fn each_member_gets_what_it_reads_in_one_write_a_turn_and_never_its_own() {
        let worker = Worker::new(Clock::start());
        let room: RoomName = "room".parse().unwrap();
        let (ann, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (anns, bens) = (Rc::new(Ear::default()), Rc::new(Ear::default()));
        let place = worker.register(&room, ann, Reads::V1, Rc::clone(&anns) as Rc<dyn Outbox>);
        let other = worker.register(&room, ben, PLAIN, Rc::clone(&bens) as Rc<dyn Outbox>);
        let v1 = |except| To::Readers { of: Reads::V1, except };
        let plain = To::Readers { of: PLAIN, except: Some(ann) };
        let early = delivery(v1(None), b"before the welcome");
        let enter = |member, welcome| Delivery::Enter { member, welcome };
        let entering = [early, enter(ann, Some(sound(b"welcome"))), enter(ben, None)];
        place.fanout.try_send(Deliver(Arc::new(entering))).unwrap();
        place.fanout.try_send(Deliver(Arc::new([delivery(v1(None), b"1"), delivery(v1(Some(ann)), b"own")]))).unwrap();
        place.fanout.try_send(Deliver(Arc::new([delivery(plain, b"2"), delivery(To::Member(ann), b"3")]))).unwrap();
        while anns.heard.borrow().len() < 3 || bens.heard.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(*anns.heard.borrow(), ["welcome", "1", "3"]);
        assert_eq!(*bens.heard.borrow(), ["2"]);
        assert_eq!((*anns.flushes.borrow(), *bens.flushes.borrow()), (1, 1));

        drop(place);
        assert_eq!(worker.rooms.borrow().len(), 1);
        drop(other);
        assert!(worker.rooms.borrow().is_empty(), "a room without members here has no fan-out here");
    }
}
