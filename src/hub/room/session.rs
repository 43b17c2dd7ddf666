//! A room's session: how it begins and ends, its recordings, and whether what is said now is recorded.
//!
//! What belongs here: the session's own data, when another recording of it begins after one that the disk ended. What does
//! not: who is in the room (`state.rs`), packets (`sound.rs`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::super::clock::LONGEST_START;
use super::super::fanout::MemberId;
use super::super::mix::Ear;
use super::super::recorder::{Entry, NewSession, Owner};
use super::super::rendition::Rendition;
use super::super::session::{Census, Life};
use super::messages::{Mark, Unmarked};
use super::state::{Effect, LONGEST_KEPT_LINE, MOST_ATTENDANCE, MOST_KEPT_CHAT, State};
use crate::archive::model::{self, Attendance, Chat, EndReason, RecordingId};
use crate::media::marker::{MOST_MARKERS, MarkerId};
use crate::media::time::{Moment, Ticks, UnixMillis};
use crate::wire::v1::{self, Notice, Participant};

/// How long the next recording of a session waits after one that failed: so long after the first failure, twice as long after each
/// that follows soon, and never longer than [`LONGEST_REST`].
const REST: Duration = Duration::from_secs(1);
/// The longest such wait. A recording that held out so long counts as one that worked.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// A room's session.
#[derive(Debug)]
pub(super) struct Session {
    /// Its recording: the one in progress, or the last.
    pub(super) id: RecordingId,
    /// When its clock is at zero.
    pub(super) start: Moment,
    /// Where its recording begins on its clock.
    zero: Ticks,
    pub(super) life: Life,
    /// Whose each track of the recording is, from number 1.
    pub(super) owners: Vec<Arc<Owner>>,
    /// How often a track went on as another kind of sound.
    pub(super) changes: usize,
    /// Bytes of chat that are kept.
    chat: usize,
    /// How many markers were set.
    markers: usize,
    /// How many comings are kept.
    comings: usize,
    /// Who of those is here.
    present: HashSet<MemberId>,
    /// Why what is said now is not recorded, where it is not: who comes later is told too.
    pub(super) trouble: Option<Trouble>,
    failures: Failures,
}

/// Why what is said now is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The recording has failed, and there is no space.
    Full,
    /// The recording has failed.
    Failed,
    /// The disk does not keep up; it may again.
    Slow,
    /// Someone has set that the room is not recorded.
    Unwanted,
}

impl Trouble {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Full => "The disk is full.",
            Self::Failed => "The disk has failed.",
            Self::Slow => "The disk does not keep up.",
            Self::Unwanted => "This room is not recorded.",
        }
    }

    /// Whether the recording is over.
    const fn is_end(self) -> bool {
        matches!(self, Self::Full | Self::Failed | Self::Unwanted)
    }
}

/// The recordings of a session that failed soon after each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Failures {
    count: u32,
    last: Moment,
}

impl Failures {
    /// One more, of a recording that began at `begun`.
    fn add(&mut self, begun: Moment, now: Moment) {
        let worked = now.since(begun) >= LONGEST_REST;
        self.count = if worked { 1 } else { self.count.saturating_add(1) };
        self.last = now;
    }

    /// Whether another recording may begin by now.
    fn are_over(&self, now: Moment) -> bool {
        let Some(more) = self.count.checked_sub(1) else { return true };
        now.since(self.last) >= REST.saturating_mul(1 << more.min(16)).min(LONGEST_REST)
    }
}

/// Where another recording begins on the session's clock, which is `now`: where the next packets of the tracks lie that are on
/// time, so that no track begins before its recording.
fn zero(now: Ticks, before: Ticks, places: impl Iterator<Item = Ticks>) -> Ticks {
    let earliest = now.saturating_sub(LONGEST_START);
    places.filter(|place| *place >= earliest).min().unwrap_or(Ticks::MAX).min(now.saturating_sub(before))
}

impl Session {
    /// Where the session's clock is.
    pub(super) fn at(&self, now: Moment) -> Ticks {
        Ticks::from_duration(now.since(self.start))
    }

    /// Where its recording begins on its clock.
    pub(super) const fn zero(&self) -> Ticks {
        self.zero
    }

    /// Whether what comes now goes into the recording.
    pub(super) fn is_recorded(&self) -> bool {
        !self.trouble.is_some_and(Trouble::is_end)
    }

    /// The recording in progress, where there is one.
    pub(super) fn in_progress(&self, now: Moment) -> Option<v1::Session> {
        self.is_recorded().then(|| self.told(now))
    }

    fn told(&self, now: Moment) -> v1::Session {
        v1::Session { recording: self.id.uuid(), elapsed: self.at(now).saturating_sub(self.zero).as_secs_f64() }
    }
}

impl State {
    /// Whether a session has not ended.
    #[must_use]
    pub const fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Whether this is the recording of the session.
    #[must_use]
    pub fn is_recording(&self, recording: Uuid) -> bool {
        self.session.as_ref().is_some_and(|session| session.id.uuid() == recording)
    }

