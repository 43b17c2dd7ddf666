//! The header of a file of samples: of a part, which is made right again after each round of them, and of a download.
//!
//! Samples that end at an odd byte (24 bits, mono) are not followed by a byte of padding: nothing stands behind them that
//! would have to be aligned, and what is appended to a part next goes on right there.

use std::io::Cursor;
use std::ops::Range;

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::media::pcm::{Head, Sample};

/// The most bytes of samples in a part: 3.9 GiB, in whole frames of every kind. RIFF counts bytes in 32 bits.
pub const MOST_DATA: u64 = 4_187_593_104;

/// Where the longer form of `fmt ` says which speakers its channels are for, and the one in the middle.
const CHANNEL_MASK: Range<usize> = 40..44;
const FRONT_CENTRE: u32 = 4;

/// A size that stands elsewhere, in the element `ds64` (EBU Tech 3306 §3).
const ELSEWHERE: [u8; 4] = [0xFF; 4];

/// Where the samples begin in a file below 4 GiB, in bytes: the length of its header, 44 or 68.
#[must_use]
pub const fn data_offset(head: Head) -> u64 {
    match head.sample() {
        Sample::S16 => 44,
        // The longer form of `fmt ` is asked for past 16 bits (WAVEFORMATEXTENSIBLE).
        Sample::S24 | Sample::S32 | Sample::F32 => 68,
    }
}

/// The header of a file of so many bytes of samples, whole frames; all that stands before them. Of a file that 32 bits cannot
/// count it is an RF64 header (EBU Tech 3306), 36 bytes longer.
#[must_use]
pub fn header_for(head: Head, data_bytes: u64) -> Vec<u8> {
    header(head, data_bytes, 0)
}

/// The same of a file that nothing is appended to any more, and what stands behind its samples: where those end at an odd byte, a byte
/// of padding, which the header counts (RIFF).
#[must_use]
pub fn finished(head: Head, data_bytes: u64) -> (Vec<u8>, &'static [u8]) {
    let padding: &[u8] = if data_bytes.is_multiple_of(2) { &[] } else { &[0] };
    (header(head, data_bytes, padding.len() as u64), padding)
}

fn header(head: Head, data_bytes: u64, padding: u64) -> Vec<u8> {
    let mut header = header_of_none(head);
    let riff_bytes = data_bytes.saturating_add(padding).saturating_add(header.len() as u64 - 8);
    let data_size = header.len() - 4..;
    match (u32::try_from(riff_bytes), u32::try_from(data_bytes)) {
        // All ones mean that the size is not known.
        (Ok(riff), Ok(data)) if riff != u32::MAX => {
            header[4..8].copy_from_slice(&riff.to_le_bytes());
            header[data_size].copy_from_slice(&data.to_le_bytes());
            header
        }
        _ => {
            header[data_size].copy_from_slice(&ELSEWHERE);
            let sizes = sizes(head, riff_bytes, data_bytes);
            [b"RF64", &ELSEWHERE[..], b"WAVE", &sizes, &header[12..]].concat()
        }
    }
}

/// The element `ds64` (EBU Tech 3306 §3.2): the sizes of the file and of the samples, the count of frames, an empty table.
fn sizes(head: Head, riff_bytes: u64, data_bytes: u64) -> Vec<u8> {
    let body = [riff_bytes.saturating_add(36), data_bytes, data_bytes / head.frame_bytes() as u64];
    [b"ds64", &28_u32.to_le_bytes()[..], &body.map(u64::to_le_bytes).concat(), &[0; 4]].concat()
}

