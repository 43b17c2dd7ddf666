//! How much a client may hand to the others beside sound: text, and binary that is relayed.
//!
//! What belongs here: the arithmetic of a budget, given the time. What does not: who waits, and what is said.

use std::time::Duration;

use crate::media::time::Moment;

/// Bytes a second. More than uncompressed stereo at 48 kHz has, as floats.
const RATE: u64 = 1024 * 1024;
/// What may come at once, in bytes, after a while without any.
const BURST: u64 = 256 * 1024;
/// What each message costs beside its bytes, so that a flood of small ones is slowed too.
const MESSAGE: u64 = 1024;
/// Text counts as many times: of what waits for one who is slow it is the last to be left out.
const TEXT: u64 = 4;

/// A client's budget. A message goes as soon as it is there; the next one waits until it is paid for. So a client that says
/// more than anyone can listen to is slowed down, and those who listen are not sent away for it.
#[derive(Debug, Default)]
pub struct Budget {
    /// When everything is paid for.
    paid: Moment,
}

impl Budget {
    /// A text of so many bytes is said: how long until the next message may be.
    pub fn say(&mut self, now: Moment, bytes: usize) -> Duration {
        self.spend(now, (bytes as u64).saturating_mul(TEXT))
    }

    /// A message of so many bytes is relayed: how long until the next may be.
    pub fn relay(&mut self, now: Moment, bytes: usize) -> Duration {
        self.spend(now, bytes as u64)
    }

    fn spend(&mut self, now: Moment, bytes: u64) -> Duration {
        self.paid = self.paid.max(now).after(at_rate(bytes.saturating_add(MESSAGE)));
        self.paid.since(now).saturating_sub(at_rate(BURST))
    }
}

fn at_rate(bytes: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(millis))
    }

    #[test]
    fn talk_and_uncompressed_sound_never_wait() {
        let mut budget = Budget::default();
        for tenth in 0..1000 {
            assert_eq!(budget.relay(at(tenth * 100), 48_000 * 2 * 4 / 10), Duration::ZERO);
            assert_eq!(budget.say(at(tenth * 100), 500), Duration::ZERO);
        }
    }

    #[test]
    fn a_flood_is_slowed_to_the_rate() {
        let mut budget = Budget::default();
        let mut now = Moment::START;
        for _ in 0..100 {
            now = now.after(budget.relay(now, 1024 * 1024));
        }
        let (least, most) = (Duration::from_millis(99_000), Duration::from_millis(101_000));
        let took = now.since(Moment::START);
        assert!((least..most).contains(&took), "{took:?}");
        for _ in 0..100_000 {
            now = now.after(budget.say(now, 1));
        }
        assert!(now.since(Moment::START) > took.saturating_add(Duration::from_secs(20)), "small ones too");
    }
}
