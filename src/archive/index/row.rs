//! Values out of rows and into them. SQLite knows signed 64-bit integers and text; everything else is made of these.

use std::error::Error as StdError;
use std::str::FromStr;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::media::packet::Sequence;
use crate::media::time::{Ticks, UnixMillis};

/// Typed columns of a row. A value that the type does not hold is a decoding error that names the column.
pub(in crate::archive) trait RowExt {
    /// An integer within the type's range.
    fn int<T: TryFrom<i64, Error: StdError + Send + Sync + 'static>>(&self, column: &str) -> Result<T, sqlx::Error>;
    /// A text that the type reads.
    fn word<T: FromStr<Err: StdError + Send + Sync + 'static>>(&self, column: &str) -> Result<T, sqlx::Error>;
    /// A count of ticks.
    fn ticks(&self, column: &str) -> Result<Ticks, sqlx::Error> {
        self.int(column).map(Ticks::new)
    }
    /// A sequence number.
    fn sequence(&self, column: &str) -> Result<Sequence, sqlx::Error> {
        self.int(column).map(Sequence::new)
    }
    /// A wall-clock time.
    fn millis(&self, column: &str) -> Result<UnixMillis, sqlx::Error> {
        self.int(column).map(UnixMillis::new)
    }
    /// A wall-clock time, where there is one.
    fn some_millis(&self, column: &str) -> Result<Option<UnixMillis>, sqlx::Error>;
    /// A yes or no.
    fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
        self.int(column).map(|value: i64| value != 0)
    }
}

impl RowExt for SqliteRow {
    fn int<T: TryFrom<i64, Error: StdError + Send + Sync + 'static>>(&self, column: &str) -> Result<T, sqlx::Error> {
        T::try_from(self.try_get::<i64, _>(column)?).map_err(|source| undecodable(column, source))
    }

    fn word<T: FromStr<Err: StdError + Send + Sync + 'static>>(&self, column: &str) -> Result<T, sqlx::Error> {
        self.try_get::<&str, _>(column)?.parse().map_err(|source| undecodable(column, source))
    }

    fn some_millis(&self, column: &str) -> Result<Option<UnixMillis>, sqlx::Error> {
        Ok(self.try_get::<Option<i64>, _>(column)?.map(UnixMillis::new))
    }
}

pub(in crate::archive) fn undecodable(column: &str, source: impl StdError + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) }
}

/// A number as SQLite can hold it: past 2^63 - 1, which no sound of ours reaches, it is held there.
pub(in crate::archive) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
