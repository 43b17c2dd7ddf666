//! The session's clock: places the packets of a track on the session's timeline.
//!
//! What belongs here: the plain functions that are given arrival times and say where packets lie, where gaps are, how a
//! track drifts. What does not: clocks, rooms, files; who acts on a [`Step`] is decided elsewhere.
//!
//! The rules, which the tests go through one by one:
//!
//! - A track's own time is counted from its packets' durations, never read. Source timestamps and arrival times only
//!   tell where that count starts, jumps and drifts.
//! - The end of the first message's sound is its arrival, but a track begins at most 3 s before that arrival and never
//!   before the session's start.
//! - A jump in source time is a gap at once.
//! - A track that says nothing for more than 1 s and then goes on is a stall (a burst makes it up: no gap) or a pause
//!   (none comes: a gap). Which of them is told at most 1 s after it went on; what comes meanwhile is held. It is late by as
//!   much as it is behind both its own usual delay and real time.
//! - A gap is never longer than the wall time since the last packet plus 2 s, whatever a timestamp says, and never
//!   leads further than 2 s ahead of real time. Past 60 s it is not filled: the part ends, the next begins.
//! - Otherwise the place moves only by drift, at most 500 ppm, estimated over minutes from the least delayed arrivals.
//!
//! The capture times of `roomtone.v1` are source timestamps like those of a container: how they differ from packet to packet
//! tells of jumps and pauses, where they begin tells nothing. They are not mapped onto the session's clock, though that
//! would take the delay of a publisher's way here out of the place of its track: the offset between the two clocks is what a
//! client measures, by `ping` and `pong`, and no word of the protocol tells it to the hub. What stays in is the least delay
//! of that way, milliseconds to some tens of them: what its listeners hear too.

mod drift;
#[cfg(test)]
mod tests;

use self::drift::{Drift, Slew};
use crate::archive::model::{Anchor, Gap, GapCause};
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;

/// How long before its first message's arrival a track may begin.
pub const LONGEST_START: Ticks = Ticks::from_secs(3);
/// How far ahead of real time packets may enter a room.
pub const AHEAD: Ticks = Ticks::from_secs(2);
/// The longest gap that is filled with silence in its part.
pub const LONGEST_FILL: Ticks = Ticks::from_secs(60);

/// Source time that runs this much ahead of the count is a jump. Chromium's timestamps wobble by 10 ms around packets of
/// 60 ms, and a message may hold its first packet back by one.
const JUMP: i64 = Ticks::from_millis(80).get().cast_signed();
/// Nothing for longer than this, and the track has stalled or paused.
const SILENCE: Ticks = Ticks::from_secs(1);
/// How long after it went on the verdict is due.
const VERDICT: Ticks = Ticks::from_secs(1);
/// A deficit up to this is the network's jitter: the stall is made up.
const MADE_UP: Ticks = Ticks::from_millis(250);
/// How long after a pause was told a jump may turn out to be the same time. A recorder hands on what it had before it was
/// suspended, and the jump comes in the message after that.
const PAUSE_TOLD: Ticks = Ticks::from_secs(5);
/// What a gap may exceed the wall time since the last packet by.
const GAP_SLACK: Ticks = Ticks::from_secs(2);
/// An anchor is due when the clock has moved by this much since the last one.
const ANCHOR: u64 = Ticks::from_millis(2).get();

/// What the clock says of a message, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The track's count is pinned to the session's clock here.
    Anchor(Anchor),
    /// Time without packets, before the next packet.
    Gap(Gap),
    /// The next packet of the message lies here.
    Packet {
        /// On the track's own count.
        track: Ticks,
        /// On the session's clock.
        session: Ticks,
    },
    /// The track had been silent and goes on: what follows is held until it is told whether it stalled or paused. If
    /// nobody ever tells, it paused for this long.
    Held(Ticks),
    /// What was held goes on after this gap (a pause), or where the track had stopped (a stall).
    Settled(Option<Gap>),
}

/// Where one track is on its session's timeline.
#[derive(Clone, Debug)]
pub struct TrackClock {
    /// The track's count: where its next packet begins.
    track: Ticks,
    /// What the drift has moved, and where the count's start lies on the session's clock.
    slew: Slew,
    /// The last arrival.
    arrived: Ticks,
    /// Source time minus count, followed slowly; none before the first packet of an encoder.
    source: Option<i64>,
    drift: Drift,
    life: Life,
    /// What the last anchor adds to the count; none before the first.
    anchored: Option<i64>,
    /// The last pause that was told, and until when a jump may turn out to be the same time.
    paused: Option<(Ticks, Ticks)>,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    Steady,
    /// Held since this arrival; the smallest deficit seen since.
    Held {
        since: Ticks,
        deficit: Ticks,
    },
}

