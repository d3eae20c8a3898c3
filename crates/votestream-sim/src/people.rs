//! Who a voter is: gender and age, drawn from the voter's number given the candidate chosen. Ages are whole years inside a band.

use crate::lookup::Alias;
use crate::target::{OLDEST, Shape};
use votestream_election::Election;

/// A kind of person: all that an event says about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Place in the election's list of genders.
    pub(crate) gender: usize,
    /// Whole years.
    pub(crate) age: u16,
}

/// Every kind of person that votes, and for each candidate how likely each is.
#[derive(Clone, Debug)]
pub(crate) struct People {
    kinds: Vec<Person>,
    tables: Vec<Alias>,
}

/// An age that an election without age limit and bands draws from.
const YOUNGEST: u16 = 18;

impl People {
    pub(crate) fn new(election: &Election, shape: &Shape) -> Self {
        let ages = ages(election);
        let mut kinds = Vec::with_capacity(shape.genders * ages.len());
        for gender in 0..shape.genders {
            kinds.extend(ages.iter().map(|(age, ..)| Person { gender, age: *age }));
        }
        let tables = (0..election.candidates.len()).map(|candidate| {
            let weights = (0..shape.genders).flat_map(|gender| {
                let row = &shape.weights[(candidate * shape.genders + gender) * shape.bands..];
                ages.iter().map(move |(_, band, weight)| row[*band] * weight)
            });
            let mut weights: Vec<f64> = weights.collect();
            if weights.iter().sum::<f64>() <= 0.0 {
                weights.fill(1.0);
            }
            Alias::new(&weights)
        });
        Self { tables: tables.collect(), kinds }
    }

    /// All kinds, in the order that [`Self::draw`] numbers them.
    pub(crate) fn kinds(&self) -> &[Person] {
        &self.kinds
    }

    /// The kind of a voter for `candidate`, from 64 random bits.
    #[inline]
    pub(crate) fn draw(&self, candidate: usize, random: u64) -> usize {
        self.tables[candidate].draw(random)
    }
}

/// Each age that may vote, its band, and its weight within the band. In an open band the weight falls to nothing past [`OLDEST`].
fn ages(election: &Election) -> Vec<(u16, usize, f64)> {
    let youngest = election.eligible_age.unwrap_or(0);
    let mut ages = Vec::new();
    for (band, b) in election.bands.iter().enumerate() {
        let oldest = b.to.unwrap_or(OLDEST.max(b.from)).min(150);
        let within: Vec<u16> = (b.from.max(youngest)..=oldest).collect();
        let weight = |age: u16| if b.to.is_some() { 1.0 } else { f64::from(oldest - age + 1) };
        let sum: f64 = within.iter().map(|age| weight(*age)).sum();
        ages.extend(within.iter().map(|age| (*age, band, weight(*age) / sum)));
    }
    if ages.is_empty() {
        let youngest = election.eligible_age.unwrap_or(YOUNGEST).min(150);
        ages.extend((youngest..=youngest.max(OLDEST)).map(|age| (age, 0, 1.0)));
    }
    ages
}
