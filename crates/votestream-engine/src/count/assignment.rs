//! Which partitions this worker counts. A log that one process counts has them all; members of a consumer group share them.

use std::time::Duration;
use votestream_election::PartitionId;
pub use votestream_log::Assigned;
use votestream_log::{LogError, LogReader};

/// Says which partitions to count, as that changes.
pub trait Assignment: Sync {
    /// What is assigned now.
    fn now(&self) -> Assigned;

    /// Waits until the generation is another than `since`, for at most `patience`, and answers what is assigned then.
    ///
    /// # Errors
    /// What keeps this worker from being assigned anything, where waiting would not help.
    fn wait_change(&self, since: u64, patience: Duration) -> Result<Assigned, LogError>;

    /// Whether others may count partitions of the same log, so that one that is fenced is theirs rather than an error.
    fn shared(&self) -> bool;

    /// Gives all partitions back, or asks for some again: for a worker that cannot reach the store while others can.
    fn stand_down(&self, down: bool);
}

/// All partitions, for good.
#[derive(Clone, Copy, Debug)]
pub struct Everything {
    partitions: u32,
}

impl Everything {
    /// All of a log's partitions.
    pub fn of(log: &LogReader) -> Self {
        Self { partitions: log.partitions() }
    }
}

impl Assignment for Everything {
    fn now(&self) -> Assigned {
        Assigned { generation: 0, partitions: (0..self.partitions).map(PartitionId).collect() }
    }

    fn wait_change(&self, _: u64, patience: Duration) -> Result<Assigned, LogError> {
        std::thread::park_timeout(patience);
        Ok(self.now())
    }

    fn shared(&self) -> bool {
        false
    }

    fn stand_down(&self, _: bool) {}
}
