//! A track of a recording that is being written: its parts, its spool, and what the index does not say of it yet.
//!
//! What belongs here: which file takes what, and which file comes after one that the disk refused. What does not: what a file
//! holds (`log`), how often another file is tried (`recording.rs`).

use std::path::Path;

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::archive::imprint::Imprint;
use crate::archive::index::write;
use crate::archive::model::{Anchor, Gap, RecordingId, Restart};
use crate::archive::names;
use crate::archive::store::Store;
use crate::media::packet::{Packet, Sequence};
use crate::media::room::ParticipantName;
use crate::media::source::Codec;
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

use super::log::{self, Log, pause_gap};
use super::part::{Part, Settled, Spool, discard};
use super::trouble::{Fault, Misuse, Trouble};
use super::{Event, NewPart};

/// A track.
#[derive(Debug)]
pub(super) struct Track {
    number: TrackNumber,
    recording: RecordingId,
    participant: Uuid,
    name: ParticipantName,
    /// What its parts say of themselves.
    tags: Vec<(String, String)>,
    /// Whether the index has it.
    indexed: bool,
    /// Its last part, and those before it that the index does not know to have ended.
    parts: Vec<Part>,
    /// The number of the last part.
    last_part: u32,
    spool: Option<Spool>,
    /// How many spools it has had.
    spools: u32,
    /// Spools whose sound is in other files by now, and whose own files are still there.
    settled: Vec<Settled>,
    /// What is not in the index yet.
    gaps: Vec<Gap>,
    anchors: Vec<Anchor>,
    restarts: Vec<Restart>,
    /// Where it is pinned to the session's clock: the last place that the index knows, and those since.
    pins: Vec<Anchor>,
    /// Bytes of packets that are not durable yet.
    waiting: usize,
    /// The number after the last packet, and the last that was told to be durable.
    next: Sequence,
    told: Sequence,
}

impl Track {
    /// A track of this recording, whose first part this is.
    pub fn new(part: &NewPart, recording: RecordingId, tags: Vec<(String, String)>) -> Self {
        Self {
            number: part.track,
            recording,
            participant: part.participant,
            name: part.name.clone(),
            tags,
            indexed: false,
            parts: Vec::new(),
            last_part: 0,
            spool: None,
            spools: 0,
            settled: Vec::new(),
            gaps: Vec::new(),
            anchors: Vec::new(),
            restarts: Vec::new(),
            pins: vec![part.start],
            waiting: 0,
            next: part.first,
            told: part.first,
        }
    }

    /// Begins a part.
    pub fn begin_part(&mut self, part: NewPart) -> Result<(), Misuse> {
        if self.parts.last().is_some_and(|last| last.log.open()) {
            return Err(Misuse::PartOpen(self.number));
        }
        let NewPart { number, format, source, start, first, .. } = part;
        // The hub does not count the parts that stand in for others.
        self.last_part = number.max(self.last_part + 1);
        let part = self.new_part((format, source), start, first);
        self.parts.push(part);
        self.pins.push(start);
        self.next = first;
        Ok(())
    }

    fn new_part(&self, (format, source): (Format, Codec), start: Anchor, first: Sequence) -> Part {
        let number = self.last_part;
        let serial = log::serial(self.recording, self.number, number);
        let file = names::part(self.number, &self.name, number, format.codec());
        let imprint = Imprint { participant: self.participant, source, start, first };
        let tags = [&self.tags[..], &[imprint.tag()]].concat();
        let log = Log::begin(file, &format, serial, &tags);
        Part::begin(number, (format, source), start, serial, first, log)
    }

    pub fn append(&mut self, packets: &[Packet]) -> Result<(), Misuse> {
        let part = open_part(&mut self.parts, self.number)?;
        for packet in packets {
            match &mut self.spool {
                Some(spool) => spool.push(packet)?,
                None => part.push(packet)?,
            }
            self.waiting += packet.data.len();
            self.next = packet.sequence.next();
        }
        Ok(())
    }

