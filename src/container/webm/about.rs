//! What a finished file says of itself: Info, Chapters, Tags.
//!
//! What belongs here: the three elements (RFC 9559 §5.1.2, §5.1.7, §5.1.8), and which tag says what (Matroska's tags, RFC 9559 §22).
//! What does not: where they stand in a file (`file`).

use super::ebml::{self, Id};
use super::mux::put_master;
use crate::media::marker::Chapter;
use crate::media::time::{Ticks, UnixMillis};

/// 2001-01-01T00:00:00Z, from which dates are counted (RFC 8794 §7.6).
const EPOCH: UnixMillis = UnixMillis::new(978_307_200_000);
/// What tags are of: all of what a file holds, an episode; and what that is a part of (`TargetTypeValue`).
const EPISODE: u64 = 50;
const COLLECTION: u64 = 70;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info<'a> {
    /// What it is called.
    pub title: &'a str,
    /// When its time 0 was.
    pub date: UnixMillis,
    /// Who is heard.
    pub people: &'a [&'a str],
    /// What it is one of.
    pub collection: &'a str,
    /// Its chapters, in the order of their starts.
    pub chapters: &'a [Chapter],
}

/// Info, of a file that is so long.
pub(super) fn info(info: &Info<'_>, duration: Ticks) -> Vec<u8> {
    let mut element = Vec::new();
    put_master(&mut element, Id::INFO, |to| {
        ebml::put_unsigned(to, Id::TIMESTAMP_SCALE, super::head::DEFAULT_SCALE);
        ebml::put_float(to, Id::DURATION, duration.as_secs_f64() * 1000.0);
        let since = info.date.get().saturating_sub(EPOCH.get()).saturating_mul(1_000_000);
        ebml::put(to, Id::DATE_UTC, &since.to_be_bytes());
        ebml::put(to, Id::TITLE, info.title.as_bytes());
        ebml::put(to, Id::MUXING_APP, b"roomtone");
        ebml::put(to, Id::WRITING_APP, b"roomtone");
    });
    element
}

/// Chapters, each up to the next, the last up to the end.
pub(super) fn chapters(info: &Info<'_>, end: Ticks) -> Vec<u8> {
    let ends = info.chapters.iter().skip(1).map(|next| next.start).chain([end]);
    let mut element = Vec::new();
    put_master(&mut element, Id::CHAPTERS, |to| {
        put_master(to, Id::EDITION_ENTRY, |to| {
            for ((number, chapter), end) in (1..).zip(info.chapters).zip(ends) {
                put_master(to, Id::CHAPTER_ATOM, |to| {
                    ebml::put_unsigned(to, Id::CHAPTER_UID, number);
                    ebml::put_unsigned(to, Id::CHAPTER_TIME_START, nanos(chapter.start));
                    ebml::put_unsigned(to, Id::CHAPTER_TIME_END, nanos(end.max(chapter.start)));
                    put_master(to, Id::CHAPTER_DISPLAY, |to| {
                        ebml::put(to, Id::CHAP_STRING, chapter.title.as_bytes());
                        ebml::put(to, Id::CHAP_LANGUAGE, b"und");
                    });
                });
            }
        });
    });
    element
}

/// Tags: of the file ARTIST for each who is heard, DATE_RECORDED; TITLE of what it is one of. Its own title stands in Info alone.
pub(super) fn tags(info: &Info<'_>) -> Vec<u8> {
    let date = info.date.to_rfc3339().replace('T', " ").replace('Z', "");
    let mut element = Vec::new();
    put_master(&mut element, Id::TAGS, |to| {
        put_tag(to, (EPISODE, None), |to| {
            info.people.iter().for_each(|name| put_simple(to, "ARTIST", name));
            put_simple(to, "DATE_RECORDED", &date);
        });
        put_tag(to, (COLLECTION, Some("COLLECTION")), |to| put_simple(to, "TITLE", info.collection));
    });
    element
}

/// A tag of what has this value; ffmpeg knows that it is not of the file itself by the word for it.
fn put_tag(to: &mut Vec<u8>, (target, word): (u64, Option<&str>), simple: impl FnOnce(&mut Vec<u8>)) {
    put_master(to, Id::TAG, |to| {
        put_master(to, Id::TARGETS, |to| {
            ebml::put_unsigned(to, Id::TARGET_TYPE_VALUE, target);
            if let Some(word) = word {
                ebml::put(to, Id::TARGET_TYPE, word.as_bytes());
            }
        });
        simple(to);
    });
}

fn put_simple(to: &mut Vec<u8>, name: &str, value: &str) {
    put_master(to, Id::SIMPLE_TAG, |to| {
        ebml::put(to, Id::TAG_NAME, name.as_bytes());
        ebml::put(to, Id::TAG_LANGUAGE, b"und");
        ebml::put(to, Id::TAG_STRING, value.as_bytes());
    });
}

/// Ticks in nanoseconds, rounded down.
fn nanos(ticks: Ticks) -> u64 {
    u64::try_from(ticks.as_duration().as_nanos()).unwrap_or(u64::MAX)
}
