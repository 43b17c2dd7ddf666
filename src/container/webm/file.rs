//! Finished files: several tracks, as long as one likes, that seek in whatever plays them.
//!
//! What belongs here: the layout (WebM, RFC 9559). What does not: what a file says of itself (`about`), where packets come from and go to, and their order.
//!
//! A file is made in two passes over the same packets. The first, a [`Plan`], notes how long everything is; so the second, a
//! [`Writer`], puts sizes, SeekHead, Duration and Cues where they belong, before the sound, and nothing is ever patched:
//! a file is written from its start to its end, and whoever loads its first bytes can seek in it.
//!
//! ```text
//! EBML header · Segment( SeekHead · Info · Tracks · Chapters · Tags · Cues · Cluster … )
//! ```
//!
//! A block's time is later than that of its sound by its track's CodecDelay, which players take off again
//! (RFC 9559 §5.1.4.1.25).

use super::about;
pub use super::about::Info;
use super::ebml::{self, Id};
use super::mux::{millis, put_ebml_head, put_master};
use crate::media::opus;
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// The longest Cluster: where there are no Cues for a track, a player reads no further than this for a place.
const LONGEST_CLUSTER_MILLIS: u64 = 5_000;
/// How many bytes a Cluster has at most before the next begins.
const LARGEST_CLUSTER: u64 = 4 * 1024 * 1024;
/// How long before a place a decoder wants to begin (RFC 9559 §5.1.4.1.26, and RFC 7845 §4.6): 80 ms, in nanoseconds.
const SEEK_PRE_ROLL_NANOS: u64 = 80_000_000;
/// A track of a file. The first one given is the one that plays by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track<'a> {
    /// Its number, not 0.
    pub number: TrackNumber,
    /// What it is called.
    pub name: &'a str,
    /// What a decoder is told. Its pre-skip is the track's CodecDelay.
    pub head: opus::Head,
}

/// A packet in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The track that it is of.
    pub track: TrackNumber,
    /// When it begins: the time of its sound, and the track's CodecDelay. Never before the block before it.
    pub time: Ticks,
    /// How long it sounds.
    pub duration: Ticks,
    /// Its bytes.
    pub data: &'a [u8],
}

/// The first pass: how long everything is. Some 16 bytes for each Cluster, and some 32 for each track in it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    clusters: Vec<Cluster>,
    cues: Vec<Cue>,
    end: Ticks,
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    millis: u64,
    /// Bytes of its data.
    size: u64,
}

/// The first block of a track in a Cluster.
#[derive(Clone, Copy, Debug)]
struct Cue {
    track: TrackNumber,
    millis: u64,
    /// The Cluster, as an index.
    cluster: usize,
    /// Where in the Cluster's data the block begins.
    position: u64,
}

impl Plan {
    /// A plan of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a block.
    pub fn add(&mut self, block: &Block<'_>) {
        let millis = millis(block.time);
        if self.clusters.last().is_none_or(|cluster| cluster.is_full(millis)) {
            let size = 2 + unsigned_length(millis);
            self.clusters.push(Cluster { millis, size });
        }
        let cluster = self.clusters.len() - 1;
        let last = &mut self.clusters[cluster];
        let seen = self.cues.iter().rev().take_while(|cue| cue.cluster == cluster).any(|cue| cue.track == block.track);
        if !seen {
            self.cues.push(Cue { track: block.track, millis, cluster, position: last.size });
        }
        last.size += block_length(block);
        self.end = self.end.max(block.time.saturating_add(block.duration));
    }

    /// When the last sound ends.
    #[must_use]
    pub const fn end(&self) -> Ticks {
        self.end
    }
}

impl Cluster {
    /// Whether a block of this time belongs to the next one.
    const fn is_full(&self, millis: u64) -> bool {
        millis < self.millis || millis - self.millis >= LONGEST_CLUSTER_MILLIS || self.size >= LARGEST_CLUSTER
    }

    /// Bytes of all of it: the header has a size of 8 bytes.
    const fn length(&self) -> u64 {
        4 + 8 + self.size
    }
}

/// A block that is not what the plan says: what was read was not the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sound is not what it was when the file was planned")]
pub struct Unplanned;

/// The second pass: bytes.
#[derive(Debug)]
pub struct Writer {
    clusters: std::vec::IntoIter<Cluster>,
    current: Option<Cluster>,
    /// Bytes of the current Cluster that are still to come.
    left: u64,
}

