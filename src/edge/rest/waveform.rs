//! `/recordings/{id}/waveform.json` and `.dat`, and those of a track: the peaks in the layouts of audiowaveform, as coarse and of
//! such a span as someone wants.
//!
//! What belongs here: queries and answers. What does not: which pixels those are, where peaks come from.

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
use crate::container::audiowaveform::Layout;
use crate::media::peaks::{BadPicture, Picture, Wanted};
use crate::media::track::TrackNumber;

/// Sums, for tags.
static SUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(read_only("/recordings/{id}/waveform.json", json))
        .service(read_only("/recordings/{id}/waveform.dat", dat))
        .service(read_only("/recordings/{id}/tracks/{number}/waveform.json", json_of_track))
        .service(read_only("/recordings/{id}/tracks/{number}/waveform.dat", dat_of_track));
}

/// What of a waveform someone wants, as the query says it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    samples_per_pixel: Option<u64>,
    from: Option<f64>,
    to: Option<f64>,
}

impl From<Asked> for Wanted {
    fn from(Asked { samples_per_pixel, from, to }: Asked) -> Self {
        Self { samples_per_pixel, from, to }
    }
}

impl From<BadPicture> for Problem {
    fn from(bad: BadPicture) -> Self {
        Self::new(Kind::InvalidQuery, bad.to_string())
    }
}

/// The media type of a layout, and what names of files end with.
const fn media_type(layout: Layout) -> (&'static str, &'static str) {
    match layout {
        Layout::Json => ("application/json", "json"),
        Layout::Dat => ("application/octet-stream", "dat"),
    }
}

async fn json(
    request: HttpRequest,
    edge: Here,
    id: web::Path<String>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &edge, id.parse()?, None, (Layout::Json, asked.into())).await
}

async fn dat(
    request: HttpRequest,
    edge: Here,
    id: web::Path<String>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &edge, id.parse()?, None, (Layout::Dat, asked.into())).await
}

async fn json_of_track(
    request: HttpRequest,
    edge: Here,
    path: web::Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let (id, track) = (path.0.parse()?, tracks::number(&path.1)?);
    answer(&request, &edge, id, Some(track), (Layout::Json, asked.into())).await
}

async fn dat_of_track(
    request: HttpRequest,
    edge: Here,
    path: web::Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let (id, track) = (path.0.parse()?, tracks::number(&path.1)?);
    answer(&request, &edge, id, Some(track), (Layout::Dat, asked.into())).await
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
    let picture = Picture::of(wanted, layout.most(), waveform.peaks.finest(), waveform.length)?;
    let (name, file) = web::block(move || {
        let file = waveform.peaks.file(&picture, layout);
        (named(&waveform, layout), file)
    })
    .await
    .map_err(|error| Problem::internal(&error))?;
    let file = file.map_err(|error| Problem::internal(&error))?;
    let of = track.map_or_else(|| "mix".to_owned(), |track| track.to_string());
    let (media_type, kind) = media_type(layout);
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
    (waveform.modified, disposition(what, waveform.started, Some(&format!("{who} waveform")), media_type(layout).1))
}
