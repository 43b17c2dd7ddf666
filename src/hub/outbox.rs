//! What waits for one listener, and what is done when it waits too long.
//!
//! What belongs here: the seam between fan-out and socket ([`Outbox`]), and the drop policy as a plain struct
//! ([`Queue`]). What does not: sockets, frames' insides, clocks.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::media::time::{Moment, Ticks};

/// A listener's place on a worker thread, as the fan-out sees it. Implemented by a socket at the edge, used only on the
/// thread of that socket.
pub trait Outbox {
    /// Takes a frame, or what the policy leaves of it; never blocks, never fails. A socket that can take no more ends
    /// itself.
    fn push(&self, frame: &Frame, now: Moment);
    /// Writes as much as the socket takes now, in one call to the kernel.
    fn flush(&self, now: Moment);
    /// How many bytes wait that the socket has not taken.
    fn waiting(&self) -> usize;
    /// When the listener last took some of something long that is on its way to them; none where nothing is.
    fn taking(&self) -> Option<Moment> {
        None
    }
    /// The room has fallen by the hub's fault: ends the connection, and says so.
    fn fail(&self);
    /// Takes these frames, in order, and writes. Who can write without queueing first may do better than this.
    fn give(&self, frames: &[&Frame], now: Moment) {
        for frame in frames {
            self.push(frame, now);
        }
        self.flush(now);
    }
}

/// One message, framed for the wire once and shared by all who get it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The frame's bytes, header and all.
    pub bytes: Bytes,
    /// What it carries, which decides whether it may be skipped.
    pub cargo: Cargo,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// Sound of this length that decodes on its own: may be skipped by one who is behind.
    Sound(Ticks),
    /// Another's binary message: may be skipped like sound.
    Relay,
    /// Another's text message: keeps its place behind what waits, but there is a bound to how much of it may wait, past
    /// which the newest is left out. Whoever floods a room must not end anyone's connection.
    Text,
    /// The hub's own word: never skipped; too much of it ends the connection.
    Kept,
    /// A file that is sent whole: never skipped, and in nobody's bound, since its sender sees to it that there is one at a
    /// time. It may take as long as `SLOWEST_FILE` allows.
    File,
}

/// The fewest bytes a second at which a file may reach a listener before it is too slow.
const SLOWEST_FILE: u64 = 16 * 1024;

impl Cargo {
    /// Whether one who is behind may do without it.
    const fn may_be_skipped(self) -> bool {
        matches!(self, Self::Sound(_) | Self::Relay)
    }
}

/// The bounds of a listener's outbox.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long sound may wait.
    pub wait: Duration,
    /// How many bytes may wait, of each cargo for itself, so that none pushes another out. Of what a client made whole,
    /// text and relayed messages, one more may come on top: a message at its limit reaches who keeps up.
    pub bytes: usize,
    /// How far behind a listener may be before its connection is closed.
    pub lag: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { wait: Duration::from_secs(5), bytes: 512 * 1024, lag: Duration::from_secs(30) }
    }
}

/// What was left out for a listener who was behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Sound, summed over the tracks.
    pub ticks: Ticks,
    /// Messages.
    pub messages: u64,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Queued,
    /// It waits, and what waited before it was skipped.
    Skipped(Skipped),
    /// The listener is past what the policy bears: close its connection.
    TooSlow,
}

/// The frames that wait for one listener.
#[derive(Debug, Default)]
pub struct Queue {
    frames: VecDeque<Waiting>,
    /// Bytes of the first frame that the socket has taken already. A frame that has begun is never dropped.
    begun: usize,
    sound_bytes: usize,
    relay_bytes: usize,
    text_bytes: usize,
    kept_bytes: usize,
    file_bytes: usize,
    /// When the newest frame was pushed of those that are written whole, or when the queue last began to fill.
    written_until: Moment,
    /// When the socket last took anything, or a file was pushed.
    taken: Moment,
}

#[derive(Debug)]
struct Waiting {
    frame: Frame,
    since: Moment,
}

