//! Coded sound that ffmpeg makes, taken apart into packets without our demuxers, so that decoders are judged alone.
//!
//! Each container is the simplest that its codec has: ADTS, a bare MP3, Ogg.

use std::process::{Command, Stdio};

use crate::media::source::{Codec, Coded};
use bytes::Bytes;

/// Two tones and a rising one, on the second channel others, as an input of ffmpeg.
pub fn sound(rate: u32, channels: u8, seconds: u32) -> Vec<String> {
    let left = "0.3*sin(2*PI*440*t)+0.1*sin(2*PI*997*t)+0.2*sin(2*PI*(300+150*t)*t)";
    let right = "0.3*sin(2*PI*550*t)+0.2*sin(2*PI*(900-40*t)*t)";
    let channels = if channels == 1 { left.to_owned() } else { format!("{left}|{right}") };
    ["-f", "lavfi", "-i", &format!("aevalsrc={channels}:s={rate}:d={seconds}")].map(str::to_owned).to_vec()
}

/// What ffmpeg writes to its standard output, given these arguments.
pub fn ffmpeg(arguments: &[String], output: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]).args(arguments).args(output).arg("-");
    let done = command.stderr(Stdio::inherit()).output().expect("ffmpeg is installed");
    assert!(done.status.success(), "ffmpeg: {arguments:?} {output:?}");
    done.stdout
}

/// A file of so much sound in a codec; FLAC of so many bits, 16 or 24.
pub fn file(codec: Codec, rate: u32, channels: u8, seconds: u32, bits: u32) -> Vec<u8> {
    let output: &[&str] = match codec {
        // Noise that is made up would be another one in another decoder.
        Codec::Aac => &["-c:a", "aac", "-aac_pns", "0", "-b:a", "128k", "-f", "adts"],
        Codec::Mp3 => &["-c:a", "libmp3lame", "-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"],
        Codec::Vorbis => &["-c:a", "libvorbis", "-q:a", "5", "-f", "ogg"],
        Codec::Flac if bits == 24 => &["-c:a", "flac", "-sample_fmt", "s32", "-f", "ogg"],
        Codec::Flac => &["-c:a", "flac", "-sample_fmt", "s16", "-f", "ogg"],
        Codec::Opus | Codec::Pcm => panic!("{codec} is not decoded to be kept"),
    };
    ffmpeg(&sound(rate, channels, seconds), output)
}

/// What a decoder of such a file must be told, and its packets.
pub fn packets(codec: Codec, rate: u32, channels: u8, file: &[u8]) -> (Coded, Vec<Bytes>) {
    let (private, packets) = match codec {
        Codec::Aac => adts(file),
        Codec::Mp3 => (Bytes::new(), mp3(file, rate)),
        _ => ogg(file),
    };
    (Coded { codec, rate, channels, private }, packets)
}

/// Frames of AAC without their ADTS headers, and the AudioSpecificConfig that those stand for.
fn adts(file: &[u8]) -> (Bytes, Vec<Bytes>) {
    let mut packets = Vec::new();
    let mut rest = file;
    while rest.len() > 7 {
        let length = usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5] >> 5);
        packets.push(Bytes::copy_from_slice(&rest[7..length]));
        rest = &rest[length..];
    }
    let (profile, rate, channels) = (file[2] >> 6, file[2] >> 2 & 15, (file[2] & 1) << 2 | file[3] >> 6);
    (Bytes::from(vec![(profile + 1) << 3 | rate >> 1, (rate & 1) << 7 | channels << 3]), packets)
}

/// Frames of an MP3 of 128 kbit/s.
fn mp3(file: &[u8], rate: u32) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut rest = file;
    let frames = if rate < 32_000 { 72 } else { 144 };
    while let [0xFF, _, third, _, ..] = rest {
        let length = usize::try_from(frames * 128_000 / rate).expect("small") + usize::from(third >> 1 & 1);
        let length = length.min(rest.len());
        packets.push(Bytes::copy_from_slice(&rest[..length]));
        rest = &rest[length..];
    }
    packets
}

/// Packets of Ogg, without the headers; and what of them a decoder must be told.
fn ogg(file: &[u8]) -> (Bytes, Vec<Bytes>) {
    let mut reader = ogg::PacketReader::new(std::io::Cursor::new(file));
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet().expect("a good file") {
        packets.push(Bytes::from(packet.data));
    }
    if packets[0].starts_with(b"\x7fFLAC") {
        // After the first, as many metadata blocks as it says.
        let others = usize::from(u16::from_be_bytes([packets[0][7], packets[0][8]]));
        (packets[0].slice(17..51), packets.split_off(1 + others))
    } else {
        let private = [&packets[0][..], &packets[2][..]].concat();
        (private.into(), packets.split_off(3))
    }
}
