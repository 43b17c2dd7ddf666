//! What is to be made, by whom it is being made, and how far that is: shared by the makers and all who wait.
//!
//! What belongs here: plain decisions about what is made next. What does not: the making (`maker`).
//!
//! Two makers share the work. What someone waits for goes first, and either takes it. What is made unasked keeps at most one of them,
//! and that one only from file to file, so that whoever waits is never behind a whole recording. No file is made by two at a time,
//! nor one while another makes what it is made of.
//!
//! The queues are short ([`MOST_ASKED`]), because the index knows what is still to be made unasked: when they are full, and at each
//! start, the makers go through all recordings that have ended and lack something by the index. What someone removed from the disk is
//! made again when it is asked for, or a check has missed it.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::recipe::{self, Work};
use super::waves::Waves;
use crate::archive::handle::NotMade;
use crate::archive::index::derived::Walked;
use crate::archive::model::{Edition, RecordingId};

/// How many recordings may wait to be gone through, and how many files to be made for someone.
const MOST_ASKED: usize = 64;
/// How many failures are kept for those who ask.
const MOST_FAILED: usize = 64;
/// How long. Whoever waits asks every few seconds; whoever comes later has it tried again.
const FAILED_FOR: Duration = Duration::from_secs(60);

/// The orders of all makers of an archive.
#[derive(Debug)]
pub(in crate::archive) struct Orders {
    state: Mutex<State>,
    waves: Arc<Waves>,
    /// Told whenever there may be something to do, or something is done.
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    /// The files that someone waits for.
    waiting: VecDeque<(RecordingId, Edition)>,
    /// The recordings to be gone through for what is made unasked.
    asked: VecDeque<RecordingId>,
    /// The recordings that are being deleted.
    kept_off: Vec<RecordingId>,
    /// What could not be made, until someone asks.
    failed: VecDeque<Failure>,
    /// What is being done, each by one maker.
    busy: Vec<Busy>,
    /// Where the makers are on their way through all that is still to be made.
    walk: Option<Walked>,
    stopping: bool,
    /// How many there are.
    makers: usize,
}

/// A file that could not be made.
#[derive(Debug)]
struct Failure {
    id: RecordingId,
    what: Edition,
    why: NotMade,
    at: Instant,
}

/// What a maker is at.
#[derive(Debug)]
struct Busy {
    id: RecordingId,
    /// Whether it goes through a recording for what is made unasked.
    unasked: bool,
    /// What it makes now, and what that is made of.
    files: Vec<Edition>,
    work: Arc<Work>,
}

/// A maker's hold on a recording: while it lives, nobody deletes that.
#[derive(Debug)]
pub(in crate::archive) struct Held {
    orders: Arc<Orders>,
    /// Which.
    pub id: RecordingId,
    /// How far it is with the file that it makes.
    pub work: Arc<Work>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.orders.state().busy.retain(|busy| !Arc::ptr_eq(&busy.work, &self.work));
        self.orders.changed.send_replace(());
    }
}

/// What a maker does next.
#[derive(Debug)]
pub(super) enum Next {
    Stop,
    /// Someone waits for this file.
    Make(Held, Edition),
    /// Make what a recording lacks.
    Visit(Held),
    /// Look for what is still to be made, from here on.
    Walk(Walked),
    Wait,
}

impl Default for Orders {
    fn default() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            asked: VecDeque::new(),
            kept_off: Vec::new(),
            failed: VecDeque::new(),
            busy: Vec::new(),
            walk: Some(Walked::BEGIN),
            stopping: false,
            makers: 0,
        };
        Self { state: Mutex::new(state), waves: Arc::default(), changed: watch::Sender::new(()) }
    }
}

impl Orders {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was gathered of recordings' peaks.
    pub const fn waves(&self) -> &Arc<Waves> {
        &self.waves
    }

    /// A recording has ended, or what is derived from it is outdated.
    pub fn ask(&self, id: RecordingId) {
        let mut state = self.state();
        if state.asked.len() >= MOST_ASKED {
            state.walk = Some(Walked::BEGIN);
        } else if !state.asked.contains(&id) {
            state.asked.push_back(id);
        }
        drop(state);
        self.changed.send_replace(());
    }

    /// Someone waits for a file that is derived from a recording. Gives how far it is, or why it failed since it was last asked for;
    /// whoever asks once more has it tried again.
    pub fn want(&self, id: RecordingId, what: Edition) -> Result<f64, NotMade> {
        let mut state = self.state();
        state.failed.retain(|failure| failure.at.elapsed() < FAILED_FOR);
        let failed = state.failed.iter().position(|failure| (failure.id, failure.what) == (id, what));
        if let Some(failure) = failed.and_then(|index| state.failed.remove(index)) {
            return Err(failure.why);
        }
        if let Some(progress) = state.progress(id, what) {
            return Ok(progress);
        }
        if !state.waiting.contains(&(id, what)) {
            if state.waiting.len() >= MOST_ASKED {
                // Who still waits for it asks again.
                state.waiting.pop_front();
            }
            state.waiting.push_back((id, what));
        }
        drop(state);
        self.changed.send_replace(());
        Ok(0.0)
    }

