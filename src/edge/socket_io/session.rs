//! A session of Engine.IO, on the thread that it lives on.
//!
//! What belongs here: which transport the client has, what its packets mean to the session, and how that ends. What does
//! not: what they say in Socket.IO (`client`), HTTP (`requests`).
//!
//! Its tasks, all on its thread:
//!
//! | task | ends |
//! |---|---|
//! | `run`: waits for requests and for time to pass | when the session is over; then it lets the client leave its room |
//! | `read`: reads the WebSocket, where there is one | when that is closed, by which the session is over |
//! | `upgrade`: tries a WebSocket, and reads it from then on | when it fails, or as `read` |
//! | `post`: takes what a request brings; one at a time | behind the last packet, or the first behind the session's end |
//! | that looks after a deadline of the client's place | when it has |
//! | `client`: greets, until the client leaves; fetches a recording that it asks for | then, and when the session is over |
//!
//! What the client says is taken in order, one message at a time, by whichever of them it comes: the lock of `client`.
//! Once the session is over nothing of it is taken any more, so that nobody comes in behind its back.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::super::Here;
use super::super::close::Close;
use super::super::socket::{Incoming, Manners, Seat, Socket};
use super::client::{Client, Invitation, Message};
use super::heartbeat::{Beat, Heartbeat};
use super::polling::{Poll, Polling, Trouble};
use super::requests::too_large;
use super::table::{Command, Posting};
use super::{COME_BACK, MAX_PAYLOAD};
use crate::hub::outbox::{Cargo, Frame, Outbox};
use crate::media::time::Moment;
use crate::wire::engine_io::{self, Bare, OpenPacket, Packet, Sid, TransportType};
use crate::wire::socket_io;

/// How long a client may try a WebSocket before it has to upgrade to it.
const UPGRADE: Duration = Duration::from_secs(10);

/// What a session says by itself over a WebSocket: why it is closed, where that is not the client's doing. A client whose
/// message cannot be read would send it again, so it is disconnected for good; one who was slow, or whose room has fallen, may
/// come back.
const MANNERS: Manners = Manners {
    skipped: |_| None,
    farewell: |code, reason| {
        let last = if matches!(code, 1001 | 1008 | 1011) { Bytes::new() } else { socket_io::disconnected() };
        let bytes = [socket_io::error(code, reason), last].concat().into();
        Some(Frame { bytes, cargo: Cargo::Kept })
    },
};

/// A session.
pub(super) struct Session {
    pub(super) sid: Sid,
    pub(super) edge: Here,
    transport: RefCell<Transport>,
    polling: Rc<Polling>,
    heartbeat: RefCell<Heartbeat>,
    client: Mutex<Client>,
    /// How many messages of the client are being taken: while any is, nothing else that it sends is read.
    busy: Cell<usize>,
    /// Held by whoever takes what the client says: a request from its first packet to its last, then the WebSocket.
    turn: Mutex<()>,
    /// Whether the client waits for a recording that it has asked for.
    pub(super) fetching: Cell<bool>,
    /// Held by whoever brings the client a recording: one is at a time.
    pub(super) bringing: Mutex<()>,
    /// Whether the client has come back after its handshake.
    came_back: Cell<bool>,
    /// When the client's place is looked after, whatever it says: see [`Client::expire`].
    deadline: Cell<Option<Moment>>,
    /// A deadline was set, or long-polling has something to tell.
    wake: Rc<Notify>,
    /// Why it has to end, where the client is told by its next poll.
    refused: RefCell<Option<(u16, String)>>,
    over: CancellationToken,
}

#[derive(Debug)]
enum Transport {
    Polling,
    /// Long-polling, and a WebSocket that the client tries.
    Probing,
    WebSocket(Rc<Socket>),
}

