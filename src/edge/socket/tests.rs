//! With real sockets, a clock that is set by hand, and a sweep that is made by hand.

mod served;

use std::sync::Arc;
use std::time::Duration;

use actix_codec::{Decoder as _, Encoder as _};
use actix_http::ws::{Codec, Frame as WsFrame, Item, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::hub::outbox::Skipped;
use crate::media::time::Ticks;

struct Pair {
    client: Client,
    socket: Rc<Socket>,
    sockets: Rc<Sockets>,
    clock: Rc<Cell<Moment>>,
}

/// The other end of a connection, whose handshake is behind it.
struct Client {
    io: TcpStream,
    codec: Codec,
    bytes: BytesMut,
}

impl Client {
    async fn send(&mut self, messages: impl IntoIterator<Item = Message>) {
        let bytes = self.encode(messages);
        self.io.write_all(&bytes).await.unwrap();
    }

    fn encode(&mut self, messages: impl IntoIterator<Item = Message>) -> BytesMut {
        let mut bytes = BytesMut::new();
        for message in messages {
            self.codec.encode(message, &mut bytes).unwrap();
        }
        bytes
    }

    /// The next frame; none at the connection's end, which must not tear one.
    async fn next(&mut self) -> Option<WsFrame> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.bytes).unwrap() {
                return Some(frame);
            }
            if self.io.read_buf(&mut self.bytes).await.unwrap_or(0) == 0 {
                assert!(self.bytes.is_empty(), "the connection ended inside a frame");
                return None;
            }
        }
    }

    async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Some(WsFrame::Close(Some(reason))) => {
                    return (reason.code.into(), reason.description.unwrap_or_default());
                }
                Some(_) => {}
                None => panic!("the connection ended without a close"),
            }
        }
    }

    /// Ends with RST.
    fn reset(self) {
        SockRef::from(&self.io).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

async fn pair_with(early: &[u8], on_skipped: OnSkipped) -> Pair {
    pair_of(early, on_skipped.into()).await
}

async fn pair_of(early: &[u8], manners: Manners) -> Pair {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let io = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (served, _) = listener.accept().await.unwrap();
    let clock = Rc::new(Cell::new(Moment::START));
    let ticking = Rc::clone(&clock);
    let sockets = Sockets::new(Connections::new(10), Limits::default(), move || ticking.get());
    let seat = sockets.connections.seat().unwrap();
    let socket = Socket::open(served, BytesMut::from(early), &sockets, seat, manners);
    let codec = Codec::new().client_mode().max_size(1 << 24);
    Pair { client: Client { io, codec, bytes: BytesMut::new() }, socket, sockets, clock }
}

async fn pair() -> Pair {
    pair_with(b"", |_| None).await
}

impl Pair {
    fn pass(&self, time: Duration) {
        self.clock.set(self.clock.get().after(time));
        self.sockets.sweep();
    }

    fn push(&self, frame: &Frame) {
        self.socket.push(frame, self.clock.get());
        self.socket.flush(self.clock.get());
    }
}

fn text(content: &str) -> Message {
    Message::Text(content.to_owned().into())
}

fn sound(number: u64, size: usize) -> Frame {
    let mut payload = vec![0; size];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    Frame { bytes: frame::binary(&payload), cargo: Cargo::Sound(Ticks::from_millis(250)) }
}

#[actix::test]
async fn what_was_read_ahead_comes_first() {
    let mut early = BytesMut::new();
    let mut codec = Codec::new().client_mode();
    codec.encode(text("one"), &mut early).unwrap();
    codec.encode(text("two"), &mut early).unwrap();
    let cut = early.split_off(early.len() - 3);
    let mut pair = pair_with(&early, |_| None).await;
    assert_eq!(pair.socket.next().await, Incoming::Text("one".into()));
    pair.client.io.write_all(&cut).await.unwrap();
    pair.client.send([Message::Binary(Bytes::from_static(b"three"))]).await;
    assert_eq!(pair.socket.next().await, Incoming::Text("two".into()));
    assert_eq!(pair.socket.next().await, Incoming::Binary(Bytes::from_static(b"three")));
    assert_eq!(pair.socket.reader.borrow_mut().next(), Ok(None));
    assert_eq!(pair.socket.reader.borrow().held(), 0);
}

#[actix::test]
async fn all_that_was_sent_comes_before_the_end_however_it_ends() {
    #[derive(Debug, PartialEq)]
    enum End {
        Fin,
        Rst,
        RstAfterOurWriteFailed,
    }
    for end in [End::Fin, End::Rst, End::RstAfterOurWriteFailed] {
        let mut pair = pair().await;
        // Little enough to have arrived: what a reset client's kernel has not sent is nobody's.
        pair.client.send((0..300).map(|number| text(&format!("{number} {}", "x".repeat(100))))).await;
        assert!(matches!(pair.socket.next().await, Incoming::Text(_)));
        match end {
            End::Fin => drop(pair.client),
            End::Rst => pair.client.reset(),
            End::RstAfterOurWriteFailed => {
                pair.client.reset();
                while pair.socket.state.borrow().phase != Phase::Mute {
                    pair.socket.push(&sound(0, 4000), Moment::START);
                    pair.socket.flush(Moment::START);
                    actix_rt::task::yield_now().await;
                }
            }
        }
        for number in 1..300 {
            let Incoming::Text(text) = pair.socket.next().await else { panic!("{end:?}: {number} is missing") };
            assert!(text.starts_with(&format!("{number} ")), "{end:?}");
        }
        assert_eq!(pair.socket.next().await, Incoming::Closed(CloseCause::Lost));
        assert_eq!(pair.socket.next().await, Incoming::Closed(CloseCause::Lost));
        pair.socket.finish().await;
    }
}

#[actix::test]
async fn what_is_given_arrives_whole_and_in_order_also_where_the_socket_takes_a_part_of_it() {
    let Pair { mut client, socket, .. } = pair().await;
    let give = |number| socket.give(&[&sound(number, 30_000)], Moment::START);
    let mut given = 0;
    while socket.state.borrow().queue.is_empty() {
        assert!(given < 1000, "the kernel takes everything");
        give(given);
        given += 1;
    }
    for _ in 0..10 {
        give(given);
        given += 1;
    }
    for number in 0..given {
        let Some(WsFrame::Binary(bytes)) = client.next().await else { panic!("{number} is missing") };
        assert_eq!((&bytes[..8], bytes.len()), (&number.to_be_bytes()[..], 30_000));
    }
    // Now that nothing waits any more, several at once.
    socket.give(&[&sound(given, 8), &sound(given + 1, 8)], Moment::START);
    for number in [given, given + 1] {
        assert_eq!(client.next().await, Some(WsFrame::Binary(Bytes::copy_from_slice(&number.to_be_bytes()))));
    }
}

#[actix::test]
async fn a_message_in_parts_is_joined_and_pings_are_answered_between() {
    let mut pair = pair().await;
    let ping = Message::Ping(Bytes::from_static(b"there?"));
    let parts = ["frag", "men", "ted"].map(|part| Bytes::from_static(part.as_bytes()));
    let [first, second, last] = parts;
    let continued = |item| Message::Continuation(item);
    pair.client.send([continued(Item::FirstBinary(first)), ping]).await;
    pair.client.send([continued(Item::Continue(second)), continued(Item::Last(last))]).await;
    assert_eq!(pair.socket.next().await, Incoming::Binary(Bytes::from_static(b"fragmented")));
    assert_eq!(pair.client.next().await, Some(WsFrame::Pong(Bytes::from_static(b"there?"))));
}

#[actix::test]
async fn a_message_over_the_limit_is_told_though_the_client_goes_on_sending() {
    let Pair { mut client, socket, clock, sockets } = pair().await;
    let limit = sockets.limits.message;
    let fits = client.encode([Message::Binary(vec![1; limit].into())]);
    let large = client.encode([Message::Binary(vec![2; limit + 1].into())]);
    let more = vec![0; 30_000_000];
    let client_done = Cell::new(false);
    let served = async {
        let fits = socket.next().await;
        assert!(matches!(fits, Incoming::Binary(bytes) if bytes.len() == limit));
        assert_eq!(socket.next().await, Incoming::Closed(CloseCause::Ours(1009)));
        let looked_after = async {
            while socket.state.borrow().phase != Phase::Mute {
                actix_rt::task::yield_now().await;
                if client_done.get() {
                    clock.set(clock.get().after(Duration::from_secs(2)));
                    sockets.sweep();
                }
            }
        };
        futures_util::join!(socket.finish(), looked_after);
    };
    let sent = async {
        for bytes in [&fits[..], &large, &more] {
            client.io.write_all(bytes).await.unwrap();
        }
        let closed = client.closed().await;
        client_done.set(true);
        closed
    };
    let ((), (code, reason)) = futures_util::join!(served, sent);
    assert_eq!((code, reason.as_str()), (1009, "a message is larger than 1048576 bytes"));
}

#[actix::test]
async fn a_goodbye_is_answered_with_its_code() {
    for (said, answered, cause) in [(Some(4000), 4000, 4000), (None, 1000, 1005)] {
        let mut pair = pair().await;
        pair.client
            .send([text("last"), Message::Close(said.map(|code: u16| actix_http::ws::CloseCode::from(code).into()))])
            .await;
        assert_eq!(pair.socket.next().await, Incoming::Text("last".into()));
        assert_eq!(pair.socket.next().await, Incoming::Closed(CloseCause::Peer(cause)));
        assert_eq!(pair.client.closed().await.0, answered);
        pair.socket.finish().await;
        assert_eq!(pair.client.next().await, None);
    }
}

#[actix::test]
async fn what_a_client_said_before_it_saw_our_goodbye_still_comes() {
    let mut pair = pair().await;
    pair.push(&sound(1, 100));
    pair.push(&Frame { bytes: frame::text("why"), cargo: Cargo::Kept });
    pair.socket.close(1003, "no such sound");
    pair.push(&sound(2, 100));
    pair.client.send([text("before")]).await;
    assert_eq!(pair.socket.next().await, Incoming::Text("before".into()));
    assert!(matches!(pair.client.next().await, Some(WsFrame::Binary(_))));
    assert!(matches!(pair.client.next().await, Some(WsFrame::Text(_))));
    assert_eq!(pair.client.closed().await, (1003, "no such sound".to_owned()));
    pair.client.send([Message::Close(None)]).await;
    assert_eq!(pair.socket.next().await, Incoming::Closed(CloseCause::Ours(1003)));
    pair.socket.finish().await;
    assert_eq!(pair.client.next().await, None);
}

#[actix::test]
async fn a_client_that_does_not_answer_a_goodbye_is_cut_off() {
    let pair = pair().await;
    pair.socket.close(1001, "the hub stops");
    pair.pass(Duration::from_millis(900));
    assert_ne!(pair.socket.state.borrow().phase, Phase::Mute);
    pair.pass(Duration::from_millis(200));
    pair.socket.finish().await;
    assert_eq!(pair.socket.cause(), Some(CloseCause::Ours(1001)));
}

#[actix::test]
async fn a_client_that_says_nothing_is_asked_and_then_closed() {
    let mut pair = pair().await;
    {
        let mut next = std::pin::pin!(pair.socket.next());
        assert!(futures_util::poll!(&mut next).is_pending());
        pair.pass(Duration::from_secs(20));
        pair.pass(Duration::from_secs(1));
        assert_eq!(pair.client.next().await, Some(WsFrame::Ping(Bytes::new())));
        pair.client.send([Message::Pong(Bytes::new()), text("here")]).await;
        assert_eq!(next.await, Incoming::Text("here".into()));
    }
    // While nobody listens to it, its silence is not its own.
    pair.pass(Duration::from_secs(100));
    let mut next = std::pin::pin!(pair.socket.next());
    assert!(futures_util::poll!(&mut next).is_pending());
    pair.pass(Duration::from_secs(21));
    pair.pass(Duration::from_secs(28));
    assert_eq!(pair.socket.cause(), None);
    pair.pass(Duration::from_secs(2));
    assert_eq!(pair.client.next().await, Some(WsFrame::Ping(Bytes::new())));
    assert_eq!(pair.client.closed().await, (1008, "no answer to a ping for 30 s".to_owned()));
}

#[actix::test]
async fn a_stalled_listener_costs_little_and_is_closed() {
    let pair = pair().await;
    SockRef::from(&pair.client.io).set_recv_buffer_size(16 * 1024).unwrap();
    let mut pushed = 0;
    while pair.socket.cause().is_none() {
        pair.push(&sound(pushed, 16_000));
        let waiting: usize = pair.socket.state.borrow().queue.slices().map(<[u8]>::len).sum();
        assert!(waiting <= pair.sockets.limits.bounds.bytes + 16_010, "{waiting} bytes wait");
        pushed += 1;
        assert!(pushed < 1000, "it is never closed");
        pair.pass(Duration::from_millis(250));
        actix_rt::task::yield_now().await;
    }
    assert_eq!(pair.socket.cause(), Some(CloseCause::Ours(1008)));
    assert!(pushed > 120, "closed before it was 30 s behind");
    pair.pass(Duration::from_secs(2));
    pair.socket.finish().await;
    assert!(pair.socket.state.borrow().queue.is_empty());
}

#[actix::test]
async fn a_listener_who_stalls_is_closed_though_nothing_more_is_sent() {
    let pair = pair().await;
    while pair.socket.state.borrow().queue.is_empty() {
        pair.push(&sound(0, 16_000));
    }
    pair.pass(Duration::from_secs(30));
    assert_eq!(pair.socket.cause(), None);
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.socket.cause(), Some(CloseCause::Ours(1008)));
}

