//! The tracks of a room: from a publisher's packets to placed packets, the renditions' messages and the recorder's entries.
//!
//! What belongs here: numbering, placing, muxing, acknowledging, ending. What does not: who else is in the room.

use std::sync::Arc;

use super::super::acknowledge::{Acknowledged, Holes};
use super::super::clock::{LONGEST_START, Step, TrackClock};
use super::super::fanout::{Delivery, MemberId, Reads, To};
use super::super::outbox::Frame;
use super::super::recorder::{Entry, Owner};
use super::super::rendition::{Layout, Placed, Plain, Recent, v1, v1_pcm};
use super::super::session::{Ends, TrackLife};
use super::messages::{Publish, Refused, Role};
use super::state::{Effect, State};
use super::track::{MOST_CHANGES, MOST_RECORDED, MOST_TRACKS, Sound, Track, length, runs};
use crate::media::packet::{Packet, Sequence};
use crate::media::room::ParticipantName;
use crate::media::source::Codec;
use crate::media::time::{Moment, Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};
use crate::wire::socket_io;
use crate::wire::v1::{Notice, Participant};

impl State {
    /// Announces a track, and tells its publisher the room's number.
    ///
    /// # Errors
    /// Where the member may not, or has too many, or uses the number already.
    pub fn announce(&mut self, now: Moment, member: MemberId, local: u16) -> Result<(), Refused> {
        if self.track_of(member, local).is_some() {
            return Err(Refused::Published(local));
        }
        let number = self.begin_track(now, member, local, Ends::ByMessage)?;
        self.tell_one(member, &Notice::Published { track: local, number });
        Ok(())
    }

    /// Takes packets of a track, in order; gives how many ticks of sound more may come now, negative where too much has.
    ///
    /// # Errors
    /// Where the member may not publish, or what it publishes has changed too often.
    pub fn publish(&mut self, wall: UnixMillis, message: Publish) -> Result<i64, Refused> {
        let Publish { member, local, format, source, restarted, first, mut packets, arrived: now } = message;
        let index = match self.track_of(member, local) {
            Some(index) => index,
            None => {
                self.begin_track(now, member, local, Ends::BySilence)?;
                self.tracks.len() - 1
            }
        };
        self.take_format(index, &format, source)?;
        let first = self.tracks[index].number_packets(first, &mut packets);
        let duration = length(&packets);
        if packets.is_empty() {
            let session = self.session.as_ref().map(|session| session.at(now)).unwrap_or_default();
            let sound = self.tracks[index].sound.as_ref();
            return Ok(sound.map_or(LONGEST_START.get().cast_signed(), |sound| sound.clock.room_ahead(session)));
        }
        let late = source.late(&format);
        self.begin_session(now, wall, duration.saturating_add(late).min(LONGEST_START).as_duration());
        let at = self.begin_sound(index, now, late, duration, first);

        let track = &mut self.tracks[index];
        track.heard = now;
        let Some(sound) = &mut track.sound else { return Err(Refused::NotHere) };
        if sound.recorded.is_none() {
            sound.clock.pin_again();
        }
        let mut steps = if restarted { sound.clock.source_restarts() } else { Vec::new() };
        steps.extend(sound.clock.place(at, &packets));
        let ahead = sound.clock.room_ahead(at);
        let runs = runs(&mut sound.discontinuity, &steps, first, packets);
        let number = track.number;
        let owner = Arc::clone(&sound.owner);
        let placed: Vec<Packet> = runs.iter().flat_map(|run| run.packets.iter().cloned()).collect();
        for run in runs {
            self.fan_out(index, number, &format, &run, now);
        }
        if let Some(track) = self.recorded(index, first, &steps) {
            let entry = Entry::Sound { track, owner, format, source, restarted, steps, packets: placed };
            self.effects.push(Effect::Record(entry));
        }
        self.step_session(now, wall);
        Ok(ahead)
    }

    /// Ends a member's track.
    pub fn unpublish(&mut self, now: Moment, wall: UnixMillis, member: MemberId, local: u16) {
        if let Some(index) = self.track_of(member, local) {
            self.end_track(self.tracks[index].number);
            self.step_session(now, wall);
        }
    }

