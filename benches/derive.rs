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

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use roomtone::archive::model::{Anchor, Container, Derived, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, Found, NewPart, NewRecording, Options};
use roomtone::container::ogg;
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence, SourcePacket};
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use uuid::Uuid;

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

/// The head and the packets of ten minutes of sound.
fn sound() -> Result<(opus::Head, Vec<SourcePacket>)> {
    let source = "aevalsrc=0.3*sin(2*PI*(400+2*floor(t))*t):d=600:s=48000";
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-c:a", "libopus", "-b:a", "48k", "-f", "ogg", "-"])
        .stderr(Stdio::inherit())
        .output()?;
    let mut demuxer = ogg::Demuxer::new();
    let (mut head, mut packets) = (None, Vec::new());
    for piece in run.stdout.chunks(64 * 1024) {
        demuxer.push(piece);
        while let Some(event) = demuxer.pull()? {
            match event {
                ogg::Event::Head(one) => head = Some(one),
                ogg::Event::Packet(packet) => packets.push(packet),
                ogg::Event::Tags(_) | ogg::Event::End(_) => {}
            }
        }
    }
    Ok((head.ok_or("ffmpeg made no Opus")?, packets))
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
    let (head, ten_minutes) = sound()?;
    let scratch = tempfile::tempdir()?;
    let folder = keep.unwrap_or_else(|| scratch.path().to_owned());
    let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z")?;
    let (archive, _) = Archive::open(Options::new(folder), started).await?;
    let id = RecordingId::new(started, *Uuid::new_v4().as_bytes().first_chunk().ok_or("16 bytes")?);
    let (tell, told) = mpsc::channel();
    let new = NewRecording { id, room: "bench".parse()?, started };
    let writer = archive.begin(new, Box::new(move |event| drop(tell.send(event))));
    let part = |number: u16, part: u32, at: Ticks, first: Sequence| -> Result<NewPart> {
        // Each a second after the one before it.
        let start = Anchor { track: at, session: at.saturating_add(Ticks::from_secs(u64::from(number) - 1)) };
        let (participant, name, format) = (Uuid::nil(), format!("Speaker {number}").parse()?, Format::Opus(head));
        Ok(NewPart {
            track: TrackNumber::new(number),
            number: part,
            participant,
            name,
            source: format.codec(),
            format,
            start,
            first,
        })
    };
    for number in 1..=tracks {
        writer.begin_part(part(number, 1, Ticks::ZERO, Sequence::ZERO)?);
    }
    let mut gap = gap.map(Ticks::from_secs);
    let mut sequence = Sequence::ZERO;
    let mut time = Ticks::ZERO;
    for packet in ten_minutes.iter().cycle() {
        if time >= Ticks::from_secs(minutes * 60) {
            break;
        }
        if time >= Ticks::from_secs(minutes * 30)
            && let Some(gap) = gap.take()
        {
            time = time.saturating_add(gap);
            for number in 1..=tracks {
                writer.end_part(TrackNumber::new(number));
                writer.begin_part(part(number, 2, time, sequence)?);
            }
        }
        for number in 1..=tracks {
            let (duration, data) = (packet.duration, packet.data.clone());
            writer.append(TrackNumber::new(number), vec![Packet { sequence, time, duration, data, heard: None }]);
        }
        sequence = sequence.next();
        time = time.saturating_add(packet.duration);
    }
    writer.end(EndReason::Finished, started);
    loop {
        match told.recv()? {
            Event::Ended => break,
            Event::Failed { message, .. } => return Err(message.into()),
            Event::Durable { .. } => {}
        }
    }
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
