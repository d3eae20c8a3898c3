//! The ledger: digests over canonical rows, one a record, so that the same log gives the same digest however it was cut into flushes.
//! Leaf k covers offsets [k·65536, (k+1)·65536). What is stored of it is the store's business.

use crate::ids::Offset;
use crate::reject::RejectReason;
use crate::voter::VoterKey;
use std::fmt;

/// Offsets that one leaf covers.
pub const LEAF_OFFSETS: u64 = 65_536;

/// A BLAKE3 digest; `Display` writes 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A completed leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafSeal {
    /// Which leaf: it covers offsets from `number * LEAF_OFFSETS`.
    pub number: u64,
    /// Records in it (less than 65,536 where offsets were skipped or the log starts within it).
    pub records: u64,
    /// BLAKE3 over its rows.
    pub digest: Digest,
    /// BLAKE3(previous chain ‖ digest).
    pub chain: Digest,
}

/// What of a vote goes into its row, already reduced to numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerVote {
    /// Who voted.
    pub voter: VoterKey,
    /// Region by the definition's order.
    pub region: u16,
    /// Candidate by the definition's order.
    pub candidate: u16,
    /// Gender by the definition's order.
    pub gender: u8,
    /// Whole years; `0x8000 | band` for a band's label; `0xffff` where unknown.
    pub age: u16,
    /// Milliseconds since 1970.
    pub moment: i64,
}

/// Hashes rows, in offset order, into leaves and a chain.
#[derive(Clone)]
pub struct LedgerHasher {
    rows: Vec<u8>,
    hasher: blake3::Hasher,
    leaf: u64,
    /// First offset after it.
    leaf_end: u64,
    records: u64,
    chain: Digest,
    sealed: Vec<LeafSeal>,
}

/// Bytes hashed at once. Always so many, so that each block is one whole subtree of BLAKE3's: its chunks are then hashed side by side.
const BLOCK_BYTES: usize = 64 * 1024;

impl LedgerHasher {
    /// Goes on after the sealed leaves of a partition whose next offset is `next`. Rows of the open leaf must then be fed again.
    pub fn new(next: Offset, chain: Digest) -> Self {
        Self {
            rows: Vec::with_capacity(BLOCK_BYTES + 64),
            hasher: blake3::Hasher::new(),
            leaf: next.0 / LEAF_OFFSETS,
            leaf_end: leaf_end(next.0 / LEAF_OFFSETS),
            records: 0,
            chain,
            sealed: Vec::new(),
        }
    }

    /// Adds a vote's row: offset, kind, voter key, region, gender, candidate, age, moment; 39 bytes, big-endian.
    pub fn vote(&mut self, offset: Offset, vote: &LedgerVote) {
        self.advance_to(offset);
        let (kind, key) = match vote.voter {
            VoterKey::Integer(id) => (0_u8, u128::from(id)),
            VoterKey::Text(key) => (1, key),
        };
        let mut row = [0_u8; 39];
        row[..8].copy_from_slice(&offset.0.to_be_bytes());
        row[8] = kind;
        row[9..25].copy_from_slice(&key.to_be_bytes());
        row[25..27].copy_from_slice(&vote.region.to_be_bytes());
        row[27] = vote.gender;
        row[28..30].copy_from_slice(&vote.candidate.to_be_bytes());
        row[30..32].copy_from_slice(&vote.age.to_be_bytes());
        // Milliseconds fit 56 bits for two million years either way.
        row[32..39].copy_from_slice(&vote.moment.to_be_bytes()[1..]);
        self.row(&row);
    }

    /// Adds a reject's row: offset, 0x80 | reason, BLAKE3 of the value; 41 bytes.
    pub fn reject(&mut self, offset: Offset, reason: RejectReason, value_digest: &Digest) {
        self.advance_to(offset);
        let mut row = [0_u8; 41];
        row[..8].copy_from_slice(&offset.0.to_be_bytes());
        row[8] = 0x80 | reason as u8;
        row[9..].copy_from_slice(&value_digest.0);
        self.row(&row);
    }

    #[inline]
    fn row<const BYTES: usize>(&mut self, row: &[u8; BYTES]) {
        self.rows.extend_from_slice(row);
        self.records += 1;
        if self.rows.len() >= BLOCK_BYTES {
            self.hash_block();
        }
    }