    /// Mutes a member's track, or not any more; it stays live.
    pub fn mute(&mut self, member: MemberId, local: u16, muted: bool) {
        let Some(index) = self.track_of(member, local) else { return };
        let track = &mut self.tracks[index];
        if std::mem::replace(&mut track.muted, muted) != muted && track.format.is_some() {
            let told = Notice::Muted { track: track.number, muted };
            self.tell(told, None);
        }
    }

    /// These packets of a recording survive a power cut.
    pub fn durable(&mut self, recorded: TrackNumber, next: Sequence) {
        let Some(session) = &self.session else { return };
        let index = usize::from(recorded.get()).saturating_sub(1);
        let Some(owner) = session.owners.get(index).map(Arc::clone) else { return };
        let of = |track: &&mut Track| track.sound.as_ref().is_some_and(|sound| sound.recorded == Some(recorded));
        let acknowledged = match self.tracks.iter_mut().find(of) {
            Some(track) => {
                if let Some(sound) = &mut track.sound {
                    sound.durable = next;
                }
                track.durable(next)
            }
            None => Acknowledged { next, ranges: Vec::new() },
        };
        let Acknowledged { next, ranges } = acknowledged;
        self.tell_one(owner.participant, &Notice::Durable { track: owner.local, next, ranges });
    }

    /// The recorder could not take these packets: they are never acknowledged.
    pub fn not_recorded(&mut self, recorded: TrackNumber, begin: Sequence, end: Sequence) {
        let of = |track: &&mut Track| track.sound.as_ref().is_some_and(|sound| sound.recorded == Some(recorded));
        if let Some(track) = self.tracks.iter_mut().find(of) {
            track.holes.add(begin, end);
        }
    }

    /// Time has passed for the tracks: verdicts, messages that wait, acknowledgements, silence without end.
    pub(super) fn tick_tracks(&mut self, now: Moment) {
        let mut ended = Vec::new();
        for index in 0..self.tracks.len() {
            let at = self.session.as_ref().map(|session| session.at(now)).unwrap_or_default();
            let track = &mut self.tracks[index];
            if TrackLife::Live.at(now, track.heard, track.ends, &self.patience) == TrackLife::Ended {
                ended.push(track.number);
            }
            if let Some(sound) = &mut track.sound {
                let steps = sound.clock.tick(at);
                if !steps.is_empty() {
                    sound.discontinuity |= steps.iter().any(|step| matches!(step, Step::Settled(Some(_))));
                    let entry = sound.recorded.map(|track| Entry::Steps { track, steps });
                    self.effects.extend(entry.map(Effect::Record));
                }
            }
            self.acknowledge(index);
        }
        for number in ended {
            self.end_track(number);
        }
        let waiting: Vec<_> = self
            .renditions
            .iter_mut()
            .flat_map(|(layout, rendition)| {
                let layout = *layout;
                rendition.tick(now).into_iter().map(move |(track, frame)| (layout, track, frame))
            })
            .collect();
        for (layout, number, frame) in waiting {
            let sound = self.tracks.iter().find(|track| track.number == number).and_then(|track| track.sound.as_ref());
            if let Some(owner) = sound.map(|sound| Arc::clone(&sound.owner)) {
                self.send_each(layout, &owner, vec![frame]);
            }
        }
        self.tick_ears(now);
    }

    /// Ends a track: what is held and gathered of it goes out, and everyone is told.
    pub(super) fn end_track(&mut self, number: TrackNumber) {
        let Some(index) = self.tracks.iter().position(|track| track.number == number) else { return };
        self.acknowledge(index);
        let mut track = self.tracks.remove(index);
        self.flush_renditions(number, track.sound.as_ref().map(|sound| &*sound.owner));
        self.end_in_ears(number);
        if let Some(sound) = &mut track.sound {
            let steps = sound.clock.end();
            if let Some(track) = sound.recorded {
                if !steps.is_empty() {
                    self.effects.push(Effect::Record(Entry::Steps { track, steps }));
                }
                self.effects.push(Effect::Record(Entry::EndTrack { track }));
            }
        }
        if track.format.is_some() {
            self.tell(Notice::TrackEnded { track: number }, None);
        }
    }

