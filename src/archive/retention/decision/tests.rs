//! The decision over lists of all kinds: what goes, why, and that nothing else does.

use proptest::prelude::*;

use super::*;

const NOW: UnixMillis = UnixMillis::new(1_795_339_680_000);
/// A disk on which there is always enough.
const WIDE: Space = Space { free: u64::MAX, capacity: u64::MAX };

/// A recording of a room, so many days old.
fn old(n: u16, room: u8, days: i64, bytes: u64) -> Candidate {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&n.to_be_bytes());
    let ended = UnixMillis::new(NOW.get() - days * DAY);
    Candidate { id: RecordingId::new(NOW, random), room: format!("room-{room}").parse().unwrap(), ended, bytes }
}

/// Decides as the keeper does: over the rooms with too much, then over all; in pages of a size.
fn decide(
    limits: Limits,
    free: u64,
    list: &[Candidate],
    page: usize,
    in_use: &[RecordingId],
) -> (Vec<(RecordingId, Reason)>, Decision) {
    let mut list = list.to_vec();
    list.sort_by_key(|candidate| (candidate.ended, candidate.id));
    let bytes = list.iter().map(|candidate| candidate.bytes).sum();
    let mut decision = Decision::new(limits, NOW, bytes, Space { free, ..WIDE });
    let mut gone = Vec::new();
    let mut rooms: Vec<_> = list.iter().map(|candidate| candidate.room.clone()).collect();
    rooms.sort();
    rooms.dedup();
    let scopes: Vec<_> = rooms.into_iter().map(Some).chain([None]).collect();
    for room in scopes {
        let of_scope = |candidate: &&Candidate| room.as_ref().is_none_or(|room| candidate.room == *room);
        let of_room: Vec<Candidate> = list.iter().filter(of_scope).cloned().collect();
        let mut scope = match room {
            Some(_) => match decision.room(of_room.iter().map(|candidate| candidate.bytes).sum()) {
                Some(scope) => scope,
                None => continue,
            },
            None => Scope::All,
        };
        for page in of_room.chunks(page) {
            let taken = decision.take(&mut scope, page, |id| in_use.contains(&id));
            gone.extend(taken.go.iter().map(|(place, reason)| (page[*place].id, *reason)));
            if !taken.more {
                break;
            }
        }
        list.retain(|candidate| gone.iter().all(|(id, _)| *id != candidate.id));
    }
    (gone, decision)
}

fn reasons(limits: Limits, free: u64, list: &[Candidate]) -> Vec<(usize, Reason)> {
    let place = |id| list.iter().position(|candidate| candidate.id == id).unwrap();
    decide(limits, free, list, 2, &[]).0.into_iter().map(|(id, reason)| (place(id), reason)).collect()
}

#[test]
fn without_a_limit_nothing_goes() {
    let list = [old(1, 1, 10_000, 1 << 60), old(2, 1, 0, 1 << 60)];
    assert_eq!(reasons(Limits::default(), 0, &list), []);
}

#[test]
fn what_is_as_old_as_the_limit_goes_and_what_is_younger_stays() {
    let limits = Limits { max_days: Some(30), ..Limits::default() };
    let list = [old(1, 1, 31, 1), old(2, 2, 30, 1), old(3, 1, 29, 1)];
    assert_eq!(reasons(limits, 0, &list), [(0, Reason::MaxDays), (1, Reason::MaxDays)]);
    let next = Candidate { ended: UnixMillis::new(list[1].ended.get() + 1), ..list[1].clone() };
    assert_eq!(reasons(limits, 0, &[next]), [], "a millisecond before");
}

#[test]
fn the_oldest_go_until_the_rest_fits_and_no_more() {
    let list = [old(1, 1, 4, 10), old(2, 2, 3, 10), old(3, 1, 2, 10), old(4, 1, 1, 10)];
    let limits = |max_bytes| Limits { max_bytes: Some(max_bytes), ..Limits::default() };
    assert_eq!(reasons(limits(40), 0, &list), []);
    assert_eq!(reasons(limits(39), 0, &list), [(0, Reason::MaxBytes)]);
    assert_eq!(reasons(limits(20), 0, &list), [(0, Reason::MaxBytes), (1, Reason::MaxBytes)]);
    assert_eq!(reasons(limits(19), 0, &list).len(), 3);
}

#[test]
fn a_rooms_limit_is_its_own() {
    let list = [old(1, 1, 4, 10), old(2, 2, 3, 10), old(3, 1, 2, 10), old(4, 1, 1, 10)];
    let limits = Limits { max_room_bytes: Some(15), ..Limits::default() };
    assert_eq!(reasons(limits, 0, &list), [(0, Reason::MaxRoomBytes), (2, Reason::MaxRoomBytes)]);
    // What goes for a room need not go for all.
    let both = Limits { max_bytes: Some(20), ..limits };
    assert_eq!(reasons(both, 0, &list).len(), 2);
}

#[test]
fn what_goes_makes_space() {
    let list = [old(1, 1, 3, 10), old(2, 2, 2, 10), old(3, 1, 1, 10)];
    let limits = Limits { min_free_bytes: Some(100), ..Limits::default() };
    assert_eq!(reasons(limits, 100, &list), []);
    assert_eq!(reasons(limits, 85, &list), [(0, Reason::MinFreeBytes), (1, Reason::MinFreeBytes)]);
}

