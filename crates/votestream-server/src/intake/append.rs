//! Records into the log: gathered by partition, appended, and waited for until each is durable. Blocks; run it where that is fine.

use crate::limits::BATCH_BYTES;
use crate::seams::{Ingest, LogLease};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc;
use std::time::Instant;
use votestream_election::framing::{RECORD_BYTES_MAX, STUB_BYTES};
use votestream_election::{Millis, Offset, PartitionId};
use votestream_log::{BatchBuilder, LogError, TryAppendError};

/// Where a record lies in the log, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: PartitionId,
    pub(crate) offset: Offset,
    /// It was longer than a line may be: only its start was kept, and it counts as one `too_large`.
    pub(crate) too_large: bool,
}

/// The log failed; some records may be durable all the same.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) appended: u64,
}

type Acked = (PartitionId, Vec<u32>, Result<Range<Offset>, LogError>);

/// One partition's records on their way: which they are, by their place in the request.
struct Gathered {
    batch: BatchBuilder,
    records: Vec<u32>,
}

/// Appends the records of `body` in order and waits until all are durable, but not beyond `until`. Answers their places in the same
/// order.
pub(crate) fn append(
    ingest: &Ingest,
    body: &[u8],
    records: &[Range<usize>],
    (now, until): (Millis, Instant),
) -> Result<Vec<Place>, Failure> {
    let lease = (ingest.log)().map_err(|error| Failure { why: error.to_string(), appended: 0 })?;
    if Instant::now() >= until {
        // The client was told already that this log could not be opened in time.
        return Err(Failure { why: "it could not be opened in time".to_owned(), appended: 0 });
    }
    let (acks, acked) = mpsc::channel::<Acked>();
    let keyed = lease.log.keyed();
    let target = BATCH_BYTES.min(body.len() + 1_024);
    let mut partitions: BTreeMap<PartitionId, Gathered> = BTreeMap::new();
    let mut refused = None;
    for (number, record) in records.iter().enumerate() {
        let value = &body[record.clone()];
        let oversize = value.len() > RECORD_BYTES_MAX;
        let kept = if oversize { &value[..STUB_BYTES] } else { value };
        let (partition, key) = (ingest.partition_of)(kept);
        let new = || Gathered { batch: BatchBuilder::new(target), records: Vec::new() };
        let gathered = partitions.entry(partition).or_insert_with(new);
        let key = key.as_deref().filter(|_| keyed);
        gathered.batch.push_keyed(now, key, kept, oversize.then_some(value.len() as u64));
        gathered.records.push(number as u32);
        if gathered.batch.is_full() {
            refused = submit(&lease, partition, gathered, &acks, until).err();
            if refused.is_some() {
                break;
            }
        }
    }
    for (partition, gathered) in &mut partitions {
        if refused.is_none() && !gathered.batch.is_empty() {
            refused = submit(&lease, *partition, gathered, &acks, until).err();
        }
    }
    drop(acks);
    settle(&acked, body, records, (refused, until))
}

fn submit(
    lease: &LogLease,
    partition: PartitionId,
    gathered: &mut Gathered,
    acks: &mpsc::Sender<Acked>,
    until: Instant,
) -> Result<(), String> {
    let records = std::mem::take(&mut gathered.records);
    let acks = acks.clone();
    // The receiver outlives every acknowledgement that matters; a failed send is one that nobody waits for.
    let ack = move |result| drop(acks.send((partition, records, result)));
    let left = until.saturating_duration_since(Instant::now());
    let queued = lease.log.append_acked_within(partition, gathered.batch.seal(None), Box::new(ack), left);
    queued.map_err(|error| match error {
        TryAppendError::Full(..) => "more waits to be written than it takes; are its brokers up?".to_owned(),
        TryAppendError::Refused(error) => error.to_string(),
    })
}

/// Waits for every acknowledgement and puts the places in the request's order.
fn settle(
    acked: &mpsc::Receiver<Acked>,
    body: &[u8],
    records: &[Range<usize>],
    (mut why, until): (Option<String>, Instant),
) -> Result<Vec<Place>, Failure> {
    let mut places: Vec<Option<Place>> = vec![None; records.len()];
    let mut appended = 0;
    // The log may be a topic whose brokers are away: then the client is told, and may come back with the same votes.
    while let Ok((partition, numbers, result)) =
        acked.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        match result {
            Ok(offsets) => {
                for (number, offset) in numbers.into_iter().zip(offsets.start.0..offsets.end.0) {
                    let number = number as usize;
                    let too_large = body[records[number].clone()].len() > RECORD_BYTES_MAX;
                    places[number] = Some(Place { partition, offset: Offset(offset), too_large });
                    appended += 1;
                }
            }
            Err(failed) => why = Some(failed.to_string()),
        }
    }
    match places.into_iter().collect::<Option<Vec<_>>>() {
        Some(places) if why.is_none() => Ok(places),
        _ => {
            let why = why.unwrap_or_else(|| "it did not acknowledge them in time".to_owned());
            Err(Failure { why, appended })
        }
    }
}
