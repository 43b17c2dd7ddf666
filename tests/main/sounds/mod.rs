//! Every sound that a browser or a program sends, through the running hub: heard, recorded, downloaded.

mod captures;
mod crowd;
mod decoded;
mod ffmpeg;
mod heads;
mod killed;
mod layouts;
mod proof;
mod samples;
mod tracks;
