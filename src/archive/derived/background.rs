//! The threads that make and follow, which everything else goes before.
//!
//! What belongs here: their priority, and what each needs to begin. What does not: what they do (`maker`, `waves`).

use std::path::Path;

use sqlx::sqlite::SqlitePool;

use crate::archive::{index, names};

/// How nice they are to all others (`setpriority`): nicer is not possible.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// From now on everything goes before the thread that calls this, where the system can do that. `who` that is stands in the log.
pub fn be_nice(who: &str) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!("{who} is as urgent as all else: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = who;
}

/// Runs something on this thread, with connections of its own that read the index.
pub(super) fn run(who: &str, root: &Path, run: impl AsyncFnOnce(SqlitePool)) {
    be_nice(who);
    match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime.block_on(async {
            let readers = index::readers(&root.join(names::INDEX));
            run(readers.clone()).await;
            readers.close().await;
        }),
        Err(error) => tracing::warn!("{who} does not begin: {error}"),
    }
}
