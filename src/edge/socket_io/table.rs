//! Which sessions there are: the one thing that all threads share.
//!
//! What belongs here: a session's ID, and the way to the thread that it lives on. What does not: anything of a session. How
//! many there may be is counted with the connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::super::close::Close;
use super::super::socket::Seat;
use super::polling::Poll;
use crate::wire::engine_io::{Packet, Sid};

/// Requests of one client that may wait for its session.
const WAITING: usize = 16;

/// What a request asks of a session.
#[derive(Debug)]
pub(super) enum Command {
    /// What waits for the client; dropped unanswered where the session refuses it.
    Poll(Poll),
    /// The client gave a poll up, and what it was to be told with it.
    Abandoned,
    /// Packets of the client, answered when they are taken; dropped where the session refuses them.
    Post(Vec<Packet>, Posting, oneshot::Sender<()>),
    /// What the client sent is no payload, or came beside another, or never ended.
    Broken,
    /// The client sent more than it may, and is told so; answered then.
    Refuse(Close, oneshot::Sender<()>),
    /// A WebSocket to upgrade to, its handshake done, with what was read behind that.
    Upgrade(std::net::TcpStream, BytesMut, Seat),
}

/// The way to a session.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    commands: mpsc::Sender<Command>,
    /// One place: see [`Posting`].
    posting: Arc<Semaphore>,
}

/// For as long as a request brings packets: one does at a time.
#[derive(Debug)]
pub(super) struct Posting {
    _place: OwnedSemaphorePermit,
}

/// The session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over;

impl Handle {
    /// Asks this of the session.
    pub async fn send(&self, command: Command) -> Result<(), Over> {
        self.commands.send(command).await.map_err(|_| Over)
    }

    /// The same, unless the session has too much to do.
    pub fn try_send(&self, command: Command) {
        let _ = self.commands.try_send(command);
    }

    /// Begins to bring packets; none while another request does.
    pub fn post(&self) -> Option<Posting> {
        let place = Arc::clone(&self.posting).try_acquire_owned().ok()?;
        Some(Posting { _place: place })
    }

    /// Resolves when the session is over.
    pub async fn over(&self) {
        self.commands.closed().await;
    }
}

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
        let (sid, (commands, inbox)) = (Sid::new(), mpsc::channel(WAITING));
        self.sessions().insert(sid, Handle { commands, posting: Arc::new(Semaphore::new(1)) });
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

    #[test]
    fn one_request_brings_packets_at_a_time() {
        let table = Table::default();
        let (sid, _inbox) = table.add();
        let posting = table.find(sid).unwrap().post();
        assert!(posting.is_some() && table.find(sid).unwrap().post().is_none());
        drop(posting);
        assert!(table.find(sid).unwrap().post().is_some());
    }
}
