//! What the first rows of a partition come to, leaf by leaf, so that they can be pruned: judged as a recount judges them, each leaf
//! compared with the one that the manifest and, where there is one, the store's ledger have.

use crate::EngineError;
use crate::recount::ArchiveSource;
use std::collections::BTreeMap;
use votestream_archive::manifest::{CarriedEntry, CellSum, LeafSum, PartitionManifest};
use votestream_archive::{Archive, manifest::VoterIds};
use votestream_election::archived::{ArchivedOutcome, ArchivedRow};
use votestream_election::election::DuplicatePolicy;
use votestream_election::ledger::{Digest, LEAF_OFFSETS, LeafSeal, LedgerHasher};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::recount::Judged;
use votestream_election::seen::{Insertion, SeenVoters};
use votestream_election::{Election, Millis, Offset, PartitionId, VoterKey};

/// Up to where rows are pruned: whole leaves before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Before the first record whose timestamp in the log is this or a later one.
    Time(Millis),
    /// Before this offset.
    Offset(Offset),
}

/// What a results store has counted of a partition.
#[derive(Clone, Debug)]
pub struct Counted {
    /// First offset not counted.
    pub next: Offset,
    /// The sealed leaves.
    pub leaves: Vec<LeafSeal>,
}

/// The first rows of a partition.
pub(super) struct Sums<'a> {
    source: ArchiveSource<'a>,
    partition: PartitionId,
    counted: Option<&'a Counted>,
    seen: SeenVoters,
    /// Those who were counted, in the order in which they were.
    pub(super) voters: Vec<VoterKey>,
    cells: Vec<u64>,
    leaves: Vec<LeafSum>,
    /// Sets of partitioners of votes, and of misrouted ones, by their bits.
    routed: [bool; 4],
    misrouted: [bool; 4],
}

impl<'a> Sums<'a> {
    /// Nothing summed up yet; those who were counted in rows that are carried already are known.
    pub(super) fn new(
        source: ArchiveSource<'a>,
        partition: PartitionId,
        counted: Option<&'a Counted>,
        seed: u64,
    ) -> Result<Self, EngineError> {
        let mut seen = SeenVoters::new(DuplicatePolicy::First, 0, seed);
        source.archive.carried_voters(partition, &mut |voter| {
            seen.insert(voter, 0);
        })?;
        let cells = vec![0; source.election.layout().cells() * source.election.region_rows()];
        let (voters, leaves) = (Vec::new(), Vec::new());
        let (routed, misrouted) = ([false; 4], [false; 4]);
        Ok(Self { source, partition, counted, seen, voters, cells, leaves, routed, misrouted })
    }