#[test]
fn what_is_in_use_stays_and_the_next_goes_in_its_place() {
    let list = [old(1, 1, 3, 10), old(2, 1, 2, 10), old(3, 1, 1, 10)];
    let limits = Limits { max_bytes: Some(20), ..Limits::default() };
    let (gone, decision) = decide(limits, 0, &list, 1, &[list[0].id]);
    assert_eq!(gone, [(list[1].id, Reason::MaxBytes)]);
    assert_eq!(decision.unmet(Scope::All), []);
    let all: Vec<_> = list.iter().map(|candidate| candidate.id).collect();
    let (gone, decision) = decide(limits, 0, &list, 1, &all);
    assert_eq!((gone, decision.unmet(Scope::All)), (vec![], vec![Reason::MaxBytes]));
}

#[test]
fn a_limit_that_live_recordings_alone_pass_is_unmet() {
    let decision = Decision::new(Limits { max_bytes: Some(5), ..Limits::default() }, NOW, 10, WIDE);
    assert_eq!(decision.unmet(Scope::All), [Reason::MaxBytes]);
    assert_eq!(decision.unmet(Scope::Room { over: 1 }), [Reason::MaxRoomBytes]);
    assert_eq!(decision.unmet(Scope::Room { over: 0 }), []);
}

fn limits() -> impl Strategy<Value = Limits> {
    let some = |range| proptest::option::of(range);
    (proptest::option::of(1..40_u32), some(0..400_u64), some(0..200_u64), some(0..400_u64)).prop_map(
        |(max_days, max_bytes, max_room_bytes, min_free_bytes)| Limits {
            max_days,
            max_bytes,
            max_room_bytes,
            min_free_bytes,
        },
    )
}

fn list() -> impl Strategy<Value = Vec<(Candidate, bool)>> {
    let one = (0..4_u8, 0..50_i64, 0..50_u64, proptest::bool::weighted(0.2));
    proptest::collection::vec(one, 0..40).prop_map(|all| {
        let numbered = (0_u16..).zip(all);
        numbered.map(|(n, (room, days, bytes, used))| (old(n, room, days, bytes), used)).collect()
    })
}

proptest! {
    #[test]
    fn the_oldest_go_and_no_more_than_the_limits_ask_for(
        limits in limits(), list in list(), free in 0..400_u64, page in 1..7_usize,
    ) {
        let in_use: Vec<_> = list.iter().filter(|(_, used)| *used).map(|(candidate, _)| candidate.id).collect();
        let list: Vec<_> = list.into_iter().map(|(candidate, _)| candidate).collect();
        let (gone, decision) = decide(limits, free, &list, page, &in_use);
        let reason = |candidate: &Candidate| gone.iter().find(|(id, _)| *id == candidate.id).map(|(_, reason)| *reason);
        let stays = |candidate: &&Candidate| reason(candidate).is_none();

        // Nothing that is in use, and nothing twice.
        prop_assert!(gone.iter().all(|(id, _)| !in_use.contains(id)));
        prop_assert_eq!(list.iter().filter(|candidate| reason(candidate).is_some()).count(), gone.len());
        // Pages of any size decide the same.
        let mut whole = decide(limits, free, &list, 1000, &in_use).0;
        let mut paged = gone.clone();
        whole.sort_by_key(|(id, _)| *id);
        paged.sort_by_key(|(id, _)| *id);
        prop_assert_eq!(whole, paged);

        let left: u64 = list.iter().filter(stays).map(|candidate| candidate.bytes).sum();
        let free = free + list.iter().map(|candidate| candidate.bytes).sum::<u64>() - left;
        for candidate in &list {
            let key = |candidate: &Candidate| (candidate.ended, candidate.id);
            // Of what may go, nothing older stayed where something went for the same.
            let older_stays = |of_room: bool| list.iter().filter(stays).any(|other| {
                key(other) < key(candidate) && !in_use.contains(&other.id) && (!of_room || other.room == candidate.room)
            });
            let room: u64 = list.iter().filter(stays)
                .filter(|other| other.room == candidate.room).map(|other| other.bytes).sum();
            match reason(candidate) {
                None => {
                    let free_to_go = !in_use.contains(&candidate.id);
                    // Whatever may go and stays breaks no limit.
                    prop_assert!(!free_to_go || limits.max_bytes.is_none_or(|most| left <= most));
                    prop_assert!(!free_to_go || limits.max_room_bytes.is_none_or(|most| room <= most));
                    prop_assert!(!free_to_go || limits.min_free_bytes.is_none_or(|least| free >= least));
                    prop_assert!(!free_to_go || !decision.is_old(candidate));
                }
                Some(Reason::MaxDays) => prop_assert!(decision.is_old(candidate)),
                // With it there would be too much, and with all that went for it, too.
                Some(Reason::MaxRoomBytes) => {
                    let went: u64 = list.iter().filter(|other| {
                        other.room == candidate.room && key(other) > key(candidate) && reason(other).is_some()
                    }).map(|other| other.bytes).sum();
                    prop_assert!(room + candidate.bytes + went > limits.max_room_bytes.unwrap());
                    prop_assert!(!older_stays(true));
                }
                Some(Reason::MaxBytes) => prop_assert!(!older_stays(false)),
                Some(Reason::MinFreeBytes) => prop_assert!(!older_stays(false)),
            }
        }
        // The last that went was one too many to stay.
        let last = list.iter().filter(|candidate| {
            matches!(reason(candidate), Some(Reason::MaxBytes | Reason::MinFreeBytes))
        }).max_by_key(|candidate| (candidate.ended, candidate.id));
        if let Some(last) = last {
            let over = limits.max_bytes.is_some_and(|most| left + last.bytes > most);
            let short = limits.min_free_bytes.is_some_and(|least| free - last.bytes < least);
            prop_assert!(over || short);
        }
    }
}
