//! Actors, and the decisions that they are shells around.

pub mod clock;
pub mod outbox;
pub mod session;
pub mod time;
