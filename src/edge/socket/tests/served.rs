//! WebSockets behind a server.

use actix_web::{App, HttpRequest, HttpResponse, web};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message as TungMessage;

use super::*;
use crate::edge::serve;

/// A server with a WebSocket that says back what it hears.
fn serve_echo(connections: &Arc<Connections>) -> std::net::SocketAddr {
    async fn echo(request: HttpRequest, sockets: web::Data<SocketsOfWorker>) -> HttpResponse {
        let session = async |socket: Rc<Socket>| {
            while let Incoming::Text(text) = socket.next().await {
                socket.push(&Frame { bytes: frame::text(&text), cargo: Cargo::Kept }, Moment::START);
                socket.flush(Moment::START);
            }
        };
        Handshake::check(&request, &sockets.0, None)
            .map(|handshake| handshake.accept(|_| None, session))
            .unwrap_or_else(|refused| match refused {
                Refused::Full => HttpResponse::ServiceUnavailable().body(refused.to_string()),
                Refused::Handshake(_) | Refused::NoSocket => HttpResponse::BadRequest().body(refused.to_string()),
            })
    }
    struct SocketsOfWorker(Rc<Sockets>);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::clone(connections);
    let options = serve::Options { workers: 1, stop: Duration::from_secs(1) };
    let server = serve::bind(listener, options, move || {
        let sockets = Sockets::new(Arc::clone(&connections), Limits::default(), || Moment::START);
        sockets.watch();
        App::new().app_data(web::Data::new(SocketsOfWorker(sockets))).route("/", web::get().to(echo))
    });
    actix_rt::spawn(server.unwrap());
    address
}

#[actix::test]
async fn real_clients_speak_with_it_until_the_hub_stops() {
    let connections = Connections::new(2);
    let address = serve_echo(&connections);
    let url = format!("ws://{address}/");
    let (mut one, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let (mut two, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    let third = tokio_tungstenite::connect_async(&url).await.unwrap_err().to_string();
    assert!(third.contains("503"), "{third}");
    for client in [&mut one, &mut two] {
        client.send(TungMessage::text("hello")).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), TungMessage::text("hello"));
    }
    assert_eq!(connections.count(), 2);
    let clients = async {
        for client in [&mut one, &mut two] {
            let Some(Ok(TungMessage::Close(Some(close)))) = client.next().await else { panic!("no close") };
            assert_eq!((u16::from(close.code), close.reason.as_str()), (1001, "the hub stops"));
            assert!(client.next().await.is_none());
        }
    };
    futures_util::join!(connections.close(), clients);
    assert_eq!(connections.count(), 0);
}

#[actix::test]
async fn what_is_no_handshake_is_refused() {
    let address = serve_echo(&Connections::new(2));
    let mut io = TcpStream::connect(address).await.unwrap();
    io.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
