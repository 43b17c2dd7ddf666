//! `GET /storage`: what recordings take of the disk, what they may, what goes next, and what went.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::Here;
use super::super::problem::{Kind, Problem};
use super::{READY, read_only};
use crate::archive::model::RecordingId;
use crate::archive::{self, Count, Deletion, Next, RoomStorage};
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(read_only("/storage", storage));
}

async fn storage(edge: Here) -> Result<HttpResponse, Problem> {
    match tokio::time::timeout(READY, edge.archive.storage()).await {
        Ok(storage) => Ok(HttpResponse::Ok().json(Storage::from(storage?))),
        Err(_) => Err(Problem::new(Kind::NotReady, "The disk does not answer.")),
    }
}

#[derive(Debug, Serialize)]
struct Storage {
    recordings: u64,
    bytes: u64,
    free: u64,
    capacity: u64,
    /// Whether less than 5 % of the disk is free.
    low: bool,
    limits: Limits,
    /// The limits that are passed, though everything went that may.
    unmet: Vec<&'static str>,
    rooms: Vec<Room>,
    /// What was deleted, and the disk would not remove yet.
    unremoved: Value,
    next: Vec<Going>,
    deleted: Deleted,
}

/// What a person allows; null is no limit.
#[derive(Debug, Serialize)]
struct Limits {
    max_days: Option<u32>,
    max_bytes: Option<u64>,
    max_room_bytes: Option<u64>,
    min_free_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Room {
    room: RoomName,
    recordings: u64,
    bytes: u64,
    /// What goes first when the room's limit is passed; null where there is none.
    next: Option<RecordingId>,
}

#[derive(Debug, Serialize)]
struct Going {
    id: RecordingId,
    room: RoomName,
    ended: UnixMillis,
    bytes: u64,
    /// When it goes at the latest; null where days are not limited.
    expires: Option<UnixMillis>,
}

#[derive(Debug, Serialize)]
struct Deleted {
    /// The start of the hub.
    since: Option<UnixMillis>,
    recordings: u64,
    bytes: u64,
    /// The same for each limit, by its name.
    reasons: Map<String, Value>,
    latest: Vec<Gone>,
}

#[derive(Debug, Serialize)]
struct Gone {
    at: UnixMillis,
    reason: &'static str,
    id: RecordingId,
    room: RoomName,
    title: Option<String>,
    ended: UnixMillis,
    bytes: u64,
}

impl From<archive::Storage> for Storage {
    fn from(storage: archive::Storage) -> Self {
        let archive::Limits { max_days, max_bytes, max_room_bytes, min_free_bytes } = storage.limits;
        Self {
            recordings: storage.all.recordings,
            bytes: storage.all.bytes,
            free: storage.space.free,
            capacity: storage.space.capacity,
            low: storage.space.is_low(),
            limits: Limits { max_days, max_bytes, max_room_bytes, min_free_bytes },
            unmet: storage.unmet.into_iter().map(archive::Reason::word).collect(),
            rooms: storage.rooms.into_iter().map(Room::from).collect(),
            unremoved: told(&storage.unremoved),
            next: storage.next.into_iter().map(Going::from).collect(),
            deleted: storage.deleted.into(),
        }
    }
}

fn told(count: &Count) -> Value {
    json!({ "recordings": count.recordings, "bytes": count.bytes })
}

impl From<RoomStorage> for Room {
    fn from(RoomStorage { room, count: Count { recordings, bytes }, next }: RoomStorage) -> Self {
        Self { room, recordings, bytes, next }
    }
}

impl From<Next> for Going {
    fn from(Next { id, room, ended, bytes, expires }: Next) -> Self {
        Self { id, room, ended, bytes, expires }
    }
}

impl From<archive::Deleted> for Deleted {
    fn from(archive::Deleted { since, by, latest }: archive::Deleted) -> Self {
        Self {
            since,
            recordings: by.iter().map(|(_, count)| count.recordings).sum(),
            bytes: by.iter().map(|(_, count)| count.bytes).sum(),
            reasons: by.iter().map(|(reason, count)| (reason.word().to_owned(), told(count))).collect(),
            latest: latest.into_iter().map(Gone::from).collect(),
        }
    }
}

impl From<Deletion> for Gone {
    fn from(Deletion { at, reason, id, room, title, ended, bytes }: Deletion) -> Self {
        Self { at, reason: reason.word(), id, room, title, ended, bytes }
    }
}
