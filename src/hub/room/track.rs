//! A live track of a room: what is known of it, the numbers of its packets, and where its messages are split.
//!
//! What belongs here: one track's own data. What does not: who hears of it (`sound.rs`).

use std::sync::Arc;

use super::super::acknowledge::{Acknowledged, Holes};
use super::super::clock::{Step, TrackClock};
use super::super::fanout::MemberId;
use super::super::recorder::Owner;
use super::super::rendition::{Placed, Recent};
use super::super::session::Ends;
use crate::media::packet::{Packet, Sequence, SourcePacket};
use crate::media::source::Codec;
use crate::media::time::{Moment, Ticks};
use crate::media::track::{Format, TrackNumber};
use crate::wire::v1 as wire;

/// The most tracks that one member publishes at a time.
pub const MOST_TRACKS: usize = 16;
/// The most tracks of a session, live or ended: each is a file.
pub const MOST_RECORDED: usize = 1000;
/// How often the tracks of a session go on as another kind of sound: each time is another file.
pub const MOST_CHANGES: usize = 1000;

/// A live track.
#[derive(Debug)]
pub struct Track {
    /// Its number in the room.
    pub(super) number: TrackNumber,
    /// Whose it is.
    pub(super) member: MemberId,
    /// The publisher's own number.
    pub(super) local: u16,
    pub(super) ends: Ends,
    pub(super) muted: bool,
    /// When its last packet came, or its announcement.
    pub(super) heard: Moment,
    /// How its packets are encoded, and what its publisher sends; none before the first.
    pub(super) format: Option<(Format, Codec)>,
    pub(super) sound: Option<Sound>,
    /// The number of the next packet.
    pub(super) next: Sequence,
    pub(super) holes: Holes,
    /// What its publisher was last told.
    pub(super) received: Acknowledged,
}

/// What a track has from its first packet on.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) clock: TrackClock,
    /// Its number in the recording; none while it is not recorded.
    pub(super) recorded: Option<TrackNumber>,
    /// The number after its last packet that is durable.
    pub(super) durable: Sequence,
    /// Packets that will never be durable, though they came: while there was no recording.
    pub(super) lost: Holes,
    pub(super) owner: Arc<Owner>,
    pub(super) recent: Recent,
    /// Whether the next packet does not go on where the last one ended.
    pub(super) discontinuity: bool,
}

impl Track {
    /// The track as `roomtone.v1` tells of it, once it is known how it sounds.
    pub(super) fn told(&self) -> Option<wire::Track> {
        let (format, source) = self.format.as_ref()?;
        Some(wire::Track::new(self.number, self.member, format, *source, self.muted))
    }

    /// What of its packets below a number survives a power cut, where that is said of all that were recorded.
    pub(super) fn durable(&self, next: Sequence) -> Acknowledged {
        let lost = self.sound.as_ref().map(|sound| &sound.lost);
        lost.map_or_else(|| self.holes.acknowledged(next), |lost| self.holes.with(lost).acknowledged(next))
    }

    /// Whether it has had a packet, and so is a part of the session.
    pub(super) const fn is_recorded(&self) -> bool {
        self.sound.is_some()
    }
}

impl Track {
    /// Numbers a message's packets: as their publisher does, or counting on. What has come before is left out, what was
    /// left out is a hole. Gives the number of the first that is new.
    pub(super) fn number_packets(&mut self, first: Option<Sequence>, packets: &mut Vec<SourcePacket>) -> Sequence {
        let began = self.sound.is_some();
        let mut first = first.unwrap_or(self.next);
        if began && first < self.next {
            let known = usize::try_from(self.next.get() - first.get()).unwrap_or(usize::MAX).min(packets.len());
            packets.drain(..known);
            first = self.next;
        }
        if packets.is_empty() {
            return first;
        }
        if began {
            self.holes.add(self.next, first);
        }
        self.next = first.after(packets.len() as u64);
        first
    }
}

/// Splits a message at its gaps: within a run each packet begins where the one before it ends. A step is there for each
/// packet, in order.
pub(super) fn runs(
    discontinuity: &mut bool,
    steps: &[Step],
    first: Sequence,
    packets: Vec<SourcePacket>,
) -> Vec<Placed> {
    let mut runs: Vec<Placed> = Vec::new();
    let mut packets = packets.into_iter();
    let mut sequence = first;
    let mut open = false;
    for step in steps {
        match step {
            Step::Gap(_) | Step::Settled(Some(_)) => {
                *discontinuity = true;
                open = false;
            }
            Step::Packet { session, .. } => {
                let Some(SourcePacket { duration, data, heard, .. }) = packets.next() else { break };
                if !open {
                    runs.push(Placed { packets: Vec::new(), discontinuity: std::mem::take(discontinuity) });
                    open = true;
                }
                if let Some(run) = runs.last_mut() {
                    run.packets.push(Packet { sequence, time: *session, duration, data, heard });
                }
                sequence = sequence.next();
            }
            Step::Anchor(_) | Step::Held(_) | Step::Settled(None) => {}
        }
    }
    runs
}

pub(super) fn length(packets: &[SourcePacket]) -> Ticks {
    packets.iter().fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration))
}
