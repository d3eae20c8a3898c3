//! Permutations by arithmetic: the order in which an urn is drawn, and the ids that its voters carry. No list is kept, so that any
//! place can be asked for, forwards and backwards.

use crate::seed::{Seed, fold};

/// Rounds of the Feistel network. Four look random already; six leave no visible structure in any prefix.
const ROUNDS: usize = 6;

/// A seeded permutation of `0..n`: a Feistel network on a × b ≥ n with a, b ≈ √n (Black and Rogaway 2002), walked on while the
/// image lies outside. Since a × b − n < √n, nearly every image lies inside at once.
#[derive(Clone, Debug)]
pub(crate) struct Permutation {
    n: u32,
    a: u64,
    b: u64,
    /// ⌈2^64 / b⌉: divides any 32-bit number by b with one multiplication (Lemire, Kaser, Kurz 2019).
    reciprocal: u64,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation of `0..n` that `seed` stands for.
    pub(crate) fn new(n: u32, seed: Seed) -> Self {
        let wide = u64::from(n);
        let mut root = wide.isqrt();
        root += u64::from(root * root < wide);
        let b = root.max(2);
        let a = wide.div_ceil(b).max(1);
        let mut keys = [0; ROUNDS];
        for (round, key) in keys.iter_mut().enumerate() {
            *key = seed.bits(round as u64) | 1;
        }
        Self { n, a, b, reciprocal: u64::MAX / b + 1, keys }
    }

    /// The image of `x`, which must be below n.
    #[inline]
    pub(crate) fn of(&self, x: u32) -> u32 {
        debug_assert!(x < self.n, "{x} is outside a permutation of {}", self.n);
        let mut image = self.forward(x);
        while image >= self.n {
            image = self.forward(image);
        }
        image
    }

    /// Which number has the image `x`, which must be below n.
    pub(crate) fn inverse(&self, x: u32) -> u32 {
        debug_assert!(x < self.n, "{x} is outside a permutation of {}", self.n);
        let mut origin = self.backward(x);
        while origin >= self.n {
            origin = self.backward(origin);
        }
        origin
    }

    #[inline]
    fn split(&self, x: u32) -> (u64, u64) {
        let left = ((u128::from(self.reciprocal) * u128::from(x)) >> 64) as u64;
        (left, u64::from(x).wrapping_sub(left.wrapping_mul(self.b)))
    }

    #[inline]
    fn join(&self, left: u64, right: u64) -> u32 {
        left.wrapping_mul(self.b).wrapping_add(right) as u32
    }

    #[inline]
    fn forward(&self, x: u32) -> u32 {
        let (mut left, mut right) = self.split(x);
        for pair in self.keys.as_chunks::<2>().0 {
            left = turn(left, right, pair[0], self.a);
            right = turn(right, left, pair[1], self.b);
        }
        self.join(left, right)
    }

    fn backward(&self, x: u32) -> u32 {
        let (mut left, mut right) = self.split(x);
        for pair in self.keys.as_chunks::<2>().0.iter().rev() {
            right = turn_back(right, left, pair[1], self.b);
            left = turn_back(left, right, pair[0], self.a);
        }
        self.join(left, right)
    }
}

/// A number in 0..size that depends on `other` and `key`.
#[inline]
fn shift(other: u64, key: u64, size: u64) -> u64 {
    let hash = fold(other ^ key, 0xa076_1d64_78bd_642f ^ key.rotate_left(23));
    ((hash & 0xffff_ffff).wrapping_mul(size)) >> 32
}

#[inline]
fn turn(this: u64, other: u64, key: u64, size: u64) -> u64 {
    let sum = this.wrapping_add(shift(other, key, size));
    if sum >= size { sum.wrapping_sub(size) } else { sum }
}

fn turn_back(this: u64, other: u64, key: u64, size: u64) -> u64 {
    let back = shift(other, key, size);
    if this >= back { this - back } else { this + size - back }
}

/// How many ids of 16 digits there are whose first digit is not 0.
pub(crate) const IDS: u64 = 9_000_000_000_000_000;
const FIRST_ID: u64 = 1_000_000_000_000_000;
const BITS: u32 = 53;
const MASK: u64 = (1 << BITS) - 1;

