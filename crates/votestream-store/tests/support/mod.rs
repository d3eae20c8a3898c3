//! What the store's tests share: a small worker that seals deltas as the counting fold does, without records and JSON.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod outside;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod proxy;
pub mod scenarios;

use std::any::Any;
use votestream_election::delta::{Counts, Engine, Fence, PartitionDelta, PartitionState, Pin, TimelineRow};
use votestream_election::ledger::{Digest, LedgerHasher, LedgerVote};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::{Unpacked, pack};
use votestream_election::{
    BandIx, CandidateIx, Election, GenderIx, LogId, Millis, Minute, Offset, PartitionId, RegionIx,
    RejectReason, VoterKey,
};
use votestream_store::{StoreUrl, WriterStore};

/// A wall clock for calls that want one.
pub const NOW: Millis = Millis(1_730_000_000_000);

/// A place for one store, gone with what is kept.
pub struct Site {
    pub url: StoreUrl,
    pub keep: Box<dyn Any + Send + Sync>,
}

pub fn election() -> Election {
    Election::preset("us-president-2024").unwrap()
}

pub fn pin(partitions: u32) -> Pin {
    Pin {
        log_kind: "dir".into(),
        log_id: LogId(7),
        partitions,
        start_offsets: vec![Offset(0); partitions as usize],
        partitioners: PartitionerSet::ALL,
    }
}

/// One offset of a range.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    Vote { voter: u64, region: u16, candidate: u16, minute: i64 },
    Duplicate,
    Reject(RejectReason),
    Skip,
}

/// A vote in minute 0.
pub fn vote(voter: u64, region: u16, candidate: u16) -> Entry {
    Entry::Vote { voter, region, candidate, minute: 0 }
}

/// Seals deltas of one partition.
pub struct Worker {
    pub partition: PartitionId,
    pub epoch: u64,
    pub engine: Engine,
    pub next: Offset,
    pub partitioners: PartitionerSet,
    election: Election,
    counts: Counts,
    totals: Vec<u64>,
    minute: Option<Minute>,
    ledger: LedgerHasher,
}

impl Worker {
    pub fn new(election: &Election, state: PartitionState) -> Self {
        let p = state.progress;
        Self {
            partition: p.partition,
            epoch: p.epoch,
            engine: p.engine,
            next: p.next_offset,
            partitioners: PartitionerSet::ALL,
            election: election.clone(),
            counts: Counts {
                counted: p.counted,
                duplicate: p.duplicate,
                rejected: p.rejected,
                skipped: p.skipped,
            },
            totals: state.totals,
            minute: p.minute,
            ledger: LedgerHasher::new(p.next_offset, state.chain),
        }
    }

    /// Seals a range that begins where the last one ended.
    pub fn seal(&mut self, entries: &[Entry]) -> PartitionDelta {
        let layout = self.election.layout();
        let from = self.next;
        let mut counts = Counts::default();
        let mut cells = vec![vec![0_i64; layout.cells()]; self.election.region_rows()];
        let (mut fresh, mut rejects, mut timeline) = (Unpacked::default(), Vec::new(), Vec::new());
        for entry in entries {
            let offset = self.next;
            match *entry {
                Entry::Vote { voter, region, candidate, minute } => {
                    if self.minute.is_some_and(|m| m.0 < minute) {
                        timeline.push(self.row(&counts));
                    }
                    self.minute = self.minute.max(Some(Minute(minute)));
                    counts.counted += 1;
                    fresh.integers.push(voter);
                    let (gender, band) =
                        ((voter % layout.genders as u64) as u8, (voter % layout.bands as u64) as u8);
                    cells[usize::from(region)]
                        [layout.index(CandidateIx(candidate), GenderIx(gender), BandIx(band))] += 1;
                    self.totals[usize::from(region) * layout.candidates + usize::from(candidate)] += 1;
                    let voter = VoterKey::Integer(voter);
                    self.ledger.vote(
                        offset,
                        &LedgerVote { voter, region, candidate, gender, age: 30, moment: minute },
                    );
                }
                Entry::Duplicate => counts.duplicate += 1,
                Entry::Reject(reason) => {
                    counts.rejected += 1;
                    rejects.push((offset, reason));
                    self.ledger.reject(offset, reason, &Digest(*blake3::hash(b"x").as_bytes()));
                }
                Entry::Skip => counts.skipped += 1,
            }
            self.next = offset.plus(1);
        }
        if self.minute.is_some() {
            timeline.push(self.row(&counts));
        }
        self.counts.add(&counts);
        self.ledger.advance_to(self.next);
        fresh.sort();
        PartitionDelta {
            partition: self.partition,
            fence: Fence { from, epoch: self.epoch, engine: self.engine },
            to: self.next,
            leader_epoch: 3,
            counts,
            tally: cells
                .into_iter()
                .enumerate()
                .filter(|(_, c)| c.iter().any(|n| *n != 0))
                .map(|(r, c)| (RegionIx(r as u16), c))
                .collect(),
            timeline,
            seen: pack(&fresh),
            outside: 0,
            rejects,
            leaves: self.ledger.take_sealed(),
            open_leaf: Some(self.ledger.open()),
            minute: self.minute,
            log_end: self.next,
            partitioners: self.partitioners,
        }
    }

    fn row(&self, more: &Counts) -> TimelineRow {
        let mut counts = self.counts;
        counts.add(more);
        TimelineRow { minute: self.minute.unwrap(), counts, totals: self.totals.clone() }
    }
}

/// Opens a store, creates the election and takes all its partitions over.
pub fn start(url: &StoreUrl, election: &Election, partitions: u32) -> (WriterStore, Vec<Worker>) {
    let mut store = WriterStore::open(url).unwrap();
    store.create_or_resume(election, &pin(partitions), NOW).unwrap();
    let workers = take_over(&mut store, election, partitions);
    (store, workers)
}

pub fn take_over(store: &mut WriterStore, election: &Election, partitions: u32) -> Vec<Worker> {
    let all: Vec<_> = (0..partitions).map(PartitionId).collect();
    let states = store.take_over(&election.id, &all, Engine::Native).unwrap();
    states.into_iter().map(|state| Worker::new(election, state)).collect()
}

/// The voters of a partition, sorted, as a reload reads them.
pub fn reload(store: &WriterStore, election: &Election, partition: u32) -> Vec<u64> {
    let mut all = Unpacked::default();
    let each = &mut |row: votestream_election::delta::SeenRow| {
        votestream_election::seen::unpack(&row.seen.bytes, &mut all).unwrap();
        Ok::<_, votestream_store::StoreError>(())
    };
    store.seen_reader().unwrap().for_each_seen(&election.id, PartitionId(partition), each).unwrap();
    all.integers.sort_unstable();
    all.integers
}
