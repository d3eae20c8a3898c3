//! How much an epoch takes, and which files of voters are merged. Pure.

use votestream_election::delta::VoterFile;
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::Range;
use votestream_election::{Offset, PartitionId};

/// Records of an epoch, where so many wait. Each epoch looks its voters up in all files of voters, and has some five seconds of planning: the
/// more it takes, the less of both a vote costs. It is also what a killed epoch loses at most, how long a page waits for it, and what a
/// server must hold beside what it keeps: one of 2 GiB ran out of memory in its fifth epoch of four million, sixteen million voters in.
pub const RECORDS: u64 = 2_000_000;
/// So many records are read ahead of an epoch at most: a server must hold them beside that epoch's.
pub const AHEAD_MAX: u64 = 250_000;
/// Files of a tier differ by less than this factor, as a power of two; so many of one tier are merged, the smallest tier first. A voter is
/// then rewritten a few times, however long the night.
const TIER_BITS: u32 = 4;
const FANOUT: usize = 16;
/// Files with rows of more than so many bits are merged less often: to open one takes next to nothing of what it takes to read it.
const LARGE_BITS: u32 = 16;
const LARGE_FANOUT: usize = 64;
/// So many files are read under `last` before they are merged.
const LAST_FILES_MAX: usize = 64;

/// How many offsets wait: (partition, next, end).
pub fn backlog(waiting: &[(PartitionId, Offset, Offset)]) -> u64 {
    waiting.iter().map(|(_, next, end)| end.0.saturating_sub(next.0)).sum()
}

/// Deals `records` out to partitions by what waits in each: (partition, next, end).
pub fn ranges(waiting: &[(PartitionId, Offset, Offset)], records: u64) -> Vec<Range> {
    let backlog = backlog(waiting);
    let share = |left: u64| {
        let part = u128::from(left) * u128::from(records) / u128::from(backlog.max(1));
        left.min(u64::try_from(part).unwrap_or(u64::MAX).max(1))
    };
    let ranges = waiting.iter().map(|(partition, next, end)| {
        let left = end.0.saturating_sub(next.0);
        let take = if backlog <= records || left == 0 { left } else { share(left) };
        Range { partition: *partition, from: *next, to: next.plus(take) }
    });
    ranges.filter(|range| range.from < range.to).collect()
}

/// Files to merge, if any are worth it. Under `last` all or none: whose row is a voter's first is told by what other files hold.
pub fn to_merge(files: &[VoterFile], policy: DuplicatePolicy) -> Option<Vec<VoterFile>> {
    if policy == DuplicatePolicy::Last {
        return (files.len() >= LAST_FILES_MAX).then(|| files.to_vec());
    }
    let tier = |file: &VoterFile| file.rows.max(1).ilog2() / TIER_BITS;
    (0..=u64::BITS / TIER_BITS).find_map(|level| {
        let alike: Vec<_> = files.iter().filter(|file| tier(file) == level).cloned().collect();
        let enough = if level * TIER_BITS < LARGE_BITS { FANOUT } else { LARGE_FANOUT };
        (alike.len() >= enough).then_some(alike)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(left: &[u64]) -> Vec<(PartitionId, Offset, Offset)> {
        (0..).zip(left).map(|(p, left)| (PartitionId(p), Offset(10), Offset(10 + left))).collect()
    }

    #[test]
    fn a_small_backlog_is_taken_whole_and_a_large_one_by_shares() {
        let taken = |left: &[u64], records| -> Vec<(u32, u64)> {
            let ranges = ranges(&waiting(left), records);
            ranges.iter().map(|r| (r.partition.0, r.to.0 - r.from.0)).collect()
        };
        assert_eq!(taken(&[5, 0, 7], 12), [(0, 5), (2, 7)]);
        assert_eq!(taken(&[300, 100, 0], 200), [(0, 150), (1, 50)]);
        assert_eq!(taken(&[1, 1_000_000], 100), [(0, 1), (1, 99)]);
        assert_eq!(taken(&[u64::MAX / 2, 5], 10), [(0, 9), (1, 1)]);
    }

    /// Voters looked through for each vote, where every record is a new voter.
    fn looked_through(votes: u64) -> f64 {
        let (mut known, mut looked) = (0, 0);
        while known < votes {
            looked += known;
            known += RECORDS.min(votes - known);
        }
        looked as f64 / votes as f64
    }

    #[test]
    fn looking_up_does_not_grow_with_the_square() {
        let (five, fifty) = (looked_through(5_000_000), looked_through(50_000_000));
        assert!(five < 1.5 && fifty < 12.5, "{five} {fifty}");
    }

    #[test]
    fn files_stay_few_and_are_rewritten_seldom() {
        let file = |at: u64, rows| VoterFile { path: format!("{at:08}"), rows, voters: rows };
        let (mut files, mut rewritten, mut total) = (Vec::new(), 0, 0);
        for at in 0..20_000 {
            files.push(file(at, 20_000));
            total += 20_000;
            if let Some(chosen) = to_merge(&files, DuplicatePolicy::First) {
                let rows = chosen.iter().map(|f| f.rows).sum();
                files.retain(|file| !chosen.contains(file));
                files.push(file(1_000_000 + at, rows));
                rewritten += rows;
            }
            assert!(files.len() < 2 * FANOUT + 3 * LARGE_FANOUT, "{}", files.len());
        }
        assert!(rewritten < 5 * total, "{rewritten} of {total}");
    }
}
