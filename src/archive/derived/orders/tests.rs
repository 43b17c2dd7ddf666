//! What is made next.

use futures_util::FutureExt as _;

use super::super::recipe::Stopped;
use super::*;
use crate::archive::model::{Container, Derived};
use crate::media::time::UnixMillis;

const AT_7: Walked = Walked { recipes: 0, row: 7 };

fn id(n: u8) -> RecordingId {
    RecordingId::new(UnixMillis::new(0), [n; 10])
}

fn orders() -> Arc<Orders> {
    let orders = Arc::new(Orders::default());
    orders.walked(Walked::BEGIN, None);
    orders
}

/// What is taken, and let go of at once.
fn told(next: &Next) -> String {
    match next {
        Next::Stop => "stop".to_owned(),
        Next::Make(held, what) => format!("make {} {what}", held.id.uuid().as_bytes()[15]),
        Next::Visit(held) => format!("visit {}", held.id.uuid().as_bytes()[15]),
        Next::Walk(Walked::BEGIN) => "walk".to_owned(),
        Next::Walk(Walked { recipes, row }) => format!("walk {recipes} {row}"),
        Next::Wait => "wait".to_owned(),
    }
}

fn session() -> Edition {
    Derived::Session.into()
}

#[test]
fn who_waits_goes_first_and_nobody_goes_twice() {
    let orders = orders();
    for n in [1, 2, 1, 3, 2] {
        orders.ask(id(n));
    }
    assert_eq!(orders.want(id(3), session()), Ok(0.0));
    assert_eq!(orders.want(id(3), session()), Ok(0.0));
    let next: Vec<_> = std::iter::repeat_with(|| told(&orders.take())).take(5).collect();
    assert_eq!(next, ["make 3 session.webm", "visit 1", "visit 2", "visit 3", "wait"]);
}

#[test]
fn what_is_made_unasked_keeps_one_maker_and_lets_go_of_it_for_who_waits() {
    let orders = orders();
    orders.ask(id(1));
    orders.ask(id(2));
    let visit = orders.take();
    assert_eq!((told(&visit).as_str(), told(&orders.take()).as_str()), ("visit 1", "wait"));
    let Next::Visit(held) = &visit else { panic!() };
    assert!(!orders.puts_off(held));
    orders.want(id(7), session()).unwrap();
    assert!(orders.puts_off(held));
    drop(visit);
    let next: Vec<_> = std::iter::repeat_with(|| told(&orders.take())).take(3).collect();
    assert_eq!(next, ["make 7 session.webm", "visit 1", "visit 2"]);
}

#[test]
fn no_file_is_made_twice_at_a_time_nor_what_another_is_made_of() {
    let orders = orders();
    let mix: Edition = recipe::MIX.into();
    orders.want(id(1), session()).unwrap();
    let Next::Make(held, _) = orders.take() else { panic!() };
    held.work.expect(100);
    held.work.done(40).unwrap();
    // It shares the job, and sees how far it is.
    assert_eq!(orders.want(id(1), session()), Ok(0.4));
    assert_eq!(orders.making(id(1)), [(session(), 0.4)]);
    assert_eq!(orders.want(id(1), mix), Ok(0.4), "it is made for the other");
    orders.want(id(1), Derived::Mix(Container::WebM).into()).unwrap();
    assert_eq!(told(&orders.take()), "wait");
    // Of another recording, and not of the mix, they can be.
    orders.want(id(2), mix).unwrap();
    orders.want(id(1), Derived::Mix(Container::Wav).into()).unwrap();
    assert_eq!(told(&orders.take()), "make 2 mix.ogg");
    assert_eq!(told(&orders.take()), "make 1 mix.wav");
    assert!(orders.is_needed(id(1), mix) && !orders.is_needed(id(2), mix));
    let visit = orders.visit(id(1));
    assert!(!orders.begin_file(&visit, mix));
    drop(held);
    assert!(orders.begin_file(&visit, mix));
    assert_eq!(told(&orders.take()), "wait");
    drop(visit);
    assert_eq!(told(&orders.take()), "make 1 mix.webm");
}

#[test]
fn what_does_not_fit_the_queue_is_found_on_a_walk_through_all() {
    let orders = Arc::new(Orders::default());
    assert_eq!(told(&orders.take()), "walk", "each start looks for what is left over");
    orders.walked(Walked::BEGIN, Some((AT_7, id(0))));
    assert_eq!(told(&orders.take()), "visit 0");
    assert_eq!(told(&orders.take()), "walk 0 7");
    orders.walked(AT_7, None);
    assert_eq!(told(&orders.take()), "wait");
    for n in 0..100 {
        orders.ask(id(n));
    }
    assert_eq!(orders.state().asked.len(), MOST_ASKED);
    while let Next::Visit(_) = orders.take() {}
    assert_eq!(told(&orders.take()), "walk");
}

