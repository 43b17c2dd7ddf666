//! One sound for those in a room who want one: what ears are told, and what the desk is.
//!
//! What belongs here: who shares an ear, who gets its messages, when there is a desk. What does not: what an ear does with
//! what it is told (`hub::mix`).

use super::super::fanout::{Delivery, MemberId, Reads, To};
use super::super::mix::{Heard, Order};
use super::super::outbox::Frame;
use super::super::rendition::{Layout, Placed, Plain};
use super::state::{Effect, State};
use super::track::Track;
use crate::media::mix::Made;
use crate::media::time::{Moment, Ticks};
use crate::media::track::{Format, TrackNumber};

impl State {
    /// Packets of a track have come: those hear them who hear one sound, apart from whose they are.
    pub(super) fn hear(&mut self, index: usize, format: &Format, run: &Placed, now: Moment) {
        let (number, member) = (self.tracks[index].number, self.tracks[index].member);
        let at = self.session_time(now);
        let mut orders = Vec::new();
        self.set_apart(member, &mut orders);
        if self.ears.is_empty() {
            return;
        }
        let owners: Vec<MemberId> =
            self.tracks.iter().filter(|track| track.sound.is_some()).map(|track| track.member).collect();
        let Some(sound) = &self.tracks[index].sound else { return };
        let head = format.heard();
        let mut frames = Vec::new();
        for (whose, ear) in self.ears.iter_mut().filter(|(_, ear)| ear.hears(member)) {
            let tracks = owners.iter().filter(|owner| ear.hears(**owner)).count();
            let heard = Heard { track: number, head, recent: &sound.recent, placed: run, tracks, now, at };
            frames.extend(ear.hear(heard, &mut orders).into_iter().map(|(layout, frame)| (*whose, layout, frame)));
        }
        self.send_ears(frames);
        self.order(orders, at);
        if self.mixing {
            let (packets, discontinuity) = (run.packets.clone(), run.discontinuity);
            self.effects.push(Effect::Mix(Order::Sound {
                track: number,
                owner: member,
                head,
                packets,
                discontinuity,
                at,
            }));
        }
    }

    /// One who hears one sound and begins to speak has an ear of its own from here on.
    fn set_apart(&mut self, member: MemberId, orders: &mut Vec<Order>) {
        let Some(speaker) = self.members.get_mut(&member) else { return };
        let Reads::Plain(Plain { layout, mixed: true }) = speaker.reads else { return };
        if std::mem::replace(&mut speaker.apart, true) {
            return;
        }
        *self.apart.entry(layout).or_default() += 1;
        self.effects.push(Effect::Deliver(Delivery::Apart(member)));
        let Some(shared) = self.ears.get(&None) else { return };
        let ear = shared.apart(member, layout, orders);
        self.ears.insert(Some(member), ear);
        self.leave_shared(layout, orders);
    }

    /// A member leaves who hears one sound.
    pub(super) fn leave_ear(&mut self, member: MemberId, layout: Layout, apart: bool) {
        let mut orders = Vec::new();
        if apart {
            self.apart.entry(layout).and_modify(|count| *count = count.saturating_sub(1));
            if let Some(mut ear) = self.ears.remove(&Some(member)) {
                ear.leave(layout, &mut orders);
            }
        }
        self.leave_shared(layout, &mut orders);
        self.order(orders, Ticks::ZERO);
    }

    /// The shared ear's messages in this layout are made while anyone reads them.
    fn leave_shared(&mut self, layout: Layout, orders: &mut Vec<Order>) {
        let all = self.readers(Reads::Plain(Plain { layout, mixed: true }));
        if all > self.apart.get(&layout).copied().unwrap_or_default() {
            return;
        }
        if let Some(ear) = self.ears.get_mut(&None) {
            ear.leave(layout, orders);
            if !ear.has_readers() {
                self.ears.remove(&None);
            }
        }
    }

    /// A track has ended, and is not in the list any more.
    pub(super) fn end_in_ears(&mut self, number: TrackNumber) {
        self.each_ear(|ear| ear.end(number));
        if self.mixing {
            self.effects.push(Effect::Mix(Order::End(number)));
        }
    }

