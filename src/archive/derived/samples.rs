//! The packets of a WAV part, extent by extent, past those that are not what was written.
//!
//! What belongs here: reading, sums, and the Opus that stands for samples. What does not: the session's clock.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;

use bytes::Bytes;

use super::recipe::{Stopped, Work};
use super::sound::As;
use crate::archive::extents::Extent;
use crate::container::wav::data_offset;
use crate::media::codec::DecodeError;
use crate::media::codec::transcode::Transcoder;
use crate::media::packet::SourcePacket;
use crate::media::pcm::Head;
use crate::media::source::Source;
use crate::media::time::Ticks;

/// How much is read at a time where no extent says it, in whole frames; as much is a packet of samples.
const READ: u64 = 16 * 1024;

/// Reads the samples of a part. Holds an extent, and what a [`Transcoder`] holds.
pub(super) struct Samples<'a> {
    file: Box<dyn Read>,
    head: Head,
    /// The next byte of the file, and the one behind the last.
    at: u64,
    end: u64,
    /// Those that are still to come.
    extents: &'a [Extent],
    /// What makes Opus of them; none where they are wanted as they are, or at the end.
    transcoder: Option<Transcoder>,
    kind: As,
    /// The first frame of the next packet.
    given: u64,
    packets: VecDeque<SourcePacket>,
    damaged: bool,
}

impl<'a> Samples<'a> {
    /// Reads from the first sample to this byte; the file stands at its start.
    pub fn new(
        mut file: Box<dyn Read>,
        head: Head,
        end: u64,
        extents: &'a [Extent],
        kind: As,
    ) -> Result<Self, Unreadable> {
        let at = data_offset(head);
        io::copy(&mut (&mut file).take(at), &mut io::sink())?;
        let mut samples = Self {
            file,
            head,
            at,
            end,
            extents,
            transcoder: None,
            kind,
            given: 0,
            packets: VecDeque::new(),
            damaged: false,
        };
        samples.begin(0)?;
        Ok(samples)
    }

    /// Reads on from one byte to another, as they were kept; the file stands at the first, which is that of a frame.
    pub fn go_on(file: Box<dyn Read>, head: Head, bytes: Range<u64>, extents: &'a [Extent]) -> Self {
        let given = bytes.start.saturating_sub(data_offset(head)) / head.frame_bytes() as u64;
        let (at, end) = (bytes.start, bytes.end);
        let (transcoder, packets, damaged) = (None, VecDeque::new(), false);
        Self { file, head, at, end, extents, transcoder, kind: As::Kept, given, packets, damaged }
    }

    /// What comes next begins at this frame.
    fn begin(&mut self, frame: u64) -> Result<(), Unreadable> {
        self.given = frame;
        self.transcoder = match self.kind {
            As::Heard => Some(Transcoder::new(&Source::Pcm(self.head))?),
            As::Kept => None,
        };
        Ok(())
    }

    /// The next packet that was read, its time in ticks of the part.
    pub fn pull(&mut self) -> Option<SourcePacket> {
        self.packets.pop_front()
    }

    /// Whether some of it was left out.
    pub const fn damaged(&self) -> bool {
        self.damaged
    }

