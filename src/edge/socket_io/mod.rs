//! Socket.IO, for its unmodified client: `/socket.io/`.
//!
//! What belongs here: sessions of Engine.IO 4 over long-polling and WebSocket (the table, the polling lock, the upgrade, the
//! heartbeat) and what the events of Socket.IO 5 mean. What does not: packets as bytes (`wire::engine_io`,
//! `wire::socket_io`), WebSockets (`socket`), the rooms.
//!
//! A session lives on one thread, where its socket and its member's place in the fan-out are; requests of the client come
//! to any thread, find the session in the [`Table`] and send it a `table::Command`. What waits for a client is WebSocket frames
//! in any case: a payload of long-polling is made of them when the client asks for it, so that nothing is encoded twice
//! and an upgrade only moves what waits.
//!
//! | file | what is there |
//! |---|---|
//! | `requests` | HTTP: handshake, poll, post, upgrade, and their refusals |
//! | `table` | which session is where |
//! | `session` | a session: its transports, its end |
//! | `polling` | what waits for a poll, and the lock: one poll at a time |
//! | `answer` | an answer to a poll while it is written |
//! | `heartbeat` | when the client is asked whether it is there |
//! | `client` | namespaces, events, acknowledgements: the hub's words |
//! | `greeting` | recordings, for who comes and who asks |
//! | `cors` | which pages of other origins may read our answers |
//! | `script` | the client's own script |

mod answer;
mod client;
mod cors;
mod greeting;
mod heartbeat;
mod polling;
mod requests;
mod script;
mod session;
mod table;

use std::time::Duration;

use actix_web::web;
use bytes::Bytes;

pub use self::greeting::Files;
pub use self::table::Table;
use super::upgrade::Io;

/// Where the protocol is.
const PATH: &str = "/socket.io/";
/// The most packets that a client may send in one request.
const MOST_POSTED: usize = 4096;
/// The most frames that a client gets in one answer; a binary event is one, of two packets.
const MOST_POLLED: usize = 1024;
/// As many bytes at most, before base64, where it is more than one frame.
const MOST_POLLED_BYTES: usize = 1024 * 1024;
/// How long a client may take to come back after its handshake. It does so at once, and whoever does not only holds a place.
const COME_BACK: Duration = Duration::from_secs(10);
/// The longest payload that a client is told to make of several packets, in bytes.
const MAX_PAYLOAD: usize = 1_000_000;

/// How Socket.IO is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The client's script, where we serve it ourselves.
    pub script: Option<Bytes>,
    /// The origins whose pages may read answers; `*` is any.
    pub origins: Vec<String>,
    /// How often a client is asked whether it is there.
    pub ping_interval: Duration,
    /// How long it has to answer.
    pub ping_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let (ping_interval, ping_timeout) = (Duration::from_secs(25), Duration::from_secs(20));
        Self { script: None, origins: Vec::new(), ping_interval, ping_timeout }
    }
}

/// What all threads have in common.
#[derive(Debug, Default)]
pub struct Common {
    /// How it is spoken.
    pub options: Options,
    /// The sessions.
    pub table: Table,
    /// The recordings that are on their way to clients.
    pub files: Files,
}

impl Options {
    /// How long a client may do without what it has to do: come into the namespace, or bring a request to its end.
    fn patience(&self) -> Duration {
        self.ping_interval.saturating_add(self.ping_timeout)
    }
}

impl Common {
    /// No session yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, table: Table::default(), files: Files::default() }
    }
}

/// The addresses.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(script::configure)
        .service(web::resource([PATH, PATH.trim_end_matches('/')]).route(web::to(requests::serve)));
}
