//! What a group of listeners hears, as a plain struct.
//!
//! What belongs here: passing through or mixing, and the messages that come of either. What does not: who the listeners are,
//! and the mixing itself.

use std::collections::HashMap;

use super::Order;
use crate::container::wav;
use crate::hub::fanout::MemberId;
use crate::hub::outbox::{Cargo, Frame};
use crate::hub::rendition::{
    LEAST_PACKETS, LONGEST_WAIT, Layout, MESSAGE, Muxer, Placed, Recent, is_full, keep_company, pre_roll,
};
use crate::media::mix::{self, BusId, Joint, Made, Output};
use crate::media::opus::Head;
use crate::media::packet::{Packet, Sequence};
use crate::media::time::{Moment, Ticks};
use crate::media::track::TrackNumber;
use crate::wire::frame;

/// A lone track that has said nothing for so long when a second one begins is not gone on from.
const OLD: Ticks = Ticks::from_secs(2);

/// What an ear is told of a track: its packets have come.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Which.
    pub track: TrackNumber,
    /// What its decoder is told.
    pub head: Head,
    /// What went before them.
    pub recent: &'a Recent,
    /// The packets.
    pub placed: &'a Placed,
    /// How many tracks the ear hears, this one among them.
    pub tracks: usize,
    /// When they came.
    pub now: Moment,
    /// The same on the session's clock.
    pub at: Ticks,
}

/// What a group of listeners hears.
#[derive(Clone, Debug)]
pub struct Ear {
    /// Who does not hear its own tracks here, and is then the only listener.
    without: Option<MemberId>,
    /// What the listeners read.
    muxers: HashMap<Layout, Muxer>,
    way: Way,
    /// What the next message's decoder is told, and what it settles in.
    head: Head,
    pre_roll: Vec<Packet>,
    /// What the next message has so far, and when the last of it came.
    gathered: Vec<Packet>,
    heard: Moment,
    /// Where there are readers of samples; none while no bus makes any.
    samples: Option<Samples>,
    /// What is added to a session's times, in ticks, so that those of the next session run on.
    base: i64,
    /// The latest end of a sound that was gathered, with the base in it.
    latest: Ticks,
}

/// Samples for the next message.
#[derive(Clone, Debug, Default)]
struct Samples {
    /// Interleaved stereo.
    gathered: Vec<f32>,
    /// The time of the next one; none before the first.
    end: Option<Ticks>,
}

/// How an ear gets its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nothing is heard.
    Idle,
    /// A lone track's packets pass untouched.
    Passing {
        track: TrackNumber,
        /// The number of its next packet.
        next: Sequence,
        /// Where that begins on the time of the ear.
        end: Ticks,
        /// The time of the ear minus the session's clock; none until the first packet has come after a mix.
        offset: Option<i64>,
    },
    /// The desk makes them; the next one begins here.
    Mixing { end: Ticks },
}

impl Ear {
    /// An ear that has heard nothing, without readers.
    #[must_use]
    pub fn new(without: Option<MemberId>) -> Self {
        Self {
            without,
            muxers: HashMap::new(),
            way: Way::Idle,
            head: mix::HEAD,
            pre_roll: Vec::new(),
            gathered: Vec::new(),
            heard: Moment::START,
            samples: None,
            base: 0,
            latest: Ticks::ZERO,
        }
    }

    /// The same for a member who begins to speak: for it alone what it heard goes on. What the desk makes of it is asked for.
    #[must_use]
    pub fn apart(&self, member: MemberId, layout: Layout, orders: &mut Vec<Order>) -> Self {
        let mut ear = Self { without: Some(member), ..self.clone() };
        ear.muxers.retain(|read, _| *read == layout);
        ear.read(layout);
        if layout == Layout::Wav {
            ear.way = Way::Idle;
            let end = ear.samples.as_ref().and_then(|samples| samples.end);
            match end {
                Some(end) => {
                    orders.push(Order::Begin(ear.bus(Output::Sound), end, Joint::Bus(self.bus(Output::Sound))));
                }
                None => ear.samples = None,
            }
        } else {
            ear.samples = None;
            if let Way::Mixing { end } = ear.way {
                orders.push(Order::Begin(ear.bus(Output::Packets), end, Joint::Bus(self.bus(Output::Packets))));
            }
        }
        ear
    }

    /// Someone reads this from here on.
    pub fn read(&mut self, layout: Layout) {
        self.muxers.entry(layout).or_insert_with(|| Muxer::new(layout, 0));
    }

    /// Nobody reads this any more.
    pub fn leave(&mut self, layout: Layout, orders: &mut Vec<Order>) {
        self.muxers.remove(&layout);
        if !self.reads_samples() && self.samples.take().is_some() {
            orders.push(Order::Stop(self.bus(Output::Sound)));
        }
        if !self.reads_packets() {
            self.stop(orders);
        }
    }

