//! WAV: plain samples in RIFF (Multimedia Programming Interface and Data Specifications 1.0, IBM and Microsoft, 1991), and
//! past 4 GiB in RF64 (EBU Tech 3306).
//!
//! What belongs here: headers, for parts and for downloads. What does not: files, syncs, gaps, and what samples sound like.
//!
//! Headers are written by `hound`, which is not given the samples: it takes them one at a time, and they are in a file what
//! they are in a packet. So the bytes go in untouched, and the two sizes of the header are ours.

mod mux;

pub use mux::{Full, MOST_DATA, WavMuxer, data_offset, header_for};
