//! Samples between samples.
//!
//! What belongs here: a windowed sinc, for places that lie anywhere between those that were decoded. What does not: which
//! places (`track.rs`). A resampling library is not used: the place of each sample has to be known exactly, so that what
//! passes untouched meets what is mixed, and a whole place has to give its sample bit for bit.

use std::sync::LazyLock;

/// Samples on each side of a place that count: what is to be read must be known so far ahead.
pub const REACH: u16 = 16;
/// The samples that count.
pub const TAPS: usize = 32;
/// Places between two samples that the table holds; between these it is read along a line.
const PHASES: usize = 512;

/// For each phase the weights of the samples around it.
static TABLE: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| {
    let phase = |phase: usize| {
        std::array::from_fn(|tap| weight(float(tap) - f64::from(REACH - 1) - float(phase) / float(PHASES)))
    };
    (0..=PHASES).map(phase).collect()
});

/// The sinc under a Kaiser window: flat to 20 kHz, and what it mirrors there is 80 dB down.
#[expect(clippy::cast_possible_truncation, reason = "a weight of at most 1")]
fn weight(distance: f64) -> f32 {
    const BETA: f64 = 8.0;
    let across = distance / f64::from(REACH);
    if across.abs() >= 1.0 {
        return 0.0;
    }
    let angle = std::f64::consts::PI * distance;
    let sinc = if distance == 0.0 { 1.0 } else { angle.sin() / angle };
    // What rounding leaves of a whole distance is not a weight.
    let sinc = if distance != 0.0 && distance.fract() == 0.0 { 0.0 } else { sinc };
    (sinc * bessel(BETA * (1.0 - across * across).sqrt()) / bessel(BETA)) as f32
}

/// The modified Bessel function of the first kind, order 0.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40_u8 {
        let half = x / 2.0 / f64::from(k);
        term *= half * half;
        sum += term;
    }
    sum
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn float(count: usize) -> f64 {
    count as f64
}

/// The two rows of the table between which a place lies, and how far from the first of them.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most PHASES")]
fn rows(fraction: f64) -> (&'static [f32; TAPS], &'static [f32; TAPS], f32) {
    let place = fraction.clamp(0.0, 1.0) * float(PHASES);
    let phase = (place as usize).min(PHASES - 1);
    (&TABLE[phase], &TABLE[phase + 1], (place - float(phase)) as f32)
}

/// The sample at a place `fraction` (0 to 1) behind one, of those of one channel from [`REACH`] − 1 before that on.
#[must_use]
pub fn between(sound: &[f32; TAPS], fraction: f64) -> f32 {
    let (one, other, along) = rows(fraction);
    let (mut sum, mut tap) = (0.0, 0);
    // As plain as that, because whoever runs it unoptimised waits for it.
    while tap < TAPS {
        sum += (one[tap] + (other[tap] - one[tap]) * along) * sound[tap];
        tap += 1;
    }
    sum
}

/// The weights for a place `fraction` (0 to 1) behind a sample: of the samples from [`REACH`] − 1 before it on.
#[must_use]
pub fn weights(fraction: f64) -> [f32; TAPS] {
    let (one, other, along) = rows(fraction);
    std::array::from_fn(|tap| one[tap] + (other[tap] - one[tap]) * along)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_place_gives_its_sample_and_nothing_else() {
        let mut expected = [0.0; TAPS];
        expected[TAPS / 2 - 1] = 1.0;
        assert_eq!(weights(0.0), expected);
        expected.rotate_right(1);
        assert_eq!(weights(1.0), expected);
    }

    #[test]
    fn a_sine_between_its_samples_is_a_sine() {
        for hertz in [50.0, 1000.0, 10_000.0, 16_000.0] {
            let sine = |place: f64| (place * hertz / 48_000.0 * std::f64::consts::TAU).sin();
            let mut worst = 0.0_f64;
            for step in 0..1000_u16 {
                let fraction = f64::from(step) / 1000.0;
                let base = f64::from(step) * 3.0;
                let weights = weights(fraction);
                let sum: f64 =
                    (0..TAPS).map(|tap| f64::from(weights[tap]) * sine(base + float(tap) - f64::from(REACH - 1))).sum();
                worst = worst.max((sum - sine(base + fraction)).abs());
            }
            assert!(worst < 3e-4, "{hertz} Hz: {worst}");
        }
    }
}
