//! What happens when in a recording: who comes and goes, which tracks begin and end, what is said.
//!
//! What belongs here: a plain list made from a [`Recording`], and what of it is so at a time. What does not: packets, and
//! how any of it is told.

use std::collections::HashSet;

use super::model::{Attendance, Pins, Recording, Track};
use crate::media::time::Ticks;

/// Something that happens. At one time those come first that stand first here: who speaks has come before, and goes
/// after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// Someone comes: which of [`Timeline::people`].
    Joined(usize),
    /// A track begins, or goes on with a part of another format: which of the recording's tracks, and of its parts.
    Track(usize, usize),
    /// Someone says something: which line of the recording's chat.
    Chat(usize),
    /// Someone set a marker here: which of the recording's.
    Marker(usize),
    /// A track ends: which of the recording's.
    TrackEnded(usize),
    /// Someone goes: which of [`Timeline::people`].
    Left(usize),
}

/// A recording's happenings, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Who was there, in the order in which they came. A speaker whom the recording does not name among those who were
    /// there was there for as long as their track.
    pub people: Vec<Attendance>,
    /// The tracks' beginnings and ends; no end while more may come.
    spans: Vec<(Ticks, Option<Ticks>)>,
    happenings: Vec<(Ticks, Happening)>,
}

impl Timeline {
    /// The timeline of a recording, as far as it goes. `pins` are those of its tracks.
    #[must_use]
    pub fn of(recording: &Recording, pins: &[Pins]) -> Self {
        let ended = recording.summary.state.end_reason().is_some();
        let spans: Vec<_> = recording.tracks.iter().zip(pins).map(|(track, pins)| span(track, pins, ended)).collect();
        let mut people = recording.attendance.clone();
        let mut named: HashSet<_> = people.iter().map(|stay| stay.participant).collect();
        for (track, (joined, _)) in recording.tracks.iter().zip(&spans) {
            if named.insert(track.participant) {
                let of_theirs = recording.tracks.iter().zip(&spans);
                let ends =
                    of_theirs.filter(|(other, _)| other.participant == track.participant).map(|(_, span)| span.1);
                let left = ends.reduce(|one, other| Some(one?.max(other?))).flatten();
                let (participant, name) = (track.participant, track.name.clone());
                people.push(Attendance { participant, name, joined: *joined, left });
            }
        }
        let mut happenings = Vec::new();
        for (index, stay) in people.iter().enumerate() {
            happenings.push((stay.joined, Happening::Joined(index)));
            happenings.extend(stay.left.map(|left| (left, Happening::Left(index))));
        }
        for (index, (track, span)) in recording.tracks.iter().zip(&spans).enumerate() {
            let mut format = None;
            for (part, of) in track.parts.iter().enumerate() {
                if format.replace(&of.format) != Some(&of.format) {
                    happenings.push((of.start.session, Happening::Track(index, part)));
                }
            }
            happenings.extend(span.1.map(|end| (end, Happening::TrackEnded(index))));
        }
        happenings.extend(recording.chat.iter().enumerate().map(|(index, chat)| (chat.at, Happening::Chat(index))));
        let markers = recording.markers.iter().enumerate();
        happenings.extend(markers.map(|(index, marker)| (marker.at, Happening::Marker(index))));
        happenings.sort();
        Self { people, spans, happenings }
    }

    /// What happens from one time on and before another.
    #[must_use]
    pub fn between(&self, from: Ticks, until: Ticks) -> &[(Ticks, Happening)] {
        let begin = self.happenings.partition_point(|(at, _)| *at < from);
        let end = self.happenings.partition_point(|(at, _)| *at < until);
        &self.happenings[begin..end.max(begin)]
    }

    /// What is known now to happen before a time, and was not known `before`. Of a recording that is still being made some
    /// things become known late: a track may begin before sound of another that is durable already.
    pub fn news<'a>(&'a self, before: &'a Self, until: Ticks) -> impl Iterator<Item = (Ticks, Happening)> + 'a {
        let mut known = before.happenings.iter().peekable();
        self.between(Ticks::ZERO, until).iter().copied().filter(move |one| {
            while known.next_if(|known| *known < one).is_some() {}
            known.next_if(|known| *known == one).is_none()
        })
    }

    /// Who is there at a time.
    pub fn people_at(&self, at: Ticks) -> impl Iterator<Item = &Attendance> {
        self.people.iter().filter(move |stay| stay.joined <= at && stay.left.is_none_or(|left| left > at))
    }

    /// The tracks that are live at a time.
    pub fn tracks_at(&self, at: Ticks) -> impl Iterator<Item = usize> {
        let live = move |(begin, end): &(Ticks, Option<Ticks>)| *begin <= at && end.is_none_or(|end| end > at);
        self.spans.iter().enumerate().filter(move |(_, span)| live(span)).map(|(index, _)| index)
    }
}

