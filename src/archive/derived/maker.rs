//! The makers: threads of low priority that make what is derived from recordings, one file after another.
//!
//! What belongs here: the making of what `orders` says is next, and telling the writer of each file that is there. What does not:
//! how a file is made (`recipe`).
//!
//! They hold nothing up: they read the index by connections of their own, read and write files in small steps, and look between any
//! two of them whether they are to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};

use super::background;
use super::files::{self, NewFile, Sink, Written};
use super::orders::{Held, Next, Orders};
use super::recipe::{self, Origin, RECIPES, Stopped};
use crate::archive::handle::Error;
use crate::archive::index;
use crate::archive::lock::Lock;
use crate::archive::model::{DerivedFile, Edition, RecordingId, Words};
use crate::archive::store::Store;
use crate::archive::writer::{Command, DerivedNews, Trouble};

/// How many there are: one for what is made unasked, and one for whom it would keep waiting. More would take the processors from
/// rooms for longer stretches, and the disk's turns too.
pub(in crate::archive) const MAKERS: usize = 2;
/// How much of all recordings together may be there because someone asked for it: 16 GiB in a thousand files. What was just made stays.
pub(super) const MOST_ASKED: Most = Most { bytes: 16 * 1024 * 1024 * 1024, files: 1000 };

/// How much may be there.
#[derive(Clone, Copy, Debug)]
pub(in crate::archive) struct Most {
    pub bytes: u64,
    pub files: usize,
}

