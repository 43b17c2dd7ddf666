//! The writer: what it holds, and the round that makes it durable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{broadcast, watch};

use super::health::Health;
use super::manage;
use super::recording::{Chores, Recording};
use super::space::Budget;
use super::trouble::{Fault, Trouble};
use super::{Command, Event};
use crate::archive::derived::Orders;
use crate::archive::handle::Changed;
use crate::archive::index::{self, read, write};
use crate::archive::model::{EndReason, RecordingId};
use crate::archive::names;
use crate::archive::store::Store;

/// How often what follows from a recording's end is tried, before it is left for the next start.
const MOST_TRIES: u32 = 20;

/// What there is to tell of a recording after a round.
#[derive(Default)]
struct Told {
    /// The hub.
    events: Vec<Event>,
    /// Those who watch the list: something but sound is new.
    news: bool,
}

/// Writes all recordings. A plain struct: [`super::shell`] is the thread around it.
pub(in crate::archive) struct Writer {
    /// The folder of all recordings.
    pub(super) root: PathBuf,
    /// The number of this run.
    pub(super) run: i64,
    pub(super) store: Box<dyn Store>,
    pub(in crate::archive) connection: SqliteConnection,
    /// What the maker is to make.
    pub(super) orders: Arc<Orders>,
    /// Those who watch the list of recordings.
    pub(super) changed: broadcast::Sender<Changed>,
    /// How the disk is, for all who ask.
    pub(super) health: watch::Sender<Health>,
    /// The recordings that are being made, and those that a fault ended and the index does not know it yet.
    pub(super) recordings: BTreeMap<RecordingId, Recording>,
}

impl Writer {
    pub fn new(
        root: PathBuf,
        run: i64,
        store: Box<dyn Store>,
        connection: SqliteConnection,
        orders: Arc<Orders>,
        (changed, health): (broadcast::Sender<Changed>, watch::Sender<Health>),
    ) -> Self {
        Self { root, run, store, connection, orders, changed, health, recordings: BTreeMap::new() }
    }

    /// Takes a command. What is told of a recording waits for the next round; everything else is done at once.
    pub async fn handle(&mut self, command: Command) {
        match command {
            Command::Begin { new, events } => {
                self.recordings.insert(new.id, Recording::new(new, events));
            }
            // What is not there any more has failed, and was told so.
            Command::Step(id, step) => {
                if let Some(recording) = self.recordings.get_mut(&id) {
                    let before = recording.has_failed();
                    recording.handle(step, &mut *self.store, &self.root);
                    if recording.has_failed() && !before {
                        self.unwell(EndReason::IoError);
                    }
                }
            }
            // Who asked and went away does not hear the answer.
            Command::Change { id, change, reply } => {
                let _ = reply.send(self.change(id, change).await);
            }
            Command::Mark { id, change, reply } => {
                let _ = reply.send(self.mark(id, change).await);
            }
            Command::Delete { id, expiry, reply } => {
                let _ = reply.send(self.delete(id, expiry).await);
            }
            Command::FinishDeletions { reply } => {
                let _ = reply.send(self.finish_deletions().await);
            }
            Command::Settings { room, settings, reply } => {
                let _ = reply.send(self.settings(&room, settings).await);
            }
            Command::Space { reply } => {
                let _ = reply.send(self.space());
            }
            Command::Evict { file, reply } => {
                let _ = reply.send(self.evict(&file).await);
            }
            Command::Derived { id, news, reply } => {
                let _ = reply.send(self.derived(id, news).await);
            }
            Command::Probe { reply } => {
                let _ = reply.send(self.probe().await);
            }
            Command::Close { reply } => {
                self.round().await;
                let _ = reply.send(Ok(()));
            }
        }
    }

    /// Whether there is anything for a round to do.
    pub fn dirty(&self) -> bool {
        self.recordings.values().any(Recording::dirty)
    }

    /// Makes durable what waits, and tells: files, then one transaction, then what follows from it, then the events.
    pub async fn round(&mut self) {
        let mut round: Vec<_> = self.recordings.extract_if(.., |_, recording| recording.dirty()).collect();
        let mut to_index: Vec<_> = round.extract_if(.., |(_, recording)| recording.has_news()).collect();
        let mut told = Vec::new();
        if !to_index.is_empty() {
            let news = self.write(&mut to_index);
            told = self.say(&mut to_index, &news).await;
        }
        let untold = std::iter::repeat_with(Told::default);
        let told = to_index.into_iter().zip(told.into_iter().chain(untold));
        for ((id, mut recording), Told { events, news }) in
            round.into_iter().map(|one| (one, Told::default())).chain(told)
        {
            self.chores(&mut recording).await;
            events.into_iter().for_each(|event| recording.tell(event));
            if news && recording.row.is_some() {
                if recording.is_over() {
                    self.orders.ask(id);
                }
                self.tell_changed(id).await;
            }
            if !recording.is_over() || recording.dirty() {
                self.recordings.insert(id, recording);
            }
        }
    }

    /// Makes the recordings' files durable; gives for each whether its session file is outdated by that. What cannot be made
    /// durable ends its recording.
    fn write(&mut self, round: &mut [(RecordingId, Recording)]) -> Vec<bool> {
        // What the disk does not know it will say when it is written to.
        let mut budget = Budget { free: self.store.free(&self.root).unwrap_or(u64::MAX) };
        let mut news = Vec::with_capacity(round.len());
        for (_, recording) in round {
            let before = recording.news();
            let (free, wanted) = (budget.free, recording.to_write());
            let written = if recording.has_failed() || budget.take(wanted, recording.is_ending()) {
                recording.write(&mut *self.store, &self.root)
            } else {
                Err(Fault::Space { free, wanted })
            };
            news.push(before || !matches!(written, Ok(false)));
            if let Err(fault) = written {
                self.fail(recording, &fault);
            }
        }
        news
    }

