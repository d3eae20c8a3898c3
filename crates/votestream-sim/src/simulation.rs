//! The simulation: every record by its index, or one after the other at speed. What the records add up to is `expected`'s business;
//! pacing, partitions and files are the caller's.

use crate::digits::{murmur2, sixteen};
use crate::encode::{Ballot, Encoder};
use crate::faults::{Fault, FaultPlan, Slot};
use crate::invalid::{Draft, Invalid};
use crate::lookup::Ranges;
use crate::night::{Sequence, Walk, borrowed};
use crate::options::{SimError, SimOptions};
use crate::people::People;
use crate::permute::Ids;
use crate::seed::{Seed, below, mix};
use crate::target::Target;
use crate::time_text::{Clock, TimeStyle};
use std::sync::Arc;
use votestream_election::{Election, Millis, PartitionId, RejectReason, SourceId};

/// A simulated election: a finite stream of records, the same for the same election and options. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Simulation {
    pub(crate) parts: Arc<Parts>,
}

/// All that records are made from.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) election: Election,
    pub(crate) plan: FaultPlan,
    pub(crate) cells: Vec<u64>,
    pub(crate) urn: Urn,
    pub(crate) sequence: Sequence,
    pub(crate) invalid: Invalid,
    encoder: Encoder,
    style: TimeStyle,
    id: SourceId,
}

/// Voters by number: which cell they vote in, who they are.
#[derive(Clone, Debug)]
pub(crate) struct Urn {
    pub(crate) cells: Ranges,
    candidate_of: Vec<u32>,
    pub(crate) people: People,
    pub(crate) ids: Ids,
    persons: Seed,
}

impl Urn {
    pub(crate) fn new(election: &Election, target: &Target, seed: Seed) -> Self {
        let candidates = election.candidates.len() as u32;
        Self {
            cells: Ranges::new(target.cells.iter().copied()),
            candidate_of: (0..target.cells.len() as u32).map(|cell| cell % candidates).collect(),
            people: People::new(election, &target.shape),
            ids: Ids::new(seed.child(1)),
            persons: seed.child(2),
        }
    }

    /// The ballot of voter number `serial` for a cell.
    #[inline]
    pub(crate) fn ballot(&self, serial: u64, cell: usize, moment: Millis) -> Ballot {
        let candidate = self.candidate_of[cell] as usize;
        let person = self.people.draw(candidate, self.persons.bits(serial));
        Ballot { voter: self.ids.id(serial), person, cell, moment }
    }

    /// The ballot of the voter of that rank in the urn.
    #[inline]
    pub(crate) fn drawn(&self, rank: u64, moment: Millis) -> Ballot {
        self.ballot(rank, self.cells.find(rank), moment)
    }
}

/// What a record is, beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    /// Its place in the source, counted from 0.
    pub index: u64,
    /// When it happened; never falls from one record to the next.
    pub timestamp: Millis,
    /// Whose it is; `None` where the record names no voter that can be read.
    pub voter: Option<Voter>,
    /// What it is meant to be.
    pub kind: RecordKind,
}

/// A voter's id and its canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The id: 16 digits, the first not 0.
    pub id: u64,
    /// The same as text: a keyed log's key.
    pub key: [u8; 16],
}

/// What a record of a simulation is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A voter's first record.
    Vote,
    /// A voter's record again, with the same choice.
    Duplicate,
    /// A voter's record again, with another choice or from another region.
    Changed,
    /// No vote, for this reason.
    Invalid(RejectReason),
}

impl RecordMeta {
    /// The partition among `partitions` (> 0) that the record belongs to: murmur2 of the voter's text, or, without a voter, one
    /// that its index decides.
    #[inline]
    pub fn partition(&self, partitions: u32) -> PartitionId {
        let hash = match &self.voter {
            Some(voter) => murmur2(&voter.key) & 0x7fff_ffff,
            None => (mix(self.index) >> 33) as u32,
        };
        PartitionId(hash % partitions)
    }
}

