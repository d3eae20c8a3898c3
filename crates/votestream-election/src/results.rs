//! What `results --format json` and `GET /api/results` say: one snapshot of the store as public results.
//!
//! **Invariant:** counted = Σ candidates.votes = Σ regions.counted, and counted + duplicate + rejected = records, in every answer. A
//! region that is held, or under embargo until its close, is in none of these numbers. Duplicates and rejects are not kept by region,
//! so that all of them are told; `records` is then the sum of what is told. The ledger's digest covers the whole log at any time, as a
//! commitment made before publication; its number of records could tell the votes withheld, and is that of the answer (and the number
//! of leaves 0) as long as a region is withheld.

pub mod audit;

pub mod csv;

pub mod demographics;

pub mod desk;

pub mod regions;

pub mod elections;

pub mod ledger;

pub mod rejects;

pub mod nist;

mod types;

pub use audit::{DeskEntry, DeskLog};
pub use desk::DeskState;
pub use types::{
    CandidateResult, CountStatus, ElectionInfo, LedgerInfo, RegionResult, RegionStatus, Results, SeatCounts,
    VotesById,
};

use crate::delta::{Counts, Progress, Snapshot};
use crate::election::{Candidate, Election, WinRule};
use crate::ids::{CandidateIx, Millis, Minute, RegionIx};
use crate::ledger::{Digest, election_digest};
use crate::standings::{Ceiling, Standing, ranked};

impl Results {
    /// The public results of a snapshot.
    pub fn of(election: &Election, snapshot: &Snapshot) -> Self {
        let counts = snapshot.progress.iter().fold(Counts::default(), |mut sum, p| {
            sum.add(&Counts {
                counted: p.counted,
                duplicate: p.duplicate,
                rejected: p.rejected,
                skipped: p.skipped,
            });
            sum
        });
        let totals = whole(election, &snapshot.totals);
        let desk = DeskState::of(election, &snapshot.desk);
        let backlog = snapshot.progress.iter().any(|p| p.log_end > p.next_offset);
        let view = View {
            election,
            totals: &totals,
            counts,
            past: snapshot.at.is_some(),
            backlog: backlog && snapshot.at.is_none(),
            desk,
        };
        let mut results = view.results();
        results.sequence = snapshot.sequence;
        results.as_of = snapshot.as_of.map(millis_text);
        results.at = snapshot.at.map(minute_text);
        results.ledger.digest = election_digest(&snapshot.ledger).to_string();
        if results.withheld == 0 {
            results.ledger.leaves = snapshot.ledger.iter().map(|head| head.leaves).sum();
            results.ledger.records = counts.records();
            results.ledger.pending = snapshot.progress.iter().map(Progress::pending_leaves).sum();
        }
        results
    }

    /// The right answer that `simulate --expected` writes: `totals` region-major, sequence 0, nothing in the ledger.
    pub fn expected_of(election: &Election, totals: &[u64], counts: Counts) -> Self {
        let totals = whole(election, totals);
        let desk = DeskState::of(election, &[]);
        View { election, totals: &totals, counts, past: false, backlog: false, desk }.results()
    }
}

/// Whether the count is complete: declared final, or its exact total reached, and no record of the log waits.
pub fn is_complete(election: &Election, snapshot: &Snapshot) -> bool {
    let totals = whole(election, &snapshot.totals);
    let desk = DeskState::of(election, &snapshot.desk);
    let backlog = snapshot.progress.iter().any(|p| p.log_end > p.next_offset);
    !backlog && (desk.all_closed() || reached(election, &totals).is_some())
}

/// Totals of the right length, also of a store that holds none yet.
fn whole(election: &Election, totals: &[u64]) -> Vec<u64> {
    let mut totals = totals.to_vec();
    totals.resize(election.region_rows() * election.candidates.len(), 0);
    totals
}

/// Votes above the exact total, once it is reached; above 0 it was not as exact as said.
fn reached(election: &Election, totals: &[u64]) -> Option<u64> {
    let exact = election.expected.filter(|_| election.expected_exact)?;
    totals.iter().sum::<u64>().checked_sub(exact)
}

