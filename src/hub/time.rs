//! The one place that reads the clocks; everything below is given its times.

use std::time::{Instant, SystemTime};

use crate::media::time::{Moment, UnixMillis};

/// The hub's clocks: the monotonic one, counted from the process's start, and the wall's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Clocks of a process that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The monotonic time.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::since_start(self.start.elapsed())
    }

    /// The wall's time.
    #[must_use]
    pub fn wall(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
