//! How fast what is derived from a recording is made: `cargo bench --bench derive`.
//!
//! Writes a recording of several tracks into a folder of its own, ends it, and times the maker over it. The sound is ffmpeg's: a
//! tone whose pitch tells the second of its ten minutes, so that the files are also good for trying players by ear.
//!
//! | option | meaning |
//! |---|---|
//! | `--tracks N` | how many (10) |
//! | `--minutes M` | how long each is (60) |
//! | `--gap S` | seconds without a packet in the middle of each track, more than 60, so that it has two parts (none) |
//! | `--keep FOLDER` | writes the recording there, and leaves it |
//! | `--only-record` | makes nothing of it: for `roomtone export` beside other programs, by hand |

#![forbid(unsafe_code)]

mod record;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use roomtone::archive::Found;
use roomtone::archive::model::{Container, Derived};
use roomtone::media::track::TrackNumber;

use record::{Sound, record};

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
            eprintln!("derive: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Asked {
    tracks: u16,
    minutes: u64,
    gap: Option<u64>,
    keep: Option<PathBuf>,
    only_record: bool,
}

fn asked() -> Result<Asked> {
    let mut asked = Asked { tracks: 10, minutes: 60, gap: None, keep: None, only_record: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--bench" => {}
            "--tracks" => asked.tracks = arguments.next().ok_or("how many?")?.parse()?,
            "--minutes" => asked.minutes = arguments.next().ok_or("how many?")?.parse()?,
            "--gap" => asked.gap = Some(arguments.next().ok_or("how long?")?.parse()?),
            "--keep" => asked.keep = Some(arguments.next().ok_or("where?")?.into()),
            "--only-record" => asked.only_record = true,
            other => return Err(format!("{other} is no option").into()),
        }
    }
    Ok(asked)
}

/// How many seconds the makers' threads have had a processor, where Linux tells it: on a busy machine they wait for all others.
fn worked() -> Result<Option<f64>> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Ok(None) };
    let mut worked = 0.0;
    for task in tasks {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.starts_with("maker-") {
            // Nanoseconds on a processor, waiting for one, and how often (the kernel's sched-stats).
            let told = std::fs::read_to_string(task.join("schedstat"))?;
            let nanos: u64 = told.split(' ').next().ok_or("nothing")?.parse()?;
            worked += Duration::from_nanos(nanos).as_secs_f64();
        }
    }
    Ok(Some(worked))
}

async fn bench() -> Result<()> {
    let Asked { tracks, minutes, gap, keep, only_record } = asked()?;
    let scratch = tempfile::tempdir()?;
    let folder = keep.unwrap_or_else(|| scratch.path().to_owned());
    let (archive, id) = record(Sound::make()?, &folder, tracks, minutes, gap).await?;
    let begun = Instant::now();
    let recording = archive.recording(id).await?.ok_or("it was recorded")?;
    println!("{tracks} tracks of {minutes} minutes, {} MB", recording.summary.bytes / 1_000_000);
    if only_record {
        println!("{id}");
        archive.close().await;
        return Ok(());
    }
    let last = TrackNumber::new(tracks);
    // In the order in which they are made.
    for (what, name) in [
        (Derived::Track(last, Container::WebM), "all tracks as WebM"),
        (Derived::Waveform(last), "all waveforms"),
        (Derived::Mix(Container::Ogg), "mix.ogg"),
        (Derived::Session, "session.webm"),
        (Derived::MixWaveform, "waveform.json"),
        (Derived::Mix(Container::Wav), "mix.wav"),
        (Derived::Mix(Container::Flac), "mix.flac"),
        (Derived::Mix(Container::WebM), "mix.webm"),
    ] {
        let (asked, worked_before) = (Instant::now(), worked()?);
        let file = loop {
            match archive.derived(id, what).await? {
                Found::Made(file) => break file,
                Found::Making(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let took = begun.elapsed().as_secs_f64();
        println!("{name:>20} there after {took:.1} s; the last has {} bytes", file.bytes);
        if let (Derived::Mix(_), Some(before), Some(after)) = (what, worked_before, worked()?) {
            let length = recording.summary.length.as_secs_f64();
            let took = asked.elapsed().as_secs_f64();
            println!(
                "{:>20} {:.0} times real time, {:.0} by the processor's clock",
                "",
                length / took,
                length / (after - before)
            );
        }
    }
    let seconds = Duration::from_secs(minutes * 60 * u64::from(tracks)).as_secs_f64();
    println!("{:.0} times real time for one track, all in all", seconds / begun.elapsed().as_secs_f64());
    if let Some(worked) = worked()? {
        println!("{:.0} times real time by the processor's clock, {worked:.1} s", seconds / worked);
    }
    archive.close().await;
    Ok(())
}
