//! One sound of all speakers, for a plain listener of a replay: a lone track as it is kept, several mixed.
//!
//! What belongs here: what is told to the listener's ear, and what is mixed for it. What does not: what an ear does with what it
//! is told and how sound is mixed (`mix`), when what is sent (`pacing.rs`).
//!
//! A replay needs no desk: it has time. What there is to mix is done on a thread that may wait, and nothing more is sent before
//! it is back.

use std::collections::HashMap;

use uuid::Uuid;

use crate::hub::mix::{Ear, Heard, Order, desk};
use crate::hub::offload::{Fell, For, offload};
use crate::hub::outbox::Frame;
use crate::hub::rendition::{Layout, Placed, Recent};
use crate::media::mix::{Made, Mixer};
use crate::media::opus::Head;
use crate::media::time::{Moment, Ticks};
use crate::media::track::TrackNumber;

/// What a listener hears who wants one sound.
pub struct OneSound {
    ear: Ear,
    /// Where nothing is mixed right now, it has nothing in it; none while it is at work.
    mixer: Option<Mixer>,
    /// Whether the mixer was told of the tracks.
    mixing: bool,
    orders: Vec<Order>,
    /// How each track's packets were encoded that came last.
    heads: HashMap<TrackNumber, Head>,
}

/// A mixer that is back, and what it has made; or it fell.
pub type Mixed = Result<(Mixer, Vec<Made>), Fell>;

/// A track as it is when packets of it come.
#[derive(Clone, Copy)]
pub struct Sounding<'a> {
    /// Which.
    pub track: TrackNumber,
    /// Whose.
    pub owner: Uuid,
    /// What its decoder is told.
    pub head: Head,
    /// What went before them.
    pub recent: &'a Recent,
}

impl OneSound {
    /// A listener who has heard nothing.
    pub fn new(layout: Layout) -> Self {
        let mut ear = Ear::new(None);
        ear.read(layout);
        Self { ear, mixer: Some(Mixer::new()), mixing: false, orders: Vec::new(), heads: HashMap::new() }
    }

    /// The replay goes to another place: the times of messages run on, and nothing else does.
    pub fn move_to(&mut self, at: Ticks) {
        self.ear.go_on_at(at);
        self.forget();
    }

    fn forget(&mut self) {
        self.mixer = Some(Mixer::new());
        self.mixing = false;
        self.orders.clear();
    }

    /// Packets of a track come, one of `others` that sound, itself among them. Gives the messages that are full.
    pub fn hear(
        &mut self,
        sounding: Sounding<'_>,
        all: &[Sounding<'_>],
        placed: &Placed,
        now: Moment,
        at: Ticks,
    ) -> Vec<Frame> {
        let Sounding { track, owner, head, recent } = sounding;
        let mut frames = match self.heads.insert(track, head) {
            Some(before) if before != head => self.ear.change(track),
            _ => Vec::new(),
        };
        let heard = Heard { track, head, recent, placed, tracks: all.len(), now, at };
        let mut orders = Vec::new();
        frames.extend(self.ear.hear(heard, &mut orders));
        self.order(orders, all, at);
        if self.mixing {
            let Placed { packets, discontinuity } = placed.clone();
            self.orders.push(Order::Sound { track, owner, head, packets, discontinuity, at });
        }
        only_frames(frames)
    }

    /// A track has ended.
    pub fn end(&mut self, track: TrackNumber) -> Vec<Frame> {
        self.heads.remove(&track);
        if self.mixing {
            self.orders.push(Order::End(track));
        }
        only_frames(self.ear.end(track))
    }

    /// What there is to mix, now that all up to this place was told; none where nothing is mixed.
    pub fn work(&mut self, until: Ticks) -> Option<impl Future<Output = Mixed> + use<>> {
        if !self.mixing {
            return None;
        }
        let mut mixer = self.mixer.take()?;
        let mut orders = std::mem::take(&mut self.orders);
        orders.push(Order::Time(until));
        Some(offload(For::Mixing, move || {
            let made = desk::carry_out(&mut mixer, orders);
            (mixer, made)
        }))
    }

    /// What was made has come, while these sound.
    pub fn take(&mut self, mixed: Mixed, all: &[Sounding<'_>], now: Moment, at: Ticks) -> Vec<Frame> {
        let (mut frames, mut orders) = (Vec::new(), Vec::new());
        match mixed {
            Ok((mixer, made)) => {
                self.mixer = Some(mixer);
                let recent = |track| {
                    all.iter().find(|sounding| sounding.track == track).map(|sounding| (sounding.head, sounding.recent))
                };
                for made in made {
                    let silent = matches!(made, Made::Silent(_));
                    frames.extend(self.ear.take(made, recent, now));
                    if silent && all.is_empty() {
                        self.ear.rest(&mut orders);
                    }
                }
            }
            Err(Fell) => {
                self.forget();
                frames.extend(self.ear.begin_again(at, &mut orders));
            }
        }
        self.order(orders, all, at);
        only_frames(frames)
    }

    /// Orders for the mixer, which is told of all that went before when it begins, and let go of when nothing is mixed.
    fn order(&mut self, orders: Vec<Order>, all: &[Sounding<'_>], at: Ticks) {
        if !self.ear.is_mixed() {
            if self.mixing {
                self.forget();
            }
            return;
        }
        if !std::mem::replace(&mut self.mixing, true) {
            for &Sounding { track, owner, head, recent } in all {
                let packets: Vec<_> = recent.packets().cloned().collect();
                self.orders.push(Order::Sound { track, owner, head, packets, discontinuity: false, at });
            }
        }
        self.orders.extend(orders);
    }
}

/// The messages: there is only one layout that is read.
fn only_frames(frames: Vec<(Layout, Frame)>) -> Vec<Frame> {
    frames.into_iter().map(|(_, frame)| frame).collect()
}
