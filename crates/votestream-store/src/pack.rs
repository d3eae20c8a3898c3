//! The packed columns: unsigned numbers as LEB128 varints, rejects as (offset difference, reason). Seen voters are packed by the domain.

use votestream_election::{Offset, RejectReason};

/// Appends a number, seven bits a byte, lowest first.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a number off the front; `None` where the bytes are cut or longer than 64 bits.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Packs a row of numbers; how many they are is known from the election.
pub(crate) fn numbers(values: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    values.into_iter().for_each(|v| put(&mut out, v));
    out
}

/// Unpacks a whole row of numbers.
pub(crate) fn read_numbers(mut bytes: &[u8]) -> Option<Vec<u64>> {
    let mut values = Vec::with_capacity(bytes.len());
    while !bytes.is_empty() {
        values.push(take(&mut bytes)?);
    }
    Some(values)
}

/// Adds a packed row of numbers to `sums`, which grows to its length.
pub(crate) fn add_numbers(mut bytes: &[u8], sums: &mut Vec<u64>) -> Option<()> {
    let mut at = 0;
    while !bytes.is_empty() {
        let value = take(&mut bytes)?;
        match sums.get_mut(at) {
            Some(sum) => *sum = sum.checked_add(value)?,
            None => sums.push(value),
        }
        at += 1;
    }
    Some(())
}

/// Rejects so far by reason: place `code − 1` counts the reason of that code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasons(pub(crate) [u64; RejectReason::ALL.len()]);

impl Reasons {
    pub(crate) fn add(&mut self, reason: RejectReason) {
        self.0[reason as usize - 1] += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(a, b)| *a += b);
    }

    pub(crate) fn pack(&self) -> Vec<u8> {
        numbers(self.0)
    }

    pub(crate) fn unpack(bytes: &[u8]) -> Option<Self> {
        Some(Self(read_numbers(bytes)?.try_into().ok()?))
    }

    /// Only the reasons that occurred.
    pub(crate) fn occurred(&self) -> Vec<(RejectReason, u64)> {
        RejectReason::ALL.into_iter().map(|r| (r, self.0[r as usize - 1])).filter(|(_, n)| *n > 0).collect()
    }
}

/// Appends a reject to a row whose last reject (or, for the first, whose first) has offset `last`.
pub(crate) fn put_reject(out: &mut Vec<u8>, last: Offset, offset: Offset, reason: RejectReason) {
    put(out, offset.0 - last.0);
    out.push(reason as u8);
}

/// Walks a row of rejects that begins at `from`; `each` says whether to go on. `None` where the bytes are none.
pub(crate) fn each_reject(
    from: Offset,
    mut bytes: &[u8],
    mut each: impl FnMut(Offset, RejectReason) -> bool,
) -> Option<()> {
    let mut offset = from.0;
    while !bytes.is_empty() {
        offset = offset.checked_add(take(&mut bytes)?)?;
        let (&code, rest) = bytes.split_first()?;
        bytes = rest;
        if !each(Offset(offset), RejectReason::from_code(code)?) {
            break;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<u64>(), 0..50)) {
            prop_assert_eq!(read_numbers(&numbers(values.clone())), Some(values));
        }

        #[test]
        fn any_bytes_are_numbers_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            if let Some(values) = read_numbers(&bytes) {
                prop_assert!(numbers(values).len() <= bytes.len());
            }
        }

        #[test]
        fn rejects_come_back(gaps in prop::collection::vec((1_u64..1_000_000, 0_usize..12), 1..50)) {
            let mut at = 7;
            let rejects: Vec<_> = gaps.iter().map(|(gap, reason)| { at += gap; (Offset(at), RejectReason::ALL[*reason]) }).collect();
            let from = rejects[0].0;
            let (mut out, mut last) = (Vec::new(), from);
            for (offset, reason) in &rejects {
                put_reject(&mut out, last, *offset, *reason);
                last = *offset;
            }
            let mut back = Vec::new();
            each_reject(from, &out, |o, r| { back.push((o, r)); true }).unwrap();
            prop_assert_eq!(back, rejects);
        }
    }

    #[test]
    fn cut_and_overlong_numbers_are_refused() {
        assert_eq!(read_numbers(&[0x80]), None);
        assert_eq!(read_numbers(&[0xff; 11]), None);
        assert_eq!(read_numbers(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), None);
        assert_eq!(add_numbers(&numbers([u64::MAX]), &mut vec![1]), None);
    }
}