    pub fn gap(&mut self, gap: Gap) -> Result<(), Misuse> {
        if gap.filled {
            let part = open_part(&mut self.parts, self.number)?;
            part.push_silence(gap.length, self.spool.as_mut())?;
        }
        self.gaps.push(gap);
        Ok(())
    }

    pub fn anchor(&mut self, anchor: Anchor) {
        self.anchors.push(anchor);
        self.pins.push(anchor);
    }

    pub fn restart(&mut self, restart: Restart) {
        self.restarts.push(restart);
    }

    pub fn spool(&mut self, pause: Ticks, packets: &[Packet]) -> Result<(), Misuse> {
        open_part(&mut self.parts, self.number)?;
        if self.spool.is_none() {
            let first = packets.first().map_or(self.next, |packet| packet.sequence);
            self.spool = Some(self.new_spool(pause, first)?);
        }
        self.append(packets)
    }

    fn new_spool(&mut self, pause: Ticks, first: Sequence) -> Result<Spool, Misuse> {
        let part = open_part(&mut self.parts, self.number)?;
        self.spools += 1;
        // Where it begins if the silence was a pause.
        let start = Anchor { track: part.end().saturating_add(part.carry).saturating_add(pause), session: Ticks::ZERO };
        let at = matches!(part.format, Format::Pcm(_)).then_some(start.track);
        let file = names::spool(self.number, &self.name, self.spools, at);
        let imprint = Imprint { participant: self.participant, source: part.source, start, first };
        Ok(Spool::begin(part.number, pause, first, Log::begin(file, &part.format, part.serial, &[imprint.tag()])))
    }

    /// Puts the gap, if any, and what the spool holds at the end of the part.
    pub fn settle(&mut self, gap: Option<Gap>, store: &mut dyn Store) -> Result<(), Fault> {
        let pieces = self.spool.as_ref().map(|spool| spool.pieces(store)).transpose()?;
        let spool = self.spool.take();
        if let Some(gap) = gap {
            self.gap(gap)?;
        }
        let (Some(spool), Some(pieces)) = (spool, pieces) else { return Ok(()) };
        let part = open_part(&mut self.parts, self.number)?;
        part.push_all(&pieces, spool.first, spool.next)?;
        if spool.log.kept() {
            self.settled.push(Settled { spool, gap });
        }
        Ok(())
    }

    /// Ends the part. Nobody is left to tell what an open spool's silence was: it is a pause.
    pub fn end_part(&mut self, store: &mut dyn Store) -> Result<(), Fault> {
        if let Some(spool) = &self.spool {
            let part = open_part(&mut self.parts, self.number)?;
            let gap = pause_gap(part.end().saturating_add(part.carry), spool.pause);
            self.settle(Some(gap), store)?;
        }
        if let Some(part) = self.parts.last_mut() {
            part.log.end();
        }
        Ok(())
    }

    /// Whether the index has it.
    pub const fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// Whether there is anything for a round to do.
    pub fn dirty(&self) -> bool {
        !self.indexed || self.news() || self.logs().any(|log| log.dirty) || !self.settled.is_empty()
    }

    /// Whether something but sound waits for the index.
    pub fn news(&self) -> bool {
        let listed = !self.gaps.is_empty() || !self.anchors.is_empty() || !self.restarts.is_empty();
        listed || self.parts.iter().any(|part| part.log.dirty && (!part.log.created() || !part.log.open()))
    }

    fn logs(&self) -> impl Iterator<Item = &Log> {
        self.parts.iter().map(|part| &part.log).chain(self.spool.as_ref().map(|spool| &spool.log))
    }

    fn logs_mut(&mut self) -> impl Iterator<Item = &mut Log> {
        self.parts.iter_mut().map(|part| &mut part.log).chain(self.spool.as_mut().map(|spool| &mut spool.log))
    }

