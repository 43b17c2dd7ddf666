//! A start on a disk that is full already: what there is can be heard, the room plays, and recording begins when there is room.

use std::process::Command;

use super::small::Small;
use super::talk::Talk;
use super::{MIB, assert_durable, ended, is_ready, kept};
use crate::helpers::judge::ogg_packets;
use crate::helpers::{Capture, Client, Hub};

#[tokio::test]
async fn a_hub_that_starts_on_a_full_disk_gives_what_there_is_and_records_when_there_is_room() {
    // Of the first the reserve is nearly eaten, and what is left is for the index; of the other there is not a byte.
    for (disk, left) in [(Small::new(), MIB), (Small::by_quota(), 0)] {
        let hub = disk.hub();
        let (mut ann, _) = Client::v1(&hub, "/rooms/before/ws?name=Ann").await;
        ann.publish_container(1).await;
        for message in Capture::new("chromium-webm-opus-mic").messages() {
            ann.send_container(1, &message).await;
        }
        let durable = ann.notice_of("durable").await["next"].as_u64().unwrap();
        hub.kill();

        disk.fill(left);
        let hub = disk.hub();
        let (status, problem) = is_ready(&hub).await;
        assert_eq!(status, 503, "{left}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("full"), "{left}: {problem}");
        let before = hub.ended("before").await;
        assert_eq!(before["end_reason"], "crashed", "{left}");
        let ogg = before["tracks"][0]["files"]["ogg"].as_str().unwrap().to_owned();
        let sound = ogg_packets(&hub.bytes(&ogg).await);
        assert!(sound.len() as u64 >= durable, "{left}: {} packets of {durable}", sound.len());

        let talk = Talk::begin(&hub).await;
        talk.until("the room is told", |seen| !seen.healths.is_empty()).await;
        let (_, recording, reason) = talk.seen().healths[0].clone();
        assert!(!recording && reason.contains("full"), "{left}: {reason}");
        let told = talk.seen().count();
        talk.until("the room plays", |seen| seen.count() > told + 100).await;
        assert!(talk.seen().durable.is_empty(), "{left}: nothing is durable on a full disk");

        disk.empty();
        talk.until("it is recorded", |seen| seen.healths.len() > 1).await;
        let since = talk.seen().count() as u64;
        talk.until("what is said now is durable", |seen| seen.durable.iter().any(|number| *number > since)).await;
        assert_eq!(is_ready(&hub).await.0, 200, "{left}");
        let (seen, hub) = talk.end(hub).await;
        assert_eq!(seen.healths.iter().map(|health| health.1).collect::<Vec<_>>(), [false, true], "{left}");
        let recordings = ended(&hub).await;
        let [talked] = &recordings[..] else { panic!("{left}: {recordings:#?}") };
        assert_durable(&seen, &kept(&hub, talked));

        // What there was no room for, such as a last page, comes with the next start.
        hub.signal("TERM");
        hub.stop_is_awaited();
        let hub = disk.hub();
        // What is made of them asks for more than a small disk has.
        let check =
            Command::new(env!("CARGO_BIN_EXE_roomtone")).args(["check", "--recordings"]).arg(hub.recordings()).output();
        let check = check.unwrap();
        assert!(check.status.success(), "{left}: {}", String::from_utf8_lossy(&check.stdout));
        assert!(ogg_packets(&hub.bytes(&ogg).await).starts_with(&sound), "{left}");
    }
}

#[test]
fn where_not_even_the_index_finds_room_the_start_says_in_a_sentence_that_the_disk_is_full() {
    let disk = Small::new();
    let stopped = |hub: Hub| {
        hub.signal("TERM");
        let (status, folder) = hub.stop_is_awaited();
        assert!(status.success());
        folder.path().join("recordings")
    };
    let recordings = stopped(disk.hub());
    disk.fill(0);
    if disk.is_real() {
        let refused = Hub::refuses(&recordings, &[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.errors.lines().count() == 1 && refused.errors.contains("disk is full"), "{}", refused.errors);
    }
    disk.empty();
    stopped(disk.hub());
}
