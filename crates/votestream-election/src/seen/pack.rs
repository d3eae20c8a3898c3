//! The packed form of seen voters: sorted, differences in Rice codes (about 4.5 bytes a random 16-digit id), cells behind.
//! Layout, little-endian: version 1 · flags (bit 0: cells) · integers u32 · texts u32 · k u8 · first integer u64 · length of the
//! coded differences u32 · differences · texts, 16 bytes each · cells u32 each: integers' first, then texts'.

use super::bits::{BitReader, BitWriter};
use crate::delta::SeenPart;
use thiserror::Error;

/// The largest packed row.
pub const SEEN_PART_BYTES_MAX: usize = 1 << 20;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 2 + 4 + 4 + 1 + 8 + 4;

/// Packed voters that cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PackError {
    /// Shorter than its header says.
    #[error("a packed row of seen voters is cut short")]
    Cut,
    /// Made by a newer program, or not packed voters at all.
    #[error("a packed row of seen voters has version {0}; this program reads version {VERSION}")]
    Version(u8),
    /// Not ascending.
    #[error("a packed row of seen voters is out of order")]
    Order,
}

/// Voters with, under `last`, their cells; each list ascending, without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Voters with integer ids.
    pub integers: Vec<u64>,
    /// Cells of these, or empty under `first`.
    pub integer_cells: Vec<u32>,
    /// Keys of voters whose id is text.
    pub texts: Vec<u128>,
    /// Cells of these, or empty under `first`.
    pub text_cells: Vec<u32>,
}

impl Unpacked {
    /// Entries of both kinds.
    pub fn len(&self) -> usize {
        self.integers.len() + self.texts.len()
    }

    /// No entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sorts both lists; of a voter's several entries the last given stays.
    pub fn sort(&mut self) {
        sort_keyed(&mut self.integers, &mut self.integer_cells);
        sort_keyed(&mut self.texts, &mut self.text_cells);
    }

    /// Adds another's entries behind these.
    pub fn append(&mut self, other: &Self) {
        self.integers.extend_from_slice(&other.integers);
        self.integer_cells.extend_from_slice(&other.integer_cells);
        self.texts.extend_from_slice(&other.texts);
        self.text_cells.extend_from_slice(&other.text_cells);
    }

    /// Forgets all entries, keeping the memory.
    pub fn clear(&mut self) {
        self.integers.clear();
        self.integer_cells.clear();
        self.texts.clear();
        self.text_cells.clear();
    }
}

fn sort_keyed<K: Copy + Ord>(keys: &mut Vec<K>, cells: &mut Vec<u32>) {
    if cells.is_empty() {
        keys.sort_unstable();
        return;
    }
    let mut both: Vec<(K, u32, u32)> =
        keys.iter().zip(cells.iter()).enumerate().map(|(i, (k, c))| (*k, u32::MAX - i as u32, *c)).collect();
    both.sort_unstable();
    both.dedup_by_key(|entry| entry.0);
    keys.clear();
    cells.clear();
    for (key, _, cell) in both {
        keys.push(key);
        cells.push(cell);
    }
}

/// Packs sorted voters into rows of at most [`SEEN_PART_BYTES_MAX`].
pub fn pack(voters: &Unpacked) -> Vec<SeenPart> {
    let cell_bits = if voters.integer_cells.is_empty() && voters.text_cells.is_empty() { 0 } else { 32 };
    let mean = match (voters.integers.first(), voters.integers.last()) {
        (Some(first), Some(last)) => (last - first) / voters.integers.len() as u64,
        _ => 0,
    };
    let k = mean.checked_ilog2().unwrap_or(0);
    let room_bits = (SEEN_PART_BYTES_MAX - HEADER_BYTES - 64) * 8;
    // A quotient costs its own ones, or 96 bits where it is escaped (from 32 on): at most three a unit, and units sum to less than 2 a voter.
    let integers_a_part = room_bits / (k + 8 + cell_bits) as usize;
    let texts_a_part = room_bits / (128 + cell_bits) as usize;
    let mut parts = Vec::new();
    for (i, keys) in voters.integers.chunks(integers_a_part).enumerate() {
        let cells = voters.integer_cells.get(i * integers_a_part..).unwrap_or(&[]);
        parts.push(part(keys, &[], &cells[..keys.len().min(cells.len())], k));
    }
    for (i, keys) in voters.texts.chunks(texts_a_part).enumerate() {
        let cells = voters.text_cells.get(i * texts_a_part..).unwrap_or(&[]);
        parts.push(part(&[], keys, &cells[..keys.len().min(cells.len())], 0));
    }
    parts
}

