//! The program: options in, the hub runs, one sentence where it cannot.

#![forbid(unsafe_code)]

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use roomtone::app::{App, StartError};
use roomtone::cli;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let options = match cli::options() {
        Ok(options) => options,
        // Help and version go to standard output and are no failure; clap knows which is which.
        Err(cli::Error::CommandLine(error)) => error.exit(),
        Err(error) => return fail(&error),
    };
    let filter = EnvFilter::try_from_env("ROOMTONE_LOG").unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    // Colours are for eyes, not for files.
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
    let run = async { App::build(options).await?.run().await };
    match actix::System::new().block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err::<(), StartError>(error) => fail(&error),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("roomtone: {error}");
    ExitCode::FAILURE
}
