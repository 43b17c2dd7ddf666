//! Sound whose first bytes do not tell what it is: what its publisher declares of it, in the query or in `roomtone.v1`.
//!
//! What belongs here: the words for it, and what is refused. What does not: what the bytes are held to (`container`).

use super::close::Close;
use super::problem::{Kind, Problem};
use super::room_socket::cannot_be;
use crate::container::stream::Opening;
use crate::media::opus;
use crate::media::pcm::{self, Sample};
use crate::media::track::Format;
use crate::wire::v1::PublishedFormat;

/// The rate of plain samples where the query has none, in Hz.
const RATE: u32 = 48_000;
/// Their channels.
const CHANNELS: u32 = 1;

/// What a query declares: `format=`, and for plain samples `rate=` and `channels=`.
///
/// # Errors
/// Where it cannot be, with what can.
pub fn in_query(format: Option<&str>, rate: Option<&str>, channels: Option<&str>) -> Result<Option<Opening>, Problem> {
    let has_numbers = rate.is_some() || channels.is_some();
    let format = match format {
        None if has_numbers => {
            let detail = "rate= and channels= belong to plain samples: format=s16le, s24le, s32le or f32le.";
            return Err(Problem::new(Kind::InvalidQuery, detail));
        }
        None => return Ok(None),
        Some("mp3") if has_numbers => {
            return Err(Problem::new(Kind::InvalidQuery, "MP3 says its own rate and channels: leave them out."));
        }
        Some("mp3") => return Ok(Some(Opening::Mp3)),
        Some(format) => format,
    };
    let sample: Sample =
        format.parse().map_err(|_| cannot_be("format", format, "s16le, s24le, s32le, f32le and mp3"))?;
    let number = |name: &str, value: Option<&str>, unset: u32, known: &str| match value {
        None => Ok(unset),
        Some(value) => value.parse().map_err(|_| cannot_be(name, value, known)),
    };
    let rate = number("rate", rate, RATE, "a number of Hz from 8000 to 192000")?;
    let channels = number("channels", channels, CHANNELS, "1 or 2")?;
    Ok(Some(Opening::Pcm(pcm::Head::new(sample, rate, channels)?)))
}

/// What a `publish` message declares of bytes.
///
/// # Errors
/// Where it cannot be, with what can.
pub fn bytes(format: &PublishedFormat) -> Result<Opening, Close> {
    match format {
        PublishedFormat::Opus { .. } => Err(Close::not_accepted(
            "Opus is not accepted as bytes without a container: send WebM, Ogg or MP4, or packets",
        )),
        PublishedFormat::Pcm { sample, rate, channels } => Ok(Opening::Pcm(head(sample, *rate, *channels)?)),
        PublishedFormat::Mp3 => Ok(Opening::Mp3),
    }
}

/// What a `publish` message declares of packets.
///
/// # Errors
/// Where it cannot be, with what can.
pub fn packets(format: &PublishedFormat) -> Result<Format, Close> {
    match format {
        PublishedFormat::Opus { channels: channels @ 1..=2, pre_skip, input_rate } => Ok(Format::Opus(opus::Head {
            channels: *channels,
            pre_skip: *pre_skip,
            input_rate: *input_rate,
            output_gain: 0,
        })),
        PublishedFormat::Opus { channels, .. } => {
            Err(Close::not_accepted(format!("Opus with {channels} channels is not accepted, only with 1 or 2")))
        }
        PublishedFormat::Pcm { sample, rate, channels } => Ok(Format::Pcm(head(sample, *rate, *channels)?)),
        PublishedFormat::Mp3 => {
            Err(Close::not_accepted("MP3 is not accepted as packets, only as bytes: the source is container"))
        }
    }
}

fn head(sample: &str, rate: u32, channels: u32) -> Result<pcm::Head, Close> {
    let head = sample.parse().and_then(|sample| pcm::Head::new(sample, rate, channels));
    head.map_err(|unfit| Close::not_accepted(unfit.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_mono_at_48_khz_where_the_query_says_no_more() {
        let pcm = |sample, rate, channels| Some(Opening::Pcm(pcm::Head::new(sample, rate, channels).unwrap()));
        assert_eq!(in_query(None, None, None), Ok(None));
        assert_eq!(in_query(Some("mp3"), None, None), Ok(Some(Opening::Mp3)));
        assert_eq!(in_query(Some("f32le"), None, None), Ok(pcm(Sample::F32, 48_000, 1)));
        assert_eq!(in_query(Some("s24le"), Some("44100"), Some("2")), Ok(pcm(Sample::S24, 44_100, 2)));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (format, rate, channels, can) in [
            (Some("f64le"), None, None, "s16le, s24le, s32le, f32le and mp3"),
            (Some("opus"), None, None, "mp3"),
            (Some("f32le"), Some("0"), None, "8000 to 192000"),
            (Some("f32le"), Some("192001"), None, "8000 to 192000"),
            (Some("f32le"), Some("-1"), None, "8000 to 192000"),
            (Some("f32le"), Some("4.8e4"), None, "8000 to 192000"),
            (Some("f32le"), None, Some("9"), "1 or 2"),
            (Some("f32le"), None, Some("0"), "1 or 2"),
            (Some("f32le"), None, Some("two"), "1 or 2"),
            (Some("mp3"), Some("44100"), None, "leave them out"),
            (None, Some("44100"), None, "format=s16le"),
            (None, None, Some("2"), "format=s16le"),
        ] {
            let problem = in_query(format, rate, channels).unwrap_err().to_string();
            assert!(problem.contains(can), "{format:?} {rate:?} {channels:?}: {problem}");
        }
    }

    #[test]
    fn bytes_and_packets_are_of_kinds_of_their_own() {
        let pcm = |sample: &str, rate, channels| PublishedFormat::Pcm { sample: sample.to_owned(), rate, channels };
        let opus = |channels| PublishedFormat::Opus { channels, pre_skip: 0, input_rate: 0 };
        let head = pcm::Head::new(Sample::F32, 96_000, 2).unwrap();
        assert_eq!(bytes(&pcm("f32le", 96_000, 2)), Ok(Opening::Pcm(head)));
        assert_eq!(packets(&pcm("f32le", 96_000, 2)), Ok(Format::Pcm(head)));
        assert_eq!(bytes(&PublishedFormat::Mp3), Ok(Opening::Mp3));
        for (refused, can) in [
            (bytes(&opus(1)).unwrap_err(), "packets"),
            (packets(&opus(9)).unwrap_err(), "1 or 2"),
            (packets(&PublishedFormat::Mp3).unwrap_err(), "as bytes"),
            (packets(&pcm("f32le", 0, 1)).unwrap_err(), "8000 to 192000"),
            (bytes(&pcm("f32le", 48_000, 9)).unwrap_err(), "1 or 2"),
            (bytes(&pcm("u8", 48_000, 1)).unwrap_err(), "s16le"),
        ] {
            assert!(refused.code == 1003 && refused.reason.contains(can), "{refused:?}");
            assert!(refused.reason.len() <= 123, "a close frame has no room for more: {}", refused.reason);
        }
    }
}