impl Queue {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.sound_bytes + self.relay_bytes + self.text_bytes + self.kept_bytes + self.file_bytes - self.begun
    }

    /// How long ago the newest frame was pushed that the socket has taken whole; zero while nothing waits.
    #[must_use]
    pub fn lag(&self, now: Moment) -> Duration {
        if self.frames.is_empty() { Duration::ZERO } else { now.since(self.written_until) }
    }

    /// When the socket last took anything, while a file waits.
    #[must_use]
    pub fn taking(&self) -> Option<Moment> {
        (self.file_bytes > 0).then_some(self.taken)
    }

    /// Up to now the listener could take nothing: it is not behind.
    pub fn catch_up(&mut self, now: Moment) {
        self.written_until = now;
    }

    /// Whether a listener is further behind than the policy bears. Behind a file it has the time that the file may take.
    #[must_use]
    pub fn is_too_slow(&self, now: Moment, bounds: &Bounds) -> bool {
        let files = Duration::from_secs(self.file_bytes as u64 / SLOWEST_FILE);
        self.lag(now) > bounds.lag.saturating_add(files)
    }

    /// Adds a frame behind the others. Past the bounds what waits of its cargo is skipped, up to this frame; past the
    /// time that sound may wait all of it is, up to the live edge.
    pub fn push(&mut self, frame: Frame, now: Moment, bounds: &Bounds) -> Pushed {
        if self.frames.is_empty() {
            self.written_until = now;
        }
        let length = frame.bytes.len();
        if self.is_too_slow(now, bounds) {
            return Pushed::TooSlow;
        }
        let skipped = match frame.cargo {
            Cargo::Kept if self.kept_bytes > bounds.bytes => return Pushed::TooSlow,
            Cargo::Text if self.text_bytes > bounds.bytes => {
                return Pushed::Skipped(Skipped { ticks: Ticks::ZERO, messages: 1 });
            }
            Cargo::Kept | Cargo::Text | Cargo::File => Skipped::default(),
            Cargo::Sound(_) | Cargo::Relay if self.is_late(now, bounds) => self.skip(Cargo::may_be_skipped),
            Cargo::Relay if self.relay_bytes > bounds.bytes => self.skip(|cargo| cargo == Cargo::Relay),
            Cargo::Sound(_) if self.sound_bytes + length > bounds.bytes => {
                self.skip(|cargo| matches!(cargo, Cargo::Sound(_)))
            }
            Cargo::Sound(_) | Cargo::Relay => Skipped::default(),
        };
        if frame.cargo == Cargo::File {
            self.taken = now;
        }
        *self.bytes_of(frame.cargo) += length;
        self.frames.push_back(Waiting { frame, since: now });
        if skipped == Skipped::default() { Pushed::Queued } else { Pushed::Skipped(skipped) }
    }

    /// Drops the sound that waits and puts the connection's last frame behind the rest, whatever the bounds.
    pub fn finish(&mut self, last: Frame, now: Moment) {
        self.skip(Cargo::may_be_skipped);
        self.kept_bytes += last.bytes.len();
        self.frames.push_back(Waiting { frame: Frame { cargo: Cargo::Kept, ..last }, since: now });
    }

    /// What waits, in order, as slices for one vectored write.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let begun = self.begun;
        self.frames.iter().enumerate().map(move |(index, waiting)| {
            let bytes = &waiting.frame.bytes[..];
            if index == 0 { &bytes[begun..] } else { bytes }
        })
    }

    /// Takes frames away, whole and in order: at least one where any waits, then as many as have at most so many bytes together.
    pub fn take(&mut self, most_frames: usize, most_bytes: usize, now: Moment) -> Vec<Bytes> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for Waiting { frame, .. } in self.frames.iter().take(most_frames) {
            if !taken.is_empty() && bytes + frame.bytes.len() > most_bytes {
                break;
            }
            bytes += frame.bytes.len();
            taken.push(frame.bytes.clone());
        }
        self.written(bytes, now);
        taken
    }

    /// What waits, to wait elsewhere.
    pub fn into_frames(self) -> impl Iterator<Item = Frame> {
        self.frames.into_iter().map(|waiting| waiting.frame)
    }

    /// The socket has taken this many bytes of what waits, by now.
    pub fn written(&mut self, mut bytes: usize, now: Moment) {
        if bytes > 0 {
            self.taken = now;
        }
        while let Some(first) = self.frames.front() {
            let left = first.frame.bytes.len() - self.begun;
            if bytes < left {
                self.begun += bytes;
                return;
            }
            bytes -= left;
            self.begun = 0;
            // What waited behind a file could not be faster.
            let reached = if first.frame.cargo == Cargo::File { now } else { first.since };
            self.written_until = self.written_until.max(reached);
            let (length, cargo) = (first.frame.bytes.len(), first.frame.cargo);
            *self.bytes_of(cargo) -= length;
            self.frames.pop_front();
        }
        if self.frames.capacity() > 32 {
            // What a stalled listener once needed is not kept for as long as it stays.
            self.frames = VecDeque::new();
        }
    }

    /// Whether sound, or what is relayed, waits for longer than it may.
    fn is_late(&self, now: Moment, bounds: &Bounds) -> bool {
        let oldest = self.frames.iter().find(|waiting| waiting.frame.cargo.may_be_skipped());
        oldest.is_some_and(|oldest| now.since(oldest.since) > bounds.wait)
    }

    const fn bytes_of(&mut self, cargo: Cargo) -> &mut usize {
        match cargo {
            Cargo::Sound(_) => &mut self.sound_bytes,
            Cargo::Relay => &mut self.relay_bytes,
            Cargo::Text => &mut self.text_bytes,
            Cargo::Kept => &mut self.kept_bytes,
            Cargo::File => &mut self.file_bytes,
        }
    }

    /// Drops what waits of such cargo, but for a frame that has begun.
    fn skip(&mut self, which: impl Fn(Cargo) -> bool) -> Skipped {
        let mut skipped = Skipped::default();
        let mut first = true;
        let begun = self.begun > 0;
        let (sound_bytes, relay_bytes) = (&mut self.sound_bytes, &mut self.relay_bytes);
        self.frames.retain(|waiting| {
            let held = std::mem::take(&mut first) && begun;
            let cargo = waiting.frame.cargo;
            if held || !which(cargo) {
                return true;
            }
            let (ticks, bytes) = match cargo {
                Cargo::Sound(ticks) => (ticks, &mut *sound_bytes),
                Cargo::Relay => (Ticks::ZERO, &mut *relay_bytes),
                Cargo::Text | Cargo::Kept | Cargo::File => return true,
            };
            skipped.ticks = skipped.ticks.saturating_add(ticks);
            skipped.messages += 1;
            *bytes -= waiting.frame.bytes.len();
            false
        });
        skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { wait: Duration::from_secs(5), bytes: 100, lag: Duration::from_secs(30) };

    fn at(secs: u64) -> Moment {
        Moment::START.after(Duration::from_secs(secs))
    }

    fn sound(bytes: &'static [u8]) -> Frame {
        Frame { bytes: Bytes::from_static(bytes), cargo: Cargo::Sound(Ticks::from_millis(240)) }
    }

    fn kept(bytes: &'static [u8]) -> Frame {
        Frame { bytes: Bytes::from_static(bytes), cargo: Cargo::Kept }
    }

    fn text(queue: &Queue) -> String {
        String::from_utf8(queue.slices().flatten().copied().collect()).unwrap()
    }

    #[test]
    fn a_listener_who_keeps_up_gets_everything_in_order() {
        let mut queue = Queue::default();
        for frame in [sound(b"one"), kept(b"two"), sound(b"three")] {
            assert_eq!(queue.push(frame, at(0), &BOUNDS), Pushed::Queued);
        }
        assert_eq!(text(&queue), "onetwothree");
        queue.written(4, at(0));
        assert_eq!((text(&queue).as_str(), queue.bytes()), ("wothree", 7));
        queue.written(7, at(0));
        assert!(queue.is_empty());
        assert_eq!((queue.sound_bytes, queue.kept_bytes, queue.begun), (0, 0, 0));
    }

    #[test]
    fn one_who_is_behind_skips_to_the_live_edge_and_keeps_what_has_begun() {
        let mut queue = Queue::default();
        for frame in [sound(b"begun"), sound(b"skipped"), kept(b"text"), sound(b"skipped too")] {
            queue.push(frame, at(0), &BOUNDS);
        }
        queue.written(2, at(0));
        let skipped = Skipped { ticks: Ticks::from_millis(480), messages: 2 };
        assert_eq!(queue.push(sound(b"edge"), at(6), &BOUNDS), Pushed::Skipped(skipped));
        assert_eq!(text(&queue), "guntextedge");
        queue.written(11, at(0));
        assert_eq!((queue.sound_bytes, queue.kept_bytes, queue.begun), (0, 0, 0));
    }

    #[test]
    fn the_last_frame_comes_behind_what_has_begun_and_what_is_kept() {
        let mut queue = Queue::default();
        for frame in [sound(b"begun"), kept(b"text"), sound(&[0; 80]), kept(&[b'!'; 90])] {
            queue.push(frame, at(0), &BOUNDS);
        }
        queue.written(2, at(0));
        queue.finish(sound(b"close"), at(1));
        assert_eq!(text(&queue), format!("guntext{}close", "!".repeat(90)));
        queue.written(3 + 4 + 90 + 5, at(0));
        assert_eq!((queue.sound_bytes, queue.kept_bytes, queue.begun), (0, 0, 0));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut queue = Queue::default();
        queue.push(sound(&[b'a'; 60]), at(0), &BOUNDS);
        let skipped = Skipped { ticks: Ticks::from_millis(240), messages: 1 };
        assert_eq!(queue.push(sound(&[b'b'; 60]), at(0), &BOUNDS), Pushed::Skipped(skipped));
        assert_eq!(text(&queue), "b".repeat(60));
    }

    #[test]
    fn a_flood_of_text_ends_nobodys_connection_and_is_bounded() {
        let mut queue = Queue::default();
        let text = |length: usize| Frame { bytes: vec![b't'; length].into(), cargo: Cargo::Text };
        assert_eq!(queue.push(text(150), at(0), &BOUNDS), Pushed::Queued, "one message may be longer");
        let skipped = Skipped { ticks: Ticks::ZERO, messages: 1 };
        for _ in 0..1000 {
            assert_eq!(queue.push(text(10), at(0), &BOUNDS), Pushed::Skipped(skipped));
        }
        assert_eq!(queue.push(kept(b"the hub's own word"), at(0), &BOUNDS), Pushed::Queued);
        assert_eq!(queue.push(sound(b"sound"), at(0), &BOUNDS), Pushed::Queued);
        queue.written(150 + 18 + 5, at(0));
        assert!(queue.is_empty());
        assert_eq!((queue.sound_bytes, queue.text_bytes, queue.kept_bytes), (0, 0, 0));
    }

    #[test]
    fn the_hubs_word_is_never_skipped_but_too_much_of_it_ends_the_connection() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(kept(&[0; 60]), at(0), &BOUNDS), Pushed::Queued);
        assert_eq!(queue.push(kept(&[0; 60]), at(0), &BOUNDS), Pushed::Queued);
        assert_eq!(queue.push(kept(&[0; 60]), at(0), &BOUNDS), Pushed::TooSlow);
        assert_eq!(Queue::default().push(kept(&[0; 120]), at(0), &BOUNDS), Pushed::Queued, "not by its length alone");
    }

    #[test]
    fn what_is_relayed_pushes_no_sound_out_and_the_other_way_round() {
        let relay = |bytes| Frame { bytes: Bytes::from_static(bytes), cargo: Cargo::Relay };
        let mut queue = Queue::default();
        for frame in [sound(b"sound"), relay(&[b'r'; 120]), sound(&[b's'; 90])] {
            assert_eq!(queue.push(frame, at(0), &BOUNDS), Pushed::Queued);
        }
        let skipped = Skipped { ticks: Ticks::ZERO, messages: 1 };
        assert_eq!(queue.push(relay(b"relay"), at(0), &BOUNDS), Pushed::Skipped(skipped));
        assert_eq!(text(&queue), format!("sound{}relay", "s".repeat(90)));
        let skipped = Skipped { ticks: Ticks::from_millis(480), messages: 2 };
        assert_eq!(queue.push(sound(b"edge!!"), at(0), &BOUNDS), Pushed::Skipped(skipped));
        assert_eq!(text(&queue), "relayedge!!");
        queue.written(11, at(0));
        assert_eq!((queue.sound_bytes, queue.relay_bytes, queue.kept_bytes), (0, 0, 0));
    }

    #[test]
    fn a_file_has_the_time_that_it_takes_and_so_has_what_waits_behind_it() {
        let file = |bytes: usize| Frame { bytes: vec![0; bytes].into(), cargo: Cargo::File };
        let mut queue = Queue::default();
        assert_eq!(queue.taking(), None);
        assert_eq!(queue.push(file(1024 * 1024), at(0), &BOUNDS), Pushed::Queued);
        assert_eq!(queue.push(kept(b"word"), at(1), &BOUNDS), Pushed::Queued);
        assert_eq!(queue.push(kept(b"word"), at(94), &BOUNDS), Pushed::Queued, "64 s at 16 KiB/s, and 30");
        assert!(queue.is_too_slow(at(95), &BOUNDS));
        assert_eq!(queue.taking(), Some(at(0)));
        queue.written(1024, at(93));
        assert_eq!(queue.taking(), Some(at(93)));
        queue.written(1023 * 1024, at(94));
        assert_eq!(queue.taking(), None, "what is behind it is short");
        queue.written(4, at(94));
        assert!(!queue.is_too_slow(at(124), &BOUNDS));
        assert!(queue.is_too_slow(at(125), &BOUNDS));
        assert_eq!(queue.file_bytes, 0);
    }

    #[test]
    fn thirty_seconds_without_progress_are_too_slow_but_slow_progress_is_not() {
        let mut stalled = Queue::default();
        let mut slow = Queue::default();
        for second in 0..=30 {
            assert_ne!(stalled.push(sound(&[0; 20]), at(second), &BOUNDS), Pushed::TooSlow);
            assert_ne!(slow.push(sound(&[0; 20]), at(second), &BOUNDS), Pushed::TooSlow);
            slow.written(10, at(0));
        }
        assert_eq!(stalled.push(sound(&[0; 20]), at(31), &BOUNDS), Pushed::TooSlow);
        assert_ne!(slow.push(sound(&[0; 20]), at(31), &BOUNDS), Pushed::TooSlow);
        assert!(slow.lag(at(31)) <= Duration::from_secs(6));
    }
}
