//! Searches: what they find, whatever is asked, and what they cost.

use sqlx::Row as _;

use crate::archive::list::statement;
use crate::archive::model::{EndReason, StateKind};
use crate::archive::search::MOST_WORDS;
use crate::archive::{Change, Limit, ListQuery, Search};

use super::*;

/// A recording in a room, with a title and the names of its tracks.
async fn record(rig: &mut Rig, n: u8, room: &str, title: Option<&str>, people: &[&str]) -> RecordingId {
    let started = UnixMillis::new(NOW.get() + i64::from(n));
    let id = RecordingId::new(started, [n; 10]);
    let writer = rig.archive.begin(NewRecording { id, room: room.parse().unwrap(), started }, Box::new(drop));
    for (number, name) in (1..).zip(people) {
        let track = TrackNumber::new(number);
        writer.begin_part(NewPart { name: name.parse().unwrap(), ..part(track, 1) });
    }
    writer.end(EndReason::Finished, NOW);
    rig.round().await;
    if let Some(title) = title {
        rename(rig, id, Some(title)).await;
    }
    id
}

async fn rename(rig: &mut Rig, id: RecordingId, title: Option<&str>) {
    let archive = rig.archive.clone();
    let change = Change { title: Some(title.map(str::to_owned)), ..Change::default() };
    rig.ask(archive.change(id, change)).await.unwrap();
}

fn query(text: &str) -> ListQuery {
    ListQuery { search: Search::read(text).unwrap(), ..ListQuery::default() }
}

async fn ask(archive: &Archive, query: &ListQuery) -> Vec<RecordingId> {
    archive.recordings(query).await.unwrap().recordings.iter().map(|summary| summary.id).collect()
}

#[tokio::test]
async fn a_search_finds_titles_rooms_and_people_by_any_part_of_them() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let early = record(&mut rig, 1, "studio", Some("Früh um acht"), &["Ann", "Jörg Müller"]).await;
    let council = record(&mut rig, 2, "city-hall", None, &["Ann Okafor"]).await;
    let meeting = record(&mut rig, 3, "studio", Some("編集会議 100%"), &["さくら"]).await;
    for (text, expected) in [
        ("", vec![meeting, council, early]),
        ("früh", vec![early]),
        ("FRUH ACHT", vec![early]),
        ("u", vec![meeting, early]),
        ("um", vec![early]),
        ("ann", vec![council, early]),
        ("ann studio", vec![early]),
        ("muller", vec![early]),
        ("hall", vec![council]),
        ("会議", vec![meeting]),
        ("議", vec![meeting]),
        ("さく 会", vec![meeting]),
        ("ann sakura", vec![]),
        // Nothing stands across two of its lines.
        ("achtstudio", vec![]),
    ] {
        assert_eq!(ask(&rig.archive, &query(text)).await, expected, "{text:?}");
    }
}

#[tokio::test]
async fn a_search_follows_titles_tracks_and_deletions() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let id = record(&mut rig, 1, "studio", Some("Before"), &["Ann"]).await;
    rename(&mut rig, id, Some("After")).await;
    assert_eq!(ask(&rig.archive, &query("before")).await, []);
    assert_eq!(ask(&rig.archive, &query("after")).await, [id]);
    rename(&mut rig, id, None).await;
    assert_eq!(ask(&rig.archive, &query("after")).await, []);
    assert_eq!(ask(&rig.archive, &query("studio")).await, [id]);

    let live = rig.begin(super::id(9));
    live.begin_part(part(ONE, 1));
    rig.round().await;
    assert_eq!(ask(&rig.archive, &query("ben")).await, []);
    live.begin_part(part(TWO, 1));
    rig.round().await;
    assert_eq!(ask(&rig.archive, &query("ben")).await, [super::id(9)]);

    let archive = rig.archive.clone();
    rig.ask(archive.delete(id)).await.unwrap();
    assert_eq!(ask(&rig.archive, &query("studio")).await, [super::id(9)]);
}

