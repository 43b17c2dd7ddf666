//! The commands beside `serve`: each does one thing, prints it, and gives its exit status.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::show::{Progress, Table};
use super::{CANNOT, DIFFERS, Options, Task, backup, export};
use crate::archive::backup::BackupError;
use crate::archive::check::{self, CheckError, Outcome, Told, printable};
use crate::archive::model::RecordingId;
use crate::archive::offline::{self, Shelf};
use crate::archive::{self, Limit, ListQuery, OpenError, repair};
use crate::edge::rest::json::Summary;
use crate::hub::time::Clock;
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

/// Why a command does not come to its end.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Export(#[from] export::Error),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

pub(super) fn run(task: Task, options: &Options) -> ExitCode {
    let now = Clock::start().wall();
    let folder = &options.recordings;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let done = runtime.block_on(async {
        match task {
            Task::Check { repair } => check(folder, now, repair).await,
            Task::List { room, json } => list(folder, room, json).await,
            Task::Delete(id) => delete(options, id, now).await,
            Task::Export(asked) => Ok(export::run(folder, &asked).await?),
            Task::Backup(to) => Ok(backup::run(folder, &to).await?),
        }
    });
    match done {
        Ok(status) => status,
        // Whoever read it has seen enough.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("roomtone: {error}");
    ExitCode::from(CANNOT)
}

async fn check(folder: &Path, now: UnixMillis, repairs: bool) -> Result<ExitCode, Error> {
    let mut progress = Progress::new(folder);
    let mut printed = Ok(());
    let mut tell = |told: Told<'_>| match told {
        Told::Begins { recordings, bytes } => progress.begin(recordings, bytes),
        Told::Read(bytes) => progress.read(bytes),
        Told::Looked => progress.looked(),
        Told::Found(difference) => {
            let line = if repairs { format!("remains: {difference}") } else { difference.to_string() };
            keep(&mut printed, progress.print(&line));
        }
        Told::Mended(path, what) => {
            let line = format!("mended: {} {}", path.display(), what);
            keep(&mut printed, progress.print(&printable(&line)));
        }
    };
    let outcome =
        if repairs { repair::repair(folder, now, &mut tell).await } else { check::check(folder, &mut tell).await };
    progress.end();
    let outcome = outcome?;
    printed?;
    writeln!(io::stdout(), "{}", summary(outcome, repairs))?;
    Ok(if outcome.differences == 0 { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

/// Keeps the first error.
fn keep(all: &mut io::Result<()>, next: io::Result<()>) {
    if all.is_ok() {
        *all = next;
    }
}

/// What came of a check, in a sentence.
fn summary(outcome: Outcome, repairs: bool) -> String {
    let Outcome { recordings, differences, mended } = outcome;
    let recordings = counted(recordings, "recording");
    match (differences, repairs) {
        (0, false) => format!("{recordings}: index and disk agree."),
        (0, true) if mended == 0 => format!("{recordings}: index and disk agree, and nothing was to be mended."),
        (0, true) => format!("{recordings}: {mended} mended, and index and disk agree."),
        (left, true) => {
            format!("{recordings}: {mended} mended, {} that cannot be mended.", counted(left, "difference"))
        }
        (found, false) => {
            let found = counted(found, "difference");
            format!("{recordings}: {found}. `roomtone check --repair` mends what can be derived.")
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

async fn list(folder: &Path, room: Option<RoomName>, json: bool) -> Result<ExitCode, Error> {
    let mut shelf = Shelf::open(folder).await?;
    let limit = Limit::new(Limit::MAX).unwrap_or_default();
    let mut query = ListQuery { room, limit, ..ListQuery::default() };
    let mut out = io::stdout().lock();
    let mut table = None;
    loop {
        let page = shelf.page(&query).await?;
        if json {
            for recording in page.recordings {
                serde_json::to_writer(&mut out, &Summary::from(recording)).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        } else if page.recordings.is_empty() {
            writeln!(out, "There are no recordings.")?;
        } else {
            let (begins, table) = (table.is_none(), table.get_or_insert_with(|| Table::fitting(&page.recordings)));
            if begins {
                writeln!(out, "{}", table.head())?;
            }
            for recording in &page.recordings {
                writeln!(out, "{}", table.row(recording))?;
            }
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            out.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
    }
}

async fn delete(options: &Options, id: RecordingId, now: UnixMillis) -> Result<ExitCode, Error> {
    match offline::delete(&options.recordings, id, now).await {
        Ok(()) => {
            writeln!(io::stdout(), "{id} is deleted.")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(CheckError::Archive(archive::Error::NotFound)) => {
            eprintln!("roomtone: there is no recording {id} in {}", options.recordings.display());
            Ok(ExitCode::from(DIFFERS))
        }
        Err(CheckError::Open(held @ OpenError::Held { .. })) => {
            let address = format!("http://{}/api/v1/recordings/{id}", options.listen);
            eprintln!("roomtone: {held}; while the hub runs, ask it: curl -X DELETE {address}");
            Ok(ExitCode::from(CANNOT))
        }
        Err(error) => Err(error.into()),
    }
}
