//! Two who talk and listen while others misbehave in their room, and must notice nothing.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, assert_same, data};
use super::client::Client;
use super::hub::Hub;
use roomtone::wire::packets::Message;

pub struct Witness {
    speaking: JoinHandle<Client>,
    listening: JoinHandle<Client>,
    enough: CancellationToken,
}

impl Witness {
    /// Ben begins to speak for some seconds, and another to listen to him.
    pub async fn begin(hub: &Arc<Hub>, room: &str) -> Self {
        let capture = Capture::new("firefox-webm-opus");
        let sent = data(&capture.packets());
        let (mut listener, _) = Client::v1(hub, &format!("/rooms/{room}/ws?publish=false")).await;
        let (mut speaker, welcome) = Client::v1(hub, &format!("/rooms/{room}/ws?name=Ben")).await;
        let ben = welcome["participant"]["id"].clone();
        speaker.publish_container(1).await;
        let messages = capture.messages();
        speaker.send_container(1, &messages[0]).await;
        let track = loop {
            let told = listener.notice_of("track").await;
            if told["participant"] == ben {
                break told["track"].as_u64().unwrap();
            }
        };
        let enough = CancellationToken::new();
        let ended = enough.clone();
        let listening = tokio::spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < sent.len() {
                let Message::Packets { track: of, first, packets, .. } = listener.packets().await else {
                    panic!("downwards there are only packets")
                };
                if u64::from(of) == track {
                    assert_eq!(first.get(), heard.len() as u64);
                    heard.extend(packets);
                }
            }
            assert_same(&heard, &sent);
            read_until(&mut listener, ended).await;
            listener
        });
        let ended = enough.clone();
        let speaking = tokio::spawn(async move {
            for message in &messages[1..] {
                speaker.send_container(1, message).await;
            }
            read_until(&mut speaker, ended).await;
            speaker
        });
        Self { speaking, listening, enough }
    }

    /// Every packet was heard as it was sent, and neither was sent away.
    pub async fn noticed_nothing(self) {
        self.enough.cancel();
        let mut speaker = self.speaking.await.unwrap();
        let mut listener = self.listening.await.unwrap();
        speaker.say(r#"{"type":"chat","text":"that was all"}"#).await;
        while listener.notice_of("chat").await["text"] != "that was all" {}
        speaker.say(r#"{"type":"ping","time":7}"#).await;
        assert_eq!(speaker.notice_of("pong").await["time"], 7);
    }
}

/// Goes on reading, as everyone should.
async fn read_until(client: &mut Client, enough: CancellationToken) {
    loop {
        tokio::select! {
            () = enough.cancelled() => return,
            next = client.next_without_patience() => drop(next.expect("who reads is not sent away")),
        }
    }
}
