//! The writer: what it holds, and the round that makes it durable.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::broadcast;

use super::Command;
use super::manage;
use super::recording::{Fault, Indexed, Recording, Trouble};
use crate::archive::derived::Orders;
use crate::archive::handle::Changed;
use crate::archive::index::{read, write};
use crate::archive::model::RecordingId;
use crate::archive::store::Store;

/// Writes all recordings. A plain struct: [`super::shell`] is the thread around it.
pub(in crate::archive) struct Writer {
    /// The folder of all recordings.
    pub(super) root: PathBuf,
    /// The number of this run.
    run: i64,
    pub(super) store: Box<dyn Store>,
    pub(super) connection: SqliteConnection,
    /// What the maker is to make.
    pub(super) orders: Arc<Orders>,
    /// Those who watch the list of recordings.
    pub(super) changed: broadcast::Sender<Changed>,
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
        changed: broadcast::Sender<Changed>,
    ) -> Self {
        Self { root, run, store, connection, orders, changed, recordings: BTreeMap::new() }
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
                    recording.handle(step, &mut *self.store, &self.root);
                }
            }
            // Who asked and went away does not hear the answer.
            Command::Change { id, change, reply } => {
                let _ = reply.send(self.change(id, change).await);
            }
            Command::Delete { id, expiry, reply } => {
                let _ = reply.send(self.delete(id, expiry).await);
            }
            Command::FinishDeletions { reply } => {
                let _ = reply.send(self.finish_deletions().await);
            }
            Command::Space { reply } => {
                let _ = reply.send(self.space());
            }
            Command::Derived { id, news, reply } => {
                let _ = reply.send(self.derived(id, news).await);
            }
            Command::Probe { reply } => {
                let _ = reply.send(self.probe());
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
        if round.is_empty() {
            return;
        }
        let mut news = Vec::with_capacity(round.len());
        for (_, recording) in &mut round {
            let before = recording.news();
            let written = recording.write(&mut *self.store, &self.root);
            news.push(before || written.is_err());
            if let Err(trouble) = written {
                recording.fail(&trouble.into(), &self.root);
            }
        }
        let rows = match self.index(&round, &news).await {
            Ok(rows) => rows,
            Err(error) => {
                let fault = Fault::Trouble(Trouble::Index(error));
                round.iter_mut().for_each(|(_, recording)| recording.fail(&fault, &self.root));
                self.recordings.extend(round);
                return;
            }
        };
        for (((id, mut recording), row), news) in round.into_iter().zip(rows).zip(news) {
            let over = match row {
                Ok(row) => {
                    let indexed = recording.indexed(row);
                    self.finish(&mut recording, indexed, news).await
                }
                Err(error) => {
                    recording.fail(&Trouble::Index(error).into(), &self.root);
                    false
                }
            };
            if !over {
                self.recordings.insert(id, recording);
            }
        }
    }

    /// One transaction for all; what is wrong with one recording does not take the others with it.
    async fn index(
        &mut self,
        round: &[(RecordingId, Recording)],
        news: &[bool],
    ) -> Result<Vec<Result<Option<i64>, sqlx::Error>>, sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        if let ([(_, recording)], [news]) = (round, news) {
            // Alone it takes nobody with it, and mostly one is: two statements less.
            let row = recording.index(&mut transaction, self.run, *news).await;
            match row {
                Ok(_) => {
                    transaction.commit().await?;
                    self.store.committed();
                }
                Err(_) => transaction.rollback().await?,
            }
            return Ok(vec![row]);
        }
        let mut rows = Vec::with_capacity(round.len());
        for ((_, recording), &news) in round.iter().zip(news) {
            let mut savepoint = transaction.begin().await?;
            let row = recording.index(&mut savepoint, self.run, news).await;
            match row {
                Ok(_) => savepoint.commit().await?,
                Err(_) => savepoint.rollback().await?,
            }
            rows.push(row);
        }
        transaction.commit().await?;
        self.store.committed();
        Ok(rows)
    }

    /// What follows from a committed transaction; says whether the recording is over.
    async fn finish(&mut self, recording: &mut Recording, indexed: Indexed, news: bool) -> bool {
        let Indexed { spools, events, over } = indexed;
        let settled = self.settled(recording, spools, news).await;
        recording.tell(events);
        if over {
            self.orders.ask(recording.id);
        }
        if news && recording.row.is_some() {
            self.tell_changed(recording.id).await;
        }
        if let Err(trouble) = settled {
            if over {
                // Index and sound are complete; what is left is for the next start, or a check.
                tracing::warn!(recording = %recording.id, "{trouble}");
            } else {
                recording.fail(&trouble.into(), &self.root);
            }
        }
        over
    }

    async fn settled(&mut self, recording: &Recording, spools: Vec<String>, news: bool) -> Result<(), Trouble> {
        let Some(row) = recording.row else { return Ok(()) };
        let folder = self.root.join(&recording.folder);
        for spool in &spools {
            manage::remove_if_there(&mut *self.store, &folder.join(spool))?;
        }
        if !spools.is_empty() {
            self.store.sync_folder(&folder).map_err(|source| Trouble::file(&folder, source))?;
        }
        for spool in &spools {
            write::forget_spool(&mut self.connection, row, spool).await?;
        }
        if news {
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