    /// Whether anyone reads anything.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        !self.muxers.is_empty()
    }

    /// Whether the desk works for it.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        matches!(self.way, Way::Mixing { .. }) || self.samples.is_some()
    }

    /// Whether it hears this member's tracks.
    #[must_use]
    pub fn hears(&self, member: MemberId) -> bool {
        self.without != Some(member)
    }

    fn reads_samples(&self) -> bool {
        self.muxers.contains_key(&Layout::Wav)
    }

    fn reads_packets(&self) -> bool {
        self.muxers.keys().any(|layout| *layout != Layout::Wav)
    }

    const fn bus(&self, output: Output) -> BusId {
        BusId { without: self.without, output }
    }

    /// A session begins, and its clock with it: the times of messages run on for those who were here before.
    pub fn session_begins(&mut self) {
        self.go_on_at(Ticks::ZERO);
    }

    /// What comes next lies at `at` on the session's clock, wherever it was before: what was gathered is forgotten, and the
    /// times of messages run on.
    pub fn go_on_at(&mut self, at: Ticks) {
        self.base = self.latest.signed_since(at);
        self.way = Way::Idle;
        self.samples = None;
        self.gathered.clear();
        self.pre_roll.clear();
    }

    /// Packets of a track have come that it hears. Gives the messages that are full, and what the desk has to begin.
    pub fn hear(&mut self, heard: Heard<'_>, orders: &mut Vec<Order>) -> Vec<(Layout, Frame)> {
        let mut frames = Vec::new();
        let Some(first) = heard.placed.packets.first() else { return frames };
        if self.reads_samples() && self.samples.is_none() {
            self.samples = Some(Samples::default());
            orders.push(Order::Begin(self.bus(Output::Sound), first.time, Joint::Free));
        }
        if !self.reads_packets() {
            return frames;
        }
        match self.way {
            Way::Idle if heard.tracks <= 1 => {
                let (track, next, end) = (heard.track, first.sequence, first.time);
                self.way = Way::Passing { track, next, end, offset: Some(0) };
                (self.head, self.pre_roll) = (heard.head, heard.recent.before(next));
                self.pass(heard, &mut frames);
            }
            Way::Passing { track, .. } if track == heard.track => self.pass(heard, &mut frames),
            Way::Idle => self.mix(first.time, Joint::Free, orders),
            Way::Passing { track, next, end, .. } => {
                let unsent = std::mem::take(&mut self.gathered);
                let (next, end) = unsent.first().map_or((next, end), |packet| (packet.sequence, packet.time));
                if end.saturating_add(OLD) < heard.at {
                    self.mix(end.max(first.time), Joint::Free, orders);
                } else {
                    self.mix(end, Joint::Track(track, next), orders);
                }
            }
            Way::Mixing { .. } => {}
        }
        frames
    }

    /// The desk takes over at this time.
    fn mix(&mut self, time: Ticks, joint: Joint, orders: &mut Vec<Order>) {
        self.way = Way::Mixing { end: time };
        orders.push(Order::Begin(self.bus(Output::Packets), time, joint));
    }

    /// The desk is not needed for packets any more.
    fn stop(&mut self, orders: &mut Vec<Order>) {
        if matches!(self.way, Way::Mixing { .. }) {
            orders.push(Order::Stop(self.bus(Output::Packets)));
        }
        self.way = Way::Idle;
        self.gathered.clear();
        self.pre_roll.clear();
    }

    /// Gathers the packets of the track that passes.
    fn pass(&mut self, heard: Heard<'_>, frames: &mut Vec<(Layout, Frame)>) {
        if heard.placed.discontinuity {
            frames.extend(self.flush());
            if let Some(first) = heard.placed.packets.first() {
                self.pre_roll = heard.recent.before(first.sequence);
            }
        }
        for packet in &heard.placed.packets {
            self.pass_one(packet, heard.now, frames);
        }
    }

    fn pass_one(&mut self, packet: &Packet, now: Moment, frames: &mut Vec<(Layout, Frame)>) {
        let Way::Passing { next, end, offset, .. } = &mut self.way else { return };
        let offset = *offset.get_or_insert_with(|| end.signed_since(packet.time));
        let packet = Packet { time: packet.time.saturating_add_signed(offset), ..packet.clone() };
        (*next, *end) = (packet.sequence.next(), packet.end());
        self.gather(packet, now, frames);
    }

    fn gather(&mut self, packet: Packet, now: Moment, frames: &mut Vec<(Layout, Frame)>) {
        self.heard = now;
        self.latest = self.latest.max(packet.end().saturating_add_signed(self.base));
        self.gathered.push(packet);
        if is_full(&self.gathered) {
            frames.extend(self.messages());
        }
    }

    /// What was gathered, as a message for each layout.
    fn messages(&mut self) -> Vec<(Layout, Frame)> {
        let packets = std::mem::take(&mut self.gathered);
        let mut frames = Vec::new();
        for (layout, muxer) in &mut self.muxers {
            // Where one decoder reads all messages, a lone track and the mix after it are told alike: it must not begin anew
            // between them, and what a browser says of its microphone is nothing to it.
            let head = match layout {
                Layout::PreRoll => self.head,
                Layout::Continuing | Layout::Ogg => Head { output_gain: self.head.output_gain, ..mix::HEAD },
                Layout::Wav => continue,
            };
            frames.push((*layout, muxer.message(head, &self.pre_roll, &packets, self.base)));
        }
        let before = std::mem::take(&mut self.pre_roll);
        self.pre_roll = pre_roll(before.into_iter().chain(packets));
        frames
    }

    /// What was gathered is sent, however short.
    fn flush(&mut self) -> Vec<(Layout, Frame)> {
        if self.gathered.is_empty() {
            return Vec::new();
        }
        keep_company(&mut self.gathered);
        self.messages()
    }

    /// A track has ended that it heard. `left` are still there.
    pub fn end(&mut self, ended: TrackNumber) -> Vec<(Layout, Frame)> {
        match self.way {
            Way::Passing { track, .. } if track == ended => {
                self.way = Way::Idle;
                self.flush()
            }
            _ => Vec::new(),
        }
    }

    /// A track that passes begins again with another head.
    pub fn change(&mut self, changed: TrackNumber) -> Vec<(Layout, Frame)> {
        // The next packet makes it pass again, with its own head.
        self.end(changed)
    }

    /// Sends what has waited too long for more.
    pub fn tick(&mut self, now: Moment) -> Vec<(Layout, Frame)> {
        let waits = self.gathered.len() >= LEAST_PACKETS && now.since(self.heard) >= LONGEST_WAIT;
        if waits { self.messages() } else { Vec::new() }
    }

    /// The desk has made something for it. `recent` is what is kept of a track.
    pub fn take<'a>(
        &mut self,
        made: Made,
        recent: impl Fn(TrackNumber) -> Option<(Head, &'a Recent)>,
        now: Moment,
    ) -> Vec<(Layout, Frame)> {
        let mut frames = Vec::new();
        match made {
            Made::Sound(_, time, sound) => self.take_samples(time, &sound, &mut frames),
            Made::Begun(BusId { output: Output::Sound, .. }, _) => {}
            Made::Silent(BusId { output: Output::Sound, .. }) => frames.extend(self.flush_samples()),
            _ if !matches!(self.way, Way::Mixing { .. }) => {}
            Made::Begun(_, pre_roll) => {
                // What is gathered still goes with what went before it.
                if self.gathered.len() >= LEAST_PACKETS {
                    frames.extend(self.messages());
                }
                if self.gathered.is_empty() {
                    (self.head, self.pre_roll) = (mix::HEAD, pre_roll);
                }
            }
            Made::Packets(_, packets) => {
                for packet in packets {
                    self.way = Way::Mixing { end: packet.end() };
                    self.gather(packet, now, &mut frames);
                }
            }
            Made::Silent(_) => frames.extend(self.flush()),
            Made::Handed { track, next, time, .. } => {
                self.way = Way::Passing { track, next, end: time, offset: None };
                let Some((head, recent)) = recent(track) else {
                    self.way = Way::Idle;
                    return self.flush();
                };
                // A lone packet goes into a message with those of the track: the decoder goes on from one to the other.
                if self.gathered.len() >= LEAST_PACKETS {
                    frames.extend(self.messages());
                }
                if self.gathered.is_empty() {
                    (self.head, self.pre_roll) = (head, recent.before(next));
                }
                for packet in recent.packets().filter(|packet| packet.sequence >= next) {
                    self.pass_one(packet, now, &mut frames);
                }
            }
        }
        frames
    }

    fn take_samples(&mut self, time: Ticks, sound: &[f32], frames: &mut Vec<(Layout, Frame)>) {
        let Some(samples) = &mut self.samples else { return };
        samples.gathered.extend_from_slice(sound);
        samples.end = Some(time.saturating_add(Ticks::new(sound.len() as u64 / 2)));
        let message = usize::try_from(MESSAGE.get()).unwrap_or(usize::MAX) * 2;
        if samples.gathered.len() >= message {
            frames.extend(self.flush_samples());
        }
    }

    fn flush_samples(&mut self) -> Option<(Layout, Frame)> {
        let samples = std::mem::take(&mut self.samples.as_mut()?.gathered);
        let length = Ticks::new(samples.len() as u64 / 2);
        let file = wav::message(mix::HEAD.channels, &samples);
        let frame = Frame { bytes: frame::binary(&file), cargo: Cargo::Sound(length) };
        (!samples.is_empty()).then_some((Layout::Wav, frame))
    }

    /// Nothing is left to be heard: what the desk has of it was given.
    pub fn rest(&mut self, orders: &mut Vec<Order>) {
        self.stop(orders);
        if self.samples.take().is_some() {
            orders.push(Order::Stop(self.bus(Output::Sound)));
        }
    }

    /// The desk is another one: what it made goes on at this time, or where it was, if that is later.
    pub fn begin_again(&mut self, at: Ticks, orders: &mut Vec<Order>) -> Vec<(Layout, Frame)> {
        if self.samples.is_some() {
            orders.push(Order::Begin(self.bus(Output::Sound), at, Joint::Free));
        }
        if !matches!(self.way, Way::Mixing { .. }) {
            return Vec::new();
        }
        let sent = self.latest.saturating_add_signed(self.base.saturating_neg());
        self.mix(at.max(sent), Joint::Free, orders);
        self.flush()
    }
}
