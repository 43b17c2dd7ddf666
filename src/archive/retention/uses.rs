//! Which recordings somebody reads just now, and what retention remembers from one look to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Count, Deleted, Limits, Reason, Space};
use crate::archive::model::RecordingId;
use crate::media::time::UnixMillis;

/// What all who read recordings share with who deletes them.
#[derive(Debug, Default)]
pub(in crate::archive) struct Retention {
    state: Mutex<State>,
    /// Something that stayed because it was read is no longer read.
    pub(in crate::archive) freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many read a recording.
    uses: HashMap<RecordingId, usize>,
    /// Whether something stayed because it is read.
    spared: bool,
    limits: Limits,
    /// The start of this run, once there was one.
    since: Option<UnixMillis>,
    low: bool,
    unmet: Vec<Reason>,
    deleted: HashMap<Reason, Count>,
}

/// While it lives, someone downloads or replays a recording.
#[derive(Debug)]
pub struct InUse {
    retention: Arc<Retention>,
    id: RecordingId,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.retention.state();
        if let Some(count) = state.uses.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                state.uses.remove(&self.id);
                if std::mem::take(&mut state.spared) {
                    self.retention.freed.notify_one();
                }
            }
        }
    }
}

impl Retention {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Someone begins to read a recording.
    pub fn in_use(self: &Arc<Self>, id: RecordingId) -> InUse {
        *self.state().uses.entry(id).or_default() += 1;
        InUse { retention: Arc::clone(self), id }
    }

    /// Whether someone reads a recording, which is why it stays; when nobody does any more, [`Self::freed`] is told.
    pub(super) fn spares(&self, id: RecordingId) -> bool {
        let mut state = self.state();
        let used = state.uses.contains_key(&id);
        state.spared |= used;
        used
    }

    /// A run begins.
    pub(super) fn begin(&self, limits: Limits, now: UnixMillis) {
        let mut state = self.state();
        (state.limits, state.since) = (limits, Some(now));
    }

    pub(super) fn limits(&self) -> Limits {
        self.state().limits
    }

    /// What was measured of the disk; says whether it has just become low, or no longer is.
    pub(super) fn measured(&self, space: Space) -> Option<bool> {
        let mut state = self.state();
        let crossed = state.low != space.is_low();
        state.low = space.is_low();
        crossed.then_some(state.low)
    }

    /// Which limits are passed though everything went that may; gives those that were not before.
    pub(super) fn unmet(&self, unmet: Vec<Reason>) -> Vec<Reason> {
        let mut state = self.state();
        let new = unmet.iter().copied().filter(|reason| !state.unmet.contains(reason)).collect();
        state.unmet = unmet;
        new
    }

    /// A recording of so many bytes went.
    pub(super) fn count(&self, reason: Reason, bytes: u64) {
        let mut state = self.state();
        let count = state.deleted.entry(reason).or_default();
        count.recordings += 1;
        count.bytes = count.bytes.saturating_add(bytes);
    }

    /// What is known without the index: the limits, which of them are passed, and what went.
    pub(super) fn told(&self) -> (Limits, Vec<Reason>, Deleted) {
        let state = self.state();
        let by = |reason| (reason, state.deleted.get(&reason).copied().unwrap_or_default());
        let deleted = Deleted { since: state.since, by: Reason::ALL.map(by).to_vec(), latest: Vec::new() };
        (state.limits, state.unmet.clone(), deleted)
    }
}