/// Where a track begins and ends on the session's clock. A track without a part has neither sound nor span.
fn span(track: &Track, pins: &Pins, ended: bool) -> (Ticks, Option<Ticks>) {
    let (Some(first), Some(last)) = (track.parts.first(), track.parts.last()) else {
        return (Ticks::MAX, Some(Ticks::ZERO));
    };
    let goes_on = last.open && !ended;
    let end = pins.session(last.start.track.saturating_add(last.length)).max(first.start.session);
    (first.start.session, (!goes_on).then_some(end))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::archive::model::{Anchor, Chat, EndReason, Part, RecordingId, State, Summary};
    use crate::media::opus::Head;
    use crate::media::packet::Sequence;
    use crate::media::time::UnixMillis;
    use crate::media::track::{Format, TrackNumber};

    fn secs(secs: u64) -> Ticks {
        Ticks::from_secs(secs)
    }

    fn part(number: u32, at: u64, length: u64, channels: u8, open: bool) -> Part {
        Part {
            number,
            file: String::new(),
            source: crate::media::source::Codec::Opus,
            format: Format::Opus(Head { channels, pre_skip: 0, input_rate: 0, output_gain: 0 }),
            start: Anchor { track: secs(at - 1), session: secs(at) },
            length: secs(length),
            bytes: 0,
            first: Sequence::ZERO,
            next: Sequence::ZERO,
            open,
        }
    }

    fn track(number: u16, participant: u128, parts: Vec<Part>) -> Track {
        Track {
            number: TrackNumber::new(number),
            participant: Uuid::from_u128(participant),
            name: "Ann".parse().unwrap(),
            parts,
            gaps: Vec::new(),
            anchors: Vec::new(),
            restarts: Vec::new(),
        }
    }

    fn recording(state: State, tracks: Vec<Track>, stays: &[(u128, u64, Option<u64>)], chat: &[u64]) -> Recording {
        let name = || "Ann".parse().unwrap();
        let stay = |&(participant, joined, left): &(u128, u64, Option<u64>)| Attendance {
            participant: Uuid::from_u128(participant),
            name: name(),
            joined: secs(joined),
            left: left.map(secs),
        };
        let line = |&at: &u64| Chat { at: secs(at), participant: Uuid::nil(), name: name(), text: String::new() };
        Recording {
            summary: Summary {
                id: RecordingId::new(UnixMillis::new(1), [0; 10]),
                room: "talk".parse().unwrap(),
                title: None,
                keep: false,
                published: None,
                started: UnixMillis::new(1),
                ended: None,
                state,
                length: secs(100),
                bytes: 0,
                people: Vec::new(),
                tracks: 0,
            },
            tracks,
            chat: chat.iter().map(line).collect(),
            attendance: stays.iter().map(stay).collect(),
            markers: Vec::new(),
            derived: Vec::new(),
        }
    }

    fn timeline(recording: &Recording) -> Timeline {
        let pins: Vec<_> = recording.tracks.iter().map(Pins::of).collect();
        Timeline::of(recording, &pins)
    }

    #[test]
    fn at_one_time_who_speaks_has_come_before_and_goes_after() {
        let tracks = vec![track(1, 1, vec![part(1, 2, 3, 1, false)])];
        let recording =
            recording(State::Ended(EndReason::Finished), tracks, &[(1, 2, Some(5)), (2, 0, None)], &[2, 5, 9]);
        let timeline = timeline(&recording);
        use Happening::{Chat, Joined, Left, Track, TrackEnded};
        let all: Vec<_> = timeline.between(Ticks::ZERO, Ticks::MAX).iter().map(|(_, happening)| *happening).collect();
        assert_eq!(all, [Joined(1), Joined(0), Track(0, 0), Chat(0), Chat(1), TrackEnded(0), Left(0), Chat(2)]);
        let some: Vec<_> = timeline.between(secs(3), secs(5)).to_vec();
        assert_eq!(some, []);
        let there = |at| timeline.people_at(secs(at)).map(|stay| stay.participant.as_u128()).collect::<Vec<_>>();
        assert_eq!((there(0), there(2), there(4), there(5)), (vec![2], vec![1, 2], vec![1, 2], vec![2]));
        let live = |at| timeline.tracks_at(secs(at)).count();
        assert_eq!((live(1), live(2), live(4), live(5)), (0, 1, 1, 0));
    }

    #[test]
    fn a_track_that_still_grows_has_no_end_and_another_format_is_told() {
        let parts = vec![part(1, 2, 3, 1, false), part(2, 70, 3, 1, false), part(3, 80, 3, 2, true)];
        let tracks = vec![track(1, 1, parts)];
        let live = recording(State::Live, tracks.clone(), &[], &[]);
        use Happening::{Joined, Left, Track, TrackEnded};
        let all = [(secs(2), Joined(0)), (secs(2), Track(0, 0)), (secs(80), Track(0, 2))];
        assert_eq!(timeline(&live).between(Ticks::ZERO, Ticks::MAX), all);
        // What a disk that failed left without its last page has an end all the same.
        let ended = recording(State::Ended(EndReason::IoError), tracks, &[], &[]);
        let ends = [(secs(83), TrackEnded(0)), (secs(83), Left(0))];
        assert_eq!(timeline(&ended).between(secs(81), Ticks::MAX), ends);
    }

    #[test]
    fn what_becomes_known_late_is_news_once() {
        let first = track(1, 1, vec![part(1, 2, 3, 1, true)]);
        let second = track(2, 2, vec![part(1, 4, 3, 1, true)]);
        let before = timeline(&recording(State::Live, vec![first.clone()], &[(1, 0, None), (2, 3, None)], &[4]));
        let stays = [(1, 0, None), (2, 3, Some(4))];
        let after = timeline(&recording(State::Live, vec![first, second], &stays, &[4, 9]));
        use Happening::{Left, Track};
        let news: Vec<_> = after.news(&before, secs(5)).collect();
        assert_eq!(news, [(secs(4), Track(1, 0)), (secs(4), Left(1))]);
        assert_eq!(after.news(&after, Ticks::MAX).count(), 0);
    }

    #[test]
    fn a_speaker_whom_nobody_saw_come_was_there_for_as_long_as_their_tracks() {
        let tracks = vec![track(1, 1, vec![part(1, 2, 3, 1, false)]), track(2, 1, vec![part(1, 8, 3, 1, false)])];
        let recording = recording(State::Ended(EndReason::Crashed), tracks, &[], &[]);
        let people = timeline(&recording).people;
        assert_eq!(people.len(), 1);
        assert_eq!((people[0].joined, people[0].left), (secs(2), Some(secs(11))));
    }
}
