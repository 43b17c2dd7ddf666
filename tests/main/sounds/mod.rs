//! Every sound that a browser or a program sends, through the running hub: heard, recorded, downloaded.

mod captures;
mod crowd;
mod ffmpeg;
mod proof;
mod tracks;
