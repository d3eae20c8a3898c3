//! Which batches of a Fetch answer belong to aborted transactions. Pure: the list of the answer in, batch by batch, yes or no out.

use crate::batch::{BatchHeader, Record};
use votestream_election::Offset;

/// A marker's key: version (i16), then kind (i16, big-endian), where 0 is ABORT and 1 is COMMIT.
const ABORT: i16 = 0;

/// A transaction that was aborted, as the broker lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AbortedTransaction {
    pub(super) producer: i64,
    pub(super) first: Offset,
}

/// The aborted transactions of one answer, followed through its batches: a producer is aborted from the transaction's first offset to
/// its ABORT marker.
#[derive(Debug, Default)]
pub(super) struct Aborted {
    /// Those that have not begun yet, the last one first.
    ahead: Vec<AbortedTransaction>,
    /// Producers whose aborted transaction is open here. Few: one a producer.
    open: Vec<i64>,
}

impl Aborted {
    /// The list of an answer, in any order.
    pub(super) fn new(mut list: Vec<AbortedTransaction>) -> Self {
        list.sort_unstable_by_key(|transaction| std::cmp::Reverse(transaction.first));
        Self { ahead: list, open: Vec::new() }
    }

    /// Whether the batch holds records of an aborted transaction. Call it once for every batch of the answer, in order.
    pub(super) fn holds(&mut self, header: &BatchHeader) -> bool {
        while let Some(next) = self.ahead.pop_if(|next| next.first < header.next_offset()) {
            if !self.open.contains(&next.producer) {
                self.open.push(next.producer);
            }
        }
        !self.open.is_empty()
            && header.is_transactional()
            && !header.is_control()
            && self.open.contains(&header.producer_id)
    }

    /// Takes note of a control batch's first record.
    pub(super) fn marker(&mut self, header: &BatchHeader, marker: Option<Record<'_>>) {
        let kind = marker.and_then(|marker| marker.key?.get(2..4)?.try_into().ok().map(i16::from_be_bytes));
        if kind == Some(ABORT) {
            self.open.retain(|producer| *producer != header.producer_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_election::Millis;

    fn header(base: u64, records: i32, producer: i64, attributes: i16) -> BatchHeader {
        BatchHeader {
            base_offset: Offset(base),
            bytes: 61,
            leader_epoch: 0,
            crc: 0,
            attributes,
            last_offset_delta: records - 1,
            base_timestamp: Millis(0),
            max_timestamp: Millis(0),
            producer_id: producer,
            producer_epoch: 0,
            base_sequence: 0,
            records,
        }
    }

    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x30;

    fn mark(kind: i16) -> [u8; 4] {
        let [a, b] = kind.to_be_bytes();
        [0, 0, a, b]
    }

    fn marker(key: &[u8]) -> Record<'_> {
        Record { offset: Offset(0), timestamp: Millis(0), key: Some(key), value: None, oversize: false }
    }

    #[test]
    fn from_the_first_offset_to_the_marker() {
        let transaction = |producer, first| AbortedTransaction { producer, first: Offset(first) };
        let mut aborted = Aborted::new(vec![transaction(7, 40), transaction(8, 12), transaction(7, 10)]);
        assert!(!aborted.holds(&header(0, 10, 7, TRANSACTIONAL)), "before");
        assert!(aborted.holds(&header(10, 2, 7, TRANSACTIONAL)));
        assert!(aborted.holds(&header(12, 2, 8, TRANSACTIONAL)));
        assert!(!aborted.holds(&header(14, 2, 9, TRANSACTIONAL)), "another producer");
        assert!(!aborted.holds(&header(16, 2, 7, 0)), "not in a transaction");
        assert!(!aborted.holds(&header(18, 1, 9, CONTROL)));
        aborted.marker(&header(18, 1, 9, CONTROL), Some(marker(&mark(1))));
        assert!(aborted.holds(&header(19, 1, 7, TRANSACTIONAL)), "another's marker ends nothing");
        assert!(!aborted.holds(&header(20, 1, 7, CONTROL)), "a marker is no vote of a transaction");
        aborted.marker(&header(20, 1, 7, CONTROL), Some(marker(&mark(0))));
        assert!(!aborted.holds(&header(21, 5, 7, TRANSACTIONAL)), "the next transaction was committed");
        assert!(aborted.holds(&header(26, 1, 8, TRANSACTIONAL)), "the other one is still open");
        assert!(aborted.holds(&header(40, 1, 7, TRANSACTIONAL)), "aborted again");
        aborted.marker(&header(41, 1, 7, CONTROL), None);
        aborted.marker(&header(41, 1, 7, CONTROL), Some(marker(b"x")));
        assert!(aborted.holds(&header(42, 1, 7, TRANSACTIONAL)), "an empty or malformed marker ends nothing");
    }
}