    /// A track begins again with another head.
    pub(super) fn change_in_ears(&mut self, number: TrackNumber) {
        self.each_ear(|ear| ear.change(number));
    }

    /// Time has passed for what is gathered and what is mixed.
    pub(super) fn tick_ears(&mut self, now: Moment) {
        self.each_ear(|ear| ear.tick(now));
        if self.mixing {
            let at = self.session_time(now);
            self.effects.push(Effect::Mix(Order::Time(at)));
        }
    }

    fn each_ear(&mut self, mut ask: impl FnMut(&mut super::super::mix::Ear) -> Vec<(Layout, Frame)>) {
        let mut frames = Vec::new();
        for (whose, ear) in &mut self.ears {
            frames.extend(ask(ear).into_iter().map(|(layout, frame)| (*whose, layout, frame)));
        }
        self.send_ears(frames);
    }

    /// The desk has made something.
    pub fn mixed(&mut self, now: Moment, made: Vec<Made>) {
        let (mut frames, mut orders) = (Vec::new(), Vec::new());
        for made in made {
            let whose = made.bus().without;
            let Some(ear) = self.ears.get_mut(&whose) else { continue };
            let silent = matches!(made, Made::Silent(_));
            let recent = |number: TrackNumber| {
                let track = self.tracks.iter().find(|track| track.number == number)?;
                Some((track.format.as_ref()?.0.heard(), &track.sound.as_ref()?.recent))
            };
            frames.extend(ear.take(made, recent, now).into_iter().map(|(layout, frame)| (whose, layout, frame)));
            let hears = |track: &Track| track.sound.is_some() && ear.hears(track.member);
            if silent && !self.tracks.iter().any(hears) {
                ear.rest(&mut orders);
            }
        }
        self.send_ears(frames);
        self.order(orders, self.session_time(now));
    }

    /// The desk was given up: another one begins at the live edge.
    pub fn mix_again(&mut self, now: Moment) {
        self.mixing = false;
        let at = self.session_time(now);
        let (mut frames, mut orders) = (Vec::new(), Vec::new());
        for (whose, ear) in &mut self.ears {
            let ended = ear.begin_again(at, &mut orders);
            frames.extend(ended.into_iter().map(|(layout, frame)| (*whose, layout, frame)));
        }
        self.send_ears(frames);
        self.order(orders, at);
    }

    /// Nothing is mixed any more.
    pub(super) fn stop_mixing(&mut self) {
        if std::mem::take(&mut self.mixing) {
            self.effects.push(Effect::NoMix);
        }
    }

    /// Hands orders to the desk. One that begins is given what is kept of each track first; one that nobody needs goes.
    fn order(&mut self, orders: Vec<Order>, at: Ticks) {
        let needed = self.ears.values().any(super::super::mix::Ear::is_mixed);
        if !needed {
            return self.stop_mixing();
        }
        if !std::mem::replace(&mut self.mixing, true) {
            for track in &self.tracks {
                let (Some(format), Some(sound)) = (&track.format, &track.sound) else { continue };
                let packets: Vec<_> = sound.recent.packets().cloned().collect();
                let (track, owner, head) = (track.number, track.member, format.0.heard());
                let order = Order::Sound { track, owner, head, packets, discontinuity: false, at };
                self.effects.push(Effect::Mix(order));
            }
        }
        self.effects.extend(orders.into_iter().map(Effect::Mix));
    }

    fn send_ears(&mut self, frames: Vec<(Option<MemberId>, Layout, Frame)>) {
        for (whose, layout, frame) in frames {
            let of = Reads::Plain(Plain { layout, mixed: true });
            let to = whose.map_or(To::Readers { of, except: None }, To::Member);
            self.effects.push(Effect::Deliver(Delivery::Send { to, frame }));
        }
    }

    fn session_time(&self, now: Moment) -> Ticks {
        self.session.as_ref().map(|session| session.at(now)).unwrap_or_default()
    }
}
