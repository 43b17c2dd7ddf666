//! The maker: one thread of low priority that makes what is derived from recordings, one file after another.
//!
//! What belongs here: what is made next, stopping, and telling the writer of each file that is there. What does not: how a
//! file is made.
//!
//! Its queue is short ([`MOST_ASKED`]), because the index knows what is still to be made: when the queue is full, and at
//! each start, the maker goes through all recordings that have ended and lack something by the index. What someone removed from the
//! disk is made again when it is asked for, or a check has missed it. It holds nothing up: it reads the index
//! by a connection of its own, reads and writes files in small steps, and looks between any two of them whether it is to stop.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::sqlite::SqlitePool;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::files::{self, NewFile, Written};
use super::recipe::{self, Origin, RECIPES, Stopped, Work};
use super::waves::Waves;
use crate::archive::handle::Error;
use crate::archive::index;
use crate::archive::index::derived::Walked;
use crate::archive::lock::Lock;
use crate::archive::model::{DerivedFile, Edition, RecordingId};
use crate::archive::names;
use crate::archive::store::Store;
use crate::archive::writer::{Command, DerivedNews, Trouble};

/// How many recordings may wait to be asked for by name.
const MOST_ASKED: usize = 64;
/// How many bytes of all recordings together may be there because someone asked for them: 16 GiB. What was just made stays.
pub(super) const MOST_ASKED_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// How many failures are kept for those who ask.
const MOST_FAILED: usize = 64;
/// How nice the thread is to all others (`setpriority`): nicer is not possible.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// What the maker is to make, and what it is at: shared by all who ask.
#[derive(Debug)]
pub(in crate::archive) struct Orders {
    state: Mutex<State>,
    work: Work,
    waves: Arc<Waves>,
    wake: Notify,
    at: watch::Sender<At>,
}

#[derive(Debug, Default)]
struct State {
    asked: VecDeque<RecordingId>,
    /// The files that are made only because someone waits for them.
    files: VecDeque<(RecordingId, Edition)>,
    /// The recordings that are being deleted.
    kept_off: Vec<RecordingId>,
    /// What could not be made, and why, until someone asks.
    failed: VecDeque<(RecordingId, String)>,
    /// Where the maker is on its way through all that is still to be made.
    walk: Option<Walked>,
    stopping: bool,
}

/// Where the maker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// There is none.
    Gone,
    /// It has nothing to do.
    Idle,
    /// It makes what is derived from this recording.
    Making(RecordingId),
}

impl Default for Orders {
    fn default() -> Self {
        let state = State { walk: Some(Walked::BEGIN), ..State::default() };
        let (at, _) = watch::channel(At::Gone);
        Self { state: Mutex::new(state), work: Work::default(), waves: Arc::default(), wake: Notify::new(), at }
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
        self.wake.notify_one();
    }

    /// Someone waits for a file that is derived from a recording: it goes first. Gives how far it is, or why it failed since it
    /// was last asked for; whoever asks once more has it tried again.
    pub fn want(&self, id: RecordingId, what: Edition) -> Result<f64, String> {
        let mut state = self.state();
        let making = *self.at.borrow() == At::Making(id);
        if let Some(index) = state.failed.iter().position(|(failed, _)| *failed == id)
            && let Some((_, why)) = state.failed.remove(index)
        {
            return Err(why);
        }
        if !state.files.contains(&(id, what)) {
            if state.files.len() >= MOST_ASKED {
                state.files.pop_front();
            }
            state.files.push_back((id, what));
        }
        // Also where the maker is at it: the file may have gone since it looked. To find all there costs it little.
        state.asked.retain(|asked| *asked != id);
        state.asked.push_front(id);
        if state.asked.len() > MOST_ASKED {
            state.asked.pop_back();
            state.walk = Some(Walked::BEGIN);
        }
        drop(state);
        self.wake.notify_one();
        Ok(if making { self.work.progress() } else { 0.0 })
    }

    /// The files of a recording that someone waits for.
    fn files(&self, id: RecordingId) -> Vec<Edition> {
        self.state().files.iter().filter(|(of, _)| *of == id).map(|(_, what)| *what).collect()
    }

    #[cfg(test)]
    pub fn waits_for(&self, id: RecordingId, what: impl Into<Edition>) -> bool {
        self.files(id).contains(&what.into())
    }

    /// Nobody waits for them any more: they are there, or cannot be made.
    fn settled(&self, id: RecordingId, files: &[Edition]) {
        self.state().files.retain(|(of, what)| *of != id || !files.contains(what));
    }

    /// Keeps the maker off a recording that is about to be deleted; resolves when it has let go of it.
    pub async fn keep_off(self: &Arc<Self>, id: RecordingId) -> KeptOff {
        let mut at = self.at.subscribe();
        {
            let mut state = self.state();
            state.kept_off.push(id);
            state.asked.retain(|asked| *asked != id);
            state.files.retain(|(of, _)| *of != id);
            if *self.at.borrow() == At::Making(id) {
                self.work.stop();
            }
        }
        let kept = KeptOff { orders: Arc::clone(self), id };
        // The sender lives as long as we do.
        let _ = at.wait_for(|at| *at != At::Making(id)).await;
        self.waves.forget(id);
        kept
    }