#[tokio::test]
async fn a_search_goes_with_the_other_filters_and_from_page_to_page() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let mut ids = Vec::new();
    for n in 0..9 {
        let (room, name) = (if n % 3 == 0 { "hall" } else { "studio" }, if n % 2 == 0 { "Ann" } else { "Ben" });
        ids.push(record(&mut rig, n, room, None, &[name]).await);
    }
    let chosen = |chosen: fn(usize) -> bool| (0..9).rev().filter(|n| chosen(*n)).map(|n| ids[n]).collect::<Vec<_>>();
    let base = ListQuery { limit: Limit::new(2).unwrap(), ..query("AN") };
    let at = |n: i64| Some(UnixMillis::new(NOW.get() + n));
    let room = Some("studio".parse().unwrap());
    for (query, expected) in [
        (base.clone(), chosen(|n| n % 2 == 0)),
        (ListQuery { room: room.clone(), ..base.clone() }, chosen(|n| n % 2 == 0 && n % 3 != 0)),
        (ListQuery { from: at(3), to: at(8), ..base.clone() }, chosen(|n| n % 2 == 0 && (3..8).contains(&n))),
        (ListQuery { state: Some(StateKind::Ended), ..base.clone() }, chosen(|n| n % 2 == 0)),
        (ListQuery { state: Some(StateKind::Live), room: room.clone(), ..base.clone() }, vec![]),
        (ListQuery { state: Some(StateKind::Ended), room, ..base }, chosen(|n| n % 2 == 0 && n % 3 != 0)),
    ] {
        let mut found = Vec::new();
        let mut next = query.clone();
        loop {
            let page = rig.archive.recordings(&next).await.unwrap();
            found.extend(page.recordings.iter().map(|summary| summary.id));
            next.cursor = page.next;
            if next.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{query:?}");
    }
}

#[tokio::test]
async fn whatever_is_searched_for_means_only_itself() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let hostile = [
        "'",
        "\"",
        "\"\"",
        "' OR '1'='1",
        "'; DROP TABLE recordings; --",
        "%",
        "_",
        "*",
        "a*",
        "^a",
        "NEAR(a b)",
        "AND",
        "NOT x",
        "title:a",
        "{title}",
        "\\",
        "?",
        "?1",
        ":a",
        "(",
        ")",
        "[a]",
        "\u{0}",
        "\u{feff}",
        "\u{202e}x",
        "\u{1f468}\u{200d}\u{1f469}",
    ];
    let plain = record(&mut rig, 200, "room-1", Some("nothing of the kind here"), &["Zoe"]).await;
    for text in hostile {
        let folded = text.to_lowercase();
        let found = ask(&rig.archive, &query(text)).await;
        let words: Vec<&str> = folded.split_whitespace().collect();
        let expected = words.iter().all(|word| "nothing of the kind here room-1 zoe".contains(word));
        assert_eq!(found == [plain], expected, "{text:?} found {found:?}");
    }
    for (n, text) in (0..).zip(hostile.into_iter().filter(|text| !text.contains('\u{0}'))) {
        let title = format!("x{text}x");
        let id = record(&mut rig, n, "other", Some(&title), &["Ann"]).await;
        assert!(ask(&rig.archive, &query(&title)).await.contains(&id), "{title:?}");
    }
}

#[tokio::test]
async fn an_index_that_does_not_know_what_is_searched_learns_it_at_the_start() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let id = record(&mut rig, 1, "studio", Some("Früh um acht"), &["Ann"]).await;
    drop(rig);
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    // As a migration leaves it, and a deletion that was begun.
    sqlx::query("UPDATE recordings SET search = NULL").execute(&mut connection).await.unwrap();
    drop(connection);
    let rig = Rig::open(dir.path()).await;
    assert_eq!(ask(&rig.archive, &query("fruh ann")).await, [id]);
}

#[tokio::test]
async fn a_search_walks_one_index_and_sorts_nothing() {
    let dir = scratch();
    let _rig = Rig::open(dir.path()).await;
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    for (room, state) in [(false, false), (true, false), (false, true), (true, true)] {
        let statement = statement(true, room, state);
        assert_eq!(statement.matches("instr(search, ?)").count(), MOST_WORDS);
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let walk = "SEARCH recordings USING INDEX recordings_searched_newest_first (started_unix_millis>? AND (started";
        assert!(plan[0].starts_with(walk), "{plan:#?}");
        assert!(plan[1].starts_with("CORRELATED SCALAR SUBQUERY "), "the list itself is not sorted: {plan:#?}");
        // What a recording looks like is read only where it is found: its row is sought after the words were.
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN {statement}"))).fetch_all(&mut connection).await;
        let steps: Vec<String> = rows.unwrap().iter().map(|row| row.get("opcode")).collect();
        let deferred = steps.iter().position(|step| step == "DeferredSeek");
        assert!(deferred.is_some(), "{steps:#?}");
    }
}
