//! The index: SQL, and rows to values and back. It knows no file and no promise about one.
//!
//! All SQL of the program stands in here and in `archive/list.rs`, each statement with the way in which SQLite is to carry it out:
//! by which index. A test reads the plans. What a statement costs does not grow with the number of recordings.

/// Statements: a name, the SQL, and the lines of its plan that touch a table, as `EXPLAIN QUERY PLAN` says them.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr, [$($plan:literal),*];)+) => {
        $($(#[$doc])* pub(in crate::archive) const $name: &str = $sql;)+

        /// All of them, for the test that reads their plans.
        #[cfg(test)]
        pub(in crate::archive) const STATEMENTS: &[super::Statement] =
            &[$(super::Statement { name: stringify!($name), sql: $name, plan: &[$($plan),*] }),+];
    };
}

pub(super) mod derived;
pub(super) mod markers;
pub(super) mod read;
pub(super) mod retention;
pub(super) mod row;
pub(super) mod search;
pub(super) mod settings;
pub(super) mod write;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

/// What makes an index of this version out of an older one, or out of nothing.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    // By build.rs: the number of each, what it is about, and its SQL.
    let files: &[(i64, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));
    let migration = |&(version, what, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, what.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
});

/// A statement, and how it is to be carried out.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub name: &'static str,
    pub sql: &'static str,
    pub plan: &'static [&'static str],
}

/// All statements of these modules.
#[cfg(test)]
pub(super) fn statements() -> impl Iterator<Item = &'static Statement> {
    let all = [
        derived::STATEMENTS,
        markers::STATEMENTS,
        read::STATEMENTS,
        retention::STATEMENTS,
        search::STATEMENTS,
        settings::STATEMENTS,
        write::STATEMENTS,
    ];
    all.into_iter().flatten()
}

/// How many readers there are at once; each has a thread of its own.
const READERS: u32 = 4;

/// How the one connection that writes is opened. A commit is durable when it returns.
pub(super) fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
}

/// How an index is opened that is only looked at: nothing is written, not even beside it where it is `alone`, which is where
/// nobody can be writing it and nothing waits beside it to be put into it.
pub(super) fn reading(path: &Path, alone: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .immutable(alone)
        .busy_timeout(Duration::from_secs(5))
}

/// Whether this says that the file is no index any more, and not that it cannot be reached just now.
pub(super) fn is_damaged(error: &sqlx::Error) -> bool {
    // SQLITE_CORRUPT and SQLITE_NOTADB; their extended codes are in the upper bytes.
    matches!(code(error).map(|code| code & 0xFF), Some(11 | 26))
}

/// Whether this says that the index finds no room on its disk.
pub(super) fn has_no_room(error: &sqlx::Error) -> bool {
    // SQLITE_FULL; and SQLITE_IOERR_SHMSIZE, where it is what its connections share that cannot grow.
    matches!(code(error), Some(13 | 4874))
}

/// SQLite's own code of an error, the extended one.
fn code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// The readers of an index that is there.
pub(super) fn readers(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("query_only", "on");
    SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options)
}
