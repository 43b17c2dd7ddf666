//! What is made out of a recording's parts: which files there are, and their names.
//!
//! What belongs here: names. What does not: what an edit may say (`edit`), how a file is made.

use std::fmt;
use std::str::FromStr;

use super::edit::Edit;
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
    /// The same, packed without loss.
    Flac,
}

impl Container {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Ogg, Self::WebM, Self::Wav, Self::Flac];

    /// What the names of its files end with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ogg => "ogg",
            Self::WebM => "webm",
            Self::Wav => "wav",
            Self::Flac => "flac",
        }
    }
}

/// What the names of files of peaks end with.
const PEAKS: &str = "peaks";

/// What is made out of a recording's parts. Its text is the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Derived {
    /// The mix and all tracks in one WebM file, on the session's timeline.
    Session,
    /// All tracks as one sound, from the session's start to its end.
    Mix(Container),
    /// One track, from its own start on: as WebM, or in what it was not kept in.
    Track(TrackNumber, Container),
    /// Every track as WAV over the same span, and what an editor opens them with.
    TracksZip,
    /// The peaks of one track, on the session's timeline.
    Waveform(TrackNumber),
    /// The peaks of the mix.
    MixWaveform,
}

impl Derived {
    /// Whose track it is of; none where it is of all.
    #[must_use]
    pub const fn track(self) -> Option<TrackNumber> {
        match self {
            Self::Track(track, _) | Self::Waveform(track) => Some(track),
            Self::Session | Self::Mix(_) | Self::TracksZip | Self::MixWaveform => None,
        }
    }

    /// Whether it is peaks.
    #[must_use]
    pub const fn is_peaks(self) -> bool {
        matches!(self, Self::Waveform(_) | Self::MixWaveform)
    }

    /// Whether it says what the recording is called and what is marked in it; peaks and plain samples do not.
    #[must_use]
    pub const fn has_words(self) -> bool {
        !self.is_peaks() && !matches!(self, Self::Mix(Container::Wav) | Self::Track(_, Container::Wav))
    }

    /// What its name ends with.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Session => "webm",
            Self::Mix(container) | Self::Track(_, container) => container.extension(),
            Self::TracksZip => "zip",
            Self::Waveform(_) | Self::MixWaveform => PEAKS,
        }
    }

    /// What its name begins with.
    fn stem(self) -> String {
        match self {
            Self::Session => "session".to_owned(),
            Self::Mix(_) => "mix".to_owned(),
            Self::Track(track, _) => format!("track-{track}"),
            Self::TracksZip => "tracks".to_owned(),
            Self::Waveform(track) => format!("waveform-{track}"),
            Self::MixWaveform => "waveform".to_owned(),
        }
    }

    /// The file whose name begins and ends with these.
    fn named(stem: &str, extension: &str) -> Option<Self> {
        let (what, track) = match stem.split_once('-') {
            Some((what, number)) => (what, Some(TrackNumber::new(number.parse().ok().filter(|number| *number > 0)?))),
            None => (stem, None),
        };
        let container = || Container::ALL.into_iter().find(|one| one.extension() == extension);
        match (what, track) {
            ("session", None) => Some(Self::Session),
            ("mix", None) => container().map(Self::Mix),
            ("track", Some(track)) => Some(Self::Track(track, container()?)),
            ("tracks", None) => Some(Self::TracksZip),
            ("waveform", Some(track)) => Some(Self::Waveform(track)),
            ("waveform", None) => Some(Self::MixWaveform),
            _ => None,
        }
    }
}

impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stem(), self.extension())
    }
}

/// One of the files that a derived file can be: the whole, or what an edit makes of it. Its text is the file's name, which
/// says the edit too: `mix~tracks=1,3~from=12.5.ogg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edition {
    /// What it is an edition of.
    pub of: Derived,
    /// What was chosen.
    pub edit: Edit,
}

