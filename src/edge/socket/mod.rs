//! A WebSocket that owns its socket: what is fanned out to a listener goes out in one write of all that waits.
//!
//! What belongs here: the connection's bytes, its outbox, whether the client is there, and the connection's end. What does
//! not: what messages mean, which is the protocol's (`plain`, `v1`); how the socket was claimed, which is `upgrade`.
//!
//! A client's messages are pulled with [`Socket::next`]. While nobody pulls, nothing is read and TCP pushes back; writing
//! goes on. What a client sent before its connection ended is given out whole and in order before the end is told,
//! however it ended: a failed write ends the writing only.

mod handshake;
mod reader;
mod sockets;
mod state;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::rc::{Rc, Weak};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use socket2::SockRef;

use super::upgrade::Io;
use crate::hub::outbox::{Cargo, Frame, Outbox, Pushed, Queue};
use crate::media::time::Moment;
use crate::wire::frame;
pub use handshake::{Handshake, Refused};
use reader::{Event, Reader};
pub use sockets::{Connections, Limits, Seat, Sockets};
pub use state::{Manners, OnSkipped};
use state::{Phase, State};

/// What the kernel may hold for a listener, in bytes (it takes twice that for its own book-keeping). Left alone it hides
/// up to 4 MB of a stall.
const SEND_BUFFER: usize = 128 * 1024;

/// How many frames go in one write at most.
const BATCH: usize = 64;

/// How much is read at a time.
const READ: usize = 64 * 1024;

thread_local! {
    /// What every socket of a thread reads into, so that an idle one holds nothing.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// What comes from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// Nothing more will come.
    Closed(CloseCause),
}

/// Why a connection ended: the first reason counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The client said goodbye, with this code; 1005 where it gave none (RFC 6455 §7.4.1).
    Peer(u16),
    /// The connection broke off.
    Lost,
    /// We closed it, with this code.
    Ours(u16),
}

/// A client's connection. Everything happens on the thread that it was opened on.
pub struct Socket {
    io: Io,
    reader: RefCell<Reader>,
    state: RefCell<State>,
    /// When the client was last heard, or when we last began to listen.
    heard: Cell<Moment>,
    /// Whether someone waits for the client's next message. While nobody does, its silence is ours.
    reading: Cell<bool>,
    manners: Manners,
    sockets: Rc<Sockets>,
    this: Weak<Self>,
    _seat: Seat,
}

impl Socket {
    /// Takes over a socket whose handshake is done, with the bytes that were read behind it.
    pub fn open(io: Io, early: BytesMut, sockets: &Rc<Sockets>, seat: Seat, manners: Manners) -> Rc<Self> {
        // Neither can fail on a connected TCP socket, and the connection works without.
        let _ = SockRef::from(&io).set_send_buffer_size(SEND_BUFFER);
        let _ = io.set_nodelay(true);
        let socket = Rc::new_cyclic(|this| Self {
            io,
            reader: RefCell::new(Reader::new(early, sockets.limits.message)),
            state: RefCell::new(State {
                queue: Queue::default(),
                phase: Phase::Open,
                cause: None,
                over: false,
                asked: false,
                writing: false,
            }),
            heard: Cell::new(sockets.now()),
            reading: Cell::new(false),
            manners,
            sockets: Rc::clone(sockets),
            this: Weak::clone(this),
            _seat: seat,
        });
        sockets.add(&socket);
        socket
    }

    /// The client's next message, or the connection's end, again and again. For one caller at a time.
    pub async fn next(&self) -> Incoming {
        let _reading = Reading::begin(self);
        loop {
            if let Some(incoming) = self.decode() {
                return incoming;
            }
            if !matches!(self.read(true).await, Ok(1..)) {
                return Incoming::Closed(self.lost());
            }
        }
    }

    /// Begins to close: drops the sound that waits, and sends a close frame behind the rest. The client has a moment to
    /// answer; what it says until then still comes. Does nothing where the connection is closing already.
    ///
    /// `code` as in RFC 6455 §7.4; `reason` is a sentence, cut to 123 bytes.
    pub fn close(&self, code: u16, reason: &str) {
        self.begin_close(&mut self.state.borrow_mut(), code, reason);
    }

    /// Why the connection ended or is ending.
    #[must_use]
    pub fn cause(&self) -> Option<CloseCause> {
        self.state.borrow().cause
    }

    /// Sees the connection to its end: closes it with 1000 if it is open, and throws away what the client still says until
    /// it has seen the close, so that no RST overtakes it. Returns within a second or two.
    pub async fn finish(&self) {
        self.close(1000, "");
        while !matches!(self.next().await, Incoming::Closed(_)) {}
        while self.state.borrow().phase != Phase::Mute && matches!(self.read(false).await, Ok(1..)) {}
        self.cut(&mut self.state.borrow_mut());
    }