fn part(integers: &[u64], texts: &[u128], cells: &[u32], k: u32) -> SeenPart {
    let mut bits = BitWriter::default();
    for pair in integers.windows(2) {
        bits.put_rice(pair[1] - pair[0], k);
    }
    let coded = bits.finish();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + coded.len() + texts.len() * 16 + cells.len() * 4);
    bytes.push(VERSION);
    bytes.push(u8::from(!cells.is_empty()));
    bytes.extend_from_slice(&(integers.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(texts.len() as u32).to_le_bytes());
    bytes.push(k as u8);
    bytes.extend_from_slice(&integers.first().copied().unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&(coded.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&coded);
    for text in texts {
        bytes.extend_from_slice(&text.to_le_bytes());
    }
    for cell in cells {
        bytes.extend_from_slice(&cell.to_le_bytes());
    }
    SeenPart { entries: (integers.len() + texts.len()) as u64, bytes }
}

/// Adds a packed row's voters to `into`.
pub fn unpack(bytes: &[u8], into: &mut Unpacked) -> Result<(), PackError> {
    let mut rest = bytes;
    let version = take::<1>(&mut rest)?[0];
    if version != VERSION {
        return Err(PackError::Version(version));
    }
    let flags = take::<1>(&mut rest)?[0];
    let integers = u32::from_le_bytes(take(&mut rest)?) as usize;
    let texts = u32::from_le_bytes(take(&mut rest)?) as usize;
    let k = u32::from(take::<1>(&mut rest)?[0]);
    let first = u64::from_le_bytes(take(&mut rest)?);
    let coded_bytes = u32::from_le_bytes(take(&mut rest)?) as usize;
    let coded = rest.split_off(..coded_bytes).ok_or(PackError::Cut)?;
    // Each difference takes a bit at least, each text 16 bytes: a lying count cannot ask for memory.
    if k > 63 || integers > coded.len() * 8 + 1 || texts > rest.len() / 16 {
        return Err(PackError::Cut);
    }
    if integers > 0 {
        let mut reader = BitReader::new(coded);
        let mut last = first;
        into.integers.reserve(integers);
        into.integers.push(last);
        for _ in 1..integers {
            let step = reader.take_rice(k).ok_or(PackError::Cut)?;
            last = last.checked_add(step).filter(|_| step > 0).ok_or(PackError::Order)?;
            into.integers.push(last);
        }
    }
    for _ in 0..texts {
        into.texts.push(u128::from_le_bytes(take(&mut rest)?));
    }
    if flags & 1 == 1 {
        for _ in 0..integers {
            into.integer_cells.push(u32::from_le_bytes(take(&mut rest)?));
        }
        for _ in 0..texts {
            into.text_cells.push(u32::from_le_bytes(take(&mut rest)?));
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(PackError::Cut) }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PackError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(PackError::Cut)?;
    *rest = tail;
    Ok(*head)
}

/// Merges rows, oldest first, into as few as possible. Under `last` a voter's newest cell stays.
pub fn merge(rows: &[&SeenPart]) -> Result<Vec<SeenPart>, PackError> {
    let mut all = Unpacked::default();
    for row in rows {
        unpack(&row.bytes, &mut all)?;
    }
    all.sort();
    Ok(pack(&all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(mut voters: Unpacked) {
        voters.sort();
        let parts = pack(&voters);
        let mut back = Unpacked::default();
        for part in &parts {
            assert!(part.bytes.len() <= SEEN_PART_BYTES_MAX);
            unpack(&part.bytes, &mut back).unwrap();
        }
        assert_eq!(parts.iter().map(|p| p.entries).sum::<u64>() as usize, voters.len());
        assert_eq!(back, voters);
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            integers in prop::collection::btree_set(any::<u64>(), 0..300),
            dense in prop::collection::btree_set(0_u64..1000, 0..300),
            texts in prop::collection::btree_set(any::<u128>(), 0..50),
            cells in any::<bool>(),
        ) {
            let integers: Vec<u64> = integers.union(&dense).copied().collect();
            let texts: Vec<u128> = texts.into_iter().collect();
            let cell = |n: usize| if cells { (0..n as u32).map(|c| c * 7).collect() } else { Vec::new() };
            check(Unpacked { integer_cells: cell(integers.len()), text_cells: cell(texts.len()), integers, texts });
        }

        #[test]
        fn garbage_is_an_error_or_a_set_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let mut into = Unpacked::default();
            drop(unpack(&bytes, &mut into));
            let real = &pack(&Unpacked { integers: (0..50).map(|i| i * i * 1_000_003).collect(), ..Unpacked::default() })[0];
            if cut < real.bytes.len() {
                prop_assert!(unpack(&real.bytes[..cut], &mut Unpacked::default()).is_err());
            }
        }
    }

    #[test]
    fn random_sixteen_digit_ids_take_about_four_and_a_half_bytes() {
        let mut state = 1_u64;
        let mut integers: Vec<u64> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1_000_000_000_000_000 + (state >> 11) % 9_000_000_000_000_000
        })
        .take(250_000)
        .collect();
        integers.sort_unstable();
        integers.dedup();
        let bytes: usize =
            pack(&Unpacked { integers, ..Unpacked::default() }).iter().map(|p| p.bytes.len()).sum();
        assert!(bytes < 250_000 * 47 / 10, "{bytes} bytes");
    }

    #[test]
    fn one_voter_far_away_does_not_cost_a_row_of_ones() {
        let integers: Vec<u64> = (0..200_000).chain([u64::MAX]).collect();
        check(Unpacked { integers, ..Unpacked::default() });
        let integers: Vec<u64> = (0..200_000).map(|i| u64::MAX - i * 2).rev().collect();
        check(Unpacked { integers, ..Unpacked::default() });
    }

    #[test]
    fn the_newest_cell_wins_a_merge() {
        let row = |cell| {
            pack(&Unpacked { integers: vec![5], integer_cells: vec![cell], ..Unpacked::default() }).remove(0)
        };
        let merged = merge(&[&row(1), &row(2)]).unwrap();
        let mut back = Unpacked::default();
        unpack(&merged[0].bytes, &mut back).unwrap();
        assert_eq!((back.integers, back.integer_cells), (vec![5], vec![2]));
    }
}
