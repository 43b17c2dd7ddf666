//! Native FLAC files (RFC 9639) out of samples, in constant memory.
//!
//! What belongs here: the layout: STREAMINFO, the comments, frames one behind the other. What does not: how a frame is coded, which
//! `flac-codec` does.
//!
//! A file begins with what is known only at its end, the sum of its samples and the lengths of its frames. So it begins with a head
//! of [`HEAD`] bytes that is made twice: the second takes the place of the first.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use flac_codec::encode::{FlacStreamWriter, Options};

/// Bytes of the head: `fLaC`, and STREAMINFO with its header (RFC 9639 §8.1, §8.2).
pub const HEAD: usize = 4 + 4 + 34;
/// Frames of sound in a frame of FLAC: what the reference encoder takes at 48 kHz, and the most but a few of the streamable subset
/// (§7).
const BLOCK: u16 = 4096;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Frames in a second.
    pub rate: u32,
    /// Samples in a frame.
    pub channels: u8,
    /// Bits of a sample: 16 or 24.
    pub bits: u8,
    /// How many frames there are.
    pub frames: u64,
}

/// Makes a file. Holds a block of samples and a frame.
pub struct Muxer {
    sound: Sound,
    writer: FlacStreamWriter<Frames>,
    frames: Frames,
    waiting: Vec<i32>,
    /// The sum of all samples, as little-endian bytes (§8.2).
    sum: md5::Context,
    /// The shortest and the longest frame, in bytes.
    shortest: usize,
    longest: usize,
}

/// Where frames go until they are taken.
#[derive(Clone, Debug, Default)]
struct Frames(Rc<RefCell<Vec<u8>>>);

impl io::Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Muxer {
    /// Begins a file; gives its head for now, and what stands between that and the frames.
    #[must_use]
    pub fn begin(sound: Sound, tags: &[(String, String)]) -> (Self, [u8; HEAD], Vec<u8>) {
        let frames = Frames::default();
        let options = Options::default().fast_channel_correlation(true);
        let writer = FlacStreamWriter::new(frames.clone(), options);
        let (waiting, sum) = (Vec::new(), md5::Context::new());
        let muxer = Self { sound, writer, frames, waiting, sum, shortest: usize::MAX, longest: 0 };
        let head = muxer.head([0; 16]);
        (muxer, head, comments(tags))
    }

    /// Takes whole frames, interleaved, each sample in the lower bits; adds frames of FLAC to `out`.
    ///
    /// # Errors
    /// Where the codec refuses the format.
    pub fn push(&mut self, samples: &[i32], out: &mut Vec<u8>) -> io::Result<()> {
        let bytes = usize::from(self.sound.bits / 8);
        samples.iter().for_each(|sample| self.sum.consume(&sample.to_le_bytes()[..bytes]));
        self.waiting.extend_from_slice(samples);
        let block = usize::from(BLOCK) * usize::from(self.sound.channels);
        let whole = self.waiting.len() / block * block;
        let rest = self.waiting.split_off(whole);
        let whole = std::mem::replace(&mut self.waiting, rest);
        whole.chunks(block).try_for_each(|block| self.frame(block, out))
    }

    /// Ends the file; gives its head.
    ///
    /// # Errors
    /// Where the codec refuses the format.
    pub fn finish(mut self, out: &mut Vec<u8>) -> io::Result<[u8; HEAD]> {
        let rest = std::mem::take(&mut self.waiting);
        if !rest.is_empty() {
            self.frame(&rest, out)?;
        }
        let sum = std::mem::replace(&mut self.sum, md5::Context::new());
        Ok(self.head(sum.finalize().0))
    }

    fn frame(&mut self, samples: &[i32], out: &mut Vec<u8>) -> io::Result<()> {
        let Sound { rate, channels, bits, .. } = self.sound;
        self.writer.write(rate, channels, bits.into(), samples).map_err(io::Error::other)?;
        let mut frames = self.frames.0.borrow_mut();
        self.shortest = self.shortest.min(frames.len());
        self.longest = self.longest.max(frames.len());
        out.append(&mut frames);
        Ok(())
    }

