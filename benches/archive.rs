//! What the archive costs: `cargo bench --bench archive`.
//!
//! First, tracks are recorded in real time at the default sync period, and the processor's time of all threads but the one that
//! sends is counted: so many tracks go on a core. Beside it stands how many files and transactions were synced in a second, how
//! many syncs the disk gives to one who does nothing else, and how old the oldest packet was when it was told to be durable.
//!
//! Then recordings are left open as a fall leaves them, and start-up is timed: once where every file is as the index says, and
//! once where the last byte of each Opus part is gone, so that it is read from its start.
//!
//! | option | meaning |
//! |---|---|
//! | `--tracks 100,1000` | how many at once, one run for each number (10,100,1000) |
//! | `--seconds S` | how long each run takes (10) |
//! | `--pcm` | 16-bit samples of 48 kHz, mono, instead of Opus of 64 kbit/s |
//! | `--hours H` | how long the recordings are that start-up finds, each of four tracks (1) |
//! | `--folder FOLDER` | on which disk; a folder of its own is made there and removed (the system's for temporary files) |

#![forbid(unsafe_code)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use roomtone::archive::model::{Anchor, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, NewPart, NewRecording, Options, RecordingWriter};
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::pcm::{self, Sample};
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use uuid::Uuid;

/// A benchmark has nothing to recover: it says what went wrong and stops.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many tracks a session has.
const TOGETHER: usize = 4;
/// How much sound a message has.
const MESSAGE: Duration = Duration::from_millis(100);
/// Packets of 20 ms in a message.
const PACKETS: u64 = 5;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(bench())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("archive: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Asked {
    tracks: Vec<usize>,
    seconds: u64,
    pcm: bool,
    hours: u64,
    folder: PathBuf,
}

fn asked() -> Result<Asked> {
    let tracks = vec![10, 100, 1000];
    let mut asked = Asked { tracks, seconds: 10, pcm: false, hours: 1, folder: std::env::temp_dir() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or("how many?");
        match name.as_str() {
            "--bench" => {}
            "--tracks" => {
                asked.tracks = value()?.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
            }
            "--seconds" => asked.seconds = value()?.parse()?,
            "--pcm" => asked.pcm = true,
            "--hours" => asked.hours = value()?.parse()?,
            "--folder" => asked.folder = value()?.into(),
            other => return Err(format!("{other} is no option").into()),
        }
    }
    Ok(asked)
}

/// How a track is kept, and one packet of it of 20 ms.
fn sound(pcm: bool) -> Result<(Format, Bytes)> {
    if pcm {
        return Ok((Format::Pcm(pcm::Head::new(Sample::S16, 48_000, 1)?), Bytes::from(vec![1; 1920])));
    }
    let head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
    // CELT, 20 ms, mono, one frame.
    Ok((Format::Opus(head), Bytes::from([&[0xF8][..], &[0x55; 159]].concat())))
}

fn part(number: u16, format: &Format) -> Result<NewPart> {
    Ok(NewPart {
        track: TrackNumber::new(number),
        number: 1,
        participant: Uuid::nil(),
        name: format!("Speaker {number}").parse()?,
        format: format.clone(),
        source: format.codec(),
        start: Anchor { track: Ticks::ZERO, session: Ticks::ZERO },
        first: Sequence::ZERO,
    })
}

fn packets(numbers: std::ops::Range<u64>, data: &Bytes) -> Vec<Packet> {
    let duration = Ticks::from_millis(20);
    let packet = |number| {
        let (sequence, time) = (Sequence::new(number), Ticks::new(number * duration.get()));
        Packet { sequence, time, duration, data: data.clone(), heard: None }
    };
    numbers.map(packet).collect()
}

/// Begins a recording of so many tracks. What it is told goes to `tell`, with when it was.
fn begin(
    archive: &Archive,
    tracks: usize,
    format: &Format,
    tell: &mpsc::Sender<(Instant, Event)>,
) -> Result<RecordingWriter> {
    let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z")?;
    let random = *Uuid::new_v4().as_bytes().first_chunk().ok_or("16 bytes")?;
    let tell = tell.clone();
    let new = NewRecording { id: RecordingId::new(started, random), room: "bench".parse()?, started };
    let writer = archive.begin(new, Box::new(move |event| drop(tell.send((Instant::now(), event)))));
    for number in 1..=u16::try_from(tracks)? {
        writer.begin_part(part(number, format)?);
    }
    Ok(writer)
}

/// How long the processor has worked for all threads but the first, where Linux tells it.
fn worked() -> Result<Duration> {
    let own = std::process::id().to_string();
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_str() != Some(&own) {
            // Nanoseconds on a processor, waiting for one, and how often (the kernel's sched-stats). A thread may end meanwhile.
            let told = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            nanos += told.split(' ').next().unwrap_or_default().parse().unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(nanos))
}

