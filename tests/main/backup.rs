//! `roomtone backup` while the hub records: what comes out of the copy.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use roomtone::archive::{Archive, Options};
use roomtone::media::track::TrackNumber;
use tempfile::TempDir;

use crate::helpers::judge::{decode_bytes, ogg_packets};
use crate::helpers::shelf::{Shelf, now};
use crate::helpers::{Capture, Client, Hub};

fn roomtone(words: &[&str], recordings: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomtone"));
    command.args(words).arg("--recordings").arg(recordings).output().unwrap()
}

/// Makes a copy that a hub can be started with.
fn backup(hub: &Hub) -> Arc<TempDir> {
    let folder = Arc::new(TempDir::new().unwrap());
    let copy = folder.path().join("recordings");
    let made = roomtone(&["backup", copy.to_str().unwrap()], &hub.recordings());
    let said = String::from_utf8_lossy(&made.stdout);
    assert!(made.status.success() && said.contains(" copied to "), "{said}{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// Someone whose sound comes in bursts with more than a second between them, so that it is not known at once where it belongs.
async fn stutter(mut speaker: Client, capture: Capture) {
    for (nth, message) in capture.messages().into_iter().enumerate() {
        if speaker.try_send(message).await.is_err() {
            return;
        }
        // A beginning that stops in its first bytes would be no sound at all.
        if nth > 5 {
            tokio::time::sleep(Duration::from_millis(1300)).await;
        }
    }
}

#[tokio::test]
async fn what_was_durable_before_the_backup_comes_out_of_it_and_nothing_is_strange() {
    let shelf = Shelf::new().await;
    let ended = shelf.record("talk", 2, 2).await;
    let hub = shelf.hub(&[]).await;
    let whole = hub.bytes(&format!("/api/v1/recordings/{ended}/tracks/2.ogg")).await;
    let capture = Capture::new("firefox-webm-opus");
    let sent: Vec<_> = capture.packets().iter().map(|packet| packet.data.to_vec()).collect();
    // What is short is silence, the hub's or the browser's.
    let sounding = |packets: Vec<Vec<u8>>| packets.into_iter().filter(|packet| packet.len() > 3).collect::<Vec<_>>();
    let (mut ann, _) = Client::v1(&hub, "/rooms/live/ws?name=Ann").await;
    ann.publish_container(1).await;
    let ben = Client::plain(&hub, "/rooms/live/ws?name=Ben").await;
    let stuttering = tokio::spawn(stutter(ben, Capture::new("chromium-webm-opus-100ms")));
    let mut cem = Client::plain(&hub, "/rooms/live/ws?name=Cem&format=s16le").await;
    let mut copies = Vec::new();
    let messages = capture.messages();
    ann.send_container(1, &messages[0]).await;
    ann.send_container(1, &messages[1]).await;
    cem.send(vec![7; 96_000]).await;
    hub.until("/api/v1/recordings?room=live", |list| list["recordings"][0]["tracks"] == 3).await;
    for part in messages[2..].chunks(messages.len().div_ceil(6)) {
        for message in part {
            ann.send_container(1, message).await;
        }
        cem.send(vec![7; 96_000]).await;
        let durable = ann.notice_of("durable").await;
        copies.push((backup(&hub), usize::try_from(durable["next"].as_u64().unwrap()).unwrap()));
    }
    stuttering.abort();
    let mut live_ones = 0;
    for (copy, durable) in &copies {
        let folder = copy.path().join("recordings");
        let (archive, recovered) = Archive::open(Options::new(folder.clone()), now()).await.unwrap();
        let [live] = &recovered.recordings[..] else { panic!("{recovered:?}") };
        assert_eq!((live.cut, live.damaged, live.trouble.as_deref()), (0, 0, None), "{recovered:?}");
        let recording = archive.recording(live.id).await.unwrap().unwrap();
        let of_ann = recording.tracks.iter().find(|track| track.name.as_str() == "Ann").unwrap();
        assert!(of_ann.parts.iter().map(|part| part.next.get()).max() >= Some(*durable as u64));
        live_ones = live_ones.max(recording.tracks.len());
        assert!(archive.track_sound(ended, TrackNumber::new(2)).await.is_ok());
        archive.close().await;
        let checked = roomtone(&["check"], &folder);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
    assert_eq!(live_ones, 3, "Ann, Ben and Cem are in a copy");

    // And it plays, from a hub.
    let (copy, durable) = copies.pop().unwrap();
    let restored = Hub::start_in(copy, &[]);
    assert!(restored.bytes(&format!("/api/v1/recordings/{ended}/tracks/2.ogg")).await == whole);
    let recording = restored.ended("live").await;
    assert_eq!(recording["end_reason"], "crashed");
    let tracks = recording["tracks"].as_array().unwrap();
    let of = |name: &str| tracks.iter().find(|track| track["name"] == name).unwrap();
    let file = restored.bytes(of("Ann")["files"]["ogg"].as_str().unwrap()).await;
    let (kept, durable) = (sounding(ogg_packets(&file)), sounding(sent[..durable].to_vec()));
    let sent = sounding(sent);
    assert!(kept.len() >= durable.len(), "{} of {} that were durable", kept.len(), durable.len());
    let differ = kept.iter().zip(&sent).position(|(kept, sent)| kept != sent);
    assert!(differ.is_none() && kept.len() <= sent.len(), "{differ:?} of {}", kept.len());
    for name in ["Ann", "Ben"] {
        assert!(!decode_bytes(&restored.bytes(of(name)["files"]["ogg"].as_str().unwrap()).await).is_empty(), "{name}");
    }
    let wav = restored.bytes(of("Cem")["files"]["wav"].as_str().unwrap()).await;
    let (header, samples) = wav.split_at(44);
    assert!(header.starts_with(b"RIFF") && samples.len() >= 96_000 && samples[..96_000].iter().all(|byte| *byte == 7));
    // The hub that was copied noticed nothing.
    ann.close().await;
    cem.close().await;
    let recording = hub.ended("live").await;
    assert_eq!(recording["end_reason"], "finished");
    let of_ann = recording["tracks"].as_array().unwrap().iter().find(|track| track["name"] == "Ann").unwrap();
    assert!(sounding(ogg_packets(&hub.bytes(of_ann["files"]["ogg"].as_str().unwrap()).await)) == sent);
}

#[test]
fn a_folder_that_holds_something_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start();
    std::fs::write(folder.path().join("mine"), "").unwrap();
    let refused = roomtone(&["backup", folder.path().to_str().unwrap()], &hub.recordings());
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("is not empty") && said.lines().count() == 1, "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
