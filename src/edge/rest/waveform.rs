//! `/recordings/{id}/waveform.json` and `.dat`, and those of a track: the peaks in the layouts of audiowaveform, as coarse and of
//! such a span as someone wants.
//!
//! What belongs here: which pixels those are, and what cannot be asked for. What does not: where peaks come from.

use std::ops::Range;

use actix_web::{HttpRequest, HttpResponse, web};
use crc::{CRC_32_ISO_HDLC, Crc};
use serde::Deserialize;

use super::super::problem::{Kind, Problem};
use super::super::query::Query;
use super::super::{Edge, Here};
use super::download::{self, Served, disposition};
use super::{read_only, recordings, tracks};
use crate::archive::model::RecordingId;
use crate::archive::{FoundWaveform, Waveform};
use crate::container::audiowaveform;
use crate::media::peaks::pixel_for;
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// The most pixels of a picture where nobody says how long one is.
const OVERVIEW: u64 = 8000;
/// The most pixels of a JSON file: some 2 MB.
const MOST_OF_JSON: u64 = 1 << 18;

/// Sums, for tags.
static SUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(read_only("/recordings/{id}/waveform.json", json))
        .service(read_only("/recordings/{id}/waveform.dat", dat))
        .service(read_only("/recordings/{id}/tracks/{number}/waveform.json", json_of_track))
        .service(read_only("/recordings/{id}/tracks/{number}/waveform.dat", dat_of_track));
}

/// What of a waveform someone wants.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// How long a pixel is; so that there are at most [`OVERVIEW`], where it does not say.
    samples_per_pixel: Option<u64>,
    /// From where to where, in seconds from the session's start; all of it, where it does not say.
    from: Option<f64>,
    to: Option<f64>,
}

/// The layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Json,
    Dat,
}

impl Layout {
    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application/json", "json"),
            Self::Dat => ("application/octet-stream", "dat"),
        }
    }
}

async fn json(
    request: HttpRequest,
    edge: Here,
    id: web::Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &edge, id.parse()?, None, (Layout::Json, wanted)).await
}

async fn dat(
    request: HttpRequest,
    edge: Here,
    id: web::Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &edge, id.parse()?, None, (Layout::Dat, wanted)).await
}

async fn json_of_track(
    request: HttpRequest,
    edge: Here,
    path: web::Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (id, track) = (path.0.parse()?, tracks::number(&path.1)?);
    answer(&request, &edge, id, Some(track), (Layout::Json, wanted)).await
}

async fn dat_of_track(
    request: HttpRequest,
    edge: Here,
    path: web::Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let (id, track) = (path.0.parse()?, tracks::number(&path.1)?);
    answer(&request, &edge, id, Some(track), (Layout::Dat, wanted)).await
}

async fn answer(
    request: &HttpRequest,
    edge: &Edge,
    id: RecordingId,
    track: Option<TrackNumber>,
    (layout, wanted): (Layout, Wanted),
) -> Result<HttpResponse, Problem> {
    let mut waveform = match edge.archive.waveform(id, track).await? {
        FoundWaveform::There(waveform) => *waveform,
        FoundWaveform::Making(progress) => return Ok(recordings::making(progress)),
    };
    let picture = Picture::of(wanted, layout, waveform.finest(), waveform.length)?;
    let (name, file) = web::block(move || {
        let pixels = waveform.pixels(picture.merged, picture.numbers.clone());
        let file = pixels.map(|pixels| picture.file(layout, &pixels));
        (named(&waveform, layout), file)
    })
    .await
    .map_err(|error| Problem::internal(&error))?;
    let file = file.map_err(|error| Problem::internal(&error))?;
    let of = track.map_or_else(|| "mix".to_owned(), |track| track.to_string());
    let (media_type, kind) = layout.media_type();
    let tag = format!("{id}-{of}-{kind}-{}-{:08x}", file.len(), SUM.checksum(&file));
    let (modified, disposition) = name;
    download::answer(request, Served::made_now((tag, modified), (media_type, disposition), file))
}

/// When it was made, and its name for people.
fn named(
    waveform: &Waveform,
    layout: Layout,
) -> (crate::media::time::UnixMillis, actix_web::http::header::ContentDisposition) {
    let what = waveform.title.as_deref().unwrap_or(waveform.room.as_str());
    let who = waveform.name.as_ref().map_or("mix", |name| name.as_str());
    (waveform.modified, disposition(what, waveform.started, Some(&format!("{who} waveform")), layout.media_type().1))
}

/// Which pixels of a session someone gets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Picture {
    /// How many ticks one is.
    pixel: u64,
    /// How many of the finest that there are make one.
    merged: u64,
    /// Their numbers, from the session's start.
    numbers: Range<u64>,
}

