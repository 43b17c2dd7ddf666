//! Entries in, writes out.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::media::packet::Sequence;
use crate::media::{opus, pcm};

const TRACK: TrackNumber = TrackNumber::new(1);
const MONO: Format = Format::Opus(opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 });
const STEREO: Format = Format::Opus(opus::Head { channels: 2, pre_skip: 312, input_rate: 48_000, output_gain: 0 });

fn secs(secs: u64) -> Ticks {
    Ticks::from_secs(secs)
}

fn packet(number: u64) -> Packet {
    Packet { sequence: Sequence::new(number), time: Ticks::ZERO, duration: secs(1), data: Bytes::new(), heard: None }
}

/// A packet of a second, `number`, whose place on the track's count is `at` seconds.
fn sound(format: &Format, before: &[Step], number: u64, at: u64) -> Entry {
    let name = "Ann".parse().unwrap();
    let mut steps = before.to_vec();
    steps.push(Step::Packet { track: secs(at), session: secs(at + 10) });
    Entry::Sound {
        track: TRACK,
        owner: Arc::new(Owner { participant: Uuid::nil(), name, local: 0 }),
        format: format.clone(),
        source: format.codec(),
        restarted: false,
        steps,
        packets: vec![packet(number)],
    }
}

fn gap(at: u64, length: u64, cause: GapCause) -> Gap {
    Gap { at: secs(at), length: secs(length), cause, filled: length <= 60 }
}

fn writes(entries: impl IntoIterator<Item = Entry>) -> Vec<Write> {
    let mut ledger = Ledger::default();
    entries.into_iter().filter_map(|entry| ledger.take(entry)).flat_map(|(_, writes)| writes).collect()
}

fn append(numbers: &[u64]) -> Write {
    Write::Append(numbers.iter().copied().map(packet).collect())
}

fn part(number: u32, first: u64, at: u64) -> Write {
    let start = Anchor { track: secs(at), session: secs(at + 10) };
    let (name, first) = ("Ann".parse().unwrap(), Sequence::new(first));
    let format = MONO;
    Write::BeginPart(NewPart {
        track: TRACK,
        number,
        participant: Uuid::nil(),
        name,
        source: format.codec(),
        format,
        start,
        first,
    })
}

#[test]
fn the_first_packet_begins_the_part_and_the_end_ends_it() {
    let anchor = Step::Anchor(Anchor { track: secs(0), session: secs(10) });
    let all = writes([sound(&MONO, &[anchor], 0, 0), sound(&MONO, &[], 1, 1), Entry::EndTrack { track: TRACK }]);
    assert_eq!(all, [part(1, 0, 0), append(&[0]), append(&[1]), Write::EndPart]);
}

#[test]
fn a_gap_is_filled_up_to_a_minute_and_past_it_ends_the_part() {
    let short = gap(1, 60, GapCause::Pause);
    let all = writes([sound(&MONO, &[], 0, 0), sound(&MONO, &[Step::Gap(short)], 1, 61)]);
    assert_eq!(all, [part(1, 0, 0), append(&[0]), Write::Gap(short), append(&[1])]);
    let long = gap(1, 61, GapCause::Pause);
    let all = writes([sound(&MONO, &[], 0, 0), sound(&MONO, &[Step::Gap(long)], 1, 62)]);
    assert_eq!(all, [part(1, 0, 0), append(&[0]), Write::Gap(long), Write::EndPart, part(2, 1, 62), append(&[1])]);
}

#[test]
fn what_never_came_here_is_a_gap_by_overload() {
    let all = writes([sound(&MONO, &[], 0, 0), sound(&MONO, &[], 5, 5)]);
    assert_eq!(all, [part(1, 0, 0), append(&[0]), Write::Gap(gap(1, 4, GapCause::Overload)), append(&[5])]);
}

#[test]
fn what_is_held_goes_to_the_spool_until_it_is_told() {
    let pause = Gap { at: secs(9), ..gap(1, 5, GapCause::Pause) };
    let settled = Entry::Steps { track: TRACK, steps: vec![Step::Settled(Some(pause))] };
    let all = writes([
        sound(&MONO, &[], 0, 0),
        sound(&MONO, &[Step::Held(secs(5))], 1, 1),
        sound(&MONO, &[], 2, 2),
        settled,
        sound(&MONO, &[], 3, 8),
    ]);
    let spool = |number| Write::Spool(secs(5), vec![packet(number)]);
    let settle = Write::Settle(Some(gap(1, 5, GapCause::Pause)));
    assert_eq!(all, [part(1, 0, 0), append(&[0]), spool(1), spool(2), settle, append(&[3])]);
}

