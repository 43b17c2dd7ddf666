//! Recordings without a hub: lists that only look, which one may do beside a hub, and deletion, which one may not.

use std::path::Path;
use std::sync::Arc;

use sqlx::SqliteConnection;
use tokio::sync::{broadcast, oneshot, watch};

use super::Error;
use super::check::{self, CheckError};
use super::derived::Orders;
use super::foreign;
use super::list::{self, ListQuery, Page};
use super::model::RecordingId;
use super::names;
use super::open::{self, OpenError, Options};
use super::store::Disk;
use super::writer::{Command, Health};
use crate::media::time::UnixMillis;

/// The index of a folder of recordings, to be looked at.
#[derive(Debug)]
pub struct Shelf {
    connection: SqliteConnection,
}

impl Shelf {
    /// Opens it; nothing is written.
    ///
    /// # Errors
    /// Where there is none of this version, or it cannot be read.
    pub async fn open(folder: &Path) -> Result<Self, CheckError> {
        let root = check::resolve(folder)?;
        Ok(Self { connection: check::open(&root).await? })
    }

    /// A page of the list of recordings, newest first.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn page(&mut self, query: &ListQuery) -> Result<Page, CheckError> {
        Ok(list::page(&mut self.connection, query).await?)
    }
}

/// Deletes a recording from disk and index, under the lock. What a crash left is brought to its end first, as at every start.
///
/// # Errors
/// Where another process holds the folder, there is no such recording, or a file cannot be removed.
pub async fn delete(folder: &Path, id: RecordingId, now: UnixMillis) -> Result<(), CheckError> {
    let root = check::resolve(folder)?;
    let index = foreign::look(&root.join(names::INDEX));
    if index.map_err(|source| OpenError::Folder { folder: root.clone(), source })?.is_none() {
        return Err(CheckError::NoIndex { folder: root });
    }
    // Nobody makes anything, and nobody watches.
    let (orders, told) = (Arc::new(Orders::default()), (broadcast::Sender::new(1), watch::Sender::new(Health::Well)));
    let (mut writer, _lock, _) = open::open(&Options::new(root), now, Box::new(Disk), orders, told).await?;
    let (reply, answer) = oneshot::channel();
    writer.handle(Command::Delete { id, expiry: None, reply }).await;
    let deleted = answer.await.map_err(|_| Error::Closed)?;
    writer.close().await;
    Ok(deleted?)
}