#[actix::test]
async fn a_client_that_still_takes_a_file_is_there() {
    let mut pair = pair().await;
    SockRef::from(&pair.client.io).set_recv_buffer_size(16 * 1024).unwrap();
    pair.push(&Frame { bytes: frame::binary(&vec![0; 8 * 1024 * 1024]), cargo: Cargo::File });
    let socket = Rc::clone(&pair.socket);
    let mut next = std::pin::pin!(socket.next());
    assert!(futures_util::poll!(&mut next).is_pending());
    let mut bytes = vec![0; 64 * 1024];
    for _ in 0..10 {
        let before = socket.waiting();
        while socket.waiting() == before {
            assert!(pair.client.io.read(&mut bytes).await.unwrap() > 0);
            actix_rt::task::yield_now().await;
        }
        pair.pass(Duration::from_secs(10));
        assert_eq!(socket.cause(), None);
    }
    // It is asked, and then it does not go on.
    pair.pass(Duration::from_secs(11));
    assert_eq!(socket.cause(), None);
    pair.pass(Duration::from_secs(30));
    assert_eq!(socket.cause(), Some(CloseCause::Ours(1008)));
}

#[actix::test]
async fn where_the_room_falls_the_protocol_has_the_last_word() {
    let farewell = |code: u16, _: &str| Some(Frame { bytes: frame::text(&code.to_string()), cargo: Cargo::Kept });
    let mut pair = pair_of(b"", Manners { skipped: |_| None, farewell }).await;
    pair.socket.fail();
    assert_eq!(pair.client.next().await, Some(WsFrame::Text(Bytes::from_static(b"1011"))));
    assert_eq!(pair.client.closed().await.0, 1011);
}

