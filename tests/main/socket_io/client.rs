//! Clients that speak the protocols by hand.

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::{POLLING, SOCKET};
use crate::helpers::Client;
use crate::helpers::hub::{Hub, PATIENCE};

/// A session of long-polling.
pub struct Polling {
    http: reqwest::Client,
    address: String,
    pub sid: String,
    /// What the session began with.
    pub open: Value,
}

/// An answer: status and body.
pub type Answer = (u16, String);

impl Polling {
    /// Opens a session; `query` is what else is asked.
    pub async fn open(hub: &Hub, query: &str) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let answer = http.get(hub.url(&format!("{POLLING}{query}"))).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.unwrap();
        let open: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
        let sid = open["sid"].as_str().unwrap().to_owned();
        let address = hub.url(&format!("{POLLING}&sid={sid}"));
        Self { http, address, sid, open }
    }

    /// The same, in the room.
    pub async fn join(hub: &Hub, query: &str) -> Self {
        let client = Self::open(hub, query).await;
        client.say("40").await;
        let (_, connected) = client.poll().await;
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        client
    }

    pub async fn poll(&self) -> Answer {
        answer(self.http.get(&self.address)).await
    }

    /// Polls, and goes away when it has waited a moment.
    pub async fn poll_and_go(&self) {
        let poll = tokio::time::timeout(std::time::Duration::from_millis(200), self.poll());
        assert!(poll.await.is_err());
    }

    pub async fn post(&self, body: impl Into<reqwest::Body>) -> Answer {
        answer(self.http.post(&self.address).body(body)).await
    }

    /// Posts what the hub takes.
    pub async fn say(&self, body: impl Into<reqwest::Body>) {
        assert_eq!(self.post(body).await, (200, "ok".to_owned()));
    }

    /// Polls until a packet like that comes; others are passed over, and pings are answered.
    pub async fn packet(&self, like: &str) -> String {
        in_time(like, async {
            loop {
                let (status, body) = self.poll().await;
                assert_eq!(status, 200, "{body}");
                for packet in body.split('\u{1e}') {
                    if packet.starts_with(like) {
                        return packet.to_owned();
                    }
                    if packet == "2" {
                        self.say("3").await;
                    }
                }
            }
        })
        .await
    }
}

/// Gives up where only other things come, be it pings for ever.
async fn in_time<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(came) => came,
        Err(_) => panic!("{what} never came"),
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// What a GET at an address is answered.
pub async fn get(hub: &Hub, path: &str) -> Answer {
    answer(reqwest::Client::new().get(hub.url(path))).await
}

/// A session that is a WebSocket from the start, in the room.
pub async fn join(hub: &Hub, query: &str) -> Client {
    let mut client = open(hub, query).await;
    client.say("40").await;
    let connected = client.text().await;
    assert!(connected.starts_with("40{\"sid\":"), "{connected}");
    client
}

/// The same, not in the room yet.
pub async fn open(hub: &Hub, query: &str) -> Client {
    let mut client = Client::plain(hub, &format!("{SOCKET}{query}")).await;
    assert!(client.text().await.starts_with("0{"));
    client
}

/// The next text like that; others are passed over, and pings are answered.
pub async fn packet(client: &mut Client, like: &str) -> String {
    in_time(like, async {
        loop {
            match client.next().await {
                Ok(Message::Text(text)) if text.starts_with(like) => return text.to_string(),
                Ok(Message::Text(text)) if text == "2" => client.say("3").await,
                Ok(_) => {}
                Err(closed) => panic!("{like} was expected, and it was closed: {closed:?}"),
            }
        }
    })
    .await
}

/// The arguments of an event that came as a text.
pub fn arguments(packet: &str) -> Value {
    let json = packet.find('[').unwrap();
    serde_json::from_str(&packet[json..]).unwrap()
}