    fn track_of(&self, member: MemberId, local: u16) -> Option<usize> {
        self.tracks.iter().position(|track| track.member == member && track.local == local)
    }

    fn begin_track(&mut self, now: Moment, member: MemberId, local: u16, ends: Ends) -> Result<TrackNumber, Refused> {
        let role = self.members.get(&member).ok_or(Refused::NotHere)?.role;
        if role == Role::Listener {
            return Err(Refused::OnlyListens);
        }
        if self.tracks.iter().filter(|track| track.member == member).count() >= MOST_TRACKS {
            return Err(Refused::TooManyTracks);
        }
        let recorded = self.session.as_ref().map_or(0, |session| session.owners.len());
        if recorded.max(self.tracks.len()) >= MOST_RECORDED {
            return Err(Refused::SessionFull);
        }
        let taken = |number: &u16| self.tracks.iter().any(|track| track.number.get() == *number);
        let number = (1..=u16::MAX).find(|number| !taken(number)).ok_or(Refused::SessionFull)?;
        let number = TrackNumber::new(number);
        self.tracks.push(Track {
            number,
            member,
            local,
            ends,
            muted: false,
            heard: now,
            format: None,
            sound: None,
            next: Sequence::ZERO,
            holes: Holes::default(),
            received: Acknowledged::default(),
        });
        Ok(number)
    }

    /// The format is known, or another one now: what was gathered of the other goes out, and everyone is told.
    fn take_format(&mut self, index: usize, format: &Format, source: Codec) -> Result<(), Refused> {
        let track = &mut self.tracks[index];
        if track.format.as_ref().is_some_and(|known| known.0 == *format && known.1 == source) {
            return Ok(());
        }
        if let Some(session) = self.session.as_mut().filter(|_| track.is_recorded()) {
            if session.changes >= MOST_CHANGES {
                return Err(Refused::TooManyChanges);
            }
            session.changes += 1;
        }
        let (number, owner) = (track.number, track.sound.as_ref().map(|sound| Arc::clone(&sound.owner)));
        let before = track.format.replace((format.clone(), source));
        if before.is_some_and(|before| before.0 != *format) {
            if let Some(sound) = &mut track.sound {
                sound.recent.clear();
            }
            self.flush_renditions(number, owner.as_deref());
            self.change_in_ears(number);
        }
        if let Some(told) = self.tracks[index].told() {
            self.tell(Notice::Track { track: told }, None);
        }
        Ok(())
    }

    /// With its first packet a track becomes part of the session. Gives where the session's clock was when what comes `late`
    /// now ended.
    fn begin_sound(&mut self, index: usize, now: Moment, late: Ticks, duration: Ticks, first: Sequence) -> Ticks {
        let Some(session) = &self.session else { return Ticks::ZERO };
        let at = session.at(now).saturating_sub(late);
        let track = &mut self.tracks[index];
        if track.sound.is_none() {
            let known = self.members.get(&track.member);
            let name = known.map_or_else(ParticipantName::nobody, |member| member.participant.name.clone());
            track.sound = Some(Sound {
                clock: TrackClock::begin(at, duration),
                recorded: None,
                durable: first,
                lost: Holes::default(),
                owner: Arc::new(Owner { participant: track.member, name, local: track.local }),
                recent: Recent::default(),
                discontinuity: false,
            });
        }
        at
    }

    /// The track's number in the recording, where these packets go into it. With the first of them it gets one: they must lie in the
    /// recording's time, and it must be told where. What came before, while there was none, is lost.
    fn recorded(&mut self, index: usize, first: Sequence, steps: &[Step]) -> Option<TrackNumber> {
        let session = self.session.as_mut().filter(|session| session.is_recorded())?;
        let sound = self.tracks[index].sound.as_mut()?;
        if sound.recorded.is_none() {
            let early = |step: &Step| matches!(step, Step::Packet { session: at, .. } if *at < session.zero());
            if sound.clock.is_held() || steps.iter().any(early) {
                return None;
            }
            sound.lost.add(sound.durable, first);
            session.owners.push(Arc::clone(&sound.owner));
            sound.recorded = Some(TrackNumber::new(u16::try_from(session.owners.len()).unwrap_or(u16::MAX)));
        }
        sound.recorded
    }