/// Everything that results are made of.
struct View<'a> {
    election: &'a Election,
    totals: &'a [u64],
    counts: Counts,
    past: bool,
    backlog: bool,
    desk: DeskState,
}

/// A public region with what was worked out about it.
struct Judged<'a> {
    row: usize,
    votes: &'a [u64],
    standing: Standing,
    status: RegionStatus,
}

impl View<'_> {
    fn results(&self) -> Results {
        let judged = self.judge();
        let candidates = self.election.candidates.len();
        let mut votes = vec![0_u64; candidates];
        let mut seats = vec![SeatCounts::default(); candidates];
        for region in &judged {
            votes.iter_mut().zip(region.votes).for_each(|(sum, v)| *sum += v);
            let region_seats = self.election.regions.get(region.row).map_or(0, |r| u64::from(r.seats));
            if let Some(CandidateIx(leader)) = region.standing.leader {
                let tally = &mut seats[usize::from(leader)];
                match region.status {
                    RegionStatus::Decided | RegionStatus::Closed => tally.decided += region_seats,
                    _ => tally.leading += region_seats,
                }
            }
        }
        let national = Standing::of(&votes);
        let withheld = self.desk.withheld() as u64;
        let counted = national.counted;
        let records = counted + self.counts.duplicate + self.counts.rejected;
        let (winner, late) = (self.winner(&national, &seats), self.late(withheld));
        let order = ranked(&votes);
        Results {
            election: ElectionInfo::of(self.election),
            sequence: 0,
            as_of: None,
            at: None,
            status: self.status(records),
            records,
            counted,
            duplicate: self.counts.duplicate,
            rejected: self.counts.rejected,
            expected: self.expected(&judged),
            leader: national.leader.map(|c| self.candidate(c).id.clone()),
            tied: self.ids(&national.tied),
            margin_votes: national.margin,
            winner: winner.map(|c| self.candidate(c).id.clone()),
            closed: !self.past && self.desk.all_closed(),
            late,
            withheld,
            candidates: order
                .into_iter()
                .map(|c| {
                    let ix = usize::from(c.0);
                    CandidateResult::of(&self.election.id, self.candidate(c), votes[ix], counted, seats[ix])
                })
                .collect(),
            regions: judged.iter().filter_map(|region| self.region(region)).collect(),
            ledger: LedgerInfo {
                leaves: 0,
                records: if withheld == 0 { 0 } else { records },
                pending: 0,
                digest: Digest::default().to_string(),
            },
        }
    }

    fn candidate(&self, candidate: CandidateIx) -> &Candidate {
        &self.election.candidates[usize::from(candidate.0)]
    }

    fn ids(&self, candidates: &[CandidateIx]) -> Vec<String> {
        candidates.iter().map(|c| self.candidate(*c).id.clone()).collect()
    }

    /// The exact total is reached, not passed, and no record waits: nothing more will come. Not told while a region is withheld,
    /// whose votes it would tell.
    fn over(&self) -> bool {
        self.desk.withheld() == 0 && !self.backlog && reached(self.election, self.totals) == Some(0)
    }

    /// The public regions; the one unnamed row of an election without any, unless it is withheld.
    fn judge(&self) -> Vec<Judged<'_>> {
        let rows = self.totals.chunks(self.election.candidates.len()).enumerate();
        rows.filter(|(row, _)| self.desk.is_public(RegionIx(*row as u16)))
            .map(|(row, votes)| {
                let standing = Standing::of(votes);
                let region = self.election.regions.get(row);
                let ceiling = Ceiling {
                    exact: region.and_then(|r| r.expected).filter(|_| self.election.expected_exact),
                    registered: region.and_then(|r| r.registered),
                    duplicate: self.election.duplicate,
                    over: self.over(),
                };
                let closed = !self.past && self.desk.is_closed(RegionIx(row as u16));
                let status = if !standing.tied.is_empty() {
                    RegionStatus::Tied
                } else if ceiling.decides(&standing) {
                    RegionStatus::Decided
                } else if closed {
                    RegionStatus::Closed
                } else if standing.leader.is_some() {
                    RegionStatus::Leading
                } else {
                    RegionStatus::Waiting
                };
                Judged { row, votes, standing, status }
            })
            .collect()
    }

    fn region(&self, judged: &Judged<'_>) -> Option<RegionResult> {
        let region = self.election.regions.get(judged.row)?;
        let ix = RegionIx(judged.row as u16);
        let closed = !self.past && self.desk.is_closed(ix);
        let late = self.desk.counted_at_close(ix).filter(|_| closed);
        Some(RegionResult {
            code: region.code.clone(),
            name: region.name.clone(),
            seats: region.seats,
            counted: judged.standing.counted,
            expected: region.expected,
            registered: region.registered,
            status: judged.status,
            leader: judged.standing.leader.map(|c| self.candidate(c).id.clone()),
            tied: self.ids(&judged.standing.tied),
            margin_votes: judged.standing.margin,
            closed,
            late: late.map(|counted| judged.standing.counted.saturating_sub(counted)),
            votes: VotesById(
                self.election
                    .candidates
                    .iter()
                    .map(|c| c.id.clone())
                    .zip(judged.votes.iter().copied())
                    .collect(),
            ),
        })
    }

    /// Of an answer that tells `records`. An exact total that is reached with votes withheld would tell how many they are.
    fn status(&self, records: u64) -> CountStatus {
        let closed = !self.past && self.desk.all_closed();
        let reached = self.desk.withheld() == 0 && reached(self.election, self.totals).is_some();
        if !self.backlog && (closed || reached) {
            CountStatus::Complete
        } else if records == 0 {
            CountStatus::Waiting
        } else {
            CountStatus::Counting
        }
    }

    /// What is expected of the public regions; `None` where that is not known.
    fn expected(&self, judged: &[Judged<'_>]) -> Option<u64> {
        if self.desk.withheld() == 0 {
            return self.election.expected;
        }
        judged.iter().map(|region| self.election.regions.get(region.row)?.expected).sum()
    }

    /// Votes since the whole election was declared final; not told while a region is withheld, whose votes it would hold.
    fn late(&self, withheld: u64) -> Option<u64> {
        let at_close = self.desk.all_counted_at_close().filter(|_| !self.past && self.desk.all_closed())?;
        (withheld == 0).then(|| self.counts.counted.saturating_sub(at_close))
    }

    /// Who has won, whatever still comes.
    fn winner(&self, national: &Standing, seats: &[SeatCounts]) -> Option<CandidateIx> {
        match self.election.rule {
            WinRule::Seats { threshold } => {
                let won = seats.iter().position(|s| s.decided >= u64::from(threshold));
                won.map(|candidate| CandidateIx(candidate as u16))
            }
            WinRule::Plurality => {
                // What is withheld may still come, as far as the public can tell; so it counts as outstanding.
                let withheld = self.desk.withheld() > 0;
                let registered = self.election.regions.iter().map(|r| r.registered).sum::<Option<u64>>();
                let ceiling = Ceiling {
                    exact: self.election.expected.filter(|_| self.election.expected_exact),
                    registered: registered.filter(|_| !self.election.regions.is_empty()),
                    duplicate: self.election.duplicate,
                    over: self.over(),
                };
                let declared = !self.past && !withheld && self.desk.all_closed();
                national.leader.filter(|_| declared || ceiling.decides(national))
            }
        }
    }
}

/// RFC 3339, UTC, with milliseconds: `2026-11-22T04:10:09.123Z`.
pub fn millis_text(moment: Millis) -> String {
    jiff::Timestamp::from_millisecond(moment.0).map(|t| format!("{t:.3}")).unwrap_or_default()
}

/// The start of a minute in RFC 3339, UTC: `2024-11-06T00:31:00Z`.
pub fn minute_text(minute: Minute) -> String {
    jiff::Timestamp::from_millisecond(minute.start().0).map(|t| format!("{t:.0}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
