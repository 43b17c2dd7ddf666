//! How a publisher's clock runs against the hub's, from the least delayed arrivals, and how the place follows it.

use std::collections::VecDeque;

use crate::media::time::Ticks;

/// Arrivals are judged by the least delayed one in each window of this length.
const WINDOW: Ticks = Ticks::from_secs(10);
/// Windows that the estimate looks back on: ten minutes.
const WINDOWS: usize = 60;
/// Windows before there is an estimate at all: a minute.
const FIRST: usize = 6;
/// One tick in so many may be moved: 500 ppm.
const SLOWEST_STEP: u64 = 2000;

/// The estimate of a track's drift.
///
/// A *delay* is an arrival minus the track's count then: a constant that nobody knows, plus the network's delay, plus the
/// drift. The least delay of each window is nearly free of the network's part; a line through those of the last minutes
/// is the drift.
#[derive(Clone, Debug, Default)]
pub struct Drift {
    windows: VecDeque<Window>,
    /// What the line said at first; the drift is what it says more than that.
    baseline: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    begin: Ticks,
    /// When the least delayed message arrived.
    at: Ticks,
    delay: i64,
}

impl Drift {
    /// A message arrived, and the track's count is `track` after it.
    pub fn arrival(&mut self, at: Ticks, track: Ticks) {
        let delay = at.signed_since(track);
        match self.windows.back_mut() {
            Some(window) if at < window.begin.saturating_add(WINDOW) => {
                if delay < window.delay {
                    (window.at, window.delay) = (at, delay);
                }
            }
            _ => {
                self.windows.push_back(Window { begin: at, at, delay });
                if self.windows.len() > WINDOWS {
                    self.windows.pop_front();
                }
            }
        }
    }

    /// How much later than usual a message is that arrives at `at` and brings the track's count to `track`.
    pub fn late(&self, at: Ticks, track: Ticks) -> Ticks {
        let usual = self.windows.iter().rev().take(2).map(|window| window.delay).min();
        let late = usual.map_or(0, |usual| at.signed_since(track).saturating_sub(usual));
        Ticks::new(late.max(0).cast_unsigned())
    }

    /// How many ticks later the track's sound is at `at` than its count says; negative where it is earlier. None before there is
    /// an estimate.
    #[expect(clippy::cast_possible_truncation, reason = "float to integer saturates; the value is a span of minutes")]
    pub fn error(&mut self, at: Ticks) -> Option<i64> {
        // The newest window is still filling: its least delay is not known yet.
        let whole = self.windows.len().saturating_sub(1);
        if whole < FIRST {
            return None;
        }
        let origin = self.windows[0].at;
        let line = Line::through(
            self.windows.iter().take(whole).map(|window| (float(window.at.signed_since(origin)), float(window.delay))),
        );
        let baseline = *self.baseline.get_or_insert_with(|| line.at(0.0));
        Some((line.at(float(at.signed_since(origin))) - baseline).round() as i64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ticks, six thousand years")]
fn float(ticks: i64) -> f64 {
    ticks as f64
}

/// A straight line.
#[derive(Clone, Copy, Debug)]
struct Line {
    zero: f64,
    slope: f64,
}

impl Line {
    /// The line of least squares; flat through points that share one place.
    fn through(points: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let (mut count, mut sum_x, mut sum_y) = (0.0, 0.0, 0.0);
        for (x, y) in points.clone() {
            count += 1.0;
            sum_x += x;
            sum_y += y;
        }
        let (mean_x, mean_y) = (sum_x / count, sum_y / count);
        let (mut above, mut below) = (0.0, 0.0);
        for (x, y) in points {
            above += (x - mean_x) * (y - mean_y);
            below += (x - mean_x) * (x - mean_x);
        }
        let slope = if below > 0.0 { above / below } else { 0.0 };
        Self { zero: mean_y - slope * mean_x, slope }
    }

    fn at(self, x: f64) -> f64 {
        self.zero + self.slope * x
    }
}

/// The place of a count on the session's clock, moving towards the estimate by at most 500 ppm.
#[derive(Clone, Copy, Debug)]
pub struct Slew {
    start: Ticks,
    moved: i64,
    aim: i64,
    /// Ticks of sound that may still be spent on moving.
    credit: u64,
}

impl Slew {
    /// A count that starts here.
    pub const fn new(start: Ticks) -> Self {
        Self { start, moved: 0, aim: 0, credit: 0 }
    }

    /// Where a place on the count lies on the session's clock.
    pub fn place(self, track: Ticks) -> Ticks {
        track.saturating_add_signed(self.offset())
    }

    /// What is added to the count, in ticks.
    pub fn offset(self) -> i64 {
        self.start.signed_since(Ticks::ZERO).saturating_add(self.moved)
    }

    /// What is added to the count once it has moved to where it aims, in ticks.
    pub fn aimed(self) -> i64 {
        self.start.signed_since(Ticks::ZERO).saturating_add(self.aim)
    }

    /// Where to move to, in ticks from where the count started.
    pub const fn aim(&mut self, aim: i64) {
        self.aim = aim;
    }

    /// So much sound went by: move as far as that allows.
    pub fn run(&mut self, sound: Ticks) {
        self.credit += sound.get();
        let step = (self.aim - self.moved).clamp(-self.steps(), self.steps());
        self.moved += step;
        self.credit -= step.unsigned_abs() * SLOWEST_STEP;
        // Time in which there was nothing to move is not saved up.
        self.credit = self.credit.min(SLOWEST_STEP - 1);
    }

    fn steps(self) -> i64 {
        (self.credit / SLOWEST_STEP).cast_signed()
    }
}
