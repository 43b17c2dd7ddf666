//! `roomtone export` beside ffmpeg, each on one core.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How often a program is asked how much memory it has.
const LOOK: Duration = Duration::from_millis(20);

/// What each of the two is told, to make the same.
struct Task {
    name: &'static str,
    /// The options of `roomtone export`.
    ours: &'static [&'static str],
    /// ffmpeg's, behind its inputs: the tracks.
    theirs: Theirs,
}

enum Theirs {
    /// All tracks, mixed, into this codec.
    Mix(&'static [&'static str]),
    /// The first track, into this codec.
    First(&'static [&'static str]),
    /// The mix and all tracks, side by side.
    Session,
    /// Each track as WAV, and then a ZIP of them.
    Zip,
}

const OPUS: [&str; 4] = ["-c:a", "libopus", "-b:a", "96k"];
const TASKS: [Task; 9] = [
    Task { name: "mix.ogg", ours: &["--format", "ogg"], theirs: Theirs::Mix(&OPUS) },
    Task { name: "mix.webm", ours: &["--format", "webm"], theirs: Theirs::Mix(&OPUS) },
    Task { name: "mix.wav", ours: &["--format", "wav"], theirs: Theirs::Mix(&["-c:a", "pcm_s16le"]) },
    Task { name: "mix.flac", ours: &["--format", "flac"], theirs: Theirs::Mix(&["-c:a", "flac"]) },
    Task { name: "session.webm", ours: &["--format", "session"], theirs: Theirs::Session },
    Task { name: "1.webm", ours: &["--format", "webm", "--track", "1"], theirs: Theirs::First(&["-c:a", "copy"]) },
    Task { name: "1.wav", ours: &["--format", "wav", "--track", "1"], theirs: Theirs::First(&["-c:a", "pcm_s16le"]) },
    Task { name: "1.flac", ours: &["--format", "flac", "--track", "1"], theirs: Theirs::First(&["-c:a", "flac"]) },
    Task { name: "tracks.zip", ours: &["--format", "zip"], theirs: Theirs::Zip },
];

/// Makes every file with both, and prints how fast and with how much memory.
pub fn bench(folder: &Path, recordings: &Path, id: &str, tracks: u16, length: f64) -> Result<()> {
    let inputs: Vec<_> = (1..=tracks)
        .map(|number| {
            let file = folder.join(format!("{number}.ogg")).display().to_string();
            let number = number.to_string();
            let done = run(roomtone(recordings, id, &file).args(["--format", "ogg", "--track", &number]))?;
            done.code.map(|()| file)
        })
        .collect::<Result<_>>()?;
    println!("               times real time        to     MB at most");
    println!("               export   ffmpeg    ffmpeg   export   ffmpeg   its size in MB");
    for Task { name, ours, theirs } in TASKS {
        let file = folder.join(format!("ours-{name}")).display().to_string();
        let our = run(roomtone(recordings, id, &file).args(ours))?;
        our.code?;
        let bytes = std::fs::metadata(&file)?.len();
        let other = folder.join(format!("theirs-{name}")).display().to_string();
        let their = ffmpeg(&inputs, &theirs, &other)?;
        their.code?;
        std::fs::remove_file(&file)?;
        let _ = std::fs::remove_file(&other);
        println!(
            "{name:<14} {:>6.0}   {:>6.0} {:>9.2} {:>8.0} {:>8.0}   {:>14.1}",
            length / our.seconds,
            length / their.seconds,
            our.seconds / their.seconds,
            our.megabytes,
            their.megabytes,
            bytes as f64 / 1e6
        );
    }
    Ok(())
}

fn roomtone(recordings: &Path, id: &str, output: &str) -> Command {
    let mut command = on_one_core(env!("CARGO_BIN_EXE_roomtone"));
    command.arg("export").arg(id).arg("--recordings").arg(recordings).args(["--force", "--output", output]);
    command
}

/// ffmpeg is told as one would tell it by hand; each track begins a second after the one before it, as in the recording.
fn ffmpeg(inputs: &[String], theirs: &Theirs, output: &str) -> Result<Ran> {
    let mut command = on_one_core("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-threads", "1", "-filter_threads", "1"]);
    let (count, delays): (_, String) =
        (inputs.len(), (0..inputs.len()).map(|at| format!("[{at}:a]adelay={}:all=1[d{at}];", at * 1000)).collect());
    let all: String = (0..count).map(|at| format!("[d{at}]")).collect();
    let mix = format!("{delays}{all}amix=inputs={count}:normalize=0[mix]");
    match theirs {
        Theirs::First(codec) => {
            command.args(["-i", &inputs[0]]).args(*codec);
        }
        Theirs::Mix(codec) => {
            command.args(inputs.iter().flat_map(|input| ["-i", input.as_str()]));
            command.args(["-filter_complex", &mix, "-map", "[mix]"]).args(*codec);
        }
        Theirs::Session => {
            command.args(inputs.iter().flat_map(|input| ["-i", input.as_str()]));
            command.args(["-filter_complex", &mix, "-map", "[mix]"]);
            command.args((0..count).flat_map(|at| ["-map".to_owned(), format!("{at}:a")]));
            command.args(["-c:a", "copy", "-c:a:0", "libopus", "-b:a:0", "96k"]);
        }
        Theirs::Zip => {
            let begun = Instant::now();
            let mut megabytes: f64 = 0.0;
            let mut files = Vec::new();
            for (at, input) in inputs.iter().enumerate() {
                let file = format!("{output}-{at}.wav");
                let mut one = on_one_core("ffmpeg");
                one.args(["-v", "error", "-nostdin", "-y", "-i", input, "-c:a", "pcm_s16le"]);
                let ran = run(one.args(["-af", &format!("adelay={}:all=1", at * 1000), &file]))?;
                ran.code?;
                megabytes = megabytes.max(ran.megabytes);
                files.push(file);
            }
            let ran = run(on_one_core("zip").args(["-q", "-0", "-j", output]).args(&files))?;
            files.iter().try_for_each(std::fs::remove_file)?;
            megabytes = megabytes.max(ran.megabytes);
            return Ok(Ran { seconds: begun.elapsed().as_secs_f64(), megabytes, code: ran.code });
        }
    }
    run(command.arg(output))
}

fn on_one_core(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", program]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// How a program went.
struct Ran {
    seconds: f64,
    /// The most memory that it had at once.
    megabytes: f64,
    code: Result<()>,
}

fn run(command: &mut Command) -> Result<Ran> {
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let mut megabytes: f64 = 0.0;
    let status = loop {
        megabytes = megabytes.max(peak(&child).unwrap_or(0.0));
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK),
        }
    };
    let code = if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) };
    Ok(Ran { seconds: begun.elapsed().as_secs_f64(), megabytes, code })
}

/// The most that it had so far, where it still runs.
fn peak(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}
