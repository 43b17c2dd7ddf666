//! Downloads of a recording: `cargo bench --bench downloads`.
//!
//! Writes a recording of several tracks, and measures, in one run:
//!
//! - each file that `roomtone export` makes, beside ffmpeg making the same of the same tracks: times real time, memory at most.
//!   Both have one core, the same, one after the other;
//! - what the hub serves once it is made: from asking to the first byte, and ranges per second over eight connections.
//!
//! | option | meaning |
//! |---|---|
//! | `--tracks N` | how many (10) |
//! | `--minutes M` | how long each is (30) |

#![forbid(unsafe_code)]

mod export;
#[path = "../derive/record.rs"]
mod record;
mod serve;

use std::process::ExitCode;

/// A benchmark has nothing to recover: it says what went wrong and stops.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(bench()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("downloads: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<()> {
    let (mut tracks, mut minutes) = (10, 30);
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--tracks" => tracks = value.parse()?,
            "--minutes" => minutes = value.parse()?,
            _ => return Err(format!("{name} is no option").into()),
        }
    }
    let folder = tempfile::tempdir()?;
    let recordings = folder.path().join("recordings");
    std::fs::create_dir(&recordings)?;
    let (archive, id) = record::record(record::Sound::make()?, &recordings, tracks, minutes, None).await?;
    let length = archive.recording(id).await?.ok_or("it was recorded")?.summary.length.as_secs_f64();
    archive.close().await;
    println!("{tracks} tracks of {minutes} minutes");
    export::bench(folder.path(), &recordings, &id.to_string(), tracks, length)?;
    serve::bench(&recordings, &id.to_string()).await
}