#[actix::test]
async fn a_slow_listener_skips_whole_frames_and_is_told() {
    fn told(skipped: Skipped) -> Option<Frame> {
        let bytes = frame::text(&format!("{} {}", skipped.messages, skipped.ticks.as_millis()));
        Some(Frame { bytes, cargo: Cargo::Kept })
    }
    let mut pair = pair_with(b"", told).await;
    SockRef::from(&pair.client.io).set_recv_buffer_size(256 * 1024).unwrap();
    let mut last = None;
    let (mut got, mut skipped) = (0, 0);
    let mut take = |frame| match frame {
        WsFrame::Binary(bytes) => {
            let number = u64::from_be_bytes(*bytes.first_chunk().unwrap());
            assert!(last < Some(number), "out of order");
            assert!(bytes[8..].iter().all(|&byte| byte == 0), "torn");
            last = Some(number);
            got += 1;
        }
        WsFrame::Text(bytes) => {
            let told = String::from_utf8(bytes.to_vec()).unwrap();
            let (messages, millis) = told.split_once(' ').unwrap();
            let messages: u64 = messages.parse().unwrap();
            assert_eq!(messages * 250, millis.parse::<u64>().unwrap());
            skipped += messages;
        }
        other => panic!("{other:?}"),
    };
    const ROUNDS: u64 = 5;
    const PUSHED: u64 = 200;
    for round in 0..ROUNDS {
        for number in 0..PUSHED {
            pair.push(&sound(round * PUSHED + number, 16_000));
            pair.pass(Duration::from_millis(100));
        }
        // What waits, the notice included, comes before the next word.
        pair.push(&Frame { bytes: frame::text("all"), cargo: Cargo::Kept });
        loop {
            match pair.client.next().await.unwrap() {
                WsFrame::Text(bytes) if &bytes[..] == b"all" => break,
                frame => take(frame),
            }
        }
    }
    assert_eq!(last, Some(ROUNDS * PUSHED - 1));
    assert!(skipped > 0);
    assert_eq!(got + skipped, ROUNDS * PUSHED);
}