    /// Reads once, when there is something. The reader gets it, if it is wanted.
    async fn read(&self, wanted: bool) -> io::Result<usize> {
        loop {
            // Asked each time, since that spends of the task's budget: one fast client cannot keep the thread.
            poll_fn(|cx| self.io.poll_read_ready(cx)).await?;
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let length = self.io.try_read(scratch)?;
                if wanted {
                    self.reader.borrow_mut().push(&scratch[..length]);
                }
                io::Result::Ok(length)
            });
            match read {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                read => {
                    self.heard.set(self.sockets.now());
                    self.state.borrow_mut().asked = false;
                    return read;
                }
            }
        }
    }

    /// What can be said from what was read.
    fn decode(&self) -> Option<Incoming> {
        if let Some(cause) = self.state.borrow().ended() {
            return Some(Incoming::Closed(cause));
        }
        // A client may be answered for its last ping only (RFC 6455 §5.5.3), which makes a flood of them cheap.
        let mut ping = None;
        let incoming = loop {
            let event = self.reader.borrow_mut().next();
            match event {
                Ok(None) => break None,
                Ok(Some(Event::Text(text))) => break Some(Incoming::Text(text)),
                Ok(Some(Event::Binary(bytes))) => break Some(Incoming::Binary(bytes)),
                Ok(Some(Event::Ping(payload))) => ping = Some(payload),
                Ok(Some(Event::Pong)) => {}
                Ok(Some(Event::Close(code))) => break Some(Incoming::Closed(self.closed_by_client(code))),
                Err(violation) => {
                    self.dismiss(&mut self.state.borrow_mut(), violation.code, &violation.reason);
                    break Some(Incoming::Closed(self.state.borrow_mut().end(CloseCause::Ours(violation.code))));
                }
            }
        };
        if let Some(payload) = ping {
            self.control(&mut self.state.borrow_mut(), frame::pong(&payload));
        }
        incoming
    }

    fn closed_by_client(&self, code: Option<u16>) -> CloseCause {
        let mut state = self.state.borrow_mut();
        let cause = state.end(CloseCause::Peer(code.unwrap_or(1005)));
        self.begin_close(&mut state, code.unwrap_or(1000), "");
        if let Phase::Closing { answered, .. } = &mut state.phase {
            *answered = true;
        }
        self.write(&mut state);
        cause
    }

    fn lost(&self) -> CloseCause {
        let mut state = self.state.borrow_mut();
        self.cut(&mut state);
        state.end(CloseCause::Lost)
    }

    fn begin_close(&self, state: &mut State, code: u16, reason: &str) {
        if state.phase != Phase::Open {
            return;
        }
        tracing::debug!(code, reason, "closing a connection");
        let now = self.sockets.now();
        state.cause.get_or_insert(CloseCause::Ours(code));
        state.phase = Phase::Closing { until: now.after(self.sockets.limits.close), answered: false };
        state.queue.finish(Frame { bytes: frame::close(code, reason), cargo: Cargo::Kept }, now);
        self.write(state);
    }

    /// Closes where no protocol has a say in it, but for its last word.
    fn dismiss(&self, state: &mut State, code: u16, reason: &str) {
        if state.phase == Phase::Open
            && let Some(last) = (self.manners.farewell)(code, reason)
        {
            state.queue.finish(last, self.sockets.now());
        }
        self.begin_close(state, code, reason);
    }

    fn control(&self, state: &mut State, bytes: Bytes) {
        if state.phase == Phase::Open {
            self.put(state, Frame { bytes, cargo: Cargo::Kept }, self.sockets.now());
            self.write(state);
        }
    }

    fn put(&self, state: &mut State, frame: Frame, now: Moment) {
        match state.queue.push(frame, now, &self.sockets.limits.bounds) {
            Pushed::Queued => {}
            Pushed::Skipped(skipped) => {
                if let Some(notice) = (self.manners.skipped)(skipped) {
                    self.put(state, Frame { cargo: Cargo::Kept, ..notice }, now);
                }
            }
            Pushed::TooSlow => self.too_slow(state),
        }
    }

    fn too_slow(&self, state: &mut State) {
        let seconds = self.sockets.limits.bounds.lag.as_secs();
        self.dismiss(state, 1008, &format!("too slow: more than {seconds} s behind"));
    }

    /// Writes what waits, as far as the socket takes it; a task waits to write the rest.
    fn write(&self, state: &mut State) {
        while !state.queue.is_empty() {
            match self.write_once(&state.queue) {
                Ok(length) => state.queue.written(length, self.sockets.now()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.write_later(state),
                // What the client has sent is still read.
                Err(_) => return state.mute(),
            }
        }
        if let Phase::Closing { answered: true, .. } = state.phase {
            // Both sides have said goodbye; who serves closes first (RFC 6455 §7.1.1).
            let _ = SockRef::from(&self.io).shutdown(Shutdown::Write);
            state.mute();
        }
    }

    /// One call to the kernel. For the one frame that mostly waits that is `send`, which costs less than `writev`.
    fn write_once(&self, queue: &Queue) -> io::Result<usize> {
        let mut waiting = queue.slices();
        let first = waiting.next().unwrap_or_default();
        let Some(second) = waiting.next() else { return self.io.try_write(first) };
        let mut slices = [IoSlice::new(&[]); BATCH];
        slices[0] = IoSlice::new(first);
        slices[1] = IoSlice::new(second);
        let mut count = 2;
        for (slot, slice) in slices[2..].iter_mut().zip(waiting) {
            *slot = IoSlice::new(slice);
            count += 1;
        }
        self.io.try_write_vectored(&slices[..count])
    }

    /// Only a listener who is behind has such a task.
    fn write_later(&self, state: &mut State) {
        if std::mem::replace(&mut state.writing, true) {
            return;
        }
        let Some(this) = self.this.upgrade() else { return };
        actix_rt::spawn(async move {
            loop {
                let ready = poll_fn(|cx| this.io.poll_write_ready(cx)).await;
                let mut state = this.state.borrow_mut();
                match ready {
                    Ok(()) => this.write(&mut state),
                    Err(_) => state.mute(),
                }
                if state.queue.is_empty() {
                    state.writing = false;
                    return;
                }
            }
        });
    }

    /// Ends the connection in both directions. What was received can still be read.
    fn cut(&self, state: &mut State) {
        state.mute();
        // Fails where the client has cut it already.
        let _ = SockRef::from(&self.io).shutdown(Shutdown::Both);
    }

    fn sweep(&self, now: Moment) {
        let limits = &self.sockets.limits;
        let mut state = self.state.borrow_mut();
        match state.phase {
            Phase::Open if state.queue.is_too_slow(now, &limits.bounds) => self.too_slow(&mut state),
            Phase::Open if self.reading.get() => {
                // A client that still takes a file may not have come to the ping, which is behind that.
                let heard = state.queue.taking().map_or(self.heard.get(), |at| at.max(self.heard.get()));
                let quiet = now.since(heard);
                if state.asked && quiet > limits.quiet + limits.answer {
                    let seconds = limits.answer.as_secs();
                    self.dismiss(&mut state, 1008, &format!("no answer to a ping for {seconds} s"));
                } else if !state.asked && quiet > limits.quiet {
                    state.asked = true;
                    self.control(&mut state, frame::ping());
                }
            }
            Phase::Closing { until, .. } if now >= until => self.cut(&mut state),
            Phase::Open | Phase::Closing { .. } | Phase::Mute => {}
        }
    }
}

