//! A recording's own clock: a session may have several recordings, and each begins at zero, as do its tracks.
//!
//! What belongs here: telling by the recording's clock what a room tells by the session's, and by a track's count in the recording what
//! it tells by the track's own. What does not: when a recording begins.

use std::collections::HashMap;

use super::Entry;
use crate::archive::model::{Anchor, Gap};
use crate::hub::clock::Step;
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// Where a recording and its tracks begin.
#[derive(Debug, Default)]
pub struct Origin {
    /// On the session's clock.
    zero: Ticks,
    /// On each track's own count: its first packet in the recording.
    tracks: HashMap<TrackNumber, Ticks>,
}

impl Origin {
    /// The origin of a recording that begins here on the session's clock.
    #[must_use]
    pub fn new(zero: Ticks) -> Self {
        Self { zero, tracks: HashMap::new() }
    }

    /// The entry as the recording tells it.
    pub fn tell(&mut self, mut entry: Entry) -> Entry {
        match &mut entry {
            Entry::Sound { track, steps, .. } => {
                let first = steps.iter().find_map(|step| match step {
                    Step::Packet { track, .. } => Some(*track),
                    _ => None,
                });
                let begin = match (self.tracks.get(track), first) {
                    (Some(begin), _) => *begin,
                    (None, Some(first)) => *self.tracks.entry(*track).or_insert(first),
                    (None, None) => Ticks::ZERO,
                };
                self.steps(begin, steps);
            }
            Entry::Steps { track, steps } => {
                let begin = self.tracks.get(track).copied().unwrap_or_default();
                self.steps(begin, steps);
            }
            Entry::Chat(chat) => chat.at = chat.at.saturating_sub(self.zero),
            Entry::Mark(marker) => marker.at = marker.at.saturating_sub(self.zero),
            Entry::Joined(stay) => stay.joined = stay.joined.saturating_sub(self.zero),
            Entry::Left(_, at) => *at = at.saturating_sub(self.zero),
            Entry::EndTrack { .. } | Entry::State(_) | Entry::Finish(..) => {}
        }
        entry
    }

    fn steps(&self, begin: Ticks, steps: &mut [Step]) {
        let zero = self.zero;
        for step in steps {
            *step = match *step {
                Step::Anchor(Anchor { track, session }) => {
                    let track = track.saturating_sub(begin);
                    Step::Anchor(Anchor { track, session: session.saturating_sub(zero) })
                }
                Step::Packet { track, session } => {
                    Step::Packet { track: track.saturating_sub(begin), session: session.saturating_sub(zero) }
                }
                Step::Gap(gap) => Step::Gap(Gap { at: gap.at.saturating_sub(begin), ..gap }),
                Step::Settled(Some(gap)) => Step::Settled(Some(Gap { at: gap.at.saturating_sub(begin), ..gap })),
                same @ (Step::Held(_) | Step::Settled(None)) => same,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::model::{Chat, GapCause};

    #[test]
    fn a_later_recording_of_a_session_and_its_tracks_begin_at_zero() {
        let secs = Ticks::from_secs;
        let mut origin = Origin::new(secs(100));
        let track = TrackNumber::new(1);
        let first = Step::Packet { track: secs(90), session: secs(101) };
        let mut steps = [Step::Anchor(Anchor { track: secs(90), session: secs(101) }), first];
        let begin = *origin.tracks.entry(track).or_insert(secs(90));
        origin.steps(begin, &mut steps);
        let pinned = Step::Anchor(Anchor { track: secs(0), session: secs(1) });
        assert_eq!(steps, [pinned, Step::Packet { track: secs(0), session: secs(1) }]);

        let gap = Gap { at: secs(95), length: secs(2), cause: GapCause::Jump, filled: true };
        let told = origin.tell(Entry::Steps { track, steps: vec![Step::Gap(gap), Step::Held(secs(3))] });
        let Entry::Steps { steps, .. } = told else { panic!("{told:?}") };
        assert_eq!(steps, [Step::Gap(Gap { at: secs(5), ..gap }), Step::Held(secs(3))], "lengths stay");

        let name = "Ann".parse().unwrap();
        let chat = Chat { at: secs(130), participant: uuid::Uuid::nil(), name, text: String::new() };
        let told = origin.tell(Entry::Chat(chat));
        assert!(matches!(told, Entry::Chat(chat) if chat.at == secs(30)));
    }
}