impl TrackClock {
    /// The clock of a track whose first message arrives at `at` on the session's clock and sounds for `duration`.
    #[must_use]
    pub fn begin(at: Ticks, duration: Ticks) -> Self {
        let start = at.saturating_sub(duration.min(LONGEST_START));
        Self {
            track: Ticks::ZERO,
            slew: Slew::new(start),
            arrived: at,
            source: None,
            drift: Drift::default(),
            life: Life::Steady,
            anchored: None,
            paused: None,
        }
    }

    /// Where the next packet begins on the track's count.
    #[must_use]
    pub const fn track(&self) -> Ticks {
        self.track
    }

    /// Where the next packet begins on the session's clock.
    #[must_use]
    pub fn session(&self) -> Ticks {
        self.slew.place(self.track)
    }

    /// When the last message arrived.
    #[must_use]
    pub const fn arrived(&self) -> Ticks {
        self.arrived
    }

    /// Whether what comes is held, since it is not told where it lies.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        matches!(self.life, Life::Held { .. })
    }

    /// Whoever is told from now on has not heard of any anchor: the next packet comes with one.
    pub const fn pin_again(&mut self) {
        self.anchored = None;
    }

    /// How many ticks of sound may enter now without running more than [`AHEAD`] of real time; negative where it runs so far
    /// ahead already.
    #[must_use]
    pub fn room_ahead(&self, at: Ticks) -> i64 {
        at.saturating_add(AHEAD).signed_since(self.session())
    }

    /// The encoder started again: its timestamps have a new origin, and what was held is held no longer.
    pub fn source_restarts(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        self.settle(self.deficit(), &mut steps);
        self.source = None;
        steps
    }

    /// Places a message's packets, which arrived at `at`. Gives one [`Step::Packet`] for each, and what else is to be
    /// said, in order.
    pub fn place(&mut self, at: Ticks, message: &[SourcePacket]) -> Vec<Step> {
        let at = at.max(self.arrived);
        let mut steps = Vec::new();
        let silence = at.saturating_sub(self.arrived);
        let mut jumped = false;
        let mut placed = Vec::with_capacity(message.len());
        for packet in message {
            let wall = if jumped { Ticks::ZERO } else { silence.saturating_add(self.deficit()) };
            if let Some(length) = self.jump(at, wall, packet) {
                // The jump says why what was held came late: only what it leaves unsaid was a pause.
                self.settle(self.deficit().saturating_sub(length), &mut placed);
                placed.push(Step::Gap(self.gap(length, GapCause::Jump)));
                self.track = self.track.saturating_add(length);
                jumped = true;
            }
            if placed.is_empty() {
                // Only now: a jump that this message begins with would have told more.
                self.tell(at, &mut placed);
            }
            self.anchor(&mut placed);
            placed.push(Step::Packet { track: self.track, session: self.session() });
            self.track = self.track.saturating_add(packet.duration);
            self.slew.run(packet.duration);
        }
        if jumped {
            self.drift.arrival(at, self.track);
        } else {
            self.judge(at, silence, &mut steps, &mut placed);
        }
        self.arrived = at;
        if let Some(error) = self.drift.error(at) {
            self.slew.aim(error);
        }
        steps.append(&mut placed);
        // What was held and is made up by this very message goes on where the track had stopped.
        if matches!(self.life, Life::Held { .. }) && self.deficit() <= MADE_UP {
            self.settle(Ticks::ZERO, &mut steps);
        }
        steps
    }

    /// Time has passed: a verdict may be due.
    pub fn tick(&mut self, at: Ticks) -> Vec<Step> {
        let mut steps = Vec::new();
        self.tell(at, &mut steps);
        steps
    }

    /// The track has ended: no burst will come any more. What was held paused, and the last anchor is said.
    pub fn end(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        self.settle(self.deficit(), &mut steps);
        if self.anchored.is_some_and(|anchored| anchored != self.slew.aimed()) {
            steps.push(Step::Anchor(Anchor { track: self.track, session: self.pin(self.track) }));
        }
        steps
    }

    /// The gap that this packet's source time tells of, if it does. It is at most 2 s longer than `wall`, the wall time
    /// that went by without packets.
    fn jump(&mut self, at: Ticks, wall: Ticks, packet: &SourcePacket) -> Option<Ticks> {
        let source = packet.time.signed_since(self.track);
        let Some(line) = self.source else {
            self.source = Some(source);
            return None;
        };
        let lead = source.saturating_sub(line);
        if (-JUMP..=JUMP).contains(&lead) {
            // The publisher's clocks may differ among themselves; a thousandth is more than any pair of them does.
            let follow = packet.duration.get().cast_signed() / 1000;
            self.source = Some(line.saturating_add(lead.clamp(-follow, follow)));
            return None;
        }
        // A pause that was told just now may have been the arrivals' view of this very jump.
        let told = self.paused.take().filter(|(until, _)| at <= *until).map_or(Ticks::ZERO, |(_, length)| length);
        let length = Ticks::new(lead.max(0).cast_unsigned()).saturating_sub(told);
        let room = Ticks::new(self.room_ahead(at).max(0).cast_unsigned());
        let length = length.min(wall.saturating_add(GAP_SLACK)).min(room);
        self.source = Some(source.saturating_sub(length.get().cast_signed()));
        (length.get().cast_signed() > JUMP).then_some(length)
    }

    /// How late what is held came, at least; nothing, while nothing is held.
    const fn deficit(&self) -> Ticks {
        match self.life {
            Life::Held { deficit, .. } => deficit,
            Life::Steady => Ticks::ZERO,
        }
    }

    /// After a message without a jump: did it come late, and by how much?
    fn judge(&mut self, at: Ticks, silence: Ticks, steps: &mut Vec<Step>, placed: &mut Vec<Step>) {
        // Who was ahead of real time, with a burst at its beginning, is not late before that is used up.
        let late = self.drift.late(at, self.track).min(at.saturating_sub(self.session()));
        match &mut self.life {
            Life::Held { deficit, .. } => *deficit = late.min(*deficit),
            Life::Steady if silence > SILENCE && late > MADE_UP => {
                let length = late.min(silence.saturating_add(GAP_SLACK));
                if length > LONGEST_FILL {
                    // So long a silence is no stall. The message moves whole.
                    let message = self.message_length(placed);
                    let begin = self.track.saturating_sub(message);
                    let gap = Gap { at: begin, length, cause: GapCause::Pause, filled: false };
                    steps.push(Step::Gap(gap));
                    self.skip(length);
                    for step in placed {
                        match step {
                            Step::Packet { track, session } => {
                                *track = track.saturating_add(length);
                                *session = session.saturating_add(length);
                            }
                            Step::Anchor(anchor) => {
                                anchor.track = anchor.track.saturating_add(length);
                                anchor.session = anchor.session.saturating_add(length);
                            }
                            Step::Gap(_) | Step::Held(_) | Step::Settled(_) => {}
                        }
                    }
                    self.drift.arrival(at, self.track);
                } else {
                    self.life = Life::Held { since: at, deficit: length };
                    steps.push(Step::Held(length));
                }
            }
            Life::Steady => self.drift.arrival(at, self.track),
        }
    }

    /// How much sound these steps place.
    fn message_length(&self, placed: &[Step]) -> Ticks {
        let first = placed.iter().find_map(|step| match step {
            Step::Packet { track, .. } => Some(*track),
            _ => None,
        });
        first.map_or(Ticks::ZERO, |first| self.track.saturating_sub(first))
    }

    /// Tells the verdict where it is due.
    fn tell(&mut self, at: Ticks, steps: &mut Vec<Step>) {
        if let Life::Held { since, .. } = self.life
            && at >= since.saturating_add(VERDICT)
        {
            self.settle(self.deficit(), steps);
        }
    }

    /// Ends the holding: it was a pause of this length, or a stall where that is no more than jitter.
    fn settle(&mut self, pause: Ticks, steps: &mut Vec<Step>) {
        if matches!(std::mem::replace(&mut self.life, Life::Steady), Life::Steady) {
            return;
        }
        if pause <= MADE_UP {
            steps.push(Step::Settled(None));
            return;
        }
        // The gap lies before what was held; whoever holds it knows where.
        steps.push(Step::Settled(Some(self.gap(pause, GapCause::Pause))));
        self.paused = Some((self.arrived.saturating_add(PAUSE_TOLD), pause));
        self.skip(pause);
    }

    /// The count leaps over a pause; the publisher's own time does not.
    fn skip(&mut self, pause: Ticks) {
        self.track = self.track.saturating_add(pause);
        if let Some(line) = &mut self.source {
            *line = line.saturating_sub(pause.get().cast_signed());
        }
    }

    fn gap(&self, length: Ticks, cause: GapCause) -> Gap {
        Gap { at: self.track, length, cause, filled: length <= LONGEST_FILL }
    }

    /// Where a place on the count lies on the session's clock by the estimate. The place of what is fanned out follows that slowly,
    /// so that nothing is heard of it; what is derived need not wait.
    fn pin(&self, track: Ticks) -> Ticks {
        track.saturating_add_signed(self.slew.aimed())
    }

    /// Pins the count to the clock, at the start and where the estimate has moved.
    fn anchor(&mut self, steps: &mut Vec<Step>) {
        if matches!(self.life, Life::Held { .. }) {
            return;
        }
        let offset = self.slew.aimed();
        if self.anchored.is_none_or(|anchored| anchored.abs_diff(offset) >= ANCHOR) {
            self.anchored = Some(offset);
            steps.push(Step::Anchor(Anchor { track: self.track, session: self.pin(self.track) }));
        }
    }
}
