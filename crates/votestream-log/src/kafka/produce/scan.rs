//! Finds how far a source has come in a partition: walks back from its end, window by window, over the headers of its batches.
//!
//! Read is up to the last record, whatever other producers' transactions are open: a transaction of ours is decided, and its marker
//! written, before this is asked. Which of our batches are committed is told by the markers that follow them.

use super::ask::{End, end};
use crate::batch::{BatchDecoder, BatchHeader, HEADER_BYTES};
use crate::error::LogError;
use crate::kafka::cluster::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::error::refused;
use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use std::collections::HashMap;
use votestream_election::{Offset, PartitionId, SourceId};

/// Offsets of the first window; each further one is so many times as long.
const WINDOW_FIRST: u64 = 10_000;
const WINDOW_GROWTH: u64 = 8;
/// Most bytes of an answer; a batch that is larger comes whole.
const FETCH_BYTES_MAX: i32 = 8 << 20;
/// The bytes before a batch that its length does not count.
const BEFORE_LENGTH: usize = 12;
const TRANSACTIONAL_BIT: i16 = 0x10;

/// What a window holds that matters.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A batch of the source, which ends with that index.
    Batch { producer: i64, index: u64 },
    /// The end of a producer's transaction.
    Marker { producer: i64, committed: bool },
}

/// The last index of `source` that is committed in each partition.
pub(super) fn last_indexes(cluster: &Cluster, source: SourceId) -> Result<Vec<Option<u64>>, LogError> {
    let partitions = cluster.client().partitions();
    (0..partitions).map(PartitionId).map(|partition| last_index(cluster, partition, source)).collect()
}

fn last_index(cluster: &Cluster, partition: PartitionId, source: SourceId) -> Result<Option<u64>, LogError> {
    let (mut connection, _) = cluster.connect_leader(partition)?;
    let start = end(cluster, &mut connection, partition, End::Start)?;
    let mut upto = end(cluster, &mut connection, partition, End::Written)?;
    let mut window = WINDOW_FIRST;
    // Of each producer the first marker after the window.
    let mut next_marker = HashMap::new();
    while upto > start {
        let from = Offset(upto.0.saturating_sub(window).max(start.0));
        let found = read(cluster, &mut connection, partition, from..upto, source)?;
        for one in found.into_iter().rev() {
            match one {
                Found::Marker { producer, committed } => {
                    next_marker.insert(producer, committed);
                }
                Found::Batch { producer, index } => match next_marker.get(&producer) {
                    Some(true) => return Ok(Some(index)),
                    Some(false) => {}
                    None => return Err(undecided(&connection, partition)),
                },
            }
        }
        upto = from;
        window = window.saturating_mul(WINDOW_GROWTH);
        if window > WINDOW_FIRST * WINDOW_GROWTH * WINDOW_GROWTH {
            tracing::info!(%partition, offset = %upto, "looking further back for what this source has written");
        }
    }
    Ok(None)
}

/// A transaction of ours whose marker is not to be seen yet: the broker is behind; it is read again.
fn undecided(connection: &Connection, partition: PartitionId) -> LogError {
    LogError::Unreachable {
        place: connection.place().to_owned(),
        what: format!("partition {partition} does not say yet what became of this source's last transaction"),
        next: "it is read again",
    }
}

fn read(
    cluster: &Cluster,
    connection: &mut Connection,
    partition: PartitionId,
    range: std::ops::Range<Offset>,
    source: SourceId,
) -> Result<Vec<Found>, LogError> {
    let mut decoder = BatchDecoder::new();
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let bytes = fetch(cluster, connection, partition, at)?;
        let next = walk(&bytes, at..range.end, source, &mut decoder, &mut found);
        if next <= at {
            let place = connection.place().to_owned();
            return Err(LogError::Garbled {
                place,
                what: format!("no batch at offset {at} of partition {partition}"),
            });
        }
        at = next;
    }
    Ok(found)
}

/// Notes what the whole batches of `bytes` within `range` hold; answers the offset after the last of them.
fn walk(
    bytes: &[u8],
    range: std::ops::Range<Offset>,
    source: SourceId,
    decoder: &mut BatchDecoder,
    found: &mut Vec<Found>,
) -> Offset {
    let (mut rest, mut next) = (bytes, range.start);
    while let Some(batch) = take_batch(&mut rest) {
        let base = batch.first_chunk().map_or(0, |base| u64::from_be_bytes(*base));
        let Ok(header) = BatchHeader::read(batch) else {
            // Of an older format: it has no transactions.
            next = next.max(Offset(base.saturating_add(1)));
            continue;
        };
        // The first batch of a window may begin before it, and be the last one of the window before.
        if header.base_offset >= range.start && header.base_offset < range.end {
            found.extend(look(batch, &header, source, decoder));
        }
        next = next.max(header.next_offset());
    }
    next
}

fn look(batch: &[u8], header: &BatchHeader, source: SourceId, decoder: &mut BatchDecoder) -> Option<Found> {
    if header.attributes & TRANSACTIONAL_BIT == 0 || header.check_crc(batch).is_err() {
        return None;
    }
    let producer = header.producer_id;
    if header.is_control() {
        let decoded = decoder.decode(batch).ok()?;
        let record = decoded.records().next()?.ok()?;
        // Version, then kind: 0 aborts, 1 commits; others are not about transactions' ends.
        let kind = record.key?.get(2..4)?;
        return match kind {
            [0, 0] => Some(Found::Marker { producer, committed: false }),
            [0, 1] => Some(Found::Marker { producer, committed: true }),
            _ => None,
        };
    }
    let (id, index) = decoder.first_record(batch).ok()?.source?;
    (id == source).then_some(Found::Batch { producer, index })
}

/// Takes a whole batch from the front.
fn take_batch<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = i32::from_be_bytes(*rest.get(8..BEFORE_LENGTH)?.first_chunk()?);
    let length = usize::try_from(length).ok()? + BEFORE_LENGTH;
    (length >= HEADER_BYTES.min(26)).then_some(())?;
    rest.split_off(..length)
}

fn fetch(
    cluster: &Cluster,
    connection: &mut Connection,
    partition: PartitionId,
    at: Offset,
) -> Result<Bytes, LogError> {
    let (name, id, epoch) = {
        let client = cluster.client();
        let epoch = client.leader(partition).map_or(-1, |leader| leader.epoch);
        (client.topic_name(), client.topic_id(), epoch)
    };
    let asked = FetchPartition::default()
        .with_partition(partition.0 as i32)
        .with_current_leader_epoch(epoch)
        .with_fetch_offset(at.0 as i64)
        .with_partition_max_bytes(FETCH_BYTES_MAX);
    let topic = FetchTopic::default().with_topic(name).with_topic_id(id).with_partitions(vec![asked]);
    let request = FetchRequest::default()
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES_MAX)
        .with_isolation_level(0)
        .with_topics(vec![topic]);
    let answer = connection.call(&request)?;
    if answer.error_code != 0 {
        return Err(refused(connection.place(), "Fetch", answer.error_code, None));
    }
    let told = answer.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
    let Some(told) = told else {
        let (place, what) =
            (connection.place().to_owned(), "an answer to Fetch without the partition".to_owned());
        return Err(LogError::Garbled { place, what });
    };
    match told.error_code {
        0 => Ok(told.records.unwrap_or_default()),
        code => Err(refused(connection.place(), "Fetch", code, None)),
    }
}
