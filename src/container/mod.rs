//! Containers: push bytes, pull packets; packets to bytes.
//!
//! What belongs here: parsers and writers that own no IO and no clock, with a bound on memory that their docs state.
