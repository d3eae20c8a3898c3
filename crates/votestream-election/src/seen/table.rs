//! An open-addressing table of any capacity: range-reduced hash, linear probing, at most 4/5 full. Cells lie beside the keys.
//! Slots come straight from the system in large pages where it has them: at a hundred million voters each probe would else miss twice.

use super::Insertion;
use bytemuck::Pod;
use memmap2::{Advice, MmapMut};

/// A key that fits a slot; the all-zero key marks an empty slot and is kept apart.
pub(super) trait Key: Pod + Eq {
    /// Spreads the key over 64 bits.
    fn spread(self, seed: u64) -> u64;
    /// Whether this is the key that cannot lie in a slot.
    fn is_zero(self) -> bool;
}

impl Key for u64 {
    #[inline]
    fn spread(self, seed: u64) -> u64 {
        let h = (self ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (h ^ (h >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }
    #[inline]
    fn is_zero(self) -> bool {
        self == 0
    }
}

impl Key for u128 {
    #[inline]
    fn spread(self, seed: u64) -> u64 {
        // Already a digest: either half is as good as random.
        ((self >> 64) as u64 ^ self as u64).spread(seed)
    }
    #[inline]
    fn is_zero(self) -> bool {
        self == 0
    }
}

/// Slots of one kind, zeroed by the system.
struct Slots<T> {
    memory: Option<MmapMut>,
    kind: std::marker::PhantomData<T>,
}

/// Below this, large pages would waste more than they save.
const LARGE_PAGES_FROM_BYTES: usize = 8 << 20;

impl<T: Pod> Slots<T> {
    fn new(slots: usize) -> Self {
        let bytes = slots * size_of::<T>();
        if bytes == 0 {
            return Self { memory: None, kind: std::marker::PhantomData };
        }
        let memory = match MmapMut::map_anon(bytes) {
            Ok(memory) => memory,
            // As a failed Vec would: there is no memory, and no way to go on without forgetting a voter.
            Err(error) => panic!("no memory for {bytes} bytes of seen voters: {error}"),
        };
        if bytes >= LARGE_PAGES_FROM_BYTES {
            // Only a hint: without large pages the table is slower, not wrong.
            drop(memory.advise(Advice::HugePage));
        }
        Self { memory: Some(memory), kind: std::marker::PhantomData }
    }

    #[inline]
    fn get(&self) -> &[T] {
        self.memory.as_ref().map_or(&[], |m| bytemuck::cast_slice(m))
    }

    #[inline]
    fn get_mut(&mut self) -> &mut [T] {
        self.memory.as_mut().map_or(&mut [], |m| bytemuck::cast_slice_mut(m))
    }
}

pub(super) struct Table<K> {
    keys: Slots<K>,
    cells: Option<Slots<u32>>,
    /// The voter whose key marks an empty slot, with its cell.
    zero: Option<u32>,
    capacity: usize,
    used: usize,
    seed: u64,
}

/// Room for a first few voters.
const CAPACITY_MIN: usize = 1 << 10;
/// Voters whose slots are touched before they are inserted.
pub(super) const GROUP: usize = 64;

impl<K: Key> Table<K> {
    pub(super) fn new(expected: u64, with_cells: bool, seed: u64) -> Self {
        let capacity = slots_for(expected) as usize;
        Self {
            keys: Slots::new(capacity),
            cells: with_cells.then(|| Slots::new(capacity)),
            zero: None,
            capacity,
            used: 0,
            seed,
        }
    }

    /// Where the search for a key begins, until the table grows.
    #[inline]
    pub(super) fn home(&self, key: K) -> usize {
        ((u128::from(key.spread(self.seed)) * self.capacity as u128) >> 64) as usize
    }

    /// Brings slots near the processor. With nothing else to do between them, their loads all wait at once.
    #[inline]
    pub(super) fn touch(&self, homes: &[usize]) {
        let keys = self.keys.get();
        let zeros = homes.iter().filter(|home| keys.get(**home).is_some_and(|key| key.is_zero())).count();
        std::hint::black_box(zeros);
    }

    /// Makes room, so that so many keys can be added without growing.
    #[inline]
    pub(super) fn make_room(&mut self, more: usize) {
        if (self.used + more) * 5 > self.capacity * 4 {
            self.grow((self.capacity + self.capacity / 2).max(capacity_for((self.used + more) as u64)));
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, key: K, cell: u32) -> Insertion {
        self.make_room(1);
        self.insert_from(self.home(key), key, cell)
    }

    /// Adds a key whose home is known, where there is room.
    #[inline]
    pub(super) fn insert_from(&mut self, home: usize, key: K, cell: u32) -> Insertion {
        if key.is_zero() {
            return match self.zero.replace(cell) {
                None => Insertion::New,
                Some(old) => Insertion::Known(old),
            };
        }
        let mut at = home;
        let keys = self.keys.get_mut();
        loop {
            let slot = &mut keys[at];
            if *slot == key {
                let old = self.cells.as_mut().map_or(0, |c| std::mem::replace(&mut c.get_mut()[at], cell));
                return Insertion::Known(old);
            }
            if slot.is_zero() {
                *slot = key;
                self.used += 1;
                if let Some(cells) = &mut self.cells {
                    cells.get_mut()[at] = cell;
                }
                return Insertion::New;
            }
            at += 1;
            if at == keys.len() {
                at = 0;
            }
        }
    }

    pub(super) fn load(&mut self, keys: &[K], cells: &[u32]) -> u64 {
        self.reserve(self.used as u64 + keys.len() as u64);
        let mut new = 0;
        let mut homes = Vec::with_capacity(GROUP);
        for (group, keys) in keys.chunks(GROUP).enumerate() {
            homes.clear();
            homes.extend(keys.iter().map(|key| self.home(*key)));
            self.touch(&homes);
            for (i, (key, home)) in keys.iter().zip(&homes).enumerate() {
                let cell = cells.get(group * GROUP + i).copied().unwrap_or(0);
                new += u64::from(self.insert_from(*home, *key, cell) == Insertion::New);
            }
        }
        new
    }

    pub(super) fn reserve(&mut self, voters: u64) {
        let capacity = capacity_for(voters);
        if capacity > self.capacity && voters as usize * 5 > self.capacity * 4 {
            self.grow(capacity.max(self.capacity + self.capacity / 4));
        }
    }

    fn grow(&mut self, capacity: usize) {
        let old_keys = std::mem::replace(&mut self.keys, Slots::new(capacity));
        let old_cells = self.cells.take();
        self.cells = old_cells.as_ref().map(|_| Slots::new(capacity));
        self.capacity = capacity;
        self.used = 0;
        let cells = old_cells.as_ref().map_or(&[][..], Slots::get);
        for (at, key) in old_keys.get().iter().enumerate().filter(|(_, key)| !key.is_zero()) {
            self.insert(*key, cells.get(at).copied().unwrap_or(0));
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.used as u64 + u64::from(self.zero.is_some())
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.capacity * (size_of::<K>() + if self.cells.is_some() { 4 } else { 0 })) as u64
    }
}

/// Slots of a new table.
pub(super) fn slots_for(expected: u64) -> u64 {
    if expected == 0 { 0 } else { capacity_for(expected) as u64 }
}

/// Slots for this many voters at about 3/4 full.
fn capacity_for(voters: u64) -> usize {
    (voters as usize + voters as usize / 3).max(CAPACITY_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_table_is_a_map(seed in any::<u64>(), steps in prop::collection::vec((0_u64..400, 0_u32..9), 0..3000)) {
            let mut table = Table::<u64>::new(3, true, seed);
            let mut model = BTreeMap::new();
            for (key, cell) in steps {
                let expect = model.insert(key, cell).map_or(Insertion::New, Insertion::Known);
                prop_assert_eq!(table.insert(key, cell), expect);
                prop_assert_eq!(table.len(), model.len() as u64);
            }
        }
    }

    #[test]
    fn keys_that_share_a_home_are_all_kept() {
        // 5,000 keys that an attacker who knew the seed would choose: all in the first thousandth of the table.
        let seed = 7;
        let mut table = Table::<u64>::new(100_000, false, seed);
        let keys: Vec<u64> = (1..u64::MAX).filter(|k| k.spread(seed) >> 54 == 0).take(5_000).collect();
        assert_eq!(table.load(&keys, &[]), 5_000);
        assert_eq!(table.load(&keys, &[]), 0);
    }
}