    /// How the disk is: whether a recording may begin.
    pub const fn disk(&mut self, well: bool) {
        self.disk_is_well = well;
    }

    /// Whether the room is recorded, as someone has set it. A recording that is going on ends as soon as it is not; another
    /// begins with the next sound when it is again.
    pub fn record(&mut self, wall: UnixMillis, record: bool) {
        self.record = record;
        if record || !self.session.as_ref().is_some_and(Session::is_recorded) {
            return;
        }
        self.effects.push(Effect::Record(Entry::Finish(EndReason::Finished, wall)));
        for sound in self.tracks.iter_mut().filter_map(|track| track.sound.as_mut()) {
            sound.recorded = None;
        }
        self.set_trouble(Some(Trouble::Unwanted));
    }

    /// The session's recording cannot be written any more. The room plays on; another recording begins when the disk is well.
    pub fn recording_failed(&mut self, now: Moment, reason: EndReason) {
        self.disk_is_well = false;
        let Some(session) = &mut self.session else { return };
        let begun = session.start.after(session.zero.as_duration());
        session.failures.add(begun, now);
        for sound in self.tracks.iter_mut().filter_map(|track| track.sound.as_mut()) {
            sound.recorded = None;
        }
        self.set_trouble(Some(match reason {
            EndReason::DiskFull => Trouble::Full,
            _ => Trouble::Failed,
        }));
    }

    /// The disk does not keep up.
    pub fn recording_lags(&mut self) {
        self.set_trouble(Some(Trouble::Slow));
    }

    /// The disk keeps up again.
    pub fn recording_goes_on(&mut self) {
        self.set_trouble(None);
    }

    /// Tells everyone whether what is said now is recorded. A recording that failed does not go on.
    fn set_trouble(&mut self, trouble: Option<Trouble>) {
        let Some(session) = &mut self.session else { return };
        if !session.is_recorded() || session.trouble == trouble {
            return;
        }
        session.trouble = trouble;
        self.tell(health(trouble), None);
    }

    /// Tells one member, where what is said now is not recorded.
    pub(super) fn tell_trouble(&mut self, member: MemberId) {
        if let Some(trouble) = self.session.as_ref().and_then(|session| session.trouble) {
            self.tell_one(member, &health(Some(trouble)));
        }
    }

    /// Begins a session whose first sound is `before` old, or another recording of the one that is, where the disk ended the last and
    /// is well again.
    pub(super) fn begin_session(&mut self, now: Moment, wall: UnixMillis, before: Duration) {
        let Some(session) = &mut self.session else { return self.begin_first(now, wall, before) };
        let unfit = !self.record || !self.disk_is_well || !session.failures.are_over(now);
        if session.is_recorded() || unfit {
            return;
        }
        let at = session.at(now);
        let places = self.tracks.iter().filter_map(|track| track.sound.as_ref()).map(|sound| sound.clock.session());
        session.zero = zero(at, Ticks::from_duration(before), places);
        let (id, started) = new_recording(wall, at.saturating_sub(session.zero).as_duration());
        session.id = id;
        session.trouble = None;
        session.owners.clear();
        session.present.clear();
        (session.changes, session.chat, session.markers, session.comings) = (0, 0, 0, 0);
        self.begin_recording(now, started);
        self.tell(health(None), None);
    }

    fn begin_first(&mut self, now: Moment, wall: UnixMillis, before: Duration) {
        let (id, started) = new_recording(wall, before);
        self.session = Some(Session {
            id,
            start: now.before(before),
            zero: Ticks::ZERO,
            life: Life::Live,
            owners: Vec::new(),
            changes: 0,
            chat: 0,
            markers: 0,
            comings: 0,
            present: HashSet::new(),
            trouble: None,
            failures: Failures::default(),
        });
        self.renditions.values_mut().for_each(Rendition::session_begins);
        self.ears.values_mut().for_each(Ear::session_begins);
        self.stop_mixing();
        if self.record {
            return self.begin_recording(now, started);
        }
        if let Some(session) = &mut self.session {
            session.trouble = Some(Trouble::Unwanted);
        }
        self.tell(health(Some(Trouble::Unwanted)), None);
    }

    /// Begins the session's recording, with those who are here.
    fn begin_recording(&mut self, now: Moment, started: UnixMillis) {
        let Some(session) = &self.session else { return };
        let (id, zero, told) = (session.id, session.zero, session.told(now));
        self.effects.push(Effect::Begin(NewSession { id, started, zero }));
        let mut here = self.speakers();
        here.sort_by(|one, other| (one.name.as_str(), one.id).cmp(&(other.name.as_str(), other.id)));
        for participant in here {
            self.keep_coming(zero, participant);
        }
        self.tell(Notice::Session { session: Some(told) }, None);
    }

    /// The recording keeps what was said, where that is not too much.
    pub(super) fn keep_chat(&mut self, now: Moment, Participant { id, name }: Participant, text: String) {
        let Some(session) = &mut self.session else { return };
        if session.is_recorded() && text.len() <= LONGEST_KEPT_LINE && session.chat + text.len() <= MOST_KEPT_CHAT {
            session.chat += text.len();
            let at = session.at(now);
            self.effects.push(Effect::Record(Entry::Chat(Chat { at, participant: id, name, text })));
        }
    }