    /// Says in the index what is durable; gives for each recording what is to be told.
    async fn say(&mut self, round: &mut [(RecordingId, Recording)], news: &[bool]) -> Vec<Told> {
        let rows = match self.index(round, news).await {
            Ok(rows) => rows,
            Err(error) => {
                let fault = Fault::Trouble(Trouble::Index(error));
                round.iter_mut().for_each(|(_, recording)| self.fail(recording, &fault));
                return Vec::new();
            }
        };
        let mut told = Vec::with_capacity(round.len());
        for (((_, recording), row), &news) in round.iter_mut().zip(rows).zip(news) {
            told.push(match row {
                Ok(row) => Told { events: recording.indexed(row, news), news },
                Err(error) => {
                    self.fail(recording, &Trouble::Index(error).into());
                    Told::default()
                }
            });
        }
        told
    }

    /// Ends a recording by a fault, and knows from then on that the disk is not well.
    fn fail(&mut self, recording: &mut Recording, fault: &Fault) {
        self.unwell(fault.reason());
        recording.fail(fault, &mut *self.store, &self.root);
    }

    /// One transaction for all; what is wrong with one recording does not take the others with it.
    async fn index(
        &mut self,
        round: &[(RecordingId, Recording)],
        news: &[bool],
    ) -> Result<Vec<Result<Option<i64>, sqlx::Error>>, sqlx::Error> {
        self.trust_index().await?;
        let mut transaction = self.connection.begin().await?;
        if let ([(_, recording)], [news]) = (round, news) {
            // Alone it takes nobody with it, and mostly one is: two statements less.
            let row = recording.index(&mut transaction, self.run, *news).await;
            match row {
                Ok(_) => {
                    transaction.commit().await?;
                    self.store.committed();
                }
                // What was wrong counts, not that SQLite may have rolled back by itself.
                Err(_) => drop(transaction.rollback().await),
            }
            return Ok(vec![row]);
        }
        let mut rows = Vec::with_capacity(round.len());
        for ((_, recording), &news) in round.iter().zip(news) {
            let mut savepoint = transaction.begin().await?;
            let row = recording.index(&mut savepoint, self.run, news).await;
            match row {
                Ok(_) => savepoint.commit().await?,
                // SQLite has given up the whole transaction then.
                Err(error) if index::has_no_room(&error) => return Err(error),
                Err(_) => savepoint.rollback().await?,
            }
            rows.push(row);
        }
        transaction.commit().await?;
        self.store.committed();
        Ok(rows)
    }

    /// Sees to it that the connection to the index is not within a transaction. SQLite rolls back by itself where it has no space or
    /// cannot write; what rolls back then fails, and counts the transaction for open for ever: the next one would be a savepoint,
    /// whose release is no commit. Such a connection is opened anew.
    pub(super) async fn trust_index(&mut self) -> Result<(), sqlx::Error> {
        if !self.connection.is_in_transaction() {
            return Ok(());
        }
        // What was dropped before it was committed is rolled back before this, where it can be.
        let _ = sqlx::query("SELECT 1").execute(&mut self.connection).await;
        if self.connection.is_in_transaction() {
            self.connection = index::writing(&self.root.join(names::INDEX)).connect().await?;
        }
        Ok(())
    }

    /// Does what follows from what the index says. What the disk refuses costs no sound: it is done in the next round; of a
    /// recording that is over, at last by the next start.
    async fn chores(&mut self, recording: &mut Recording) {
        if recording.chores.done() {
            return;
        }
        match self.try_chores(recording).await {
            Ok(()) => recording.chores = Chores::default(),
            Err(trouble) => {
                recording.chores.failed += 1;
                let failed = recording.chores.failed;
                if failed.is_power_of_two() {
                    tracing::warn!(recording = %recording.id, tries = failed, "is tried again: {trouble}");
                }
                if recording.is_over() && failed >= MOST_TRIES {
                    recording.chores = Chores::default();
                }
            }
        }
    }

    async fn try_chores(&mut self, recording: &Recording) -> Result<(), Trouble> {
        let Some(row) = recording.row else { return Ok(()) };
        let Chores { spools, session_file, .. } = &recording.chores;
        let folder = self.root.join(&recording.folder);
        for spool in spools {
            manage::remove_if_there(&mut *self.store, &folder.join(spool))?;
        }
        if !spools.is_empty() {
            self.store.sync_folder(&folder).map_err(|source| Trouble::file(&folder, source))?;
        }
        for spool in spools {
            write::forget_spool(&mut self.connection, row, spool).await?;
        }
        if *session_file {
            manage::replace_session_file(&mut *self.store, &mut self.connection, &self.root, recording.id).await?;
        }
        Ok(())
    }

    /// Tells those who watch the list what it shows of a recording now.
    pub(super) async fn tell_changed(&mut self, id: RecordingId) {
        if self.changed.receiver_count() == 0 {
            return;
        }
        match read::summary(&mut self.connection, id).await {
            Ok(Some((_, summary))) => self.tell(Changed::Recording(Arc::new(summary))),
            Ok(None) => {}
            Err(error) => tracing::warn!(recording = %id, "what has become of it cannot be told: {error}"),
        }
    }

    /// Tells those who watch the list. Nobody may.
    pub(super) fn tell(&self, changed: Changed) {
        let _ = self.changed.send(changed);
    }

    /// Closes the connection to the index, which puts all of it into one file.
    pub async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!("the index cannot be closed: {error}");
        }
    }
}
