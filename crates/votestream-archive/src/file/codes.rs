//! The election's lists as the files write them: a region's code, a candidate's id, names of genders and bands. Numbers in memory,
//! readable text on disk.

use bytes::Bytes;
use parquet::data_type::ByteArray;
use std::collections::HashMap;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, RejectReason};

use super::schema::VOTE;

/// Texts of one list, by number.
#[derive(Clone, Debug)]
pub struct Names {
    texts: Vec<ByteArray>,
    numbers: HashMap<Bytes, u16>,
}

impl Names {
    fn new(texts: impl Iterator<Item = String>) -> Self {
        let texts: Vec<Bytes> = texts.map(Bytes::from).collect();
        let numbers = texts.iter().enumerate().map(|(n, text)| (text.clone(), n as u16)).collect();
        Self { texts: texts.into_iter().map(ByteArray::from).collect(), numbers }
    }

    /// The text of a number.
    #[inline]
    pub fn text(&self, number: u16) -> Option<&ByteArray> {
        self.texts.get(usize::from(number))
    }

    fn number(&self, text: &[u8]) -> Option<u16> {
        self.numbers.get(text).copied()
    }
}

/// All lists.
#[derive(Clone, Debug)]
pub struct Codes {
    /// Codes of regions; none in an election without.
    pub regions: Names,
    /// Ids of candidates.
    pub candidates: Names,
    /// Genders.
    pub genders: Names,
    /// Labels of bands.
    pub bands: Names,
    /// `vote` under 0, and each reason under its code.
    pub outcomes: Names,
    /// Sets of partitioners under 1 (murmur2) + 2 (crc32).
    pub partitioners: Names,
}

impl Codes {
    /// The lists of an election.
    pub fn new(election: &Election) -> Self {
        let reasons = RejectReason::ALL.len() as u8;
        let outcome = |code: u8| RejectReason::from_code(code).map_or(VOTE, RejectReason::name).to_owned();
        Self {
            regions: Names::new(election.regions.iter().map(|region| region.code.clone())),
            candidates: Names::new(election.candidates.iter().map(|candidate| candidate.id.clone())),
            genders: Names::new(election.genders.iter().cloned()),
            bands: Names::new(election.bands.iter().map(|band| band.label.clone())),
            outcomes: Names::new((0..=reasons).map(outcome)),
            partitioners: Names::new((0..4).map(|code| set_of(code).to_text().to_owned())),
        }
    }
}

/// A set of partitioners as a number.
#[inline]
pub fn code_of(set: PartitionerSet) -> u16 {
    u16::from(set.murmur2) + 2 * u16::from(set.crc32)
}

/// The set that a number means.
#[inline]
pub fn set_of(code: u16) -> PartitionerSet {
    PartitionerSet { murmur2: code & 1 != 0, crc32: code & 2 != 0 }
}

/// Finds numbers of texts that come again and again from the same places of memory, as a dictionary's do.
#[derive(Debug)]
pub struct Finder {
    /// By a hash of the text's address: where it was, and its number.
    known: Vec<(usize, u16)>,
}

/// Places of a finder.
const KNOWN: usize = 1024;

impl Finder {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self { known: vec![(0, 0); KNOWN] }
    }

    /// The number of a text in its list.
    #[inline]
    pub fn find(&mut self, names: &Names, text: &[u8]) -> Option<u16> {
        let address = text.as_ptr() as usize;
        let known = &mut self.known[(address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) % KNOWN];
        // The memory may hold another text by now.
        if known.0 == address && names.text(known.1).is_some_and(|name| name.data() == text) {
            return Some(known.1);
        }
        let number = names.number(text)?;
        *known = (address, number);
        Some(number)
    }
}