/// The header of a file of no samples.
fn header_of_none(head: Head) -> Vec<u8> {
    let sample_format = if head.sample() == Sample::F32 { SampleFormat::Float } else { SampleFormat::Int };
    let bits_per_sample = match head.sample() {
        Sample::S16 => 16,
        Sample::S24 => 24,
        Sample::S32 | Sample::F32 => 32,
    };
    let spec = WavSpec { channels: head.channels().into(), sample_rate: head.rate(), bits_per_sample, sample_format };
    let mut header = Cursor::new(Vec::new());
    let written = WavWriter::new(&mut header, spec).and_then(WavWriter::finalize);
    written.expect("memory takes every byte, and hound writes each kind of sample that there is");
    let mut header = header.into_inner();
    // hound says of one channel that it is the left one, and players would play it there.
    if let (1, Some(mask)) = (head.channels(), header.get_mut(CHANNEL_MASK).filter(|_| data_offset(head) > 44)) {
        mask.copy_from_slice(&FRONT_CENTRE.to_le_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::container::judge;

    const RATES: [u32; 3] = [8_000, 44_100, 192_000];

    fn heads() -> impl Iterator<Item = Head> {
        let kinds = Sample::ALL.into_iter().flat_map(|sample| RATES.map(|rate| (sample, rate)));
        kinds.flat_map(|(sample, rate)| [1, 2].map(|channels| Head::new(sample, rate, channels).unwrap()))
    }

    /// So many frames of which no two are alike, and no float is out of bounds.
    fn frames(head: Head, count: usize) -> Vec<u8> {
        let mut samples = Vec::new();
        for index in 0..count * usize::from(head.channels()) {
            let level = f32::from(u16::try_from(index * 37 % 60_000).unwrap()) / 60_000.0 - 0.5;
            let float = level.to_le_bytes();
            match head.sample() {
                Sample::F32 => samples.extend(float),
                sample => samples.extend(&u64::to_le_bytes(index as u64 * 0x9E37_79B9)[..sample.bytes()]),
            }
        }
        samples
    }

    #[test]
    fn a_header_says_what_follows_it_to_ffmpeg() {
        for head in heads() {
            let samples = frames(head, 481);
            let header = header_for(head, samples.len() as u64);
            assert_eq!(header.len() as u64, data_offset(head), "{head}");
            let file = [header, samples.clone()].concat();
            assert!(judge::samples(&file, head.sample().word()) == samples, "{head}");
            let said = judge::describe(&file);
            for expected in [
                format!("codec_name=pcm_{}", head.sample()),
                format!("sample_rate={}", head.rate()),
                format!("channels={}", head.channels()),
                "duration_ts=481".to_owned(),
            ] {
                assert!(said.lines().any(|line| line == expected), "{head}: no {expected} in {said}");
            }
            assert!(!said.contains("(FL)"), "{head}: one channel is not the left one");
        }
    }

    #[test]
    fn a_full_part_is_whole_frames_and_its_header_still_counts() {
        for head in heads() {
            assert_eq!(MOST_DATA % head.frame_bytes() as u64, 0);
            assert_eq!(header_for(head, MOST_DATA).len() as u64, data_offset(head));
        }
    }

    #[test]
    fn a_file_past_4_gib_says_so_in_64_bits_and_ffprobe_reads_it() {
        for head in heads().filter(|head| head.rate() == 44_100) {
            let frame = head.frame_bytes() as u64;
            // The last that 32 bits count, and the next.
            let most = (u64::from(u32::MAX) - data_offset(head) + 7) / frame * frame;
            assert!(header_for(head, most).starts_with(b"RIFF"));
            for data_bytes in [most + frame, 3 * MOST_DATA] {
                let header = header_for(head, data_bytes);
                assert!(header.starts_with(b"RF64"));
                let mut file = tempfile::NamedTempFile::new().unwrap();
                file.write_all(&header).unwrap();
                // A hole in the file costs nothing to make.
                File::set_len(file.as_file(), header.len() as u64 + data_bytes).unwrap();
                let said = judge::describe_file(file.path());
                let expected = format!("duration_ts={}", data_bytes / frame);
                assert!(said.lines().any(|line| line == expected), "{head}: no {expected} in {said}");
            }
        }
    }
}
