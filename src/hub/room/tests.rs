//! A room without its actor.

mod markers;

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::super::outbox::Cargo;
use super::super::recorder::Entry;
use super::super::session::Patience;
use super::state::{LONGEST_KEPT_LINE, MOST_ATTENDANCE, MOST_KEPT_CHAT};
use super::track::MOST_RECORDED;
use super::*;
use crate::hub::clock::Step;
use crate::hub::fanout::{Reads, To};
use crate::hub::rendition::{Layout, Plain};
use crate::media::opus::{Head, SILENCE_20_MS};
use crate::media::packet::SourcePacket;
use crate::media::pcm;
use crate::media::source::Codec;
use crate::media::time::{Moment, Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};
use crate::wire::packets;
use crate::wire::v1::Participant;

const WALL: UnixMillis = UnixMillis::new(1_800_000_000_000);
const ANN: Uuid = Uuid::from_u128(1);
const BEN: Uuid = Uuid::from_u128(2);

fn at(millis: u64) -> Moment {
    Moment::START.after(Duration::from_millis(10_000 + millis))
}

fn room(members: &[(Uuid, Role, Reads)]) -> State {
    let mut room = State::new("talk".parse().unwrap(), Patience::default());
    for (id, role, reads) in members {
        let name = if *id == ANN { "Ann" } else { "Ben" };
        room.join(at(0), Participant { id: *id, name: name.parse().unwrap() }, *role, *reads);
    }
    room.effects();
    room
}

/// `count` packets of silence of 20 ms.
fn sound(member: Uuid, local: u16, millis: u64, count: usize) -> Publish {
    let (data, duration) = SILENCE_20_MS;
    let packet =
        SourcePacket { time: Ticks::from_millis(millis), duration, data: Bytes::from_static(data), heard: None };
    let packets =
        (0..count).map(|index| SourcePacket { time: Ticks::from_millis(millis + 20 * index as u64), ..packet.clone() });
    Publish {
        member,
        local,
        format: Format::Opus(Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 }),
        source: Codec::Opus,
        restarted: false,
        first: None,
        packets: packets.collect(),
        arrived: at(millis),
    }
}

fn entries(room: &mut State) -> Vec<Entry> {
    let entry = |effect| if let Effect::Record(entry) = effect { Some(entry) } else { None };
    room.effects().into_iter().filter_map(entry).collect()
}

/// What others are sent: to whom, and whether it is sound.
fn sent(room: &mut State) -> Vec<(To, bool)> {
    let sent = |effect| match effect {
        Effect::Deliver(Delivery::Send { to, frame }) => Some((to, matches!(frame.cargo, Cargo::Sound(_)))),
        _ => None,
    };
    room.effects().into_iter().filter_map(sent).collect()
}

#[test]
fn nothing_is_made_that_nobody_reads() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 0, 50)).unwrap();
    let kinds = sent(&mut room);
    assert!(kinds.iter().all(|(to, _)| matches!(to, To::Readers { of: Reads::V1, .. })), "{kinds:?}");
    let reads = Reads::Plain(Plain { layout: Layout::Continuing, mixed: false });
    room.join(at(0), Participant { id: BEN, name: "Ben".parse().unwrap() }, Role::Listener, reads);
    room.effects();
    room.publish(WALL, sound(ANN, 0, 1000, 24)).unwrap();
    let plain = To::Readers { of: reads, except: Some(ANN) };
    assert_eq!(sent(&mut room).iter().filter(|(to, sound)| *to == plain && *sound).count(), 2);
    room.leave(at(2000), WALL, BEN);
    room.effects();
    room.publish(WALL, sound(ANN, 0, 1480, 24)).unwrap();
    assert!(sent(&mut room).iter().all(|(to, _)| matches!(to, To::Readers { of: Reads::V1, .. })));
}

#[test]
fn a_session_begins_with_the_first_packet_and_that_is_its_start() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    room.announce(at(0), ANN, 3).unwrap();
    assert!(!room.has_session(), "a track without a packet has no session");
    room.publish(WALL, sound(ANN, 3, 0, 10)).unwrap();
    let effects = room.effects();
    let begun =
        effects.iter().find_map(|effect| if let Effect::Begin(session) = effect { Some(session) } else { None });
    assert_eq!(begun.unwrap().started, UnixMillis::new(WALL.get() - 200));
    let steps = effects.iter().find_map(|effect| match effect {
        Effect::Record(Entry::Sound { steps, .. }) => Some(steps),
        _ => None,
    });
    assert_eq!(steps.unwrap()[1], Step::Packet { track: Ticks::ZERO, session: Ticks::ZERO });
}

