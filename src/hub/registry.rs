//! The hub: the registry of rooms. It starts them, forgets them when nobody is in them and no session is open, and knows
//! what those who watch all of them are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, AsyncContext, Context, Handler, Message, MessageResult, Recipient};
use tokio::sync::broadcast;

use super::room::{Close, Description, Lease, Room, Teller};
use super::session::Patience;
use super::time::Clock;
use crate::archive::Archive;
use crate::media::room::RoomName;
use crate::media::time::Moment;

/// How often rooms that nobody holds are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// Requests that may wait.
const MAILBOX: usize = 1024;
/// How many changes may wait for one who watches; one who is further behind misses the oldest, and is told so.
const CHANGES: usize = 256;

/// The actor.
pub struct Hub {
    clock: Clock,
    archive: Archive,
    patience: Patience,
    /// The threads that rooms run on, in turn.
    threads: Vec<Arbiter>,
    rooms: HashMap<RoomName, Entry>,
    started: u64,
    changes: broadcast::Sender<RoomChange>,
}

struct Entry {
    room: Addr<Room>,
    lease: Lease,
    /// Which of the hub's rooms it is: one that is gone may still have something to say.
    number: u64,
    /// What it said last, and when; none while nobody is in it.
    live: Option<(Arc<Description>, Moment)>,
}

/// What has become of a room, as those who watch are told.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomChange {
    /// It is live, or something in it is not as it was: this is what it is like now.
    Live(Arc<Description>),
    /// Nobody is in it any more.
    Gone(RoomName),
}

/// What is going on in a room now; from the room itself.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct News {
    /// The room's number.
    pub room: u64,
    /// What is going on.
    pub description: Description,
    /// When it was so.
    pub at: Moment,
}

/// Gives what is going on in every room, and what changes from then on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Watched")]
pub struct Watch;

