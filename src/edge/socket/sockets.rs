//! All the sockets: how many there may be, who looks after those of a worker, and how they end when the hub stops.

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Socket;
use crate::hub::outbox::Bounds;
use crate::media::time::Moment;

/// How often the sockets of a worker are looked after. One timer for all of them.
const SWEEP: Duration = Duration::from_secs(1);

/// What every socket is held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What may wait for a listener.
    pub bounds: Bounds,
    /// The largest message a client may send, in bytes.
    pub message: usize,
    /// How long a client may say nothing before it is asked whether it is there.
    pub quiet: Duration,
    /// How long it has to answer.
    pub answer: Duration,
    /// How long a close waits for the client's own.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            message: 1024 * 1024,
            quiet: Duration::from_secs(20),
            answer: Duration::from_secs(30),
            close: Duration::from_secs(1),
        }
    }
}

/// The sockets of the whole process: a claimed socket is no longer counted or awaited by the server.
#[derive(Debug)]
pub struct Connections {
    cap: usize,
    open: AtomicUsize,
    stop: CancellationToken,
    empty: Notify,
}

impl Connections {
    /// At most `cap` at a time.
    #[must_use]
    pub fn new(cap: usize) -> Arc<Self> {
        Arc::new(Self { cap, open: AtomicUsize::new(0), stop: CancellationToken::new(), empty: Notify::new() })
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A place for one more; none when the hub is full or stops.
    #[must_use]
    pub fn seat(self: &Arc<Self>) -> Option<Seat> {
        if self.stop.is_cancelled() {
            return None;
        }
        let one_more = |open| (open < self.cap).then_some(open + 1);
        self.open.fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more).ok().map(|_| Seat(Arc::clone(self)))
    }

    /// Closes every connection with 1001, and waits until the last is gone: about a second longer than [`Limits::close`]
    /// at most, if the connections' tasks end when they are told to.
    pub async fn close(&self) {
        self.stop.cancel();
        loop {
            let empty = self.empty.notified();
            if self.open.load(Ordering::Acquire) == 0 {
                return;
            }
            empty.await;
        }
    }
}

/// One connection's place; free again when it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Connections>);

impl Seat {
    /// Resolves when the connection is to end, since the hub stops.
    pub async fn stopped(&self) {
        self.0.stop.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_waiters();
        }
    }
}

/// The sockets of one worker thread.
pub struct Sockets {
    pub(super) connections: Arc<Connections>,
    pub(super) limits: Limits,
    clock: Box<dyn Fn() -> Moment>,
    open: RefCell<Vec<Weak<Socket>>>,
}

impl Sockets {
    /// None yet. `clock` is the hub's.
    pub fn new(connections: Arc<Connections>, limits: Limits, clock: impl Fn() -> Moment + 'static) -> Rc<Self> {
        Rc::new(Self { connections, limits, clock: Box::new(clock), open: RefCell::default() })
    }

    /// What each is held to.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// A place for a connection that has no socket yet; none when the hub is full or stops.
    #[must_use]
    pub fn seat(&self) -> Option<Seat> {
        self.connections.seat()
    }

    /// Looks after the sockets for as long as anyone holds this, from a task on this worker's thread.
    pub fn watch(self: &Rc<Self>) {
        let sockets = Rc::downgrade(self);
        let stop = self.connections.stop.clone();
        actix_rt::spawn(async move {
            let mut ticks = interval(SWEEP);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let stopping = stop.is_cancelled();
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = stop.cancelled(), if !stopping => {}
                }
                let Some(sockets) = sockets.upgrade() else { return };
                if stop.is_cancelled() {
                    sockets.close(1001, "the hub stops");
                }
                sockets.sweep();
            }
        });
    }

    pub(super) fn now(&self) -> Moment {
        (self.clock)()
    }

    pub(super) fn add(&self, socket: &Rc<Socket>) {
        self.open.borrow_mut().push(Rc::downgrade(socket));
    }

    /// Forgets those that are gone, and lets each of the others ask whether its client is there, and end what has waited
    /// too long.
    pub(super) fn sweep(&self) {
        let now = self.now();
        self.open.borrow_mut().retain(|socket| {
            socket.upgrade().is_some_and(|socket| {
                socket.sweep(now);
                true
            })
        });
    }

    fn close(&self, code: u16, reason: &str) {
        for socket in self.open.borrow().iter().filter_map(Weak::upgrade) {
            socket.close(code, reason);
        }
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("open", &self.open.borrow().len()).finish_non_exhaustive()
    }
}
