//! What a client publishes, from bytes to packets: one stream for each track, without room and socket.
//!
//! What belongs here: what goes to the room of each message, and that what costs work is done where nobody is served. What
//! does not: how a kind of stream is decoded (`container.rs`, `numbered.rs`), when its packets may go to the room
//! (`publisher.rs`).

use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;

use super::container::Container;
use super::numbered::Numbered;
use super::{Refusal, Warning};
use crate::container::stream::Opening;
use crate::hub::clock::{AHEAD, LONGEST_START};
use crate::hub::offload::{Fell, For, offload};
use crate::media::packet::{Sequence, SourcePacket};
use crate::media::source::Codec;
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;

/// What the room takes at once, and so what is decoded before it is sent.
const AT_ONCE: Ticks = LONGEST_START.saturating_add(AHEAD);
/// And so many batches, though they are short: each may be the start of an encoder.
const MOST_BATCHES: usize = 50;

/// What each start of an encoder costs: a small WAV in each message begins ten times a second.
const START: Duration = Duration::from_millis(100);
/// Starts that may come at once, told by what they cost: those of a line that stood still for so long.
const STARTS: Duration = Duration::from_secs(5);

/// Packets of one track that go to the room together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How they are encoded.
    pub format: Format,
    /// What their publisher sent.
    pub source: Codec,
    /// Whether an encoder started with the first of them.
    pub restarted: bool,
    /// The number of the first, where the publisher numbers them.
    pub first: Option<Sequence>,
    /// The packets.
    pub packets: Vec<SourcePacket>,
}

impl Batch {
    /// Whether `next` are the packets behind these.
    fn continues(&self, next: &Self) -> bool {
        let first = self.first.map(|first| first.after(self.packets.len() as u64));
        !next.restarted && self.format == next.format && self.source == next.source && first == next.first
    }
}

/// What a message held: what came before an error is kept, whatever comes after.
#[derive(Debug, Default)]
pub struct Decoded {
    /// In order.
    pub batches: Vec<Batch>,
    /// What was left out of the stream.
    pub warnings: Vec<Warning>,
    /// Why the stream cannot go on.
    pub refusal: Option<Refusal>,
    /// Whether more can be decoded of what has come.
    pub more: bool,
}

impl Decoded {
    /// The same, with the reason why the stream cannot go on behind it.
    pub fn refused(self, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), more: false, ..self }
    }

    /// Puts the next piece behind this.
    fn append(&mut self, piece: Self) {
        let mut batches = piece.batches.into_iter();
        if let Some(last) = self.batches.last_mut()
            && batches.as_slice().first().is_some_and(|next| last.continues(next))
            && let Some(mut next) = batches.next()
        {
            last.packets.append(&mut next.packets);
        }
        self.batches.extend(batches);
        self.warnings.extend(piece.warnings);
        self.refusal = piece.refusal;
        self.more = piece.more;
    }

    fn sound(&self) -> Ticks {
        let packets = self.batches.iter().flat_map(|batch| &batch.packets);
        packets.fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration))
    }
}

/// A track of this connection.
pub struct Stream {
    /// Away while another thread works on it; gone, where that fell over it.
    intake: RefCell<Option<Box<Intake>>>,
    /// How far its sound may run ahead.
    pub pace: Pace,
}

/// How a track's packets come out of what is sent. It moves to the thread that works on it, and back.
enum Intake {
    Container(Container),
    Packets(Numbered),
}

impl Stream {
    /// A stream of container bytes that begins so, or that its first bytes tell of.
    #[must_use]
    pub fn container(opening: Option<Opening>) -> Self {
        Self::new(Intake::Container(Container::new(opening)))
    }

    /// A stream of packets of this format.
    #[must_use]
    pub fn packets(format: &Format) -> Self {
        Self::new(Intake::Packets(Numbered::new(format)))
    }

    fn new(intake: Intake) -> Self {
        Self { intake: RefCell::new(Some(Box::new(intake))), pace: Pace::default() }
    }

    /// Takes a piece of the container's bytes, for [`Self::decode`].
    ///
    /// # Errors
    /// Where the track is one of packets, or the first bytes are none that are accepted.
    pub fn push(&self, bytes: &[u8]) -> Result<(), Refusal> {
        match self.intake.borrow_mut().as_deref_mut() {
            Some(Intake::Container(container)) => container.push(bytes),
            Some(Intake::Packets(_)) => Err(Refusal::OtherSource),
            None => Err(Refusal::Fell(Fell)),
        }
    }

    /// Takes packets that the publisher numbered and timed, for [`Self::decode`].
    ///
    /// # Errors
    /// Where the track is one of container bytes.
    pub fn take(&self, first: Sequence, time: Ticks, packets: Vec<Bytes>) -> Result<(), Refusal> {
        match self.intake.borrow_mut().as_deref_mut() {
            Some(Intake::Packets(numbered)) => {
                numbered.take(first, time, packets);
                Ok(())
            }
            Some(Intake::Container(_)) => Err(Refusal::OtherSource),
            None => Err(Refusal::Fell(Fell)),
        }
    }