impl Outbox for Socket {
    fn push(&self, frame: &Frame, now: Moment) {
        let mut state = self.state.borrow_mut();
        if state.phase == Phase::Open {
            self.put(&mut state, frame.clone(), now);
        }
    }

    fn flush(&self, _now: Moment) {
        let mut state = self.state.borrow_mut();
        if !state.writing {
            self.write(&mut state);
        }
    }

    fn waiting(&self) -> usize {
        self.state.borrow().queue.bytes()
    }

    fn taking(&self) -> Option<Moment> {
        self.state.borrow().queue.taking()
    }

    fn fail(&self) {
        self.dismiss(&mut self.state.borrow_mut(), 1011, "the room fell by a fault of the hub; join again");
    }

    /// One frame to who keeps up, which nearly all are, goes out without being queued: what is not touched costs nothing.
    fn give(&self, frames: &[&Frame], now: Moment) {
        let mut state = self.state.borrow_mut();
        let mut begun = 0;
        if let [frame] = frames
            && state.phase == Phase::Open
            && state.queue.is_empty()
        {
            // Past tokio, whose notion of what the socket is ready for matters only once it takes no more.
            begun = SockRef::from(&self.io).send(&frame.bytes).unwrap_or(0);
            if begun == frame.bytes.len() {
                return;
            }
        }
        for frame in frames {
            if state.phase == Phase::Open {
                self.put(&mut state, Frame::clone(frame), now);
            }
        }
        state.queue.written(begun, now);
        if !state.writing {
            self.write(&mut state);
        }
    }
}

/// For as long as someone waits for the client.
struct Reading<'a>(&'a Socket);

impl<'a> Reading<'a> {
    fn begin(socket: &'a Socket) -> Self {
        socket.heard.set(socket.sockets.now());
        socket.reading.set(true);
        Self(socket)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.reading.set(false);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("io", &self.io).field("cause", &self.cause()).finish_non_exhaustive()
    }
}