    /// Tells the maker to stop: within one small step.
    pub fn stop(&self) {
        self.state().stopping = true;
        self.work.stop();
        self.waves.stop();
        self.wake.notify_one();
    }

    /// Resolves when there is no maker any more, and nobody who follows recordings.
    pub async fn stopped(&self) {
        self.waves.stopped().await;
        let _ = self.at.subscribe().wait_for(|at| *at == At::Gone).await;
    }

    /// Takes what is next; the maker is at it from then on.
    fn take(&self) -> Next {
        let mut state = self.state();
        if state.stopping {
            return Next::Stop;
        }
        while let Some(id) = state.asked.pop_front() {
            if !state.kept_off.contains(&id) {
                self.work.begin();
                self.at.send_replace(At::Making(id));
                return Next::Make(id);
            }
        }
        state.walk.map_or(Next::Wait, Next::Walk)
    }

    /// The maker has walked on from there, to this recording or to the end.
    fn walked(&self, from: Walked, to: Option<(Walked, RecordingId)>) {
        let mut state = self.state();
        // Unless the walk was begun anew meanwhile.
        if state.walk == Some(from) {
            state.walk = to.map(|(walked, _)| walked);
        }
        state.asked.extend(to.map(|(_, id)| id));
    }

    fn failed(&self, id: RecordingId, why: String) {
        let mut state = self.state();
        state.failed.retain(|(failed, _)| *failed != id);
        if state.failed.len() >= MOST_FAILED {
            state.failed.pop_front();
        }
        state.failed.push_back((id, why));
    }

    /// There is a maker from now on.
    pub fn begin(&self) {
        self.at.send_replace(At::Idle);
    }

    /// There is no maker any more.
    pub fn end(&self) {
        self.at.send_replace(At::Gone);
    }
}

/// What the maker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stop,
    Make(RecordingId),
    /// Look for what is still to be made, from here on.
    Walk(Walked),
    Wait,
}

/// While it lives, nothing is derived from a recording.
#[derive(Debug)]
pub(in crate::archive) struct KeptOff {
    orders: Arc<Orders>,
    id: RecordingId,
}

impl Drop for KeptOff {
    fn drop(&mut self) {
        let mut state = self.orders.state();
        if let Some(index) = state.kept_off.iter().position(|id| *id == self.id) {
            state.kept_off.swap_remove(index);
        }
    }
}

/// Makes files. [`maker`] is the thread around it.
pub(in crate::archive) struct Maker {
    pub orders: Arc<Orders>,
    /// The folder of all recordings.
    pub root: PathBuf,
    pub readers: SqlitePool,
    /// Weak: what nobody can reach any more needs no maker.
    pub commands: mpsc::WeakUnboundedSender<Command>,
    pub store: Box<dyn Store>,
}

impl Maker {
    /// Makes whatever is to be made, until it is told to stop.
    async fn run(mut self) {
        loop {
            match self.orders.take() {
                Next::Stop => return,
                Next::Wait => self.orders.wake.notified().await,
                Next::Walk(from) => {
                    let found = match self.readers.acquire().await {
                        Ok(mut connection) => index::derived::to_derive(&mut connection, from, RECIPES).await,
                        Err(error) => Err(error),
                    };
                    let found = found.unwrap_or_else(|error| {
                        tracing::warn!("cannot look for what is still to be derived: {error}");
                        None
                    });
                    self.orders.walked(from, found);
                }
                Next::Make(id) => {
                    match self.visit(id).await {
                        Ok(()) | Err(Stopped::Told) => {}
                        Err(stopped) => {
                            tracing::warn!(recording = %id, "what is derived from it was not made: {stopped}");
                            self.orders.failed(id, stopped.reason());
                        }
                    }
                    self.orders.at.send_replace(At::Idle);
                }
            }
        }
    }

    /// Makes what a recording lacks. One file that cannot be made does not keep the others from it.
    pub async fn visit(&mut self, id: RecordingId) -> Result<(), Stopped> {
        let asked = self.orders.files(id);
        let made = self.make(id, &asked).await;
        self.orders.settled(id, &asked);
        made
    }

