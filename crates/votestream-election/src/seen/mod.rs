//! The voters already counted: an exact set in memory, and its packed form for the store. Never a probabilistic filter.
//! Which of a voter's records counts is decided in `fold`; rows and transactions are the store's business.

mod bits;
mod pack;
mod table;

pub use pack::{PackError, SEEN_PART_BYTES_MAX, Unpacked, merge, pack, unpack};

use crate::election::DuplicatePolicy;
use crate::voter::VoterKey;
use table::Table;

/// What an insertion found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// The voter was not there.
    New,
    /// The voter was there; under `last`, with this cell until now (0 under `first`).
    Known(u32),
}

/// Voters that are worth bringing near at once: so many slots' loads wait together.
pub const NEAR_GROUP: usize = table::GROUP;

/// Where a group of voters is looked for in the set.
#[derive(Debug, Default)]
pub struct Near {
    homes: Vec<usize>,
}

/// An exact set of voters; under `last` each with the cell of the record that counts.
pub struct SeenVoters {
    integers: Table<u64>,
    texts: Table<u128>,
}

impl SeenVoters {
    /// An empty set with room for `expected` voters with integer ids before it grows. `seed` only spreads the slots: it must not be
    /// known to those who choose ids, and no result depends on it.
    pub fn new(policy: DuplicatePolicy, expected: u64, seed: u64) -> Self {
        let cells = policy == DuplicatePolicy::Last;
        Self { integers: Table::new(expected, cells, seed), texts: Table::new(0, cells, seed) }
    }

    /// As [`Self::new`], with room for voters with integer ids and for voters with texts.
    pub fn with_room(policy: DuplicatePolicy, (integers, texts): (u64, u64), seed: u64) -> Self {
        let cells = policy == DuplicatePolicy::Last;
        Self { integers: Table::new(integers, cells, seed), texts: Table::new(texts, cells, seed) }
    }

    /// Bytes that a set with room for so many voters sets aside.
    pub fn bytes_for(policy: DuplicatePolicy, (integers, texts): (u64, u64)) -> u64 {
        let cell = if policy == DuplicatePolicy::Last { 4 } else { 0 };
        table::slots_for(integers) * (8 + cell) + table::slots_for(texts) * (16 + cell)
    }

    /// Brings the slots of a group of voters near the processor, to add them one after the other with [`Self::insert_near`].
    #[inline]
    pub fn bring_near(&mut self, voters: impl Iterator<Item = VoterKey> + Clone, near: &mut Near) {
        let (mut integers, mut texts) = (0, 0);
        for voter in voters.clone() {
            match voter {
                VoterKey::Integer(_) => integers += 1,
                VoterKey::Text(_) => texts += 1,
            }
        }
        self.integers.make_room(integers);
        self.texts.make_room(texts);
        near.homes.clear();
        near.homes.extend(voters.map(|voter| match voter {
            VoterKey::Integer(id) => self.integers.home(id),
            VoterKey::Text(key) => self.texts.home(key),
        }));
        // In a group of both kinds some slots are touched that nobody asked for.
        if integers > 0 {
            self.integers.touch(&near.homes);
        }
        if texts > 0 {
            self.texts.touch(&near.homes);
        }
    }

    /// As [`Self::insert`], of the voter at this place in the group that was brought near last.
    #[inline]
    pub fn insert_near(&mut self, (near, place): (&Near, usize), voter: VoterKey, cell: u32) -> Insertion {
        let home = near.homes[place];
        match voter {
            VoterKey::Integer(id) => self.integers.insert_from(home, id, cell),
            VoterKey::Text(key) => self.texts.insert_from(home, key, cell),
        }
    }

    /// Adds the voter, or says that it was there. Under `last`, `cell` becomes the voter's cell either way.
    #[inline]
    pub fn insert(&mut self, voter: VoterKey, cell: u32) -> Insertion {
        match voter {
            VoterKey::Integer(id) => self.integers.insert(id, cell),
            VoterKey::Text(key) => self.texts.insert(key, cell),
        }
    }

    /// Adds voters read back from the store: later cells replace earlier ones. Returns how many were new.
    pub fn load(&mut self, rows: &Unpacked) -> u64 {
        self.integers.load(&rows.integers, &rows.integer_cells)
            + self.texts.load(&rows.texts, &rows.text_cells)
    }

    /// Makes room for this many integer voters at once, so that nothing grows on the way.
    pub fn reserve(&mut self, voters: u64) {
        self.integers.reserve(voters);
    }

    /// Voters in the set.
    pub fn len(&self) -> u64 {
        self.integers.len() + self.texts.len()
    }

    /// No voter yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory set aside.
    pub fn bytes(&self) -> u64 {
        self.integers.bytes() + self.texts.bytes()
    }
}