#[test]
fn a_plain_track_ends_by_silence_and_what_comes_later_is_a_new_one() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 0, 10)).unwrap();
    room.effects();
    room.tick(at(60_000), WALL);
    let ended = |entry: &Entry| matches!(entry, Entry::EndTrack { track } if track.get() == 1);
    assert!(entries(&mut room).iter().any(ended));
    room.publish(WALL, sound(ANN, 0, 61_000, 10)).unwrap();
    let begun = |entry: &Entry| matches!(entry, Entry::Sound { track, .. } if track.get() == 2);
    assert!(entries(&mut room).iter().any(begun));
    room.announce(at(0), ANN, 9).unwrap();
    room.publish(WALL, sound(ANN, 9, 61_000, 10)).unwrap();
    room.effects();
    room.tick(at(200_000), WALL);
    assert_eq!(room.describe(at(200_000)).tracks.len(), 1, "an announced track ends by message only");
}

#[test]
fn a_session_has_a_bound_to_its_tracks() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    for _ in 0..MOST_RECORDED {
        room.announce(at(0), ANN, 0).unwrap();
        room.publish(WALL, sound(ANN, 0, 0, 1)).unwrap();
        room.unpublish(at(0), WALL, ANN, 0);
        room.effects();
    }
    assert_eq!(room.announce(at(0), ANN, 0), Err(Refused::SessionFull));
}

#[test]
fn a_session_has_a_bound_to_how_often_its_tracks_change() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    let opus = |room: &mut State| room.publish(WALL, sound(ANN, 0, 0, 1));
    let other = |room: &mut State| room.publish(WALL, flac(ANN, 0, 1));
    opus(&mut room).unwrap();
    for _ in 0..MOST_CHANGES / 2 {
        other(&mut room).unwrap();
        opus(&mut room).unwrap();
        room.effects();
    }
    opus(&mut room).unwrap();
    assert_eq!(other(&mut room), Err(Refused::TooManyChanges));
}

#[test]
fn chat_that_is_kept_has_a_bound_and_chat_that_is_said_has_none() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1), (BEN, Role::Listener, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 0, 10)).unwrap();
    room.effects();
    let mut kept = 0;
    for _ in 0..MOST_KEPT_CHAT / LONGEST_KEPT_LINE + 10 {
        room.say(at(0), BEN, "x".repeat(LONGEST_KEPT_LINE));
        let effects = room.effects();
        kept += effects.iter().filter(|effect| matches!(effect, Effect::Record(Entry::Chat(_)))).count();
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Deliver(_))));
    }
    assert_eq!(kept, MOST_KEPT_CHAT / LONGEST_KEPT_LINE);
}

#[test]
fn one_who_only_listens_publishes_nothing() {
    let mut room = room(&[(BEN, Role::Listener, Reads::V1)]);
    assert_eq!(room.announce(at(0), BEN, 0), Err(Refused::OnlyListens));
    assert_eq!(room.publish(WALL, sound(BEN, 0, 0, 1)), Err(Refused::OnlyListens));
    assert_eq!(room.publish(WALL, sound(ANN, 0, 0, 1)), Err(Refused::NotHere));
    assert!(!room.has_session());
}

#[test]
fn a_stop_ends_the_session_as_stopped() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 0, 10)).unwrap();
    room.effects();
    room.close(at(1000), WALL);
    let entries = entries(&mut room);
    let reason = crate::archive::model::EndReason::Stopped;
    assert!(matches!(entries.first(), Some(Entry::EndTrack { track }) if *track == TrackNumber::new(1)));
    assert!(matches!(entries.last(), Some(Entry::Finish(ended, _)) if *ended == reason));
}

/// Who is told to have come (true) or gone, and when, in ms.
fn comings(room: &mut State) -> Vec<(Uuid, bool, u64)> {
    let coming = |entry| match entry {
        Entry::Joined(stay) => Some((stay.participant, true, stay.joined.as_millis())),
        Entry::Left(participant, at) => Some((participant, false, at.as_millis())),
        _ => None,
    };
    entries(room).into_iter().filter_map(coming).collect()
}

