//! With a hub and an archive of their own, real sockets, and limits of milliseconds.

use std::rc::Rc;
use std::sync::Arc;

use actix::Actor as _;
use actix_web::App;
use actix_web::rt::net::TcpStream;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Told;

use super::*;
use crate::archive::{NewRecording, Options};
use crate::edge::socket::{Connections, Sockets};
use crate::edge::{Edge, serve};
use crate::hub::fanout::Worker;
use crate::hub::registry::News;
use crate::hub::session::Patience;
use crate::hub::time::Clock;
use crate::media::time::UnixMillis;

const PATIENCE: Duration = Duration::from_secs(30);

struct Rig {
    hub: Addr<Hub>,
    archive: Archive,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { sync_period: Duration::from_millis(10), ..Options::new(folder.path().to_owned()) };
        let (archive, _) = Archive::open(options, UnixMillis::new(1_800_000_000_000)).await.unwrap();
        let hub = Hub::new(Clock::start(), archive.clone(), Patience::default(), 1).start();
        Self { hub, archive, _folder: folder }
    }

    fn feed(&self) -> Feed {
        Feed { hub: self.hub.clone(), archive: self.archive.clone(), watched: None }
    }

    /// Serves what the hub serves, with these limits.
    fn serve(&self, limits: Limits) -> (String, Arc<Connections>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Connections::new(2);
        let (hub, archive, cap) = (self.hub.clone(), self.archive.clone(), Arc::clone(&connections));
        let app = move || {
            let clock = Clock::start();
            let sockets = Sockets::new(Arc::clone(&cap), limits, move || clock.now());
            let (hub, archive, worker) = (hub.clone(), archive.clone(), Worker::new(clock));
            App::new()
                .app_data(Rc::new(Edge {
                    hub,
                    archive,
                    worker,
                    sockets,
                    clock,
                    socket_io: Arc::default(),
                    public_url: None,
                }))
                .configure(crate::edge::configure)
        };
        let server = serve::bind(listener, serve::Options { workers: 1, stop: Duration::from_secs(1) }, app).unwrap();
        actix_web::rt::spawn(server);
        (address, connections)
    }
}

fn kind(event: &str) -> String {
    serde_json::from_str::<Value>(event).unwrap()["type"].as_str().unwrap().to_owned()
}

async fn next(feed: &mut Feed) -> String {
    tokio::time::timeout(PATIENCE, feed.next()).await.expect("an event comes").unwrap()
}

/// Titles of a recording: so many changes.
async fn rename(archive: &Archive, times: usize) {
    let id = RecordingId::new(UnixMillis::new(1), [7; 10]);
    for time in 0..times {
        let title = Some(Some(format!("{time}")));
        archive.change(id, crate::archive::Change { title, ..Default::default() }).await.unwrap();
    }
}

async fn a_recording(archive: &Archive) {
    use crate::archive::NewPart;
    use crate::archive::model::{Anchor, EndReason};
    use crate::media::opus::Head;
    use crate::media::packet::Sequence;
    use crate::media::time::Ticks;
    use crate::media::track::{Format, TrackNumber};
    let id = RecordingId::new(UnixMillis::new(1), [7; 10]);
    let (sent, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let new = NewRecording { id, room: "studio".parse().unwrap(), started: UnixMillis::new(1) };
    let writer = archive.begin(new, Box::new(move |event| drop(sent.send(event))));
    writer.begin_part(NewPart {
        track: TrackNumber::new(1),
        number: 1,
        participant: uuid::Uuid::nil(),
        name: "Ann".parse().unwrap(),
        source: crate::media::source::Codec::Opus,
        format: Format::Opus(Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 }),
        start: Anchor { track: Ticks::ZERO, session: Ticks::ZERO },
        first: Sequence::ZERO,
    });
    writer.end(EndReason::Finished, UnixMillis::new(2));
    while ended.recv().await.is_some_and(|event| event != crate::archive::Event::Ended) {}
}