    /// Bytes that a round is to write.
    pub fn to_write(&self) -> u64 {
        self.logs().filter(|log| log.dirty).map(Log::waiting).sum()
    }

    /// Writes what waits. One file that is refused does not keep the others from it; the last trouble is given.
    pub fn write(&mut self, store: &mut dyn Store, folder: &Path) -> Result<(), Trouble> {
        let mut done = Ok(());
        for log in self.logs_mut().filter(|log| log.dirty && !log.broken) {
            done = log.write(store, folder).and(done);
        }
        done
    }

    /// Syncs what was written, as [`Self::write`] writes.
    pub fn sync(&mut self, store: &mut dyn Store) -> Result<(), Trouble> {
        let mut done = Ok(());
        for log in self.logs_mut() {
            done = log.sync(store).and(done);
        }
        done
    }

    /// Whether a file has a name that is not durable.
    pub fn has_unnamed(&self) -> bool {
        self.logs().any(Log::unnamed)
    }

    /// Its folder is synced, or cannot be: then no new file of it counts.
    pub fn name(&mut self, durable: bool) {
        self.logs_mut().filter(|log| log.unnamed()).for_each(|log| log.name(durable));
    }

    /// Puts other files in the place of those that the disk refused: such a file ends where it is durable, and what came since
    /// begins the next. What comes after it in the track comes after it in the numbers, too.
    pub fn replace_broken(&mut self, store: &mut dyn Store) -> Result<(), Fault> {
        let first = self.parts.iter().position(|part| part.log.broken);
        let spool = self.spool.as_ref().is_some_and(|spool| spool.log.broken);
        for old in first.map_or_else(Vec::new, |first| self.parts.split_off(first)) {
            self.replace_part(old, store)?;
        }
        if spool || (first.is_some() && self.spool.is_some()) {
            self.replace_spool(store)?;
        }
        Ok(())
    }

    fn replace_part(&mut self, mut old: Part, store: &mut dyn Store) -> Result<(), Fault> {
        let (kept, open) = (old.log.kept(), old.log.open());
        let (first, next, carry) = (old.fresh(), old.next, old.carry);
        let pieces = old.take_back(store);
        let goes_on = !pieces.is_empty() || open;
        let mut start = old.start;
        let first = if kept { first } else { old.first };
        let kind = (old.format.clone(), old.source);
        if kept {
            let track = old.end();
            start = Anchor { track, session: session_at(&self.pins, track) };
            self.parts.push(old);
        }
        if goes_on {
            self.last_part += 1;
            let mut part = self.new_part(kind, start, first);
            part.push_all(&pieces, first, next)?;
            part.carry = carry;
            if !open {
                part.log.end();
            }
            self.parts.push(part);
            // In its place among the pins: a part begins a span of its own.
            let place = self.pins.partition_point(|pin| pin.track <= start.track);
            self.pins.insert(place, start);
        }
        Ok(())
    }

    fn replace_spool(&mut self, store: &mut dyn Store) -> Result<(), Fault> {
        let Some(old) = self.spool.take() else { return Ok(()) };
        let pieces = old.pieces(store)?;
        let mut spool = self.new_spool(old.pause, old.first)?;
        spool.log.push_all(&pieces).map_err(|_| Misuse::Unfit(spool.log.file.clone()))?;
        spool.next = old.next;
        self.spool = Some(spool);
        if old.log.kept() {
            let gap = Some(pause_gap(Ticks::ZERO, old.pause));
            self.settled.push(Settled { spool: old, gap });
        } else {
            discard(&old.log, store);
        }
        Ok(())
    }

