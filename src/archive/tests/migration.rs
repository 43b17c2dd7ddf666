//! An index of an older version, brought to this one.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::archive::index::read;
use crate::archive::index::write::{Pages, SpoolRow, Stream};
use crate::archive::model::{Container, Derived, DerivedFile, EndReason, Recording, State};
use crate::media::source::Codec;

use super::*;

/// Makes an index out of the text of one.
async fn index_of(text: &str, path: &Path) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn an_index_from_before_pcm_keeps_its_parts_and_their_spools() {
    let dir = scratch();
    let path = dir.path().join(names::INDEX);
    index_of(include_str!("indexes/0004.sql"), &path).await;
    let mut connection = open::connect(&path).await.unwrap();
    let [ended, live, _] = &recordings(&mut connection).await[..] else { panic!("three recordings") };
    assert_eq!(ended.summary.state, State::Ended(EndReason::Finished));
    let [first, second] = &ended.tracks[0].parts[..] else { panic!("{:?}", ended.tracks) };
    assert_eq!((&*first.file, first.length, first.next.get()), ("01-ann.ogg", Ticks::new(9600), 5));
    assert_eq!((&*second.file, second.start.session), ("01-ann.2.ogg", Ticks::new(4_330_080)));
    for part in [first, second] {
        assert_eq!((&part.format, part.source, part.open), (&Format::Opus(HEAD), Codec::Opus, false));
    }
    assert_eq!(ended.tracks[0].gaps[0], gap(Ticks::from_millis(100), Ticks::new(4807), GapCause::Jump));

    // Derived files are known by their names now.
    let derived =
        |what: Derived, recipe, bytes, damaged| DerivedFile { what: what.into(), recipe, bytes, crc: None, damaged };
    assert_eq!(
        ended.derived,
        [derived(Derived::Session, 3, 7000, false), derived(Derived::Track(ONE, Container::WebM), 2, 1000, false)]
    );

    let (place, _) = read::summary(&mut connection, live.summary.id).await.unwrap().unwrap();
    assert_eq!((live.summary.state, live.summary.bytes), (State::Live, 964));
    let open = read::open_parts(&mut connection, place.row).await.unwrap();
    assert_eq!(open.iter().map(|part| part.track).collect::<Vec<_>>(), [ONE, TWO]);
    for part in &open {
        let Stream { pages: Some(Pages { count, .. }), open: true } = part.stream else { panic!("{part:?}") };
        assert_eq!((count, part.part.bytes), (3, 482));
    }
    let spool = |file: &str, pause, bytes, next, settled| {
        let (file, pause, next) = (file.to_owned(), Ticks::from_millis(pause), Sequence::new(next));
        SpoolRow { part: 1, file, pause, bytes, next, settled, crc: None }
    };
    let spools = read::spools(&mut connection, place.row).await.unwrap();
    assert_eq!(
        spools,
        [(ONE, spool("01-ann.late", 1500, 402, 6, false)), (TWO, spool("02-ben.late", 1700, 492, 7, true))]
    );

    // What belongs to a part still goes with it, and no reference is left hanging.
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await.unwrap();
    assert!(broken.is_empty());
    sqlx::query("DELETE FROM parts WHERE track = 1").execute(&mut connection).await.unwrap();
    assert_eq!(read::spools(&mut connection, place.row).await.unwrap().len(), 1);
    drop(connection);
}

#[tokio::test]
async fn a_part_has_the_columns_of_its_codec_and_no_others() {
    let dir = scratch();
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let part = |columns: &str, values: &str| {
        let query = format!(
            "INSERT INTO parts (recording, track, part, file, source, channels, start_track_ticks, start_session_ticks, \
             length_ticks, bytes, first_sequence, next_sequence, open, {columns}) \
             VALUES (1, 1, 1, 'a', 'flac', 1, 0, 0, 0, 0, 0, 0, 1, {values})"
        );
        sqlx::AssertSqlSafe(query)
    };
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut connection).await.unwrap();
    let opus = "codec, pre_skip_ticks, input_rate_hz, output_gain_q8_db, pages, serial";
    for (columns, values) in [
        ("codec, sample, rate_hz, pages", "'pcm', 's16le', 8000, 2"),
        ("codec, sample", "'pcm', 's16le'"),
        ("codec, sample, rate_hz", "'pcm', 's16le', 7999"),
        ("codec, sample, rate_hz", "'flac', 's16le', 8000"),
        ("codec", "'opus'"),
        (&format!("{opus}, sample"), "'opus', 1, 1, 1, 1, 1, 's16le'"),
    ] {
        let inserted = sqlx::query(part(columns, values)).execute(&mut connection).await;
        assert!(inserted.is_err(), "{columns}: {values}");
    }
    for (columns, values) in [("codec, sample, rate_hz", "'pcm', 's16le', 8000"), (opus, "'opus', 1, 1, 1, 1, 1")] {
        sqlx::query(part(columns, values)).execute(&mut connection).await.unwrap();
        sqlx::query("DELETE FROM parts").execute(&mut connection).await.unwrap();
    }
}

