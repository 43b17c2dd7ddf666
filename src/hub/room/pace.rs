//! How often a room tells the hub what has changed in it: at once, and then not again for a while.
//!
//! What belongs here: when it is due. What does not: what is told (`state.rs`), and to whom (the registry).

use std::time::Duration;

use crate::media::time::Moment;

/// At most so often; whatever changes meanwhile is told together.
pub const EVERY: Duration = Duration::from_millis(250);

/// When the hub is to be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    waiting: bool,
    told: Option<Moment>,
}

impl Pace {
    /// Something has changed.
    pub const fn changed(&mut self) {
        self.waiting = true;
    }

    /// Whether something waits to be told.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Whether it is to be told now; if so, it is taken for told.
    pub fn take(&mut self, now: Moment) -> bool {
        let due = self.waiting && self.told.is_none_or(|told| now.since(told) >= EVERY);
        if due {
            *self = Self { waiting: false, told: Some(now) };
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(millis))
    }

    #[test]
    fn the_first_change_is_told_at_once_and_those_that_follow_together() {
        let mut pace = Pace::default();
        assert!(!pace.take(at(0)));
        pace.changed();
        assert!(pace.take(at(0)));
        assert!(!pace.take(at(1)));
        let mut told = 0;
        for millis in 1..1000 {
            pace.changed();
            told += usize::from(pace.take(at(millis)));
        }
        assert_eq!(told, 3);
        assert!(pace.is_waiting());
        assert!(pace.take(at(1000)));
        assert!(!pace.is_waiting());
    }

    #[test]
    fn after_a_rest_a_change_is_told_at_once_again() {
        let mut pace = Pace::default();
        for millis in [0, 250, 251 + 250] {
            pace.changed();
            assert!(pace.take(at(millis)));
        }
    }
}