#[test]
fn the_recording_keeps_who_was_there_and_who_came_and_went() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1), (BEN, Role::Listener, Reads::V1)]);
    let eve = Participant { id: Uuid::from_u128(3), name: "Eve".parse().unwrap() };
    room.join(at(0), eve.clone(), Role::Speaker, Reads::V1);
    room.leave(at(0), WALL, eve.id);
    assert_eq!(comings(&mut room), [], "without a session there is nothing to keep it with");
    room.publish(WALL, sound(ANN, 0, 1000, 10)).unwrap();
    assert_eq!(comings(&mut room), [(ANN, true, 0)]);
    room.join(at(2000), eve.clone(), Role::Speaker, Reads::V1);
    room.leave(at(3000), WALL, BEN);
    room.leave(at(4000), WALL, eve.id);
    room.close(at(5000), WALL);
    assert_eq!(comings(&mut room), [(eve.id, true, 1200), (eve.id, false, 3200)]);
}

#[test]
fn comings_that_are_kept_have_a_bound() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 1000, 10)).unwrap();
    let mut kept = comings(&mut room).len();
    for number in 0..MOST_ATTENDANCE as u128 {
        let name = "Eve".parse().unwrap();
        room.join(at(2000), Participant { id: Uuid::from_u128(number + 10), name }, Role::Speaker, Reads::V1);
        room.leave(at(2000), WALL, Uuid::from_u128(number + 10));
        kept += comings(&mut room).len();
    }
    assert_eq!(kept, 2 * MOST_ATTENDANCE - 1, "who is not kept to have come is not kept to have gone");
}

#[test]
fn the_hub_is_told_of_who_is_here_and_who_talks_and_of_nothing_else() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    let mut millis = 0;
    let mut news = |room: &mut State| {
        millis += 1000;
        room.news(at(millis))
    };
    assert_eq!(news(&mut room).unwrap().participants.len(), 1);
    room.announce(at(0), ANN, 3).unwrap();
    assert!(news(&mut room).is_none(), "a track without a packet is nothing to talk of");
    room.publish(WALL, sound(ANN, 3, 0, 1)).unwrap();
    let talking = news(&mut room).unwrap();
    assert!(talking.session.is_some() && !talking.tracks[0].muted);
    room.publish(WALL, sound(ANN, 3, 20, 1)).unwrap();
    room.say(at(0), ANN, "hello".to_owned());
    room.ping(at(0), ANN, 1);
    assert!(news(&mut room).is_none(), "sound and chat are not told");
    room.mute(ANN, 3, true);
    assert!(news(&mut room).unwrap().tracks[0].muted);
    room.mute(ANN, 3, true);
    assert!(news(&mut room).is_none());
    room.join(at(0), Participant { id: BEN, name: "Ben".parse().unwrap() }, Role::Listener, Reads::V1);
    assert_eq!(news(&mut room).unwrap().listeners, 1);
    room.leave(at(0), WALL, ANN);
    let left = news(&mut room).unwrap();
    assert!(left.participants.is_empty() && left.tracks.is_empty() && !left.is_empty());
    room.leave(at(0), WALL, BEN);
    assert!(news(&mut room).unwrap().is_empty());
}

#[test]
fn what_waits_to_be_told_keeps_the_room_awake() {
    let mut room = room(&[]);
    room.join(at(0), Participant { id: ANN, name: "Ann".parse().unwrap() }, Role::Speaker, Reads::V1);
    assert!(room.news(at(0)).is_some());
    assert!(!room.is_awake());
    room.leave(at(1), WALL, ANN);
    assert!(room.news(at(1)).is_none());
    assert!(room.is_awake(), "nobody would tell the hub that it is empty");
    assert!(room.news(at(250)).unwrap().is_empty());
    assert!(!room.is_awake());
}

/// Who is told how the recording does, and whether it is made.
fn healths(room: &mut State) -> Vec<(To, bool)> {
    let health = |effect| match effect {
        Effect::Deliver(Delivery::Send { to, frame }) => {
            let text = String::from_utf8_lossy(&frame.bytes).into_owned();
            text.contains(r#""type":"health""#).then(|| (to, text.contains(r#""recording":true"#)))
        }
        _ => None,
    };
    room.effects().into_iter().filter_map(health).collect()
}

#[test]
fn who_comes_later_is_told_too_that_nothing_is_recorded() {
    let everyone = To::Readers { of: Reads::V1, except: None };
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 0, 1)).unwrap();
    room.effects();
    room.recording_lags();
    room.recording_goes_on();
    assert_eq!(healths(&mut room), [(everyone, false), (everyone, true)]);
    room.recording_failed(at(0), crate::archive::model::EndReason::DiskFull);
    room.recording_lags();
    room.recording_goes_on();
    assert_eq!(healths(&mut room), [(everyone, false)], "what failed does not go on");
    room.join(at(0), Participant { id: BEN, name: "Ben".parse().unwrap() }, Role::Listener, Reads::V1);
    assert_eq!(healths(&mut room), [(To::Member(BEN), false)]);
}

