//! A track's decoded sound by its own count, for whoever reads it in any pieces and gets the same each time.
//!
//! What belongs here: runs of sound, silence between them, and how they begin and end without a click. What does not: decoding,
//! the session's clock, sound that is made while it is spoken (`track.rs`, which does not know yet what follows).
//!
//! A *run* is sound without a gap. One that begins or ends in the middle of a swing would click, so it is faded there, over
//! [`FADE`] and no further. One that begins and ends quietly is left as it is, and so is whatever goes on.
//!
//! Memory: what was pushed and not forgotten.

use std::collections::VecDeque;

use super::interpolate::{REACH, TAPS, between};

/// How long a fade is: 5 ms, which is too short to be heard as one, and long enough that nothing is heard of the edge: what
/// half a period of a raised cosine leaves of a step is 60 dB down from 1 kHz on.
pub const FADE: u16 = 240;
/// A step up to this is not heard, and not faded: 60 dB below full scale.
const QUIET: f32 = 0.001;

/// The sound of one track. Places are frames at 48 kHz on the track's own count.
#[derive(Clone, Debug)]
pub struct Runs {
    channels: usize,
    runs: VecDeque<Run>,
    /// Where the last sound ends, and whether it may go on.
    end: u64,
    open: bool,
}

#[derive(Clone, Debug)]
struct Run {
    /// The place of the first frame that is kept of it.
    begin: u64,
    /// How many frames of it were pushed.
    pushed: u64,
    fades_in: bool,
    /// Interleaved.
    sound: Vec<f32>,
}

impl Runs {
    /// No sound yet, in one or two channels.
    #[must_use]
    pub fn new(channels: u8) -> Self {
        Self { channels: channels.into(), runs: VecDeque::new(), end: 0, open: false }
    }

    /// Adds sound at a place: in one channel or two, one being the same on both sides. What lies before the end of the last
    /// sound is dropped; where the place is not that end, the last run is over.
    pub fn push(&mut self, at: u64, channels: u8, sound: &[f32]) {
        let from = usize::from(channels.max(1));
        let late = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let sound = sound.get(late.saturating_mul(from)..).unwrap_or_default();
        let frames = sound.len() / from;
        if frames == 0 {
            return;
        }
        let at = at.max(self.end);
        if at > self.end {
            self.cut();
        }
        if !self.open {
            let fades_in = is_loud(&sound[..from]);
            self.runs.push_back(Run { begin: at, pushed: 0, fades_in, sound: Vec::new() });
            self.open = true;
        }
        self.end = at + frames as u64;
        let Some(run) = self.runs.back_mut() else { return };
        let start = run.sound.len();
        match (self.channels, from) {
            (1, 2) => run.sound.extend(sound.chunks_exact(2).map(|frame| f32::midpoint(frame[0], frame[1]))),
            (2, 1) => run.sound.extend(sound.iter().flat_map(|sample| [*sample; 2])),
            _ => run.sound.extend_from_slice(sound),
        }
        if run.fades_in {
            for (index, frame) in (run.pushed..u64::from(FADE)).zip(run.sound[start..].chunks_exact_mut(self.channels))
            {
                let gain = gain(index);
                frame.iter_mut().for_each(|sample| *sample *= gain);
            }
        }
        run.pushed += frames as u64;
    }

    /// The last run is over: whatever is pushed next, even at its end, is another.
    pub fn cut(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let Some(run) = self.runs.back_mut() else { return };
        let frames = run.sound.len() / self.channels;
        if frames == 0 || !is_loud(&run.sound[(frames - 1) * self.channels..]) {
            return;
        }
        for (index, frame) in (0..u64::from(FADE)).zip(run.sound.chunks_exact_mut(self.channels).rev()) {
            let gain = gain(index);
            frame.iter_mut().for_each(|sample| *sample *= gain);
        }
    }

