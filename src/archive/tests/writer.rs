//! The writer end to end: what goes in is on disk, in the index, and can be heard.

use std::fs;
use std::io::{Read, Seek};

use crate::archive::TrackSound;
use crate::archive::model::{Chat, EndReason, Restart, State};
use crate::archive::session_file::SessionFile;
use crate::container::judge::Capture;
use crate::media::packet::SourcePacket;

use super::*;

/// The packets of a real browser, and its head.
fn captured() -> (opus::Head, Vec<Packet>) {
    let (head, packets) = Capture::read("firefox-webm-opus").opus();
    let numbered = |(number, packet): (u64, SourcePacket)| {
        let SourcePacket { time, duration, data, heard } = packet;
        Packet { sequence: Sequence::new(number), time, duration, data, heard }
    };
    (head, (0..).zip(packets).map(numbered).collect())
}

fn read(sound: &mut TrackSound) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in &mut sound.parts {
        part.file.rewind().unwrap();
        (&mut part.file).take(part.bytes).read_to_end(&mut bytes).unwrap();
    }
    assert_eq!(bytes.len() as u64, sound.bytes);
    bytes
}

#[tokio::test]
async fn a_recording_of_a_real_browser_plays_without_a_complaint_while_it_grows_and_when_it_has_ended() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let (head, packets) = captured();
    let writer = rig.begin(id(1));
    writer.begin_part(NewPart { format: Format::Opus(head), ..part(ONE, 1) });
    let growing = dir.path().join("growing.ogg");
    for some in packets.chunks(50) {
        writer.append(ONE, some.to_vec());
        rig.round().await;
        let mut sound = rig.archive.track_sound(id(1), ONE).await.unwrap();
        assert!(sound.grows);
        fs::write(&growing, read(&mut sound)).unwrap();
        assert_eq!(ffmpeg_complains(&growing), "");
    }
    writer.end(EndReason::Finished, NOW);
    rig.round().await;

    let file = only_folder(dir.path()).join("01-ann.ogg");
    assert_eq!(ffmpeg_complains(&file), "");
    let (_, complaints) = tool("ffprobe", &["-v", "warning", "-show_packets"], &file);
    assert_eq!(complaints, "");
    let (said, complaints) = tool("opusinfo", &[], &file);
    assert!(!format!("{said}{complaints}").to_lowercase().contains("warning"), "{said}{complaints}");
    assert!(said.contains("ARTIST=Ann") && said.contains("Playback length"), "{said}");

    // Bit for bit what the browser sent.
    let mut demuxer = Demuxer::new();
    demuxer.push(&fs::read(&file).unwrap());
    let (mut heard, mut heads) = (Vec::new(), Vec::new());
    while let Some(event) = demuxer.pull().unwrap() {
        match event {
            OggEvent::Packet(packet) => heard.push(packet.data),
            OggEvent::Head(head) => heads.push(head),
            _ => {}
        }
    }
    assert_eq!(heads, [head]);
    assert_eq!(heard, packets.iter().map(|packet| packet.data.clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_index_and_the_session_file_say_what_was_written() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let millis = Ticks::from_millis;
    let writer = rig.begin(id(1));
    let start = Anchor { track: Ticks::ZERO, session: millis(500) };
    writer.begin_part(NewPart { start, first: Sequence::new(7), ..part(ONE, 1) });
    writer.append(ONE, packets(7..10));
    writer.gap(ONE, gap(millis(60), millis(100), GapCause::Jump));
    writer.restart(ONE, Restart { at: millis(160), pre_skip: 312 });
    writer.append(ONE, packets(10..12));
    writer.anchor(ONE, Anchor { track: millis(200), session: millis(703) });
    let chat = Chat {
        at: millis(600),
        participant: Uuid::from_u128(1),
        name: "Ann".parse().unwrap(),
        text: "Grüße \"an\" alle\n".to_owned(),
    };
    writer.chat(chat.clone());
    writer.begin_part(NewPart { name: "Ann".parse().unwrap(), ..part(TWO, 1) });
    writer.append(TWO, packets(0..1));
    rig.round().await;
    writer.end_part(ONE);
    writer.gap(ONE, Gap { at: millis(200), length: millis(70_000), cause: GapCause::Pause, filled: false });
    let second = Anchor { track: millis(70_200), session: millis(70_703) };
    writer.begin_part(NewPart { start: second, first: Sequence::new(12), ..part(ONE, 2) });
    writer.append(ONE, packets(12..14));
    writer.state(State::Grace);
    rig.round().await;

    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Grace);
    assert_eq!(recording.summary.people, ["Ann".parse().unwrap()]);
    assert_eq!((recording.summary.tracks, recording.summary.ended), (2, None));
    assert_eq!(recording.summary.length, millis(70_743));
    assert_eq!(recording.chat, [chat]);
    let [ann, _] = &recording.tracks[..] else { panic!("{:?}", recording.tracks) };
    let places: Vec<_> =
        ann.parts.iter().map(|part| (part.start, part.length, part.first.get(), part.next.get())).collect();
    assert_eq!(places, [(start, millis(200), 7, 12), (second, millis(40), 12, 14)]);
    assert_eq!(
        ann.gaps.iter().map(|gap| (gap.length, gap.filled)).collect::<Vec<_>>(),
        [(millis(100), true), (millis(70_000), false),]
    );
    assert_eq!(ann.anchors, [Anchor { track: millis(200), session: millis(703) }]);
    assert_eq!(ann.restarts, [Restart { at: millis(160), pre_skip: 312 }]);
    let folder = only_folder(dir.path());
    let on_disk: u64 = listing(&folder)
        .iter()
        .filter(|name| name.ends_with(".ogg"))
        .map(|name| fs::metadata(folder.join(name)).unwrap().len())
        .sum();
    assert_eq!(recording.summary.bytes, on_disk);

    writer.end(EndReason::Stopped, UnixMillis::new(NOW.get() + 80_000));
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::Stopped));
    assert_eq!(recording.summary.ended, Some(UnixMillis::new(NOW.get() + 80_000)));
    let session = SessionFile::read(&fs::read(folder.join("session.json")).unwrap()).unwrap();
    assert_eq!(session, SessionFile::of(&recording));
    assert!(!fs::read_to_string(folder.join("session.json")).unwrap().contains("bytes"));
}

