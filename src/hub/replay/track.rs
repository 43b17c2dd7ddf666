//! One track of a replay: what is to be read of it next, and the packets that were read, placed on the session's clock.
//!
//! What belongs here: a plain struct that says which piece it wants, and takes it. What does not: files, and when packets
//! are sent.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use crate::archive::{Blocks, BlocksRead, Content, OpenRecording, PartFile, Piece, ReadFrom, Wanted};
use crate::container::ogg::{self, Demuxer, Event};
use crate::hub::rendition::{Placed, Recent};
use crate::media::packet::{Packet, Sequence, SourcePacket};
use crate::media::time::Ticks;

/// Why a track cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its file is gone, or the disk fails.
    #[error("its file cannot be read: {0}")]
    File(#[from] io::Error),
    /// The file holds something else than was written. It is read on behind that.
    #[error("its file is damaged from byte {begin} on: {error}")]
    Damaged {
        /// Where the demuxer began.
        begin: u64,
        /// What is wrong.
        error: ogg::Error,
    },
    /// The file holds other samples than were written. It is read on behind them.
    #[error("its samples from byte {begin} on are not those that were written")]
    Samples {
        /// Where they begin.
        begin: u64,
    },
    /// The file ends before what was durable in it.
    #[error("its file is cut off")]
    CutOff,
}

/// A track that is being read.
#[derive(Debug)]
pub struct TrackReader {
    /// Which of the recording's tracks.
    pub track: usize,
    part: usize,
    state: State,
    /// What was read and not sent.
    packets: VecDeque<Read>,
    /// The part that it sounds from.
    pub sounding: usize,
    /// What a plain listener's first message begins with, unheard.
    pub recent: Recent,
}

#[derive(Debug)]
enum State {
    /// The part is to be searched for this place, in ticks of the part.
    Find { at: Ticks, discontinuity: bool },
    /// It is damaged at this byte, and goes on somewhere behind it; what ends before `from` is left out.
    Damaged { at: u64, from: Ticks },
    /// It is read.
    Reading(Box<Reading>),
    /// Its blocks are read and encoded; none are here while that is done.
    Blocks { file: Arc<PartFile>, blocks: Option<Box<Blocks>>, discontinuity: bool },
    /// It cannot be. The track's next part may.
    Failed,
}

#[derive(Debug)]
struct Reading {
    file: Arc<PartFile>,
    /// Where the demuxer began.
    begin: u64,
    /// The next byte.
    offset: u64,
    demuxer: Demuxer,
    /// Packets that end before this, in ticks of the part, are left out.
    from: Ticks,
    /// The next packet's number; none before the first.
    sequence: Option<Sequence>,
    discontinuity: bool,
}

/// A packet, with the part that it is in.
#[derive(Debug)]
struct Read {
    part: usize,
    discontinuity: bool,
    packet: Packet,
}

impl TrackReader {
    /// A track that is read from this place on the session's clock on.
    #[must_use]
    pub fn from(recording: &OpenRecording, track: usize, at: Ticks) -> Self {
        let parts = &recording.recording.tracks[track].parts;
        let place = recording.pins[track].track(at);
        let begun = parts.partition_point(|part| part.start.session <= at);
        let mut part = begun.saturating_sub(1);
        let mut at = place.saturating_sub(parts.get(part).map_or(Ticks::ZERO, |part| part.start.track));
        if begun > 0 && parts.get(part).is_some_and(|part| at >= part.length) && part + 1 < parts.len() {
            (part, at) = (part + 1, Ticks::ZERO);
        } else if begun == 0 {
            at = Ticks::ZERO;
        }
        Self::find(track, part, at, true)
    }

    /// A track that begins while others play.
    #[must_use]
    pub fn begin(track: usize) -> Self {
        Self::find(track, 0, Ticks::ZERO, false)
    }

    fn find(track: usize, part: usize, at: Ticks, discontinuity: bool) -> Self {
        let state = State::Find { at, discontinuity };
        Self { track, part, state, packets: VecDeque::new(), sounding: part, recent: Recent::default() }
    }

    /// What is to be read so that everything before `until`, on the session's clock, is there.
    pub fn wants(&mut self, recording: &OpenRecording, until: Ticks) -> Option<Wanted> {
        if self.packets.back().is_some_and(|read| read.packet.end() >= until) {
            return None;
        }
        loop {
            let part = recording.part(self.track, self.part)?;
            let wanted = |file, from| Some(Wanted { track: self.track, part: self.part, file, from });
            match &mut self.state {
                State::Find { at, .. } if part.start.session < until || *at > Ticks::ZERO => {
                    return wanted(None, ReadFrom::Ticks(*at));
                }
                State::Find { .. } => return None,
                State::Damaged { at, .. } => return wanted(None, ReadFrom::Behind(*at)),
                State::Reading(reading) if reading.offset < part.bytes => {
                    return wanted(Some(Arc::clone(&reading.file)), ReadFrom::Byte(reading.offset));
                }
                State::Blocks { file, blocks, .. }
                    if blocks.as_ref().is_some_and(|blocks| blocks.wants(part, recording.grows(part))) =>
                {
                    let file = Arc::clone(file);
                    return wanted(Some(file), ReadFrom::Blocks(blocks.take()?));
                }
                State::Reading(_) | State::Blocks { .. } | State::Failed => {
                    recording.part(self.track, self.part + 1)?;
                    self.part += 1;
                    self.state = State::Find { at: Ticks::ZERO, discontinuity: true };
                }
            }
        }
    }

