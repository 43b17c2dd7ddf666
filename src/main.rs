//! The program: a command in; the hub runs, or what was asked for is done; one sentence where it cannot be.

#![forbid(unsafe_code)]

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use roomtone::app::{App, StartError};
use roomtone::cli::{self, Command};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let command = match cli::command() {
        Ok(command) => command,
        // Help and version go to standard output and are no failure; clap knows which is which.
        Err(cli::Error::CommandLine(error)) => error.exit(),
        Err(error) => return fail(&error, ExitCode::from(cli::CANNOT)),
    };
    // A command that ends says itself what it does.
    let usual = if matches!(command, Command::Serve(_)) { "info,actix_server=warn" } else { "warn" };
    let filter = EnvFilter::try_from_env("ROOMTONE_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    // Colours are for eyes, not for files.
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
    let options = match command {
        Command::Serve(options) => options,
        Command::Other(other) => return other.run(),
    };
    let run = async { App::build(options).await?.run().await };
    match actix::System::new().block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err::<(), StartError>(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn fail(error: &dyn std::error::Error, status: ExitCode) -> ExitCode {
    eprintln!("roomtone: {error}");
    status
}
