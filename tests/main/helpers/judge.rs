//! ffmpeg and ffprobe: what a file is to everyone else.

use std::path::Path;
use std::process::Command;

use roomtone::container::ogg::{Demuxer, Event};

/// Decodes a file to 48 kHz samples of 16 bits, interleaved. Fails on any warning.
pub fn decode(file: &Path) -> Vec<i16> {
    let run = Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-f", "s16le", "-ar", "48000", "-"])
        .output()
        .expect("ffmpeg is installed by tests/run");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{}: {said}", file.display());
    run.stdout.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
}

/// The same for bytes in memory.
pub fn decode_bytes(bytes: &[u8]) -> Vec<i16> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, bytes).unwrap();
    decode(&file)
}

/// What ffprobe says of bytes in memory: `[codec, channels, duration in seconds]`. Fails on any warning.
pub fn probe(bytes: &[u8]) -> (String, u32, f64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, bytes).unwrap();
    let run = Command::new("ffprobe")
        .args(["-v", "warning", "-of", "csv=p=0", "-show_entries", "stream=codec_name,channels:format=duration"])
        .arg(&file)
        .output()
        .expect("ffprobe is installed by tests/run");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{said}");
    let told = String::from_utf8(run.stdout).unwrap();
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
