//! An index of a million recordings: `cargo bench --bench shelf`, or with `-- --recordings 100000` a smaller one.
//!
//! Lists, one recording, start-up, and what retention asks, each as the hub does it; the worst of some hundred is printed beside
//! the median, since it is the worst that somebody waits for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use roomtone::archive::model::{RecordingId, StateKind};
use roomtone::archive::{Archive, Cursor, Limit, Limits, ListQuery, Options, Search};
use roomtone::media::time::UnixMillis;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

/// 2027-01-15T08:00:00Z: the day after the newest recording.
const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);
/// How often each thing is asked for.
const TIMES: usize = 200;
/// The page that is asked for deep in a list.
const PAGE: usize = 1000;

async fn open(folder: &Path) -> Archive {
    Archive::open(Options::new(folder.to_owned()), NOW).await.expect("the archive").0
}

/// Runs statements, each with the number of recordings.
async fn run(connection: &mut SqliteConnection, statements: &[&'static str], recordings: u32) {
    for statement in statements {
        let mut query = sqlx::query(*statement);
        if statement.contains('?') {
            query = query.bind(recordings);
        }
        query.execute(&mut *connection).await.expect(statement);
    }
}

/// Recordings of an hour each, one after another up to now, in 97 rooms of very different sizes: three people, half with a title, a
/// tenth marked `keep`; each track with a part, a gap and an anchor, some with chat, all with what is derived from them.
async fn fill(folder: &Path, recordings: u32) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("index.sqlite3"));
    let mut connection = options.pragma("synchronous", "off").connect().await.expect("the index");
    let mut transaction = connection.begin().await.expect("a transaction");
    let statements = [
        "CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) SELECT n FROM n",
        "INSERT INTO recordings (recording, id, run, room, folder, title, keep, started_unix_millis, ended_unix_millis, state, \
            end_reason, length_ticks, bytes, derived_bytes, session_file_stale, derived_recipes, search) \
         SELECT n, printf('%08x-%04x-7000-8000-000000000000', n / 65536, n % 65536), 1, room, room || '/' || n, \
            CASE n % 2 WHEN 0 THEN NULL ELSE 'The morning show, number ' || n END, n % 10 = 0, \
            1800000000000 - (? - n + 1) * 3600000, 1800000000000 - (? - n) * 3600000, 'ended', 'finished', 172800000, \
            90000000, 91000000, 0, 7, 'the morning show, number ' || n || char(10) || room \
         FROM (SELECT n, CASE n % 5 WHEN 0 THEN 'studio' WHEN 1 THEN 'newsroom' ELSE 'room-' || (n % 97) END AS room FROM n)",
        "CREATE TEMP TABLE t AS SELECT column1 AS t, column2 AS names FROM \
            (VALUES (1, 'Ann Ben Cem Dora'), (2, 'Jörg Lea Mia Nils'), (3, 'Okafor Rosa Tom Zoe'))",
        "INSERT INTO tracks SELECT n, t, '00000000-0000-0000-0000-000000000000', \
            substr(names, 1 + (n + t) % 4 * 4, 4) || ' Müller-' || (n % 400) FROM n, t",
        "INSERT INTO parts (recording, track, part, file, codec, source, channels, pre_skip_ticks, input_rate_hz, \
            output_gain_q8_db, start_track_ticks, start_session_ticks, length_ticks, bytes, pages, serial, first_sequence, \
            next_sequence, open) \
         SELECT n, t, 1, printf('%02d-ann.ogg', t), 'opus', 'opus', 1, 312, 48000, 0, 0, 480, 172799520, 30000000, 3600, n, 0, \
            180000, 0 FROM n, t",
        "INSERT INTO gaps (recording, track, at_ticks, length_ticks, cause, filled) SELECT n, t, 4800000, 96000, 'pause', 1 FROM n, t",
        "INSERT INTO anchors SELECT n, t, 86400000, 86400480 FROM n, t",
        "INSERT INTO attendance (recording, participant, name, joined_ticks, left_ticks) \
            SELECT n, '00000000-0000-0000-0000-000000000000', 'Ann', 0, 172800000 FROM n",
        "INSERT INTO chat (recording, at_ticks, participant, name, text) \
            SELECT n, 480000 * t, '00000000-0000-0000-0000-000000000000', 'Ann', 'Good morning' FROM n, t WHERE n % 3 = 0",
        "INSERT INTO derived SELECT n, 'session.webm', 1, 90000000, NULL, 0, 0 FROM n",
        "INSERT INTO derived SELECT n, 'track-' || t || '.webm', 1, 300000, NULL, 0, 0 FROM n, t",
        "INSERT INTO derived SELECT n, 'waveform-' || t || '.peaks', 1, 33000, NULL, 0, 0 FROM n, t",
    ];
    for statement in statements {
        let mut query = sqlx::query(statement);
        for _ in 0..statement.matches('?').count() {
            query = query.bind(recordings);
        }
        query.execute(&mut *transaction).await.expect(statement);
    }
    transaction.commit().await.expect("a commit");
    run(&mut connection, &["PRAGMA wal_checkpoint(TRUNCATE)"], recordings).await;
    connection.close().await.expect("a close");
}

