//! What an Ogg part says of its place in its recording, in a tag of its own: so that a part alone, without index and session
//! file, is not without its time.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::model::Anchor;
use crate::container::ogg::{Demuxer, Event};
use crate::media::packet::Sequence;
use crate::media::source::Codec;
use crate::media::time::Ticks;

/// The name of the tag (RFC 7845 §5.2).
pub(super) const TAG: &str = "ROOMTONE";

/// Bytes that a file has at most before its sound: a page of tags.
pub(super) const LONGEST_HEAD: u64 = 64 * 1024;

/// What the tag says: whose, from what, and where the part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Imprint {
    /// Whose it is.
    pub participant: Uuid,
    /// The codec that its publisher used.
    pub source: Codec,
    /// Where it begins.
    pub start: Anchor,
    /// The number of its first packet.
    pub first: Sequence,
}

impl Imprint {
    /// The tag that says it.
    pub fn tag(&self) -> (String, String) {
        (TAG.to_owned(), self.to_string())
    }
}

/// Whether these bytes begin as what we write of sound in Ogg.
pub(super) fn is_in(bytes: &[u8]) -> bool {
    let mut demuxer = Demuxer::new();
    demuxer.push(bytes);
    let head = matches!(demuxer.pull(), Ok(Some(Event::Head(_))));
    let Ok(Some(Event::Tags(tags))) = demuxer.pull() else { return false };
    head && tags.iter().any(|(name, value)| name == TAG && value.parse::<Imprint>().is_ok())
}

impl fmt::Display for Imprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { participant, source, start: Anchor { track, session }, first } = self;
        write!(
            f,
            "participant {participant} source {source} track {} session {} sequence {}",
            track.get(),
            session.get(),
            first.get()
        )
    }
}

impl FromStr for Imprint {
    type Err = NoImprint;

    fn from_str(text: &str) -> Result<Self, NoImprint> {
        let words: Vec<_> = text.split(' ').collect();
        let ["participant", participant, "source", source, "track", track, "session", session, "sequence", first] =
            words[..]
        else {
            return Err(NoImprint);
        };
        let number = |text: &str| text.parse().map_err(|_| NoImprint);
        Ok(Self {
            participant: participant.parse().map_err(|_| NoImprint)?,
            source: source.parse().map_err(|_| NoImprint)?,
            start: Anchor { track: Ticks::new(number(track)?), session: Ticks::new(number(session)?) },
            first: Sequence::new(number(first)?),
        })
    }
}

/// A text that says nothing of a part's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not say where a part begins")]
pub(super) struct NoImprint;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imprint_reads_what_it_wrote_and_nothing_else() {
        let imprint = Imprint {
            participant: Uuid::from_u128(7),
            source: Codec::Aac,
            start: Anchor { track: Ticks::new(1), session: Ticks::MAX },
            first: Sequence::new(3),
        };
        let text = imprint.to_string();
        assert_eq!(text.parse(), Ok(imprint));
        for none in
            ["", "participant", &text[1..], &text[..text.len() - 1], &format!("{text} "), &text.replace('7', "x")]
        {
            assert_eq!(none.parse::<Imprint>(), Err(NoImprint), "{none}");
        }
    }
}
