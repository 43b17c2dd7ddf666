//! What an edit comes to in a recording: which tracks, which span, and which of several ways to ask for a file is its name.
//!
//! What belongs here: plain functions of a recording and an edit. What does not: how an edit is written (`model::edit`).
//!
//! - A mix and the session's file are of all tracks, or of those that were chosen, from the session's start to its
//!   end, or over the span.
//! - A track's files are from its own start to its own end; where the span says otherwise they last as long as that, with silence
//!   where the track is absent, so that the same span of several tracks lies side by side.
//! - Whatever is of one track takes no choice of tracks; peaks take no choice at all: who wants those of a span gets them out of the
//!   whole (`waves`).
//! - Loudness is that of the whole edition. In the session's file it is that of the mix: the tracks are as they were kept.

use std::ops::Range;

use super::render;
use crate::archive::model::{BadEdit, Derived, Edit, Edition, Recording, Time, Track};
use crate::media::time::Ticks;
use crate::media::track::Format;

/// What is shorter has no loudness: it is told by blocks of so long (ITU-R BS.1770-5).
const SHORTEST_LEVELLED: Ticks = Ticks::from_millis(400);

/// The edition under which a recording has what was asked for: of all tracks, or from start to end, is the whole.
pub(in crate::archive) fn of(asked: Edition, recording: &Recording) -> Result<Edition, BadEdit> {
    let Edition { of, edit } = asked;
    if let Some(what) = refused(of, &edit) {
        return Err(BadEdit::NotOf(what, of.to_string()));
    }
    let has = |number| recording.tracks.iter().any(|track| track.number == number);
    if let Some(none) = edit.tracks.iter().flat_map(|tracks| tracks.numbers()).find(|number| !has(*number)) {
        return Err(BadEdit::NoTrack(none));
    }
    let length = recording.summary.length;
    let end = Time::from_millis(length.get().div_ceil(48));
    if let Some(late) = [edit.from, edit.to].into_iter().flatten().find(|time| *time > end) {
        return Err(BadEdit::Outside(late, end));
    }
    let span = span(asked, recording);
    if span.start >= span.end {
        let millis = |ticks: Ticks| Time::from_millis(ticks.as_millis());
        return Err(BadEdit::Empty(
            edit.from.unwrap_or_else(|| millis(span.start)),
            edit.to.unwrap_or_else(|| millis(span.end)),
        ));
    }
    if edit.loudness.is_some() && span.end.saturating_sub(span.start) < SHORTEST_LEVELLED {
        return Err(BadEdit::TooShort);
    }
    let whole = self::span(of.into(), recording);
    let tracks = edit.tracks.filter(|tracks| tracks.numbers().count() < recording.tracks.len());
    let from = edit.from.filter(|_| span.start != whole.start);
    let to = edit.to.filter(|_| span.end != whole.end);
    Ok(Edition { of, edit: Edit { tracks, from, to, ..edit } })
}

/// What of an edit such a file does not take.
fn refused(of: Derived, edit: &Edit) -> Option<&'static str> {
    if of.track().is_some() && edit.tracks.is_some() {
        return Some("tracks");
    }
    if matches!(of, Derived::Waveform(_) | Derived::MixWaveform) {
        return edit.fields().next().map(|(what, _)| what);
    }
    // Of a choice for an editor the levels are left to that.
    (of == Derived::TracksZip && edit.loudness.is_some()).then_some("loudness")
}

/// The tracks that an edition is of.
pub(in crate::archive) fn tracks(edition: Edition, recording: &Recording) -> Vec<&Track> {
    let chosen = |track: &&Track| match (edition.of.track(), edition.edit.tracks) {
        (Some(number), _) => track.number == number,
        (None, Some(tracks)) => tracks.has(track.number),
        (None, None) => true,
    };
    recording.tracks.iter().filter(chosen).collect()
}

/// What of the session's clock an edition is of.
pub(in crate::archive) fn span(edition: Edition, recording: &Recording) -> Range<Ticks> {
    let length = recording.summary.length;
    let whole = match (edition.of, tracks(edition, recording).first()) {
        (Derived::Track(..), Some(track)) => of_track(track),
        _ => Ticks::ZERO..length,
    };
    let start = edition.edit.from.map_or(whole.start, Time::ticks);
    let end = edition.edit.to.map_or(whole.end, |time| time.ticks().min(length));
    start..end
}

/// When a track begins to be heard, and when it ends, on the session's clock: what its own files hold.
fn of_track(track: &Track) -> Range<Ticks> {
    let start = track.parts.first().map(|part| {
        let skip = match part.format {
            Format::Opus(head) => Ticks::new(head.pre_skip.into()),
            Format::Pcm(_) => Ticks::ZERO,
        };
        part.start.session.saturating_add(skip)
    });
    let start = start.unwrap_or_default();
    start..render::end(track).max(start)
}
