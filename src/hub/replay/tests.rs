//! A replay without its shell.