impl Session {
    /// A session that begins with long-polling; gives what the client is answered.
    pub fn poll(edge: Here, invitation: Invitation, seat: Seat) -> Bytes {
        let (session, inbox) = Self::new(edge, invitation, Transport::Polling);
        let open = session.open(Some(TransportType::Websocket));
        actix_rt::spawn(session.run(inbox, Some(seat)));
        open
    }

    /// A session that begins with a WebSocket, and is over when this returns.
    pub async fn socket(edge: Here, invitation: Invitation, io: super::Io, early: BytesMut, seat: Seat) {
        let socket = Socket::open(io, early, &edge.sockets, seat, MANNERS);
        let (session, inbox) = Self::new(edge, invitation, Transport::WebSocket(Rc::clone(&socket)));
        session.say(session.open(None));
        actix_rt::spawn(Rc::clone(&session).run(inbox, None));
        session.read(&socket).await;
    }

    fn new(edge: Here, invitation: Invitation, transport: Transport) -> (Rc<Self>, mpsc::Receiver<Command>) {
        let (sid, inbox) = edge.socket_io.table.add();
        let (now, options) = (edge.clock.now(), &edge.socket_io.options);
        let heartbeat = Heartbeat::begin(now, options.ping_interval, options.ping_timeout);
        let limits = edge.sockets.limits();
        let came_back = !matches!(transport, Transport::Polling);
        let patience = if came_back { options.patience() } else { options.patience().min(COME_BACK) };
        let wake = Rc::new(Notify::new());
        let session = Self {
            sid,
            transport: RefCell::new(transport),
            polling: Polling::new(limits.bounds, Rc::clone(&wake)),
            heartbeat: RefCell::new(heartbeat),
            client: Mutex::new(Client::new(invitation, limits.message)),
            busy: Cell::default(),
            turn: Mutex::default(),
            refused: RefCell::default(),
            fetching: Cell::default(),
            bringing: Mutex::default(),
            came_back: Cell::new(came_back),
            deadline: Cell::new(Some(now.after(patience))),
            wake,
            over: CancellationToken::new(),
            edge,
        };
        (Rc::new(session), inbox)
    }

    fn open(&self, upgrade: Option<TransportType>) -> Bytes {
        let options = &self.edge.socket_io.options;
        engine_io::open(&OpenPacket {
            sid: self.sid,
            upgrades: upgrade.into_iter().collect(),
            ping_interval: options.ping_interval,
            ping_timeout: options.ping_timeout,
            max_payload: MAX_PAYLOAD as u64,
        })
    }

    /// Where what the client reads goes.
    pub fn outbox(&self) -> Rc<dyn Outbox> {
        match &*self.transport.borrow() {
            Transport::WebSocket(socket) => Rc::clone(socket) as Rc<dyn Outbox>,
            Transport::Polling | Transport::Probing => Rc::clone(&self.polling) as Rc<dyn Outbox>,
        }
    }

    /// Tells the client something of the hub's own.
    pub fn say(&self, bytes: Bytes) {
        self.send(Frame { bytes, cargo: Cargo::Kept });
    }

    /// Sends the client something.
    pub fn send(&self, frame: Frame) {
        let (outbox, now) = (self.outbox(), self.now());
        outbox.push(&frame, now);
        outbox.flush(now);
    }

    /// Sends the client a file. It is asked before whether it is there: a client gives up where it has not been asked for a
    /// while, and what is asked behind the file comes only when that is read.
    pub fn send_file(&self, bytes: Bytes) {
        if self.heartbeat.borrow_mut().ask(self.now()) {
            self.say(Bare::Ping.frame());
            self.wake.notify_one();
        }
        self.send(Frame { bytes, cargo: Cargo::File });
    }

    /// What time it is.
    pub fn now(&self) -> Moment {
        self.edge.clock.now()
    }

    /// The client's place is to be looked after then, or needs no looking after.
    pub fn set_deadline(&self, deadline: Option<Moment>) {
        if self.deadline.replace(deadline) != deadline {
            self.wake.notify_one();
        }
    }

