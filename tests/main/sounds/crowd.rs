//! Many speakers in one room, each of another kind, who join and leave while others talk.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::ffmpeg::one_of_each;
use super::proof::{OVER, Sound, listen_v1};
use crate::helpers::{Client, Hub};

/// How long after one speaker the next comes.
const APART: Duration = Duration::from_millis(250);
/// How often each sends.
const EVERY: Duration = Duration::from_millis(200);

/// Sends a sound as it would be made, and leaves.
async fn speak(hub: &Hub, sound: &Sound, begin: Instant) {
    sleep_until(begin).await;
    let mut speaker = Client::plain(hub, &format!("/rooms/fair/ws?name={}{}", sound.name, sound.query)).await;
    let length = Duration::from_micros(sound.ticks * 1_000_000 / 48_000);
    let turns = usize::try_from(length.as_millis() / EVERY.as_millis()).unwrap();
    for (turn, messages) in sound.messages.chunks(sound.messages.len().div_ceil(turns)).enumerate() {
        sleep_until(begin + EVERY * u32::try_from(turn).unwrap()).await;
        for message in messages {
            speaker.send(message.clone()).await;
        }
    }
    speaker.close().await;
}

#[tokio::test]
async fn speakers_of_every_kind_come_and_go_and_none_is_the_worse_for_another() {
    let hub = Hub::start_with(&["--grace-seconds", "5"]);
    let sounds = one_of_each();
    let listener = listen_v1(Client::v1(&hub, "/rooms/fair/ws?publish=false").await.0);
    let keeper = listen_v1(Client::v1(&hub, "/rooms/fair/ws?publish=false&pcm=yes").await.0);
    let begin = Instant::now();
    let speaking = (0_u32..).zip(&sounds).map(|(number, sound)| speak(&hub, sound, begin + APART * number));
    join_all(speaking).await;
    let recording = hub.ended("fair").await;
    Client::v1(&hub, "/rooms/fair/ws").await.0.say(serde_json::json!({ "type": "chat", "text": OVER })).await;
    let (heard, kept) = (listener.await.unwrap(), keeper.await.unwrap());
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!((heard.len(), kept.len(), tracks.len()), (sounds.len(), sounds.len(), sounds.len()));
    for sound in &sounds {
        let track = tracks.iter().find(|track| track["name"] == sound.name.as_str()).unwrap();
        let of = |told: &serde_json::Value| told["participant"] == track["participant"];
        sound.was_heard(heard.iter().find(|heard| of(&heard.told)).unwrap());
        sound.was_heard_as_kept(kept.iter().find(|kept| of(&kept.told)).unwrap());
        sound.was_recorded(&hub, track).await;
    }
}
