//! `audio file`: a recording that a client is greeted with, or asks for.
//!
//! What belongs here: which one, how much of it, and that those who come together share it. What does not: how it is cut out of
//! the mix, which is made when a session ends and not here.
//!
//! The memory of all that is on its way is bounded ([`MOST_BYTES`]): whoever would need more waits until others have theirs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::archive::model::RecordingId;
use crate::archive::{self, Archive, Excerpted};
use crate::container::ogg::Most;
use crate::media::time::Ticks;
use crate::wire::socket_io;

/// The most of a recording that a client is given at a time.
const MOST: Most = Most { sound: Ticks::from_secs(10 * 60), bytes: 10 * 1000 * 1000 };
/// The most bytes of recordings that are in memory, in KiB: two dozen whole ones.
const MOST_BYTES: usize = 256 * 1024;
/// How many are kept for those who come next.
const KEPT: usize = 4;

/// A recording's file, once the first who wants it has read it.
type Shared = Arc<OnceCell<AudioFile>>;

/// The recordings that are on their way.
#[derive(Debug)]
pub struct Files {
    room: Arc<Semaphore>,
    /// The newest last.
    kept: Mutex<Vec<(RecordingId, Shared)>>,
}

impl Default for Files {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST_BYTES)), kept: Mutex::default() }
    }
}

/// An event with a recording.
#[derive(Clone, Debug)]
pub(super) struct AudioFile {
    /// The event as a frame.
    pub frame: Bytes,
    /// How long the sound is.
    pub seconds: f64,
}