impl Edition {
    /// Whether it is made only when someone asks for it: it is large, or few want it.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        let unasked = match self.of {
            Derived::Session | Derived::Waveform(_) | Derived::MixWaveform => true,
            Derived::Mix(container) => container == Container::Ogg,
            Derived::Track(_, container) => container == Container::WebM,
            Derived::TracksZip => false,
        };
        !unasked || !self.edit.is_whole()
    }
}

impl From<Derived> for Edition {
    /// The whole.
    fn from(of: Derived) -> Self {
        Self { of, edit: Edit::WHOLE }
    }
}

impl PartialEq<Derived> for Edition {
    /// Whether it is the whole of that.
    fn eq(&self, of: &Derived) -> bool {
        *self == Self::from(*of)
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of.stem())?;
        for (key, value) in self.edit.fields() {
            write!(f, "~{key}={value}")?;
        }
        write!(f, ".{}", self.of.extension())
    }
}

impl FromStr for Edition {
    type Err = NotDerived;

    fn from_str(name: &str) -> Result<Self, NotDerived> {
        let read = || {
            let (front, extension) = name.rsplit_once('.')?;
            let mut pieces = front.split('~');
            let of = Derived::named(pieces.next()?, extension)?;
            let edit = pieces.try_fold(Edit::WHOLE, |edit, field| {
                let (key, value) = field.split_once('=')?;
                edit.with(key, value).ok()
            })?;
            Some(Self { of, edit })
        };
        // What is written otherwise is another file's name.
        read().filter(|edition| edition.to_string() == name).ok_or_else(|| NotDerived(name.to_owned()))
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
    pub what: Edition,
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

    fn edit(fields: &[(&str, &str)]) -> Edit {
        fields.iter().fold(Edit::WHOLE, |edit, (key, value)| edit.with(key, value).unwrap())
    }

    #[test]
    fn a_name_says_what_it_is_of_and_nothing_else_does() {
        let track = TrackNumber::new(12);
        let of_containers = Container::ALL.into_iter().flat_map(|one| [Derived::Mix(one), Derived::Track(track, one)]);
        let others = [Derived::Session, Derived::TracksZip, Derived::Waveform(track), Derived::MixWaveform];
        for of in of_containers.chain(others) {
            let whole = Edition::from(of);
            assert_eq!((whole.to_string(), whole.to_string().parse()), (of.to_string(), Ok(whole)));
            let cut = Edition { of, edit: edit(&[("from", "1.5"), ("to", "60.025"), ("loudness", "-16")]) };
            assert_eq!(cut.to_string().parse(), Ok(cut));
            assert!(cut.is_asked_for() && cut != of && whole == of);
        }
        let chosen = Edition { of: Derived::Mix(Container::Wav), edit: edit(&[("tracks", "3,1"), ("from", "0.25")]) };
        assert_eq!(chosen.to_string(), "mix~tracks=1,3~from=0.25.wav");
        for name in [
            "",
            "mix",
            "mix.mp3",
            "track-.ogg",
            "track-01.ogg",
            "track-70000.ogg",
            "session.ogg",
            "mix.ogg.next",
            "mix~.ogg",
            "mix~from=1~from=2.ogg",
            "mix~to=2~from=1.ogg",
            "mix~from=1.0.ogg",
            "mix~tracks=3,1.ogg",
            "mix~from=1/2.ogg",
            "mix~speed=2.ogg",
            "~from=1.ogg",
        ] {
            assert!(name.parse::<Edition>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_longest_name_is_one_that_file_systems_allow() {
        let tracks: Vec<_> = (65_506..=65_535).map(|number: u32| number.to_string()).collect();
        assert_eq!(tracks.len(), super::super::edit::MOST_TRACKS);
        let fields = [("tracks", tracks.join(",")), ("from", "999998.123".into()), ("to", "999999.999".into())];
        let edit =
            fields.iter().fold(edit(&[("loudness", "-16.5")]), |edit, (key, value)| edit.with(key, value).unwrap());
        let longest = Edition { of: Derived::Session, edit }.to_string() + ".next";
        assert!(longest.len() <= 255, "{}", longest.len());
    }
}
