//! An index of an older version, brought to this one.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::archive::index::read;
use crate::archive::index::write::{Pages, SpoolRow, Stream};
use crate::archive::model::{Container, Derived, DerivedFile, EndReason, State};
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
    index_of(include_str!("index-0004.sql"), &path).await;
    let mut connection = open::connect(&path).await.unwrap();
    let (_, ended) = read::recording(&mut connection, id(1)).await.unwrap().unwrap();
    assert_eq!(ended.summary.state, State::Ended(EndReason::Finished));
    let [first, second] = &ended.tracks[0].parts[..] else { panic!("{:?}", ended.tracks) };
    assert_eq!((&*first.file, first.length, first.next.get()), ("01-ann.ogg", Ticks::new(9600), 5));
    assert_eq!((&*second.file, second.start.session), ("01-ann.2.ogg", Ticks::from_millis(90_010)));
    for part in [first, second] {
        assert_eq!((&part.format, part.source, part.open), (&Format::Opus(HEAD), Codec::Opus, false));
    }
    assert_eq!(ended.tracks[0].gaps, [gap(Ticks::from_millis(100), Ticks::new(4807), GapCause::Jump)]);

    // Derived files are known by their names now.
    let derived = |what, recipe, bytes, damaged| DerivedFile { what, recipe, bytes, crc: None, damaged };
    assert_eq!(
        ended.derived,
        [
            derived(Derived::Session, 1, 4321, false),
            derived(Derived::Track(ONE, Container::WebM), 1, 1234, true),
            derived(Derived::Waveform(ONE), 0, 99, false),
        ]
    );

    let (place, live) = read::recording(&mut connection, id(2)).await.unwrap().unwrap();
    assert_eq!((live.summary.state, live.summary.bytes), (State::Live, 964));
    let open = read::open_parts(&mut connection, place.row).await.unwrap();
    assert_eq!(open.iter().map(|part| part.track).collect::<Vec<_>>(), [ONE, TWO]);
    for part in &open {
        let Stream { pages: Some(Pages { count, .. }), open: true } = part.stream else { panic!("{part:?}") };
        assert_eq!((count, part.part.bytes), (3, 482));
    }
    let spool = |file: &str, pause, bytes, next| {
        let (file, pause, next) = (file.to_owned(), Ticks::from_millis(pause), Sequence::new(next));
        SpoolRow { part: 1, file, pause, bytes, next, settled: false }
    };
    let spools = read::spools(&mut connection, place.row).await.unwrap();
    assert_eq!(spools, [(ONE, spool("01-ann.late", 1500, 402, 6)), (TWO, spool("02-ben.late", 1700, 492, 7))]);

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