    /// Ends the track where it is durable, a spool's sound among that. Where the disk does not take that, the index says what it
    /// said, and the next start ends it. Says whether anything of the track is durable.
    pub fn end_where_durable(&mut self, store: &mut dyn Store) -> bool {
        (self.gaps, self.anchors, self.restarts) = (Vec::new(), Vec::new(), Vec::new());
        self.pins.truncate(1);
        self.waiting = 0;
        if let Some(spool) = self.spool.take() {
            let gap = Some(pause_gap(Ticks::ZERO, spool.pause));
            self.settled.push(Settled { spool, gap });
        }
        for part in self.parts.extract_if(.., |part| !part.log.kept()) {
            discard(&part.log, store);
        }
        for settled in self.settled.extract_if(.., |settled| !settled.spool.log.kept()) {
            discard(&settled.spool.log, store);
        }
        // A spool is settled before the next begins: at most one is known to wait.
        let Some(part) = self.parts.last_mut() else {
            self.settled.clear();
            return self.indexed;
        };
        match part.end_with(self.settled.first_mut(), store) {
            Ok(gap) => self.gaps.extend(gap),
            Err(fault) => {
                tracing::warn!("a part is left for the next start to end: {fault}");
                part.leave();
                self.settled.clear();
            }
        }
        self.indexed
    }

    /// Where the parts' sound ends on the session's clock.
    pub fn end(&self) -> Ticks {
        let end = self.parts.iter().map(Part::end).max().unwrap_or_default();
        let Some(pinned) = self.pins.last() else { return end };
        pinned.session.saturating_add_signed(end.signed_since(pinned.track))
    }

    /// Says in the index what was written and synced, and what else is new.
    pub async fn index(&self, c: &mut SqliteConnection, recording: i64) -> Result<(), sqlx::Error> {
        let number = self.number;
        if !self.indexed {
            write::track(c, recording, number, self.participant, &self.name).await?;
        }
        for part in self.parts.iter().filter(|part| part.log.dirty) {
            write::part(c, recording, number, &part.row(), part.stream()).await?;
            for extent in part.log.extents() {
                write::extent(c, recording, number, part.number, extent).await?;
            }
        }
        let spool = self.spool.as_ref().filter(|spool| spool.log.dirty).map(|spool| spool.row(false));
        let settled = self.settled.iter().map(|settled| settled.spool.row(true));
        for spool in settled.chain(spool) {
            write::spool(c, recording, number, &spool).await?;
        }
        for gap in &self.gaps {
            write::gap(c, recording, number, gap).await?;
        }
        for anchor in &self.anchors {
            write::anchor(c, recording, number, *anchor).await?;
        }
        for restart in &self.restarts {
            write::restart(c, recording, number, *restart).await?;
        }
        Ok(())
    }

    /// The index says it all now: gives the files of spools to unlink, and what to tell.
    pub fn indexed(&mut self) -> (Vec<String>, Option<Event>) {
        self.indexed = true;
        self.parts.iter_mut().for_each(Part::indexed);
        self.spool.iter_mut().for_each(Spool::indexed);
        self.parts.retain(|part| part.log.open());
        self.gaps.clear();
        self.anchors.clear();
        self.restarts.clear();
        self.pins.drain(..self.pins.len().saturating_sub(1));
        let spools = self.settled.drain(..).map(|settled| settled.spool.log.file).collect();
        let news = self.waiting > 0 || self.next != self.told;
        self.told = self.next;
        let bytes = std::mem::take(&mut self.waiting);
        (spools, news.then_some(Event::Durable { track: self.number, next: self.next, bytes }))
    }
}

/// The part that takes packets.
fn open_part(parts: &mut [Part], track: TrackNumber) -> Result<&mut Part, Misuse> {
    parts.last_mut().filter(|part| part.log.open()).ok_or(Misuse::NoPart(track))
}

/// Where a place on a track's count lies on the session's clock, by the last pin before it.
fn session_at(pins: &[Anchor], track: Ticks) -> Ticks {
    let before = pins.iter().rev().find(|pin| pin.track <= track).or(pins.first());
    before.map_or(track, |pin| pin.session.saturating_add_signed(track.signed_since(pin.track)))
}
