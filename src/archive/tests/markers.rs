//! Markers: kept with what a room tells, and changed afterwards; and what is published.

use std::fs;

use crate::archive::handle::{Change, Error, MarkerChange};
use crate::archive::model::{EndReason, Marker};
use crate::archive::session_file::SessionFile;
use crate::media::marker::{MOST_MARKERS, MarkerId};

use super::*;

fn marker(n: u8, millis: u64, text: &str) -> Marker {
    let name = (n == 1).then(|| "Ann".parse().unwrap());
    Marker { id: MarkerId::new([n; 16]), at: Ticks::from_millis(millis), name, text: text.parse().unwrap() }
}

async fn recorded(rig: &Rig) -> Vec<Marker> {
    rig.archive.recording(id(1)).await.unwrap().unwrap().markers
}

fn session_file(dir: &Path) -> SessionFile {
    SessionFile::read(&fs::read(only_folder(dir).join("session.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_marker_is_kept_with_the_recording_and_can_be_moved_written_on_and_taken_away() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let archive = rig.archive.clone();
    let writer = rig.begin(id(1));
    writer.mark(marker(1, 15, "early"));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..10));
    writer.mark(marker(2, 5, ""));
    rig.round().await;
    assert_eq!(recorded(&rig).await, [marker(2, 5, ""), marker(1, 15, "early")], "in the order of their places");

    // One that no round has written yet can be taken away like any other.
    writer.mark(marker(3, 7, "by mistake"));
    let gone = rig.ask(archive.mark(id(1), MarkerChange::Remove(marker(3, 0, "").id))).await.unwrap();
    assert_eq!(gone, marker(3, 7, "by mistake"));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;

    rig.ask(archive.mark(id(1), MarkerChange::Set(marker(4, 200, "at the very end")))).await.unwrap();
    let edit = |at: Option<u64>, text: Option<&str>| MarkerChange::Edit {
        id: marker(2, 0, "").id,
        at: at.map(Ticks::from_millis),
        text: text.map(|text| text.parse().unwrap()),
    };
    assert_eq!(rig.ask(archive.mark(id(1), edit(Some(20), None))).await.unwrap(), marker(2, 20, ""));
    assert_eq!(rig.ask(archive.mark(id(1), edit(None, Some("News")))).await.unwrap(), marker(2, 20, "News"));
    let all = [marker(1, 15, "early"), marker(2, 20, "News"), marker(4, 200, "at the very end")];
    assert_eq!(recorded(&rig).await, all);
    let told: Vec<_> = session_file(dir.path()).markers.into_iter().map(|marker| marker.id).collect();
    assert_eq!(told, all.each_ref().map(|marker| marker.id));

    for (change, refused) in [
        (MarkerChange::Set(marker(5, 201, "")), Error::PastEnd),
        (edit(Some(201), None), Error::PastEnd),
        (MarkerChange::Remove(marker(3, 0, "").id), Error::NoMarker),
    ] {
        let error = rig.ask(archive.mark(id(1), change)).await.unwrap_err();
        assert_eq!(error.to_string(), refused.to_string());
    }
    let nowhere = rig.ask(archive.mark(id(2), MarkerChange::Set(marker(5, 0, "")))).await;
    assert!(matches!(nowhere, Err(Error::NotFound)));
    assert_eq!(recorded(&rig).await, all);
}

#[tokio::test]
async fn a_recording_has_a_bound_to_its_markers() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let archive = rig.archive.clone();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..1));
    for n in 0..u16::try_from(MOST_MARKERS).unwrap() {
        let [high, low] = n.to_be_bytes();
        let mut random = [0; 16];
        (random[0], random[1]) = (high, low);
        writer.mark(Marker { id: MarkerId::new(random), ..marker(2, 0, "") });
    }
    rig.round().await;
    assert_eq!(recorded(&rig).await.len(), MOST_MARKERS);
    let more = rig.ask(archive.mark(id(1), MarkerChange::Set(marker(9, 0, "")))).await;
    assert!(matches!(more, Err(Error::TooManyMarkers)), "{more:?}");
}

#[tokio::test]
async fn what_is_published_says_since_when_until_it_is_withdrawn() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let archive = rig.archive.clone();
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..1));
    rig.round().await;
    let publish = |published| archive.change(id(1), Change { published: Some(published), ..Change::default() });
    let later = UnixMillis::new(NOW.get() + 1);
    for (change, published) in
        [(Some(NOW), Some(NOW)), (Some(later), Some(NOW)), (None, None), (Some(later), Some(later))]
    {
        assert_eq!(rig.ask(publish(change)).await.unwrap().published, published);
        assert_eq!(session_file(dir.path()).published, published);
    }
    let other = Change { keep: Some(true), ..Change::default() };
    assert_eq!(
        rig.ask(archive.change(id(1), other)).await.unwrap().published,
        Some(later),
        "another change is another"
    );
}
