//! The load: one thread that publishes at a pace, reads what every listener gets, and notes when.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Poll, Token};

use crate::Result;
use crate::capture::{Mode, Published};
use crate::check;
use crate::frame::{self, LAST};
use crate::peer::{self, Frame, Peer};
use crate::process::Server;

/// How long the server gets to be done with what came before.
pub const SETTLE: Duration = Duration::from_millis(1500);
/// How many listeners knock at once: a real room fills slowly, and a hub's memory stays as large as its busiest moment.
const AT_ONCE: usize = 8;
/// How long a server may take to let all listeners in.
const PATIENCE: Duration = Duration::from_secs(60);

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// What a server did with a load.
pub struct Measured {
    /// CPU seconds of the server while sound was sent.
    pub cpu: f64,
    deliveries: usize,
    /// From the publisher's write to a listener's read, in microseconds, sorted.
    latencies: Vec<u32>,
    /// Memory that a listener who hears nothing adds, in KB.
    pub idle_kb: f64,
    /// The same at the end of the sound.
    pub active_kb: f64,
}

impl Measured {
    /// CPU seconds for a million deliveries.
    pub fn per_million(&self) -> f64 {
        self.cpu * 1e6 / self.deliveries as f64
    }

    /// The time that this many in a hundred deliveries took at most, in ms.
    pub fn percentile(&self, percent: usize) -> f64 {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
    }
}