#[test]
fn a_track_that_ends_while_it_is_held_has_paused() {
    let all =
        writes([sound(&MONO, &[], 0, 0), sound(&MONO, &[Step::Held(secs(5))], 1, 1), Entry::EndTrack { track: TRACK }]);
    assert_eq!(all[3..], [Write::Settle(Some(gap(1, 5, GapCause::Pause))), Write::EndPart]);
}

#[test]
fn a_part_of_pcm_that_is_full_ends_and_the_next_begins_at_its_place() {
    let head = pcm::Head::new(pcm::Sample::S16, 8_000, 1).unwrap();
    let mut ledger = Ledger::new(48_000);
    // A second is 16000 bytes.
    let second = |number: u64, before: &[Step], at| match sound(&Format::Pcm(head), before, number, at) {
        Entry::Sound { track, owner, format, source, restarted, steps, mut packets } => {
            packets[0].data = Bytes::from(vec![1; 16_000]);
            Entry::Sound { track, owner, format, source, restarted, steps, packets }
        }
        other => other,
    };
    let pause = gap(2, 3, GapCause::Pause);
    let entries = [second(0, &[], 0), second(1, &[], 1), second(2, &[Step::Gap(pause)], 5), second(3, &[], 6)];
    let writes: Vec<_> =
        entries.into_iter().filter_map(|entry| ledger.take(entry)).flat_map(|(_, writes)| writes).collect();
    let words: Vec<_> = writes
        .iter()
        .map(|write| match write {
            Write::BeginPart(part) => format!("part {} at {}", part.number, part.start.track.get() / 48_000),
            Write::Append(packets) => format!("{}", packets[0].sequence.get()),
            Write::Gap(gap) => format!("gap {}", gap.filled),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(words, ["part 1 at 0", "0", "1", "gap true", "EndPart", "part 2 at 5", "2", "3"]);

    // What would come after it is full is not filled, either.
    let more = [second(4, &[], 7), second(5, &[Step::Gap(gap(8, 1, GapCause::Jump))], 9)];
    let writes: Vec<_> =
        more.into_iter().filter_map(|entry| ledger.take(entry)).flat_map(|(_, writes)| writes).collect();
    assert!(
        matches!(&writes[..], [Write::Append(_), Write::Gap(gap), Write::EndPart, Write::BeginPart(part),
        Write::Append(_)] if !gap.filled && part.number == 3),
        "{writes:?}"
    );

    // Opus parts have no such end.
    let mut opus = Ledger::new(1);
    let entries = (0..3).map(|number| sound(&MONO, &[], number, number));
    let writes: Vec<_> = entries.filter_map(|entry| opus.take(entry)).flat_map(|(_, writes)| writes).collect();
    assert_eq!(writes.iter().filter(|write| matches!(write, Write::BeginPart(_))).count(), 1);
}

#[test]
fn another_head_begins_a_part_and_the_same_head_goes_on_with_a_note() {
    let restarted = |entry| match entry {
        Entry::Sound { track, owner, format, source, steps, packets, .. } => {
            Entry::Sound { track, owner, format, source, restarted: true, steps, packets }
        }
        other => other,
    };
    let all = writes([sound(&MONO, &[], 0, 0), restarted(sound(&MONO, &[], 1, 1))]);
    let note = Write::Restart(Restart { at: secs(1), pre_skip: 312 });
    assert_eq!(all, [part(1, 0, 0), append(&[0]), note, append(&[1])]);
    let all = writes([sound(&MONO, &[], 0, 0), restarted(sound(&STEREO, &[], 1, 1))]);
    assert_eq!(all[2], Write::EndPart);
    assert!(matches!(&all[3], Write::BeginPart(part) if part.number == 2 && part.format == STEREO));
    let pcm = Format::Pcm(pcm::Head::new(pcm::Sample::S16, 8000, 1).unwrap());
    let all = writes([sound(&pcm, &[], 0, 0), restarted(sound(&pcm, &[], 1, 1))]);
    assert_eq!(all[1..], [append(&[0]), append(&[1])], "plain samples leave no note");
}

#[test]
fn another_codec_of_the_publisher_begins_a_part_though_what_is_kept_is_alike() {
    let came_as = |source| match sound(&MONO, &[], 1, 1) {
        Entry::Sound { track, owner, format, steps, packets, .. } => {
            Entry::Sound { track, owner, format, source, restarted: true, steps, packets }
        }
        other => other,
    };
    let all = writes([sound(&MONO, &[], 0, 0), came_as(Codec::Vorbis), came_as(Codec::Vorbis)]);
    assert_eq!(all[2], Write::EndPart);
    assert!(matches!(&all[3], Write::BeginPart(part) if part.source == Codec::Vorbis && part.format == MONO));
    let begun = all.iter().filter(|write| matches!(write, Write::BeginPart(_))).count();
    assert_eq!(begun, 2);
}
