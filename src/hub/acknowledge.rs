//! What may be acknowledged of a track: all packets up to a number, and ranges behind holes.
//!
//! What belongs here: the arithmetic of holes. What does not: when an acknowledgement is sent, and to whom.

use crate::media::packet::Sequence;

/// The holes that are remembered of one track. Past it the oldest are one: what lies between them is acknowledged late.
const MOST_HOLES: usize = 64;

/// The packets of a track that the hub does not have, though it has later ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holes {
    /// From the first number up to before the second; in order, apart from each other.
    holes: Vec<(Sequence, Sequence)>,
}

/// All packets below a number, and ranges above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// All packets below this number.
    pub next: Sequence,
    /// And these, from the first number up to before the second.
    pub ranges: Vec<(Sequence, Sequence)>,
}

impl Holes {
    /// These packets are missing, from `begin` up to before `end`.
    pub fn add(&mut self, mut begin: Sequence, mut end: Sequence) {
        if end <= begin {
            return;
        }
        // Most come behind all others, and go into none or the last.
        let first = self.holes.partition_point(|hole| hole.1 < begin);
        let after = self.holes.partition_point(|hole| hole.0 <= end);
        for hole in self.holes.drain(first..after) {
            (begin, end) = (begin.min(hole.0), end.max(hole.1));
        }
        self.holes.insert(first, (begin, end));
        if self.holes.len() > MOST_HOLES {
            let second = self.holes.remove(1);
            self.holes[0].1 = second.1;
        }
    }

    /// These holes and others.
    #[must_use]
    pub fn with(&self, others: &Self) -> Self {
        let mut all = self.clone();
        for (begin, end) in &others.holes {
            all.add(*begin, *end);
        }
        all
    }

    /// What of the packets below `next` may be acknowledged.
    #[must_use]
    pub fn acknowledged(&self, next: Sequence) -> Acknowledged {
        let mut edges = self.holes.iter().filter(|hole| hole.0 < next).peekable();
        let Some(first) = edges.peek().copied() else { return Acknowledged { next, ranges: Vec::new() } };
        let mut ranges = Vec::new();
        while let Some(hole) = edges.next() {
            let end = edges.peek().map_or(next, |after| after.0);
            if hole.1 < end {
                ranges.push((hole.1, end));
            }
        }
        Acknowledged { next: first.0, ranges }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(begin: u64, end: u64) -> (Sequence, Sequence) {
        (Sequence::new(begin), Sequence::new(end))
    }

    fn acknowledged(holes: &Holes, next: u64) -> (u64, Vec<(Sequence, Sequence)>) {
        let acknowledged = holes.acknowledged(Sequence::new(next));
        (acknowledged.next.get(), acknowledged.ranges)
    }

    #[test]
    fn without_holes_everything_is_acknowledged() {
        assert_eq!(acknowledged(&Holes::default(), 7), (7, vec![]));
    }

    #[test]
    fn what_lies_behind_a_hole_is_a_range() {
        let mut holes = Holes::default();
        holes.add(Sequence::new(10), Sequence::new(12));
        holes.add(Sequence::new(12), Sequence::new(13));
        holes.add(Sequence::new(20), Sequence::new(21));
        assert_eq!(acknowledged(&holes, 9), (9, vec![]));
        assert_eq!(acknowledged(&holes, 13), (10, vec![]));
        assert_eq!(acknowledged(&holes, 20), (10, vec![range(13, 20)]));
        assert_eq!(acknowledged(&holes, 30), (10, vec![range(13, 20), range(21, 30)]));
    }

    #[test]
    fn a_hole_that_comes_late_takes_in_those_that_it_covers() {
        let mut holes = Holes::default();
        for (begin, end) in [(10, 12), (20, 22), (30, 31)] {
            holes.add(Sequence::new(begin), Sequence::new(end));
        }
        let mut late = Holes::default();
        late.add(Sequence::new(15), Sequence::new(25));
        late.add(Sequence::new(3), Sequence::new(4));
        assert_eq!(acknowledged(&late, 30), (3, vec![range(4, 15), range(25, 30)]));
        let all = holes.with(&late);
        assert_eq!(acknowledged(&all, 40), (3, vec![range(4, 10), range(12, 15), range(25, 30), range(31, 40)]));
    }

    #[test]
    fn holes_without_end_are_bounded() {
        let mut holes = Holes::default();
        for hole in 0..1000 {
            holes.add(Sequence::new(hole * 10), Sequence::new(hole * 10 + 1));
        }
        assert_eq!(holes.holes.len(), MOST_HOLES);
        assert_eq!(acknowledged(&holes, 10_000).0, 0);
        assert_eq!(holes.acknowledged(Sequence::new(10_000)).ranges.len(), MOST_HOLES);
    }
}
