//! What a session's entries become on disk: parts, packets, gaps, spools, in order.
//!
//! What belongs here: a plain struct that turns each [`Entry`] into [`Write`]s, and never loses a packet without a gap.
//! What does not: files, queues, who sends the entries.

use std::collections::HashMap;

use super::Entry;
use crate::archive::NewPart;
use crate::archive::model::{Anchor, Gap, GapCause, Restart};
use crate::container::wav;
use crate::hub::clock::{LONGEST_FILL, Step};
use crate::media::packet::Packet;
use crate::media::source::Codec;
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

use super::Owner;

/// One thing for the archive to write of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Begin a part.
    BeginPart(NewPart),
    /// Packets at the part's end.
    Append(Vec<Packet>),
    /// Time without packets.
    Gap(Gap),
    /// Pin the track's count to the session's clock.
    Anchor(Anchor),
    /// The encoder started again.
    Restart(Restart),
    /// Packets whose place is not told yet; the gap before them if it turns out a pause.
    Spool(Ticks, Vec<Packet>),
    /// Their place is told.
    Settle(Option<Gap>),
    /// End the part.
    EndPart,
}

/// What is written of a session's tracks so far.
#[derive(Debug)]
pub struct Ledger {
    tracks: HashMap<TrackNumber, Track>,
    most_data: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(wav::MOST_DATA)
    }
}

#[derive(Debug, Default)]
struct Track {
    /// Bytes of samples of the part that is open, where it is PCM, silence and what is held included.
    data: u64,
    /// How many there may be before another part begins.
    most_data: u64,
    /// The number of the last part.
    parts: u32,
    part: Part,
    /// Where the last part ends, on the track's count.
    written: Ticks,
}

#[derive(Debug, Default)]
enum Part {
    /// None is open: the next packet begins one.
    #[default]
    None,
    Open(Way),
    /// What comes is held; the spool begins here, and is this far behind if it turns out a pause.
    Held {
        way: Way,
        since: Ticks,
        pause: Ticks,
    },
}

/// How a part's sound came, and how it is kept.
#[derive(Clone, Debug)]
struct Way {
    format: Format,
    source: Codec,
}

impl Way {
    /// Whether what comes so goes on in a part of this.
    fn continues(&self, next: &Self) -> bool {
        self.source == next.source && self.format.continues(&next.format)
    }
}

impl Ledger {
    /// A ledger for parts of PCM that end once they have so many bytes of samples. A gap that is filled, of a minute at most,
    /// may still come to that: 92 MB of the densest sound, while WAV counts to 107 MB past [`wav::MOST_DATA`].
    #[must_use]
    pub fn new(most_data: u64) -> Self {
        Self { tracks: HashMap::new(), most_data }
    }

    /// What an entry about a track's sound becomes. Entries about other things become nothing.
    pub fn take(&mut self, entry: Entry) -> Option<(TrackNumber, Vec<Write>)> {
        match entry {
            Entry::Sound { track, owner, format, source, restarted, steps, packets } => {
                let mut writes = Writes::default();
                let most_data = self.most_data;
                let ledger = self.tracks.entry(track).or_insert_with(|| Track { most_data, ..Track::default() });
                let way = Way { format, source };
                ledger.sound(track, &owner, &way, restarted, steps, packets, &mut writes);
                Some((track, writes.list))
            }
            Entry::Steps { track, steps } => {
                let mut writes = Writes::default();
                let ledger = self.tracks.get_mut(&track)?;
                for step in steps {
                    ledger.step(step, &mut writes);
                }
                Some((track, writes.list))
            }
            Entry::EndTrack { track } => {
                let mut writes = Writes::default();
                self.tracks.remove(&track)?.end_part(&mut writes);
                Some((track, writes.list))
            }
            Entry::Chat(_) | Entry::Joined(_) | Entry::Left(..) | Entry::State(_) | Entry::Finish(..) => None,
        }
    }
}

impl Track {
    #[expect(clippy::too_many_arguments, reason = "the fields of one entry, taken apart by the one caller")]
    fn sound(
        &mut self,
        number: TrackNumber,
        owner: &Owner,
        way: &Way,
        restarted: bool,
        steps: Vec<Step>,
        packets: Vec<Packet>,
        writes: &mut Writes,
    ) {
        let mut packets = packets.into_iter();
        let mut starts_again = restarted;
        for step in steps {
            let Step::Packet { track, session } = step else {
                self.step(step, writes);
                continue;
            };
            let Some(packet) = packets.next() else { break };
            if self.data >= self.most_data {
                self.end_part(writes);
            }
            self.reach(track, way, writes);
            match &self.part {
                Part::None => {
                    self.parts += 1;
                    writes.push(Write::BeginPart(NewPart {
                        track: number,
                        number: self.parts,
                        participant: owner.participant,
                        name: owner.name.clone(),
                        format: way.format.clone(),
                        source: way.source,
                        start: Anchor { track, session },
                        first: packet.sequence,
                    }));
                    self.part = Part::Open(way.clone());
                    self.written = track;
                }
                Part::Open(_) | Part::Held { .. } if starts_again => {
                    // Only an encoder has a pre-skip; a small WAV in each message begins ten times a second.
                    if let Format::Opus(head) = &way.format {
                        writes.push(Write::Restart(Restart { at: self.written, pre_skip: head.pre_skip }));
                    }
                }
                Part::Open(_) | Part::Held { .. } => {}
            }
            starts_again = false;
            self.written = self.written.saturating_add(packet.duration);
            if matches!(way.format, Format::Pcm(_)) {
                self.data += packet.data.len() as u64;
            }
            let pause = if let Part::Held { pause, .. } = self.part { Some(pause) } else { None };
            writes.packet(pause, packet);
        }
    }