/// The recordings that begin: where on the session's clock, in ms.
fn begun(room: &mut State) -> Vec<(crate::archive::model::RecordingId, u64)> {
    let begun = |effect| match effect {
        Effect::Begin(session) => Some((session.id, session.zero.as_millis())),
        _ => None,
    };
    room.effects().into_iter().filter_map(begun).collect()
}

#[test]
fn another_recording_begins_with_the_first_packet_after_the_disk_is_well_again() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1), (BEN, Role::Speaker, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 1000, 1)).unwrap();
    room.publish(WALL, sound(BEN, 0, 1000, 1)).unwrap();
    let [(first, 0)] = begun(&mut room)[..] else { panic!("one begins") };
    room.recording_failed(at(1100), crate::archive::model::EndReason::DiskFull);
    room.disk(true);
    room.publish(WALL, sound(ANN, 0, 1020, 1)).unwrap();
    assert_eq!(room.describe(at(1100)).session, None, "nothing is recorded");
    assert_eq!(entries(&mut room).len(), 0, "a disk that has failed just now is left alone");
    room.disk(false);
    room.publish(WALL, sound(ANN, 0, 3000, 1)).unwrap();
    assert_eq!(begun(&mut room), [], "it is still full");
    room.disk(true);
    room.tick(at(3500), WALL);
    assert_eq!(begun(&mut room), [], "nothing is said");
    room.publish(WALL, sound(ANN, 0, 4000, 1)).unwrap();
    let effects = room.effects();
    let mut again =
        effects.iter().filter_map(|effect| if let Effect::Begin(again) = effect { Some(again) } else { None });
    let again = again.next().expect("it begins");
    assert!(again.id != first && room.is_recording(again.id.uuid()));
    let joined = effects.iter().filter(|effect| matches!(effect, Effect::Record(Entry::Joined(_)))).count();
    assert_eq!(joined, 2, "it knows who is here");
    let healthy = |effect: &&Effect| match effect {
        Effect::Deliver(Delivery::Send { frame, .. }) => {
            String::from_utf8_lossy(&frame.bytes).contains(r#"{"type":"health","recording":true}"#)
        }
        _ => false,
    };
    assert_eq!(effects.iter().filter(healthy).count(), 1);
}

#[test]
fn what_was_said_while_nothing_was_recorded_is_never_said_to_be_durable() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1), (BEN, Role::Speaker, Reads::V1)]);
    let acknowledged = |room: &mut State, next| {
        room.effects();
        room.durable(TrackNumber::new(1), crate::media::packet::Sequence::new(next));
        let told = room.effects().into_iter().find_map(|effect| match effect {
            Effect::Deliver(Delivery::Send { frame, .. }) => Some(String::from_utf8_lossy(&frame.bytes).into_owned()),
            _ => None,
        });
        let text = told.expect("the publisher is told");
        text[text.find('{').unwrap()..].to_owned()
    };
    // Ben first, so that Ann has another number in the next recording.
    room.publish(WALL, sound(BEN, 0, 1000, 1)).unwrap();
    room.publish(WALL, sound(ANN, 0, 1000, 5)).unwrap();
    room.effects();
    room.durable(TrackNumber::new(2), crate::media::packet::Sequence::new(3));
    room.recording_failed(at(1100), crate::archive::model::EndReason::IoError);
    // 3 and 4 were on their way to the disk, and 5 to 9 came while there was no recording.
    room.publish(WALL, sound(ANN, 0, 1100, 5)).unwrap();
    room.disk(true);
    for millis in 0..5 {
        room.publish(WALL, sound(ANN, 0, 3000 + millis * 300, 15)).unwrap();
    }
    let recorded: Vec<_> = entries(&mut room)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Sound { track, packets, .. } => Some((track.get(), packets[0].sequence.get())),
            _ => None,
        })
        .collect();
    assert_eq!(recorded.first().map(|(track, _)| *track), Some(1), "the first that speaks is its first track");
    let first = recorded[0].1;
    assert!(first >= 10, "{recorded:?}");
    let told = acknowledged(&mut room, first + 2);
    let expected = format!(r#"{{"type":"durable","track":0,"next":3,"ranges":[[{first},{}]]}}"#, first + 2);
    assert_eq!(told, expected);
}

