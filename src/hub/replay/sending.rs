//! What a replay sends: sound and happenings, in time with each other, as its listener reads them.
//!
//! What belongs here: the three ways to hear a recording. What does not: when what is sent (`pacing.rs`), the words (`telling.rs`).

use std::sync::Arc;

use super::one_sound::{OneSound, Sounding};
use super::telling::{marked, told};
use super::track::TrackReader;
use super::{Replay, is_told};
use crate::archive::OpenRecording;
use crate::archive::timeline::Happening;
use crate::hub::outbox::{Cargo, Frame, Outbox};
use crate::hub::rendition::{self, Placed, Rendition};
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;
use crate::wire::v1::{Notice, Participant};

/// How a listener hears a recording.
pub enum Hears {
    /// As tracks of `roomtone.v1`; those of PCM as PCM, where they asked for it.
    V1 { pcm: bool },
    /// In messages of each speaker: `?mix=no`.
    Each(Rendition),
    /// As one sound.
    One(Box<OneSound>),
}

impl Hears {
    /// Whether the listener is one of `roomtone.v1`.
    pub const fn is_v1(&self) -> bool {
        matches!(self, Self::V1 { .. })
    }
}

/// The tracks that are read.
pub fn sounding<'a>(recording: &OpenRecording, readers: &'a [TrackReader]) -> Vec<Sounding<'a>> {
    let sounding = |reader: &'a TrackReader| {
        let track = &recording.recording.tracks[reader.track];
        let head = track.parts[reader.sounding].format.heard();
        Sounding { track: track.number, owner: track.participant, head, recent: &reader.recent }
    };
    readers.iter().map(sounding).collect()
}

impl Replay {
    /// Sends what comes before `until`, happenings in time with the sound.
    pub(super) fn send(&mut self, until: Ticks, now: Moment) {
        let recording = Arc::clone(&self.recording);
        let is_end = |happening: &Happening| matches!(happening, Happening::TrackEnded(_) | Happening::Left(_));
        let (ends, begins): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(is_end);
        begins.into_iter().for_each(|happening| self.send_happening(happening, now));
        for (at, happening) in recording.timeline.between(self.told, until) {
            self.send_sound(*at, now);
            if is_told(self.restated, (*at, *happening)) {
                self.send_happening(*happening, now);
            }
        }
        self.send_sound(until, now);
        ends.into_iter().for_each(|happening| self.send_happening(happening, now));
        self.told = until;
    }

    fn send_sound(&mut self, until: Ticks, now: Moment) {
        for index in 0..self.readers.len() {
            while let Some((part, placed)) = self.readers[index].next(until) {
                self.send_placed(index, part, placed, until, now);
            }
        }
    }

    /// Sends packets of a track, which is read by the reader of this index.
    fn send_placed(&mut self, index: usize, part: usize, placed: Placed, until: Ticks, now: Moment) {
        let track = &self.recording.recording.tracks[self.readers[index].track];
        let format = &track.parts[part].format;
        if let Hears::V1 { pcm } = self.hears {
            if pcm && matches!(format, Format::Pcm(_)) {
                rendition::v1_pcm(track.number, &placed).for_each(|frame| push(&*self.outbox, frame, now));
            } else if let Some(frame) = rendition::v1(track.number, &placed) {
                push(&*self.outbox, frame, now);
            }
            return;
        }
        // What comes before the place is heard by nobody: it is the first message's pre-roll.
        let Placed { mut packets, discontinuity } = placed;
        let heard = packets.iter().position(|packet| packet.end() > self.restated).unwrap_or(packets.len());
        let reader = &mut self.readers[index];
        reader.sounding = part;
        if discontinuity {
            reader.recent.clear();
        }
        packets.drain(..heard).for_each(|packet| reader.recent.push(packet));
        if packets.is_empty() {
            return;
        }
        let placed = Placed { packets, discontinuity };
        let frames = match &mut self.hears {
            Hears::V1 { .. } => Vec::new(),
            Hears::Each(rendition) => rendition.push(track.number, format, &self.readers[index].recent, &placed, now),
            Hears::One(one) => {
                let all = sounding(&self.recording, &self.readers);
                one.hear(all[index], &all, &placed, now, until)
            }
        };
        frames.into_iter().for_each(|frame| push(&*self.outbox, frame, now));
        let recent = &mut self.readers[index].recent;
        placed.packets.into_iter().for_each(|packet| recent.push(packet));
    }

    fn send_happening(&mut self, happening: Happening, now: Moment) {
        let recording = Arc::clone(&self.recording);
        let (tracks, chat) = (&recording.recording.tracks, &recording.recording.chat);
        let person = |index: usize| {
            let stay = &recording.timeline.people[index];
            Participant { id: stay.participant, name: stay.name.clone() }
        };
        match happening {
            Happening::Joined(index) => self.tell_v1(|| Notice::Joined { participant: person(index) }),
            Happening::Left(index) => self.tell_v1(|| Notice::Left { participant: person(index).id }),
            Happening::Track(track, part) => self.tell_v1(|| Notice::Track { track: told(&tracks[track], part) }),
            Happening::Chat(line) => self.say(&chat[line], now),
            Happening::Marker(index) => self.tell_v1(|| marked(&recording.recording.markers[index])),
            Happening::TrackEnded(track) => {
                let number = tracks[track].number;
                self.readers.retain(|reader| reader.track != track);
                let frames = match &mut self.hears {
                    Hears::V1 { .. } => Vec::new(),
                    Hears::Each(rendition) => Vec::from_iter(rendition.end(number)),
                    Hears::One(one) => one.end(number),
                };
                frames.into_iter().for_each(|frame| push(&*self.outbox, frame, now));
                self.tell_v1(|| Notice::TrackEnded { track: number });
            }
        }
    }

    /// Sends what was said after the last sound, and the last messages of the tracks.
    pub(super) fn send_last(&mut self, now: Moment) {
        let recording = Arc::clone(&self.recording);
        let late = std::mem::take(&mut self.late);
        late.into_iter().for_each(|happening| self.send_happening(happening, now));
        for (_, happening) in recording.timeline.between(self.told, Ticks::MAX) {
            if matches!(happening, Happening::Chat(_) | Happening::Marker(_) | Happening::TrackEnded(_)) {
                self.send_happening(*happening, now);
            }
        }
        self.readers.clear();
        self.told = Ticks::MAX;
    }
}

/// A replay's sound is never skipped: a listener who is behind is sent no more, which bounds what waits.
pub fn push(outbox: &dyn Outbox, frame: Frame, now: Moment) {
    outbox.push(&Frame { cargo: Cargo::Kept, ..frame }, now);
}
