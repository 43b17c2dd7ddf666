//! Through a real server, with raw sockets for clients.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::mpsc;

use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::{Stream as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::edge::serve;

/// What a handler says of its connection, for the test that asked.
type Said = Data<mpsc::Sender<String>>;

struct TestServer {
    address: SocketAddr,
    said: mpsc::Receiver<String>,
}

fn start() -> TestServer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (say, said) = mpsc::channel();
    let options = serve::Options { workers: 1, stop: Duration::from_secs(1) };
    let server = serve::bind(listener, options, move || App::new().app_data(Data::new(say.clone())).configure(routes));
    actix_rt::spawn(server.unwrap());
    TestServer { address, said }
}

impl TestServer {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and reads the answer to its end.
    async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut socket = self.connect().await;
        socket.write_all(request.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// A client that has its answer, and five bytes of its body behind it.
    async fn on_air(&self) -> TcpStream {
        let mut socket = self.connect().await;
        socket.write_all(b"PUT /keep HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\nfirst").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"on air") {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
        }
        socket
    }

    async fn heard(self) -> String {
        actix_rt::task::spawn_blocking(move || self.said.recv_timeout(Duration::from_secs(20)).unwrap()).await.unwrap()
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .route("/plain", web::get().to(async || "plain"))
        .route("/echo", web::get().to(echo))
        .route("/claim", web::get().to(claim))
        .route("/late-claim", web::get().to(late_claim))
        .route("/sum", web::put().to(sum))
        .route("/sum", web::get().to(sum))
        .route("/keep", web::put().to(keep))
        .route("/stream", web::get().to(stream))
        .route("/denied", web::get().to(denied));
}

/// A WebSocket echo that does not claim its socket; tells how it ended.
async fn echo(request: HttpRequest, body: Payload, said: Said) -> actix_web::Result<HttpResponse> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    actix_rt::spawn(async move {
        let end = loop {
            match messages.recv().await {
                Some(Ok(actix_ws::Message::Text(text))) => session.text(text).await.unwrap(),
                Some(Ok(actix_ws::Message::Ping(bytes))) => session.pong(&bytes).await.unwrap(),
                Some(Ok(actix_ws::Message::Close(reason))) => {
                    session.close(reason).await.unwrap();
                    break "close";
                }
                Some(Ok(_)) => {}
                Some(Err(_)) => break "error",
                None => break "end",
            }
        };
        let _ = said.send(end.to_owned());
    });
    Ok(response)
}

fn handshake(request: &HttpRequest) -> actix_web::Result<HttpResponse> {
    let response = actix_http::ws::handshake(request.head())?.finish();
    Ok(HttpResponse::from(response.map_into_boxed_body()))
}

/// Takes the socket and echoes raw bytes to its end.
async fn claim(request: HttpRequest) -> actix_web::Result<HttpResponse> {
    assert!(request.extensions().contains::<ViaUpgrade>());
    let mut response = handshake(&request)?;
    response.extensions_mut().insert(OnUpgrade::new(async |mut io: Io, early: BytesMut| {
        io.write_all(&early).await.unwrap();
        let (mut reader, mut writer) = io.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    }));
    Ok(response)
}

async fn late_claim(request: HttpRequest, mut body: Payload) -> actix_web::Result<HttpResponse> {
    body.next().await.unwrap()?;
    let mut response = handshake(&request)?;
    response.extensions_mut().insert(OnUpgrade::new(async |_, _| unreachable!("the claim came too late")));
    Ok(response)
}

async fn sum(request: HttpRequest, mut body: Payload) -> actix_web::Result<String> {
    let via = request.extensions().contains::<ViaUpgrade>();
    let (mut length, mut sum) = (0, 0_u64);
    while let Some(bytes) = body.next().await {
        let bytes = bytes?;
        length += bytes.len();
        sum = bytes.iter().fold(sum, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    }
    Ok(format!("{length} {sum} {via}"))
}

/// Answers at once and reads in a task, as for a source that streams for hours.
async fn keep(mut body: Payload, said: Said) -> &'static str {
    actix_rt::spawn(async move {
        let mut length = 0;
        let end = loop {
            match body.next().await {
                Some(Ok(bytes)) => length += bytes.len(),
                Some(Err(_)) => break "error",
                None => break "end",
            }
        };
        let _ = said.send(format!("{length} {end}"));
    });
    "on air"
}

