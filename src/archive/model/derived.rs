//! What is made out of a recording's parts: which files there are, and their names.

use std::fmt;
use std::str::FromStr;

use crate::media::track::TrackNumber;

/// What sound is in, as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// Ogg Opus.
    Ogg,
    /// Opus in WebM.
    WebM,
    /// Plain samples.
    Wav,
}

impl Container {
    /// What the names of its files end with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ogg => "ogg",
            Self::WebM => "webm",
            Self::Wav => "wav",
        }
    }
}

/// What is made out of a recording's parts. Its text is the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Derived {
    /// The mix and all tracks in one WebM file, on the session's timeline.
    Session,
    /// All tracks as one sound, from the session's start to its end.
    Mix(Container),
    /// One track, from its own start on: as WebM, or in what it was not kept in.
    Track(TrackNumber, Container),
    /// The peaks of one track, on the session's timeline.
    Waveform(TrackNumber),
    /// The peaks of the mix.
    MixWaveform,
}

impl Derived {
    /// Whether it is made only when someone asks for it: it is large, or few want it.
    #[must_use]
    pub const fn is_asked_for(self) -> bool {
        matches!(self, Self::Mix(Container::WebM | Container::Wav) | Self::Track(_, Container::Ogg | Container::Wav))
    }

    /// Whose track it is of; none where it is of all.
    #[must_use]
    pub const fn track(self) -> Option<TrackNumber> {
        match self {
            Self::Track(track, _) | Self::Waveform(track) => Some(track),
            Self::Session | Self::Mix(_) | Self::MixWaveform => None,
        }
    }
}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session => f.write_str("session.webm"),
            Self::Mix(container) => write!(f, "mix.{}", container.extension()),
            Self::Track(track, container) => write!(f, "track-{track}.{}", container.extension()),
            Self::Waveform(track) => write!(f, "waveform-{track}.json"),
            Self::MixWaveform => f.write_str("waveform.json"),
        }
    }
}

impl FromStr for Derived {
    type Err = NotDerived;

    fn from_str(name: &str) -> Result<Self, NotDerived> {
        let read = || {
            let (stem, extension) = name.split_once('.')?;
            let (what, track) = match stem.split_once('-') {
                Some((what, number)) => {
                    (what, Some(TrackNumber::new(number.parse().ok().filter(|number| *number > 0)?)))
                }
                None => (stem, None),
            };
            let all = [Container::Ogg, Container::WebM, Container::Wav];
            let container = || all.into_iter().find(|one| one.extension() == extension);
            match (what, track) {
                ("session", None) => Some(Self::Session),
                ("mix", None) => container().map(Self::Mix),
                ("track", Some(track)) => Some(Self::Track(track, container()?)),
                ("waveform", Some(track)) => Some(Self::Waveform(track)),
                ("waveform", None) => Some(Self::MixWaveform),
                _ => None,
            }
        };
        // What is written otherwise is another file's name.
        read().filter(|what| what.to_string() == name).ok_or_else(|| NotDerived(name.to_owned()))
    }
}

/// A name of no derived file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no derived file")]
pub struct NotDerived(String);

/// A derived file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedFile {
    /// What it is.
    pub what: Derived,
    /// The version of the recipe that made it; 0 where it is to be made again.
    pub recipe: u32,
    /// How long it is.
    pub bytes: u64,
    /// CRC-32 of it; not known of one that an older hub made.
    pub crc: Option<u32>,
    /// Whether some of the sound could not be read when it was made.
    pub damaged: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is_of_and_nothing_else_does() {
        let track = TrackNumber::new(12);
        let containers = [Container::Ogg, Container::WebM, Container::Wav];
        let of_containers = containers.into_iter().flat_map(|one| [Derived::Mix(one), Derived::Track(track, one)]);
        for what in of_containers.chain([Derived::Session, Derived::Waveform(track), Derived::MixWaveform]) {
            assert_eq!(what.to_string().parse(), Ok(what));
        }
        for name in
            ["", "mix", "mix.mp3", "track-.ogg", "track-01.ogg", "track-70000.ogg", "session.ogg", "mix.ogg.next"]
        {
            assert!(name.parse::<Derived>().is_err(), "{name}");
        }
    }
}
