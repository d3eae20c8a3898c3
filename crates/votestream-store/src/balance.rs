//! Whether a sealed delta adds up, before any of it is written. Pure: what the store then holds is checked by its own constraints.

use crate::error::StoreError;
use votestream_election::cells::CellLayout;
use votestream_election::delta::{PartitionDelta, SeenPart, VoterFile};
use votestream_election::election::DuplicatePolicy;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::SEEN_PART_BYTES_MAX;

/// What of an election decides the shape of its deltas.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) layout: CellLayout,
    pub(crate) regions: usize,
    pub(crate) partitions: u32,
    pub(crate) duplicate: DuplicatePolicy,
}

/// Checks all of a flush's deltas: partitions ascending and known, ranges, counts, tallies, seen voters, rejects.
pub(crate) fn check(shape: &Shape, election: &str, deltas: &[PartitionDelta]) -> Result<(), StoreError> {
    for (i, delta) in deltas.iter().enumerate() {
        let (partition, last) = (delta.partition, shape.partitions - 1);
        if partition.0 > last {
            return Err(StoreError::UnknownPartition { election: election.to_owned(), partition, last });
        }
        if let Some(before) = i.checked_sub(1).map(|b| deltas[b].partition.0)
            && before >= partition.0
        {
            return unbalanced(delta, "the partition before it", before.into(), i128::from(partition.0) - 1);
        }
        check_one(shape, delta)?;
    }
    Ok(())
}

/// The set of partitioners that all deltas agree with, where it is smaller than the stored one.
pub(crate) fn narrowed(
    stored: PartitionerSet,
    election: &str,
    deltas: &[PartitionDelta],
) -> Result<Option<PartitionerSet>, StoreError> {
    let set = deltas.iter().fold(stored, |set, d| set.intersect(d.partitioners));
    if set.is_empty() && !stored.is_empty() {
        return Err(StoreError::Partitioners { election: election.to_owned() });
    }
    Ok((set != stored).then_some(set))
}

/// The files of voters that go with a flush hold what its deltas say lies outside.
pub(crate) fn check_files(deltas: &[PartitionDelta], files: &[VoterFile]) -> Result<(), StoreError> {
    let outside: u64 = deltas.iter().map(|delta| delta.outside).sum();
    match deltas.iter().find(|delta| delta.outside > 0).or(deltas.first()) {
        Some(delta) => require(delta, "the number of voters in files", voters(files).into(), outside.into()),
        None => Ok(()),
    }
}

/// Voters in files.
pub(crate) fn voters(files: &[VoterFile]) -> u64 {
    files.iter().map(|file| file.voters).sum()
}

fn check_one(shape: &Shape, delta: &PartitionDelta) -> Result<(), StoreError> {
    let counts = &delta.counts;
    let range = i128::from(delta.to.0) - i128::from(delta.fence.from.0);
    if range <= 0 {
        return unbalanced(delta, "the length of its range", range, 1);
    }
    let accounted = i128::from(counts.records()) + i128::from(counts.skipped);
    require(delta, "counted + duplicate + rejected + skipped", accounted, range)?;
    require(delta, "the number of rejects", delta.rejects.len() as i128, counts.rejected.into())?;
    check_rejects(delta)?;
    check_tally(shape, delta)?;
    check_seen(shape.duplicate, delta)?;
    if delta.open_leaf.is_none() {
        require(delta, "the number of leaves of a range that was not hashed", delta.leaves.len() as i128, 0)?;
    }
    for row in &delta.timeline {
        let places = shape.regions * shape.layout.candidates;
        require(delta, "the length of a timeline row", row.totals.len() as i128, places as i128)?;
    }
    Ok(())
}

fn check_rejects(delta: &PartitionDelta) -> Result<(), StoreError> {
    let mut least = delta.fence.from;
    for (offset, _) in &delta.rejects {
        if *offset < least || *offset >= delta.to {
            return unbalanced(delta, "the offset of a reject", offset.0.into(), least.0.into());
        }
        least = offset.plus(1);
    }
    Ok(())
}

fn check_tally(shape: &Shape, delta: &PartitionDelta) -> Result<(), StoreError> {
    let mut sum = 0_i128;
    for (region, cells) in &delta.tally {
        if usize::from(region.0) >= shape.regions {
            return unbalanced(delta, "a region", region.0.into(), shape.regions as i128 - 1);
        }
        require(delta, "the length of a tally row", cells.len() as i128, shape.layout.cells() as i128)?;
        sum += i128::from(cells.iter().sum::<i64>());
    }
    require(delta, "the sum of the tally", sum, delta.counts.counted.into())
}

fn check_seen(policy: DuplicatePolicy, delta: &PartitionDelta) -> Result<(), StoreError> {
    for part in &delta.seen {
        if part.bytes.len() > SEEN_PART_BYTES_MAX {
            return unbalanced(
                delta,
                "the size of a row of seen voters",
                part.bytes.len() as i128,
                SEEN_PART_BYTES_MAX as i128,
            );
        }
    }
    let found = entries(&delta.seen) + delta.outside;
    match entries_wrong(policy, found, delta.counts.counted, delta.counts.duplicate) {
        None => Ok(()),
        Some(expected) => unbalanced(delta, "the number of seen voters", found.into(), expected.into()),
    }
}

/// Entries in packed parts.
pub(crate) fn entries(parts: &[SeenPart]) -> u64 {
    parts.iter().map(|p| p.entries).sum()
}

/// Under `first` each counted vote left one entry; under `last` each change may have left one more. Returns what was expected
/// where `found` cannot be.
pub(crate) fn entries_wrong(
    policy: DuplicatePolicy,
    found: u64,
    counted: u64,
    duplicate: u64,
) -> Option<u64> {
    let most = match policy {
        DuplicatePolicy::First => counted,
        DuplicatePolicy::Last => counted + duplicate,
    };
    if found < counted {
        return Some(counted);
    }
    (found > most).then_some(most)
}

fn require(
    delta: &PartitionDelta,
    what: &'static str,
    found: i128,
    expected: i128,
) -> Result<(), StoreError> {
    if found == expected { Ok(()) } else { unbalanced(delta, what, found, expected) }
}

/// An error that says what in a delta does not add up.
pub(crate) fn unbalanced(
    delta: &PartitionDelta,
    what: &'static str,
    found: i128,
    expected: i128,
) -> Result<(), StoreError> {
    Err(StoreError::Unbalanced { partition: delta.partition, what, found, expected })
}