#[actix::test]
async fn who_falls_behind_gets_all_of_it_anew_and_nothing_of_what_was_missed() {
    let rig = Rig::start().await;
    a_recording(&rig.archive).await;
    let (mut slow, mut quick) = (rig.feed(), rig.feed());
    assert_eq!(kind(&next(&mut slow).await), "state");
    assert_eq!(kind(&next(&mut quick).await), "state");
    for _ in 0..10 {
        rename(&rig.archive, 30).await;
        for _ in 0..30 {
            assert_eq!(kind(&next(&mut quick).await), "recording");
        }
    }
    assert_eq!(kind(&next(&mut slow).await), "state");
    rename(&rig.archive, 1).await;
    assert_eq!(kind(&next(&mut slow).await), "recording");
}

#[actix::test]
async fn what_a_room_says_after_its_end_is_not_told() {
    let rig = Rig::start().await;
    let mut feed = rig.feed();
    next(&mut feed).await;
    let description = Description {
        name: "studio".parse().unwrap(),
        participants: Vec::new(),
        listeners: 1,
        tracks: Vec::new(),
        session: None,
    };
    rig.hub.send(News { room: 7, description, at: crate::media::time::Moment::START }).await.unwrap();
    a_recording(&rig.archive).await;
    assert_eq!(kind(&next(&mut feed).await), "recording");
}

/// A client, once it has the state.
async fn connect(address: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{address}/api/v1/events"), stream).await.unwrap();
    let first = socket.next().await.unwrap().unwrap();
    assert_eq!(kind(first.to_text().unwrap()), "state");
    socket
}

/// How a connection ends: the code, and what was said before.
async fn end(socket: &mut WebSocketStream<TcpStream>) -> (Option<u16>, Vec<Told>) {
    let mut told = Vec::new();
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.expect("the connection ends") {
            Some(Ok(Told::Close(frame))) => return (frame.map(|frame| frame.code.into()), told),
            Some(Ok(message)) => told.push(message),
            Some(Err(_)) | None => return (None, told),
        }
    }
}

#[actix::test]
async fn what_a_client_should_not_send_ends_its_connection_with_a_reason_and_text_does_not() {
    let rig = Rig::start().await;
    let (address, _) = rig.serve(Limits::default());
    for (message, code) in
        [(Told::binary(&b"sound"[..]), 1003), (Told::text("x".repeat(MOST_SAID + 1)), 1009), (Told::Close(None), 1000)]
    {
        let mut socket = connect(&address).await;
        for _ in 0..3 {
            socket.send(Told::text("hello")).await.unwrap();
        }
        socket.send(Told::Ping(b"there?"[..].into())).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Told::Pong(b"there?"[..].into()));
        socket.send(message.clone()).await.unwrap();
        assert_eq!(end(&mut socket).await.0, Some(code), "{message:?}");
    }
}

#[actix::test]
async fn a_client_that_answers_no_ping_is_let_go_and_one_that_does_is_told_that_all_is_well() {
    let rig = Rig::start().await;
    let quiet = Duration::from_millis(50);
    let (address, connections) = rig.serve(Limits { quiet, answer: Duration::from_millis(500), ..Limits::default() });
    // tungstenite answers a ping when it next reads.
    let mut answers = connect(&address).await;
    let silent = connect(&address).await;
    assert_eq!(connections.count(), 2);
    let mut alive = 0;
    while connections.count() > 1 || alive < 3 {
        let message =
            tokio::time::timeout(PATIENCE, answers.next()).await.expect("something is said").unwrap().unwrap();
        alive += usize::from(message == Told::text(r#"{"type":"alive"}"#));
    }
    drop(silent);
}

#[actix::test]
async fn there_are_as_many_as_there_may_be_and_a_stop_closes_them_with_1001() {
    let rig = Rig::start().await;
    let (address, connections) = rig.serve(Limits::default());
    let (mut one, mut other) = (connect(&address).await, connect(&address).await);
    let third = TcpStream::connect(&address).await.unwrap();
    let refused = tokio_tungstenite::client_async(format!("ws://{address}/api/v1/events"), third).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
    actix_web::rt::spawn(async move { connections.close().await });
    assert_eq!(end(&mut one).await.0, Some(1001));
    assert_eq!(end(&mut other).await.0, Some(1001));
}