    /// What is being made of a recording, or waits for it, and how far each is, from 0 to 1.
    pub fn making(&self, id: RecordingId) -> Vec<(Edition, f64)> {
        let state = self.state();
        let busy = state.busy.iter().filter(|busy| busy.id == id);
        let made = busy.filter_map(|busy| Some((*busy.files.last()?, busy.work.progress())));
        let waiting = state.waiting.iter().filter(|(of, _)| *of == id).map(|(_, what)| (*what, 0.0));
        made.chain(waiting).collect()
    }

    /// Takes what someone waits for of a recording.
    #[cfg(test)]
    pub(in crate::archive) fn waited(&self, held: &Held) -> Option<Edition> {
        let mut state = self.state();
        state.set(held, Vec::new());
        let index = state.waiting.iter().position(|(id, what)| *id == held.id && state.is_free(*id, *what))?;
        state.waiting.remove(index).map(|(_, what)| what)
    }

    #[cfg(test)]
    pub fn waits_for(&self, id: RecordingId, what: impl Into<Edition>) -> bool {
        self.state().waiting.contains(&(id, what.into()))
    }

    /// Keeps the makers off a recording that is about to be deleted; resolves when they have let go of it.
    pub async fn keep_off(self: &Arc<Self>, id: RecordingId) -> KeptOff {
        let mut changed = self.changed.subscribe();
        let kept = {
            let mut state = self.state();
            state.kept_off.push(id);
            let mut asked = state.asked.contains(&id);
            state.asked.retain(|asked| *asked != id);
            let all = mem::take(&mut state.waiting);
            let (mut waiting, others): (Vec<_>, _) = all.into_iter().partition(|(of, _)| *of == id);
            state.waiting = others.into();
            for busy in state.busy.iter().filter(|busy| busy.id == id) {
                busy.work.stop();
                asked |= busy.unasked;
                waiting.extend(busy.files.last().filter(|_| !busy.unasked).map(|what| (id, *what)));
            }
            KeptOff { orders: Arc::clone(self), id, asked, waiting }
        };
        while self.state().busy.iter().any(|busy| busy.id == id) {
            // The sender lives as long as we do.
            let _ = changed.changed().await;
        }
        self.waves.forget(id);
        kept
    }

    /// Tells the makers to stop: within one small step.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.busy.iter().for_each(|busy| busy.work.stop());
        drop(state);
        self.waves.stop();
        self.changed.send_replace(());
    }

    /// Resolves when there is no maker any more, and nobody who follows recordings.
    pub async fn stopped(&self) {
        self.waves.stopped().await;
        let mut changed = self.changed.subscribe();
        while self.state().makers > 0 {
            let _ = changed.changed().await;
        }
    }

    /// Told of every change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes what is next; the maker is at it as long as it holds what it gets.
    pub(super) fn take(self: &Arc<Self>) -> Next {
        let mut state = self.state();
        if state.stopping {
            return Next::Stop;
        }
        let next = state.waiting.iter().position(|(id, what)| state.is_free(*id, *what));
        if let Some((id, what)) = next.and_then(|index| state.waiting.remove(index)) {
            let held = self.hold(&mut state, id, false);
            state.set(&held, files(what));
            return Next::Make(held, what);
        }
        if state.busy.iter().any(|busy| busy.unasked) {
            return Next::Wait;
        }
        while let Some(id) = state.asked.pop_front() {
            if !state.kept_off.contains(&id) {
                return Next::Visit(self.hold(&mut state, id, true));
            }
        }
        state.walk.map_or(Next::Wait, Next::Walk)
    }

    /// A hold on a recording for what is made unasked, whatever else there is to do.
    #[cfg(test)]
    pub(in crate::archive) fn visit(self: &Arc<Self>, id: RecordingId) -> Held {
        self.hold(&mut self.state(), id, true)
    }

    fn hold(self: &Arc<Self>, state: &mut State, id: RecordingId, unasked: bool) -> Held {
        let work = Arc::new(Work::default());
        if state.stopping {
            work.stop();
        }
        state.busy.push(Busy { id, unasked, files: Vec::new(), work: Arc::clone(&work) });
        Held { orders: Arc::clone(self), id, work }
    }

    /// The maker begins with a file of the recording that it holds; false where another is at it, or at what it is made of.
    pub(super) fn begin_file(&self, held: &Held, what: Edition) -> bool {
        let mut state = self.state();
        let free = state.is_free_but_for(held, what);
        if free {
            state.set(held, files(what));
        }
        free
    }

    /// Whether a maker is at a file, or needs it for what it is at.
    pub(in crate::archive) fn is_needed(&self, id: RecordingId, what: Edition) -> bool {
        self.state().busy.iter().any(|busy| busy.id == id && busy.files.contains(&what))
    }

    /// Whether another maker is at a file of a recording that one holds, or needs it.
    pub(super) fn is_anothers(&self, held: &Held, what: Edition) -> bool {
        let other = |busy: &&Busy| busy.id == held.id && !Arc::ptr_eq(&busy.work, &held.work);
        self.state().busy.iter().filter(other).any(|busy| busy.files.contains(&what))
    }

    /// Whether someone waits for something: what is made unasked is put off then, and gone on with later.
    pub(super) fn puts_off(&self, held: &Held) -> bool {
        let mut state = self.state();
        state.set(held, Vec::new());
        let waits = state.waiting.iter().any(|(id, what)| state.is_free(*id, *what));
        if waits && !state.asked.contains(&held.id) && !state.kept_off.contains(&held.id) {
            state.asked.push_front(held.id);
        }
        waits
    }

    /// The makers have walked on from there, to this recording or to the end.
    pub(super) fn walked(&self, from: Walked, to: Option<(Walked, RecordingId)>) {
        let mut state = self.state();
        // Unless the walk was begun anew meanwhile.
        if state.walk == Some(from) {
            state.walk = to.map(|(walked, _)| walked);
        }
        state.asked.extend(to.map(|(_, id)| id));
        drop(state);
        self.changed.send_replace(());
    }

    /// A file could not be made.
    pub(super) fn failed(&self, id: RecordingId, what: Edition, why: NotMade) {
        self.failed_at(id, what, why, Instant::now());
    }

    fn failed_at(&self, id: RecordingId, what: Edition, why: NotMade, at: Instant) {
        self.made(id, what);
        let mut state = self.state();
        if state.failed.len() >= MOST_FAILED {
            state.failed.pop_front();
        }
        state.failed.push_back(Failure { id, what, why, at });
    }

    /// A file was made: that it could not be is over.
    pub(super) fn made(&self, id: RecordingId, what: Edition) {
        self.state().failed.retain(|failure| (failure.id, failure.what) != (id, what));
    }

    /// There is one maker more from now on.
    pub fn begin(&self) {
        self.state().makers += 1;
    }

    /// There is one maker less.
    pub fn end(&self) {
        let mut state = self.state();
        state.makers = state.makers.saturating_sub(1);
        drop(state);
        self.changed.send_replace(());
    }
}