async fn denied() -> HttpResponse {
    HttpResponse::Unauthorized().body("no".repeat(500_000))
}

async fn stream() -> HttpResponse {
    let parts = ["one", "two"].map(|part| Ok::<_, actix_web::Error>(web::Bytes::from_static(part.as_bytes())));
    HttpResponse::Ok().streaming(futures_util::stream::iter(parts))
}

fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
    )
}

/// A masked frame of at most 125 bytes; the mask is zero, which leaves the payload readable.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// The bytes behind the answer's head.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[actix::test]
async fn ordinary_requests_are_answered_and_keep_their_connection() {
    let server = start();
    let get = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = server.exchange(format!("{get}{get}{last}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3);
    assert_eq!(answer.matches("\r\n\r\nplain").count(), 3);
}

#[actix::test]
async fn an_earlier_answer_on_the_connection_comes_first() {
    let server = start();
    let get = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = server.exchange(format!("{get}{}", upgrade("/denied"))).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(answer.matches("HTTP/1.1 401").count(), 1);
}

#[actix::test]
async fn a_claimed_socket_comes_with_the_bytes_that_were_read_ahead() {
    let server = start();
    let mut socket = server.connect().await;
    let early = "early".repeat(2000);
    socket.write_all(format!("{}{early}", upgrade("/claim")).as_bytes()).await.unwrap();
    let mut answer = vec![0; 8192];
    let mut length = 0;
    while !answer[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        length += socket.read(&mut answer[length..]).await.unwrap();
    }
    let answer = String::from_utf8(answer[..length].to_vec()).unwrap();
    let head = answer.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("connection: upgrade") && !head.contains("transfer-encoding"), "{head}");
    socket.write_all(b"late").await.unwrap();
    socket.shutdown().await.unwrap();
    let mut rest = body(&answer).as_bytes().to_vec();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(rest == format!("{early}late").into_bytes());
}

#[actix::test]
async fn a_claim_after_reading_is_refused() {
    let answer = start().exchange(format!("{}bytes", upgrade("/late-claim"))).await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
}

#[actix::test]
async fn an_unclaimed_websocket_gets_early_frames_pings_and_its_close() {
    let server = start();
    let mut request = upgrade("/echo").into_bytes();
    request.extend(frame(1, b"one"));
    request.extend(frame(9, b"ping"));
    request.extend(frame(1, b"two"));
    request.extend(frame(8, &[0x03, 0xE8]));
    let mut socket = server.connect().await;
    socket.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    assert_eq!(&answer[end + 4..], b"\x81\x03one\x8A\x04ping\x81\x03two\x88\x02\x03\xE8");
    assert_eq!(server.heard().await, "close");
}

#[actix::test]
async fn an_unclaimed_websocket_learns_of_fin_and_of_rst() {
    for reset in [false, true] {
        let server = start();
        let mut socket = server.connect().await;
        let mut request = upgrade("/echo").into_bytes();
        request.extend(frame(1, b"one"));
        socket.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"one") {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
        }
        if reset {
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(socket);
        assert_eq!(server.heard().await, if reset { "error" } else { "end" });
    }
}

#[actix::test]
async fn a_real_client_speaks_with_an_unclaimed_websocket() {
    use futures_util::SinkExt as _;
    use tokio_tungstenite::tungstenite::Message;
    let server = start();
    let (mut client, _) = tokio_tungstenite::connect_async(format!("ws://{}/echo", server.address)).await.unwrap();
    for round in 0..100 {
        client.send(Message::text(format!("{round}"))).await.unwrap();
    }
    for round in 0..100 {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(format!("{round}")));
    }
    client.close(None).await.unwrap();
    while let Some(message) = client.next().await {
        assert!(message.unwrap().is_close());
    }
}

#[actix::test]
async fn a_body_without_length_streams_to_its_end() {
    let server = start();
    let mut socket = server.connect().await;
    let head = "PUT /sum HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n";
    let content: Vec<u8> = (0..5_000_000_u32).map(|index| (index % 251) as u8).collect();
    let sum = content.iter().fold(0_u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&content).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert_eq!(body(&answer), format!("5000000 {sum} true"), "{answer}");
}

#[actix::test]
async fn a_body_may_be_read_after_the_answer() {
    let server = start();
    let mut socket = server.on_air().await;
    socket.write_all(&[7; 100_000]).await.unwrap();
    socket.shutdown().await.unwrap();
    assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(server.heard().await, "100005 end");
}

