//! A recording's files for whoever wants one outside the folder.

use std::fs;
use std::io::{self, Write};

use crate::archive::export::{Export, ExportError, Output};
use crate::archive::model::{Container, Derived, Edition, EndReason};

use super::*;

/// A stream that takes everything, and cannot hand it on.
struct Full;

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// A stream whose bytes a test reads.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn export(root: &Path, what: impl Into<Edition>, to: impl Write + Send + 'static) -> Result<u64, ExportError> {
    let mut export = Export::find(root, id(1), what.into()).await?;
    export.write(&mut Output::Stream(Box::new(to))).map(|exported| exported.bytes)
}

#[tokio::test]
async fn what_a_stream_cannot_hand_on_at_its_end_is_told() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    rig.record(id(1), 50).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    // As it was kept, as it was made, and made just now.
    let all = [Derived::Track(ONE, Container::Ogg), Derived::Mix(Container::Ogg), Derived::Mix(Container::Wav)];
    for what in all {
        assert!(export(dir.path(), what, Heard::default()).await.is_ok_and(|bytes| bytes > 0), "{what}");
        let told = export(dir.path(), what, Full).await;
        assert!(matches!(told, Err(ExportError::Failed(_))), "{what}: {told:?}");
    }
}

#[tokio::test]
async fn nothing_is_made_of_a_mix_that_was_damaged() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    rig.record(id(1), 50).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let derived = only_folder(dir.path()).join("derived");
    let session = fs::read(derived.join("session.webm")).unwrap();
    fs::remove_file(derived.join("session.webm")).unwrap();
    let mut mix = fs::read(derived.join("mix.ogg")).unwrap();
    let middle = mix.len() / 2;
    mix[middle] ^= 1;
    fs::write(derived.join("mix.ogg"), mix).unwrap();
    let heard = Heard::default();
    export(dir.path(), Derived::Session, heard.clone()).await.unwrap();
    assert!(*heard.0.lock().unwrap() == session);
}

#[tokio::test]
async fn what_is_made_of_all_tracks_is_as_far_as_its_bar_says() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    for track in [ONE, TWO] {
        writer.begin_part(part(track, 1));
        writer.append(track, packets(0..200));
    }
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 4_000));
    rig.round().await;
    for what in [Derived::MixWaveform, Derived::Waveform(TWO), Derived::Mix(Container::Wav), Derived::TracksZip] {
        let mut export = Export::find(dir.path(), id(1), what.into()).await.unwrap();
        let file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
        export.write(&mut Output::File(file.reopen().unwrap(), file.path().to_owned())).unwrap();
        // How much a part has beside its packets is not read as often as they are.
        let share = export.progress().share();
        assert!((0.9..=1.0).contains(&share), "{what}: {share}");
    }
}
