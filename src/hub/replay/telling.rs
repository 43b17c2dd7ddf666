//! What a replay says to its listener beside the sound: notices, chat, where it is.
//!
//! What belongs here: the words, in the listener's protocol. What does not: when they are said.

use super::Replay;
use super::track::Unreadable;
use crate::archive::{OpenRecording, model};
use crate::hub::outbox::{Cargo, Frame};
use crate::media::time::{Moment, Ticks};
use crate::wire::frame;
use crate::wire::v1::{self, Notice, Participant, Present};

impl Replay {
    /// Tells the listener something, where they speak `roomtone.v1`.
    pub fn tell(&self, notice: &Notice) {
        if self.hears.is_v1() {
            self.push_notice(notice);
            self.outbox.flush(self.clock.now());
        }
    }

    /// Tells the listener something, in either protocol.
    pub fn warn(&self, code: &str, message: String) {
        self.push_notice(&Notice::Warning { code: code.to_owned(), message });
        self.outbox.flush(self.clock.now());
    }

    pub(super) fn welcome(&self, participant: Participant, at: Ticks) {
        let summary = &self.recording.recording.summary;
        let Present { participants, tracks } = self.present(at);
        let session = v1::Session { recording: summary.id.uuid(), elapsed: at.as_secs_f64() };
        self.tell_v1(|| Notice::Welcome {
            participant,
            room: summary.room.clone(),
            participants,
            listeners: 0,
            tracks,
            session: Some(session),
        });
    }

    pub(super) fn tell_place(&self, now: Moment) {
        let extent = self.extent();
        let at = self.pacing.position(now, extent);
        self.push_notice(&Notice::Replay {
            state: self.pacing.state(),
            at: at.as_secs_f64(),
            duration: self.recording.recording.summary.length.as_secs_f64(),
            // As far as it was told: those who come within the lead have been announced.
            present: self.hears.is_v1().then(|| self.present(self.restatable())),
            seek: self.pacing.seeks(),
        });
    }

    /// The last time of which everything was told.
    fn restatable(&self) -> Ticks {
        let told = self.told.saturating_sub(Ticks::new(1)).max(self.restated);
        told.min(self.recording.recording.summary.length)
    }

    /// Who and what is there at a time.
    fn present(&self, at: Ticks) -> Present {
        let OpenRecording { recording, timeline, .. } = &*self.recording;
        let participants =
            timeline.people_at(at).map(|stay| Participant { id: stay.participant, name: stay.name.clone() }).collect();
        let tracks = timeline.tracks_at(at).map(|track| {
            let track = &recording.tracks[track];
            let begun = track.parts.partition_point(|part| part.start.session <= at);
            told(track, begun.saturating_sub(1))
        });
        Present { participants, tracks: tracks.collect() }
    }

    pub(super) fn tell_v1(&self, notice: impl FnOnce() -> Notice) {
        if self.hears.is_v1() {
            self.push_notice(&notice());
        }
    }

    pub(super) fn push_notice(&self, notice: &Notice) {
        let frame = Frame { bytes: frame::text(&notice.to_json()), cargo: Cargo::Kept };
        self.outbox.push(&frame, self.clock.now());
    }

    pub(super) fn say(&self, chat: &model::Chat, now: Moment) {
        let text = if self.hears.is_v1() {
            let participant = Participant { id: chat.participant, name: chat.name.clone() };
            frame::text(&Notice::Chat { participant, text: chat.text.clone() }.to_json())
        } else {
            frame::text(&chat.text)
        };
        self.outbox.push(&Frame { bytes: text, cargo: Cargo::Text }, now);
    }

    pub(super) fn unreadable(&self, track: usize, error: &Unreadable) {
        let model::Recording { summary, tracks, .. } = &self.recording.recording;
        let track = &tracks[track];
        tracing::warn!(recording = %summary.id, track = %track.number, "{error}");
        let what = match error {
            Unreadable::Damaged { .. } | Unreadable::Samples { .. } => "is damaged here: a piece of it is left out",
            Unreadable::File(_) | Unreadable::CutOff => "cannot be read from here on",
        };
        let message = format!("Track {} ({}) {what}.", track.number, track.name.as_str());
        self.push_notice(&Notice::Warning { code: "track_unreadable".to_owned(), message });
    }
}

/// A marker as `roomtone.v1` tells of it.
pub(super) fn marked(marker: &model::Marker) -> Notice {
    let model::Marker { id, at, name, text } = marker.clone();
    Notice::Marker { marker: v1::Marker { id, at: at.as_secs_f64(), name, text } }
}

/// A track as `roomtone.v1` tells of it. Who was muted is not recorded.
pub(super) fn told(track: &model::Track, part: usize) -> v1::Track {
    let part = &track.parts[part];
    v1::Track::new(track.number, track.participant, &part.format, part.source, false)
}
