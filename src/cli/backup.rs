//! `backup`: a copy of all recordings, while the hub runs or not.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::archive::backup::{Backup, BackupError, backup};

use super::DIFFERS;

/// Makes the copy, and says what is in it.
pub(super) async fn run(recordings: &Path, to: &Path) -> Result<ExitCode, BackupError> {
    let Backup { recordings: count, bytes, damaged } = backup(recordings, to).await?;
    for path in &damaged {
        eprintln!("roomtone: {} is missing or too short, and is so in the copy", path.display());
    }
    // Whoever does not listen has the copy nevertheless.
    let plural = if count == 1 { "" } else { "s" };
    let _ = writeln!(io::stdout(), "{count} recording{plural}, {bytes} bytes, copied to {}", to.display());
    Ok(if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}