impl State {
    /// How far a file is that is being made, by itself or for another.
    fn progress(&self, id: RecordingId, what: Edition) -> Option<f64> {
        let busy = self.busy.iter().find(|busy| busy.id == id && busy.files.contains(&what))?;
        Some(busy.work.progress())
    }

    /// Whether nobody is at a file or at what it is made of.
    fn is_free(&self, id: RecordingId, what: Edition) -> bool {
        let needs = |busy: &Busy| files(what).iter().any(|file| busy.files.contains(file));
        !self.kept_off.contains(&id) && !self.busy.iter().any(|busy| busy.id == id && needs(busy))
    }

    fn is_free_but_for(&self, held: &Held, what: Edition) -> bool {
        let needs = |busy: &Busy| files(what).iter().any(|file| busy.files.contains(file));
        let other = |busy: &&Busy| busy.id == held.id && !Arc::ptr_eq(&busy.work, &held.work);
        !self.busy.iter().filter(other).any(needs)
    }

    /// Whoever holds this is at these files.
    fn set(&mut self, held: &Held, files: Vec<Edition>) {
        if let Some(busy) = self.busy.iter_mut().find(|busy| Arc::ptr_eq(&busy.work, &held.work)) {
            busy.files = files;
        }
    }
}

/// A file, behind what it is made of.
fn files(what: Edition) -> Vec<Edition> {
    recipe::made_of(what).into_iter().chain([what]).collect()
}

/// While it lives, nothing is derived from a recording. What was to be made goes on behind it, unless the recording is gone.
#[derive(Debug)]
pub(in crate::archive) struct KeptOff {
    orders: Arc<Orders>,
    id: RecordingId,
    /// Whether it was to be gone through for what is made unasked.
    asked: bool,
    /// What of it someone waited for.
    waiting: Vec<(RecordingId, Edition)>,
}

impl KeptOff {
    /// The recording is gone.
    pub fn gone(mut self) {
        self.asked = false;
        self.waiting.clear();
    }
}

impl Drop for KeptOff {
    fn drop(&mut self) {
        let mut state = self.orders.state();
        if let Some(index) = state.kept_off.iter().position(|id| *id == self.id) {
            state.kept_off.swap_remove(index);
        }
        for waits in mem::take(&mut self.waiting) {
            if state.waiting.len() < MOST_ASKED && !state.waiting.contains(&waits) {
                state.waiting.push_back(waits);
            }
        }
        drop(state);
        if self.asked {
            self.orders.ask(self.id);
        }
        self.orders.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests;