#[actix::test]
async fn what_nobody_pulls_is_not_read() {
    let mut pair = pair().await;
    let messages = pair.client.encode((0..4000).map(|number| text(&format!("{number:01000}"))));
    let sending = actix_rt::spawn(async move {
        pair.client.io.write_all(&messages).await.unwrap();
        pair.client
    });
    for number in 0..4000 {
        assert_eq!(pair.socket.next().await, Incoming::Text(format!("{number:01000}").into()));
        for _ in 0..3 {
            actix_rt::task::yield_now().await;
        }
        assert!(pair.socket.reader.borrow().held() <= 2 * READ);
    }
    sending.await.unwrap();
}

#[actix::test]
async fn a_flood_of_pings_costs_one_answer_a_read() {
    let mut pair = pair().await;
    pair.client.send((0..1000).map(|_| Message::Ping(Bytes::from_static(b"!")))).await;
    pair.client.send([text("done")]).await;
    assert_eq!(pair.socket.next().await, Incoming::Text("done".into()));
    pair.socket.close(1000, "");
    let mut pongs = 0;
    while let Some(WsFrame::Pong(_)) = pair.client.next().await {
        pongs += 1;
    }
    assert!((1..20).contains(&pongs), "{pongs} pongs");
}

#[actix::test]
async fn there_are_no_more_connections_than_there_may_be() {
    let connections = Connections::new(2);
    let seats = [connections.seat(), connections.seat()];
    assert!(seats.iter().all(Option::is_some) && connections.seat().is_none());
    drop(seats);
    assert_eq!(connections.count(), 0);
    assert!(connections.seat().is_some());
    connections.close().await;
    assert!(connections.seat().is_none());
}
