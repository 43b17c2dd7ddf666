//! Sound of any rate, made into sound at 48 kHz, by `rubato`.
//!
//! What belongs here: the library kept at arm's length, counted so that nothing drifts however long a stream runs. What
//! does not: sound that follows another clock (`drift`), samples as bytes (`pcm`).
//!
//! What is held is what was pushed and not pulled yet, and the library's own: a window of its filter and 20 ms, a table
//! of at most 340 KB.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler as _, Resizable as _, SincInterpolationParameters};
use rubato::{SincInterpolationType, WindowFunction};

use super::ResampleError;
use crate::media::pcm::Head;
use crate::media::time::Ticks;

/// The rate that everything becomes, in Hz.
const RATE: u32 = 48_000;
/// Frames at 48 kHz that the library makes at most at a time: 20 ms.
const STEP: usize = 960;
/// Frames of silence before the first: what the library wants beyond the frames that an output lies between (2), half a
/// frame where the count is rounded, and one to be safe.
const PRIMED: u32 = 4;
/// The fewest places between two frames that a table is made for.
const FEWEST_PLACES: u32 = 128;
/// The most places between two frames that a table is made for; more are interpolated.
const MOST_PLACES: u32 = 640;

/// Resamples one stream to 48 kHz, its channels interleaved. At 48 kHz it passes untouched.
pub struct Resampler {
    head: Head,
    way: Way,
    /// What was pushed and not read yet, from `read` on.
    waiting: Vec<f32>,
    read: usize,
    pushed_frames: u64,
    pulled: Ticks,
}

enum Way {
    Untouched,
    Filtered { library: Box<Async<f32>>, delay: Ticks },
}

impl Resampler {
    /// A resampler for a stream that begins; of the head only the rate and the channels matter.
    ///
    /// # Errors
    /// Where the library refuses, which it does for no rate that we accept.
    pub fn new(head: Head) -> Result<Self, ResampleError> {
        let mut this =
            Self { head, way: Way::Untouched, waiting: Vec::new(), read: 0, pushed_frames: 0, pulled: Ticks::ZERO };
        if head.rate() != RATE {
            let length = filter_length(head.rate());
            let library = filter(head, length)?;
            this.waiting.resize(PRIMED as usize * usize::from(head.channels()), 0.0);
            let late = head.ticks(u64::from(length / 2 + PRIMED));
            this.way = Way::Filtered { library: Box::new(library), delay: late.saturating_sub(Ticks::new(1)) };
        }
        Ok(this)
    }

    /// How much later than it went in sound comes out: at most 4.5 ms, nothing at 48 kHz.
    #[must_use]
    pub const fn delay(&self) -> Ticks {
        match self.way {
            Way::Untouched => Ticks::ZERO,
            Way::Filtered { delay, .. } => delay,
        }
    }

    /// Takes the next frames, at the stream's rate.
    pub fn push(&mut self, sound: &[f32]) {
        self.waiting.drain(..self.read);
        self.read = 0;
        self.waiting.extend_from_slice(sound);
        self.pushed_frames += (sound.len() / self.channels()) as u64;
    }

    /// How much can be pulled: the length of all that was pushed, rounded once, without what was pulled.
    #[must_use]
    pub fn owed(&self) -> Ticks {
        self.head.ticks(self.pushed_frames).saturating_sub(self.pulled)
    }

    /// Adds the next sound at 48 kHz to `out`, so long exactly. Where less was pushed, silence follows it.
    ///
    /// # Errors
    /// Where the library fails, which it has no reason to.
    pub fn pull(&mut self, length: Ticks, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let mut left = usize::try_from(length.get()).map_err(|_| ResampleError::Long)?;
        self.pulled = self.pulled.saturating_add(length);
        while left > 0 {
            let frames = left.min(STEP);
            self.step(frames, out)?;
            left -= frames;
        }
        Ok(())
    }

    /// Makes at most [`STEP`] frames.
    fn step(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let channels = self.channels();
        let start = out.len();
        let end = start + frames * channels;
        match &mut self.way {
            Way::Untouched => {
                let sound = take(&mut self.waiting, &mut self.read, frames * channels);
                out.extend_from_slice(sound);
            }
            Way::Filtered { library, .. } => {
                library.set_chunk_size(frames).map_err(ResampleError::library)?;
                let wanted = library.input_frames_next();
                let sound = take(&mut self.waiting, &mut self.read, wanted * channels);
                out.resize(end, 0.0);
                let input = InterleavedSlice::new(sound, channels, wanted).map_err(ResampleError::library)?;
                let mut output =
                    InterleavedSlice::new_mut(&mut out[start..], channels, frames).map_err(ResampleError::library)?;
                library.process_into_buffer(&input, &mut output, None).map_err(ResampleError::library)?;
            }
        }
        Ok(())
    }

    fn channels(&self) -> usize {
        self.head.channels().into()
    }
}

/// The next so many samples of those that wait, silence after the last.
fn take<'a>(waiting: &'a mut Vec<f32>, read: &mut usize, samples: usize) -> &'a [f32] {
    let start = *read;
    *read += samples;
    if waiting.len() < *read {
        waiting.resize(*read, 0.0);
    }
    &waiting[start..*read]
}

/// The filter's length in frames of the stream: so many as 256 are at 48 kHz, where half of it is 2.7 ms; of a low rate
/// more, while half of it is no longer than 4 ms, so that its highest sounds stay.
fn filter_length(rate: u32) -> u32 {
    let length = if rate > RATE { 256 * rate / RATE } else { 256.min(rate / 125) };
    length.next_multiple_of(8)
}

fn filter(head: Head, length: u32) -> Result<Async<f32>, ResampleError> {
    // Outputs lie at so many places between two frames; where they are few, each has its own filter, exactly. The library's
    // filters are early by one place, which is nothing where there are many.
    let places = RATE / common_divisor(RATE, head.rate());
    let (places, interpolation) = if places <= MOST_PLACES {
        (places * FEWEST_PLACES.div_ceil(places), SincInterpolationType::Nearest)
    } else {
        (FEWEST_PLACES, SincInterpolationType::Cubic)
    };
    let filter = SincInterpolationParameters::new(length as usize, WindowFunction::BlackmanHarris2)
        .oversampling_factor(places as usize)
        .interpolation(interpolation);
    let ratio = f64::from(RATE) / f64::from(head.rate());
    Async::new_sinc(ratio, 1.0, &filter, STEP, head.channels().into(), FixedAsync::Output)
        .map_err(ResampleError::library)
}

const fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
