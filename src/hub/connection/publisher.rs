//! The way from a stream to the room: its packets go there no faster than the room's clock allows.
//!
//! What belongs here: waiting. What does not: what the packets are (`publishing.rs`), where they lie (the room).

use std::time::Duration;

use actix::Addr;

use super::publishing::{Batch, Decoded, Stream};
use super::{Refusal, Warning};
use crate::hub::fanout::MemberId;
use crate::hub::room::{Publish, Room};
use crate::hub::time::Clock;
use crate::media::time::Moment;

/// Hands one message's packets to the room.
pub struct Publisher {
    pub room: Addr<Room>,
    pub member: MemberId,
    /// The publisher's own number for the track.
    pub local: u16,
    pub clock: Clock,
    /// When the packets arrived; once they had to wait, when the wait was over.
    pub arrived: Moment,
}

impl Publisher {
    /// Hands over what has come of a stream.
    ///
    /// # Errors
    /// Where the stream cannot go on, or the room does not take it; behind everything that came before.
    pub async fn publish(&mut self, stream: &Stream) -> Result<Vec<Warning>, Refusal> {
        let mut said = Vec::new();
        loop {
            let Decoded { batches, warnings, refusal, more } = stream.decode().await;
            for batch in batches {
                self.send(stream, batch).await?;
            }
            said.extend(warnings);
            match refusal {
                Some(refusal) => return Err(refusal),
                None if more => {}
                None => return Ok(said),
            }
        }
    }

    /// Nothing more will come of a stream: hands over what it holds.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub async fn finish(&mut self, stream: &Stream) -> Result<Vec<Warning>, Refusal> {
        stream.finish();
        self.publish(stream).await
    }

    async fn send(&mut self, stream: &Stream, batch: Batch) -> Result<(), Refusal> {
        let Batch { format, source, mut restarted, mut first, packets } = batch;
        // Taken from the front, a few at a time: what is left of a long message is not moved for each of them.
        let mut packets = packets.into_iter();
        if restarted {
            self.wait(stream.pace.start(self.clock.now())).await;
        }
        loop {
            let count = match stream.pace.fitting(self.clock.now(), packets.as_slice()) {
                Ok(count) => count,
                Err(wait) => {
                    self.wait(wait.as_duration()).await;
                    continue;
                }
            };
            let fitting = packets.by_ref().take(count).collect();
            let Self { member, local, arrived, .. } = *self;
            let format = format.clone();
            let publish = Publish { member, local, format, source, restarted, first, packets: fitting, arrived };
            let ahead = gone(self.room.send(publish).await)??;
            stream.pace.told(arrived, ahead);
            if packets.as_slice().is_empty() {
                return Ok(());
            }
            restarted = false;
            first = first.map(|first| first.after(count as u64));
        }
    }

    /// What comes after a wait arrives behind it.
    async fn wait(&mut self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
            self.arrived = self.clock.now();
        }
    }
}

/// A room whose mailbox is closed is gone with its hub: it is not forgotten while a connection holds it.
pub fn gone<T>(answer: Result<T, actix::MailboxError>) -> Result<T, Refusal> {
    answer.map_err(|_| Refusal::Stopping)
}
