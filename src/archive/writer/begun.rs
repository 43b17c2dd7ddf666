//! What a round does before it creates files: it writes down which. So whatever a fall leaves of them, start-up knows as ours.

use sqlx::Connection as _;

use super::recording::Recording;
use super::round::Writer;
use crate::archive::index::begun;
use crate::archive::model::RecordingId;

impl Writer {
    /// Writes down the files that a round is to create. What is there already is not ours, and is left out. Where the index does
    /// not take it the round goes on, and is told the same by its own transaction.
    pub(super) async fn begin(&mut self, round: &mut [(RecordingId, Recording)]) {
        let mut files = Vec::new();
        for (_, recording) in round {
            let begins = recording.begins();
            if !begins.is_empty() {
                // A folder that cannot be read is not there.
                let there = self.store.list(&self.root.join(&recording.folder)).unwrap_or_default();
                let begins = begins.into_iter().filter(|file| !there.contains(file));
                files.extend(begins.map(|file| (recording.folder.clone(), file)));
            }
        }
        if files.is_empty() {
            return;
        }
        if let Err(error) = self.write_down(&files).await {
            tracing::warn!("what is begun cannot be written down: {error}");
        }
    }

    async fn write_down(&mut self, files: &[(String, String)]) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        for (folder, file) in files {
            begun::begin(&mut transaction, folder, file).await?;
        }
        transaction.commit().await?;
        self.store.committed();
        Ok(())
    }
}
