//! ffmpeg and ffprobe, and who knows one kind of file best: what a file is to everyone else.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use roomtone::container::ogg::{Demuxer, Event};

/// Runs ffmpeg or ffprobe, which must end well; gives what it wrote, and what it said.
pub fn run(program: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let run = Command::new(program).args(arguments).stdin(Stdio::null()).output().expect("tests/run installs ffmpeg");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{program} {arguments:?}: {said}");
    (run.stdout, said)
}

/// The same on bytes in memory: `-` among the arguments is where their file's name belongs.
pub fn run_on(program: &str, arguments: &[&str], bytes: &[u8]) -> (Vec<u8>, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let name = file.path().to_str().unwrap();
    let arguments: Vec<&str> =
        arguments.iter().map(|argument| if *argument == "-" { name } else { argument }).collect();
    run(program, &arguments)
}

/// Shows a whole file to everyone who knows its kind: they take it, and none of them has anything to remark.
pub fn takes(file: &Path) {
    let name = file.to_str().unwrap();
    let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let silent = |program: &str, arguments: &[&str]| {
        let (told, said) = run(program, arguments);
        assert_eq!(said, "", "{program} remarks on {name}");
        String::from_utf8_lossy(&told).to_lowercase()
    };
    if kind != "zip" {
        silent("ffprobe", &["-v", "warning", name]);
        // The header of a WAV file has no place for speakers, on which ffmpeg remarks.
        let input: &[&str] = if kind == "wav" { &["-guess_layout_max", "0", "-i", name] } else { &["-i", name] };
        silent("ffmpeg", &[&["-v", "warning", "-xerror"], input, &["-map", "0", "-f", "null", "-"]].concat());
    }
    match kind {
        "flac" => drop(silent("flac", &["--test", "--silent", "--warnings-as-errors", name])),
        "ogg" => {
            let told = silent("opusinfo", &[name]);
            assert!(!told.contains("warning"), "{name}: {told}");
        }
        "webm" => {
            let told = silent("mkvinfo", &["--all", name]);
            assert!(told.contains("+ cluster") && told.contains("+ cues"), "{name}: {told}");
            assert!(!["unknown", "warning", "error"].iter().any(|word| told.contains(word)), "{name}: {told}");
        }
        "zip" => drop(silent("zip", &["-T", name])),
        _ => {}
    }
}

/// The arguments after the input's that decode to 48 kHz samples of 16 bits.
pub const DECODED: [&str; 7] = ["-map", "0:a:0", "-f", "s16le", "-ar", "48000", "pipe:1"];

/// Decodes bytes to 48 kHz samples of 16 bits, interleaved. Fails on any warning.
pub fn decode_bytes(bytes: &[u8]) -> Vec<i16> {
    let (samples, said) = run_on("ffmpeg", &[&["-v", "warning", "-xerror", "-i", "-"], &DECODED[..]].concat(), bytes);
    assert_eq!(said, "", "ffmpeg remarks");
    sixteen_bits(&samples)
}

/// The most files that one ffmpeg is given.
const AT_ONCE: usize = 40;

/// Decodes each of several files to 48 kHz samples of 16 bits in one channel, without a process for each. Fails on any warning.
pub fn decode_each(files: &[impl AsRef<[u8]>]) -> Vec<Vec<i16>> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name).to_str().unwrap().to_owned();
    let mut decoded = Vec::new();
    for files in files.chunks(AT_ONCE) {
        let (mut inputs, mut outputs) = (["-v", "warning", "-xerror", "-y"].map(str::to_owned).to_vec(), Vec::new());
        for (number, file) in files.iter().enumerate() {
            let input = at(format!("{number}.in"));
            std::fs::write(&input, file).unwrap();
            inputs.extend(["-i".to_owned(), input]);
            outputs.extend(["-map".to_owned(), format!("{number}:a:0")]);
            outputs.extend(["-f", "s16le", "-ar", "48000", "-ac", "1"].map(str::to_owned));
            outputs.push(at(format!("{number}.out")));
        }
        let arguments: Vec<&str> = inputs.iter().chain(&outputs).map(String::as_str).collect();
        let (_, said) = run("ffmpeg", &arguments);
        assert_eq!(said, "", "ffmpeg remarks");
        decoded
            .extend((0..files.len()).map(|number| sixteen_bits(&std::fs::read(at(format!("{number}.out"))).unwrap())));
    }
    decoded
}

/// Samples of 16 bits.
pub fn sixteen_bits(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}

/// What ffprobe says of bytes in memory: `[codec, channels, duration in seconds]`. Fails on any warning.
pub fn probe(bytes: &[u8]) -> (String, u32, f64) {
    let shown = "stream=codec_name,channels:format=duration";
    let (told, said) = run_on("ffprobe", &["-v", "warning", "-of", "csv=p=0", "-show_entries", shown, "-"], bytes);
    assert_eq!(said, "", "ffprobe remarks");
    let told = String::from_utf8(told).unwrap();
    let fields: Vec<&str> = told.split([',', '\n']).collect();
    let duration = fields[2].parse().unwrap_or(f64::NAN);
    (fields[0].to_owned(), fields[1].parse().unwrap(), duration)
}

/// The packets of an Ogg Opus file, its heads left out.
pub fn ogg_packets(file: &[u8]) -> Vec<Vec<u8>> {
    let mut demuxer = Demuxer::new();
    let mut packets = Vec::new();
    for piece in file.chunks(4096) {
        demuxer.push(piece);
        while let Some(event) = demuxer.pull().unwrap() {
            if let Event::Packet(packet) = event {
                packets.push(packet.data.to_vec());
            }
        }
    }
    packets
}
