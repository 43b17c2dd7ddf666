//! The desk of a room: a task that has sound mixed, while anybody is to hear some that is.
//!
//! What belongs here: handing orders to the mixer, away from the threads that serve, and what it makes back to the room. What
//! does not: what is ordered (`room`).
//!
//! A panic of a codec ends the desk, and the room begins another one: it costs the mix a moment, and nobody anything else.

use actix::{Message, Recipient};
use tokio::sync::mpsc;

use super::Order;
use crate::hub::offload::{For, offload};
use crate::media::mix::{Made, Mixer};

/// Messages of a room that may wait for its desk.
pub const MOST_WAITING: usize = 64;

/// What a desk tells its room.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Mixed {
    /// Which of the room's desks it is.
    pub desk: u64,
    /// What it made; none where it is at its end: it fell, or the room has let go of it.
    pub made: Option<Vec<Made>>,
}

/// A room's hold on its desk, which ends when this is dropped.
#[derive(Debug)]
pub struct Desk {
    /// Which of the room's desks it is.
    pub number: u64,
    orders: mpsc::Sender<Vec<Order>>,
}

/// The desk does not keep up, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind;

impl Desk {
    /// Starts a desk. To be called within an actix system.
    #[must_use]
    pub fn start(number: u64, room: Recipient<Mixed>) -> Self {
        let (orders, waiting) = mpsc::channel(MOST_WAITING);
        actix::spawn(work(number, waiting, room));
        Self { number, orders }
    }

    /// Hands orders to the desk.
    ///
    /// # Errors
    /// Where too many wait: the desk is to be given up.
    pub fn order(&self, orders: Vec<Order>) -> Result<(), Behind> {
        self.orders.try_send(orders).map_err(|_| Behind)
    }
}

/// Works until the room lets go of the desk, or it falls; and says so.
async fn work(number: u64, waiting: mpsc::Receiver<Vec<Order>>, room: Recipient<Mixed>) {
    mix(number, waiting, &room).await;
    // Whether the room is still there is the same now.
    let _ = room.send(Mixed { desk: number, made: None }).await;
}

async fn mix(number: u64, mut waiting: mpsc::Receiver<Vec<Order>>, room: &Recipient<Mixed>) {
    let mut mixer = Mixer::new();
    while let Some(mut orders) = waiting.recv().await {
        // Nobody wants what it would make of what still waits.
        if waiting.is_closed() {
            return;
        }
        // What came meanwhile is done in one go.
        while let Ok(more) = waiting.try_recv() {
            orders.extend(more);
        }
        let done = offload(For::Mixing, move || {
            let made = carry_out(&mut mixer, orders);
            (mixer, made)
        });
        let Ok((back, made)) = done.await else { return };
        mixer = back;
        if !made.is_empty() && room.send(Mixed { desk: number, made: Some(made) }).await.is_err() {
            return;
        }
    }
}

/// Does what was ordered, and gives what can be made then.
pub fn carry_out(mixer: &mut Mixer, orders: Vec<Order>) -> Vec<Made> {
    let mut now = None;
    for order in orders {
        match order {
            Order::Sound { track, owner, head, packets, discontinuity, at } => {
                mixer.push(track, owner, head, &packets, discontinuity, at);
                now = Some(at);
            }
            Order::End(track) => mixer.end(track),
            Order::Begin(bus, time, joint) => mixer.begin(bus, time, joint),
            Order::Stop(bus) => mixer.stop(bus),
            Order::Time(at) => now = Some(at),
        }
    }
    now.map(|now| mixer.pull(now)).unwrap_or_default()
}
