//! The hub: the registry of rooms. It starts them, and forgets them when nobody is in them and no session is open.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, AsyncContext, Context, Handler, Message, MessageResult};

use super::room::{Close, Lease, Room};
use super::session::Patience;
use super::time::Clock;
use crate::archive::Archive;
use crate::media::room::RoomName;

/// How often rooms that nobody holds are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Requests that may wait.
const MAILBOX: usize = 1024;

/// The actor.
pub struct Hub {
    clock: Clock,
    archive: Archive,
    patience: Patience,
    /// The threads that rooms run on, in turn.
    threads: Vec<Arbiter>,
    rooms: HashMap<RoomName, Entry>,
    started: usize,
}

struct Entry {
    room: Addr<Room>,
    lease: Lease,
}

/// Gives a room, started if need be.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Entered")]
pub struct Enter(pub RoomName);

/// A room, which is not forgotten while the lease is held.
#[derive(Clone)]
pub struct Entered {
    /// The room.
    pub room: Addr<Room>,
    /// What keeps it.
    pub lease: Lease,
}

/// Gives the room of this name, if it is there.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<Entered>")]
pub struct Find(pub RoomName);

/// Gives every room.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<Entered>")]
pub struct Rooms;

/// Ends every session and closes every room; answered when all of them have been told.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

impl Hub {
    /// A hub without rooms, whose rooms run on `threads` threads of their own (at least one).
    #[must_use]
    pub fn new(clock: Clock, archive: Archive, patience: Patience, threads: usize) -> Self {
        let threads = (0..threads.max(1)).map(|_| Arbiter::new()).collect();
        Self { clock, archive, patience, threads, rooms: HashMap::new(), started: 0 }
    }

    fn start_room(&mut self, name: &RoomName) -> Entered {
        let thread = &self.threads[self.started % self.threads.len()].handle();
        self.started += 1;
        let lease = Lease::default();
        let room = Room::new(name.clone(), self.patience, self.clock, self.archive.clone(), Arc::clone(&lease));
        let room = Room::start_in_arbiter(thread, |_| room);
        self.rooms.insert(name.clone(), Entry { room: room.clone(), lease: Arc::clone(&lease) });
        Entered { room, lease }
    }

    /// Forgets the rooms that only the hub and the room itself hold.
    fn sweep(&mut self) {
        self.rooms.retain(|_, entry| {
            let held = Arc::strong_count(&entry.lease) > 2;
            if !held {
                entry.room.do_send(Close);
            }
            held
        });
    }
}

impl Entry {
    fn entered(&self) -> Entered {
        Entered { room: self.room.clone(), lease: Arc::clone(&self.lease) }
    }
}

impl Actor for Hub {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
        context.run_interval(SWEEP, |hub, _| hub.sweep());
    }
}

impl Handler<Enter> for Hub {
    type Result = MessageResult<Enter>;

    fn handle(&mut self, Enter(name): Enter, _: &mut Self::Context) -> Self::Result {
        let entered = match self.rooms.get(&name) {
            Some(entry) => entry.entered(),
            None => self.start_room(&name),
        };
        MessageResult(entered)
    }
}

impl Handler<Find> for Hub {
    type Result = MessageResult<Find>;

    fn handle(&mut self, Find(name): Find, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.rooms.get(&name).map(Entry::entered))
    }
}

impl Handler<Rooms> for Hub {
    type Result = MessageResult<Rooms>;

    fn handle(&mut self, Rooms: Rooms, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.rooms.values().map(Entry::entered).collect())
    }
}

impl Handler<Stop> for Hub {
    type Result = actix::ResponseFuture<()>;

    fn handle(&mut self, Stop: Stop, _: &mut Self::Context) -> Self::Result {
        let rooms: Vec<_> = self.rooms.drain().map(|(_, entry)| entry.room).collect();
        Box::pin(async move {
            // A room that is gone has nothing left to close.
            futures_util::future::join_all(rooms.iter().map(|room| room.send(Close))).await;
        })
    }
}