impl Simulation {
    /// Lays a simulation out; makes no record yet. Memory: one number a region and minute of the night, no list of voters.
    ///
    /// Fails where more votes are asked for than the certified electorate has, where there are none, or where the election's times cannot be written.
    pub fn new(election: &Election, options: &SimOptions) -> Result<Self, SimError> {
        let seed = Seed(mix(options.seed));
        let target = Target::new(election, options.votes, seed.child(1))?;
        let style = TimeStyle::new(election)?;
        let regions: Vec<u64> =
            target.cells.chunks(election.candidates.len()).map(|row| row.iter().sum()).collect();
        let sequence = Sequence::new(election, &regions, options, seed.child(2))?;
        let urn = Urn::new(election, &target, seed.child(3));
        let votes = target.cells.iter().sum();
        let parts = Parts {
            plan: FaultPlan::new(votes, &options.faults, seed.child(4)),
            encoder: Encoder::new(election, urn.people.kinds(), options.time_field),
            invalid: Invalid::new(election),
            id: source_id(election, options, votes),
            election: election.clone(),
            cells: target.cells,
            sequence,
            style,
            urn,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// What decides the stream, as one number: for resuming it, and for refusing to resume another.
    pub fn id(&self) -> SourceId {
        self.parts.id
    }

    /// Voters that vote: each is counted once.
    pub fn votes(&self) -> u64 {
        self.parts.plan.votes
    }

    /// Records in all: votes and faults.
    pub fn records(&self) -> u64 {
        self.parts.plan.records()
    }

    /// When the first record happens, and the last.
    pub fn span(&self) -> (Millis, Millis) {
        let last = self.votes() - 1;
        (self.parts.sequence.place(0).1, self.parts.sequence.place(last).1)
    }

    /// How many records happen before `moment`: what is due when the night has come so far.
    pub fn records_before(&self, moment: Millis) -> u64 {
        let plan = &self.parts.plan;
        let votes = self.parts.sequence.votes_before(moment, plan.votes);
        if votes == plan.votes {
            return plan.records();
        }
        // The index of vote number `votes`: as many votes lie before it.
        let (mut low, mut high) = (0, plan.records());
        while low < high {
            let middle = low + (high - low) / 2;
            if middle + 1 - plan.faults_before(middle + 1) <= votes {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Reads the records from `index` on.
    pub fn cursor(&self, index: u64) -> Cursor {
        self.cursor_until(index, self.records())
    }

    /// Reads the records `from..to`; for sharing the work out among threads.
    pub fn cursor_until(&self, from: u64, to: u64) -> Cursor {
        Cursor::new(self.parts.clone(), from, to.min(self.records()))
    }

    /// Appends the record at `index` (< [`Self::records`]) to `out`.
    pub fn record(&self, index: u64, out: &mut Vec<u8>) -> Option<RecordMeta> {
        self.cursor(index).next_into(out)
    }
}

fn source_id(election: &Election, options: &SimOptions, votes: u64) -> SourceId {
    let text = format!(
        "votestream-sim 1\n{}\nvotes={votes} seed={} order={} faults={} time_field={} start={:?}\n",
        election.hash(),
        options.seed,
        options.order,
        options.faults,
        options.time_field,
        options.start.map(|start| start.0),
    );
    let digest = blake3::hash(text.as_bytes());
    let first = digest.as_bytes().first_chunk::<8>();
    SourceId(first.map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

/// Reads a simulation forwards, as fast as it goes.
#[derive(Debug)]
pub struct Cursor {
    parts: Arc<Parts>,
    index: u64,
    end: u64,
    /// Vote that comes next, and fault.
    vote: u64,
    fault: u64,
    /// A fault is due where this reaches the number of records; see [`Cursor::is_fault`].
    due: u64,
    faults: u64,
    records: u64,
    moment: Millis,
    walk: Walk,
    clock: Clock,
    buffer: Vec<u8>,
    line: Vec<u8>,
}

impl Cursor {
    fn new(parts: Arc<Parts>, from: u64, end: u64) -> Self {
        let plan = &parts.plan;
        let from = from.min(end);
        let fault = plan.faults_before(from);
        let vote = from - fault;
        let (faults, records) = (plan.faults(), plan.records());
        let clock = Clock::new(parts.style.clone());
        Self {
            index: from,
            end,
            vote,
            fault,
            due: (u128::from(from) * u128::from(faults) % u128::from(records)) as u64,
            faults,
            records,
            moment: vote.checked_sub(1).map_or(Millis(0), |before| parts.sequence.place(before).1),
            walk: Walk::from(&parts.sequence, vote.min(plan.votes - 1)),
            buffer: vec![0; parts.encoder.room(&clock)],
            line: Vec::new(),
            clock,
            parts,
        }
    }

    /// The index of the record that comes next.
    pub fn position(&self) -> u64 {
        self.index
    }

    /// The next record and its bytes, or `None` at the end.
    #[inline]
    pub fn next_record(&mut self) -> Option<(RecordMeta, &[u8])> {
        if self.index >= self.end {
            return None;
        }
        if self.is_fault() {
            return Some(self.next_fault());
        }
        let parts = &*self.parts;
        let (rank, moment) = self.walk.place(&parts.sequence, self.vote);
        let ballot = parts.urn.drawn(rank, moment);
        let voter = Voter::new(ballot.voter);
        let length = parts.encoder.write(&ballot, &voter.key, &mut self.clock, &mut self.buffer);
        let meta =
            RecordMeta { index: self.index, timestamp: moment, voter: Some(voter), kind: RecordKind::Vote };
        self.moment = moment;
        self.vote = self.vote.wrapping_add(1);
        self.index = self.index.wrapping_add(1);
        Some((meta, &self.buffer[..length]))
    }

    /// Appends the next record's bytes to `out`.
    #[inline]
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> Option<RecordMeta> {
        let (meta, bytes) = self.next_record()?;
        out.extend_from_slice(bytes);
        Some(meta)
    }

    /// Whether the next record is a fault: `FaultPlan::slot` without its divisions, for indices in turn.
    #[inline]
    fn is_fault(&mut self) -> bool {
        self.due = self.due.wrapping_add(self.faults);
        let fault = self.due >= self.records;
        if fault {
            self.due = self.due.wrapping_sub(self.records);
        }
        fault
    }

    #[cold]
    fn next_fault(&mut self) -> (RecordMeta, &[u8]) {
        let parts = self.parts.clone();
        debug_assert_eq!(
            parts.plan.slot(self.index),
            Slot::Fault { number: self.fault, votes_before: self.vote }
        );
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let (voter, kind) = match parts.plan.fault(self.fault, self.vote) {
            Fault::Duplicate { vote } => {
                (Some(self.repeat(parts.ballot(vote), &mut line)), RecordKind::Duplicate)
            }
            Fault::Changed { vote, random } => {
                let changed = parts.changed(parts.ballot(vote), random);
                (Some(self.repeat(changed, &mut line)), RecordKind::Changed)
            }
            Fault::Invalid { ordinal, random } => {
                let reason = parts.invalid.reason(ordinal);
                let draft = self.draft(&parts, random);
                let voter = draft.ballot.voter;
                parts.invalid.write(ordinal, draft, &mut line);
                (
                    Some(Voter::new(voter)).filter(|_| reason > RejectReason::InvalidId),
                    RecordKind::Invalid(reason),
                )
            }
            Fault::Torn { random } => {
                let draft = self.draft(&parts, random);
                parts.invalid.write_torn(draft, &mut line);
                (None, RecordKind::Invalid(RejectReason::Malformed))
            }
        };
        let meta = RecordMeta { index: self.index, timestamp: self.moment, voter, kind };
        self.fault += 1;
        self.index += 1;
        self.line = line;
        (meta, &self.line)
    }

    /// Writes a voter's ballot again, now.
    fn repeat(&mut self, ballot: Ballot, line: &mut Vec<u8>) -> Voter {
        let voter = Voter::new(ballot.voter);
        let again = Ballot { moment: self.moment, ..ballot };
        let length = self.parts.encoder.write(&again, &voter.key, &mut self.clock, &mut self.buffer);
        line.extend_from_slice(&self.buffer[..length]);
        voter
    }

    /// A ballot to be spoilt: of a voter who has voted, or has not yet, or never will.
    fn draft<'a>(&'a mut self, parts: &'a Parts, random: u64) -> Draft<'a> {
        let ballot = if let Some(vote) = borrowed(random, self.vote, parts.plan.votes) {
            Ballot { moment: self.moment, ..parts.ballot(vote) }
        } else {
            let rank = below(mix(random), parts.plan.votes);
            parts.urn.ballot(STRANGERS + self.fault, parts.urn.cells.find(rank), self.moment)
        };
        Draft {
            election: &parts.election,
            people: parts.urn.people.kinds(),
            ballot,
            clock: &mut self.clock,
            random,
        }
    }
}

/// Serial numbers from here on belong to nobody who votes.
const STRANGERS: u64 = 1 << 33;

impl Voter {
    #[inline]
    fn new(id: u64) -> Self {
        Self { id, key: sixteen(id) }
    }
}

impl Parts {
    /// The ballot of vote number `vote`.
    pub(crate) fn ballot(&self, vote: u64) -> Ballot {
        let (rank, moment) = self.sequence.place(vote);
        self.urn.drawn(rank, moment)
    }

    /// The same voter for another candidate, and now and then from another region.
    pub(crate) fn changed(&self, ballot: Ballot, random: u64) -> Ballot {
        let candidates = self.election.candidates.len() as u64;
        let regions = self.cells.len() as u64 / candidates;
        let (mut region, mut candidate) = (ballot.cell as u64 / candidates, ballot.cell as u64 % candidates);
        if regions > 1 && (candidates == 1 || random.is_multiple_of(4)) {
            region = (region + 1 + below(random, regions - 1)) % regions;
        }
        if candidates > 1 {
            candidate = (candidate + 1 + below(mix(random), candidates - 1)) % candidates;
        }
        Ballot { cell: (region * candidates + candidate) as usize, ..ballot }
    }
}