    async fn make(&mut self, id: RecordingId, asked: &[Edition]) -> Result<(), Stopped> {
        let mut connection = self.readers.acquire().await.map_err(Trouble::from)?;
        // Someone may have deleted it, or it has not ended.
        let Some((place, recipes)) = index::derived::made(&mut connection, id).await.map_err(Trouble::from)? else {
            return Ok(());
        };
        let folder = self.root.join(&place.folder);
        let mut made = index::derived::files(&mut connection, place.row).await.map_err(Trouble::from)?;
        let mut gone = Vec::new();
        for file in &made {
            if files::length(&mut *self.store, &folder, file.what)? != Some(file.bytes) {
                gone.push(file.what);
            }
        }
        let there = |made: &[DerivedFile], what: Edition| {
            made.iter().any(|file| file.what == what && file.recipe == what.of.recipe())
        };
        if recipes == RECIPES && gone.is_empty() && asked.iter().all(|what| there(&made, *what)) {
            return Ok(());
        }
        // What someone asked for once is made again when someone does.
        for file in made.iter().filter(|file| file.what.is_asked_for() && file.recipe != file.what.of.recipe()) {
            if !gone.contains(&file.what) {
                files::remove(&mut *self.store, &folder, file.what)?;
                gone.push(file.what);
            }
        }
        for what in gone {
            made.retain(|file| file.what != what);
            self.tell(id, DerivedNews::Gone(what)).await?;
        }
        let origin = Origin::read(&mut connection, &self.root, id).await.map_err(Trouble::from)?;
        let Some(mut origin) = origin else { return Ok(()) };
        origin.waves = Arc::clone(self.orders.waves());
        drop(connection);
        files::sweep(&mut *self.store, &folder)?;
        let missing = recipe::missing(&origin.recording, asked, |what| there(&made, what));
        self.orders.work.expect(recipe::cost(&origin.recording, &missing));
        let words = origin.recording.words();
        let mut failed = None;
        for what in missing {
            let work = &self.orders.work;
            let written =
                NewFile::write(&mut *self.store, &folder, what, |sink| recipe::make(&origin, what, sink, work));
            match written {
                Ok((Written { bytes, crc }, damaged)) => {
                    let of_damaged = recipe::made_of(what).is_some_and(|of| {
                        let is = |file: &DerivedFile| file.what == of && file.damaged;
                        made.iter().any(is)
                    });
                    let (recipe, damaged) = (what.of.recipe(), damaged || of_damaged);
                    let file = DerivedFile { what, recipe, bytes, crc: Some(crc), damaged };
                    made.retain(|file| file.what != what);
                    made.push(file);
                    self.tell(id, DerivedNews::Made(file, words.clone())).await?;
                    if what.is_asked_for() {
                        self.make_room((id, what), MOST_ASKED_BYTES).await?;
                    }
                }
                Err(Stopped::Told) => return Err(Stopped::Told),
                Err(stopped) => failed = failed.or(Some(stopped)),
            }
        }
        match failed {
            Some(stopped) => Err(stopped),
            None => {
                self.orders.waves().forget(id);
                self.tell(id, DerivedNews::All(RECIPES, words)).await
            }
        }
    }

    /// Removes what was asked for and is unused for longest, until at most so many bytes are left; what was just made stays.
    pub async fn make_room(&mut self, made: (RecordingId, Edition), most: u64) -> Result<(), Stopped> {
        let mut connection = self.readers.acquire().await.map_err(Trouble::from)?;
        let mut all = index::derived::asked(&mut connection).await.map_err(Trouble::from)?;
        drop(connection);
        let mut bytes: u64 = all.iter().map(|file| file.bytes).sum();
        if bytes <= most {
            return Ok(());
        }
        all.sort_by_cached_key(|file| files::last_used(&self.root.join(&file.folder), file.what));
        for file in all.iter().filter(|file| (file.id, file.what) != made) {
            if bytes <= most {
                break;
            }
            files::remove(&mut *self.store, &self.root.join(&file.folder), file.what)?;
            bytes -= file.bytes;
            match self.tell(file.id, DerivedNews::Gone(file.what)).await {
                // Its recording may have gone meanwhile.
                Ok(()) | Err(Stopped::Told) => {}
                Err(stopped) => return Err(stopped),
            }
        }
        Ok(())
    }

    /// Has the writer say it in the index.
    async fn tell(&self, id: RecordingId, news: DerivedNews) -> Result<(), Stopped> {
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.upgrade().ok_or(Stopped::Told)?;
        commands.send(Command::Derived { id, news, reply }).map_err(|_| Stopped::Told)?;
        drop(commands);
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Error::Index(error))) => Err(Trouble::Index(error).into()),
            // The recording is gone, or the writer.
            Ok(Err(_)) | Err(_) => Err(Stopped::Told),
        }
    }
}

/// What the thread runs. The folder stays locked as long as it writes there.
pub(in crate::archive) fn maker(
    orders: Arc<Orders>,
    root: PathBuf,
    store: Box<dyn Store>,
    commands: mpsc::WeakUnboundedSender<Command>,
    lock: Arc<Lock>,
) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!("the maker is as urgent as all else: {error}");
    }
    match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => {
            runtime.block_on(async {
                let readers = index::readers(&root.join(names::INDEX));
                Maker { orders: Arc::clone(&orders), root, readers: readers.clone(), commands, store }.run().await;
                readers.close().await;
            });
        }
        Err(error) => tracing::warn!("nothing is derived from recordings: {error}"),
    }
    drop(lock);
    orders.end();
}

#[cfg(test)]
mod tests;
