//! Whether the disk can be recorded on, and looking whether it can be again.
//!
//! What belongs here: what the writer knows of the disk, and the probe. What does not: what the hub makes of it.

use std::time::Duration;

use sqlx::Connection as _;

use crate::archive::handle::Error;
use crate::archive::index::write;
use crate::archive::model::EndReason;
use crate::archive::names;

use super::manage;
use super::round::Writer;
use super::space::{RESERVE, ROOM};

/// How often a disk that was not well is looked at, whether it is again.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// How the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It takes what is written, as far as anyone knows.
    #[default]
    Well,
    /// There is no space but the reserve.
    Full,
    /// It, or the index on it, has refused something, and has not taken anything since.
    Failing,
}

impl Writer {
    /// A recording has ended by a fault of the disk.
    pub(super) fn unwell(&self, reason: EndReason) {
        let health = if reason == EndReason::DiskFull { Health::Full } else { Health::Failing };
        self.health.send_replace(health);
    }

    /// Whether the disk is well, as far as is known.
    pub fn is_well(&self) -> bool {
        *self.health.borrow() == Health::Well
    }

    /// Looks whether a disk that was not well is again.
    pub async fn look_again(&mut self) {
        if let Err(error) = self.probe().await {
            tracing::debug!("the disk cannot be written yet: {error}");
        }
    }

    /// Whether the disk can be recorded on: there is room, a file can be written and synced, the index takes a transaction. What
    /// is found out is how the disk is from then on.
    pub(super) async fn probe(&mut self) -> Result<(), Error> {
        let was = *self.health.borrow();
        let done = self.works(if was == Health::Full { ROOM } else { RESERVE }).await;
        let is = match &done {
            Ok(()) => Health::Well,
            Err(Error::Full { .. }) => Health::Full,
            Err(_) => Health::Failing,
        };
        if is != was {
            self.health.send_replace(is);
            match &done {
                Ok(()) => tracing::info!("the disk can be written again"),
                Err(error) => tracing::error!("the disk cannot be written: {error}"),
            }
        }
        done
    }

    async fn works(&mut self, room: u64) -> Result<(), Error> {
        let path = self.root.join(names::PROBE);
        let wrong = |source| Error::File { path: path.clone(), source };
        let free = self.store.free(&self.root).map_err(wrong)?;
        if free < room {
            return Err(Error::Full { free });
        }
        manage::remove_if_there(&mut *self.store, &path)?;
        let mut handle = self.store.create(&path).map_err(wrong)?;
        let written = self.store.append(&mut handle, b"?").and_then(|()| self.store.sync(&handle));
        let removed = self.store.remove(&path);
        written.and(removed).map_err(wrong)?;
        self.trust_index().await?;
        let mut transaction = self.connection.begin().await?;
        write::touch(&mut transaction, self.run, 1).await?;
        write::touch(&mut transaction, self.run, -1).await?;
        transaction.commit().await?;
        self.store.committed();
        Ok(())
    }
}