    /// Nothing more will come: what is held of the stream is decoded too.
    pub fn finish(&self) {
        if let Some(Intake::Container(container)) = self.intake.borrow_mut().as_deref_mut() {
            container.finish();
        }
    }

    /// Decodes what has come: all of it, or as much as the room takes at once. What passes untouched is decoded here and now;
    /// what costs work is taken apart, and each piece waits for its turn on a thread that serves nobody.
    pub async fn decode(&self) -> Decoded {
        let mut decoded = Decoded::default();
        loop {
            let Some(mut intake) = self.intake.take() else { return decoded.refused(Refusal::Fell(Fell)) };
            let (intake, piece) = if intake.is_free() {
                let piece = intake.decode();
                (intake, piece)
            } else {
                let work = move || {
                    let piece = intake.decode();
                    (intake, piece)
                };
                match offload(For::Recording, work).await {
                    Ok(done) => done,
                    Err(_) => return decoded.refused(Refusal::Fell(Fell)),
                }
            };
            self.intake.replace(Some(intake));
            decoded.append(piece);
            if !decoded.more || decoded.sound() >= AT_ONCE || decoded.batches.len() >= MOST_BATCHES {
                return decoded;
            }
        }
    }
}

impl Intake {
    fn is_free(&self) -> bool {
        match self {
            Self::Container(container) => container.is_free(),
            Self::Packets(packets) => packets.is_free(),
        }
    }

    fn decode(&mut self) -> Decoded {
        match self {
            Self::Container(container) => container.decode(),
            Self::Packets(packets) => packets.decode(),
        }
    }
}

/// How much sound of a track may go to the room now: at most two seconds ahead of real time, as the room's clock has it. And
/// how often an encoder may start: each time may be a file.
#[derive(Debug)]
pub struct Pace {
    /// How many ticks the room would take, and when it said so.
    told: Cell<(Moment, i64)>,
    /// When every start is paid for.
    started: Cell<Moment>,
}

impl Default for Pace {
    fn default() -> Self {
        // A track may begin three seconds before its first message arrives.
        let told = AT_ONCE.get().cast_signed();
        Self { told: Cell::new((Moment::START, told)), started: Cell::new(Moment::START) }
    }
}

impl Pace {
    /// The room said at `now` how many ticks more may come; negative where more has come already.
    pub fn told(&self, now: Moment, ahead: i64) {
        self.told.set((now, ahead));
    }

    /// An encoder starts: how long what it made has to wait.
    pub fn start(&self, now: Moment) -> Duration {
        let paid = self.started.get().max(now).after(START);
        self.started.set(paid);
        paid.since(now).saturating_sub(STARTS)
    }

