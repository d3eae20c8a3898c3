//! Regions as the API shows them: all of them, and one with its candidates ranked.

use super::millis_text;
use super::types::{CandidateResult, RegionResult, Results, SeatCounts};
use crate::definition::folded;
use crate::election::{Election, Publish};
use serde::{Deserialize, Serialize};

/// What `GET /api/regions` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Regions {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// Wall clock of the newest commit held here; null before the first.
    pub as_of: Option<String>,
    /// Regions that are held or under embargo.
    pub withheld: u64,
    /// The public regions, in the definition's order.
    pub regions: Vec<RegionResult>,
}

impl Regions {
    /// The regions of some results.
    pub fn of(results: &Results) -> Self {
        Self {
            election: results.election.id.clone(),
            sequence: results.sequence,
            as_of: results.as_of.clone(),
            withheld: results.withheld,
            regions: results.regions.clone(),
        }
    }
}

/// What `GET /api/regions/{code}` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RegionDetail {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// Wall clock of the newest commit held here; null before the first.
    pub as_of: Option<String>,
    /// The region as among the others.
    pub region: RegionResult,
    /// The candidates by their votes here. All of the region's seats stand with who is first.
    pub candidates: Vec<CandidateResult>,
    /// When its last polls close, RFC 3339; null where nobody says.
    pub closes: Option<String>,
    /// When its results may be public: `live` or `at_close`.
    pub publish: String,
}

impl RegionDetail {
    /// The region of that code (in any case); `None` where there is none, or where it is withheld.
    pub fn of(election: &Election, results: &Results, code: &str) -> Option<Self> {
        let code = folded(code);
        let definition = election.regions.iter().find(|r| folded(&r.code) == code)?;
        let region = results.regions.iter().find(|r| r.code == definition.code)?;
        let mut candidates: Vec<CandidateResult> = election
            .candidates
            .iter()
            .map(|candidate| {
                let votes = region.votes.get(&candidate.id).unwrap_or(0);
                let first = region.leader.as_ref() == Some(&candidate.id);
                let seats = if first { seats(region) } else { SeatCounts::default() };
                CandidateResult::of(&election.id, candidate, votes, region.counted, seats)
            })
            .collect();
        candidates.sort_by_key(|c| std::cmp::Reverse(c.votes));
        Some(Self {
            election: election.id.clone(),
            sequence: results.sequence,
            as_of: results.as_of.clone(),
            region: region.clone(),
            candidates,
            closes: definition.closes.map(millis_text),
            publish: match definition.publish {
                Publish::Live => "live".to_owned(),
                Publish::AtClose => "at_close".to_owned(),
            },
        })
    }
}

fn seats(region: &RegionResult) -> SeatCounts {
    use super::types::RegionStatus::{Closed, Decided};
    let seats = u64::from(region.seats);
    match region.status {
        Decided | Closed => SeatCounts { leading: 0, decided: seats },
        _ => SeatCounts { leading: seats, decided: 0 },
    }
}
