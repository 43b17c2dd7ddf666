//! What is made out of recordings that have ended, in `<recording>/derived/`: the mix, all tracks in one file, each track in
//! what it was not kept in, peaks.
//!
//! What belongs here: which files there are, how each is made (`recipe`), what is made next (`orders`) and by whom (`maker`), and how
//! they are found for a download. What does not: the bytes of containers; the index, which the writer alone writes.
//!
//! Nothing of it is precious: whatever is missing, or was made by an older recipe, is made again out of the parts. So
//! there are other rules than for parts:
//!
//! 1. A file is written under another name, synced, renamed, its folder synced, and only then named by the index. A crash
//!    leaves a file of the other name, which goes before the next is begun.
//! 2. Most of it is made unasked. What is large, or wanted by few, is made when someone asks for it, and goes again when others
//!    need its place, the longest unused first ([`maker::MOST_ASKED`]). Made again it is the same, byte for byte.
//! 3. What is made never costs a recording its place: a file is not begun where it would leave less than
//!    [`recipe::SPARED`] of the disk, and what someone asked for goes before retention lets any recording go.

mod background;
mod edition;
mod files;
mod gains;
mod loudness;
mod maker;
mod mixdown;
mod mixed;
mod orders;
mod recipe;
mod render;
mod samples;
mod sound;
mod sum;
mod tags;
mod tracks_zip;
pub(super) mod waves;
mod webm;

pub use background::be_nice;
pub(super) use edition::of as edition_of;
pub(super) use files::Sink;
pub(super) use files::{BETWEEN_SYNCS, find, longest_unused_first, sum_of};
pub use files::{Download, Found};
pub(super) use maker::{MAKERS, maker};
#[cfg(test)]
pub(super) use maker::{Maker, Most};
pub(super) use orders::Orders;
pub(super) use recipe::{Origin, SPARED, Stopped, Work, cost, made_of, make};
#[cfg(test)]
pub(super) use render::Render;
#[cfg(test)]
pub(super) use sound::Sums;
pub(super) use waves::follower;
pub use waves::{FoundPeaks, FoundWaveform, Waveform};
