//! Which sessions there are: the one thing that all threads share.
//!
//! What belongs here: a session's ID, and the way to the thread that it lives on. What does not: anything of a session. How
//! many there may be is counted with the connections.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};

use super::super::socket::Seat;
use crate::wire::engine_io::{Packet, Sid};

/// Requests of one client that may wait for its session.
const WAITING: usize = 16;

/// What a request asks of a session.
#[derive(Debug)]
pub(super) enum Command {
    /// What waits for the client; dropped unanswered where the session refuses it.
    Poll(oneshot::Sender<Vec<Bytes>>),
    /// The client gave a poll up, and what it was to be told with it.
    Abandoned,
    /// Packets of the client, answered when they are taken; dropped where the session refuses them.
    Post(Vec<Packet>, oneshot::Sender<()>),
    /// What the client sent is no payload.
    Broken,
    /// The client sent more than it may.
    TooLarge,
    /// A WebSocket to upgrade to, its handshake done, with what was read behind that.
    Upgrade(std::net::TcpStream, BytesMut, Seat),
}

/// The way to a session.
pub(super) type Handle = mpsc::Sender<Command>;

/// All sessions of the process.
#[derive(Debug, Default)]
pub struct Table(Mutex<HashMap<Sid, Handle>>);

impl Table {
    fn sessions(&self) -> MutexGuard<'_, HashMap<Sid, Handle>> {
        // Nothing that is done under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session, and what is asked of it.
    pub(super) fn add(&self) -> (Sid, mpsc::Receiver<Command>) {
        let (sid, (handle, inbox)) = (Sid::new(), mpsc::channel(WAITING));
        self.sessions().insert(sid, handle);
        (sid, inbox)
    }

    /// The way to a session, where there is one.
    pub(super) fn find(&self, sid: Sid) -> Option<Handle> {
        self.sessions().get(&sid).cloned()
    }

    /// The session is over.
    pub(super) fn remove(&self, sid: Sid) {
        self.sessions().remove(&sid);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_until_it_is_over() {
        let table = Table::default();
        let (one, _inbox) = table.add();
        let (other, _inbox) = table.add();
        assert_ne!(one, other);
        assert!(table.find(one).is_some());
        table.remove(one);
        assert!(table.find(one).is_none() && table.find(other).is_some());
        assert_eq!(table.count(), 1);
    }
}