    /// Takes what it wanted.
    ///
    /// # Errors
    /// Where the part cannot be read from here on; what was read before is still there.
    pub fn take(&mut self, recording: &OpenRecording, piece: io::Result<Piece>) -> Result<(), Unreadable> {
        let taken = piece.map_err(Unreadable::File).and_then(|piece| self.read(recording, piece));
        match &taken {
            Ok(()) => {}
            Err(Unreadable::Damaged { begin, error }) => {
                let from = if let State::Reading(reading) = &self.state { reading.from } else { Ticks::ZERO };
                self.state = State::Damaged { at: begin + error.offset(), from };
            }
            Err(Unreadable::File(_) | Unreadable::CutOff) => self.state = State::Failed,
            Err(Unreadable::Samples { .. }) => {}
        }
        taken
    }

    fn read(&mut self, recording: &OpenRecording, piece: Piece) -> Result<(), Unreadable> {
        let Piece { file, content } = piece;
        let (place, bytes) = match content {
            Content::Pages { place, bytes } => (place, bytes),
            Content::Blocks(blocks, read) => return self.read_blocks(recording, file, blocks, read),
        };
        let found = match self.state {
            State::Find { at, discontinuity } => Some((at, discontinuity)),
            State::Damaged { from, .. } => Some((from, true)),
            State::Reading(_) | State::Blocks { .. } | State::Failed => None,
        };
        if let Some((from, discontinuity)) = found {
            let end = recording.part(self.track, self.part).map_or(0, |part| part.bytes);
            if matches!(self.state, State::Damaged { .. }) && place.offset >= end {
                // Nothing good is behind the damage, of which it was told.
                self.state = State::Failed;
                return Ok(());
            }
            let (demuxer, sequence) = match place.offset {
                0 => (Demuxer::new(), recording.part(self.track, self.part).map(|part| part.first)),
                _ => (Demuxer::resume(place.granule), None),
            };
            let offset = place.offset;
            let reading = Reading { file, begin: offset, offset, demuxer, from, sequence, discontinuity };
            self.state = State::Reading(Box::new(reading));
        }
        let State::Reading(reading) = &mut self.state else { return Ok(()) };
        let Some(part) = recording.part(self.track, self.part) else { return Ok(()) };
        if bytes.is_empty() {
            return Err(Unreadable::CutOff);
        }
        reading.offset += bytes.len() as u64;
        reading.demuxer.push(&bytes);
        drop(bytes);
        let begin = reading.begin;
        while let Some(event) = reading.demuxer.pull().map_err(|error| Unreadable::Damaged { begin, error })? {
            let Event::Packet(SourcePacket { time, duration, data, heard: None }) = event else { continue };
            let sequence = reading.sequence.unwrap_or_else(|| number(part, time, duration));
            reading.sequence = Some(sequence.next());
            if time.saturating_add(duration) <= reading.from {
                continue;
            }
            let time = recording.pins[self.track].session(part.start.track.saturating_add(time));
            let discontinuity = std::mem::take(&mut reading.discontinuity);
            let packet = Packet { sequence, time, duration, data, heard: None };
            self.packets.push_back(Read { part: self.part, discontinuity, packet });
        }
        if reading.offset >= part.bytes {
            // Durable bytes are whole pages: what waits for more of its page is a page with a wrong length.
            reading.demuxer.end().map_err(|error| Unreadable::Damaged { begin, error })?;
        }
        Ok(())
    }

    fn read_blocks(
        &mut self,
        recording: &OpenRecording,
        file: Arc<PartFile>,
        blocks: Box<Blocks>,
        read: BlocksRead,
    ) -> Result<(), Unreadable> {
        let Some(part) = recording.part(self.track, self.part) else { return Ok(()) };
        let mut discontinuity = match self.state {
            State::Find { discontinuity, .. } | State::Blocks { discontinuity, .. } => discontinuity,
            State::Damaged { .. } | State::Reading(_) | State::Failed => true,
        };
        for (sequence, SourcePacket { time, duration, data, heard }) in read.blocks {
            let time = recording.pins[self.track].session(part.start.track.saturating_add(time));
            let discontinuity = std::mem::take(&mut discontinuity);
            let packet = Packet { sequence, time, duration, data, heard };
            self.packets.push_back(Read { part: self.part, discontinuity, packet });
        }
        discontinuity |= read.damaged.is_some();
        self.state = State::Blocks { file, blocks: Some(blocks), discontinuity };
        match read.damaged {
            Some(damaged) => Err(Unreadable::Samples { begin: damaged.start }),
            None => Ok(()),
        }
    }

    /// The next packets that begin before `until`, up to where they do not go on evenly, with the part that they are in.
    pub fn next(&mut self, until: Ticks) -> Option<(usize, Placed)> {
        let first = self.packets.pop_front_if(|read| read.packet.time < until)?;
        let mut placed = Placed { packets: vec![first.packet], discontinuity: first.discontinuity };
        while let Some(read) = self.packets.pop_front_if(|read| read.packet.time < until && !read.discontinuity) {
            placed.packets.push(read.packet);
        }
        Some((first.part, placed))
    }
}

/// The number of a packet in the middle of a part. Exact where all of the part's packets are as long as this one, which is
/// what encoders make; else about right, and counted on from there.
fn number(part: &crate::archive::model::Part, at: Ticks, duration: Ticks) -> Sequence {
    let count = part.next.get().saturating_sub(part.first.get());
    let even = count.checked_mul(duration.get()) == Some(part.length.get());
    let before = if even {
        at.get() / duration.get().max(1)
    } else {
        let before = u128::from(at.get()) * u128::from(count) / u128::from(part.length.get().max(1));
        u64::try_from(before).unwrap_or(u64::MAX)
    };
    part.first.after(before)
}