#[actix::test]
async fn a_body_that_breaks_off_is_an_error() {
    let server = start();
    let socket = server.on_air().await;
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    drop(socket);
    assert_eq!(server.heard().await, "5 error");
}

#[actix::test]
async fn a_client_that_waits_for_100_gets_it_once_its_body_is_wanted() {
    let server = start();
    let mut socket = server.connect().await;
    let head = "PUT /sum HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 25];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"a").await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("1 97 true"), "{answer}");
}

#[actix::test]
async fn a_refusal_arrives_whole_though_the_client_goes_on_sending() {
    let server = start();
    let mut socket = server.connect().await;
    socket.write_all(upgrade("/denied").as_bytes()).await.unwrap();
    let (mut reader, mut writer) = socket.split();
    let mut answer = String::new();
    let sending = async {
        for _ in 0..40 {
            // Fails once the server has closed, which it may.
            let _ = writer.write_all(&[0; 100_000]).await;
        }
    };
    let (read, ()) = futures_util::join!(reader.read_to_string(&mut answer), sending);
    read.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"));
    let head = answer.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
    assert!(head.contains("connection: close") && head.contains("content-length: 1000000"), "{head}");
    assert_eq!(body(&answer).len(), 1_000_000);
}

#[actix::test]
async fn an_answer_of_unknown_length_ends_with_the_connection() {
    let answer = start().exchange(upgrade("/stream")).await;
    assert!(!answer.to_ascii_lowercase().contains("chunked"), "{answer}");
    assert_eq!(body(&answer), "onetwo");
}

#[actix::test]
async fn a_chunked_upgrade_is_an_ordinary_request() {
    let answer = start()
        .exchange(
            "GET /sum HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\na\r\n0\r\n\r\n",
        )
        .await;
    assert_eq!(body(&answer), "1 97 false", "{answer}");
}

#[actix::test]
async fn an_upgrade_that_announces_a_body_is_refused() {
    let server = start();
    for (length, status) in [("5", "400"), ("0", "401")] {
        let request = upgrade("/denied").replace("\r\n\r\n", &format!("\r\nContent-Length: {length}\r\n\r\n"));
        let answer = server.exchange(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[actix::test]
async fn connect_is_answered_and_closed() {
    let answer = start().exchange("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nhello").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}

/// Both ends of a connection, the server's as it is handed to the upgrade service.
async fn linked() -> (TcpStream, Rc<RefCell<Link>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (io, _) = listener.accept().await.unwrap();
    (client, Link::new(actix_codec::FramedParts::new(io, h1::Codec::default()), false))
}

#[actix::test]
async fn a_fast_client_is_read_in_turns() {
    let (client, link) = linked().await;
    let sender = actix_rt::spawn(async move {
        let mut client = client;
        client.write_all(&vec![7; 4_000_000]).await.unwrap();
        client.shutdown().await.unwrap();
    });
    let mut input = Input::new(link);
    let (mut total, mut turn, mut most) = (0, 0, 0);
    poll_fn(|cx| {
        // What `actix_ws::MessageStream` does: reads until nothing is there.
        loop {
            match Pin::new(&mut input).poll_next(cx) {
                Poll::Ready(Some(bytes)) => turn += bytes.unwrap().len(),
                end => {
                    most = most.max(turn);
                    total += std::mem::take(&mut turn);
                    return end.map(|_| ());
                }
            }
        }
    })
    .await;
    sender.await.unwrap();
    assert_eq!(total, 4_000_000);
    assert!(most < 2 * input::HIGH, "{most} bytes in one turn");
}

#[actix::test]
async fn a_body_that_is_kept_does_not_keep_the_socket() {
    let (mut client, link) = linked().await;
    let mut input = Input::new(Rc::clone(&link));
    drop(TakeBack(link));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert!(input.next().await.unwrap().is_err());
}

#[actix::test]
async fn an_app_that_does_not_answer_is_answered_for() {
    let (mut client, link) = linked().await;
    let forever = Box::pin(std::future::pending());
    let response = answer(forever, &link, Duration::from_millis(20)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);

    let mut input = Input::new(Rc::clone(&link));
    client.write_all(b"slow").await.unwrap();
    let reads = Box::pin(async move {
        while let Some(Ok(_)) = input.next().await {}
        std::future::pending().await
    });
    let response = answer(reads, &link, Duration::from_millis(20)).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}
