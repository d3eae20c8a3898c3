//! The endless stream of votes for those who bring their own counting: drawn with replacement from an election's electorate, one
//! stream a client, no voter twice. Pacing, limits and HTTP are the server's business.

use crate::digits::sixteen;
use crate::encode::Encoder;
use crate::options::{SimError, Votes};
use crate::permute::IDS;
use crate::seed::{Seed, below, mix};
use crate::simulation::Urn;
use crate::target::Target;
use crate::time_text::{Clock, TimeStyle};
use std::sync::Arc;
use votestream_election::{Election, Millis};

/// An election's electorate, ready for any number of clients. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Source {
    parts: Arc<SourceParts>,
}

#[derive(Debug)]
struct SourceParts {
    election: Election,
    target: Target,
    encoder: Encoder,
    clock: Clock,
}

impl Source {
    /// Lays the electorate out. Fails where the election's times cannot be written.
    pub fn new(election: &Election) -> Result<Self, SimError> {
        let target = Target::new(election, Votes::All, Seed(0))?;
        let urn = Urn::new(election, &target, Seed(0));
        let encoder = Encoder::new(election, urn.people.kinds(), false);
        let clock = Clock::new(TimeStyle::new(election)?);
        Ok(Self { parts: Arc::new(SourceParts { election: election.clone(), target, encoder, clock }) })
    }

    /// The stream that `seed` stands for.
    pub fn stream(&self, seed: u64) -> SourceStream {
        let parts = self.parts.clone();
        let seed = Seed(mix(seed)).child(5);
        let clock = parts.clock.clone();
        SourceStream {
            urn: Urn::new(&parts.election, &parts.target, seed.child(1)),
            buffer: vec![0; parts.encoder.room(&clock)],
            cells: seed.child(2),
            serial: 0,
            clock,
            parts,
        }
    }
}

/// One client's votes: the same for the same election and seed. No voter comes twice in 9·10^15 votes.
#[derive(Debug)]
pub struct SourceStream {
    parts: Arc<SourceParts>,
    urn: Urn,
    cells: Seed,
    serial: u64,
    clock: Clock,
    buffer: Vec<u8>,
}

impl SourceStream {
    /// The next event, as compact JSON. `now` is its moment, for mappings that carry one.
    pub fn next_event(&mut self, now: Millis) -> &[u8] {
        let serial = self.serial % IDS;
        let cell = self.urn.cells.find(below(self.cells.bits(serial), self.urn.cells.total()));
        let ballot = self.urn.ballot(serial, cell, now);
        self.serial += 1;
        let length =
            self.parts.encoder.write(&ballot, &sixteen(ballot.voter), &mut self.clock, &mut self.buffer);
        &self.buffer[..length]
    }

    /// Events given so far.
    pub fn position(&self) -> u64 {
        self.serial
    }
}
