//! Files at start-up that a round had begun and no transaction names: they were told to nobody, and hold no more than that round
//! would have made durable. They go, and with them the folder of a recording that never was.

use std::io;
use std::path::Path;

use sqlx::SqliteConnection;

use crate::archive::index::begun::{self, Begun};
use crate::archive::store::Store;
use crate::archive::writer::{Trouble, remove_if_there};

/// Removes them. What cannot be removed is tried again at the next start.
pub(super) async fn undo(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
) -> Result<(), sqlx::Error> {
    for begun in begun::all(connection).await? {
        let removed = if begun.named { Ok(()) } else { remove(store, root, &begun) };
        match removed {
            Ok(()) => begun::forget(connection, &begun).await?,
            Err(trouble) => tracing::warn!("what was begun cannot be removed: {trouble}"),
        }
    }
    Ok(())
}

fn remove(store: &mut dyn Store, root: &Path, begun: &Begun) -> Result<(), Trouble> {
    let folder = root.join(&begun.folder);
    remove_if_there(store, &folder.join(&begun.file))?;
    let gone = |path: &Path, result: io::Result<()>| match result {
        Ok(()) => Ok(true),
        // What is not ours stays, and its folder with it; or the next one that was begun.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(false),
        Err(source) => Err(Trouble::file(path, source)),
    };
    let room = folder.parent().unwrap_or(root);
    if !begun.recorded && gone(&folder, store.remove_folder(&folder))? {
        gone(room, store.sync_folder(room))?;
    } else {
        gone(&folder, store.sync_folder(&folder))?;
    }
    Ok(())
}
