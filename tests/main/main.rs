//! roomtone from outside: the real binary, real captures of browsers, ffmpeg as the judge.

mod backup;
mod bad_input;
mod bad_streams;
mod check;
mod codec;
mod crashes;
mod deletion;
mod derived;
mod disks;
mod docs;
mod events;
mod floods;
mod helpers;
mod late_joiners;
mod layers;
mod made_again;
mod mix;
mod plain;
mod recording;
mod replay;
mod rest;
mod retention;
mod sounds;
mod start;
mod v1;
mod wav;
