//! How a connection ends by the hub's hand: one table from what went wrong to a close code, a stable word and a sentence.
//!
//! RFC 6455 §7.4.1 for the codes below 3000.

use crate::hub::connection::Refusal;
use crate::wire::packets;

/// A close that the hub sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code in the close frame.
    pub code: u16,
    /// A stable word, for programs.
    pub word: &'static str,
    /// A sentence, for people.
    pub reason: String,
}

impl Close {
    /// A kind of sound that is not accepted: 1003.
    #[must_use]
    pub fn not_accepted(reason: impl Into<String>) -> Self {
        Self { code: 1003, word: "not_supported", reason: reason.into() }
    }

    /// A broken stream or JSON: 1007.
    #[must_use]
    pub fn broken(word: &'static str, reason: impl Into<String>) -> Self {
        Self { code: 1007, word, reason: reason.into() }
    }

    /// More than may be sent at once: 1009.
    #[must_use]
    pub fn too_large(reason: impl Into<String>) -> Self {
        Self { code: 1009, word: "too_large", reason: reason.into() }
    }

    /// A rule that the client broke: 1008.
    #[must_use]
    pub fn rule(reason: impl Into<String>) -> Self {
        Self { code: 1008, word: "not_allowed", reason: reason.into() }
    }
}

impl From<Refusal> for Close {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.to_string();
        match refusal {
            Refusal::Stream(error) if error.is_unsupported() => Self::not_accepted(reason),
            Refusal::Unknown | Refusal::Decoder(_) => Self::not_accepted(reason),
            Refusal::Stream(_) => Self::broken("broken_stream", reason),
            Refusal::Packet(_) | Refusal::Block(_) => Self::broken("broken_packet", reason),
            Refusal::Room(_) | Refusal::NoTrack(_) | Refusal::OtherSource => Self::rule(reason),
            Refusal::Stopping => Self { code: 1001, word: "stopping", reason },
            Refusal::Fell(_) | Refusal::Fallen => Self { code: 1011, word: "internal", reason },
        }
    }
}

impl From<packets::Error> for Close {
    fn from(error: packets::Error) -> Self {
        Self::broken("broken_message", error.to_string())
    }
}