    /// A packet comes that begins at `track`: the part before it may have to end, or to be filled.
    fn reach(&mut self, track: Ticks, way: &Way, writes: &mut Writes) {
        let (Part::Open(open) | Part::Held { way: open, .. }) = &self.part else { return };
        if !open.continues(way) {
            self.end_part(writes);
            return;
        }
        // What the clock has counted and nobody wrote was lost on the way here.
        let lost = track.saturating_sub(self.written);
        if lost > Ticks::ZERO {
            self.settle_as_pause(writes);
            self.gap(Gap { at: self.written, length: lost, cause: GapCause::Overload, filled: true }, writes);
        }
    }

    fn step(&mut self, step: Step, writes: &mut Writes) {
        match step {
            // The first anchor comes with the part.
            Step::Anchor(anchor) if !matches!(self.part, Part::None) => writes.push(Write::Anchor(anchor)),
            Step::Gap(gap) if !matches!(self.part, Part::None) => self.gap(gap, writes),
            Step::Held(pause) => {
                if let Part::Open(way) = &self.part {
                    self.part = Part::Held { way: way.clone(), since: self.written, pause };
                }
            }
            Step::Settled(gap) => match (&self.part, gap) {
                (Part::Held { since, .. }, gap) => {
                    let gap = gap.map(|gap| Gap { at: *since, ..gap });
                    self.settle(gap, writes);
                }
                // What was held was lost on the way here, and the pause with it.
                (_, Some(gap)) => self.gap(Gap { at: self.written, ..gap }, writes),
                (_, None) => {}
            },
            Step::Anchor(_) | Step::Gap(_) | Step::Packet { .. } => {}
        }
    }

    fn gap(&mut self, gap: Gap, writes: &mut Writes) {
        if matches!(self.part, Part::None) {
            return;
        }
        let gap = Gap { filled: gap.length <= LONGEST_FILL && self.data < self.most_data.max(1), ..gap };
        if !gap.filled {
            self.settle_as_pause(writes);
        }
        self.written = self.written.saturating_add(gap.length);
        self.count_silence(gap.length);
        writes.push(Write::Gap(gap));
        if !gap.filled {
            self.end_part(writes);
        }
    }

    /// Nothing is held any more.
    fn settle(&mut self, gap: Option<Gap>, writes: &mut Writes) {
        if let Part::Held { way, .. } = &self.part {
            self.part = Part::Open(way.clone());
        }
        let silence = gap.map_or(Ticks::ZERO, |gap| gap.length);
        self.written = self.written.saturating_add(silence);
        self.count_silence(silence);
        writes.push(Write::Settle(gap));
    }

    fn settle_as_pause(&mut self, writes: &mut Writes) {
        if let Part::Held { since, pause, .. } = &self.part {
            let gap = Gap { at: *since, length: *pause, cause: GapCause::Pause, filled: true };
            self.settle(Some(gap), writes);
        }
    }

    fn end_part(&mut self, writes: &mut Writes) {
        self.settle_as_pause(writes);
        self.data = 0;
        if !matches!(std::mem::take(&mut self.part), Part::None) {
            writes.push(Write::EndPart);
        }
    }

    fn count_silence(&mut self, length: Ticks) {
        if let Part::Open(way) | Part::Held { way, .. } = &self.part
            && let Format::Pcm(head) = &way.format
        {
            self.data = self.data.saturating_add(head.frames(length).saturating_mul(head.frame_bytes() as u64));
        }
    }
}

/// Writes in order, neighbouring packets as one.
#[derive(Default)]
struct Writes {
    list: Vec<Write>,
}

impl Writes {
    fn push(&mut self, write: Write) {
        self.list.push(write);
    }

    fn packet(&mut self, held: Option<Ticks>, packet: Packet) {
        match (self.list.last_mut(), held) {
            (Some(Write::Append(packets)), None) | (Some(Write::Spool(_, packets)), Some(_)) => packets.push(packet),
            (_, None) => self.push(Write::Append(vec![packet])),
            (_, Some(pause)) => self.push(Write::Spool(pause, vec![packet])),
        }
    }
}

#[cfg(test)]
mod tests {
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
        Packet {
            sequence: Sequence::new(number),
            time: Ticks::ZERO,
            duration: secs(1),
            data: Bytes::new(),
            heard: None,
        }
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
        let all = writes([
            sound(&MONO, &[], 0, 0),
            sound(&MONO, &[Step::Held(secs(5))], 1, 1),
            Entry::EndTrack { track: TRACK },
        ]);
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
}
