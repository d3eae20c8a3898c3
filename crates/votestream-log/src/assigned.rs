//! Which partitions of a log one of several workers has, as of some moment. Who deals them out is left to a topic's group.

use votestream_election::PartitionId;

/// The partitions that are this worker's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Raised with each change, from 0.
    pub generation: u64,
    /// Ascending.
    pub partitions: Vec<PartitionId>,
}