impl Writer {
    /// Begins a file; gives everything before the first block, and how long the whole file will be, in bytes.
    #[must_use]
    pub fn begin(plan: Plan, info: &Info<'_>, tracks: &[Track<'_>]) -> (Self, Vec<u8>, u64) {
        let mut elements = vec![(Id::INFO, about::info(info, plan.end)), (Id::TRACKS, tracks_element(tracks))];
        // A Chapters without a chapter is not allowed.
        elements.extend((!info.chapters.is_empty()).then(|| (Id::CHAPTERS, about::chapters(info, plan.end))));
        elements.push((Id::TAGS, about::tags(info)));
        // The numbers in SeekHead and Cues have 8 bytes each, so how long both are does not depend on what they say.
        let mut places: Vec<_> = elements.iter().map(|(id, _)| (*id, 0)).collect();
        places.extend((!plan.cues.is_empty()).then_some((Id::CUES, 0)));
        let mut at = seek_head(&places).len() as u64;
        for (place, (_, element)) in places.iter_mut().zip(&elements) {
            place.1 = at;
            at += element.len() as u64;
        }
        if let Some((Id::CUES, place)) = places.last_mut() {
            *place = at;
        }
        let clusters_at = at + cues(&plan, 0).len() as u64;
        let sound: u64 = plan.clusters.iter().map(Cluster::length).sum();
        // ffmpeg reads no file without a Cluster.
        let mut silence = Vec::new();
        if plan.clusters.is_empty() {
            put_master(&mut silence, Id::CLUSTER, |to| ebml::put_unsigned(to, Id::TIMESTAMP, 0));
        }

        let mut head = Vec::new();
        put_ebml_head(&mut head);
        ebml::put_id(&mut head, Id::SEGMENT);
        put_long_size(&mut head, clusters_at + silence.len() as u64 + sound);
        head.extend(seek_head(&places));
        elements.into_iter().for_each(|(_, element)| head.extend(element));
        head.extend(cues(&plan, clusters_at));
        head.extend(silence);
        let all = head.len() as u64 + sound;
        (Self { clusters: plan.clusters.into_iter(), current: None, left: 0 }, head, all)
    }

    /// Appends a block to `to`: the same, in the same order, as the plan was given.
    ///
    /// # Errors
    /// Where it is not.
    pub fn put(&mut self, to: &mut Vec<u8>, block: &Block<'_>) -> Result<(), Unplanned> {
        let millis = millis(block.time);
        if self.left == 0 {
            let cluster = self.clusters.next().ok_or(Unplanned)?;
            ebml::put_id(to, Id::CLUSTER);
            put_long_size(to, cluster.size);
            ebml::put_unsigned(to, Id::TIMESTAMP, cluster.millis);
            self.left = cluster.size - 2 - unsigned_length(cluster.millis);
            self.current = Some(cluster);
        }
        let cluster = self.current.ok_or(Unplanned)?;
        self.left = self.left.checked_sub(block_length(block)).ok_or(Unplanned)?;
        let relative = millis.checked_sub(cluster.millis).and_then(|relative| i16::try_from(relative).ok());
        let mut header = Vec::with_capacity(16);
        put_track_number(&mut header, block.track);
        header.extend_from_slice(&relative.ok_or(Unplanned)?.to_be_bytes());
        // Every Opus packet is a keyframe (RFC 9559 §10.2).
        header.push(0x80);
        ebml::put_id(to, Id::SIMPLE_BLOCK);
        ebml::put_size(to, header.len() + block.data.len());
        to.extend_from_slice(&header);
        to.extend_from_slice(block.data);
        Ok(())
    }

    /// Ends the file, to which nothing needs to be appended.
    ///
    /// # Errors
    /// Where blocks are missing.
    pub fn finish(mut self) -> Result<(), Unplanned> {
        if self.left == 0 && self.clusters.next().is_none() { Ok(()) } else { Err(Unplanned) }
    }
}

/// Bytes of a whole SimpleBlock.
fn block_length(block: &Block<'_>) -> u64 {
    let mut header = Vec::with_capacity(16);
    put_track_number(&mut header, block.track);
    let data = header.len() + 3 + block.data.len();
    let mut size = Vec::with_capacity(8);
    ebml::put_size(&mut size, data);
    (1 + size.len() + data) as u64
}

/// Bytes of the data of an unsigned integer in the fewest bytes, as Timestamp has it.
fn unsigned_length(value: u64) -> u64 {
    u64::from(64 - value.leading_zeros()).div_ceil(8).max(1)
}

