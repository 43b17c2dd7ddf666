//! Lists: what is in them, page by page, and what they cost.

use crate::archive::model::{EndReason, StateKind};
use crate::archive::{Limit, ListQuery};

use super::*;

/// Nine recordings in two rooms; three of them start at the same time, one is live.
async fn nine(rig: &mut Rig) -> Vec<RecordingId> {
    let mut ids = Vec::new();
    let mut live = None;
    for n in 0..9_u8 {
        let started = UnixMillis::new(NOW.get() + i64::from(n / 3) * 1000);
        let new = NewRecording {
            id: RecordingId::new(started, [n; 10]),
            room: if n % 2 == 0 { "studio" } else { "Studio" }.parse().unwrap(),
            started,
        };
        ids.push(new.id);
        let writer = rig.archive.begin(new, Box::new(drop));
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..1));
        if n == 4 {
            live = Some(writer);
        } else {
            writer.end(EndReason::Finished, NOW);
        }
    }
    rig.round().await;
    drop(live);
    // The newest first.
    ids.reverse();
    ids
}

/// All pages of a query.
async fn pages(archive: &Archive, query: &ListQuery) -> Vec<Vec<RecordingId>> {
    let mut query = query.clone();
    let mut pages = Vec::new();
    loop {
        let page = archive.recordings(&query).await.unwrap();
        pages.push(page.recordings.iter().map(|summary| summary.id).collect());
        // A client sends it back as text.
        query.cursor = page.next.map(|next| next.to_string().parse().unwrap());
        if query.cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_give_every_recording_once_newest_first() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let ids = nine(&mut rig).await;
    for limit in 1..=10 {
        let query = ListQuery { limit: Limit::new(limit).unwrap(), ..ListQuery::default() };
        let pages = pages(&rig.archive, &query).await;
        assert_eq!(pages.concat(), ids, "{limit} a page");
        assert!(pages.iter().all(|page| !page.is_empty() && page.len() <= usize::from(limit)));
    }
}

#[tokio::test]
async fn a_query_gives_what_it_asks_for() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let ids = nine(&mut rig).await;
    let chosen =
        |chosen: fn(usize) -> bool| (0..9).filter(|n| chosen(*n)).rev().map(|n| ids[8 - n]).collect::<Vec<_>>();
    let at = |seconds: i64| Some(UnixMillis::new(NOW.get() + seconds * 1000));
    let room = Some("studio".parse().unwrap());
    let limit = Limit::new(2).unwrap();
    let base = ListQuery { limit, ..ListQuery::default() };
    for (query, expected) in [
        (ListQuery { room: room.clone(), ..base.clone() }, chosen(|n| n % 2 == 0)),
        (ListQuery { from: at(1), ..base.clone() }, chosen(|n| n >= 3)),
        (ListQuery { to: at(1), ..base.clone() }, chosen(|n| n < 3)),
        (ListQuery { from: at(1), to: at(2), ..base.clone() }, chosen(|n| n / 3 == 1)),
        (ListQuery { state: Some(StateKind::Live), ..base.clone() }, chosen(|n| n == 4)),
        (ListQuery { state: Some(StateKind::Grace), ..base.clone() }, Vec::new()),
        (
            ListQuery { room, state: Some(StateKind::Ended), to: at(2), ..base },
            chosen(|n| n % 2 == 0 && n != 4 && n < 6),
        ),
    ] {
        assert_eq!(pages(&rig.archive, &query).await.concat(), expected, "{query:?}");
    }
}
