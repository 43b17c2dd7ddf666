//! Ogg Opus (RFC 3533, RFC 7845): the parts that a recording is made of.
//!
//! What belongs here: pages, one stream of Opus packets to them and back, and where a file that was cut off stops being
//! good; where in a file a time is. What does not: files, syncs, and which tags a part has.
//!
//! Pages are our own work. The `ogg` crate, which the tests hold them against, cannot write the page of no lacing values that a
//! part ends with, nor end a part that a crash left open from the number of its last page; and its checksum goes byte by byte.

mod demux;
mod excerpt;
pub mod live;
mod mux;
mod page;
mod salvage;
mod search;
pub mod stream;

#[cfg(test)]
mod tests;

pub use demux::{Demuxer, Error, Event, PACKET_LIMIT};
pub use excerpt::{Excerpt, Most};
pub use mux::{PartMuxer, chapter_comments};
pub use page::{Damage, LONGEST_PAGE, Page, PageReader, Piece, Torn};
pub use salvage::Salvager;
pub use search::{Place, Search, place_after};