    /// `fLaC` and STREAMINFO (§8.2): what is not known is 0.
    fn head(&self, sum: [u8; 16]) -> [u8; HEAD] {
        let Sound { rate, channels, bits, frames } = self.sound;
        let mut head = [0; HEAD];
        let length = |bytes: usize| u32::try_from(bytes).ok().filter(|bytes| *bytes < 1 << 24).unwrap_or(0);
        head[..8].copy_from_slice(b"fLaC\x00\x00\x00\x22");
        head[8..10].copy_from_slice(&BLOCK.to_be_bytes());
        head[10..12].copy_from_slice(&BLOCK.to_be_bytes());
        head[12..15].copy_from_slice(&length(self.shortest).to_be_bytes()[1..]);
        head[15..18].copy_from_slice(&length(self.longest).to_be_bytes()[1..]);
        // 20 bits of the rate, 3 of the channels less one, 5 of the bits less one, 36 of the frames: 2^36 are 16 days.
        let frames = if frames < 1 << 36 { frames } else { 0 };
        let told = (u64::from(rate) << 44) | (u64::from(channels - 1) << 41) | (u64::from(bits - 1) << 36) | frames;
        head[18..26].copy_from_slice(&told.to_be_bytes());
        head[26..].copy_from_slice(&sum);
        head
    }
}

/// The comments (§8.6), as the last block of metadata.
fn comments(tags: &[(String, String)]) -> Vec<u8> {
    let mut data = Vec::new();
    let put = |data: &mut Vec<u8>, text: &str| {
        data.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
        data.extend_from_slice(text.as_bytes());
    };
    put(&mut data, "roomtone");
    // A block has at most 2^24 bytes: what does not fit is left out.
    let mut left = (1 << 24) - 1 - data.len() - 4;
    let fits = |(name, value): &&(String, String)| {
        let bytes = 4 + name.len() + 1 + value.len();
        let fits = bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    };
    let tags: Vec<_> = tags.iter().filter(fits).collect();
    data.extend(u32::try_from(tags.len()).unwrap_or(0).to_le_bytes());
    tags.iter().for_each(|(name, value)| put(&mut data, &format!("{name}={value}")));
    let length = u32::try_from(data.len()).unwrap_or(0).to_be_bytes();
    [&[0x84][..], &length[1..], &data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a swing that is never the same, of so many frames.
    fn file(sound: Sound) -> (Vec<u8>, Vec<i32>) {
        let count = u32::try_from(sound.frames).unwrap() * u32::from(sound.channels);
        let height = 1_i64 << (sound.bits - 1);
        let sample = |at: u32| i32::try_from(i64::from(at.wrapping_mul(2_654_435_761)) % height).unwrap();
        let samples: Vec<i32> = (0..count).map(sample).collect();
        let (mut muxer, first, mut bytes) = Muxer::begin(sound, &[("TITLE".to_owned(), "Zoë".to_owned())]);
        assert_eq!(first.len(), HEAD);
        samples.chunks(1000 * usize::from(sound.channels)).for_each(|some| muxer.push(some, &mut bytes).unwrap());
        let head = muxer.finish(&mut bytes).unwrap();
        ([&head[..], &bytes].concat(), samples)
    }

    #[test]
    fn what_is_read_again_is_what_was_written() {
        for (channels, bits, frames) in [(1, 16, 10_000), (2, 24, 9000), (2, 16, 1), (1, 24, 4096), (1, 16, 4097)] {
            let sound = Sound { rate: 48_000, channels, bits, frames };
            let (bytes, samples) = file(sound);
            let mut reader = flac_codec::decode::FlacSampleReader::new(io::Cursor::new(&bytes)).unwrap();
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == samples, "{sound:?}");
            assert!(bytes.windows(10).any(|some| some == "TITLE=Zoë".as_bytes()));
            assert_eq!(file(sound).0, bytes);
        }
    }
}
