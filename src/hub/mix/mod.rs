//! One sound for those who want one: a lone track passed through, several mixed.
//!
//! What belongs here: who hears which of the two and when it changes ([`Ear`]), and the task that mixes ([`desk`]). What does
//! not: how sound is mixed (`media::mix`), who is in a room.
//!
//! An *ear* is what a group of listeners hears: all who only listen share one, and whoever speaks has its own, without
//! itself. While it hears one track, that track's packets go into its messages untouched, in the room's own turn. When
//! a second track brings sound, the ear goes on by what the *desk* mixes: a task of the room that decodes, sums and encodes away
//! from the threads that serve. A message that is not full yet is taken back: the mix begins where the last one ended that
//! was sent, which is the end of a packet of the first track, and the encoder has settled on what went before. When one
//! track is left, the desk ends the mix at the beginning of one of its packets, and the room passes that on.
//!
//! For samples (`?as=wav`) the desk decodes a lone track too, so there is nothing to change over.
//!
//! | queue | bound | when full |
//! |---|---|---|
//! | room to desk | [`desk::MOST_WAITING`] messages | the desk is given up and another one begun at the live edge, counted and told in the log |
//! | desk to room | one message | the desk waits |

pub mod desk;
mod ear;
#[cfg(test)]
mod tests;

pub use self::ear::{Ear, Heard};

use crate::media::mix::{BusId, Joint};
use crate::media::opus::Head;
use crate::media::packet::Packet;
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;
use uuid::Uuid;

/// What a desk is told, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Packets of a track have come.
    Sound {
        /// Which.
        track: TrackNumber,
        /// Whose it is.
        owner: Uuid,
        /// What its decoder is told.
        head: Head,
        /// The packets, each beginning where the one before it ends.
        packets: Vec<Packet>,
        /// Whether the first does not go on where the track's last one ended.
        discontinuity: bool,
        /// When they came, on the session's clock.
        at: Ticks,
    },
    /// A track has ended.
    End(TrackNumber),
    /// Begin a bus at this time.
    Begin(BusId, Ticks, Joint),
    /// End a bus.
    Stop(BusId),
    /// So late it is, on the session's clock.
    Time(Ticks),
}