/// Syncs that the disk gives in a second, each of 4 KiB at the end of a file.
fn syncs(folder: &Path) -> Result<f64> {
    let mut file = fs::File::create(folder.join("syncs"))?;
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// Records so many tracks for so long, in real time.
async fn record(folder: &Path, tracks: usize, seconds: u64, pcm: bool) -> Result<()> {
    let (format, data) = sound(pcm)?;
    let now = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z")?;
    let (archive, _) = Archive::open(Options::new(folder.to_owned()), now).await?;
    let (tell, told) = mpsc::channel();
    let sessions = (0..tracks).step_by(TOGETHER).map(|first| {
        let count = TOGETHER.min(tracks - first);
        Ok((count, begin(&archive, count, &format, &tell)?))
    });
    let sessions = sessions.collect::<Result<Vec<_>>>()?;
    let (begun, before) = (tokio::time::Instant::now(), worked()?);
    let mut sent = Vec::new();
    for message in 0..seconds * 10 {
        tokio::time::sleep_until(begun + MESSAGE * u32::try_from(message)?).await;
        sent.push(Instant::now());
        for (count, writer) in &sessions {
            for number in 1..=u16::try_from(*count)? {
                let packets = packets(message * PACKETS..(message + 1) * PACKETS, &data);
                writer.append(TrackNumber::new(number), packets);
            }
        }
    }
    let (worked, wall) = (worked()? - before, begun.elapsed());
    for (_, writer) in sessions {
        writer.end(EndReason::Finished, now);
    }
    drop(tell);
    archive.close().await;

    let (mut ages, mut rounds, mut last) = (Vec::new(), 0_u32, None);
    for (at, event) in told.into_iter().filter(|(at, _)| *at <= begun.into_std() + wall) {
        match event {
            Event::Durable { next, bytes, .. } => {
                // The oldest of what became durable is the first packet after what was so before.
                let became = u64::try_from(bytes / data.len())?;
                let oldest = usize::try_from((next.get() - became) / PACKETS)?;
                ages.push(at.duration_since(sent[oldest.min(sent.len() - 1)]));
                rounds += u32::from(last.is_none_or(|last: Instant| at - last > Duration::from_millis(100)));
                last = Some(at);
            }
            Event::Failed { message, .. } => return Err(message.into()),
            Event::Ended => {}
        }
    }
    ages.sort_unstable();
    let age =
        |of: usize| ages.get((ages.len() * of / 1000).min(ages.len().saturating_sub(1))).copied().unwrap_or_default();
    let seconds = wall.as_secs_f64();
    let cores = worked.as_secs_f64() / seconds;
    let (files, rounds) = (f64::from(u32::try_from(ages.len())?) / seconds, f64::from(rounds) / seconds);
    println!(
        "{tracks:>6} tracks: {:.1} % of a core, {:.0} tracks a core; {files:.0} files and {rounds:.1} transactions synced a \
         second; the oldest packet was durable after {:.0} ms (median), {:.0} (99 %), {:.0} (all)",
        cores * 100.0,
        f64::from(u32::try_from(tracks)?) / cores,
        age(500).as_secs_f64() * 1e3,
        age(990).as_secs_f64() * 1e3,
        age(1000).as_secs_f64() * 1e3,
    );
    Ok(())
}

/// Every Opus part below a folder.
fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(parts(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "ogg") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Leaves a recording open, and starts up.
async fn recover(folder: &Path, hours: u64, pcm: bool, torn: bool) -> Result<()> {
    let (format, data) = sound(pcm)?;
    let now = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z")?;
    let (archive, _) = Archive::open(Options::new(folder.to_owned()), now).await?;
    let (tell, told) = mpsc::channel();
    let writer = begin(&archive, TOGETHER, &format, &tell)?;
    // A minute at a time, so that not all of it is in memory.
    for minute in 0..hours * 60 {
        for number in 1..=u16::try_from(TOGETHER)? {
            writer.append(TrackNumber::new(number), packets(minute * 3000..(minute + 1) * 3000, &data));
        }
        while !matches!(told.recv()?, (_, Event::Durable { next, .. }) if next.get() == (minute + 1) * 3000) {}
    }
    archive.close().await;
    drop(writer);
    for part in parts(folder)?.iter().filter(|_| torn) {
        let file = fs::OpenOptions::new().write(true).open(part)?;
        file.set_len(file.metadata()?.len() - 1)?;
    }
    let begun = Instant::now();
    let (archive, recovered) = Archive::open(Options::new(folder.to_owned()), now).await?;
    let took = begun.elapsed();
    let [recording] = &recovered.recordings[..] else { return Err("one was left open".into()) };
    println!(
        "{hours} hours of {TOGETHER} tracks, {}: start-up takes {:.1} ms, {:.2} ms for an hour of a track ({} bytes cut)",
        if torn { "each part without its last byte" } else { "as the index says" },
        took.as_secs_f64() * 1e3,
        took.as_secs_f64() * 1e3 / f64::from(u32::try_from(hours)? * u32::try_from(TOGETHER)?),
        recording.cut,
    );
    archive.close().await;
    Ok(())
}

async fn bench() -> Result<()> {
    let Asked { tracks, seconds, pcm, hours, folder } = asked()?;
    let scratch = tempfile::tempdir_in(folder)?;
    let own = |name: &str| -> Result<PathBuf> {
        let folder = scratch.path().join(name);
        fs::create_dir(&folder)?;
        Ok(folder)
    };
    println!("the disk gives {:.0} syncs a second", syncs(scratch.path())?);
    for count in tracks {
        record(&own(&format!("record-{count}"))?, count, seconds, pcm).await?;
    }
    recover(&own("recover")?, hours, pcm, false).await?;
    if !pcm {
        recover(&own("torn")?, hours, pcm, true).await?;
    }
    Ok(())
}
