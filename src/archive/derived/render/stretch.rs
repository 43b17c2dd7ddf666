//! Where a track's own count lies on the session's clock, as exactly as a place between two samples.
//!
//! What belongs here: the stretches between a track's pins ([`Pins`]), as far as its parts go. What does not: sound.

use std::ops::Range;

use crate::archive::model::{Anchor, Pins, Track};
use crate::media::time::Ticks;

/// A stretch of the session's clock in which a track's count runs evenly within one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which of the track's parts: an index.
    pub part: usize,
    /// From here to there, on the session's clock, in ticks.
    pub begin: u64,
    pub end: u64,
    from: Anchor,
    /// So many ticks of the track in so many of the session.
    track: u64,
    session: u64,
}

impl Stretch {
    /// Whether a tick is a tick on both.
    pub const fn is_even(&self) -> bool {
        self.track == self.session
    }

    /// What of a span lies in it.
    pub fn within(&self, span: &Range<u64>) -> Range<u64> {
        self.begin.max(span.start)..self.end.min(span.end)
    }

    /// The place on the track's count of a time within: whole ticks, and what lies behind the last of them, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share of two lengths, each far below 2^53")]
    pub fn place(&self, time: u64) -> (u64, f64) {
        let gone = time.saturating_sub(self.from.session.get());
        let (whole, rest) = match gone.checked_mul(self.track) {
            Some(product) => (product / self.session, product % self.session),
            None => {
                let product = u128::from(gone) * u128::from(self.track);
                let (whole, rest) = (product / u128::from(self.session), product % u128::from(self.session));
                (u64::try_from(whole).unwrap_or(u64::MAX), u64::try_from(rest).unwrap_or(0))
            }
        };
        (self.from.track.get().saturating_add(whole), rest as f64 / self.session as f64)
    }

    /// The first time at which the track's count has come to a place.
    fn time(&self, place: Ticks) -> u64 {
        let gone = place.saturating_sub(self.from.track).get();
        let time = (u128::from(gone) * u128::from(self.session)).div_ceil(u128::from(self.track));
        self.from.session.get().saturating_add(u64::try_from(time).unwrap_or(u64::MAX))
    }
}

/// The stretches of a track, in order, none over another: where pins contradict each other the earlier one holds.
pub fn stretches(track: &Track) -> Vec<Stretch> {
    let pins = Pins::of(track);
    let pins = pins.anchors();
    let mut stretches: Vec<Stretch> = Vec::new();
    for (part, of) in track.parts.iter().enumerate() {
        let (start, end) = (of.start.track, of.start.track.saturating_add(of.length));
        // The last pin of those at one place is the one that holds there.
        let first = pins.partition_point(|pin| pin.track <= start).saturating_sub(1);
        for (index, pin) in pins.iter().enumerate().skip(first).take_while(|(_, pin)| pin.track < end) {
            let next = pins.get(index + 1);
            let (track, session) = match next {
                Some(next) => {
                    (next.track.saturating_sub(pin.track).get(), next.session.saturating_sub(pin.session).get())
                }
                None => (1, 1),
            };
            if track == 0 || session == 0 {
                continue;
            }
            let mut stretch = Stretch { part, begin: 0, end: 0, from: *pin, track, session };
            let before = stretches.last().map_or(0, |last| last.end);
            stretch.begin = stretch.time(start.max(pin.track)).max(before);
            stretch.end = stretch.time(next.map_or(end, |next| end.min(next.track)));
            if stretch.begin < stretch.end {
                stretches.push(stretch);
            }
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::archive::model::Part;
    use crate::media::opus;
    use crate::media::packet::Sequence;
    use crate::media::source::Codec;
    use crate::media::track::{Format, TrackNumber};

    fn anchor(track: u64, session: u64) -> Anchor {
        Anchor { track: Ticks::new(track), session: Ticks::new(session) }
    }

    fn track(parts: &[(Anchor, u64)], anchors: &[Anchor]) -> Track {
        let head = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
        let part = |(index, &(start, length)): (usize, &(Anchor, u64))| Part {
            number: u32::try_from(index + 1).unwrap(),
            file: String::new(),
            format: Format::Opus(head),
            source: Codec::Opus,
            start,
            length: Ticks::new(length),
            bytes: 0,
            first: Sequence::ZERO,
            next: Sequence::ZERO,
            open: false,
        };
        Track {
            number: TrackNumber::new(1),
            participant: Uuid::nil(),
            name: "Ann".parse().unwrap(),
            parts: parts.iter().enumerate().map(part).collect(),
            gaps: Vec::new(),
            anchors: anchors.to_vec(),
            restarts: Vec::new(),
        }
    }

    #[test]
    fn a_track_that_does_not_drift_is_read_sample_for_sample() {
        let track = track(&[(anchor(0, 500), 10_000), (anchor(90_000, 90_500), 100)], &[anchor(4000, 4500)]);
        let stretches = stretches(&track);
        let spans: Vec<_> = stretches.iter().map(|stretch| (stretch.part, stretch.begin, stretch.end)).collect();
        assert_eq!(spans, [(0, 500, 4500), (0, 4500, 10_500), (1, 90_500, 90_600)]);
        for stretch in stretches {
            assert!(stretch.is_even());
            for time in [stretch.begin, stretch.end - 1] {
                assert_eq!(stretch.place(time), (time - 500, 0.0));
            }
        }
    }

    #[test]
    fn pins_that_contradict_each_other_give_no_time_twice() {
        let track = track(
            &[(anchor(0, 1000), 5000), (anchor(5000, 4000), 5000)],
            &[anchor(2000, 9000), anchor(2000, 3500), anchor(3000, 3000), anchor(4000, 3000)],
        );
        let stretches = stretches(&track);
        assert!(stretches.windows(2).all(|pair| pair[0].end <= pair[1].begin), "{stretches:?}");
        assert!(!stretches.is_empty());
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_pins(
            start in 0..1_u64 << 40,
            steps in prop::collection::vec((1000..1_u64 << 28, -500..500_i64), 1..8),
            at in any::<prop::sample::Index>(),
        ) {
            let mut anchors = Vec::new();
            let (mut of_track, mut session) = (0_u64, start);
            for (length, ppm) in steps {
                of_track += length;
                session = session.saturating_add_signed(i64::try_from(length).unwrap() * (1_000_000 + ppm) / 1_000_000);
                anchors.push(anchor(of_track, session));
            }
            let track = track(&[(anchor(0, start), of_track + 5000)], &anchors);
            let all = stretches(&track);
            prop_assert!(all.windows(2).all(|pair| pair[0].end == pair[1].begin));
            prop_assert_eq!((all[0].begin, all[all.len() - 1].end), (start, session + 5000));
            let stretch = all[at.index(all.len())];
            let time = stretch.begin + at.index(usize::try_from(stretch.end - stretch.begin).unwrap()) as u64;
            let (whole, fraction) = stretch.place(time);
            prop_assert!((0.0..1.0).contains(&fraction));
            prop_assert!(track.session(Ticks::new(whole)).get() <= time);
            prop_assert!(track.session(Ticks::new(whole + 1)).get() >= time);
        }
    }
}
