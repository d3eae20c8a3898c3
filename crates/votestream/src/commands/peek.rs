//! A look at some records of a log, without counting them and without joining a consumer group: for drafts and for `doctor`.

use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};
use votestream_log::{LogError, LogReader, Record};

/// How long to wait at once for records that are on their way.
const WAIT: Duration = Duration::from_millis(100);

/// How much is looked at in one partition, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Records.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// The end of all patience.
    pub deadline: Instant,
}

/// Looks at the records of `partition` from `from` to `to` (exclusive), within `room`; says how many they were.
///
/// # Errors
/// As reading has them; what takes too long is no error but fewer records.
pub fn records(
    log: &LogReader,
    partition: PartitionId,
    (from, to): (Offset, Offset),
    room: Room,
    look: &mut dyn FnMut(&Record<'_>),
) -> Result<u64, LogError> {
    let mut reader = log.partition(partition, from)?;
    let (mut seen, mut bytes) = (0_u64, 0_u64);
    while reader.position() < to
        && seen < room.records
        && bytes < room.bytes
        && Instant::now() < room.deadline
    {
        let read = match reader.next_batch()? {
            None => false,
            Some(batch) if batch.is_skipped() => true,
            Some(batch) => {
                for record in batch.records() {
                    let record = record?;
                    if record.offset >= to || seen >= room.records {
                        break;
                    }
                    seen += 1;
                    bytes += record.value.map_or(0, |value| value.len() as u64);
                    look(&record);
                }
                true
            }
        };
        if !read {
            // A place of u64::MAX is one that nobody waits for.
            let mut past = vec![Offset(u64::MAX); log.partitions() as usize];
            if let Some(place) = past.get_mut(partition.0 as usize) {
                *place = reader.position();
            }
            log.wait_past(&past, WAIT)?;
        }
    }
    Ok(seen)
}
