//! A batch that is too large for its topic, in two. Nothing of a record changes but its place in its batch.

use super::lane::{Parcel, Stage, sequence_after};
use crate::batch::{BatchEncoder, RawRecords, SealedBatch};
use crate::error::LogError;
use crate::writer::Ack;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use votestream_election::Offset;

/// One half of a batch.
pub(super) struct Half {
    records: u32,
    bytes: Vec<u8>,
}

/// Cuts an encoded batch into two; `None` when it has one record only. What its first record says of its source stays with the
/// first half and is true of both together.
pub(super) fn in_two(bytes: &[u8], encoder: &mut BatchEncoder) -> Option<[Half; 2]> {
    let raw = RawRecords::of(bytes)?;
    let middle = raw.records() / 2;
    let (front, back) = raw.split(middle)?;
    let mut encode = |mut batch: SealedBatch| {
        let mut bytes = Vec::new();
        encoder.encode_for_broker(&mut batch, &mut bytes);
        Half { records: batch.records(), bytes }
    };
    Some([encode(front), encode(back)])
}

/// The halves as batches of their own, with the sequence numbers that their records had.
pub(super) fn parcels(
    whole: &mut Parcel,
    [front, back]: [Half; 2],
    stamp: impl Fn(&mut [u8], i32),
) -> Vec<Parcel> {
    let (front_ack, back_ack) = whole.ack.take().map(joined).unzip();
    let middle = sequence_after(whole.sequence, front.records);
    let parcel = |mut half: Half, sequence, ack| {
        stamp(&mut half.bytes, sequence);
        Parcel {
            number: whole.number,
            records: half.records,
            bytes: half.bytes.into(),
            sequence,
            // True of both together: they are acknowledged, or in one transaction, in their order.
            source: whole.source,
            ack,
            stage: Stage::Waiting,
            in_transaction: whole.in_transaction,
        }
    };
    vec![parcel(front, whole.sequence, front_ack), parcel(back, middle, back_ack)]
}

/// Two acknowledgements that together are `ack`: it is called with the second.
fn joined(ack: Ack) -> (Ack, Ack) {
    type Kept = Option<Result<Range<Offset>, LogError>>;
    let kept: Arc<Mutex<Kept>> = Arc::default();
    let first = Arc::clone(&kept);
    let front: Ack = Box::new(move |told| {
        *first.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    });
    let back: Ack = Box::new(move |told| {
        let front = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let whole = match (front, told) {
            (Some(Ok(front)), Ok(back)) if front.end == back.start => Ok(front.start..back.end),
            (Some(Ok(_)), Ok(_)) => Err(LogError::PlaceUnknown),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(_)) => Err(LogError::Panicked),
        };
        ack(whole);
    });
    (front, back)
}
