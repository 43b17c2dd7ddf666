//! What a plain listener of each layout hears of one who speaks alone.

use bytes::Bytes;

use super::proof::Heard;
use crate::helpers::capture::{assert_same, heard};
use crate::helpers::ear::{decoded, likeness, read, wav};

/// What each of them adds to the query.
pub const LAYOUTS: [&str; 4] = ["", "&preroll=0", "&as=ogg", "&as=wav"];

/// What fades at the ends of sound: 10 ms, and somewhat more, of two channels.
const FADE: usize = 2 * 600;

/// What was heard is this Opus, packet by packet, or its sound. `gaps` are where it was silent, in frames from its beginning,
/// and for how long.
pub fn assert_heard(name: &str, layout: &str, messages: &[Bytes], track: &[Heard], gaps: &[(u64, u64)]) {
    let name = format!("{name}{layout}");
    if layout != "&as=wav" {
        let ogg = layout == "&as=ogg";
        let of = |message: &Bytes| {
            assert_eq!(message.starts_with(b"OggS"), ogg, "{name}");
            if ogg { read(message).1 } else { heard(message) }
        };
        let opus: Vec<Bytes> = track.iter().flat_map(|heard| heard.packets.iter().cloned()).collect();
        let mut all: Vec<Bytes> = messages.iter().flat_map(of).collect();
        // A lone packet before a gap or at the end has silence for company.
        all.retain(|packet| opus.contains(packet));
        return assert_same(&all, &opus);
    }
    let mut sound: Vec<f32> = messages.iter().flat_map(|message| wav(message)).collect();
    let mut expected = Vec::new();
    // It fades out and in.
    let mut faded = Vec::new();
    for heard in track {
        faded.push(expected.len());
        expected.extend(decoded(heard.head(), &heard.packets));
    }
    for (at, length) in gaps {
        let (at, length) = (usize::try_from(at * 2).unwrap(), usize::try_from(length * 2).unwrap());
        expected.splice(at..at, vec![0.0; length]);
        faded.extend([at, at + length]);
    }
    for edge in faded {
        for sound in [&mut expected, &mut sound] {
            let end = sound.len().min(edge + FADE);
            sound[edge.saturating_sub(FADE).min(end)..end].fill(0.0);
        }
    }
    let off = sound.len().abs_diff(expected.len()) / 2;
    let end = expected.len().min(sound.len()) - FADE;
    let (all, worst) = likeness(&expected[FADE..end], &sound[FADE..end], 9600);
    assert!(off <= 960 && all > 35.0 && worst > 35.0, "{name}: {off} frames off, {all} dB, {worst} dB");
}