#[tokio::test]
async fn a_gap_is_filled_with_coded_silence_and_what_is_left_comes_with_the_next() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    let mut silence = Vec::new();
    for n in 0..4 {
        writer.append(ONE, packets(n..n + 1));
        // 1000 ticks are 8 silences of 2.5 ms and 40 ticks: the third gap gets one more.
        writer.gap(ONE, gap(Ticks::ZERO, Ticks::new(1000), GapCause::Jump));
        rig.round().await;
        let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
        silence.push(recording.tracks[0].parts[0].length.get() - (n + 1) * PACKET.get());
    }
    assert_eq!(silence, [960, 1920, 3000, 3960]);
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert!(recording.tracks[0].gaps.iter().all(|gap| gap.length == Ticks::new(1000)));
    let heard = hear(&fs::read(only_folder(dir.path()).join("01-ann.ogg")).unwrap());
    assert_eq!((heard.silence, heard.numbers), (Ticks::new(3960), vec![0, 1, 2, 3]));
}

#[tokio::test]
async fn a_stall_leaves_no_trace_and_a_pause_leaves_a_gap() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let second = Ticks::from_secs(1);
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..2));
    writer.spool(ONE, second, packets(2..4));
    rig.round().await;
    let told = |next, bytes| Event::Durable { track: ONE, next: Sequence::new(next), bytes };
    assert_eq!(rig.told(), [told(4, 4 * 89)], "what is in the spool is durable");
    let folder = only_folder(dir.path());
    assert_eq!(listing(&folder), ["01-ann.late", "01-ann.ogg", "session.json"]);
    writer.settle(ONE, None);
    writer.append(ONE, packets(4..6));
    rig.round().await;
    assert_eq!(rig.told(), [told(6, 2 * 89)], "and is told once");
    assert_eq!(listing(&folder), ["01-ann.ogg", "session.json"]);

    writer.spool(ONE, second, packets(6..8));
    rig.round().await;
    writer.settle(ONE, Some(gap(Ticks::from_millis(120), second, GapCause::Pause)));
    writer.append(ONE, packets(8..9));
    rig.round().await;
    assert_eq!(listing(&folder), ["01-ann.ogg", "session.json"]);
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let heard = hear(&fs::read(folder.join("01-ann.ogg")).unwrap());
    assert_eq!((heard.numbers, heard.silence), ((0..9).collect(), second));
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.tracks[0].gaps, [gap(Ticks::from_millis(120), second, GapCause::Pause)]);
    assert_eq!(recording.tracks[0].parts[0].next, Sequence::new(9));
}

#[tokio::test]
async fn nothing_exists_before_the_first_part() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    let name = "Ann".parse().unwrap();
    writer.chat(Chat { at: Ticks::ZERO, participant: Uuid::nil(), name, text: "early".to_owned() });
    writer.state(State::Grace);
    rig.round().await;
    assert!(!dir.path().join("studio").exists());
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    assert_eq!(rig.told(), [Event::Ended]);
    assert!(!dir.path().join("studio").exists());
    assert!(rig.archive.recording(id(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_recording_whose_handle_is_dropped_ends_as_crashed_where_its_sound_ends() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..50));
    drop(writer);
    rig.round().await;
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    assert_eq!(recording.summary.state, State::Ended(EndReason::Crashed));
    assert_eq!(recording.summary.ended, Some(UnixMillis::new(NOW.get() + 1000)));
    hear(&fs::read(only_folder(dir.path()).join("01-ann.ogg")).unwrap());
}

#[tokio::test]
async fn a_packet_without_a_part_fails_its_recording_and_says_so() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.append(ONE, packets(0..1));
    rig.round().await;
    let message = "track 1 has no open part".to_owned();
    assert_eq!(rig.told(), [Event::Failed { reason: EndReason::IoError, message }]);
}

#[tokio::test]
async fn tracks_of_several_parts_are_one_chained_stream() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let (head, packets) = captured();
    let writer = rig.begin(id(1));
    for (number, some) in (1..).zip(packets.chunks(40).take(3)) {
        let start = Anchor { track: Ticks::from_secs(u64::from(number) * 100), session: Ticks::ZERO };
        let first = some[0].sequence;
        writer.begin_part(NewPart { format: Format::Opus(head), start, first, ..part(ONE, number) });
        writer.append(ONE, some.to_vec());
        writer.end_part(ONE);
    }
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let mut sound = rig.archive.track_sound(id(1), ONE).await.unwrap();
    assert_eq!((sound.parts.len(), sound.grows), (3, false));
    assert_eq!((sound.name.as_str(), sound.room.as_str(), sound.started), ("Ann", "studio", NOW));
    let file = dir.path().join("chained.ogg");
    fs::write(&file, read(&mut sound)).unwrap();
    let (said, complaints) = tool("opusinfo", &[], &file);
    assert!(!format!("{said}{complaints}").to_lowercase().contains("warning"), "{said}{complaints}");
    assert_eq!(said.matches("Playback length").count(), 3, "{said}");
}