/// `count` blocks of 20 ms of FLAC, which are kept as plain samples and heard as coded silence.
fn flac(member: Uuid, millis: u64, count: usize) -> Publish {
    let mut publish = sound(member, 0, millis, count);
    for packet in &mut publish.packets {
        let block = Bytes::from(vec![7; 960 * 2]);
        packet.heard = Some(std::mem::replace(&mut packet.data, block));
    }
    publish.format = Format::Pcm(pcm::Head::new(pcm::Sample::S16, 48_000, 1).unwrap());
    publish.source = Codec::Flac;
    publish
}

#[test]
fn plain_samples_are_kept_and_heard_as_opus_but_by_those_who_ask_for_them() {
    const CAT: Uuid = Uuid::from_u128(3);
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1), (BEN, Role::Listener, Reads::V1)]);
    room.join(at(0), Participant { id: CAT, name: "Cat".parse().unwrap() }, Role::Listener, Reads::V1Pcm);
    room.effects();
    room.publish(WALL, flac(ANN, 0, 26)).unwrap();
    let mut heard = Vec::new();
    let mut told = Vec::new();
    let mut kept = Vec::new();
    for effect in room.effects() {
        match effect {
            Effect::Deliver(Delivery::Send { to: To::Readers { of, except }, frame }) => match frame.cargo {
                Cargo::Sound(_) => {
                    assert_eq!(except, Some(ANN));
                    let header = if frame.bytes[1] == 126 { 4 } else { 2 };
                    let message = packets::read(&frame.bytes.slice(header..)).unwrap();
                    let packets::Message::Packets { first, time, packets, .. } = message else { panic!("packets") };
                    heard.push((of, first.get(), time, packets.len(), packets[0].len()));
                }
                _ => told.push((of, String::from_utf8_lossy(&frame.bytes).into_owned())),
            },
            Effect::Record(Entry::Sound { format, source, packets, .. }) => kept.push((format, source, packets.len())),
            _ => {}
        }
    }
    let begin = heard[0].2;
    let at = |millis: u64| begin.saturating_add(Ticks::from_millis(millis));
    // Blocks go in messages of 240 ms, so that one who is behind may do without some.
    assert_eq!(
        heard,
        [
            (Reads::V1, 0, at(0), 26, 3),
            (Reads::V1Pcm, 0, at(0), 12, 1920),
            (Reads::V1Pcm, 12, at(240), 12, 1920),
            (Reads::V1Pcm, 24, at(480), 2, 1920)
        ]
    );
    assert_eq!(kept, [(flac(ANN, 0, 1).format, Codec::Flac, 26)]);
    for of in Reads::ANY_V1 {
        let track = told.iter().find(|(to, text)| *to == of && text.contains(r#""type":"track""#)).unwrap();
        for word in [r#""codec":"opus""#, r#""pcm":{"sample":"s16le","rate":48000,"channels":1}"#, r#""source":"flac""#]
        {
            assert!(track.1.contains(word), "{word}: {}", track.1);
        }
    }
}

#[test]
fn opus_is_the_same_frame_for_all_who_speak_v1_and_plain_samples_are_made_for_nobody() {
    let frames = |room: &mut State| -> Vec<(Reads, Bytes)> {
        let frame = |effect| match effect {
            Effect::Deliver(Delivery::Send { to: To::Readers { of, .. }, frame }) => {
                matches!(frame.cargo, Cargo::Sound(_)).then_some((of, frame.bytes))
            }
            _ => None,
        };
        room.effects().into_iter().filter_map(frame).collect()
    };
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1Pcm), (BEN, Role::Listener, Reads::V1)]);
    room.publish(WALL, sound(ANN, 0, 0, 3)).unwrap();
    let [(Reads::V1, one), (Reads::V1Pcm, other)] = &frames(&mut room)[..] else { panic!("two") };
    assert_eq!(one.as_ptr(), other.as_ptr());
    room.leave(at(60), WALL, ANN);
    room.join(at(60), Participant { id: ANN, name: "Ann".parse().unwrap() }, Role::Speaker, Reads::V1);
    room.effects();
    room.publish(WALL, flac(ANN, 80, 1)).unwrap();
    assert!(matches!(frames(&mut room)[..], [(Reads::V1, _)]));
}
