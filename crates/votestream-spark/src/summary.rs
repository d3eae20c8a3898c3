//! What follows from valid votes before anybody asks who cast them: which partitioner the topic has, which votes are misrouted, and where on
//! each partition the timeline goes on to another minute. Pure.

use std::collections::BTreeMap;
use votestream_election::epoch::Range;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Minute, Offset, PartitionId};

/// Valid votes of a partition that are alike: as many, the first of them there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// Their partition.
    pub(crate) partition: PartitionId,
    /// The minute that their moment asks for.
    pub(crate) minute: i64,
    /// murmur2 puts their voters here, and their keys are their voters'.
    pub(crate) m: bool,
    /// crc32 does.
    pub(crate) c: bool,
    /// How many.
    pub(crate) records: u64,
    /// The first of them.
    pub(crate) first: Offset,
}

impl Class {
    /// A partitioner of the set puts their voters here.
    pub(crate) fn belongs(&self, set: PartitionerSet) -> bool {
        (set.murmur2 && self.m) || (set.crc32 && self.c)
    }
}

/// The partitioners that are left. As in the fold, a partition's first vote that only one of them explains decides; a vote that none explains
/// decides nothing. Where partitions disagree the lowest of them has it, and the others' votes are misrouted.
pub(crate) fn decide(possible: PartitionerSet, classes: &[Class]) -> PartitionerSet {
    if possible != PartitionerSet::ALL {
        return possible;
    }
    let first = |only: &dyn Fn(&Class) -> bool| {
        classes.iter().filter(|class| only(class)).map(|class| (class.partition, class.first)).min()
    };
    match (first(&|class| class.m && !class.c), first(&|class| class.c && !class.m)) {
        (None, None) => possible,
        (Some(m), Some(c)) if c < m => PartitionerSet { murmur2: false, crc32: true },
        (Some(_), _) => PartitionerSet::MURMUR2,
        (None, Some(_)) => PartitionerSet { murmur2: false, crc32: true },
    }
}

/// A stretch of a range during which one minute was the running maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its first offset.
    pub(crate) from: Offset,
    /// Its end, exclusive.
    pub(crate) to: Offset,
    /// The minute; `None` before the first vote of all.
    pub(crate) minute: Option<Minute>,
}

/// The steps of a range, of which there is at least one. `classes`: those whose votes belong.
pub(crate) fn steps(range: &Range, minute: Option<Minute>, classes: &[Class]) -> Vec<Step> {
    let mut firsts: BTreeMap<Offset, i64> = BTreeMap::new();
    for class in classes.iter().filter(|class| class.partition == range.partition) {
        let minute = firsts.entry(class.first).or_insert(class.minute);
        *minute = class.minute.max(*minute);
    }
    let mut steps = vec![Step { from: range.from, to: range.to, minute }];
    for (from, minute) in firsts {
        let last = steps.len() - 1;
        if steps[last].minute.is_some_and(|current| current.0 >= minute) {
            continue;
        }
        let step = Step { from, to: range.to, minute: Some(Minute(minute)) };
        if steps[last].from == from {
            steps[last] = step;
        } else {
            steps[last].to = from;
            steps.push(step);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(partition: u32, first: u64, minute: i64, (m, c): (bool, bool)) -> Class {
        Class { partition: PartitionId(partition), minute, m, c, records: 1, first: Offset(first) }
    }

    #[test]
    fn the_first_vote_that_one_partitioner_alone_explains_decides() {
        let (both, none, only_m, only_c) = ((true, true), (false, false), (true, false), (false, true));
        let left = |classes: &[Class]| decide(PartitionerSet::ALL, classes).to_text();
        assert_eq!(left(&[]), "murmur2,crc32");
        assert_eq!(left(&[class(0, 1, 0, both), class(0, 2, 0, none)]), "murmur2,crc32");
        assert_eq!(left(&[class(0, 5, 0, only_c), class(0, 9, 0, only_m)]), "crc32");
        assert_eq!(left(&[class(0, 9, 0, only_c), class(0, 5, 0, only_m)]), "murmur2");
        assert_eq!(left(&[class(1, 5, 0, only_c), class(0, 9, 0, only_m)]), "murmur2");
        assert_eq!(decide(PartitionerSet::MURMUR2, &[class(0, 0, 0, only_c)]).to_text(), "murmur2");
    }

    #[test]
    fn a_minute_never_goes_back() {
        let range = Range { partition: PartitionId(0), from: Offset(10), to: Offset(100) };
        let any = (true, false);
        let found = |minute: Option<i64>, classes: &[Class]| -> Vec<(u64, u64, Option<i64>)> {
            let steps = steps(&range, minute.map(Minute), classes);
            steps.into_iter().map(|s| (s.from.0, s.to.0, s.minute.map(|m| m.0))).collect()
        };
        assert_eq!(found(None, &[]), [(10, 100, None)]);
        assert_eq!(found(Some(7), &[class(0, 20, 7, any), class(0, 30, 5, any)]), [(10, 100, Some(7))]);
        assert_eq!(found(None, &[class(0, 10, 3, any)]), [(10, 100, Some(3))]);
        assert_eq!(
            found(
                None,
                &[class(0, 12, 3, any), class(0, 40, 9, any), class(0, 50, 8, any), class(1, 20, 99, any)]
            ),
            [(10, 12, None), (12, 40, Some(3)), (40, 100, Some(9))]
        );
    }
}
