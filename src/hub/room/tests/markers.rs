//! Markers that are set in a room.

use super::*;
use crate::media::marker::{MOST_MARKERS, MarkerId};

fn mark(by: Option<Uuid>, at: Option<u64>) -> Mark {
    Mark { by, recording: None, text: "here".parse().unwrap(), at: at.map(Ticks::from_millis) }
}

#[test]
fn a_marker_is_told_to_everyone_and_recorded_on_the_sessions_clock() {
    let mut room = room(&[(ANN, Role::Speaker, Reads::V1), (BEN, Role::Listener, Reads::V1)]);
    let id = |n| MarkerId::new([n; 16]);
    assert_eq!(room.mark(at(0), id(1), mark(Some(ANN), None)), Err(Unmarked::NoSession));
    room.publish(WALL, sound(ANN, 0, 1000, 50)).unwrap();
    room.effects();
    let (_, marked) = room.mark(at(1500), id(2), mark(Some(BEN), None)).unwrap();
    assert_eq!(
        (marked.at, marked.name.unwrap().as_str()),
        (1.5, "Ben"),
        "the session began a second before its message"
    );
    let effects = room.effects();
    let kept = effects.iter().find_map(|effect| match effect {
        Effect::Record(Entry::Mark(marker)) => Some(marker.at),
        _ => None,
    });
    assert_eq!(kept, Some(Ticks::from_millis(1500)));
    let told = |effect: &&Effect| {
        matches!(effect, Effect::Deliver(Delivery::Send { to: To::Readers { of: Reads::V1, except: None }, .. }))
    };
    assert_eq!(effects.iter().filter(told).count(), 1, "also who set it");
    let (_, named) = room.mark(at(1500), id(3), mark(None, Some(250))).unwrap();
    assert_eq!((named.at, named.name), (0.25, None));
    assert_eq!(room.mark(at(1500), id(4), mark(None, Some(1501))), Err(Unmarked::PastEdge));
    let elsewhere =
        Mark { recording: Some("01932c07-fbe0-7000-8000-000000000000".parse().unwrap()), ..mark(None, None) };
    assert_eq!(room.mark(at(1500), id(5), elsewhere), Err(Unmarked::NoSession));
    for _ in 2..MOST_MARKERS {
        room.mark(at(1500), id(6), mark(None, None)).unwrap();
    }
    assert_eq!(room.mark(at(1500), id(7), mark(None, None)), Err(Unmarked::TooMany));
}
