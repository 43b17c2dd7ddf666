//! The command line: what is asked for, and what each command prints.
//!
//! What belongs here: the commands (`commands`), their options (`options`), tables and progress (`show`), exit statuses. What
//! does not: what they do (the archive), and running the hub (`app`).

mod backup;
mod bytes;
mod commands;
mod export;
mod options;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::archive::model::RecordingId;
use crate::media::room::RoomName;

pub use options::{Error, Options, SocketIo};

use options::{Serve, Where};

/// The exit status of what cannot be done, or be understood.
pub const CANNOT: u8 = 2;

/// The exit status where there is a difference, or no such recording.
const DIFFERS: u8 = 1;

/// What the commands beside `serve` exit with, as every one of them tells under `--help`.
const STATUSES: &str =
    "Exit status: 0 done, and index and disk agree; 1 they do not, or there is no such recording; 2 it cannot be done.";

/// A self-hosted live audio hub: rooms that are heard, recorded and replayed.
#[derive(Debug, Parser)]
#[command(name = "roomtone", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Asked>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Asked {
    /// Run the hub; this is also what `roomtone` alone does.
    ///
    /// Exit status: 0 when it was told to stop; 1 where it cannot start; 2 where its options cannot be.
    Serve(Serve),
    /// Compare index and files, and name every difference.
    ///
    /// Looks through every byte of sound, and at everything else in the folder. Writes nothing, and may be run while the hub runs.
    #[command(after_help = STATUSES)]
    Check {
        /// Mend what can be derived, and make a lost index anew; the hub must not run.
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        place: Where,
    },
    /// List the recordings, the newest first.
    #[command(after_help = STATUSES)]
    List {
        /// Only those of this room.
        #[arg(long)]
        room: Option<RoomName>,
        /// An object of JSON on each line, as REST gives it, instead of a table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Copy index and files of one moment to a folder of their own; the hub may run.
    #[command(after_help = STATUSES)]
    Backup {
        /// The folder for the copy: empty, or not there yet.
        folder: PathBuf,
        #[command(flatten)]
        place: Where,
    },
    /// Write a file of a recording that has ended: what can be downloaded, the same to the byte; the hub may run.
    ///
    /// The file is there when it is whole. On a terminal there is a bar, elsewhere plain lines on standard error.
    #[command(after_help = STATUSES)]
    Export {
        #[command(flatten)]
        asked: export::Asked,
        #[command(flatten)]
        place: Where,
    },
    /// Delete a recording that has ended, from disk and index; the hub must not run.
    #[command(after_help = STATUSES)]
    Delete {
        /// Its ID, as `list` shows it.
        id: RecordingId,
        #[command(flatten)]
        place: Where,
    },
}

/// What the process is to do.
#[derive(Debug)]
pub enum Command {
    /// Run the hub.
    Serve(Options),
    /// Anything else.
    Other(Other),
}

/// A command that does something to recordings, and ends.
#[derive(Debug)]
pub struct Other {
    task: Task,
    options: Options,
}

#[derive(Debug, PartialEq, Eq)]
enum Task {
    Check { repair: bool },
    List { room: Option<RoomName>, json: bool },
    Delete(RecordingId),
    Backup(PathBuf),
    Export(export::Asked),
}

/// Reads what this process is asked for.
///
/// # Errors
/// Where it cannot be understood. Help and version are errors that are printed to standard output.
pub fn command() -> Result<Command, Error> {
    let line = CommandLine::try_parse()?;
    let (task, place) = match line.command {
        None => return line.serve.options().map(Command::Serve),
        Some(Asked::Serve(serve)) => return serve.options().map(Command::Serve),
        Some(Asked::Check { repair, place }) => (Task::Check { repair }, place),
        Some(Asked::List { room, json, place }) => (Task::List { room, json }, place),
        Some(Asked::Delete { id, place }) => (Task::Delete(id), place),
        Some(Asked::Export { asked, place }) => (Task::Export(asked), place),
        Some(Asked::Backup { folder, place }) => (Task::Backup(folder), place),
    };
    Ok(Command::Other(Other { task, options: place.options()? }))
}

impl Other {
    /// Does it, prints what there is to say, and gives the exit status.
    #[must_use]
    pub fn run(self) -> ExitCode {
        commands::run(self.task, &self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        CommandLine::command().debug_assert();
        let listen = |words: &[&str]| {
            let line = CommandLine::try_parse_from(words).unwrap();
            let serve = match line.command {
                Some(Asked::Serve(serve)) => serve,
                None => line.serve,
                other => panic!("{other:?}"),
            };
            serve.options().unwrap().listen
        };
        assert_eq!(listen(&["roomtone", "serve", "--listen", "x:1"]), "x:1");
        assert_eq!(listen(&["roomtone", "--listen", "x:1"]), "x:1");
    }

    #[test]
    fn what_is_no_id_and_no_room_is_refused() {
        let id = "01932c07-fbe0-7000-8000-000000000000";
        assert!(CommandLine::try_parse_from(["roomtone", "delete", id]).is_ok());
        for hostile in ["", "..", "../../etc", "/", "*", "%", "a b", &format!("{id}/x")] {
            assert!(CommandLine::try_parse_from(["roomtone", "delete", hostile]).is_err(), "{hostile}");
            assert!(CommandLine::try_parse_from(["roomtone", "list", "--room", hostile]).is_err(), "{hostile}");
        }
    }
}
