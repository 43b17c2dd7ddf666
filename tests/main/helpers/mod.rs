//! What the tests share: a hub to test, clients, captures, judges.

pub mod agreement;
pub mod capture;
#[path = "../../captures/read.rs"]
pub mod captures;
pub mod client;
pub mod ear;
pub mod files;
pub mod frame;
pub mod hub;
pub mod judge;
pub mod made;
pub mod random;
pub mod raw;
pub mod shelf;
pub mod slow;
pub mod witness;

pub use capture::Capture;
pub use client::Client;
pub use hub::Hub;
pub use raw::Raw;
pub use witness::Witness;
