//! The hub falls: at random moments, and at every step of what it does to the disk. What it promised is there afterwards.

mod aftermath;
mod random;
mod session;
mod steps;

use std::sync::Arc;

use tempfile::TempDir;

use crate::helpers::Hub;

/// A folder in which hubs fall, with the file that says where.
struct Place {
    folder: Arc<TempDir>,
    /// That file.
    faults: String,
}

impl Place {
    fn new() -> Self {
        Self::at(TempDir::new().unwrap())
    }

    fn at(folder: TempDir) -> Self {
        let faults = folder.path().join("faults").to_str().unwrap().to_owned();
        Self { folder: Arc::new(folder), faults }
    }

    /// Rounds that come often, so that a fall hits one; a session that ends when the last has gone.
    fn options(&self) -> [&str; 8] {
        ["--sync-period-ms", "100", "--grace-seconds", "0", "--workers", "1", "--faults", &self.faults]
    }

    fn start(&self) -> Hub {
        Hub::start_in(Arc::clone(&self.folder), &self.options())
    }

    /// Orders a fault.
    fn order(&self, rule: &str) {
        std::fs::write(&self.faults, rule).unwrap();
    }

    /// Nothing fails any more.
    fn mend(&self) {
        std::fs::remove_file(&self.faults).unwrap_or_default();
    }
}