    /// Up to where nothing changes any more, whatever is pushed.
    #[must_use]
    pub fn settled(&self) -> u64 {
        let changes = self.runs.back().filter(|_| self.open).map_or(0, |run| run.pushed.min(FADE.into()));
        self.end.saturating_sub(changes)
    }

    /// Where the last sound ends.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Forgets what lies before a place, but for what may still change.
    pub fn forget(&mut self, before: u64) {
        let before = before.min(self.settled());
        let mut count = self.runs.len();
        while let Some(run) = self.runs.front_mut() {
            let frames = (run.sound.len() / self.channels) as u64;
            let gone = before.saturating_sub(run.begin).min(frames);
            if gone == frames && !(self.open && count == 1) {
                self.runs.pop_front();
                count -= 1;
                continue;
            }
            // Not a few at a time: to move the rest down costs more than to keep them.
            if gone >= 4800 {
                run.sound.drain(..usize::try_from(gone).unwrap_or(0) * self.channels);
                run.begin += gone;
            }
            break;
        }
    }

    /// Adds the frames from a place on to `out`.
    pub fn add(&self, at: u64, out: &mut [f32]) {
        let end = at + (out.len() / self.channels) as u64;
        for run in &self.runs {
            let run_end = run.begin + (run.sound.len() / self.channels) as u64;
            let (from, to) = (run.begin.max(at), run_end.min(end));
            if from < to {
                let index = |place: u64, begin: u64| usize::try_from(place - begin).unwrap_or(0) * self.channels;
                let sound = &run.sound[index(from, run.begin)..index(to, run.begin)];
                out[index(from, at)..].iter_mut().zip(sound).for_each(|(out, sample)| *out += sample);
            }
        }
    }

    /// Adds the frame that lies `fraction` (0 to 1) behind a place to `out`, which has a sample for each channel.
    pub fn add_between(&self, at: u64, fraction: f64, out: &mut [f32]) {
        // The first sample that counts may lie before the first that there is.
        let before = u64::from(REACH) - 1;
        if self.channels == 1
            && let Some(sound) = at.checked_sub(before).and_then(|at| self.within(at))
        {
            out[0] += between(sound, fraction);
            return;
        }
        let skipped = usize::try_from(before.saturating_sub(at)).unwrap_or(0) * self.channels;
        let mut frames = [0.0; 2 * TAPS];
        self.add(at.saturating_sub(before), &mut frames[skipped..TAPS * self.channels]);
        for (channel, out) in out.iter_mut().enumerate() {
            let mut sound = [0.0; TAPS];
            for (sample, frame) in sound.iter_mut().zip(frames.chunks_exact(self.channels)) {
                *sample = frame[channel];
            }
            *out += between(&sound, fraction);
        }
    }

    /// So many frames of one channel from a place on, where they are all of one run.
    fn within(&self, at: u64) -> Option<&[f32; TAPS]> {
        let run = self.runs.iter().rfind(|run| run.begin <= at)?;
        run.sound.get(usize::try_from(at - run.begin).ok()?..)?.first_chunk()
    }
}

/// Whether silence beside this frame would be a step that is heard.
fn is_loud(frame: &[f32]) -> bool {
    frame.iter().any(|sample| sample.abs() > QUIET)
}