impl Picture {
    /// The picture of a session of this length, whose finest pixels have so many ticks.
    fn of(wanted: Wanted, layout: Layout, finest: u64, length: Ticks) -> Result<Self, Problem> {
        let span = span(wanted, length)?;
        let pixel = match wanted.samples_per_pixel {
            Some(pixel) => pixel,
            None => pixel_for(span.end.saturating_sub(span.start), OVERVIEW).max(finest),
        };
        let merged = pixel / finest.max(1);
        if pixel % finest.max(1) != 0 || !merged.is_power_of_two() || i32::try_from(pixel).is_err() {
            let (one, two, four) = (finest, finest.saturating_mul(2), finest.saturating_mul(4));
            let detail = format!("Of this recording samples_per_pixel is {one}, {two}, {four} and so on.");
            return Err(Problem::new(Kind::InvalidQuery, detail));
        }
        let numbers = span.start.get() / pixel..span.end.get().div_ceil(pixel);
        let count = numbers.end.saturating_sub(numbers.start);
        if layout == Layout::Json && count > MOST_OF_JSON {
            let detail = format!(
                "That would be {count} pixels, and in JSON there are at most {MOST_OF_JSON}: ask for waveform.dat, for more \
                 samples per pixel, or for less of the recording by from and to."
            );
            return Err(Problem::new(Kind::InvalidQuery, detail));
        }
        Ok(Self { pixel, merged, numbers })
    }

    fn file(&self, layout: Layout, pixels: &[(i8, i8)]) -> Vec<u8> {
        match layout {
            Layout::Json => audiowaveform::json(self.pixel, pixels),
            Layout::Dat => {
                let mut file = audiowaveform::header(self.pixel, pixels.len() as u64).unwrap_or_default();
                let bytes =
                    pixels.iter().flat_map(|(least, greatest)| [least.cast_unsigned(), greatest.cast_unsigned()]);
                file.extend(bytes);
                file
            }
        }
    }
}

/// The span that someone wants of a session of this length. One that goes on past its end ends there.
fn span(wanted: Wanted, length: Ticks) -> Result<Range<Ticks>, Problem> {
    let end = length.as_secs_f64();
    let ticks = |seconds: f64| Ticks::from_duration(std::time::Duration::from_secs_f64(seconds.clamp(0.0, end)));
    let wrong = |detail: &str| Err(Problem::new(Kind::InvalidQuery, format!("{detail} It lasts {end:.3} s.")));
    let (from, to) = (wanted.from.unwrap_or(0.0), wanted.to.unwrap_or(end));
    if !from.is_finite() || !to.is_finite() || from < 0.0 {
        return wrong("from and to are seconds from the recording's start.");
    }
    if wanted.from.is_some_and(|from| from >= end) {
        return wrong("from is not in the recording.");
    }
    if wanted.to.is_some() && to <= from {
        return wrong("to comes after from.");
    }
    Ok(ticks(from)..if wanted.to.is_none_or(|to| to >= end) { length } else { ticks(to) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(wanted: Wanted, layout: Layout, seconds: u64) -> Result<(u64, Range<u64>), String> {
        let finest = pixel_for(Ticks::from_secs(seconds), crate::media::peaks::MOST_PIXELS);
        let picture = Picture::of(wanted, layout, finest, Ticks::from_secs(seconds));
        picture.map(|picture| (picture.pixel, picture.numbers)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_picture_is_an_overview_unless_someone_looks_closer() {
        let all = Wanted::default();
        assert_eq!(picture(all, Layout::Json, 80), Ok((480, 0..8000)));
        assert_eq!(picture(all, Layout::Json, 3 * 3600), Ok((480 << 8, 0..4219)));
        let close = Wanted { samples_per_pixel: Some(480), ..all };
        assert_eq!(picture(close, Layout::Dat, 1000), Ok((480, 0..100_000)));
        let part = Wanted { from: Some(12.345), to: Some(20.0), ..all };
        assert_eq!(picture(part, Layout::Json, 3600), Ok((480, 1234..2000)));
        assert_eq!(picture(Wanted { to: Some(1e300), ..part }, Layout::Json, 3600), Ok((480 << 6, 19..5625)));
        assert_eq!(picture(Wanted { to: None, ..all }, Layout::Json, 0), Ok((480, 0..0)));
    }

    #[test]
    fn what_there_is_not_is_told() {
        let all = Wanted::default();
        for bad in [0, 1, 481, 720, 1440, u64::MAX, 480 << 23] {
            let wanted = Wanted { samples_per_pixel: Some(bad), ..all };
            assert!(picture(wanted, Layout::Dat, 60).unwrap_err().contains("480, 960, 1920"), "{bad}");
        }
        // Of a day there is nothing finer than 160 ms.
        let fine = Wanted { samples_per_pixel: Some(480), ..all };
        assert!(picture(fine, Layout::Dat, 24 * 3600).unwrap_err().contains("7680"));
        assert!(picture(fine, Layout::Json, 2 * 3600).unwrap_err().contains("at most 262144"));
        for (from, to) in [(f64::NAN, 1.0), (-1.0, 1.0), (0.0, f64::INFINITY), (60.0, 61.0), (5.0, 5.0), (6.0, 5.0)] {
            assert!(
                picture(Wanted { from: Some(from), to: Some(to), ..all }, Layout::Json, 60).is_err(),
                "{from} {to}"
            );
        }
    }
}