/// How long something takes: the median and the worst.
async fn time<F: Future>(name: &str, mut asked: impl FnMut(usize) -> F) {
    let mut took = Vec::with_capacity(TIMES);
    for n in 0..TIMES {
        let began = Instant::now();
        asked(n).await;
        took.push(began.elapsed());
    }
    took.sort();
    let (median, worst) = (took[TIMES / 2], took[TIMES - 1]);
    println!("{name:<58} {:>9} {:>9}", millis(median), millis(worst));
}

fn millis(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1000.0)
}

/// The cursor of a list's thousandth page, come by as a client does: page by page.
async fn thousandth(archive: &Archive, query: &ListQuery) -> Option<Cursor> {
    let mut query = query.clone();
    for _ in 1..PAGE {
        let next = archive.recordings(&query).await.expect("a page").next?;
        query.cursor = Some(next);
    }
    query.cursor
}

async fn lists(archive: &Archive) {
    let room = |name: &str| Some(name.parse().expect("a room"));
    let state = Some(StateKind::Ended);
    let all = ListQuery { limit: Limit::new(50).expect("a limit"), ..ListQuery::default() };
    let lists = BTreeMap::from([
        ("all", all.clone()),
        ("a large room", ListQuery { room: room("studio"), ..all.clone() }),
        ("a small room", ListQuery { room: room("room-13"), ..all.clone() }),
        ("all that have ended", ListQuery { state, ..all.clone() }),
        ("a large room, ended", ListQuery { room: room("studio"), state, ..all.clone() }),
        ("all, 200 a page", ListQuery { limit: Limit::new(200).expect("a limit"), ..all.clone() }),
    ]);
    for (name, query) in &lists {
        time(&format!("list: {name}, first page"), |_| async { archive.recordings(query).await.expect("a page") })
            .await;
        match thousandth(archive, query).await {
            Some(cursor) => {
                let deep = ListQuery { cursor: Some(cursor), ..query.clone() };
                let name = format!("list: {name}, page {PAGE}");
                time(&name, |_| async { archive.recordings(&deep).await.expect("a page") }).await;
            }
            None => println!("list: {name}: has no page {PAGE}"),
        }
    }
    let found = ListQuery { search: Search::read("show müller").expect("a search"), ..all.clone() };
    let began = Instant::now();
    archive.recordings(&found).await.expect("a page");
    println!("{:<58} {:>9}", "search: nothing, through all of them, once", millis(began.elapsed()));
}

async fn all(recordings: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    open(folder.path()).await.close().await;
    let began = Instant::now();
    fill(folder.path(), recordings).await;
    let bytes = std::fs::metadata(folder.path().join("index.sqlite3")).expect("the index").len();
    println!("{recordings} recordings in {} MB, written in {:.1?}\n", bytes / 1_000_000, began.elapsed());
    println!("{:<58} {:>9} {:>9}", "", "median", "worst");

    let mut starts = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let archive = open(folder.path()).await;
        starts.push(began.elapsed());
        archive.close().await;
    }
    starts.sort();
    println!("{:<58} {:>9} {:>9}", "start-up, none open (of 5)", millis(starts[2]), millis(starts[4]));

    let archive = open(folder.path()).await;
    lists(&archive).await;
    time("one recording, whole", |n| {
        let n = (n * 4999 + 1) % usize::try_from(recordings).expect("as many") + 1;
        let id: RecordingId =
            format!("{:08x}-{:04x}-7000-8000-000000000000", n / 65536, n % 65536).parse().expect("an ID");
        let archive = &archive;
        async move { archive.recording(id).await.expect("an answer").expect("a recording") }
    })
    .await;
    time("storage, without limits", |_| async { archive.storage().await.expect("an answer") }).await;

    // Limits that are about everything and ask for nothing: each look reads the sums and a page.
    let total = archive.storage().await.expect("an answer").all.bytes;
    let limits = Limits {
        max_days: Some(365_000),
        max_bytes: Some(total),
        max_room_bytes: Some(total / 2),
        min_free_bytes: Some(1),
    };
    archive.set_limits(limits, NOW);
    time("retention: a look that finds all well", |_| async { archive.look_after(NOW).await.expect("a look") }).await;
    time("storage, with limits", |_| async { archive.storage().await.expect("an answer") }).await;
    // A thousand recordings too many.
    archive.set_limits(Limits { max_bytes: Some(total - 1000 * 181_000_000), ..Limits::default() }, NOW);
    let began = Instant::now();
    archive.look_after(NOW).await.expect("a look");
    let gone = archive.storage().await.expect("an answer").deleted.by[2].1.recordings;
    println!("{:<58} {:>9}", format!("retention: {gone} deleted, whose files were gone"), millis(began.elapsed()));
    archive.close().await;
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let given = words.iter().position(|word| word == "--recordings").and_then(|at| words.get(at + 1));
    let recordings = given.map_or(1_000_000, |count| count.parse().expect("a number of recordings"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(all(recordings));
}
