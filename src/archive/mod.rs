//! The SQLite index and the files of all recordings, and the promises about both.

pub mod model;