    /// The client is in no namespace: who has not come into one by then never will.
    pub fn expect_it_in(&self) {
        self.set_deadline(Some(self.now().after(self.edge.socket_io.options.patience())));
    }

    /// Waits for requests and for time to pass, until the session is over.
    async fn run(self: Rc<Self>, mut inbox: mpsc::Receiver<Command>, mut seat: Option<Seat>) {
        loop {
            let now = self.now();
            let due =
                self.deadline.get().map_or(self.heartbeat.borrow().due(), |at| at.min(self.heartbeat.borrow().due()));
            if matches!(*self.transport.borrow(), Transport::WebSocket(_)) {
                // The socket has a place of its own.
                seat = None;
            }
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.take(command),
                    None => break,
                },
                () = tokio::time::sleep(due.since(now)) => self.pass(self.now()),
                () = self.wake.notified() => self.look(),
                () = stopped(seat.as_ref()) => self.end(Bare::Close),
                () = self.over.cancelled() => break,
            }
        }
        self.edge.socket_io.table.remove(self.sid);
        drop(inbox);
        // What looked like the beginning of sound was all there is.
        Box::pin(async { self.client.lock().await.leave(&self).await }).await;
        // Not before: what it said last may still be on its way to the room.
        drop(seat);
    }

    fn take(self: &Rc<Self>, command: Command) {
        if !self.came_back.replace(true) {
            self.expect_it_in();
        }
        match command {
            // Only a WebSocket is the client's way now, whatever was still on the other.
            Command::Poll(_) | Command::Abandoned | Command::Post(..) | Command::Broken | Command::Refuse(..)
                if self.is_socket() => {}
            Command::Poll(poll) => self.polled(poll),
            Command::Abandoned | Command::Broken => self.end(Bare::Close),
            Command::Post(packets, posting, taken) => {
                let session = Rc::clone(self);
                actix_rt::spawn(async move { session.answer(packets, posting, taken).await });
            }
            Command::Refuse(close, told) => {
                self.refuse(&close);
                let _ = told.send(());
            }
            Command::Upgrade(io, early, seat) => {
                let session = Rc::clone(self);
                actix_rt::spawn(async move { session.upgrade(io, early, seat).await });
            }
        }
    }

    fn is_socket(&self) -> bool {
        matches!(*self.transport.borrow(), Transport::WebSocket(_))
    }

    fn polled(&self, poll: Poll) {
        if self.polling.poll(poll, self.now()).is_err() {
            self.end(Bare::Close);
        }
    }

    /// Takes what a request brings, and answers it.
    async fn answer(self: &Rc<Self>, packets: Vec<Packet>, posting: Posting, taken: oneshot::Sender<()>) {
        let mut post = pin!(self.post(packets));
        let all = tokio::select! {
            () = &mut post => true,
            // Who tries a WebSocket moves there behind this answer, and would not wait for the room to take long sound.
            () = self.polling.tried() => false,
        };
        if all {
            // Before the answer, behind which the next may come.
            drop(posting);
            let _ = taken.send(());
        } else {
            let _ = taken.send(());
            post.await;
        }
    }

    async fn post(self: &Rc<Self>, packets: Vec<Packet>) {
        let _turn = self.turn.lock().await;
        for packet in packets {
            if self.over.is_cancelled() || self.refused.borrow().is_some() {
                break;
            }
            self.hear(packet).await;
        }
    }

    /// Time has passed.
    fn pass(self: &Rc<Self>, now: Moment) {
        let beat = self.heartbeat.borrow_mut().beat(now, self.silence_is_its_own(now));
        match beat {
            Beat::Rest => {}
            Beat::Ask => self.say(Bare::Ping.frame()),
            Beat::Dead => return self.gone("no answer to a ping"),
        }
        if self.deadline.get().is_some_and(|at| at <= now) {
            if !self.came_back.get() {
                return self.end(Bare::Close);
            }
            // Set again by whoever looks after it.
            self.deadline.set(None);
            let session = Rc::clone(self);
            actix_rt::spawn(async move {
                let expired = session.client.lock().await.expire(&session).await;
                session.settle(expired);
            });
        }
    }

    /// Whether a client that does not answer could: what it says is read, and nothing long is before the question. A file
    /// on its way counts as long as the client goes on taking it.
    fn silence_is_its_own(&self, now: Moment) -> bool {
        let timeout = self.edge.socket_io.options.ping_timeout;
        let takes = self.outbox().taking().is_some_and(|at| now.since(at) < timeout);
        self.busy.get() == 0 && !takes
    }

    /// Long-polling has something to tell.
    fn look(&self) {
        match self.polling.trouble() {
            Some(Trouble::TooSlow) => self.gone("too slow"),
            Some(Trouble::Fallen) => {
                let reason = "the room fell by a fault of the hub; join again".to_owned();
                self.refuse(&Close { code: 1011, word: "internal", reason });
            }
            None => {}
        }
        if self.polling.is_over() {
            self.over.cancel();
        }
    }

    /// Reads what comes over a WebSocket, until the client goes or has to.
    async fn read(self: &Rc<Self>, socket: &Rc<Socket>) {
        // What comes behind a refusal counts no more.
        let is_over = || self.over.is_cancelled() || socket.cause().is_some();
        let _turn = self.turn.lock().await;
        while !is_over() {
            let packet = match socket.next().await {
                Incoming::Closed(_) => break,
                _ if is_over() => break,
                Incoming::Text(text) => engine_io::packet(&text).ok(),
                Incoming::Binary(bytes) => Some(Packet::Binary(bytes)),
            };
            match packet {
                Some(packet) => Box::pin(self.hear(packet)).await,
                None => self.refuse(&Close::broken("broken_message", "a message is no packet of Engine.IO")),
            }
        }
        self.over.cancel();
        Box::pin(socket.finish()).await;
    }

    /// Tries a WebSocket, and moves to it when the client says so (Engine.IO 4, "Upgrade").
    async fn upgrade(self: Rc<Self>, io: std::net::TcpStream, early: BytesMut, seat: Seat) {
        // Only a socket that is none any more cannot be taken.
        let Ok(io) = super::Io::from_std(io) else { return };
        let socket = Socket::open(io, early, &self.edge.sockets, seat, MANNERS);
        let free = matches!(*self.transport.borrow(), Transport::Polling) && !self.over.is_cancelled();
        if !free {
            socket.close(1008, "the session has a WebSocket already");
            return Box::pin(socket.finish()).await;
        }
        *self.transport.borrow_mut() = Transport::Probing;
        let upgraded = tokio::time::timeout(UPGRADE, self.probe(&socket)).await.unwrap_or(false);
        if !upgraded || self.over.is_cancelled() {
            *self.transport.borrow_mut() = Transport::Polling;
            self.polling.probed(false, self.now());
            return Box::pin(socket.finish()).await;
        }
        *self.transport.borrow_mut() = Transport::WebSocket(Rc::clone(&socket));
        self.polling.leave(&socket, self.now());
        self.wake.notify_one();
        if let Some((code, reason)) = &*self.refused.borrow() {
            // It was refused before it left, and may not have polled since.
            socket.close(*code, reason);
        }
        // From here on the fan-out need not ask long-polling where the client is.
        let moved = async { self.client.lock().await.move_to(&self.edge, &socket) };
        tokio::join!(moved, self.read(&socket));
    }

    async fn probe(&self, socket: &Rc<Socket>) -> bool {
        loop {
            let Incoming::Text(text) = socket.next().await else { return false };
            match engine_io::packet(&text) {
                Ok(Packet::PingUpgrade) => {
                    socket.push(&Frame { bytes: engine_io::probed(), cargo: Cargo::Kept }, self.now());
                    socket.flush(self.now());
                    self.polling.probed(true, self.now());
                }
                Ok(Packet::Upgrade) => return true,
                _ => return false,
            }
        }
    }

    /// A packet of the client.
    async fn hear(self: &Rc<Self>, packet: Packet) {
        match packet {
            Packet::Message(text) if text.len() > self.edge.sockets.limits().message => self.refuse_large(),
            Packet::Binary(bytes) if bytes.len() > self.edge.sockets.limits().message => self.refuse_large(),
            Packet::Message(text) => self.listen(Message::Text(text.as_str())).await,
            Packet::Binary(bytes) => self.listen(Message::Binary(bytes)).await,
            Packet::Pong => self.heartbeat.borrow_mut().answered(self.now()),
            Packet::Close => self.end(Bare::Noop),
            Packet::Noop => {}
            _ => self.refuse(&Close::broken("broken_message", "a client sends no such packet of Engine.IO here")),
        }
    }

    async fn listen(self: &Rc<Self>, message: Message<'_>) {
        self.busy.set(self.busy.get() + 1);
        let heard = async {
            let mut client = self.client.lock().await;
            // Who has left must not come in again by what waited.
            if self.over.is_cancelled() { Ok(()) } else { client.hear(self, message).await }
        };
        let heard = Box::pin(heard).await;
        self.busy.set(self.busy.get() - 1);
        self.settle(heard);
    }

    fn settle(&self, heard: Result<(), Close>) {
        if let Err(close) = heard {
            self.refuse(&close);
        }
    }

    fn refuse_large(&self) {
        self.refuse(&too_large(self.edge.sockets.limits().message));
    }

    /// The session has to end, by what the client did or by the hub's fault. It is told why, and in the first case not to come
    /// back by itself.
    fn refuse(&self, close: &Close) {
        tracing::debug!(sid = %self.sid, code = close.code, reason = close.reason, "refusing a session");
        let mut last = vec![socket_io::error(close.code, &close.reason)];
        if !matches!(close.code, 1001 | 1011) {
            last.push(socket_io::disconnected());
        }
        self.leave_with(last, close.code, &close.reason);
    }

    /// The client does not keep up, or is not there: it may come back.
    fn gone(&self, reason: &str) {
        match &*self.transport.borrow() {
            // It is closing already.
            Transport::WebSocket(socket) if socket.cause().is_some() => return,
            Transport::WebSocket(_) => {}
            Transport::Polling | Transport::Probing => return self.end(Bare::Close),
        }
        self.leave_with(vec![socket_io::error(1008, reason)], 1008, reason);
    }

    fn leave_with(&self, last: Vec<Bytes>, code: u16, reason: &str) {
        self.heartbeat.borrow_mut().end(self.now());
        if let Transport::WebSocket(socket) = &*self.transport.borrow() {
            for bytes in last {
                socket.push(&Frame { bytes, cargo: Cargo::Kept }, self.now());
            }
            return socket.close(code, reason);
        }
        self.refused.replace(Some((code, reason.to_owned())));
        self.polling.finish(last, self.now());
        self.wake.notify_one();
    }

    /// The session is over; whoever polls is told this.
    fn end(&self, last: Bare) {
        if self.over.is_cancelled() {
            // Or the last word would be cut before it is read.
            return;
        }
        if let Transport::WebSocket(socket) = &*self.transport.borrow() {
            socket.close(1000, "");
        }
        self.polling.end(last, self.now());
        self.over.cancel();
    }

    /// Resolves when the session is over.
    pub async fn ended(&self) {
        self.over.cancelled().await;
    }

    /// Is cancelled when the session is over, if not before.
    pub fn until_the_end(&self) -> CancellationToken {
        self.over.child_token()
    }
}

/// Resolves when the hub stops; never, where a socket sees to that.
async fn stopped(seat: Option<&Seat>) {
    match seat {
        Some(seat) => seat.stopped().await,
        None => std::future::pending().await,
    }
}
