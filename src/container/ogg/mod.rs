//! Ogg Opus (RFC 3533, RFC 7845): the parts that a recording is made of.
//!
//! What belongs here: pages, one stream of Opus packets to them and back, and where a file that was cut off stops being
//! good; where in a file a time is. What does not: files, syncs, and which tags a part has.
//!
//! Reading leans on the `ogg` crate for a page's checksum. Writing is our own: a part ends with a page of no lacing values,
//! which the crate cannot write, and a part that a crash left open is ended from the number of its last page.

mod demux;
mod mux;
mod page;
mod salvage;
mod search;

#[cfg(test)]
mod tests;

pub use demux::{Demuxer, Error, Event, PACKET_LIMIT};
pub use mux::PartMuxer;
pub use page::{Damage, LONGEST_PAGE, Page, PageReader, Piece, Torn};
pub use salvage::Salvager;
pub use search::{Place, Search, place_after};