    /// Sums up whole leaves up to `before`, or to where something forbids it; false where that is not enough for a file to go.
    pub(super) fn run(&mut self, before: Before, stop: &dyn Fn() -> bool) -> Result<bool, EngineError> {
        let archive: &Archive = self.source.archive;
        let there = archive.partition(self.partition);
        let from = there.rows_from();
        let mut end = self.counted.map_or(there.next, |counted| there.next.min(counted.next));
        if let Before::Offset(offset) = before {
            end = end.min(offset);
        }
        let mut leaf = Leaf::beginning(from);
        if leaf.end > end || !goes(there, floor(end)) {
            return Ok(false);
        }
        let mut rows = archive.rows(self.partition, from);
        'rows: while let Some(batch) = rows.next_batch()? {
            if stop() {
                return Ok(false);
            }
            for row in batch.rows() {
                while row.offset >= leaf.end {
                    self.close(&leaf)?;
                    leaf = Leaf::beginning(leaf.end);
                    if leaf.end > end {
                        break 'rows;
                    }
                }
                if matches!(before, Before::Time(time) if row.timestamp >= time) {
                    end = row.offset;
                    break 'rows;
                }
                leaf.rows.push(*row);
            }
        }
        // The rest of the last one may hold no record.
        while leaf.end <= end {
            self.close(&leaf)?;
            leaf = Leaf::beginning(leaf.end);
        }
        Ok(goes(there, leaf.from))
    }

    /// Takes a whole leaf in.
    fn close(&mut self, leaf: &Leaf) -> Result<(), EngineError> {
        let number = leaf.from.0 / LEAF_OFFSETS;
        let mut sum = LeafSum {
            number,
            records: leaf.rows.len() as u64,
            digest: Digest::default(),
            counted: 0,
            duplicate: 0,
            rejected: BTreeMap::new(),
        };
        let mut ledger = LedgerHasher::new(leaf.from, Digest::default());
        for row in &leaf.rows {
            let judged = self.source.judged(self.partition, row)?;
            self.route(row, &judged);
            match judged {
                Judged::Vote(vote) => {
                    ledger.vote(row.offset, &vote.ledger_row());
                    if matches!(self.seen.insert(vote.voter, 0), Insertion::New) {
                        let layout = self.source.election.layout();
                        let cell = layout.index(vote.candidate, vote.gender, vote.band);
                        self.cells[usize::from(vote.region.0) * layout.cells() + cell] += 1;
                        self.voters.push(vote.voter);
                        sum.counted += 1;
                    } else {
                        sum.duplicate += 1;
                    }
                }
                Judged::Reject(reason, digest) => {
                    ledger.reject(row.offset, reason, &digest);
                    *sum.rejected.entry(reason.name().to_owned()).or_default() += 1;
                }
            }
        }
        ledger.advance_to(leaf.end);
        let made = ledger.take_sealed().pop().map(|leaf| leaf.digest);
        sum.digest = self.sealed(number, made)?;
        self.leaves.push(sum);
        Ok(())
    }

    /// The leaf's digest, as the rows, the manifest and the store agree on it.
    fn sealed(&self, number: u64, made: Option<Digest>) -> Result<Digest, EngineError> {
        let partition = self.partition;
        let refused = |what: String| Err(EngineError::NotPruned { partition, what });
        let archive = self.source.archive;
        let archived = archive.partition(partition).leaves().into_iter().find(|leaf| leaf.number == number);
        let Some(archived) = archived else {
            return refused(format!(
                "its leaf {number} has no digest, so that nothing could be proved of it"
            ));
        };
        if archive.manifest().identity.voter_ids == VoterIds::AsIs && made != Some(archived.digest) {
            return refused(format!(
                "its rows do not give leaf {number} as the manifest has it; find out why with `votestream recount`"
            ));
        }
        let stored = |counted: &Counted| {
            counted.leaves.iter().any(|leaf| (leaf.number, leaf.digest) == (number, archived.digest))
        };
        if !self.counted.is_none_or(stored) {
            return refused(format!(
                "the store's ledger does not have leaf {number} as the archive has it; find out why with `votestream recount --archive … --store …`"
            ));
        }
        Ok(archived.digest)
    }

    fn route(&mut self, row: &ArchivedRow, judged: &Judged) {
        if let ArchivedOutcome::Vote { routes, .. } = &row.outcome {
            let place = usize::from(routes.murmur2) + 2 * usize::from(routes.crc32);
            match judged {
                Judged::Vote(_) => self.routed[place] = true,
                Judged::Reject(..) => self.misrouted[place] = true,
            }
        }
    }

    /// What the manifest is to say, but for the names of files.
    pub(super) fn entry(&self) -> CarriedEntry {
        let there = self.source.archive.partition(self.partition);
        let from = there.rows_from();
        let to = self.leaves.last().map_or(from.0, |leaf| (leaf.number + 1) * LEAF_OFFSETS);
        let sets = |known: &[bool; 4]| {
            let set = |place: usize| PartitionerSet { murmur2: place & 1 != 0, crc32: place & 2 != 0 };
            (0..4).filter(|place| known[*place]).map(|place| set(place).to_text().to_owned()).collect()
        };
        CarriedEntry {
            partition: self.partition.0,
            from: from.0,
            to,
            pruned: Vec::new(),
            leaves: self.leaves.clone(),
            cells: cells(self.source.election, &self.cells),
            routed: sets(&self.routed),
            misrouted: sets(&self.misrouted),
            voters: votestream_archive::manifest::VotersEntry::default(),
        }
    }
}

/// The rows of a leaf that is not whole yet.
struct Leaf {
    from: Offset,
    end: Offset,
    rows: Vec<ArchivedRow>,
}

impl Leaf {
    /// The leaf that holds `from`, from there on.
    fn beginning(from: Offset) -> Self {
        Self { from, end: floor(from).plus(LEAF_OFFSETS), rows: Vec::new() }
    }
}

/// The start of the leaf that holds an offset.
fn floor(offset: Offset) -> Offset {
    Offset(offset.0 / LEAF_OFFSETS * LEAF_OFFSETS)
}

/// Whether a file ends there or before.
fn goes(there: &PartitionManifest, to: Offset) -> bool {
    there.files.first().is_some_and(|file| file.to <= to.0)
}

/// Cells that have votes, named.
fn cells(election: &Election, votes: &[u64]) -> Vec<CellSum> {
    let layout = election.layout();
    let named = |(place, votes): (usize, &u64)| {
        let (region, cell) = (place / layout.cells(), place % layout.cells());
        CellSum {
            region: election.regions.get(region).map(|region| region.code.clone()),
            candidate: election.candidates[layout.candidate_of(cell)].id.clone(),
            gender: election.genders[cell / layout.bands % layout.genders].clone(),
            age_band: election.bands.get(cell % layout.bands).map(|band| band.label.clone()),
            votes: *votes,
        }
    };
    votes.iter().enumerate().filter(|(_, votes)| **votes > 0).map(named).collect()
}
