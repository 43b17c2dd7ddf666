//! The judges of the container tests: ffmpeg and ffprobe as processes, and the captures of real browsers.
//!
//! Where ffmpeg is missing these tests fail: without it they prove nothing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{testing, webm};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::source::Source;

#[path = "../../tests/captures/read.rs"]
pub mod captures;

/// A capture in `tests/captures`.
pub struct Capture {
    name: String,
    messages: Vec<Vec<u8>>,
}

/// A packet as ffprobe tells it.
#[derive(Debug, PartialEq, Eq)]
pub struct Probed {
    /// Its time in the stream's units: ms in WebM.
    pub pts: i64,
    pub size: usize,
    pub adler32: u32,
}

impl Probed {
    fn new(pts: &str, size: &str, hash: &str) -> Self {
        let adler32 = u32::from_str_radix(hash.strip_prefix("adler32:").unwrap(), 16).unwrap();
        Self { pts: pts.parse().unwrap(), size: size.parse().unwrap(), adler32 }
    }
}

impl Capture {
    pub fn read(name: &str) -> Self {
        Self { name: name.to_owned(), messages: captures::messages(name) }
    }

    /// The messages as they arrived.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.messages.iter().map(Vec::as_slice)
    }

    /// The stream without message edges.
    pub fn joined(&self) -> Vec<u8> {
        self.messages.concat()
    }

    /// The head and the packets of a capture that is WebM with Opus, and nothing else; of one that begins again, the last head.
    pub fn opus(&self) -> (opus::Head, Vec<SourcePacket>) {
        let (events, end, _) = testing::demux(&mut webm::Demuxer::new(), self.messages());
        end.unwrap();
        let (heads, packets) = (testing::heads(&events), testing::packets(&events));
        assert_eq!(events.len(), heads.len() + packets.len(), "{} has nothing else", self.name);
        let Some(Source::Opus(head)) = heads.last() else { panic!("{} is Opus", self.name) };
        (*head, packets.into_iter().cloned().collect())
    }

    /// What ffprobe found when the capture was taken.
    pub fn packets(&self) -> Vec<Probed> {
        let path = [env!("CARGO_MANIFEST_DIR"), "tests", "captures", &self.name, "packets.csv"];
        let text = std::fs::read_to_string(path.iter().collect::<PathBuf>()).expect("the golden packets");
        let line = |line: &str| {
            let [pts, size, hash] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
            Probed::new(pts, size, hash)
        };
        text.lines().map(line).collect()
    }
}

/// The packets that ffprobe finds in a file.
pub fn probe(file: &[u8]) -> Vec<Probed> {
    let entries = "packet=pts,size,data_hash";
    let arguments = ["-v", "error", "-select_streams", "a:0", "-show_entries", entries, "-show_data_hash", "adler32"];
    // Lines of `key=value`: the first packet of a stream has more keys, for what is skipped of it.
    let (output, _) = run("ffprobe", &[&arguments[..], &["-of", "default=noprint_wrappers=1", "-"]].concat(), file);
    let output = String::from_utf8(output).unwrap();
    let mut lines = output.lines();
    std::iter::from_fn(|| {
        let mut value = |key: &str| lines.find_map(|line| line.strip_prefix(key));
        Some(Probed::new(value("pts=")?, value("size=")?, value("data_hash=")?))
    })
    .collect()
}

/// What ffprobe says of a file's one stream and its format, as `key=value` lines; it must have no warning.
pub fn describe(file: &[u8]) -> String {
    describe_file(kept(file).path())
}

/// As [`describe`], of a file that is too long to hold.
pub fn describe_file(path: &Path) -> String {
    let (output, said) =
        run_on("ffprobe", &["-v", "warning", "-show_streams", "-show_format", "-of", "default", "-"], path);
    assert_eq!(said, "", "ffprobe warns");
    String::from_utf8(output).unwrap()
}

/// The chapters that ffprobe finds in a file, as start and end in seconds and title; it must have no warning.
pub fn chapters(file: &[u8]) -> Vec<(String, String, String)> {
    let entries = "chapter=start_time,end_time:chapter_tags=title";
    let (output, said) = run(
        "ffprobe",
        &["-v", "warning", "-show_chapters", "-show_entries", entries, "-of", "csv=p=0:e=none", "-"],
        file,
    );
    assert_eq!(said, "", "ffprobe warns");
    let output = String::from_utf8(output).unwrap();
    let line = |line: &str| {
        let [start, end, title] = line.splitn(3, ',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        (start.to_owned(), end.to_owned(), title.to_owned())
    };
    output.lines().map(line).collect()
}

/// What ffmpeg writes when it is given these arguments, of which `-` is where the input's name belongs; it must have no error.
pub fn ffmpeg(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let (output, said) = run("ffmpeg", &[&["-v", "error"], arguments].concat(), input);
    assert_eq!(said, "", "ffmpeg finds an error");
    output
}

/// Decodes a file with ffmpeg to mono samples of 48 kHz, and gives what it said besides.
pub fn decode(file: &[u8]) -> (Vec<f32>, String) {
    let arguments = ["-v", "warning", "-i", "-", "-ac", "1", "-ar", "48000", "-f", "f32le", "-"];
    let (output, said) = run("ffmpeg", &arguments, file);
    let (samples, rest) = output.as_chunks::<4>();
    assert!(rest.is_empty());
    (samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(), said)
}

/// The samples of a file at its own rate and channels, as ffmpeg writes them in this format (`s16le`).
pub fn samples(file: &[u8], format: &str) -> Vec<u8> {
    run("ffmpeg", &["-v", "error", "-i", "-", "-f", format, "-c:a", &format!("pcm_{format}"), "pipe:1"], file).0
}

/// Decodes a file that ffmpeg must have nothing to say about.
pub fn decode_quietly(file: &[u8]) -> Vec<f32> {
    let (samples, said) = decode(file);
    assert_eq!(said, "", "ffmpeg warns");
    samples
}

/// Adler-32 (RFC 1950 §8.2), as ffprobe prints it.
pub fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// A file that ffmpeg makes of a lavfi source (3 s, where it has no end), written as into a pipe.
pub fn made(source: &str, arguments: &[&str]) -> Vec<u8> {
    let input = ["-v", "error", "-f", "lavfi", "-i", source, "-t", "3", "-fflags", "+bitexact"];
    let (output, said) = start("ffmpeg", &[&input[..], arguments, &["pipe:1"]].concat());
    assert_eq!(said, "", "ffmpeg warns");
    output
}

/// Runs a program with `input`; gives what it wrote and what it said. It must end well.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> (Vec<u8>, String) {
    run_on(program, arguments, kept(input).path())
}

/// The bytes as a file, not a pipe: a pipe cannot be sought in, which these programs remark on.
fn kept(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    file
}

fn run_on(program: &str, arguments: &[&str], path: &Path) -> (Vec<u8>, String) {
    let path = path.to_str().expect("a path in UTF-8");
    let input = arguments.iter().position(|argument| *argument == "-").expect("the place of the input");
    let mut arguments = arguments.to_vec();
    arguments[input] = path;
    start(program, &arguments)
}

/// Runs a program; gives what it wrote and what it said. It must end well.
fn start(program: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed to judge this and does not run: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
    (output.stdout, said)
}