/// The gain so many frames from an edge: a raised cosine.
#[expect(clippy::cast_possible_truncation, reason = "a gain of at most 1")]
fn gain(frames: u64) -> f32 {
    let across = u16::try_from(frames).map_or(1.0, |frames| (f64::from(frames) + 0.5) / f64::from(FADE));
    (0.5 - 0.5 * (std::f64::consts::PI * across.min(1.0)).cos()) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(runs: &Runs, at: u64, frames: usize) -> Vec<f32> {
        let mut out = vec![0.0; frames * runs.channels];
        runs.add(at, &mut out);
        out
    }

    fn steepest(sound: &[f32]) -> f32 {
        let padded = [&[0.0], sound, &[0.0]].concat();
        padded.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn sound_that_begins_and_ends_quietly_is_left_as_it_is() {
        let sine: Vec<f32> =
            (0..=4800_u16).map(|at| (f32::from(at) / 480.0 * std::f32::consts::TAU).sin() * 0.9).collect();
        let mut runs = Runs::new(1);
        runs.push(1000, 1, &sine[..77]);
        runs.push(1077, 1, &sine[77..]);
        runs.cut();
        assert_eq!(read(&runs, 1000, sine.len()), sine);
        assert_eq!(read(&runs, 0, 1000), [0.0; 1000]);
    }

    #[test]
    fn an_edge_that_would_click_is_faded_and_nothing_beyond_it() {
        let mut runs = Runs::new(1);
        runs.push(100, 1, &[0.5; 100]);
        runs.push(200, 1, &[0.5; 1800]);
        assert_eq!(runs.settled(), 2000 - 240);
        // A gap, and one that somebody knows of though the count runs on.
        runs.push(3000, 1, &[0.5; 1000]);
        runs.cut();
        runs.push(4000, 1, &[0.5; 1000]);
        runs.cut();
        let heard = read(&runs, 100, 5000);
        assert!(steepest(&heard) < 0.004, "{}", steepest(&heard));
        assert_eq!(heard[240..1660], [0.5; 1420]);
        assert_eq!(heard[1900..2900], [0.0; 1000]);
        assert!(heard[3899] < 0.001 && heard[3900] < 0.001);
        // Less than two fades long.
        let mut short = Runs::new(1);
        short.push(0, 1, &[0.5; 100]);
        short.cut();
        assert!(steepest(&read(&short, 0, 100)) < 0.02);
    }

    #[test]
    fn one_channel_is_the_same_on_both_sides_and_what_comes_twice_counts_once() {
        let mut runs = Runs::new(2);
        runs.push(10, 1, &[0.0, 0.1, 0.2]);
        runs.push(11, 2, &[9.0, 9.0, 9.0, 9.0, 0.3, -0.3]);
        assert_eq!(read(&runs, 9, 6), [0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.2, 0.2, 0.3, -0.3, 0.0, 0.0]);
    }

    #[test]
    fn a_whole_place_gives_its_frame_also_between_runs_and_at_the_first() {
        let mut runs = Runs::new(1);
        runs.push(0, 1, &[0.0, 0.7, 0.6, 0.5]);
        runs.cut();
        runs.push(4, 1, &[0.0, 0.3, 0.2]);
        for (at, expected) in read(&runs, 0, 9).into_iter().enumerate() {
            let mut frame = [0.0];
            runs.add_between(at as u64, 0.0, &mut frame);
            assert_eq!(frame, [expected], "{at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_settled_does_not_change_however_it_is_pushed_and_forgotten(
            steps in prop::collection::vec((0..800_u64, 1..900_usize, any::<bool>()), 1..30),
        ) {
            let (mut all, mut kept) = (Runs::new(1), Runs::new(1));
            let mut at = 0;
            let mut heard = Vec::new();
            let mut read_to = 0;
            for (index, (gap, frames, cut)) in steps.into_iter().enumerate() {
                at += gap.saturating_sub(400);
                let level = |frame: usize| f32::from(u8::try_from((frame * 7 + index) % 13).unwrap()) / 13.0;
                let sound: Vec<f32> = (0..frames).map(level).collect();
                all.push(at, 1, &sound);
                let (one, other) = sound.split_at(frames / 3);
                kept.push(at, 1, one);
                kept.push(at + one.len() as u64, 1, other);
                at += frames as u64;
                if cut {
                    all.cut();
                    kept.cut();
                }
                prop_assert_eq!(all.settled(), kept.settled());
                let settled = kept.settled();
                heard.extend(read(&kept, read_to, usize::try_from(settled - read_to).unwrap()));
                read_to = settled;
                kept.forget(settled);
            }
            prop_assert_eq!(read(&all, 0, heard.len()), heard);
        }
    }
}
