//! The muxer of a part: samples that are appended, and a header that is made right again after each round of them.

use std::io::Cursor;
use std::mem;
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

/// Muxes samples into the WAV file of one part. Never reads back.
///
/// It holds what was pushed since it was last taken. The file is right once the samples are appended and then the header is
/// written over the one at its start. Between the two, readers see the sound of the time before.
///
/// Samples that end at an odd byte (24 bits, mono) are not followed by a byte of padding: nothing stands behind them that
/// would have to be aligned, and what is appended next goes on right there.
#[derive(Debug)]
pub struct WavMuxer {
    head: Head,
    /// Bytes of samples pushed, those of the file before it was resumed included.
    data_bytes: u64,
    /// Samples that wait to be taken.
    waiting: Vec<u8>,
}

/// A part that is full: another has to begin. Nothing of the block was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a WAV part holds at most {MOST_DATA} bytes of samples")]
pub struct Full;

impl WavMuxer {
    /// Begins a part; gives its first bytes, a header of no samples.
    #[must_use]
    pub fn begin(head: Head) -> (Self, Vec<u8>) {
        (Self::resume(head, 0), header_for(head, 0))
    }

    /// Goes on with a part of so many bytes of samples, at most [`MOST_DATA`] and whole frames.
    #[must_use]
    pub const fn resume(head: Head, data_bytes: u64) -> Self {
        Self { head, data_bytes, waiting: Vec::new() }
    }

    /// Appends whole frames.
    ///
    /// # Errors
    /// Where the part would have more than [`MOST_DATA`] bytes of samples.
    pub fn push(&mut self, block: &[u8]) -> Result<(), Full> {
        let data_bytes = self.data_bytes.saturating_add(block.len() as u64);
        if data_bytes > MOST_DATA {
            return Err(Full);
        }
        debug_assert_eq!(block.len() % self.head.frame_bytes(), 0, "a block is whole frames");
        self.data_bytes = data_bytes;
        self.waiting.extend_from_slice(block);
        Ok(())
    }

    /// Gives the samples since the last time, to be appended, and the header that must then be written over the file's first
    /// bytes; no header where there are no samples, since then the one in the file is right.
    #[must_use]
    pub fn take(&mut self) -> (Option<Vec<u8>>, Vec<u8>) {
        let samples = mem::take(&mut self.waiting);
        let header = (!samples.is_empty()).then(|| header_for(self.head, self.data_bytes));
        (header, samples)
    }

    /// Bytes of samples pushed so far, those of the file before it was resumed included.
    #[must_use]
    pub const fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Frames pushed so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.data_bytes / self.head.frame_bytes() as u64
    }

    /// Bytes of samples that [`WavMuxer::take`] would give.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

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
    let mut header = header_of_none(head);
    let riff_bytes = data_bytes.saturating_add(header.len() as u64 - 8);
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

    /// The samples of a file as ffmpeg reads them, in their own format.
    fn read(head: Head, file: &[u8]) -> Vec<u8> {
        judge::ffmpeg(&["-i", "-", "-f", head.sample().word(), "-"], file)
    }

    #[test]
    fn the_file_is_right_after_every_round() {
        for head in heads() {
            let (mut muxer, mut file) = WavMuxer::begin(head);
            assert_eq!(file.len() as u64, data_offset(head), "{head}");
            let mut samples = Vec::new();
            // The third round brings nothing, the second and the fourth several blocks.
            for (round, counts) in [&[1][..], &[160, 161], &[], &[159, 7, 3]].into_iter().enumerate() {
                for &count in counts {
                    let block = frames(head, count);
                    muxer.push(&block).unwrap();
                    samples.extend(block);
                }
                let (header, more) = muxer.take();
                file.extend(more);
                assert_eq!(header.is_some(), !counts.is_empty());
                if let Some(header) = header {
                    file[..header.len()].copy_from_slice(&header);
                }
                assert_eq!(muxer.data_bytes(), samples.len() as u64);
                assert_eq!(muxer.frames(), (samples.len() / head.frame_bytes()) as u64);
                // A process for each takes its time: the rates differ in nothing but their number.
                if round == 3 || head.rate() == 44_100 {
                    assert!(read(head, &file) == samples, "{head}, round {round}");
                }
            }
            let said = judge::describe(&file);
            for expected in [
                format!("codec_name=pcm_{}", head.sample()),
                format!("sample_rate={}", head.rate()),
                format!("channels={}", head.channels()),
                format!("duration_ts={}", muxer.frames()),
            ] {
                assert!(said.lines().any(|line| line == expected), "{head}: no {expected} in {said}");
            }
            assert!(!said.contains("(FL)"), "{head}: one channel is not the left one");
        }
    }

    #[test]
    fn a_resumed_part_goes_on_as_if_it_had_not_ended() {
        let head = Head::new(Sample::S24, 11_025, 1).unwrap();
        let (mut whole, _) = WavMuxer::begin(head);
        let (first, second) = (frames(head, 221), frames(head, 220));
        whole.push(&first).unwrap();
        let _ = whole.take();
        let mut resumed = WavMuxer::resume(head, first.len() as u64);
        for muxer in [&mut whole, &mut resumed] {
            muxer.push(&second).unwrap();
        }
        assert_eq!(resumed.frames(), 441);
        assert_eq!(resumed.take(), whole.take());
    }

    #[test]
    fn a_full_part_takes_no_block_and_its_header_still_counts() {
        for head in heads() {
            let frame = head.frame_bytes() as u64;
            assert_eq!(MOST_DATA % frame, 0);
            let mut muxer = WavMuxer::resume(head, MOST_DATA - frame);
            muxer.push(&frames(head, 1)).unwrap();
            assert_eq!(muxer.push(&frames(head, 1)), Err(Full));
            let (header, samples) = muxer.take();
            assert_eq!(samples.len() as u64, frame);
            assert_eq!(header.unwrap().len() as u64, data_offset(head));
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