/// An index of every version, as text: whoever adds a migration adds one of its version, made when that version is ready.
const INDEXES: [(i64, &str); 11] = [
    (1, include_str!("indexes/0001.sql")),
    (2, include_str!("indexes/0002.sql")),
    (3, include_str!("indexes/0003.sql")),
    (4, include_str!("indexes/0004.sql")),
    (5, include_str!("indexes/0005.sql")),
    (6, include_str!("indexes/0006.sql")),
    (7, include_str!("indexes/0007.sql")),
    (10, include_str!("indexes/0010.sql")),
    (11, include_str!("indexes/0011.sql")),
    (12, include_str!("indexes/0012.sql")),
    (13, include_str!("indexes/0013.sql")),
];

/// The recordings of these indexes: one with all that there is, one that is live, one that crashed.
async fn recordings(connection: &mut SqliteConnection) -> Vec<Recording> {
    let mut recordings = Vec::new();
    for n in 1..=3 {
        let id = format!("01a20295-7900-7{n:03}-8{n:03}-{n:012}").parse().unwrap();
        recordings.push(read::recording(connection, id).await.unwrap().unwrap().1);
    }
    recordings
}

/// All that the schema says, in an order of its own.
async fn schema(connection: &mut SqliteConnection) -> Vec<String> {
    let query = "SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";
    sqlx::query_scalar(query).fetch_all(connection).await.unwrap()
}

#[test]
fn there_is_an_index_of_every_version_that_there_was() {
    let versions: Vec<_> = index::MIGRATIONS.iter().map(|migration| migration.version).collect();
    assert_eq!(versions, INDEXES.map(|(version, _)| version), "which index is missing in src/archive/tests/indexes?");
}

#[tokio::test]
async fn an_index_of_every_version_comes_to_this_one_and_says_what_it_said() {
    let dir = scratch();
    let mut fresh = open::connect(&dir.path().join("fresh")).await.unwrap();
    let expected_schema = schema(&mut fresh).await;
    let (last, text) = INDEXES[INDEXES.len() - 1];
    index_of(text, &dir.path().join("today")).await;
    let mut today = open::connect(&dir.path().join("today")).await.unwrap();
    let today = recordings(&mut today).await;
    let first = &today[0];
    assert_eq!(first.summary.title.as_deref(), Some("The first, Früh"));
    assert_eq!(
        first.chat.iter().map(|line| &*line.text).collect::<Vec<_>>(),
        ["Good morning, 名前", "it's late; \"really\""]
    );
    assert_eq!(first.tracks[0].gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [GapCause::Jump, GapCause::Pause]);
    assert_eq!((first.tracks.len(), first.derived.len(), first.attendance.len()), (3, 2, 2));
    assert_eq!(first.tracks[2].parts[0].source, Codec::Flac);
    let marked: Vec<_> =
        first.markers.iter().map(|one| (one.at.get(), one.name.is_some(), one.text.as_str())).collect();
    assert_eq!(marked, [(0, false, ""), (4800, true, "It's the news, 名前")]);
    assert_eq!(first.summary.published, Some(UnixMillis::new(NOW.get() + 120_000)));

    for (version, text) in INDEXES {
        let path = dir.path().join(version.to_string());
        index_of(text, &path).await;
        let mut connection = open::connect(&path).await.unwrap();
        let mut expected = today.clone();
        if version < 12 {
            expected[0].markers.clear();
            expected[0].summary.published = None;
        }
        if version < 5 {
            // Plain samples were not known yet.
            let part = &mut expected[0].tracks[2].parts[0];
            (part.file, part.format, part.source) = ("03-ann.ogg".to_owned(), Format::Opus(HEAD), Codec::Opus);
        }
        if version < 3 {
            expected[0].derived.clear();
        }
        if version < 2 {
            expected.iter_mut().for_each(|recording| recording.attendance.clear());
        }
        assert_eq!(recordings(&mut connection).await, expected, "version {version}");
        assert_eq!(read::being_deleted(&mut connection).await.unwrap().len(), 1);
        let place = read::summary(&mut connection, expected[1].summary.id).await.unwrap().unwrap().0;
        let spools = read::spools(&mut connection, place.row).await.unwrap();
        let settled: Vec<_> = spools.iter().map(|(_, spool)| (&*spool.file, spool.settled)).collect();
        assert_eq!(settled, [("01-ann.late", false), ("02-ben.late", true)]);

        assert!(sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await.unwrap().is_empty());
        let whole: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
        assert_eq!(whole, "ok", "version {version}");
        assert_eq!(schema(&mut connection).await, expected_schema, "version {version}");
        // What version 6 counts is counted of what there was, and version 11 counts no peaks of before.
        let derived = if version < 3 { 0 } else { 8000 };
        let totals = crate::archive::index::retention::totals(&mut connection).await.unwrap();
        assert_eq!((totals.recordings, totals.bytes), (4, 1928 + 964 + 482 + 482 + derived), "version {version}");
        // And another start finds nothing to do.
        sqlx::Connection::close(connection).await.unwrap();
        let mut again = open::connect(&path).await.unwrap();
        let applied: i64 =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut again).await.unwrap();
        assert_eq!(applied, last);
    }
}
