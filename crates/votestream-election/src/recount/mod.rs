//! Counting again in pieces: stretches of offsets judged side by side, applied in order, in as many passes over the voters as memory
//! demands. Each pass keeps only the voters of its part; what is decided of a voter needs no other voter, so passes add up.
//!
//! **Invariant:** any cut into stretches and any number of passes give what one fold over all records gives. (`tests/recount.rs`)
//! Reading records, threads and the comparison with a store are the engine's business.

mod judge;

mod stretch;

mod tally;

pub use judge::{Judge, Judged};
pub use stretch::Stretch;
pub use tally::{Carried, FirstPass, PassTally, Plain, RejectDigest, voter_sum};

use crate::voter::VoterKey;

/// One of several parts into which voters are dealt out by a hash of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoterPart {
    number: u32,
    of: u32,
    seed: u64,
}

impl VoterPart {
    /// All voters.
    pub const ALL: Self = Self { number: 0, of: 1, seed: 0 };

    /// The parts that make up all voters, `of` (> 0) in number. `seed` must not be known to those who choose ids, so that the
    /// parts are of one size; no result depends on it.
    pub fn all(of: u32, seed: u64) -> impl Iterator<Item = Self> {
        (0..of).map(move |number| Self { number, of, seed })
    }

    /// The first part is the one that also looks at what belongs to no voter: rejects, gaps, the ledger.
    pub fn is_first(self) -> bool {
        self.number == 0
    }

    /// Whether the voter is in this part.
    #[inline]
    pub fn holds(self, voter: VoterKey) -> bool {
        if self.of == 1 {
            return true;
        }
        let folded = match voter {
            VoterKey::Integer(id) => id,
            VoterKey::Text(key) => (key >> 64) as u64 ^ key as u64,
        };
        let part = (u128::from(mixed(folded, self.seed)) * u128::from(self.of)) >> 64;
        part == u128::from(self.number)
    }
}

/// Spreads a key over 64 bits; not as the table of voters does, whose slots each part shall fill evenly. (Finaliser of
/// splitmix64, S. Vigna, public domain.)
#[inline]
fn mixed(key: u64, seed: u64) -> u64 {
    let h = (key ^ seed.rotate_left(29)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voter_is_in_one_part_and_parts_are_of_one_size() {
        for of in [1, 2, 3, 7, 64] {
            let parts: Vec<_> = VoterPart::all(of, 99).collect();
            let mut sizes = vec![0_u32; of as usize];
            for id in 0..20_000_u64 {
                for voter in [VoterKey::Integer(id), VoterKey::Text(u128::from(id) << 64 | 5)] {
                    let holding: Vec<_> = parts.iter().filter(|part| part.holds(voter)).collect();
                    assert_eq!(holding.len(), 1, "{voter} of {of}");
                    sizes[holding[0].number as usize] += 1;
                }
            }
            let mean = 40_000 / of;
            assert!(sizes.iter().all(|size| size.abs_diff(mean) < mean / 4 + 1), "{of}: {sizes:?}");
        }
    }
}