#[test]
fn a_walk_that_begins_anew_is_not_taken_for_the_one_before() {
    let orders = Arc::new(Orders::default());
    orders.walked(Walked::BEGIN, Some((AT_7, id(0))));
    for n in 0..100 {
        orders.ask(id(n));
    }
    orders.walked(AT_7, None);
    while let Next::Visit(_) = orders.take() {}
    assert_eq!(told(&orders.take()), "walk");
}

#[test]
fn a_failure_is_told_to_who_asks_next_for_that_file_and_then_tried_again() {
    let orders = orders();
    let full = NotMade::Full { bytes: 7 };
    orders.failed(id(1), session(), full);
    assert_eq!(orders.want(id(1), recipe::MIX.into()), Ok(0.0));
    assert_eq!(orders.want(id(1), session()), Err(full));
    assert_eq!(told(&orders.take()), "make 1 mix.ogg");
    assert_eq!(told(&orders.take()), "wait");
    assert_eq!(orders.want(id(1), session()), Ok(0.0));
    assert_eq!(told(&orders.take()), "make 1 session.webm");
}

#[test]
fn a_failure_is_over_when_the_file_is_made_or_nobody_asked_for_long() {
    let orders = orders();
    orders.failed(id(1), session(), NotMade::Failed);
    orders.made(id(1), session());
    assert_eq!(orders.want(id(1), session()), Ok(0.0));
    let long_ago = Instant::now().checked_sub(FAILED_FOR).expect("a clock that began before");
    orders.failed_at(id(2), session(), NotMade::Failed, long_ago);
    assert_eq!(orders.want(id(2), session()), Ok(0.0));
}

#[test]
fn what_was_to_be_made_goes_on_where_the_recording_stays() {
    for stays in [true, false] {
        let orders = orders();
        orders.ask(id(1));
        orders.want(id(1), session()).unwrap();
        let (Next::Make(made, _), Next::Visit(visited)) = (orders.take(), orders.take()) else { panic!() };
        orders.want(id(1), Derived::Mix(Container::Wav).into()).unwrap();
        let mut keeping = Box::pin(orders.keep_off(id(1)));
        assert!((&mut keeping).now_or_never().is_none());
        drop((made, visited));
        let kept = keeping.now_or_never().expect("they have let go");
        let mut changed = orders.watch();
        changed.mark_unchanged();
        if stays {
            drop(kept)
        } else {
            kept.gone()
        }
        assert!(changed.has_changed().unwrap());
        let next: Vec<_> = std::iter::repeat_with(|| told(&orders.take())).take(4).collect();
        let expected = ["make 1 mix.wav", "make 1 session.webm", "visit 1", "wait"];
        assert_eq!(next, if stays { expected } else { ["wait"; 4] });
    }
}

#[test]
fn what_is_kept_off_is_let_go_of_and_not_begun() {
    let orders = orders();
    orders.ask(id(1));
    orders.want(id(1), session()).unwrap();
    let (Next::Make(made, _), Next::Visit(visited)) = (orders.take(), orders.take()) else { panic!() };
    orders.want(id(1), recipe::MIX.into()).unwrap();
    let mut keeping = Box::pin(orders.keep_off(id(1)));
    assert!((&mut keeping).now_or_never().is_none(), "two makers are at it");
    assert!(matches!(made.work.done(0), Err(Stopped::Told)) && matches!(visited.work.done(0), Err(Stopped::Told)));
    drop(made);
    assert!((&mut keeping).now_or_never().is_none(), "one still is");
    drop(visited);
    let kept = keeping.now_or_never().expect("they have let go");
    orders.ask(id(1));
    orders.ask(id(2));
    orders.want(id(1), session()).unwrap();
    let Next::Visit(other) = orders.take() else { panic!() };
    assert_eq!((other.id, told(&orders.take()).as_str()), (id(2), "wait"));
    assert!(other.work.done(0).is_ok(), "another recording is none of its business");
    drop(kept);
    assert_eq!(told(&orders.take()), "make 1 session.webm");
}

#[test]
fn a_stop_is_a_stop_whatever_is_begun_meanwhile() {
    let orders = orders();
    orders.ask(id(1));
    let Next::Visit(held) = orders.take() else { panic!() };
    orders.stop();
    held.work.expect(100);
    assert!(matches!(held.work.done(1), Err(Stopped::Told)));
    orders.ask(id(2));
    assert_eq!(told(&orders.take()), "stop");
}