    /// Hashes a block and keeps what is over, less than a row.
    #[cold]
    fn hash_block(&mut self) {
        self.hasher.update(&self.rows[..BLOCK_BYTES]);
        self.rows.copy_within(BLOCK_BYTES.., 0);
        self.rows.truncate(self.rows.len() - BLOCK_BYTES);
    }

    /// Seals every leaf that ends at or before `offset`: all below it has been seen.
    #[inline]
    pub fn advance_to(&mut self, offset: Offset) {
        while self.leaf_end <= offset.0 {
            self.seal_leaf();
        }
    }

    #[cold]
    fn seal_leaf(&mut self) {
        self.hasher.update(&self.rows);
        self.rows.clear();
        let digest = Digest(*self.hasher.finalize().as_bytes());
        self.chain = chain(&self.chain, &digest);
        self.sealed.push(LeafSeal { number: self.leaf, records: self.records, digest, chain: self.chain });
        self.hasher.reset();
        self.records = 0;
        self.leaf += 1;
        self.leaf_end = leaf_end(self.leaf);
    }

    /// Takes the leaves sealed since the last call.
    pub fn take_sealed(&mut self) -> Vec<LeafSeal> {
        std::mem::take(&mut self.sealed)
    }

    /// Records and digest of the open leaf so far.
    pub fn open(&self) -> crate::delta::OpenLeaf {
        // On a copy: what follows is then still hashed block by block.
        let mut hasher = self.hasher.clone();
        hasher.update(&self.rows);
        crate::delta::OpenLeaf { records: self.records, digest: Digest(*hasher.finalize().as_bytes()) }
    }

    /// The leaf being filled.
    pub fn open_leaf_number(&self) -> u64 {
        self.leaf
    }
}

/// First offset after a leaf.
fn leaf_end(leaf: u64) -> u64 {
    (leaf + 1) * LEAF_OFFSETS
}

/// The next value of a partition's chain.
pub fn chain(previous: &Digest, leaf: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&previous.0);
    hasher.update(&leaf.0);
    Digest(*hasher.finalize().as_bytes())
}

/// The election's digest: over the partitions' chains in order, each followed by the digest of its open leaf as far as counted.
pub fn election_digest(heads: &[crate::delta::LedgerHead]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for head in heads {
        hasher.update(&head.chain.0);
        hasher.update(&head.open.digest.0);
    }
    Digest(*hasher.finalize().as_bytes())
}

/// A digest of a file's content, for the identity of a source.
#[derive(Clone, Debug, Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The first 8 bytes of the digest.
    pub fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The row as documented, written another way.
    fn row(offset: u64) -> Vec<u8> {
        let hex = format!("{offset:016x}00{offset:032x}000301000200120001929d3e7a{:02x}", offset % 256);
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    fn vote(offset: u64) -> LedgerVote {
        LedgerVote {
            voter: VoterKey::Integer(offset),
            region: 3,
            candidate: 2,
            gender: 1,
            age: 18,
            moment: 0x01_929d_3e7a << 8 | (offset % 256) as i64,
        }
    }

    #[test]
    fn leaves_are_plain_digests_of_their_rows_wherever_the_open_one_is_looked_at() {
        let mut hasher = LedgerHasher::new(Offset(0), Digest::default());
        let mut rows = Vec::new();
        for offset in 0..LEAF_OFFSETS {
            // Before, at and after the end of a block of hashing, and now and then.
            if offset % 1_681 < 3 || offset % 10_007 == 0 {
                let open = hasher.open();
                assert_eq!(
                    (open.records, open.digest.0),
                    (offset, *blake3::hash(&rows).as_bytes()),
                    "{offset}"
                );
            }
            hasher.vote(Offset(offset), &vote(offset));
            rows.extend(row(offset));
        }
        assert_eq!(rows.len(), 39 * LEAF_OFFSETS as usize);
        hasher.advance_to(Offset(LEAF_OFFSETS));
        let sealed = hasher.take_sealed();
        let digest = Digest(*blake3::hash(&rows).as_bytes());
        let seal =
            LeafSeal { number: 0, records: LEAF_OFFSETS, digest, chain: chain(&Digest::default(), &digest) };
        assert_eq!(sealed, [seal]);
        assert_eq!(hasher.open().records, 0);
    }
}