/// All rooms that someone is in, and what becomes of them: nothing between the two is missing or told twice.
#[derive(Debug)]
pub struct Watched {
    /// The live rooms, by name.
    pub rooms: Vec<Description>,
    /// What changes.
    pub changes: broadcast::Receiver<RoomChange>,
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
        let changes = broadcast::Sender::new(CHANGES);
        Self { clock, archive, patience, threads, rooms: HashMap::new(), started: 0, changes }
    }

    fn start_room(&mut self, name: &RoomName, hub: Recipient<News>) -> Entered {
        let number = self.started;
        self.started += 1;
        let turn = usize::try_from(number % self.threads.len() as u64).unwrap_or(0);
        let thread = &self.threads[turn].handle();
        let (lease, archive) = (Lease::default(), self.archive.clone());
        let teller = Teller { hub, number };
        let room = Room::new(name.clone(), self.patience, self.clock, archive, Arc::clone(&lease), teller);
        let room = Room::start_in_arbiter(thread, |_| room);
        self.rooms.insert(name.clone(), Entry { room: room.clone(), lease: Arc::clone(&lease), number, live: None });
        Entered { room, lease }
    }

    /// The room of this name, unless it fell.
    fn find(&self, name: &RoomName) -> Option<Entered> {
        self.rooms.get(name).filter(|entry| entry.room.connected()).map(Entry::entered)
    }

    /// Keeps what a room says, for those who come, and passes it on to those who watch. Nobody may.
    fn hear(&mut self, News { room, description, at }: News) {
        let of = |entry: &&mut Entry| entry.number == room;
        let Some(entry) = self.rooms.get_mut(&description.name).filter(of) else { return };
        if description.is_empty() {
            if entry.live.take().is_some() {
                let _ = self.changes.send(RoomChange::Gone(description.name));
            }
        } else {
            let description = Arc::new(description);
            entry.live = Some((Arc::clone(&description), at));
            let _ = self.changes.send(RoomChange::Live(description));
        }
    }

    /// Forgets the rooms that fell, and those that only the hub and the room itself hold.
    fn sweep(&mut self) {
        self.rooms.retain(|name, entry| {
            if !entry.room.connected() {
                if entry.live.is_some() {
                    let _ = self.changes.send(RoomChange::Gone(name.clone()));
                }
                return false;
            }
            let held = Arc::strong_count(&entry.lease) > 2;
            if !held {
                entry.room.do_send(Close);
                // It may not have said yet that the last one left.
                if entry.live.is_some() {
                    let _ = self.changes.send(RoomChange::Gone(name.clone()));
                }
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

    fn handle(&mut self, Enter(name): Enter, context: &mut Self::Context) -> Self::Result {
        let entered = self.find(&name).unwrap_or_else(|| self.start_room(&name, context.address().recipient()));
        MessageResult(entered)
    }
}

impl Handler<Find> for Hub {
    type Result = MessageResult<Find>;

    fn handle(&mut self, Find(name): Find, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.find(&name))
    }
}

impl Handler<Rooms> for Hub {
    type Result = MessageResult<Rooms>;

    fn handle(&mut self, Rooms: Rooms, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.rooms.keys().filter_map(|name| self.find(name)).collect())
    }
}

impl Handler<News> for Hub {
    type Result = ();

    fn handle(&mut self, news: News, _: &mut Self::Context) {
        self.hear(news);
    }
}

impl Handler<Watch> for Hub {
    type Result = MessageResult<Watch>;

    fn handle(&mut self, Watch: Watch, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        let live = self.rooms.values().filter_map(|entry| entry.live.as_ref());
        let mut rooms: Vec<_> = live.map(|(description, at)| description.after(now.since(*at))).collect();
        rooms.sort_by(|one, other| one.name.cmp(&other.name));
        MessageResult(Watched { rooms, changes: self.changes.subscribe() })
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use uuid::Uuid;

    use super::*;
    use crate::hub::connection::{self, Inbound, Opening, Refusal, Said};
    use crate::hub::fanout::{Reads, Worker};
    use crate::hub::outbox::{Frame, Outbox};
    use crate::hub::room::{Describe, Fall, Role};
    use crate::media::time::Moment;
    use crate::wire::v1::Participant;

    #[derive(Default)]
    struct Ear {
        failed: Cell<bool>,
    }

    impl Outbox for Ear {
        fn push(&self, _: &Frame, _: Moment) {}

        fn flush(&self, _: Moment) {}

        fn waiting(&self) -> usize {
            0
        }

        fn fail(&self) {
            self.failed.set(true);
        }
    }

    #[actix::test]
    async fn a_room_that_falls_takes_no_other_with_it_and_tells_its_members() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let options = crate::archive::Options::new(folder.path().to_owned());
        let (archive, _) = Archive::open(options, clock.wall()).await.unwrap();
        let hub = Hub::new(clock, archive, Patience::default(), 1).start();
        let worker = Worker::new(clock);
        let join = async |room: &str| {
            let ear = Rc::<Ear>::default();
            let opening = Opening {
                room: room.parse().unwrap(),
                participant: Participant { id: Uuid::new_v4(), name: "Ann".parse().unwrap() },
                role: Role::Speaker,
                reads: Reads::V1,
                outbox: Rc::clone(&ear) as Rc<dyn Outbox>,
            };
            (connection::open(&hub, &worker, clock, opening).await.unwrap(), ear)
        };
        let (fallen, fallen_ear) = join("falls").await;
        let (stays, stays_ear) = join("stays").await;
        let room = hub.send(Enter("falls".parse().unwrap())).await.unwrap().room;
        assert!(room.send(Fall).await.is_err());

        let says = |text: &str| Inbound { said: Said::Text(text.to_owned()), arrived: clock.now() };
        assert_eq!(fallen.send(says("Hello?")).await.unwrap(), Err(Refusal::Fallen));
        assert_eq!(stays.send(says("Hello!")).await.unwrap(), Ok(Vec::new()));
        let told = async {
            while !fallen_ear.failed.get() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), told).await.expect("the members are told");
        assert!(!stays_ear.failed.get());
        // Who comes now gets a room that stands, and the thread that the other fell on still runs.
        let (again, _) = join("falls").await;
        assert_eq!(again.send(says("Hello again!")).await.unwrap(), Ok(Vec::new()));
        let rooms = hub.send(Rooms).await.unwrap();
        assert_eq!(rooms.len(), 2);
        for entered in rooms {
            assert_eq!(entered.room.send(Describe).await.unwrap().participants.len(), 1);
        }
        hub.send(Stop).await.unwrap();
        assert_eq!(stays.send(says("Bye!")).await.unwrap(), Err(Refusal::Stopping));
    }
}
