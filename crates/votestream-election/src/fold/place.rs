//! Whether a voter's record lies where it belongs. What becomes of one that does not is the fold's business.

use crate::event::EventParser;
use crate::fold::Record;
use crate::ids::PartitionId;
use crate::partitioner::{PartitionerSet, crc32_partition, murmur2_partition};
use crate::voter::VoterKey;

/// Those of the `possible` partitioners that put the voter of the record, which was judged last, on this partition, of so many; none
/// where the record has a key that is not the voter's canonical text.
#[inline]
pub(crate) fn agreeing(
    parser: &EventParser,
    (voter, record): (VoterKey, &Record<'_>),
    (partition, partitions): (PartitionId, u32),
    possible: PartitionerSet,
) -> PartitionerSet {
    let mut digits = [0; 24];
    let text = parser.canonical_in(voter, record.value.unwrap_or_default(), &mut digits);
    if record.key.is_some_and(|key| key != text) {
        return PartitionerSet::NONE;
    }
    // Our own logs are murmur2 alone: crc32 is then not computed.
    PartitionerSet {
        murmur2: possible.murmur2 && murmur2_partition(text, partitions) == partition,
        crc32: possible.crc32 && crc32_partition(text, partitions) == partition,
    }
}
