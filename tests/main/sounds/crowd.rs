//! Many speakers in one room, each of another kind, who join and leave while others talk.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::ffmpeg::{Tones, kind_of, kinds};
use super::proof::{OVER, Sound, listen_plain, listen_v1};
use crate::helpers::ear::{Ear, level};
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

/// How loud each of them is: together they are not too loud.
const PEAK: f64 = 0.1;
/// In this many frames any two of the tones are told apart.
const WINDOW: usize = 9600;

/// The tone of the speaker of this number.
fn hertz(number: u32) -> f64 {
    400.0 + 100.0 * f64::from(number)
}

/// In the left side of the mix every tone sounds while its speaker talks, as loud as it was, and never else. What comes late is not
/// in the mix: so it is not asked for in every window.
fn assert_mixed(mix: &[f32], name: &str, tone: f64, start: f64, end: f64) {
    let (mut there, mut missing) = (0, 0);
    for (index, window) in mix.chunks_exact(WINDOW).enumerate() {
        let (from, to) = ((index * WINDOW) as f64 / 48_000.0, ((index + 1) * WINDOW) as f64 / 48_000.0);
        let level = level(window, tone);
        if from > start + 0.5 && to < end - 0.5 {
            let heard = (PEAK * 0.8..PEAK * 1.2).contains(&level);
            (there, missing) = (there + u32::from(heard), missing + u32::from(!heard));
        } else if to < start - 0.1 || from > end + 0.1 {
            assert!(level < PEAK * 0.1, "{name}: {level} at {from} s, it talked from {start} to {end} s");
        }
    }
    assert!(there >= 10 && there > 4 * missing, "{name} is heard in {there} windows, and in {missing} it is not");
}

#[tokio::test]
async fn speakers_of_every_kind_come_and_go_and_none_is_the_worse_for_another() {
    let hub = Hub::start_with(&["--grace-seconds", "5"]);
    let sounds: Vec<Sound> = kinds().iter().map(|kind| kind.make(&Tones::of(440.0, 0.4))).collect();
    let listener = listen_v1(Client::v1(&hub, "/rooms/fair/ws?publish=false").await.0);
    let keeper = listen_v1(Client::v1(&hub, "/rooms/fair/ws?publish=false&pcm=yes").await.0);
    // What is mixed for somebody may be late on a machine that is slow; what is recorded is not.
    let _mixed = listen_plain(Client::plain(&hub, "/rooms/fair/ws?publish=false&as=wav").await);
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

#[tokio::test]
async fn in_the_mix_every_kind_sounds_while_its_speaker_talks_and_never_else() {
    let hub = Hub::start_with(&["--grace-seconds", "5"]);
    // Few: that each kind is decoded is proved elsewhere, and unoptimised code mixes no more in real time.
    let kinds = ["webm-opus", "wav-s16", "mp4-aac", "flac"].map(kind_of);
    let sounds: Vec<Sound> =
        (0..).zip(kinds).map(|(number, kind)| kind.make(&Tones::of(hertz(number), PEAK))).collect();
    let mix = listen_plain(Client::plain(&hub, "/rooms/fair/ws?publish=false").await);
    let begin = Instant::now();
    let speaking = (0_u32..).zip(&sounds).map(|(number, sound)| speak(&hub, sound, begin + 4 * APART * number));
    join_all(speaking).await;
    let recording = hub.ended("fair").await;
    Client::plain(&hub, "/rooms/fair/ws").await.say(OVER).await;
    let mix = mix.await.unwrap();
    let mut ear = Ear::new(true);
    let mix: Vec<f32> = mix.iter().flat_map(|message| ear.hear_left(message)).collect();
    for (number, sound) in (0..).zip(&sounds) {
        let mut tracks = recording["tracks"].as_array().unwrap().iter();
        let track = tracks.find(|track| track["name"] == sound.name.as_str()).unwrap();
        let (start, length) = (track["start"].as_f64().unwrap(), track["duration"].as_f64().unwrap());
        assert_mixed(&mix, &sound.name, hertz(number), start, start + length);
    }
}
