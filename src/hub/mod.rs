//! Actors, and the decisions that they are shells around.

pub mod outbox;
