//! Who is in a room and what is said: plain functions that give [`Effect`]s.
//!
//! What belongs here: members, chat, what is told to whom. What does not: the session and its recordings (`session.rs`), how
//! packets are placed and muxed (`sound.rs`), and who carries the effects out (`mod.rs`).

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;

use super::super::fanout::{Delivery, MemberId, Reads, To};
use super::super::mix::{Ear, Order};
use super::super::outbox::{Cargo, Frame};
use super::super::recorder::{Entry, NewSession};
use super::super::rendition::{Layout, Plain, Rendition};
use super::super::session::{Census, Patience};
use super::messages::{Description, Role};
use super::pace::Pace;
use super::session::Session;
use super::track::Track;
use crate::archive::model::EndReason;
use crate::media::room::RoomName;
use crate::media::time::{Moment, UnixMillis};
use crate::wire::v1::{Notice, Participant};
use crate::wire::{frame, socket_io};

/// The longest line of chat that is kept with a recording, in bytes. A longer one is said, and not kept.
pub const LONGEST_KEPT_LINE: usize = 16 * 1024;
/// The most chat that is kept with a recording, in bytes: a novel. What comes after is said, and not kept.
pub const MOST_KEPT_CHAT: usize = 1024 * 1024;
/// The most comings that are kept with a recording: a busy public room for a day. Who comes later is there, and not kept.
pub const MOST_ATTENDANCE: usize = 10_000;
/// The count of listeners is told at most this often.
const LISTENERS_TOLD: Duration = Duration::from_secs(1);

/// What the room's actor has to do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Hand this to the workers.
    Deliver(Delivery),
    /// Start a recorder, in the place of the one before.
    Begin(NewSession),
    /// Hand this to the session's recorder.
    Record(Entry),
    /// Hand this to the desk, which is started for it where there is none.
    Mix(Order),
    /// Let go of the desk: nobody hears anything that is mixed.
    NoMix,
}

/// Someone in the room.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) participant: Participant,
    pub(super) role: Role,
    pub(super) reads: Reads,
    /// Whether it has an ear of its own, since it has spoken.
    pub(super) apart: bool,
}

/// A room, without its actor.
#[derive(Debug)]
pub struct State {
    pub(super) name: RoomName,
    pub(super) patience: Patience,
    pub(super) members: HashMap<MemberId, Member>,
    /// How many members read what: counted, since it is asked for every message.
    readers: HashMap<Reads, usize>,
    /// How many members are speakers.
    speaking: usize,
    pub(super) tracks: Vec<Track>,
    /// What those hear who hear each speaker for itself.
    pub(super) renditions: HashMap<Layout, Rendition>,
    /// What those hear who hear one sound: all of them together, and each who speaks, without itself.
    pub(super) ears: HashMap<Option<MemberId>, Ear>,
    /// How many have ears of their own, by what they read.
    pub(super) apart: HashMap<Layout, usize>,
    /// Whether the desk works.
    pub(super) mixing: bool,
    pub(super) session: Option<Session>,
    /// Whether a recording may begin, as far as the room was told.
    pub(super) disk_is_well: bool,
    /// Whether the room is recorded, as someone has set it.
    pub(super) record: bool,
    pub(super) effects: Vec<Effect>,
    listeners_told: (Moment, usize),
    /// When the hub is told.
    pace: Pace,
}

impl State {
    /// An empty room.
    #[must_use]
    pub fn new(name: RoomName, patience: Patience) -> Self {
        Self {
            name,
            patience,
            members: HashMap::new(),
            readers: HashMap::new(),
            speaking: 0,
            tracks: Vec::new(),
            renditions: HashMap::new(),
            ears: HashMap::new(),
            apart: HashMap::new(),
            mixing: false,
            session: None,
            disk_is_well: false,
            record: true,
            effects: Vec::new(),
            listeners_told: (Moment::START, 0),
            pace: Pace::default(),
        }
    }

