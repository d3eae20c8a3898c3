//! An election night in a store, made commit by commit: a few hundred votes of all regions each.

use crate::commands::now;
use anyhow::{Context, Result};
use std::fmt::Write;
use votestream_election::definition::US_PRESIDENT_2024;
use votestream_election::delta::{Engine, Pin, Snapshot};
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::results::Results;
use votestream_election::seen::SeenVoters;
use votestream_election::{Election, LogId, Offset, PartitionId};
use votestream_store::{ReaderStore, StoreUrl, WriterStore};

/// Votes of one commit: each region has some.
const VOTES: u64 = 408;

/// A store and who counts into it.
pub struct Night {
    election: Election,
    url: StoreUrl,
    store: WriterStore,
    count: PartitionCount,
    parser: EventParser,
    next: u64,
}

impl Night {
    /// Makes a store with a first commit.
    pub fn begin(store: &str) -> Result<Self> {
        let url: StoreUrl = store.parse()?;
        let election = Election::preset(US_PRESIDENT_2024).context("the preset is built in")?;
        let mut store = WriterStore::open(&url)?;
        let pin = Pin {
            log_kind: "dir".to_owned(),
            log_id: LogId(1),
            partitions: 1,
            start_offsets: vec![Offset(0)],
            partitioners: PartitionerSet::MURMUR2,
        };
        store.create_or_resume(&election, &pin, now())?;
        let states = store.take_over(&election.id, &[PartitionId(0)], Engine::Native)?;
        let state = states.into_iter().next().context("the store has no partition")?;
        let seen = SeenVoters::new(election.duplicate, VOTES, 1);
        let count =
            PartitionCount::new(&election, state, seen, (1, PartitionerSet::MURMUR2), Misrouted::Stop);
        let parser = EventParser::new(&election);
        let mut night = Self { election, url, store, count, parser, next: 0 };
        night.go_on()?;
        Ok(night)
    }

    /// Counts and commits some more votes.
    pub fn go_on(&mut self) -> Result<()> {
        let mut line = String::new();
        for _ in 0..VOTES {
            let place = self.next as usize;
            let region = &self.election.regions[place % self.election.regions.len()];
            let candidate = &self.election.candidates[place / 3 % self.election.candidates.len()];
            line.clear();
            write!(
                line,
                "{{\"id\":{},\"state\":\"{}\",\"decision\":\"{}\",\"gender\":\"Female\",\"age\":40}}",
                self.next, region.code, candidate.id
            )?;
            let record = Record {
                offset: Offset(self.next),
                timestamp: now(),
                key: None,
                value: Some(line.as_bytes()),
                oversize: false,
            };
            self.count.set_clock(record.timestamp);
            self.count.record(&mut self.parser, &record)?;
            self.next += 1;
        }
        self.count.end_batch(Offset(self.next), 0)?;
        let deltas: Vec<_> = self.count.seal(Offset(self.next)).into_iter().collect();
        self.store.flush(&self.election.id, &deltas, now())?;
        Ok(())
    }

    /// What results are made of, as it is now.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(ReaderStore::open(&self.url)?.snapshot(&self.election.id)?)
    }

    /// The results of a snapshot.
    pub fn results(&self, snapshot: &Snapshot) -> Results {
        Results::of(&self.election, snapshot)
    }
}
