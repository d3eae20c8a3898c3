//! How far the whole batches of a Fetch answer go, from their headers alone. Checksums and records are left to who reads them.

use crate::batch::{BatchError, BatchHeader, HEADER_BYTES};
use votestream_election::Offset;

/// Where a batch's format number stands, in every format there was.
const MAGIC_AT: usize = 16;

/// The whole batches at the front of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// Their bytes. What follows is a batch cut short, or one with a flaw.
    pub(super) bytes: usize,
    /// The offset after the last of them; the offset asked for where there is none.
    pub(super) next: Offset,
    /// The last one's leader epoch; −1 where there is none.
    pub(super) epoch: i32,
    /// What is wrong with the batch after them.
    pub(super) flaw: Option<BatchError>,
}

/// Walks the answer to a Fetch from `from` on. A batch that is cut short at the end is no flaw: it comes whole with the next answer.
pub(super) fn walk(answer: &[u8], from: Offset) -> Walked {
    let mut walked = Walked { bytes: 0, next: from, epoch: -1, flaw: None };
    while let Some(rest) = answer.get(walked.bytes..) {
        match rest.get(MAGIC_AT) {
            None => break,
            Some(2) => {}
            Some(magic) => {
                walked.flaw = Some(BatchError::Magic(*magic as i8));
                break;
            }
        }
        if rest.len() < HEADER_BYTES {
            break;
        }
        match BatchHeader::read(rest) {
            Ok(header) if header.bytes > rest.len() => break,
            Ok(header) => {
                walked.bytes += header.bytes;
                walked.next = walked.next.max(header.next_offset());
                walked.epoch = walked.epoch.max(header.leader_epoch);
            }
            Err(flaw) => {
                walked.flaw = Some(flaw);
                break;
            }
        }
    }
    walked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, BatchEncoder, Place};
    use crate::url::Codec;
    use votestream_election::Millis;

    fn batch(base: u64, records: u64, epoch: i32) -> Vec<u8> {
        let mut builder = BatchBuilder::new(1 << 16);
        (0..records).for_each(|n| builder.push(Millis(n as i64), b"value", None));
        let mut out = Vec::new();
        let place = Place { base: Offset(base), epoch, synced: Offset(0) };
        BatchEncoder::new(Codec::Lz4).unwrap().encode(&mut builder.seal(None), place, &mut out);
        out
    }

    #[test]
    fn whole_batches_and_a_cut_one() {
        let (one, two) = (batch(100, 7, 3), batch(110, 2, 4));
        let both = [&one[..], &two[..]].concat();
        for cut in 0..=both.len() {
            let walked = walk(&both[..cut], Offset(103));
            let expect = match cut {
                _ if cut == both.len() => (both.len(), 112, 4),
                _ if cut >= one.len() => (one.len(), 107, 3),
                _ => (0, 103, -1),
            };
            assert_eq!((walked.bytes, walked.next.0, walked.epoch), expect, "cut at {cut}");
            assert_eq!(walked.flaw, None, "cut at {cut}");
        }
    }

    #[test]
    fn old_formats_and_lengths_out_of_bounds_are_flaws() {
        let one = batch(5, 1, 0);
        let mut old = one.clone();
        old[MAGIC_AT] = 1;
        let walked = walk(&[&one[..], &old[..30]].concat(), Offset(5));
        assert_eq!(
            (walked.bytes, walked.next, walked.flaw),
            (one.len(), Offset(6), Some(BatchError::Magic(1)))
        );
        let mut long = one.clone();
        long[8] = 0x7f;
        assert!(matches!(walk(&long, Offset(5)).flaw, Some(BatchError::Length(_))));
    }

    #[test]
    fn a_batch_before_the_place_does_not_lead_back() {
        assert_eq!(walk(&batch(5, 1, 0), Offset(900)).next, Offset(900));
    }
}