    /// What is to be done since this was last asked.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether time changes anything here: a track is live, or a session has not ended, or someone is to be told.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        let to_tell = self.listeners() != self.listeners_told.1 || self.pace.is_waiting();
        !self.tracks.is_empty() || self.session.is_some() || to_tell
    }

    /// What the hub is to be told: what is going on, where that has changed and it is time.
    pub fn news(&mut self, now: Moment) -> Option<Description> {
        self.pace.take(now).then(|| self.describe(now))
    }

    /// Takes a member in: it is welcomed, and the others are told.
    pub fn join(&mut self, now: Moment, participant: Participant, role: Role, reads: Reads) {
        let member = participant.id;
        if role == Role::Speaker {
            self.tell(Notice::Joined { participant: participant.clone() }, None);
            self.tell_socket_io(None, Cargo::Kept, || socket_io::joined(&participant));
        }
        let welcome = match reads {
            Reads::V1 | Reads::V1Pcm => Some(notice(&Notice::Welcome {
                participant: participant.clone(),
                room: self.name.clone(),
                participants: self.speakers(),
                listeners: self.listeners(),
                tracks: self.tracks.iter().filter_map(Track::told).collect(),
                session: self.session.as_ref().and_then(|session| session.in_progress(now)),
            })),
            Reads::SocketIo => Some(Frame { bytes: socket_io::connected(member), cargo: Cargo::Kept }),
            Reads::Plain(_) => None,
        };
        if role == Role::Speaker
            && let Some(session) = &self.session
        {
            self.keep_coming(session.at(now), participant.clone());
        }
        self.pace.changed();
        self.members.insert(member, Member { participant, role, reads, apart: false });
        *self.readers.entry(reads).or_default() += 1;
        self.speaking += usize::from(role == Role::Speaker);
        match reads {
            Reads::Plain(Plain { layout, mixed: true }) => {
                self.ears.entry(None).or_insert_with(|| Ear::new(None)).read(layout);
            }
            reads => {
                if let Some(layout) = reads.each() {
                    self.renditions.entry(layout).or_insert_with(|| Rendition::new(layout));
                }
            }
        }
        self.effects.push(Effect::Deliver(Delivery::Enter { member, welcome }));
        self.tell_trouble(member);
    }

    /// Lets a member go; its tracks end.
    pub fn leave(&mut self, now: Moment, wall: UnixMillis, member: MemberId) {
        let Some(gone) = self.members.remove(&member) else { return };
        self.pace.changed();
        self.readers.entry(gone.reads).and_modify(|count| *count = count.saturating_sub(1));
        self.speaking -= usize::from(gone.role == Role::Speaker);
        let numbers: Vec<_> =
            self.tracks.iter().filter(|track| track.member == member).map(|track| track.number).collect();
        for number in numbers {
            self.end_track(number);
        }
        match gone.reads {
            Reads::Plain(Plain { layout, mixed: true }) => self.leave_ear(member, layout, gone.apart),
            reads => {
                let unread =
                    |layout: &Layout| self.readers.iter().all(|(of, count)| *count == 0 || of.each() != Some(*layout));
                if let Some(layout) = reads.each().filter(unread) {
                    self.renditions.remove(&layout);
                }
            }
        }
        if gone.role == Role::Speaker {
            self.tell(Notice::Left { participant: member }, None);
            self.tell_socket_io(None, Cargo::Kept, || socket_io::left(&gone.participant));
            self.keep_going(now, member);
        }
        self.step_session(now, wall);
    }

    /// Someone says something: the others hear of it, and the recording keeps it.
    pub fn say(&mut self, now: Moment, member: MemberId, text: String) {
        let Some(participant) = self.members.get(&member).map(|member| member.participant.clone()) else { return };
        self.tell_plain(Some(member), || Frame { bytes: frame::text(&text), cargo: Cargo::Text });
        let chat = Notice::Chat { participant: participant.clone(), text: text.clone() };
        self.tell_as(&chat, Cargo::Text, Some(member));
        self.tell_socket_io(Some(member), Cargo::Text, || socket_io::chat(&participant, &text));
        self.keep_chat(now, participant, text);
    }

    /// Passes a binary message on as it is, to the other members who read such.
    pub fn relay(&mut self, member: MemberId, bytes: &[u8]) {
        let framed = frame::binary(bytes);
        self.tell_plain(Some(member), || Frame { bytes: framed.clone(), cargo: Cargo::Relay });
        if let Some(participant) = self.members.get(&member).map(|member| member.participant.clone()) {
            self.tell_socket_io(Some(member), Cargo::Relay, || socket_io::chunk(&participant, &framed));
        }
    }

    /// Answers a ping.
    pub fn ping(&mut self, now: Moment, member: MemberId, time: u64) {
        let session_ticks = self.session.as_ref().map(|session| session.at(now));
        self.tell_one(member, &Notice::Pong { time, session_ticks });
    }

    /// What is going on.
    #[must_use]
    pub fn describe(&self, now: Moment) -> Description {
        Description {
            name: self.name.clone(),
            participants: self.speakers(),
            listeners: self.listeners(),
            tracks: self.tracks.iter().filter_map(Track::told).collect(),
            session: self.session.as_ref().and_then(|session| session.in_progress(now)),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment, wall: UnixMillis) {
        self.tick_tracks(now);
        self.step_session(now, wall);
        let listeners = self.listeners();
        if listeners != self.listeners_told.1 && now.since(self.listeners_told.0) >= LISTENERS_TOLD {
            self.listeners_told = (now, listeners);
            self.tell(Notice::Listeners { count: listeners }, None);
        }
    }

    /// The hub stops: everything ends.
    pub fn close(&mut self, now: Moment, wall: UnixMillis) {
        let numbers: Vec<_> = self.tracks.iter().map(|track| track.number).collect();
        for number in numbers {
            self.end_track(number);
        }
        if let Some(session) = &mut self.session {
            session.life = session.life.cut(now, Census::default(), EndReason::Stopped);
        }
        self.step_session(now, wall);
    }

    /// The room's name.
    #[must_use]
    pub const fn name(&self) -> &RoomName {
        &self.name
    }

    /// Tells everyone who speaks `roomtone.v1`; and, with what else is new, the hub.
    pub(super) fn tell(&mut self, told: Notice, except: Option<MemberId>) {
        self.pace.changed();
        self.tell_as(&told, Cargo::Kept, except);
    }

    fn tell_as(&mut self, told: &Notice, cargo: Cargo, except: Option<MemberId>) {
        let reading: Vec<_> = Reads::ANY_V1.into_iter().filter(|of| self.readers(*of) > 0).collect();
        if reading.is_empty() {
            return;
        }
        let frame = Frame { cargo, ..notice(told) };
        for of in reading {
            let to = To::Readers { of, except };
            self.effects.push(Effect::Deliver(Delivery::Send { to, frame: frame.clone() }));
        }
    }

    /// Tells one member, if it speaks `roomtone.v1`.
    pub(super) fn tell_one(&mut self, member: MemberId, told: &Notice) {
        if self.members.get(&member).is_some_and(|member| member.reads.is_v1()) {
            self.effects.push(Effect::Deliver(Delivery::to(member, notice(told))));
        }
    }

    fn tell_plain(&mut self, except: Option<MemberId>, make: impl FnOnce() -> Frame) {
        let plain = |reads: &Reads| matches!(reads, Reads::Plain(_)) && self.readers(*reads) > 0;
        let readers: Vec<Reads> = self.readers.keys().copied().filter(plain).collect();
        if readers.is_empty() {
            return;
        }
        let frame = make();
        for of in readers {
            self.effects.push(Effect::Deliver(Delivery::Send { to: To::Readers { of, except }, frame: frame.clone() }));
        }
    }

    /// Tells everyone who reads events of Socket.IO.
    fn tell_socket_io(&mut self, except: Option<MemberId>, cargo: Cargo, make: impl FnOnce() -> Bytes) {
        if self.readers(Reads::SocketIo) > 0 {
            let frame = Frame { bytes: make(), cargo };
            let to = To::Readers { of: Reads::SocketIo, except };
            self.effects.push(Effect::Deliver(Delivery::Send { to, frame }));
        }
    }

    pub(super) fn readers(&self, reads: Reads) -> usize {
        self.readers.get(&reads).copied().unwrap_or_default()
    }

    pub(super) fn speakers(&self) -> Vec<Participant> {
        let speakers = self.members.values().filter(|member| member.role == Role::Speaker);
        speakers.map(|member| member.participant.clone()).collect()
    }

    fn listeners(&self) -> usize {
        self.members.len() - self.speaking
    }
}

fn notice(told: &Notice) -> Frame {
    Frame { bytes: frame::text(&told.to_json()), cargo: Cargo::Kept }
}
