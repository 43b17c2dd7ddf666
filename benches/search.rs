//! Lists and searches in an index of 100,000 recordings: `cargo bench --bench search`.
//!
//! A search walks the index from the newest recording on, so what costs most is what is found nowhere.

use std::path::Path;
use std::sync::OnceLock;

use divan::{Bencher, black_box};
use roomtone::archive::{Archive, ListQuery, Options, Search};
use roomtone::media::time::UnixMillis;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::runtime::Runtime;

const RECORDINGS: u32 = 100_000;
const NOW: UnixMillis = UnixMillis::new(1_800_000_000_000);

/// Texts from what is found at once to what is found nowhere.
const SEARCHES: [&str; 7] = ["", "a", "ann", "studio ben", "show 77777", "zz", "nowhere at all"];

fn main() {
    divan::main();
}

struct Library {
    runtime: Runtime,
    archive: Archive,
    _folder: tempfile::TempDir,
}

async fn open(folder: &Path) -> Archive {
    Archive::open(Options::new(folder.to_owned()), NOW).await.expect("the archive").0
}

/// Recordings of an hour each, one after another; half of them have a title, each has three people.
async fn fill(folder: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("index.sqlite3"));
    let mut connection = options.connect().await.expect("the index");
    let recordings = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) \
        INSERT INTO recordings (id, run, room, folder, title, started_unix_millis, ended_unix_millis, state, \
            end_reason, length_ticks, bytes, session_file_stale) \
        SELECT printf('%08x-%04x-7000-8000-000000000000', n / 65536, n % 65536), 1, \
            CASE n % 5 WHEN 0 THEN 'studio' WHEN 1 THEN 'newsroom' ELSE 'room-' || (n % 97) END, 'folder-' || n, \
            CASE n % 2 WHEN 0 THEN NULL ELSE 'The morning show, number ' || n END, \
            1400000000000 + n * 3600000, 1400000000000 + n * 3600000 + 3600000, 'ended', 'finished', 172800000, 30000000, 0 \
        FROM n";
    let tracks = "WITH t (t, names) AS (VALUES (1, 'Ann Ben Cem Dora'), (2, 'Jörg Lea Mia Nils'), (3, 'Okafor Rosa Tom Zoe')) \
        INSERT INTO tracks (recording, track, participant, name) \
        SELECT recording, t, '00000000-0000-0000-0000-000000000000', \
            substr(names, 1 + (recording + t) % 4 * 4, 4) || ' Müller-' || (recording % 400) FROM recordings, t";
    let mut transaction = connection.begin().await.expect("a transaction");
    sqlx::query(recordings).bind(RECORDINGS).execute(&mut *transaction).await.expect("recordings");
    sqlx::query(tracks).execute(&mut *transaction).await.expect("tracks");
    transaction.commit().await.expect("a commit");
    connection.close().await.expect("a close");
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let archive = runtime.block_on(async {
            open(folder.path()).await.close().await;
            fill(folder.path()).await;
            let began = std::time::Instant::now();
            let archive = open(folder.path()).await;
            println!("what {RECORDINGS} recordings are searched by was made in {:.1?}", began.elapsed());
            archive
        });
        Library { runtime, archive, _folder: folder }
    })
}

/// The first page of what is found.
#[divan::bench(args = SEARCHES)]
fn first_page(bencher: Bencher<'_, '_>, text: &str) {
    let Library { runtime, archive, .. } = library();
    let query = ListQuery { search: Search::read(text).expect("a search"), ..ListQuery::default() };
    bencher.bench_local(|| runtime.block_on(archive.recordings(black_box(&query))).expect("a page"));
}