    /// How many of these packets may go now.
    ///
    /// # Errors
    /// Where it is none: how long until the first may.
    pub fn fitting(&self, now: Moment, packets: &[SourcePacket]) -> Result<usize, Ticks> {
        let (at, ahead) = self.told.get();
        let since = if at == Moment::START { Ticks::ZERO } else { Ticks::from_duration(now.since(at)) };
        let mut allowed = ahead.saturating_add_unsigned(since.get());
        let mut count = 0;
        for packet in packets {
            allowed = allowed.saturating_sub_unsigned(packet.duration.get());
            match allowed {
                0.. => count += 1,
                missing if count == 0 => return Err(Ticks::new(missing.unsigned_abs())),
                _ => break,
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::container::tests::{Script, samples};
    use super::*;
    use crate::container::stream::{Demux, Error, Event};
    use crate::media::pcm;
    use crate::media::source::Source;

    fn packets(count: usize) -> Vec<SourcePacket> {
        let packet =
            SourcePacket { time: Ticks::ZERO, duration: Ticks::from_millis(20), data: Bytes::new(), heard: None };
        vec![packet; count]
    }

    fn stream(demuxer: impl Demux + 'static) -> Stream {
        Stream::new(Intake::Container(Container::with(Box::new(demuxer))))
    }

    fn head() -> pcm::Head {
        pcm::Head::new(pcm::Sample::S16, 8000, 1).unwrap()
    }

    #[test]
    fn sound_goes_in_as_far_as_the_room_lets_it_and_then_in_real_time() {
        let pace = Pace::default();
        let at = |millis| Moment::START.after(Duration::from_millis(millis));
        assert_eq!(pace.fitting(at(9000), &packets(1000)), Ok(250));
        pace.told(at(9000), 0);
        assert_eq!(pace.fitting(at(9000), &packets(10)), Err(Ticks::from_millis(20)));
        assert_eq!(pace.fitting(at(9050), &packets(10)), Ok(2));
    }

    #[test]
    fn what_has_run_ahead_too_far_is_waited_for_however_often_it_is_told() {
        let pace = Pace::default();
        let at = |millis| Moment::START.after(Duration::from_millis(millis));
        let ahead = |millis: i64| millis * 48;
        // Both were told while what had arrived at 9000 was taken, which took 50 ms.
        for told in [-20, -40] {
            pace.told(at(9000), ahead(told));
            let fits = usize::try_from((50 + told) / 20).unwrap();
            assert_eq!(
                pace.fitting(at(9050), &packets(10)),
                if fits > 0 { Ok(fits) } else { Err(Ticks::from_millis(10)) }
            );
        }
    }

    #[test]
    fn an_encoder_starts_ten_times_a_second_and_no_more_often() {
        let pace = Pace::default();
        let at = |millis| Moment::START.after(Duration::from_millis(millis));
        let patient = (0..100).map(|number| pace.start(at(number * 100)));
        assert!(patient.into_iter().all(|wait| wait.is_zero()));
        let waits: Vec<_> = (0..20_000).map(|_| pace.start(at(60_000))).collect();
        assert_eq!(waits.iter().filter(|wait| wait.is_zero()).count(), 50);
        assert_eq!(waits.last(), Some(&Duration::from_secs(1995)));
    }

    #[tokio::test]
    async fn pieces_of_one_message_go_to_the_room_together_as_far_as_it_takes_them_at_once() {
        let sound = (0..100).map(|number| Event::Packet(samples(head(), number * 100, 100)));
        let stream = stream(Script::new([Event::Head(Source::Pcm(head()))].into_iter().chain(sound)));
        let mut lengths = Vec::new();
        loop {
            let decoded = stream.decode().await;
            assert_eq!(decoded.refusal, None);
            let begins: Vec<_> = decoded.batches.iter().map(|batch| batch.restarted).collect();
            lengths.push((begins, decoded.sound().as_millis()));
            if !decoded.more {
                break;
            }
        }
        assert_eq!(lengths, [(vec![true], 5000), (vec![false], 5000), (vec![], 0)]);
    }

    #[tokio::test]
    async fn many_starts_go_to_the_room_some_at_a_time_though_they_are_short() {
        let one = [Event::Head(Source::Pcm(head())), Event::Packet(samples(head(), 0, 10))];
        let stream = stream(Script::new(one.into_iter().cycle().take(400)));
        let mut counts = Vec::new();
        loop {
            let decoded = stream.decode().await;
            counts.push(decoded.batches.len());
            if !decoded.more {
                break;
            }
        }
        assert!(counts.iter().all(|count| *count < 2 * MOST_BATCHES), "{counts:?}");
        assert_eq!(counts.iter().sum::<usize>(), 199, "the last is held until more comes");
    }

    /// Tells on which threads it was read, and falls where it is told to.
    struct Threads {
        script: Script,
        falls: bool,
        seen: std::sync::mpsc::Sender<std::thread::ThreadId>,
    }

    impl Demux for Threads {
        fn push(&mut self, _: &[u8]) {}

        fn pull(&mut self) -> Result<Option<Event>, Error> {
            let event = self.script.pull()?;
            assert!(event.is_some() || !self.falls, "a test wants it");
            let _ = self.seen.send(std::thread::current().id());
            Ok(event)
        }

        fn held(&self) -> usize {
            0
        }
    }

    #[tokio::test]
    async fn what_costs_work_is_done_where_nobody_is_served_and_what_is_free_stays() {
        let here = std::thread::current().id();
        let opus = crate::media::opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
        let silence = crate::media::opus::SILENCE_20_MS;
        let packet = SourcePacket { data: Bytes::from_static(silence.0), ..packets(1).remove(0) };
        let events = [
            Event::Head(Source::Opus(opus)),
            Event::Packet(packet.clone()),
            Event::Head(Source::Pcm(head())),
            Event::Packet(samples(head(), 0, 20)),
            Event::Head(Source::Opus(opus)),
            Event::Packet(packet),
        ];
        let (seen, threads) = std::sync::mpsc::channel();
        let stream = stream(Threads { script: Script::new(events), falls: false, seen });
        let decoded = stream.decode().await;
        let sources: Vec<_> = decoded.batches.iter().map(|batch| batch.source).collect();
        assert_eq!(sources, [Codec::Opus, Codec::Pcm, Codec::Opus]);
        let read: Vec<bool> = threads.try_iter().map(|thread| thread == here).collect();
        // The head behind the plain samples is read where they are, and what follows it here again.
        assert_eq!(read, [true, true, true, false, false, true, true]);
    }

    #[tokio::test]
    async fn a_fault_of_ours_ends_the_stream_and_nothing_else() {
        let (seen, _threads) = std::sync::mpsc::channel();
        let events = [Event::Head(Source::Pcm(head())), Event::Packet(samples(head(), 0, 20))];
        let stream = stream(Threads { script: Script::new(events), falls: true, seen });
        assert_eq!(stream.decode().await.refusal, Some(Refusal::Fell(Fell)));
        assert_eq!(stream.push(b"more"), Err(Refusal::Fell(Fell)));
        stream.finish();
        assert_eq!(stream.decode().await.refusal, Some(Refusal::Fell(Fell)));
    }

    #[test]
    fn bytes_for_a_track_of_packets_are_refused_and_the_other_way_round() {
        let container = Stream::container(None);
        assert_eq!(container.take(Sequence::ZERO, Ticks::ZERO, vec![]), Err(Refusal::OtherSource));
        let packets = Stream::packets(&Format::Pcm(head()));
        assert_eq!(packets.push(b"bytes"), Err(Refusal::OtherSource));
    }
}