/// A seeded bijection of serial numbers `0..IDS` onto the numbers of 16 digits, so that ids look random and never collide.
/// 2^53 is one part in 1,250 above `IDS`: walking on is rare.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    offset: u64,
    factors: [u64; 3],
}

impl Ids {
    pub(crate) fn new(seed: Seed) -> Self {
        let factor = |i| (seed.bits(i) & MASK) | 1;
        Self { offset: seed.bits(0) & MASK, factors: [factor(1), factor(2), factor(3)] }
    }

    /// The id of a serial number below `IDS`: 16 digits, the first not 0.
    #[inline]
    pub(crate) fn id(&self, serial: u64) -> u64 {
        debug_assert!(serial < IDS, "serial {serial} is beyond the ids");
        let mut x = self.scramble(serial);
        while x >= IDS {
            x = self.scramble(x);
        }
        x.wrapping_add(FIRST_ID)
    }

    /// A bijection on 53 bits: additions, odd factors and xor-shifts all are.
    #[inline]
    fn scramble(&self, x: u64) -> u64 {
        let x = x.wrapping_add(self.offset) & MASK;
        let x = (x ^ (x >> 26)).wrapping_mul(self.factors[0]) & MASK;
        let x = (x ^ (x >> 27)).wrapping_mul(self.factors[1]) & MASK;
        let x = (x ^ (x >> 25)).wrapping_mul(self.factors[2]) & MASK;
        x ^ (x >> 28)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(n: u32, seed: u64) {
        let permutation = Permutation::new(n, Seed(seed));
        let mut met = vec![false; n as usize];
        for x in 0..n {
            let image = permutation.of(x);
            assert!(!std::mem::replace(&mut met[image as usize], true), "{image} twice among {n}");
            assert_eq!(permutation.inverse(image), x);
        }
    }

    #[test]
    fn small_and_awkward_sizes_are_permuted() {
        for n in (1..=300).chain([4096, 65_535, 65_536, 65_537, 1_000_003]) {
            check(n, u64::from(n) * 7);
        }
    }

    proptest! {
        #[test]
        fn any_size_is_permuted(n in 1_u32..20_000, seed: u64) {
            check(n, seed);
        }

        #[test]
        fn the_largest_sizes_go_there_and_back(n in 4_000_000_000_u32.., x: u32, seed: u64) {
            let permutation = Permutation::new(n, Seed(seed));
            let x = x % n;
            prop_assert_eq!(permutation.inverse(permutation.of(x)), x);
        }

        #[test]
        fn different_serials_have_different_ids(a in 0..IDS, b in 0..IDS, seed: u64) {
            let ids = Ids::new(Seed(seed));
            let id = ids.id(a);
            prop_assert!((FIRST_ID..FIRST_ID + IDS).contains(&id));
            prop_assert_eq!(a == b, id == ids.id(b));
        }
    }

    #[test]
    fn five_million_ids_do_not_collide() {
        let ids = Ids::new(Seed(2024));
        let mut all: Vec<u64> = (0..5_000_000).map(|serial| ids.id(serial)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5_000_000);
        assert!(all[0] >= FIRST_ID && all[4_999_999] < FIRST_ID + IDS);
        // They fill the range evenly: each tenth of it holds a tenth of them, within half a percent of all.
        for tenth in 1..10 {
            let below = all.partition_point(|id| *id < FIRST_ID + tenth * (IDS / 10));
            assert!(below.abs_diff(tenth as usize * 500_000) < 25_000, "tenth {tenth} begins after {below}");
        }
    }

    #[test]
    fn a_prefix_is_a_fair_sample() {
        let n = 1_000_000;
        let permutation = Permutation::new(n, Seed(1));
        // Of the first 10,000 drawn, a tenth lies in each tenth: standard deviation 30.
        let mut tenths = [0_i32; 10];
        for x in 0..10_000 {
            tenths[(permutation.of(x) / (n / 10)) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (count - 1000).abs() < 150), "{tenths:?}");
    }
}