    /// Reads on; says whether there was anything.
    pub fn read(&mut self, work: &Work) -> Result<bool, Stopped> {
        let read = match self.step() {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!("a part cannot be read to its end: {error}; what is derived goes without the rest");
                self.damaged = true;
                self.at = self.end;
                0
            }
        };
        work.done(read)?;
        if read == 0 {
            self.flush();
        }
        Ok(read > 0 || !self.packets.is_empty())
    }

    /// Reads an extent, or as much of what is in none; gives how many bytes it was.
    pub fn step(&mut self) -> Result<u64, Unreadable> {
        while let [extent, rest @ ..] = self.extents
            && extent.range().end <= self.at
        {
            self.extents = rest;
        }
        let sum = self.extents.first().filter(|extent| extent.begin == self.at && extent.range().end <= self.end);
        let step = self.at + whole_frames(READ, self.head);
        let until = match (sum, self.extents.first()) {
            (Some(extent), _) => extent.range().end,
            (None, Some(next)) if next.begin > self.at => next.begin.min(step).min(self.end),
            (None, _) => self.end.min(step),
        };
        let mut bytes = vec![0; usize::try_from(until - self.at).unwrap_or(0)];
        self.file.read_exact(&mut bytes)?;
        let good = sum.is_none_or(|extent| extent.holds(&bytes));
        let begin = self.at;
        self.at = until;
        if good {
            self.push(bytes.into())?;
        } else {
            tracing::warn!("some samples of a part are not what was written; what is derived goes without them");
            self.damaged = true;
            self.flush();
            self.begin((self.at - data_offset(self.head)) / self.head.frame_bytes() as u64)?;
        }
        Ok(until - begin)
    }

    fn push(&mut self, bytes: Bytes) -> Result<(), Unreadable> {
        let mut out = Vec::new();
        match &mut self.transcoder {
            Some(transcoder) => {
                let packet = SourcePacket { time: Ticks::ZERO, duration: Ticks::ZERO, data: bytes, heard: None };
                transcoder.push(packet, &mut out)?;
            }
            None => {
                let most = usize::try_from(whole_frames(READ, self.head)).unwrap_or(self.head.frame_bytes());
                let packets = (0..bytes.len()).step_by(most).map(|at| bytes.slice(at..bytes.len().min(at + most)));
                out.extend(packets.map(|data| SourcePacket {
                    time: Ticks::ZERO,
                    duration: Ticks::ZERO,
                    data,
                    heard: None,
                }));
            }
        }
        self.place(out);
        Ok(())
    }

    /// What is held comes out.
    fn flush(&mut self) {
        let mut out = Vec::new();
        if let Some(mut transcoder) = self.transcoder.take() {
            transcoder.finish(&mut out);
        }
        self.place(out);
    }

    fn place(&mut self, packets: Vec<SourcePacket>) {
        for packet in packets {
            let time = self.head.ticks(self.given);
            self.given += (packet.data.len() / self.head.frame_bytes()) as u64;
            let duration = self.head.ticks(self.given).saturating_sub(time);
            self.packets.push_back(SourcePacket { time, duration, ..packet });
        }
    }
}

/// As many of these bytes as are whole frames.
fn whole_frames(bytes: u64, head: Head) -> u64 {
    let frame = head.frame_bytes() as u64;
    bytes / frame * frame
}

/// Why samples cannot be read or encoded any further.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Codec(#[from] DecodeError),
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::media::pcm::Sample;

    #[test]
    fn samples_that_no_sum_is_known_of_are_what_they_were_whatever_a_frame_is() {
        for (sample, channels) in [(Sample::S24, 1), (Sample::S24, 2), (Sample::S16, 2), (Sample::F32, 1)] {
            let head = Head::new(sample, 44_100, channels).unwrap();
            let begin = data_offset(head);
            let sound: Vec<u8> = (0..head.frame_bytes() as u64 * 40_000).map(|at| (at % 251) as u8).collect();
            let file = [vec![0; usize::try_from(begin).unwrap()], sound.clone()].concat();
            let end = file.len() as u64;
            let known = [Extent::of(begin + whole_frames(100_000, head), &sound[..head.frame_bytes()])];
            for extents in [&[][..], &known] {
                let mut samples =
                    Samples::new(Box::new(Cursor::new(file.clone())), head, end, extents, As::Kept).unwrap();
                let (mut came, mut frames) = (Vec::new(), 0);
                while samples.read(&Work::default()).unwrap() {
                    while let Some(packet) = samples.pull() {
                        assert_eq!(packet.data.len() % head.frame_bytes(), 0, "{sample:?}");
                        assert!(!extents.is_empty() || packet.time == head.ticks(frames), "{sample:?}");
                        frames += (packet.data.len() / head.frame_bytes()) as u64;
                        came.extend_from_slice(&packet.data);
                    }
                }
                let lost = if extents.is_empty() { 0 } else { head.frame_bytes() };
                assert_eq!(came.len(), sound.len() - lost, "{sample:?}");
                assert!(lost > 0 || came == sound, "{sample:?}");
                assert_eq!(samples.damaged(), lost > 0);
            }
        }
    }
}
