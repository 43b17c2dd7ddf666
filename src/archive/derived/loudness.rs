//! How much louder an edition has to be made, so that it is as loud as someone chose (EBU R 128, ITU-R BS.1770).
//!
//! What belongs here: the sound heard once or twice before it is written. What does not: the levelling itself (`media::mix::level`).
//!
//! Once is enough where nothing comes near the highest true peak. Where something does, the limiter takes of the loudness, so that
//! several gains are tried side by side, and what lies between the two nearest is taken. Silence stays silence.

use std::io;

use ebur128::{EbuR128, Mode};

use super::mixdown::{Last, Mixdown};
use super::recipe::{Stopped, Work};
use crate::archive::model::Loudness;
use crate::archive::store::Store;
use crate::media::mix::level::{LATE, Leveller, TRUE_PEAK};

/// How often the sound is heard before it is written, at most.
pub(super) const PASSES: u64 = 2;
/// By how much more than asked for is tried, in dB.
const MORE: [f64; 4] = [0.0, 1.0, 3.0, 8.0];

/// The gain with which a sound is as loud as chosen, or as near as its peaks allow.
pub(super) fn gain(mixdown: &Mixdown, to: Loudness, store: &mut dyn Store, work: &Work) -> Result<f32, Stopped> {
    let wrong = |error: ebur128::Error| mixdown.refused(io::Error::other(error));
    let mut meter = meter(mixdown, Mode::TRUE_PEAK).map_err(wrong)?;
    each(mixdown, store, work, |block, _| meter.add_frames_f32(block).map_err(wrong))?;
    let loudness = meter.loudness_global().map_err(wrong)?;
    if !loudness.is_finite() {
        return Ok(1.0);
    }
    let mut peak: f64 = 0.0;
    for channel in 0..meter.channels() {
        peak = peak.max(meter.true_peak(channel).map_err(wrong)?);
    }
    let wanted = to.lufs() - loudness;
    if 20.0 * peak.log10() + wanted <= TRUE_PEAK {
        return Ok(times(wanted));
    }
    let mut tries = Vec::new();
    for more in MORE {
        let meter = self::meter(mixdown, Mode::empty()).map_err(wrong)?;
        tries.push((Leveller::new(times(wanted + more)), meter, Vec::new()));
    }
    let mono = meter.channels() == 1;
    let mut stereo = Vec::new();
    each(mixdown, store, work, |block, more| {
        stereo.clear();
        if mono {
            stereo.extend(block.iter().flat_map(|sample| [*sample; 2]));
        } else {
            stereo.extend_from_slice(block);
        }
        if !more {
            stereo.resize(stereo.len() + 2 * LATE, 0.0);
        }
        for (leveller, meter, out) in &mut tries {
            out.clear();
            leveller.push(&stereo, out);
            if mono {
                *out = out.iter().copied().step_by(2).collect();
            }
            meter.add_frames_f32(out).map_err(wrong)?;
        }
        Ok(())
    })?;
    let mut heard = Vec::new();
    for (_, meter, _) in &tries {
        heard.push(meter.loudness_global().map_err(wrong)?);
    }
    Ok(times(wanted + more(&heard, to.lufs())))
}

/// How much more than asked for makes it as loud as asked for, told by how loud each of [`MORE`] was.
fn more(heard: &[f64], to: f64) -> f64 {
    let Some(next) = heard.iter().position(|heard| *heard >= to) else { return MORE[MORE.len() - 1] };
    let Some(before) = next.checked_sub(1) else { return MORE[0] };
    let (low, high) = (heard[before], heard[next]);
    MORE[before] + (MORE[next] - MORE[before]) * (to - low) / (high - low)
}

/// Decibels as a factor.
#[expect(clippy::cast_possible_truncation, reason = "of a hundred decibels at most")]
fn times(decibels: f64) -> f32 {
    10_f64.powf(decibels / 20.0) as f32
}

/// What tells how loud a sound is that has the channels of this. Its memory does not grow.
fn meter(mixdown: &Mixdown, mode: Mode) -> Result<EbuR128, ebur128::Error> {
    EbuR128::new(mixdown.channels().into(), 48_000, Mode::I | Mode::HISTOGRAM | mode)
}

/// Hears all of the sound as it was kept, block by block; the last comes with `false`.
fn each(
    mixdown: &Mixdown,
    store: &mut dyn Store,
    work: &Work,
    mut hear: impl FnMut(&[f32], bool) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let mut sound = mixdown.sound(Last::Nothing);
    let mut block = Vec::new();
    let mut more = true;
    while more {
        block.clear();
        more = sound.read(store, work, &mut block)?;
        hear(&block, more)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_limiter_takes_is_given_again_as_far_as_was_tried() {
        let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(near(more(&[-16.0, -15.2, -14.0, -12.0], -16.0), 0.0));
        assert!(near(more(&[-16.4, -15.6, -14.0, -12.0], -16.0), 0.5));
        assert!(near(more(&[-10.0, -9.5, -9.0, -8.0], -8.5), 5.5));
        assert!(near(more(&[-10.0, -9.5, -9.0, -8.5], -5.0), 8.0));
    }
}