/// Loads the hub; gives also the frames that every listener got, which are the same for all.
pub fn hub(server: &Server, mode: Mode, listeners: usize, published: &[Published]) -> Result<(Measured, Vec<Bytes>)> {
    let protocol = (mode == Mode::V1).then_some("roomtone.v1");
    let welcomed = |peer: &Peer| !peer.greeting && (protocol.is_none() || peer.texts > 0);
    let mut load = Load::new()?;
    let mut before = server.memory()?;
    for number in 0..listeners {
        load.add(Peer::connect(server.address, Some(("/rooms/bench/ws?publish=false", protocol)))?)?;
        if number % AT_ONCE == 0 || number + 1 == listeners {
            let newest = |peers: &[Peer]| peers.iter().rev().take(AT_ONCE).all(welcomed);
            load.wait_for("the hub does not let a listener in", newest)?;
        }
        if number == 0 {
            // What the first one costs is the room's.
            before = server.memory()?;
        }
    }
    load.run_until(Instant::now() + SETTLE)?;
    let idle_kb = (server.memory()? - before) / listeners as f64;

    load.add(Peer::connect(server.address, Some(("/rooms/bench/ws?name=Bench", protocol)))?)?;
    load.publisher = Some(listeners);
    load.wait_for("the hub does not let the publisher in", |peers| peers.last().is_some_and(welcomed))?;
    if mode == Mode::V1 {
        load.publish(&frame::frame(LAST | TEXT, br#"{"type":"publish","track":1,"source":"container"}"#))?;
    }
    load.run_until(Instant::now() + SETTLE)?;
    let frames: Vec<_> = published.iter().map(|message| frame::frame(LAST | BINARY, &message.payload)).collect();
    let active = load.speak(server, &frames, mode.pace())?;
    load.check_all(listeners)?;
    let payloads: Vec<_> = load.heard.iter().map(|heard| heard.payload.clone()).collect();
    let completed = if listeners > 0 { check::content(mode, published, &payloads)? } else { Vec::new() };
    // The last plain message is not full and waits for sound that does not come.
    let timely = completed.len() - usize::from(mode == Mode::Plain).min(completed.len());
    let deliveries = load.heard.len() * listeners;
    let latencies = load.latencies(&active.sent, &completed[..timely]);
    let active_kb = (active.memory - before) / listeners as f64;
    let measured = Measured { cpu: active.cpu, deliveries, latencies, idle_kb, active_kb };
    Ok((measured, load.heard.into_iter().map(|heard| heard.frame).collect()))
}

/// Loads a server of Socket.IO: messages that are no sound, each in a binary event.
pub fn socket_io(server: &Server, listeners: usize, published: &[Published]) -> Result<Measured> {
    let target = |query| format!("/socket.io/?EIO=4&transport=websocket&room=bench&{query}");
    // The first text is the session's beginning, the second the namespace's.
    let welcomed = |texts| move |peers: &[Peer]| peers.iter().rev().take(AT_ONCE).all(|peer| peer.texts >= texts);
    let connect = frame::frame(LAST | TEXT, b"40");
    let mut load = Load::new()?;
    let mut before = server.memory()?;
    let mut waiting = 0;
    for number in 0..listeners {
        load.add(Peer::connect(server.address, Some((&target("publish=false"), None)))?)?;
        waiting += 1;
        if waiting == AT_ONCE || number + 1 == listeners {
            load.wait_for("the server opens no session", welcomed(1))?;
            let newest = load.peers.len() - waiting;
            for peer in &mut load.peers[newest..] {
                peer.send(&connect)?;
            }
            load.wait_for("the server does not let a listener in", welcomed(2))?;
            waiting = 0;
        }
        if number == 0 {
            before = server.memory()?;
        }
    }
    load.run_until(Instant::now() + SETTLE)?;
    let idle_kb = (server.memory()? - before) / listeners as f64;
    load.add(Peer::connect(server.address, Some((&target("name=Bench"), None)))?)?;
    load.wait_for("the server opens no session", |peers| peers.last().is_some_and(|peer| peer.texts > 0))?;
    load.publisher = Some(listeners);
    load.publish(&connect)?;
    load.run_until(Instant::now() + SETTLE)?;
    let event = frame::frame(LAST | TEXT, br#"451-["chunk",{"_placeholder":true,"num":0}]"#);
    let frames: Vec<_> =
        published.iter().map(|one| [&event[..], &frame::frame(LAST | BINARY, &one.payload)].concat()).collect();
    let active = load.speak(server, &frames, Mode::Relay.pace())?;
    load.check_all(listeners)?;
    let payloads: Vec<_> = load.heard.iter().map(|heard| heard.payload.clone()).collect();
    let completed = check::content(Mode::Relay, published, &payloads)?;
    let latencies = load.latencies(&active.sent, &completed);
    let active_kb = (active.memory - before) / listeners as f64;
    Ok(Measured { cpu: active.cpu, deliveries: load.heard.len() * listeners, latencies, idle_kb, active_kb })
}

/// Loads the floor with these frames.
pub fn floor(server: &Server, listeners: usize, frames: &[Bytes], pace: Duration) -> Result<Measured> {
    let mut load = Load::new()?;
    let publisher = Peer::connect(server.address, None)?;
    // The floor takes its first connection for the publisher's.
    load.run_until(Instant::now() + Duration::from_millis(100))?;
    for _ in 0..listeners {
        load.add(Peer::connect(server.address, None)?)?;
    }
    load.add(publisher)?;
    load.publisher = Some(listeners);
    load.run_until(Instant::now() + SETTLE)?;
    let messages: Vec<_> = frames
        .iter()
        .map(|frame| Ok([&u32::try_from(frame.len())?.to_le_bytes()[..], frame].concat()))
        .collect::<Result<_>>()?;
    let active = load.speak(server, &messages, pace)?;
    load.check_all(listeners)?;
    if !load.heard.iter().map(|heard| &heard.frame).eq(frames) {
        return Err("the floor's listeners got other frames".into());
    }
    let latencies = load.latencies(&active.sent, &(0..frames.len()).collect::<Vec<_>>());
    let (idle_kb, active_kb) = (0.0, 0.0);
    Ok(Measured { cpu: active.cpu, deliveries: latencies.len(), latencies, idle_kb, active_kb })
}

/// A message as the first listener got it, and when each did.
struct Heard {
    frame: Bytes,
    payload: Bytes,
    at: Vec<Instant>,
}

/// What speaking cost the server.
struct Active {
    cpu: f64,
    memory: f64,
    sent: Vec<Instant>,
}

struct Load {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    peers: Vec<Peer>,
    publisher: Option<usize>,
    heard: Vec<Heard>,
    newest: Instant,
}

impl Load {
    fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: vec![0; peer::READ],
            peers: Vec::new(),
            publisher: None,
            heard: Vec::new(),
            newest: Instant::now(),
        })
    }

    fn add(&mut self, mut peer: Peer) -> Result<()> {
        peer.register(self.poll.registry(), Token(self.peers.len()))?;
        self.peers.push(peer);
        Ok(())
    }

    fn publish(&mut self, bytes: &[u8]) -> Result<()> {
        let publisher = self.publisher.ok_or("there is no publisher")?;
        self.peers[publisher].send(bytes)
    }

    /// Waits for something to come, and reads it.
    fn turn(&mut self, timeout: Duration) -> Result<()> {
        self.poll.poll(&mut self.events, Some(timeout))?;
        let Self { events, scratch, peers, publisher, heard, newest, .. } = self;
        for event in events.iter() {
            let index = event.token().0;
            let of_publisher = *publisher == Some(index);
            peers[index].read(scratch, |peer, frame| match frame.opcode {
                BINARY if of_publisher => Err("the publisher heard itself".into()),
                BINARY => {
                    *newest = Instant::now();
                    hear(peer, heard, &frame, *newest)
                }
                TEXT => {
                    peer.texts += 1;
                    // Only Engine.IO asks like that.
                    if frame.payload == b"2" { peer.send(&frame::frame(LAST | TEXT, b"3")) } else { Ok(()) }
                }
                PING => peer.send(&frame::frame(LAST | PONG, frame.payload)),
                CLOSE => Err(format!("closed: {}", String::from_utf8_lossy(frame.payload)).into()),
                opcode => Err(format!("a frame with opcode {opcode}").into()),
            })?;
        }
        Ok(())
    }

    fn run_until(&mut self, end: Instant) -> Result<()> {
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left)?;
        }
        Ok(())
    }

    fn wait_for(&mut self, what: &str, done: impl Fn(&[Peer]) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !done(&self.peers) {
            let left = end.checked_duration_since(Instant::now()).ok_or(what)?;
            self.turn(left.min(Duration::from_millis(100)))?;
        }
        Ok(())
    }

    /// Sends these messages at this pace, and waits until nothing more comes.
    fn speak(&mut self, server: &Server, messages: &[Vec<u8>], pace: Duration) -> Result<Active> {
        let cpu = server.cpu()?;
        let mut sent = Vec::with_capacity(messages.len());
        let mut due = Instant::now();
        for message in messages {
            self.run_until(due)?;
            sent.push(Instant::now());
            self.publish(message)?;
            due += pace;
        }
        self.run_until(due)?;
        let memory = server.memory()?;
        self.newest = Instant::now();
        while self.newest.elapsed() < SETTLE {
            self.turn(SETTLE)?;
        }
        Ok(Active { cpu: server.cpu()? - cpu, memory, sent })
    }

    fn check_all(&self, listeners: usize) -> Result<()> {
        let behind = self.peers[..listeners].iter().filter(|peer| peer.next != self.heard.len()).count();
        if behind == 0 { Ok(()) } else { Err(format!("{behind} of {listeners} listeners lost messages").into()) }
    }

    /// From the write of the message that completed it to each listener's read.
    fn latencies(&self, sent: &[Instant], completed: &[usize]) -> Vec<u32> {
        let mut latencies = Vec::new();
        for (heard, &number) in self.heard.iter().zip(completed) {
            let took = heard.at.iter().map(|at| at.duration_since(sent[number]).as_micros());
            latencies.extend(took.map(|micros| u32::try_from(micros).unwrap_or(u32::MAX)));
        }
        latencies.sort_unstable();
        latencies
    }
}

/// A listener's next message is the next of everyone, byte for byte.
fn hear(peer: &mut Peer, heard: &mut Vec<Heard>, frame: &Frame<'_>, now: Instant) -> Result<()> {
    if peer.next == heard.len() {
        let whole = Bytes::copy_from_slice(frame.bytes);
        let payload = whole.slice(frame.bytes.len() - frame.payload.len()..);
        heard.push(Heard { frame: whole, payload, at: Vec::new() });
    }
    let same = &mut heard[peer.next];
    if same.frame != frame.bytes {
        return Err(format!("message {} is not the same for all listeners", peer.next).into());
    }
    same.at.push(now);
    peer.next += 1;
    Ok(())
}
