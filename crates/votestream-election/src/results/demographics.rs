//! Demographics as the API shows them: the released blocks of public regions. Which blocks are released is `releases`' business.
//!
//! A block of the whole election holds every region's votes, so that it is not shown while a region is withheld.

use super::desk::DeskState;
use super::{millis_text, minute_text};
use crate::definition::UNKNOWN;
use crate::election::Election;
use crate::ids::{Millis, Minute, RegionIx};
use crate::releases::{BlockKind, ReleaseBlock};
use serde::{Deserialize, Serialize};

/// What `GET /api/demographics` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Demographics {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// Wall clock of the newest commit held here; null before the first.
    pub as_of: Option<String>,
    /// Of a past view: the minute that it shows. Absent from live answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// A cell changes by at least this many votes, or not at all.
    pub min_cell: u64,
    /// Genders, in the order of cells; the last is unknown.
    pub genders: Vec<String>,
    /// Age bands, in the order of cells; the last is unknown.
    pub bands: Vec<String>,
    /// Regions that are held or under embargo.
    pub withheld: u64,
    /// Blocks of the whole election: age × gender of each candidate. Empty while a region is withheld, and before the first release.
    pub nation: Vec<DemographicBlock>,
    /// Blocks of public regions that have any, in the definition's order.
    pub regions: Vec<RegionDemographics>,
}

/// One region's blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RegionDemographics {
    /// Short code.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Gender and age apart; age × gender once the count is complete.
    pub blocks: Vec<DemographicBlock>,
}

/// The votes of one candidate, by gender, by age, or by both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DemographicBlock {
    /// The candidate's identifier.
    pub candidate: String,
    /// `gender`, `age` or `age_gender`.
    pub kind: String,
    /// Sum of the cells: the candidate's votes when this was released.
    pub votes: u64,
    /// Votes: one a gender; or one a band; or for each gender one a band.
    pub cells: Vec<u64>,
}

/// Which state of the store is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The store's sequence.
    pub sequence: u64,
    /// Wall clock of its newest commit.
    pub as_of: Option<Millis>,
    /// Of a past view: its minute.
    pub at: Option<Minute>,
}

impl Demographics {
    /// The public part of `released`: the newest block of each region, candidate and kind. `only`: nothing but this region's.
    pub fn of(
        election: &Election,
        desk: &DeskState,
        moment: Moment,
        released: &[ReleaseBlock],
        only: Option<RegionIx>,
    ) -> Self {
        let withheld = desk.withheld() as u64;
        let blocks = |region: Option<RegionIx>| -> Vec<DemographicBlock> {
            let mut blocks: Vec<&ReleaseBlock> = released.iter().filter(|b| b.region == region).collect();
            blocks.sort_by_key(|b| (b.candidate, b.kind));
            blocks.into_iter().filter_map(|block| DemographicBlock::of(election, block)).collect()
        };
        let regions = (0..).zip(&election.regions).map(|(ix, region)| (RegionIx(ix), region));
        Self {
            election: election.id.clone(),
            sequence: moment.sequence,
            as_of: moment.as_of.map(millis_text),
            at: moment.at.map(minute_text),
            min_cell: election.min_cell,
            genders: election.genders.clone(),
            bands: election.bands.iter().map(|b| b.label.clone()).chain([UNKNOWN.to_owned()]).collect(),
            withheld,
            nation: if withheld == 0 && only.is_none() { blocks(None) } else { Vec::new() },
            regions: regions
                .filter(|(ix, _)| desk.is_public(*ix) && only.is_none_or(|only| only == *ix))
                .map(|(ix, region)| RegionDemographics {
                    code: region.code.clone(),
                    name: region.name.clone(),
                    blocks: blocks(Some(ix)),
                })
                .filter(|region| !region.blocks.is_empty())
                .collect(),
        }
    }
}

impl DemographicBlock {
    /// `None` for a block that does not fit the election: its definition is another.
    fn of(election: &Election, block: &ReleaseBlock) -> Option<Self> {
        let candidate = election.candidates.get(usize::from(block.candidate.0))?;
        let layout = election.layout();
        let size = match block.kind {
            BlockKind::Gender => layout.genders,
            BlockKind::Age => layout.bands,
            BlockKind::AgeGender => layout.genders * layout.bands,
        };
        (block.cells.len() == size).then(|| Self {
            candidate: candidate.id.clone(),
            kind: block.kind.name().to_owned(),
            votes: block.cells.iter().sum(),
            cells: block.cells.clone(),
        })
    }
}
