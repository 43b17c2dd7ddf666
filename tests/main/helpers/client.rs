//! A WebSocket client, as anyone would write one.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use roomtone::wire::packets;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::hub::{Hub, PATIENCE};

pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// How a connection ended: the code and the reason, or nothing where it broke off.
pub type Closed = Option<(u16, String)>;

impl Client {
    /// Joins by the plain protocol. `path` is everything behind the address.
    pub async fn plain(hub: &Hub, path: &str) -> Self {
        Self::open(hub, path, None).await.unwrap()
    }

    /// Joins by `roomtone.v1`, and gives the welcome.
    pub async fn v1(hub: &Hub, path: &str) -> (Self, Value) {
        let mut client = Self::open(hub, path, Some("roomtone.v1")).await.unwrap();
        let welcome = client.notice().await;
        assert_eq!(welcome["type"], "welcome");
        (client, welcome)
    }

    pub async fn open(hub: &Hub, path: &str, protocol: Option<&'static str>) -> Result<Self, tungstenite::Error> {
        let mut request = request(hub, path)?;
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
        }
        // As browsers do: what is sent goes out at once.
        let (socket, response) = tokio_tungstenite::connect_async_with_config(request, None, true).await?;
        let chosen = response.headers().get("sec-websocket-protocol");
        assert_eq!(chosen.map(HeaderValue::as_bytes), protocol.map(str::as_bytes));
        Ok(Self { socket })
    }

    /// Joins over a connection on which little can be on its way: some KiB, where it would be MiB otherwise.
    pub async fn narrow(hub: &Hub, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        // The hub's system holds as many segments as it thinks that it may send: so they are small.
        SockRef::from(&socket).set_tcp_mss(536).unwrap();
        let stream = socket.connect(hub.address.parse().unwrap()).await.unwrap();
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = tokio_tungstenite::client_async(request(hub, path).unwrap(), stream).await.unwrap();
        Self { socket }
    }

    pub async fn send(&mut self, bytes: impl Into<Bytes>) {
        self.try_send(bytes).await.unwrap();
    }

    pub async fn try_send(&mut self, bytes: impl Into<Bytes>) -> Result<(), tungstenite::Error> {
        self.socket.send(Message::Binary(bytes.into())).await
    }

    pub async fn say(&mut self, text: impl ToString) {
        self.try_say(text).await.unwrap();
    }

    pub async fn try_say(&mut self, text: impl ToString) -> Result<(), tungstenite::Error> {
        self.socket.send(Message::text(text.to_string())).await
    }

    /// Announces track `track` of container bytes.
    pub async fn publish_container(&mut self, track: u16) {
        self.say(json!({ "type": "publish", "track": track, "source": "container" })).await;
    }

    /// Sends container bytes in `roomtone.v1`.
    pub async fn send_container(&mut self, track: u16, bytes: &[u8]) {
        let mut message = vec![2, 0];
        message.extend(track.to_be_bytes());
        message.extend([0; 16]);
        message.extend(bytes);
        self.send(message).await;
    }

    /// The next message, or how the connection ended.
    pub async fn next(&mut self) -> Result<Message, Closed> {
        tokio::time::timeout(PATIENCE, self.next_without_patience()).await.expect("the hub says nothing")
    }

    /// The same, however long it takes. Nothing is lost where the wait is given up.
    pub async fn next_without_patience(&mut self) -> Result<Message, Closed> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(message)) => return Ok(message),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next message, which is binary.
    pub async fn binary(&mut self) -> Bytes {
        match self.next().await {
            Ok(Message::Binary(bytes)) => bytes,
            other => panic!("binary was expected, not {other:?}"),
        }
    }

    /// The next message, which is text.
    pub async fn text(&mut self) -> String {
        match self.next().await {
            Ok(Message::Text(text)) => text.to_string(),
            other => panic!("text was expected, not {other:?}"),
        }
    }

    /// The next notice of `roomtone.v1`; packets before it are passed over.
    pub async fn notice(&mut self) -> Value {
        loop {
            match self.next().await {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Ok(Message::Binary(_)) => {}
                other => panic!("a notice was expected, not {other:?}"),
            }
        }
    }

    /// The next notice of this type; others before it are passed over.
    pub async fn notice_of(&mut self, kind: &str) -> Value {
        loop {
            let notice = self.notice().await;
            if notice["type"] == kind {
                return notice;
            }
        }
    }

    /// The next packets of `roomtone.v1`; notices before them are passed over.
    pub async fn packets(&mut self) -> packets::Message {
        loop {
            match self.next().await {
                Ok(Message::Binary(bytes)) => return packets::read(&bytes).unwrap(),
                Ok(_) => {}
                Err(closed) => panic!("packets were expected, and it was closed: {closed:?}"),
            }
        }
    }

    /// How the connection ends; what comes before is passed over.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.next().await {
                return closed;
            }
        }
    }

    /// Says goodbye.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.next().await.is_ok() {}
    }

    /// Says goodbye to a hub that may be gone already.
    pub async fn leave(mut self) {
        let _ = self.socket.close(None).await;
        while self.next_without_patience().await.is_ok() {}
    }

    /// Goes without a word.
    pub fn vanish(self) {
        drop(self);
    }
}

fn request(hub: &Hub, path: &str) -> Result<Request<()>, tungstenite::Error> {
    format!("ws://{}{path}", hub.address).into_client_request()
}
