//! WAV (Microsoft and IBM, Multimedia Programming Interface 1.0, chapter 3).
//!
//! What belongs here: the messages of plain listeners of WAV. What does not: files.

mod message;

pub use message::message;
