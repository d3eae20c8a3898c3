//! Whether a voter's record lies where it belongs. What becomes of one that does not is the fold's business.

use crate::event::EventParser;
use crate::ids::PartitionId;
use crate::partitioner::{PartitionerSet, crc32_partition, murmur2_partition};
use crate::voter::{VoterKey, decimal};

/// Those of the `possible` partitioners that put the voter of the record judged last on this partition, of so many; none where the
/// record has a key that is not the voter's canonical text. `text` is scratch space.
#[inline]
pub(crate) fn agreeing(
    parser: &EventParser,
    (voter, key): (VoterKey, Option<&[u8]>),
    (partition, partitions): (PartitionId, u32),
    possible: PartitionerSet,
    text: &mut Vec<u8>,
) -> PartitionerSet {
    let (digits, first);
    let text = match voter {
        VoterKey::Integer(id) => {
            (digits, first) = decimal(id);
            &digits[first..]
        }
        VoterKey::Text(_) => {
            text.clear();
            parser.canonical_text(voter, text);
            text
        }
    };
    if key.is_some_and(|key| key != text) {
        return PartitionerSet::NONE;
    }
    // Our own logs are murmur2 alone: crc32 is then not computed.
    PartitionerSet {
        murmur2: possible.murmur2 && murmur2_partition(text, partitions) == partition,
        crc32: possible.crc32 && crc32_partition(text, partitions) == partition,
    }
}
