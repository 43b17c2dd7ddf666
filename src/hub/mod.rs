//! Actors, and the decisions that they are shells around.

pub mod acknowledge;
pub mod clock;
pub mod fanout;
pub mod outbox;
pub mod rendition;
pub mod session;
pub mod time;
