//! Reads a capture. The tests of the library, those of the hub and the benchmarks each take this file in.

use std::path::PathBuf;

/// The messages of a capture, edges and all.
pub fn messages(capture: &str) -> Vec<Vec<u8>> {
    let path = [env!("CARGO_MANIFEST_DIR"), "tests", "captures", capture, "chunks.bin"];
    let path = path.iter().collect::<PathBuf>();
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rest = bytes.as_slice();
    let mut messages = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (message, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        messages.push(message.to_vec());
        rest = after;
    }
    messages
}