    /// Hands placed packets to those who read them.
    fn fan_out(&mut self, index: usize, number: TrackNumber, format: &Format, run: &Placed, now: Moment) {
        self.fan_out_v1(number, format, run, Some(self.tracks[index].member));
        self.hear(index, format, run, now);
        let Some(sound) = &mut self.tracks[index].sound else { return };
        let owner = Arc::clone(&sound.owner);
        let mut made = Vec::new();
        for (layout, rendition) in &mut self.renditions {
            made.push((*layout, rendition.push(number, format, &sound.recent, run, now)));
        }
        for packet in &run.packets {
            sound.recent.push(packet.clone());
        }
        for (layout, frames) in made {
            self.send_each(layout, &owner, frames);
        }
    }

    /// Hands them to those who speak `roomtone.v1`. Each frame is made once, and only where someone reads it.
    fn fan_out_v1(&mut self, number: TrackNumber, format: &Format, run: &Placed, except: Option<MemberId>) {
        let is_pcm = matches!(format, Format::Pcm(_));
        let heard = [(Reads::V1, true), (Reads::V1Pcm, !is_pcm)];
        let heard = heard.into_iter().filter(|(_, reads)| *reads).map(|(of, _)| of);
        let heard: Vec<_> = heard.filter(|of| self.readers(*of) > 0).collect();
        if !heard.is_empty()
            && let Some(frame) = v1(number, run)
        {
            for of in heard {
                let to = To::Readers { of, except };
                self.effects.push(Effect::Deliver(Delivery::Send { to, frame: frame.clone() }));
            }
        }
        if is_pcm && self.readers(Reads::V1Pcm) > 0 {
            let to = To::Readers { of: Reads::V1Pcm, except };
            let frames = v1_pcm(number, run).map(|frame| Effect::Deliver(Delivery::Send { to, frame }));
            self.effects.extend(frames);
        }
    }

    /// What is gathered of a track that ends, or goes on as another kind of sound, goes out.
    fn flush_renditions(&mut self, number: TrackNumber, owner: Option<&Owner>) {
        // Nothing is gathered of a track without sound.
        let Some(owner) = owner else { return };
        let ended = self.renditions.iter_mut().map(|(layout, rendition)| (*layout, rendition.end(number)));
        for (layout, frame) in ended.collect::<Vec<_>>() {
            self.send_each(layout, owner, frame.into_iter().collect());
        }
    }

    /// Hands messages of one speaker to those who hear each for itself: as they are, or in events of Socket.IO.
    fn send_each(&mut self, layout: Layout, owner: &Owner, frames: Vec<Frame>) {
        let except = Some(owner.participant);
        let events = Reads::SocketIo.each() == Some(layout) && self.readers(Reads::SocketIo) > 0;
        for frame in frames {
            if events {
                let from = Participant { id: owner.participant, name: owner.name.clone() };
                let event = Frame { bytes: socket_io::chunk(&from, &frame.bytes), cargo: frame.cargo };
                let to = To::Readers { of: Reads::SocketIo, except };
                self.effects.push(Effect::Deliver(Delivery::Send { to, frame: event }));
            }
            let to = To::Readers { of: Reads::Plain(Plain { layout, mixed: false }), except };
            self.effects.push(Effect::Deliver(Delivery::Send { to, frame }));
        }
    }

    /// Tells a publisher what the hub has, where that has changed.
    fn acknowledge(&mut self, index: usize) {
        let track = &mut self.tracks[index];
        let received = track.holes.acknowledged(track.next);
        if received != track.received {
            track.received = received.clone();
            let Acknowledged { next, ranges } = received;
            let (member, told) = (track.member, Notice::Received { track: track.local, next, ranges });
            self.tell_one(member, &told);
        }
    }
}
