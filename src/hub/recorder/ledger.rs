//! What a session's entries become on disk: parts, packets, gaps, spools, in order.
//!
//! What belongs here: a plain struct that turns each [`Entry`] into [`Write`]s, and never loses a packet without a gap.
//! What does not: files, queues, who sends the entries.

#[cfg(test)]
mod tests;

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
    /// Where the clock was pinned since no part is open.
    pin: Option<Anchor>,
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
            Entry::Chat(_)
            | Entry::Mark(_)
            | Entry::Joined(_)
            | Entry::Left(..)
            | Entry::State(_)
            | Entry::Finish(..) => None,
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
                    // What is heard follows the clock's estimate slowly, and may not have got there.
                    let pin = self.pin.take().filter(|pin| pin.track == track && pin.session != session);
                    writes.list.extend(pin.map(Write::Anchor));
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
            Step::Anchor(anchor) if matches!(self.part, Part::None) => self.pin = Some(anchor),
            Step::Anchor(anchor) => writes.push(Write::Anchor(anchor)),
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
            Step::Gap(_) | Step::Packet { .. } => {}
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
