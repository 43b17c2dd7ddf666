//! Small whole files out of a few packets: what a listener's WebSocket message is.
//!
//! What belongs here: the two layouts that browsers were seen to play (WebM, RFC 9559). What does not: which packets go
//! together, and when.
//!
//! Both begin with the same head, 125 bytes and the Duration: EBML header, a Segment of unknown size, Info, one track of
//! Opus. The unknown size is what lets messages be appended to one another: a known one ends after the first.

use super::ebml::{self, Id};
use crate::media::opus;
use crate::media::packet::Packet;
use crate::media::time::Ticks;

/// The number of the one track.
const TRACK: u8 = 1;

/// The latest time of a block in its Cluster, in ms: its field is an i16 (RFC 9559 §10.2).
const LATEST: u64 = 32_767;

/// A file that plays on its own, without a click after the one before it.
///
/// `pre_roll` are the packets that come just before `packets`: the decoder settles in them, and the head's pre-skip throws
/// their sound away. Their blocks all bear the time of the first real one, which is 0, so that the player's clock begins
/// where the sound does; Duration is that of `packets` alone. A pre-skip holds 65535 ticks (1.36 s): where the pre-roll is
/// longer, its oldest packets are left out. Without a pre-roll the pre-skip is 0.
///
/// Times are relative to the first of `packets`, to the nearest ms. Without `packets` it is a head without sound.
#[must_use]
pub fn self_contained(head: opus::Head, pre_roll: &[Packet], packets: &[Packet]) -> Vec<u8> {
    let (pre_skip, pre_roll) = fitting(pre_roll);
    let start = packets.first().map_or(Ticks::ZERO, |packet| packet.time);
    let played = packets.last().map_or(Ticks::ZERO, Packet::end).saturating_sub(start);
    let mut file = file_head(head.with_pre_skip(pre_skip), Some(played));
    let hidden = pre_roll.iter().map(|packet| (0, packet));
    put_clusters(
        &mut file,
        hidden.chain(packets.iter().map(|packet| (millis(packet.time.saturating_sub(start)), packet))),
    );
    file
}

/// A file whose times run on from message to message: for MSE in `sequence` mode, and to be appended to one another. The
/// pre-skip is 0; its Cluster has the time of the first packet, in ms.
#[must_use]
pub fn continuing(head: opus::Head, packets: &[Packet]) -> Vec<u8> {
    let mut file = file_head(head.with_pre_skip(0), None);
    put_clusters(&mut file, packets.iter().map(|packet| (millis(packet.time), packet)));
    file
}

/// As much of the end of a pre-roll as a pre-skip can hide, and that pre-skip.
fn fitting(pre_roll: &[Packet]) -> (u16, &[Packet]) {
    let mut pre_skip = 0;
    let mut from = pre_roll.len();
    for packet in pre_roll.iter().rev() {
        let Ok(longer) = u16::try_from(packet.duration.saturating_add(Ticks::new(u64::from(pre_skip))).get()) else {
            break;
        };
        pre_skip = longer;
        from -= 1;
    }
    (pre_skip, &pre_roll[from..])
}

/// A time in ms, to the nearest.
pub(super) fn millis(time: Ticks) -> u64 {
    time.saturating_add(Ticks::new(24)).as_millis()
}

/// Everything before the first Cluster.
fn file_head(head: opus::Head, duration: Option<Ticks>) -> Vec<u8> {
    let mut file = Vec::with_capacity(2048);
    put_ebml_head(&mut file);
    ebml::put_id(&mut file, Id::SEGMENT);
    file.extend_from_slice(&ebml::UNKNOWN_SIZE);
    put_master(&mut file, Id::INFO, |to| {
        ebml::put_unsigned(to, Id::TIMESTAMP_SCALE, super::head::DEFAULT_SCALE);
        if let Some(duration) = duration {
            ebml::put_float(to, Id::DURATION, duration.as_secs_f64() * 1000.0);
        }
        ebml::put(to, Id::MUXING_APP, b"roomtone");
        ebml::put(to, Id::WRITING_APP, b"roomtone");
    });
    put_master(&mut file, Id::TRACKS, |to| {
        put_master(to, Id::TRACK_ENTRY, |to| {
            ebml::put_unsigned(to, Id::TRACK_NUMBER, TRACK.into());
            ebml::put_unsigned(to, Id::TRACK_UID, 1);
            ebml::put_unsigned(to, Id::TRACK_TYPE, 2);
            ebml::put_unsigned(to, Id::FLAG_LACING, 0);
            ebml::put(to, Id::CODEC_ID, b"A_OPUS");
            ebml::put(to, Id::CODEC_PRIVATE, &head.to_bytes());
            put_master(to, Id::AUDIO, |to| {
                // Opus time is always 48 kHz, whatever the input was.
                ebml::put_float(to, Id::SAMPLING_FREQUENCY, 48_000.0);
                ebml::put_unsigned(to, Id::CHANNELS, head.channels.into());
            });
        });
    });
    file
}

/// Appends the EBML header (RFC 8794 §11.2).
pub(super) fn put_ebml_head(file: &mut Vec<u8>) {
    put_master(file, Id::EBML, |to| {
        ebml::put_unsigned(to, Id::EBML_VERSION, 1);
        ebml::put_unsigned(to, Id::EBML_READ_VERSION, 1);
        ebml::put_unsigned(to, Id::EBML_MAX_ID_LENGTH, 4);
        ebml::put_unsigned(to, Id::EBML_MAX_SIZE_LENGTH, 8);
        ebml::put(to, Id::DOC_TYPE, b"webm");
        ebml::put_unsigned(to, Id::DOC_TYPE_VERSION, 4);
        ebml::put_unsigned(to, Id::DOC_TYPE_READ_VERSION, 2);
    });
}

/// Appends Clusters of these blocks, with their times in ms: one, or as many as it takes where a block is later than a
/// Cluster can say, or earlier than its Cluster.
fn put_clusters<'a>(file: &mut Vec<u8>, blocks: impl Iterator<Item = (u64, &'a Packet)>) {
    let mut cluster: Option<(u64, Vec<u8>)> = None;
    for (time, packet) in blocks {
        let relative = |start: &u64| time.checked_sub(*start).filter(|relative| *relative <= LATEST);
        if cluster.as_ref().is_some_and(|(start, _)| relative(start).is_none()) {
            finish_cluster(file, cluster.take());
        }
        let (start, data) = cluster.get_or_insert_with(|| {
            let mut data = Vec::with_capacity(2048);
            ebml::put_unsigned(&mut data, Id::TIMESTAMP, time);
            (time, data)
        });
        let relative = i16::try_from(time - *start).expect("at most LATEST, which is the greatest i16");
        ebml::put_id(data, Id::SIMPLE_BLOCK);
        ebml::put_size(data, 4 + packet.opus().len());
        data.push(0x80 | TRACK);
        data.extend_from_slice(&relative.to_be_bytes());
        // Every Opus packet is a keyframe (RFC 9559 §10.2).
        data.push(0x80);
        data.extend_from_slice(packet.opus());
    }
    finish_cluster(file, cluster);
}

fn finish_cluster(file: &mut Vec<u8>, cluster: Option<(u64, Vec<u8>)>) {
    if let Some((_, data)) = cluster {
        ebml::put(file, Id::CLUSTER, &data);
    }
}

/// Appends an element of other elements.
pub(super) fn put_master(to: &mut Vec<u8>, id: Id, children: impl FnOnce(&mut Vec<u8>)) {
    let mut data = Vec::with_capacity(128);
    children(&mut data);
    ebml::put(to, id, &data);
}

#[cfg(test)]
mod tests;