    /// Sets a marker in the recording: everyone is told, also who set it, and the recording keeps it.
    ///
    /// # Errors
    /// Where nothing is recorded, it is to stand in the future, or there are too many.
    pub fn mark(&mut self, now: Moment, id: MarkerId, mark: Mark) -> Result<(RecordingId, v1::Marker), Unmarked> {
        let Mark { by, recording, text, at } = mark;
        let session = self.session.as_mut().filter(|session| session.is_recorded()).ok_or(Unmarked::NoSession)?;
        if recording.is_some_and(|recording| recording != session.id) {
            return Err(Unmarked::NoSession);
        }
        let edge = session.at(now);
        let place = at.map_or(edge, |at| session.zero.saturating_add(at));
        if place > edge {
            return Err(Unmarked::PastEdge);
        }
        if session.markers >= MOST_MARKERS {
            return Err(Unmarked::TooMany);
        }
        session.markers += 1;
        let of = session.id;
        let seconds = place.saturating_sub(session.zero).as_secs_f64();
        let name = by.and_then(|by| self.members.get(&by)).map(|member| member.participant.name.clone());
        let marker = model::Marker { id, at: place, name, text };
        let told = v1::Marker { id, at: seconds, name: marker.name.clone(), text: marker.text.clone() };
        self.effects.push(Effect::Record(Entry::Mark(marker)));
        self.tell(Notice::Marker { marker: told.clone() }, None);
        Ok((of, told))
    }

    /// The recording keeps that someone who may speak came.
    pub(super) fn keep_coming(&mut self, at: Ticks, participant: Participant) {
        let Some(session) = self.session.as_mut().filter(|session| session.comings < MOST_ATTENDANCE) else { return };
        session.comings += 1;
        session.present.insert(participant.id);
        let Participant { id, name } = participant;
        let stay = Attendance { participant: id, name, joined: at, left: None };
        self.effects.push(Effect::Record(Entry::Joined(stay)));
    }

    /// The recording keeps that someone went whose coming it has.
    pub(super) fn keep_going(&mut self, now: Moment, member: MemberId) {
        let Some(session) = &mut self.session else { return };
        if session.present.remove(&member) {
            let left = Entry::Left(member, session.at(now));
            self.effects.push(Effect::Record(left));
        }
    }

    /// Takes the session's life one step, and ends it where it has ended.
    pub(super) fn step_session(&mut self, now: Moment, wall: UnixMillis) {
        let census = Census { live: self.tracks.iter().filter(|track| track.is_recorded()).count(), resumable: false };
        let Some(session) = &mut self.session else { return };
        let life = session.life.at(now, census, &self.patience);
        if let Life::Ended(reason) = life {
            self.session = None;
            self.effects.push(Effect::Record(Entry::Finish(reason, wall)));
            self.tell(Notice::Session { session: None }, None);
        } else if life != session.life {
            session.life = life;
            self.effects.push(Effect::Record(Entry::State(life.state())));
        }
    }
}

/// The ID of a recording that began so long before now, and when that was.
fn new_recording(wall: UnixMillis, before: Duration) -> (RecordingId, UnixMillis) {
    let started = UnixMillis::new(wall.get().saturating_sub(i64::try_from(before.as_millis()).unwrap_or(0)));
    let random = *Uuid::new_v4().as_bytes().first_chunk().expect("a UUID has 16 bytes");
    (RecordingId::new(started, random), started)
}

fn health(trouble: Option<Trouble>) -> Notice {
    Notice::Health { recording: trouble.is_none(), reason: trouble.map(|trouble| trouble.sentence().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Moment {
        Moment::START.after(Duration::from_secs(secs))
    }

    #[test]
    fn a_disk_that_fails_again_and_again_is_left_alone_for_longer_each_time() {
        let mut failures = Failures::default();
        assert!(failures.are_over(Moment::START), "none has failed");
        failures.add(secs(0), secs(100));
        assert!(!failures.are_over(secs(100)) && failures.are_over(secs(101)), "one that had worked");
        let mut now = 101;
        for rest in [2, 4, 8, 16, 32, 60, 60] {
            failures.add(secs(now), secs(now));
            assert!(!failures.are_over(secs(now + rest - 1)) && failures.are_over(secs(now + rest)), "{rest}");
            now += rest;
        }
        failures.add(secs(now), secs(now + 60));
        assert!(failures.are_over(secs(now + 61)));
    }

    #[test]
    fn a_recording_begins_with_the_first_of_the_tracks_that_are_on_time() {
        let secs = Ticks::from_secs;
        let millis = Ticks::from_millis;
        assert_eq!(zero(secs(100), millis(20), [].into_iter()), millis(99_980));
        let places = [millis(99_990), millis(99_700), secs(40)];
        assert_eq!(zero(secs(100), millis(20), places.into_iter()), millis(99_700), "one had paused");
    }
}
