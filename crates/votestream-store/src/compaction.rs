//! Which rows of seen voters to merge: tiers by size, so that counting live for hours keeps few rows and rewrites each voter about
//! three times. Pure; reading, merging and replacing the rows is the backends' business.

use std::ops::Range;
use votestream_election::delta::PartitionDelta;

/// The rows of one flush, or what they were merged into: a contiguous range of offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) rows: u32,
    pub(crate) bytes: u64,
}

impl Group {
    /// The rows that a delta leaves.
    pub(crate) fn of(delta: &PartitionDelta) -> Self {
        Self {
            from: delta.fence.from.0,
            to: delta.to.0,
            rows: delta.seen.len().max(1) as u32,
            bytes: delta.seen.iter().map(|s| s.bytes.len() as u64).sum(),
        }
    }
}

/// Groups of this many bytes are never merged again (half of the largest row).
const FINAL_BYTES: u64 = 512 << 10;
/// A group below the n-th bound is of tier n: a few flushes' rows, their merger, the merger of those.
const TIER_BYTES: [u64; 3] = [8 << 10, 64 << 10, FINAL_BYTES];
/// So many groups of a tier, neighbours but for smaller ones, are merged.
const TIER_FANOUT: [usize; 3] = [64, 16, 4];
/// Small groups with larger ones on their right grow no more: so many are merged already.
const STRANDED: usize = 4;
/// Most groups, and most packed bytes, that one merger takes: bounds its memory and how long it takes.
const MERGE_GROUPS_MAX: usize = 1_024;
const MERGE_BYTES_MAX: u64 = 4 << 20;

fn tier(group: &Group) -> usize {
    TIER_BYTES.iter().position(|bound| group.bytes < *bound).unwrap_or(TIER_BYTES.len())
}

/// The groups to merge next, if any are worth it. `groups` are all of a partition, in order.
pub(crate) fn plan(groups: &[Group]) -> Option<Range<usize>> {
    (0..TIER_BYTES.len()).find_map(|level| plan_tier(groups, level))
}

fn plan_tier(groups: &[Group], level: usize) -> Option<Range<usize>> {
    let mut start = 0;
    while start < groups.len() {
        let run = groups[start..].iter().take_while(|g| tier(g) <= level).count();
        let end = start + run;
        let alike = (start..end).filter(|i| tier(&groups[*i]) == level).count();
        let stranded = end < groups.len();
        if run > 1 && (alike >= TIER_FANOUT[level] || (stranded && run >= STRANDED)) {
            return Some(bounded(groups, start..end));
        }
        start = end + 1;
    }
    None
}

/// The front of a run, as far as one merger may go; always two groups or more.
fn bounded(groups: &[Group], run: Range<usize>) -> Range<usize> {
    let mut bytes = 0;
    let take = groups[run.clone()]
        .iter()
        .take(MERGE_GROUPS_MAX)
        .take_while(|g| {
            bytes += g.bytes;
            bytes <= MERGE_BYTES_MAX
        })
        .count();
    run.start..run.start + take.max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Flushes of these sizes, compacted whenever that is due: the groups left and the bytes rewritten.
    fn run(sizes: impl IntoIterator<Item = u64>) -> (Vec<Group>, u64) {
        let (mut groups, mut rewritten, mut at) = (Vec::new(), 0, 0);
        for bytes in sizes {
            groups.push(Group { from: at, to: at + 1, rows: 1, bytes });
            at += 1;
            while let Some(range) = plan(&groups) {
                assert!(range.len() >= 2);
                let bytes = groups[range.clone()].iter().map(|g| g.bytes).sum();
                assert!(bytes <= MERGE_BYTES_MAX);
                rewritten += bytes;
                let merged =
                    Group { from: groups[range.start].from, to: groups[range.end - 1].to, rows: 1, bytes };
                groups.splice(range, [merged]);
            }
        }
        assert!(groups.windows(2).all(|w| w[0].to == w[1].from));
        (groups, rewritten)
    }

    #[test]
    fn hours_of_live_counting_stay_bounded() {
        // 50 flushes a second for six hours, 50 voters each.
        let flushes = 50 * 3_600 * 6;
        let (groups, rewritten) = run(std::iter::repeat_n(225, flushes));
        let bytes = 225 * flushes as u64;
        assert!(groups.len() < 64 + 16 + 8 + (bytes / FINAL_BYTES) as usize, "{}", groups.len());
        assert!(rewritten <= 4 * bytes, "{rewritten} of {bytes}");
    }

    #[test]
    fn a_bulk_flush_is_left_alone() {
        let (groups, rewritten) = run(std::iter::repeat_n(1_100_000, 600));
        assert_eq!((groups.len(), rewritten), (600, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_mix_stays_bounded(sizes in prop::collection::vec(prop_oneof![0_u64..2_000, 0_u64..50_000, 0_u64..2_000_000], 1..3_000)) {
            let total: u64 = sizes.iter().sum();
            let large = sizes.iter().filter(|s| **s >= FINAL_BYTES).count();
            let (groups, rewritten) = run(sizes);
            prop_assert!(groups.len() <= 64 + 16 + 16 + large * 10 + (total / FINAL_BYTES) as usize * 8, "{} groups", groups.len());
            prop_assert!(rewritten <= total * 8, "{rewritten} of {total}");
        }
    }
}