/// Bytes, and the place that is taken for them until the last who holds them is gone.
struct Held {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Files {
    /// The event with a recording, from so far behind its start on.
    ///
    /// # Errors
    /// Where there is none, or it is not made yet.
    pub(super) async fn get(
        &self,
        archive: &Archive,
        id: RecordingId,
        from: Ticks,
    ) -> Result<AudioFile, archive::Error> {
        if from != Ticks::ZERO {
            return self.read(archive, id, from).await;
        }
        let shared = self.shared(id);
        if shared.initialized() && archive.recording(id).await?.is_none() {
            // It has been deleted since.
            self.kept().retain(|(of, _)| *of != id);
            return Err(archive::Error::NotFound);
        }
        // Of many who come at once one reads, and whoever wants another recording does not wait for it.
        shared.get_or_try_init(|| self.read(archive, id, from)).await.cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(RecordingId, Shared)>> {
        // Nothing that is done under the lock leaves it half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self, id: RecordingId) -> Shared {
        let mut kept = self.kept();
        if let Some((_, shared)) = kept.iter().find(|(of, _)| *of == id) {
            return Arc::clone(shared);
        }
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        let shared = Shared::default();
        kept.push((id, Arc::clone(&shared)));
        shared
    }

    /// The event with what there is so far of a recording that is being made.
    ///
    /// # Errors
    /// Where there is nothing.
    pub(super) async fn so_far(&self, archive: &Archive, id: RecordingId) -> Result<AudioFile, archive::Error> {
        let place = self.place().await?;
        Ok(event(id, archive.excerpt_so_far(id, MOST).await?, place))
    }

    async fn read(&self, archive: &Archive, id: RecordingId, from: Ticks) -> Result<AudioFile, archive::Error> {
        let place = self.place().await?;
        Ok(event(id, archive.excerpt(id, from, MOST).await?, place))
    }

    /// Waits for room for one more, which is there twice while the event is made of what was read.
    async fn place(&self) -> Result<OwnedSemaphorePermit, archive::Error> {
        let most = u32::try_from(2 * (MOST.bytes / 1024 + 64)).unwrap_or(u32::MAX);
        let place = Arc::clone(&self.room).acquire_many_owned(most).await;
        place.map_err(|_| archive::Error::Closed)
    }
}

fn event(id: RecordingId, cut: Excerpted, mut place: OwnedSemaphorePermit) -> AudioFile {
    let seconds = cut.sound.as_secs_f64();
    let bytes = socket_io::audio_file(id.uuid(), seconds, &cut.ogg);
    drop(cut);
    // What is not needed is others'.
    let needed = bytes.len().div_ceil(1024);
    drop(place.split(place.num_permits().saturating_sub(needed)));
    AudioFile { frame: Bytes::from_owner(Held { bytes, _place: place }), seconds }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use uuid::Uuid;

    use super::*;
    use crate::archive::model::Anchor;
    use crate::archive::{Event, NewPart, NewRecording, Options};
    use crate::container::ogg;
    use crate::media::opus;
    use crate::media::packet::{Packet, Sequence};
    use crate::media::source::Codec;
    use crate::media::time::UnixMillis;
    use crate::media::track::{Format, TrackNumber};
    use crate::wire::frame::{self, Framed};

    const STARTED: UnixMillis = UnixMillis::new(1_795_339_680_000);
    const TRACK: TrackNumber = TrackNumber::new(1);

    /// The file that is given of a recording of so many packets of 20 ms, of so many bytes each, and how many seconds are
    /// said to be in it. The recording goes on, so that nothing has to be made of it.
    async fn given(packets: u64, bytes: usize) -> (Bytes, f64) {
        let folder = tempfile::tempdir().unwrap();
        let (archive, _) = Archive::open(Options::new(folder.path().to_owned()), STARTED).await.unwrap();
        let id = RecordingId::new(STARTED, [7; 10]);
        let (send, mut events) = mpsc::unbounded_channel();
        let new = NewRecording { id, room: "long".parse().unwrap(), started: STARTED };
        let writer = archive.begin(new, Box::new(move |event| drop(send.send(event))));
        writer.begin_part(NewPart {
            track: TRACK,
            number: 1,
            participant: Uuid::from_u128(1),
            name: "Ann".parse().unwrap(),
            source: Codec::Opus,
            format: Format::Opus(opus::Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 }),
            start: Anchor { track: Ticks::ZERO, session: Ticks::ZERO },
            first: Sequence::new(0),
        });
        let packet = |number| Packet {
            sequence: Sequence::new(number),
            time: Ticks::from_millis(20 * number),
            duration: Ticks::from_millis(20),
            data: vec![0xF8; bytes].into(),
            heard: None,
        };
        writer.append(TRACK, (0..packets).map(packet).collect());
        while !matches!(events.recv().await.unwrap(), Event::Durable { next, .. } if next == Sequence::new(packets)) {}
        let file = Files::default().so_far(&archive, id).await.unwrap();
        drop(writer);
        archive.close().await;
        let mut messages = frame::messages(file.frame);
        let Some(Framed::Text(text)) = messages.next() else { panic!("an event begins with text") };
        let said = format!("\"seconds\":{:?}", file.seconds);
        assert!(str::from_utf8(&text).unwrap().contains(&said), "{said} in {text:?}");
        let Some(Framed::Binary(ogg)) = messages.next() else { panic!("and goes on with the file") };
        (ogg, file.seconds)
    }

    /// How many seconds a file has.
    fn seconds(file: &[u8]) -> f64 {
        let mut demuxer = ogg::Demuxer::new();
        demuxer.push(file);
        let events = std::iter::from_fn(|| demuxer.pull().unwrap());
        let packets = events.filter(|event| matches!(event, ogg::Event::Packet(_))).count();
        f64::from(u32::try_from(packets).unwrap()) * 0.02
    }

    #[tokio::test]
    async fn of_a_long_recording_ten_minutes_or_ten_megabytes_are_given_and_it_is_said_how_long_that_is() {
        // What does not fit is left out by pages, which have a second at most; the head is not counted.
        for (packets, bytes, lasts, has) in [
            (50 * 10, 800, 10.0..=10.0, 400_000..=410_000),
            (50 * 660, 40, 599.0..=600.0, 1_200_000..=1_300_000),
            (50 * 300, 800, 240.0..=250.0, 9_950_000..=10_001_000),
        ] {
            let (file, said) = given(packets, bytes).await;
            assert!((seconds(&file) - said).abs() < 1e-9, "{said} s are said, and {} there", seconds(&file));
            assert!(lasts.contains(&said) && has.contains(&file.len()), "{said} s, {} bytes", file.len());
        }
    }
}