/// What came of making files.
enum Made {
    /// What was asked for is there; or there was nothing to do.
    Asked,
    /// Someone waits for something else, and the recording is gone on with later.
    PutOff,
    /// All that is made unasked is there, and was not before; with the words that it has.
    All(Words),
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
        let mut changed = self.orders.watch();
        loop {
            changed.mark_unchanged();
            match self.orders.take() {
                Next::Stop => return,
                Next::Wait => {
                    // The sender lives as long as the orders.
                    let _ = changed.changed().await;
                }
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
                Next::Make(held, what) => {
                    let made = self.make_asked(&held, what).await;
                    log(held.id, made);
                }
                Next::Visit(held) => {
                    let made = self.go_through(&held).await;
                    log(held.id, made);
                }
            }
        }
    }

    /// Makes what a recording lacks, also what someone waits for.
    #[cfg(test)]
    pub async fn visit(&mut self, id: RecordingId) -> Result<(), Stopped> {
        let held = self.orders.visit(id);
        while let Some(what) = self.orders.waited(&held) {
            self.make_asked(&held, what).await?;
        }
        self.go_through(&held).await
    }

    /// Makes what someone waits for.
    pub async fn make_asked(&mut self, held: &Held, what: Edition) -> Result<(), Stopped> {
        let made = self.make(held, &[what]).await.map(drop);
        // Whatever it was, also before the file was begun: whoever waits is told.
        if let Some(why) = made.as_ref().err().and_then(Stopped::why) {
            self.orders.failed(held.id, what, why);
            if what.of.is_peaks() {
                self.orders.waves().forget(held.id);
            }
        }
        made
    }

    /// Makes what is made unasked and a recording lacks, until someone waits for something else. One file that cannot be made does
    /// not keep the others from it.
    async fn go_through(&mut self, held: &Held) -> Result<(), Stopped> {
        let made = self.make(held, &[]).await;
        if !matches!(made, Ok(Made::PutOff)) {
            self.orders.waves().forget(held.id);
        }
        match made? {
            Made::All(words) => self.tell(held.id, DerivedNews::All(RECIPES, words)).await,
            Made::Asked | Made::PutOff => Ok(()),
        }
    }

    /// Makes some files of a recording, or all that are made unasked where none is named.
    async fn make(&mut self, held: &Held, asked: &[Edition]) -> Result<Made, Stopped> {
        let id = held.id;
        let mut connection = self.readers.acquire().await.map_err(Trouble::from)?;
        // Someone may have deleted it, or it has not ended.
        let Some((place, recipes)) = index::derived::made(&mut connection, id).await.map_err(Trouble::from)? else {
            return Ok(Made::Asked);
        };
        let folder = self.root.join(&place.folder);
        let made = index::derived::files(&mut connection, place.row).await.map_err(Trouble::from)?;
        let mut lost = Vec::new();
        for file in made.iter().filter(|file| !self.orders.is_anothers(held, file.what)) {
            if files::length(&mut *self.store, &folder, file.what)? != Some(file.bytes) {
                lost.push(*file);
            }
        }
        let done = if asked.is_empty() { recipes == RECIPES } else { asked.iter().all(|what| there(&made, *what)) };
        if done && lost.is_empty() {
            return Ok(Made::Asked);
        }
        // What someone asked for once is made again when someone does.
        let outdated = |file: &&DerivedFile| file.what.is_asked_for() && file.recipe != file.what.of.recipe();
        let outdated = made.iter().filter(|file| !lost.contains(file)).filter(outdated).copied().collect::<Vec<_>>();
        let mut unasked = false;
        for file in lost.into_iter().chain(outdated) {
            // Another maker may be at it, or have made it since that was read.
            let now = index::derived::one_file(&mut connection, place.row, file.what).await.map_err(Trouble::from)?;
            if now == Some(file) && !self.orders.is_anothers(held, file.what) {
                files::remove(&mut *self.store, &folder, file.what)?;
                self.tell(id, DerivedNews::Gone(file.what)).await?;
                unasked |= !file.what.is_asked_for();
            }
        }
        if unasked && !asked.is_empty() {
            // Behind what someone waits for.
            self.orders.ask(id);
        }
        let origin = Origin::read(&mut connection, &self.root, id).await.map_err(Trouble::from)?;
        let Some(mut origin) = origin else { return Ok(Made::Asked) };
        origin.waves = Arc::clone(self.orders.waves());
        files::sweep(&mut *self.store, &folder, |what| self.orders.is_anothers(held, what))?;
        let words = origin.recording.words();
        let wanted: Vec<Edition> = if asked.is_empty() {
            recipe::wanted(&origin.recording).map(Edition::from).collect()
        } else {
            asked.to_vec()
        };
        let (mut failed, mut new) = (None, Vec::new());
        for what in wanted {
            if asked.is_empty() && self.orders.puts_off(held) {
                return failed.map_or(Ok(Made::PutOff), Err);
            }
            self.begin_file(held, what).await?;
            // Another may have made it meanwhile.
            let made = index::derived::files(&mut connection, place.row).await.map_err(Trouble::from)?;
            let mut missing = recipe::missing(what, |what| there(&made, what));
            match self.damaged(held, &folder, &missing, &made, &new) {
                Ok(damaged) => missing.splice(..0, damaged).for_each(drop),
                Err(Stopped::Told) => return Err(Stopped::Told),
                Err(stopped) => tracing::warn!(recording = %id, "what {what} is made of: {stopped}"),
            }
            held.work.expect(recipe::cost(&origin.recording, &missing));
            match self.write(held, &origin, &folder, &missing, made).await {
                Ok(()) => new.extend(missing),
                Err(Stopped::Told) => return Err(Stopped::Told),
                Err(stopped) => {
                    if let Some(why) = stopped.why() {
                        self.orders.failed(id, what, why);
                    }
                    failed = failed.or(Some(stopped));
                }
            }
        }
        if asked.iter().any(|what| what.of.is_peaks()) {
            let made = index::derived::files(&mut connection, place.row).await.map_err(Trouble::from)?;
            let mut peaks = recipe::wanted(&origin.recording).filter(|what| what.is_peaks());
            // All of them are made of what was gathered once.
            if peaks.all(|what| there(&made, what.into())) {
                self.orders.waves().forget(id);
            }
        }
        failed.map_or(Ok(if asked.is_empty() { Made::All(words) } else { Made::Asked }), Err)
    }

    /// What the one file that is missing is made of, where that is there but is not as it was made; `new` was made just now.
    fn damaged(
        &mut self,
        held: &Held,
        folder: &Path,
        missing: &[Edition],
        made: &[DerivedFile],
        new: &[Edition],
    ) -> Result<Option<Edition>, Stopped> {
        let [what] = missing else { return Ok(None) };
        let of = recipe::made_of(*what).filter(|of| !new.contains(of));
        let Some(file) = made.iter().find(|file| Some(file.what) == of) else { return Ok(None) };
        Ok(files::is_damaged(&mut *self.store, folder, file, &held.work)?.then_some(file.what))
    }

    /// Waits until no other is at a file or at what it is made of.
    async fn begin_file(&self, held: &Held, what: Edition) -> Result<(), Stopped> {
        let mut changed = self.orders.watch();
        while !self.orders.begin_file(held, what) {
            held.work.done(0)?;
            // The sender lives as long as the orders.
            let _ = changed.changed().await;
        }
        held.work.done(0)
    }

    /// Writes files, of which the last is what someone wants.
    async fn write(
        &mut self,
        held: &Held,
        origin: &Origin,
        folder: &Path,
        files: &[Edition],
        mut made: Vec<DerivedFile>,
    ) -> Result<(), Stopped> {
        let words = origin.recording.words();
        for what in files.iter().copied() {
            if made.iter().any(|file| file.what == what) {
                // Nobody is to take the new file for the old one, nor after a crash.
                self.tell(held.id, DerivedNews::Changing(what)).await?;
            }
            let fill = |sink: &mut dyn Sink| recipe::make(origin, what, sink, &held.work);
            let (Written { bytes, crc }, damaged) = NewFile::write(&mut *self.store, folder, what, fill)?;
            let of_damaged =
                recipe::made_of(what).is_some_and(|of| made.iter().any(|file| file.what == of && file.damaged));
            let (recipe, damaged) = (what.of.recipe(), damaged || of_damaged);
            let file = DerivedFile { what, recipe, bytes, crc: Some(crc), damaged };
            made.retain(|file| file.what != what);
            made.push(file);
            self.tell(held.id, DerivedNews::Made(file, words.clone())).await?;
            self.orders.made(held.id, what);
            if what.is_asked_for() {
                self.make_room((held.id, what), MOST_ASKED).await?;
            }
        }
        Ok(())
    }

    /// Removes what was asked for and is unused for longest, until at most so much is left; what was just made stays.
    pub async fn make_room(&mut self, made: (RecordingId, Edition), most: Most) -> Result<(), Stopped> {
        let mut connection = self.readers.acquire().await.map_err(Trouble::from)?;
        let all = index::derived::asked(&mut connection).await.map_err(Trouble::from)?;
        drop(connection);
        let (mut bytes, mut files): (u64, _) = (all.iter().map(|file| file.bytes).sum(), all.len());
        if bytes <= most.bytes && files <= most.files {
            return Ok(());
        }
        let needed =
            |file: &index::derived::Asked| (file.id, file.what) == made || self.orders.is_needed(file.id, file.what);
        for file in files::longest_unused_first(&self.root, all).iter().filter(|file| !needed(file)) {
            if bytes <= most.bytes && files <= most.files {
                break;
            }
            files::remove(&mut *self.store, &self.root.join(&file.folder), file.what)?;
            bytes -= file.bytes;
            files -= 1;
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

fn log(id: RecordingId, made: Result<(), Stopped>) {
    match made {
        Ok(()) | Err(Stopped::Told) => {}
        Err(stopped) => tracing::warn!(recording = %id, "what is derived from it was not made: {stopped}"),
    }
}

/// Whether a file is among those that were made, by the recipe of today.
fn there(made: &[DerivedFile], what: Edition) -> bool {
    made.iter().any(|file| file.what == what && file.recipe == what.of.recipe())
}

/// What such a thread runs. The folder stays locked as long as it writes there.
pub(in crate::archive) fn maker(
    orders: Arc<Orders>,
    root: PathBuf,
    store: Box<dyn Store>,
    commands: mpsc::WeakUnboundedSender<Command>,
    lock: Arc<Lock>,
) {
    background::run("who makes what is derived", &root.clone(), async |readers| {
        Maker { orders: Arc::clone(&orders), root, readers, commands, store }.run().await;
    });
    drop(lock);
    orders.end();
}
