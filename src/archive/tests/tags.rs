//! What derived files say of themselves: title, room, date, people, and markers as chapters.

use std::fs;

use crate::archive::handle::{Change, MarkerChange};
use crate::archive::model::{Container, Derived, Edition, EndReason, Marker};
use crate::container::judge;
use crate::media::marker::MarkerId;

use super::cuts::edition;
use super::mix::{make, path};
use super::*;

fn marker(n: u8, millis: u64, text: &str) -> Marker {
    Marker { id: MarkerId::new([n; 16]), at: Ticks::from_millis(millis), name: None, text: text.parse().unwrap() }
}

async fn record(folder: &Path) -> Rig {
    let mut rig = Rig::open(folder).await;
    let writer = rig.begin(id(1));
    for track in [ONE, TWO] {
        let name = if track == ONE { "Ann" } else { "Ben" };
        writer.begin_part(NewPart { name: name.parse().unwrap(), ..part(track, 1) });
        writer.append(track, packets(0..100));
    }
    writer.mark(marker(1, 500, "News = \"名前\""));
    writer.mark(marker(2, 1500, ""));
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    let title = Some(Some("Früh".to_owned()));
    let archive = rig.archive.clone();
    rig.ask(archive.change(id(1), Change { title, ..Change::default() })).await.unwrap();
    rig
}

fn starts(folder: &Path, what: impl Into<Edition>) -> Vec<(String, String)> {
    let chapters = judge::chapters(&fs::read(path(folder, what)).unwrap());
    chapters.into_iter().map(|(start, _, title)| (start, title)).collect()
}

fn named(start: &str, title: &str) -> (String, String) {
    (start.to_owned(), title.to_owned())
}

#[tokio::test]
async fn every_file_with_words_has_them_and_a_cut_has_those_of_its_span() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    let (ogg, webm) = (Derived::Mix(Container::Ogg), Derived::Mix(Container::WebM));
    make(&mut rig, dir.path(), &[ogg, webm, Derived::Session]).await;
    let all = [named("0.000000", "Früh"), named("0.500000", "News = \"名前\""), named("1.500000", "Chapter 2")];
    for what in [ogg, webm, Derived::Session] {
        assert_eq!(starts(dir.path(), what), all, "{what:?}");
        let said = judge::describe(&fs::read(path(dir.path(), what)).unwrap()).to_lowercase();
        for tag in ["title=früh", "artist=", "2026-11-22", "=studio"] {
            assert!(said.contains(tag), "{what:?} has no {tag}: {said}");
        }
    }
    let cuts = [edition(ogg, "from=1&to=1.9"), edition(webm, "from=1&to=1.9")];
    make(&mut rig, dir.path(), &cuts).await;
    for cut in cuts {
        assert_eq!(
            starts(dir.path(), cut),
            [named("0.000000", "News = \"名前\""), named("0.500000", "Chapter 2")],
            "{cut}"
        );
    }
}

#[tokio::test]
async fn another_marker_is_another_file_and_what_holds_no_words_stays() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let archive = rig.archive.clone();
    rig.ask(archive.mark(id(1), MarkerChange::Set(marker(3, 1000, "Sports")))).await.unwrap();
    for file in rig.derived(id(1)).await {
        let has_words = !file.what.to_string().ends_with(".peaks");
        assert_eq!(file.recipe == 0, has_words, "{}", file.what);
    }
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(rig.derived(id(1)).await.iter().all(|file| file.recipe == file.what.of.recipe()));
    assert_eq!(starts(dir.path(), Derived::Session)[2], named("1.000000", "Sports"));
}