/// A track's number as a variable-size integer (RFC 9559 §10.1).
fn put_track_number(to: &mut Vec<u8>, track: TrackNumber) {
    ebml::put_size(to, track.get().into());
}

/// A size of 8 bytes.
fn put_long_size(to: &mut Vec<u8>, size: u64) {
    to.extend_from_slice(&(size | 1 << 56).to_be_bytes());
}

/// An unsigned integer of 8 bytes.
fn put_long(to: &mut Vec<u8>, id: Id, value: u64) {
    ebml::put(to, id, &value.to_be_bytes());
}

fn tracks_element(tracks: &[Track<'_>]) -> Vec<u8> {
    let mut element = Vec::new();
    put_master(&mut element, Id::TRACKS, |to| {
        for (index, track) in tracks.iter().enumerate() {
            let number = u64::from(track.number.get());
            put_master(to, Id::TRACK_ENTRY, |to| {
                ebml::put_unsigned(to, Id::TRACK_NUMBER, number);
                ebml::put_unsigned(to, Id::TRACK_UID, number);
                ebml::put_unsigned(to, Id::TRACK_TYPE, 2);
                ebml::put_unsigned(to, Id::FLAG_DEFAULT, u64::from(index == 0));
                ebml::put_unsigned(to, Id::FLAG_LACING, 0);
                ebml::put(to, Id::NAME, track.name.as_bytes());
                ebml::put(to, Id::LANGUAGE, b"und");
                ebml::put(to, Id::CODEC_ID, b"A_OPUS");
                ebml::put(to, Id::CODEC_PRIVATE, &track.head.to_bytes());
                ebml::put_unsigned(to, Id::CODEC_DELAY, nanos(track.head.pre_skip));
                ebml::put_unsigned(to, Id::SEEK_PRE_ROLL, SEEK_PRE_ROLL_NANOS);
                put_master(to, Id::AUDIO, |to| {
                    // Opus time is always 48 kHz, whatever the input was.
                    ebml::put_float(to, Id::SAMPLING_FREQUENCY, 48_000.0);
                    ebml::put_unsigned(to, Id::CHANNELS, track.head.channels.into());
                });
            });
        }
    });
    element
}

/// Ticks in nanoseconds, to the nearest.
fn nanos(ticks: u16) -> u64 {
    (u64::from(ticks) * 1_000_000_000 + Ticks::PER_SECOND / 2) / Ticks::PER_SECOND
}

/// SeekHead (RFC 9559 §5.1.1): where these elements are, in bytes from the start of the Segment's data.
fn seek_head(places: &[(Id, u64)]) -> Vec<u8> {
    let mut element = Vec::new();
    put_master(&mut element, Id::SEEK_HEAD, |to| {
        for &(id, position) in places {
            put_master(to, Id::SEEK, |to| {
                let mut bytes = Vec::new();
                ebml::put_id(&mut bytes, id);
                ebml::put(to, Id::SEEK_ID, &bytes);
                put_long(to, Id::SEEK_POSITION, position);
            });
        }
    });
    element
}

/// Cues (RFC 9559 §5.1.5): for each Cluster and each track in it, where its first block is. `clusters` is where the first
/// Cluster begins, in bytes from the start of the Segment's data.
fn cues(plan: &Plan, clusters: u64) -> Vec<u8> {
    // A Cues without a CuePoint is not allowed.
    if plan.cues.is_empty() {
        return Vec::new();
    }
    let mut data = Vec::with_capacity(plan.cues.len() * 48);
    let (mut cluster, mut position) = (0, clusters);
    for cue in &plan.cues {
        while cluster < cue.cluster {
            position += plan.clusters[cluster].length();
            cluster += 1;
        }
        put_master(&mut data, Id::CUE_POINT, |to| {
            ebml::put_unsigned(to, Id::CUE_TIME, cue.millis);
            put_master(to, Id::CUE_TRACK_POSITIONS, |to| {
                ebml::put_unsigned(to, Id::CUE_TRACK, cue.track.get().into());
                put_long(to, Id::CUE_CLUSTER_POSITION, position);
                ebml::put_unsigned(to, Id::CUE_RELATIVE_POSITION, cue.position);
            });
        });
    }
    let mut element = Vec::with_capacity(data.len() + 12);
    ebml::put(&mut element, Id::CUES, &data);
    element
}

#[cfg(test)]
mod tests;
