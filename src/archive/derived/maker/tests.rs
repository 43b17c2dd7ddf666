//! What the maker does next.

use futures_util::FutureExt as _;

use super::*;
use crate::archive::model::Derived;
use crate::media::time::UnixMillis;

const AT_7: Walked = Walked { recipes: 0, row: 7 };

fn id(n: u8) -> RecordingId {
    RecordingId::new(UnixMillis::new(0), [n; 10])
}

#[test]
fn who_waits_goes_first_and_nobody_goes_twice() {
    let orders = Orders::default();
    orders.walked(Walked::BEGIN, None);
    for n in [1, 2, 1, 3, 2] {
        orders.ask(id(n));
    }
    assert_eq!(orders.want(id(3), Derived::Session.into()), Ok(0.0));
    let next: Vec<_> = std::iter::repeat_with(|| orders.take()).take(4).collect();
    assert_eq!(next, [Next::Make(id(3)), Next::Make(id(1)), Next::Make(id(2)), Next::Wait]);
}

#[test]
fn what_does_not_fit_the_queue_is_found_on_a_walk_through_all() {
    let orders = Orders::default();
    assert_eq!(orders.take(), Next::Walk(Walked::BEGIN), "each start looks for what is left over");
    orders.walked(Walked::BEGIN, Some((AT_7, id(0))));
    assert_eq!((orders.take(), orders.take()), (Next::Make(id(0)), Next::Walk(AT_7)));
    orders.walked(AT_7, None);
    assert_eq!(orders.take(), Next::Wait);
    for n in 0..100 {
        orders.ask(id(n));
    }
    assert_eq!(orders.state().asked.len(), MOST_ASKED);
    while let Next::Make(_) = orders.take() {}
    assert_eq!(orders.take(), Next::Walk(Walked::BEGIN));
}

#[test]
fn a_walk_that_begins_anew_is_not_taken_for_the_one_before() {
    let orders = Orders::default();
    orders.walked(Walked::BEGIN, Some((AT_7, id(0))));
    for n in 0..100 {
        orders.ask(id(n));
    }
    orders.walked(AT_7, None);
    while let Next::Make(_) = orders.take() {}
    assert_eq!(orders.take(), Next::Walk(Walked::BEGIN));
}

#[test]
fn a_failure_is_told_to_who_asks_next_and_then_tried_again() {
    let orders = Orders::default();
    orders.walked(Walked::BEGIN, None);
    orders.failed(id(1), "why".to_owned());
    assert_eq!(orders.want(id(1), Derived::Session.into()), Err("why".to_owned()));
    assert_eq!(orders.take(), Next::Wait);
    assert_eq!(orders.want(id(1), Derived::Session.into()), Ok(0.0));
    assert_eq!(orders.take(), Next::Make(id(1)));
}

#[test]
fn what_is_kept_off_is_let_go_of_and_not_begun() {
    let orders = Arc::new(Orders::default());
    orders.walked(Walked::BEGIN, None);
    orders.begin();
    orders.ask(id(1));
    assert_eq!(orders.take(), Next::Make(id(1)));
    let mut keeping = Box::pin(orders.keep_off(id(1)));
    assert!((&mut keeping).now_or_never().is_none(), "the maker is at it");
    assert!(matches!(orders.work.done(0), Err(Stopped::Told)));
    orders.at.send_replace(At::Idle);
    let kept = keeping.now_or_never().expect("it has let go");
    orders.ask(id(1));
    orders.ask(id(2));
    assert_eq!((orders.take(), orders.take()), (Next::Make(id(2)), Next::Wait));
    assert!(orders.work.done(0).is_ok(), "another recording is none of its business");
    drop(kept);
    orders.ask(id(1));
    assert_eq!(orders.take(), Next::Make(id(1)));
}

#[test]
fn a_stop_is_a_stop_whatever_is_begun_meanwhile() {
    let orders = Orders::default();
    orders.ask(id(1));
    assert_eq!(orders.take(), Next::Make(id(1)));
    orders.stop();
    orders.work.expect(100);
    assert!(matches!(orders.work.done(1), Err(Stopped::Told)));
    orders.ask(id(2));
    assert_eq!(orders.take(), Next::Stop);
}
