//! What the tests share: a hub to test, clients, captures, judges.

pub mod capture;
pub mod client;
pub mod hub;
pub mod judge;

pub use capture::Capture;
pub use client::Client;
pub use hub::Hub;
